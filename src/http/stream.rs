//! `POST` and `GET /graphql/stream`: operations over server-sent events, each on a connection of its own (the “distinct
//! connections mode” of the graphql-sse protocol), also where a client of `/graphql` accepts nothing else. Knows nothing of
//! the schema.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body as HttpBody, Bytes},
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use futures::{Stream, StreamExt as _, future, stream};
use serde_json::json;
use tokio::time::timeout;

use super::{
    Service,
    accept::{Format, accepts_event_stream},
    account::{self, Operation},
    answer::{Refusal, code},
    connections::Connections,
    layers::Notes,
    metrics::{Transport, Watch},
    request::{self, Body, Fields},
};
use crate::{
    access::Caller,
    held::Held,
    loaders::Credentials,
    schema::{
        lists::to_json,
        streaming::{self, Step, UnderWay},
    },
};

/// Asks nginx, which keeps answers back by default, to pass events on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `POST /graphql/stream`.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    Extension(notes): Extension<Notes>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    if !accepts_event_stream(request.headers()) {
        return not_acceptable();
    }
    let credentials = match service.credentials(request.headers()) {
        Ok(credentials) => credentials,
        Err(refusal) => return refusal.answer(Format::Json),
    };
    let body = service.read_body(request).await;
    match service.requested(body.and_then(|body| one(&body))).await {
        Ok(request) => service.stream(request, false, &notes, caller, credentials),
        Err(refusal) => refused(&service, refusal),
    }
}

/// `GET /graphql/stream`, as a browser's `EventSource` asks: no mutations.
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    Extension(notes): Extension<Notes>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    if !accepts_event_stream(request.headers()) {
        return not_acceptable();
    }
    let credentials = match service.credentials(request.headers()) {
        Ok(credentials) => credentials,
        Err(refusal) => return refusal.answer(Format::Json),
    };
    let fields = request::from_query_string(request.uri().query().unwrap_or_default());
    match service.requested(fields).await {
        Ok(request) => service.stream(request, true, &notes, caller, credentials),
        Err(refusal) => refused(&service, refusal),
    }
}

fn not_acceptable() -> Response {
    let message = "`Accept` refuses every answer: /graphql has application/graphql-response+json, application/json and \
                   text/event-stream, /graphql/stream the last alone.";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, code::BAD_USER_INPUT, message).answer(Format::Json)
}

/// A stream answers one request.
fn one(body: &[u8]) -> Result<Fields, Refusal> {
    match request::from_body(body)? {
        Body::One(fields) => Ok(fields),
        Body::Batch(_) => Err(Refusal::bad_input("Expected an object: a stream answers no batches.")),
    }
}

/// What is wrong with the GraphQL request is told as an event, as the protocol has it: a browser's `EventSource` shows its
/// page nothing of another status.
fn refused(service: &Service, refusal: Refusal) -> Response {
    service.count_refusal(Transport::Stream, &refusal);
    match refusal.status {
        StatusCode::OK | StatusCode::BAD_REQUEST => {
            let errors = json!({"errors": [refusal.error()]}).to_string();
            respond(stream::iter([next(&errors), COMPLETE.to_owned()]), service.ping)
        }
        _ => refusal.answer(Format::Json),
    }
}

impl Service {
    fn stream(
        self: &Arc<Self>,
        request: async_graphql::Request,
        no_mutations: bool,
        notes: &Notes,
        caller: Caller,
        credentials: Credentials,
    ) -> Response {
        let Some(place) = self.connections.enter() else {
            self.traffic.refused.connections.inc();
            return Connections::full().answer(Format::Json);
        };
        let named = Operation::of(&request);
        notes.operation(&named);
        let operation = self.caller(caller.scopes, credentials);
        let under_way = operation.under_way.clone();
        let mut watch = Watch::new(self, Transport::Stream, &request, &operation);
        let open = Held::on(&self.traffic.streams);
        let steps = streaming::run(self.schema.clone(), operation, request, no_mutations);
        let steps = account::told(account::EVENTS, notes, Some(&caller), named, steps);
        let steps = steps.map(move |step| {
            watch.saw(&step);
            answer(&step)
        });
        let events = self.until_outlived(caller, under_way.clone(), steps).map(|answer| next(&answer));
        let events = events.chain(stream::once(future::ready(COMPLETE.to_owned())));
        let mut ending = notes.connection().ending.clone();
        // Without a last event where the gateway ends: the client is to come back.
        let end = async move {
            ending.begun().await;
            under_way.none().await;
        };
        let events = events.take_until(end).inspect(move |_| {
            let _held = (&place, &open);
        });
        respond(events, self.ping)
    }
}

impl Service {
    /// The answers, and an error as the last one where what let the caller in is no longer good.
    fn until_outlived(
        self: &Arc<Self>,
        caller: Caller,
        under_way: UnderWay,
        answers: impl Stream<Item = String> + Send + 'static,
    ) -> impl Stream<Item = String> + Send + 'static {
        let service = Arc::clone(self);
        asynk_strim::stream_fn(async move |mut out| {
            // What was begun is still answered.
            let outlived = async {
                service.access.outlived(&caller).await;
                under_way.none().await;
            };
            tokio::pin!(answers, outlived);
            loop {
                tokio::select! {
                    biased;
                    answer = answers.next() => match answer {
                        Some(answer) => out.yield_item(answer).await,
                        None => return,
                    },
                    () = &mut outlived => return out.yield_item(outlived_answer()).await,
                }
            }
        })
    }
}

fn outlived_answer() -> String {
    let message = "What let you in is no longer good: the stream ends. Show something new to go on.";
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, message);
    json!({"errors": [refusal.error()]}).to_string()
}

/// The last event. Its data are there because a browser drops an event without.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// A sign of life: a comment.
const PING: &str = ":\n\n";

/// An event with an answer, which is JSON in one line.
fn next(answer: &str) -> String {
    format!("event: next\ndata: {answer}\n\n")
}

fn answer(step: &Step) -> String {
    let answer = match step {
        Step::Answer(response) => Ok(to_json(response)),
        Step::Refused(errors) => serde_json::to_string(&json!({ "errors": errors })),
    };
    // Values of GraphQL are JSON.
    answer.unwrap_or_default()
}

fn respond(events: impl Stream<Item = String> + Send + 'static, ping: Duration) -> Response {
    let mut response = Response::new(HttpBody::from_stream(with_pings(events, ping).map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Events may hold personal data.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// A ping wherever nothing happens for so long. (axum's own events leave out data that are empty.)
fn with_pings(events: impl Stream<Item = String> + Send + 'static, ping: Duration) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Box::pin(events), move |mut events| async move {
        let text = match timeout(ping, events.next()).await {
            Ok(event) => event?,
            Err(_) => PING.to_owned(),
        };
        Some((Bytes::from(text), events))
    })
}
