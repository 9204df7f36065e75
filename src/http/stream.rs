//! `POST` and `GET /graphql/stream`: operations over server-sent events, each on a connection of its own (the “distinct
//! connections mode” of the graphql-sse protocol). Knows nothing of the schema.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt as _, future, stream};
use serde_json::json;

use super::{
    Service,
    accept::{Format, accepts_event_stream},
    answer::{Refusal, code},
    connections::{Connections, Ending},
    graphql,
    layers::OperationName,
    request,
};
use crate::schema::streaming::{self, Step};

/// Asks nginx, which keeps answers back by default, to pass events on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `POST /graphql/stream`.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    ending: Option<Extension<Ending>>,
    request: Request,
) -> Response {
    if !accepts_event_stream(request.headers()) {
        return not_acceptable();
    }
    let operation_name = OperationName::of(&request);
    let body = graphql::read_body(request, Instant::now() + service.deadline).await;
    match body.and_then(|body| request::from_body(&body)) {
        Ok(request) => service.stream(request, false, ending, &operation_name),
        Err(refusal) => refused(&service, refusal),
    }
}

/// `GET /graphql/stream`, as a browser's `EventSource` asks: no mutations.
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    ending: Option<Extension<Ending>>,
    request: Request,
) -> Response {
    if !accepts_event_stream(request.headers()) {
        return not_acceptable();
    }
    let operation_name = OperationName::of(&request);
    match request::from_query_string(request.uri().query().unwrap_or_default()) {
        Ok(request) => service.stream(request, true, ending, &operation_name),
        Err(refusal) => refused(&service, refusal),
    }
}

fn not_acceptable() -> Response {
    let message = "Answers here are text/event-stream, which `Accept` refuses; `/graphql` answers with JSON.";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, code::BAD_USER_INPUT, message).answer(Format::Json)
}

/// What is wrong with the GraphQL request is told as an event, as the protocol has it: a browser's `EventSource` shows its
/// page nothing of another status.
fn refused(service: &Service, refusal: Refusal) -> Response {
    match refusal.status {
        StatusCode::OK | StatusCode::BAD_REQUEST => {
            let errors = json!({"errors": [refusal.error()]}).to_string();
            let next = Event::default().event("next").data(errors);
            respond(stream::iter([next, complete()].map(Ok)), service.ping)
        }
        _ => refusal.answer(Format::Json),
    }
}

impl Service {
    fn stream(
        self: &Arc<Self>,
        request: async_graphql::Request,
        no_mutations: bool,
        ending: Option<Extension<Ending>>,
        operation_name: &OperationName,
    ) -> Response {
        let Some(place) = self.connections.enter() else {
            return Connections::full().answer(Format::Json);
        };
        if let Some(name) = &request.operation_name {
            operation_name.note(name);
        }
        let steps = streaming::run(self.schema.clone(), self.caller(), request, no_mutations);
        let events = steps.map(|step| next(&step)).chain(stream::once(future::ready(complete())));
        // Without a last event where the gateway ends: the client is to come back.
        let mut ending = Ending::of(ending);
        let events = events.take_until(async move { ending.begun().await }).map(move |event| {
            let _held = &place;
            Ok(event)
        });
        respond(events, self.ping)
    }
}

fn respond(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static, ping: Duration) -> Response {
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(ping)).into_response();
    let headers = response.headers_mut();
    // Events may hold personal data.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn next(step: &Step) -> Event {
    let answer = match step {
        Step::Answer(response) => serde_json::to_string(response),
        Step::Refused(errors) => serde_json::to_string(&json!({ "errors": errors })),
    };
    // Values of GraphQL are JSON.
    Event::default().event("next").data(answer.unwrap_or_default())
}

/// Its data are an empty text: a browser drops an event without. The line break is what makes axum write any.
fn complete() -> Event {
    Event::default().event("complete").data("\n")
}
