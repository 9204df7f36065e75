//! How answers are written: GraphQL results, and errors of the gateway's own in the same shape.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{Response as GraphQlAnswer, ServerError};
use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
};
use serde_json::{Value, json};

use super::{
    accept::Format,
    account::{Codes, Operation, code_of},
    metrics::{self, Ending, Name},
    written::{Fate, Written},
};
pub(super) use crate::schema::code;
use crate::schema::{execution::Outcome, lists::to_json};

/// An error of the HTTP layer: something that kept a request from being executed, or an answer from being given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
    /// Seconds after which it may go better.
    pub(super) retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// There is no place left for a request: it may come again in so many seconds.
    pub(super) fn overloaded(message: &'static str, retry_after: u32) -> Self {
        let refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, message);
        Self { retry_after: Some(retry_after), ..refusal }
    }

    /// A request that is not one: 400 in either format.
    pub(super) fn bad_input(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::BAD_USER_INPUT, message)
    }

    /// The refusal as a GraphQL client reads it.
    pub(super) fn answer(self, format: Format) -> Response {
        let mut response = finish(self.status, format, self.body());
        response.extensions_mut().insert(RefusedWith(self.code));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    pub(super) fn body(&self) -> String {
        json!({ "errors": [self.error()] }).to_string()
    }

    /// The element of `errors`, for transports without statuses.
    pub(super) fn error(&self) -> Value {
        let is_retryable = self.retry_after.is_some()
            || matches!(self.code, code::DEADLINE_EXCEEDED | code::OVERLOADED | code::UPSTREAM_UNAVAILABLE);
        let mut extensions = json!({"code": self.code, "retryable": is_retryable});
        if let Some(seconds) = self.retry_after {
            extensions["retryAfter"] = seconds.into();
        }
        json!({"message": self.message, "extensions": extensions})
    }
}

/// With what a request was refused, for its log line: goes with the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusedWith(pub(super) &'static str);

/// How a request fared: it got as far as the executor, or not even there.
pub(super) type Ended = Result<Outcome, Refusal>;

/// One answer, written down. Where execution began it is 200, however many fields failed. A refusal with 200 is a request
/// error as those of the executor are: the newer format says by its status what the older one says with 200.
/// It is counted as an operation of that name.
pub(super) fn write(ended: &Ended, format: Format, operation: Arc<Operation>, name: Name) -> Written {
    let request_error = match format {
        Format::GraphQlResponse => StatusCode::BAD_REQUEST,
        Format::Json => StatusCode::OK,
    };
    let status = match ended {
        Ok(Outcome::Executed(_)) => StatusCode::OK,
        Ok(Outcome::Refused(_)) => request_error,
        Ok(Outcome::NotAQuery(_)) => StatusCode::METHOD_NOT_ALLOWED,
        Err(refusal) if refusal.status == StatusCode::OK => request_error,
        Err(refusal) => refusal.status,
    };
    let is_good = matches!(ended, Ok(Outcome::Executed(result)) if result.errors.is_empty());
    let of_time = |error: &ServerError| code_of(error) == Some(code::DEADLINE_EXCEEDED);
    let is_late = match ended {
        Ok(Outcome::Executed(result)) => result.errors.iter().any(of_time),
        Ok(Outcome::Refused(_) | Outcome::NotAQuery(_)) => false,
        Err(refusal) => refusal.code == code::DEADLINE_EXCEEDED,
    };
    let retry_after = ended.as_ref().err().and_then(|refusal| refusal.retry_after);
    let fate = Fate { is_good, is_late, retry_after };
    let written = Written::new(status, format, fate, body(ended)).of_operation(operation, codes(ended));
    written.counted(name, ending(ended))
}

/// What an operation is counted by that ended so.
pub(super) fn ending(ended: &Ended) -> Ending {
    match ended {
        Ok(Outcome::Executed(result)) => Ending::executed(&result.errors),
        Ok(Outcome::Refused(errors) | Outcome::NotAQuery(errors)) => {
            Ending { outcome: metrics::Outcome::Refused, codes: metrics::Codes::of_all(errors) }
        }
        Err(refusal) => Ending { outcome: metrics::Outcome::Refused, codes: metrics::Codes::of(refusal.code) },
    }
}

/// The codes of what is wrong.
pub(super) fn codes(ended: &Ended) -> Codes {
    match ended {
        Ok(Outcome::Executed(result)) => Codes::of(result.errors.iter().filter_map(code_of)),
        Ok(Outcome::Refused(errors) | Outcome::NotAQuery(errors)) => Codes::of(errors.iter().filter_map(code_of)),
        Err(refusal) => Codes::of([refusal.code]),
    }
}

/// The answers to the requests of a batch, whose own statuses nobody sees.
pub(super) fn batch(bodies: &[String], codes: Codes, format: Format) -> Written {
    let fate = Fate { is_good: false, is_late: false, retry_after: None };
    Written::new(StatusCode::OK, format, fate, format!("[{}]", bodies.join(","))).of_operation(Arc::default(), codes)
}

/// The answer as text.
pub(super) fn body(ended: &Ended) -> String {
    match ended {
        Ok(Outcome::Executed(result)) => executed(result),
        Ok(Outcome::Refused(errors) | Outcome::NotAQuery(errors)) => without_data(errors),
        Err(refusal) => refusal.body(),
    }
}

fn executed(result: &GraphQlAnswer) -> String {
    to_json(result)
}

fn without_data(errors: &[ServerError]) -> String {
    json!({ "errors": errors }).to_string()
}

/// Answers may hold personal data: no cache between here and the caller keeps them.
fn finish(status: StatusCode, format: Format, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
