//! How answers are written: GraphQL results, and errors of the gateway's own in the same shape.

use std::borrow::Cow;

use async_graphql::{Response as GraphQlAnswer, ServerError};
use async_graphql_axum::GraphQLResponse;
use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::accept::Format;
pub(super) use crate::schema::code;

/// When to come back to a gateway that has no place left.
const RETRY_AFTER_SECONDS: u16 = 5;

/// An error of the HTTP layer: something that kept a request from being executed, or an answer from being given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A request that is not one: 400 in either format.
    pub(super) fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message)
    }

    /// The refusal as a GraphQL client reads it.
    pub(super) fn answer(self, format: Format) -> Response {
        let mut response = finish(self.status, format, json!({"errors": [self.error()]}).to_string());
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }

    /// The one error of its answer.
    pub(super) fn error(&self) -> serde_json::Value {
        let is_retryable = matches!(self.code, code::DEADLINE_EXCEEDED | code::OVERLOADED);
        json!({"message": self.message, "extensions": {"code": self.code, "retryable": is_retryable}})
    }
}

/// A result whose execution began: 200, however many of its fields failed.
pub(super) fn executed(result: GraphQlAnswer, format: Format) -> Response {
    let mut response = GraphQLResponse::from(result).into_response();
    set_headers(&mut response, format);
    response
}

/// Errors that kept the request from being executed: an answer without `data`.
pub(super) fn request_error(errors: &[ServerError], status: StatusCode, format: Format) -> Response {
    finish(status, format, json!({ "errors": errors }).to_string())
}

fn finish(status: StatusCode, format: Format, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    set_headers(&mut response, format);
    response
}

/// Answers may hold personal data: no cache between here and the caller keeps them.
fn set_headers(response: &mut Response, format: Format) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
