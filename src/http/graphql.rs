//! `GET` and `POST /graphql`: from HTTP to the executor and back. Knows nothing of the schema.
//!
//! The stock extractors are not used: they run mutations over GET and simple cross-origin posts, take a body of any
//! size, batches and uploads, and answer every request with 200 in one media type.

use std::{sync::Arc, time::Instant};

use async_graphql::Request as GraphQlRequest;
use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request, State, rejection::BytesRejection},
    http::{StatusCode, Uri},
    response::Response,
};
use tokio::time::timeout_at;

use super::{
    Service,
    accept::negotiate,
    answer::{self, Ended, Refusal, code},
    batch,
    layers::OperationName,
    request::{self, Body, Fields},
    stream,
};
use crate::schema::{
    RequestContext,
    execution::{MARGIN, execute},
};

/// `POST /graphql`.
pub(super) async fn post(State(service): State<Arc<Service>>, request: Request) -> Response {
    let deadline = Instant::now() + service.deadline;
    let operation_name = OperationName::of(&request);
    let Some(format) = negotiate(request.headers()) else {
        return stream::post(State(service), request).await;
    };
    match read_body(request, deadline).await.and_then(|body| request::from_body(&body)) {
        Ok(Body::One(fields)) => {
            let ended = match service.request(fields) {
                Ok(request) => service.run(request, false, deadline, &operation_name).await,
                Err(refusal) => Err(refusal),
            };
            answer::one(&ended, format)
        }
        Ok(Body::Batch(members)) => match batch::run(&service, members, deadline).await {
            Ok(all) => answer::batch(&all, format),
            Err(refusal) => refusal.answer(format),
        },
        Err(refusal) => refusal.answer(format),
    }
}

/// `GET /graphql`: queries only, since a link or an image can make a browser send one.
pub(super) async fn get(State(service): State<Arc<Service>>, uri: Uri, request: Request) -> Response {
    let deadline = Instant::now() + service.deadline;
    let operation_name = OperationName::of(&request);
    let Some(format) = negotiate(request.headers()) else {
        return stream::get(State(service), request).await;
    };
    let fields = request::from_query_string(uri.query().unwrap_or_default());
    let ended = match fields.and_then(|fields| service.request(fields)) {
        Ok(query) => service.run(query, true, deadline, &operation_name).await,
        Err(refusal) => Err(refusal),
    };
    answer::to_get(&ended, format, request.headers())
}

pub(super) async fn read_body(request: Request, deadline: Instant) -> Result<Bytes, Refusal> {
    request::check_content_type(request.headers())?;
    // The limit itself is a layer on the route.
    match timeout_at(deadline.into(), Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(BytesRejection::FailedToBufferBody(error))) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let message = "The body is longer than this gateway allows.";
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::BAD_USER_INPUT, message))
        }
        Ok(Err(_)) => Err(Refusal::bad_input("The body could not be read.")),
        Err(_) => {
            let message = "The body did not arrive in time.";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, code::DEADLINE_EXCEEDED, message))
        }
    }
}

impl Service {
    /// From the fields of a request, by whatever transport they came, to the request with the text of the document that
    /// they bring or name.
    pub(super) fn request(&self, fields: Fields) -> Result<GraphQlRequest, Refusal> {
        request::from_fields(fields, &self.documents)
    }

    /// Executes within this future and no task of its own: when the connection goes, the work goes.
    pub(super) async fn run(
        &self,
        request: GraphQlRequest,
        queries_only: bool,
        deadline: Instant,
        operation_name: &OperationName,
    ) -> Ended {
        if let Some(name) = &request.operation_name {
            operation_name.note(name);
        }
        let request = request.data(RequestContext::new(&self.sources, self.granted, deadline));
        let executed = execute(&self.schema, request, queries_only);
        timeout_at((deadline + MARGIN).into(), executed).await.map_err(|_| too_late())
    }
}

/// A request that could not be answered in time.
pub(super) fn too_late() -> Refusal {
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, code::DEADLINE_EXCEEDED, "The request took too long.")
}
