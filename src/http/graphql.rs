//! `GET` and `POST /graphql`: from HTTP to the executor and back. Knows nothing of the schema.
//!
//! The stock extractors are not used: they run mutations over GET and simple cross-origin posts, take a body of any
//! size, batches and uploads, and answer every request with 200 in one media type.

use std::{sync::Arc, time::Instant};

use async_graphql::Request as GraphQlRequest;
use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request, State, rejection::BytesRejection},
    http::{HeaderValue, StatusCode, Uri, header::ALLOW},
    response::Response,
};
use tokio::time::timeout_at;

use super::{
    Service,
    accept::{Format, negotiate},
    answer::{self, Refusal, code},
    layers::OperationName,
    request,
};
use crate::schema::{
    RequestContext,
    execution::{MARGIN, Outcome, execute},
};

/// `POST /graphql`.
pub(super) async fn post(State(service): State<Arc<Service>>, request: Request) -> Response {
    let deadline = Instant::now() + service.deadline;
    let operation_name = OperationName::of(&request);
    let Some(format) = negotiate(request.headers()) else {
        return not_acceptable();
    };
    match read_body(request, deadline).await.and_then(|body| request::from_body(&body)) {
        Ok(request) => service.run(request, false, deadline, format, &operation_name).await,
        Err(refusal) => refused_request(refusal, format),
    }
}

/// `GET /graphql`: queries only, since a link or an image can make a browser send one.
pub(super) async fn get(State(service): State<Arc<Service>>, uri: Uri, request: Request) -> Response {
    let deadline = Instant::now() + service.deadline;
    let operation_name = OperationName::of(&request);
    let Some(format) = negotiate(request.headers()) else {
        return not_acceptable();
    };
    match request::from_query_string(uri.query().unwrap_or_default()) {
        Ok(request) => service.run(request, true, deadline, format, &operation_name).await,
        Err(refusal) => refused_request(refusal, format),
    }
}

fn not_acceptable() -> Response {
    let message = "Answers are application/graphql-response+json or application/json; `Accept` refuses both.";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, code::BAD_USER_INPUT, message).answer(Format::Json)
}

/// Refusals are written in the format agreed on; the newer one says by its status what the older one says with 200.
fn refused_request(refusal: Refusal, format: Format) -> Response {
    let status = match (refusal.status, format) {
        (StatusCode::OK, Format::GraphQlResponse) => StatusCode::BAD_REQUEST,
        (status, _) => status,
    };
    Refusal { status, ..refusal }.answer(format)
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
    /// Executes within this future and no task of its own: when the connection goes, the work goes.
    async fn run(
        &self,
        request: GraphQlRequest,
        queries_only: bool,
        deadline: Instant,
        format: Format,
        operation_name: &OperationName,
    ) -> Response {
        if let Some(name) = &request.operation_name {
            operation_name.note(name);
        }
        let request = request.data(RequestContext::new(&self.sources, self.granted, deadline));
        let executed = execute(&self.schema, request, queries_only);
        let Ok(outcome) = timeout_at((deadline + MARGIN).into(), executed).await else {
            let message = "The request took too long.";
            return Refusal::new(StatusCode::GATEWAY_TIMEOUT, code::DEADLINE_EXCEEDED, message).answer(format);
        };
        match outcome {
            Outcome::Executed(response) => answer::executed(*response, format),
            Outcome::Refused(errors) => {
                let status = match format {
                    Format::GraphQlResponse => StatusCode::BAD_REQUEST,
                    Format::Json => StatusCode::OK,
                };
                answer::request_error(&errors, status, format)
            }
            Outcome::NotAQuery(errors) => {
                let mut response = answer::request_error(&errors, StatusCode::METHOD_NOT_ALLOWED, format);
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
                response
            }
        }
    }
}
