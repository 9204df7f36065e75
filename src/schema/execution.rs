//! Running a request: what a transport may run, execution, and codes for errors that have none. What a request must be is
//! for [`spec`](super::spec) to say. Knows no transport by name.
//!
//! async-graphql gives errors of its own no code, and its answer does not tell whether anything was executed. An extension
//! of it could, but where one is there the executor boxes every field, and a long list takes half as long again.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{
    ErrorExtensionValues, Name, Pos, Request, Response, ServerError, Value as ConstValue, parser::types::OperationType,
};
use futures::FutureExt as _;

pub use super::spec::Cost;
use super::{
    GatewaySchema, RequestContext, Specification, code,
    spec::{GATHER, Ready, UPSTREAM_REQUESTS},
    specification,
};
use crate::cache::{Provenance, StalePart};

/// What a request may take beyond its deadline: resolvers get the deadline itself and answer with what they have, so
/// only one that does not keep to it is cut off.
pub const MARGIN: Duration = Duration::from_secs(1);

/// How a request ended.
pub enum Outcome {
    /// It was executed, however many of its fields failed.
    Executed(Box<Response>),
    /// It was not: the answer has no `data`, by the GraphQL-over-HTTP specification.
    Refused(Vec<ServerError>),
    /// It is no query, and only those may run.
    NotAQuery(Vec<ServerError>),
}

/// Why an execution has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The deadline and its [`MARGIN`] did not suffice.
    TooLate,
    /// The gateway itself failed.
    Panicked,
}

impl Failure {
    /// For transports without statuses.
    pub(super) fn error(self) -> ServerError {
        match self {
            Self::TooLate => retryable("The request took too long.", code::DEADLINE_EXCEEDED),
            Self::Panicked => coded(ServerError::new("Something went wrong inside the gateway.", None), code::INTERNAL),
        }
    }
}

/// A query or mutation that may be run.
pub struct Prepared {
    ready: Ready,
    tells_cost: bool,
}

/// Makes a request ready to be run, for a transport that gives one answer. With `queries_only`, as over GET, nothing else
/// is. The error is what it ends with.
pub fn prepare(schema: &GatewaySchema, request: Request, queries_only: bool) -> Result<Prepared, Outcome> {
    match specification(schema).prepare(request) {
        Ok(Ready { ty: OperationType::Subscription, .. }) => {
            let message = "A subscription needs `/graphql/ws` (WebSocket) or `/graphql/stream` (server-sent events).";
            Err(Outcome::Refused(vec![refusal(message, None)]))
        }
        Ok(ready) => Prepared::new(ready, queries_only),
        Err(errors) => Err(Outcome::Refused(errors)),
    }
}

impl Prepared {
    pub(super) fn new(ready: Ready, queries_only: bool) -> Result<Self, Outcome> {
        if queries_only && ready.ty != OperationType::Query {
            return Err(Outcome::NotAQuery(vec![refusal("A mutation needs POST.", None)]));
        }
        Ok(Self { ready, tells_cost: false })
    }

    /// What the document calls the operation.
    pub fn name(&self) -> Option<&str> {
        self.ready.name.as_deref()
    }

    /// Whether it changes nothing.
    pub fn is_query(&self) -> bool {
        self.ready.ty == OperationType::Query
    }

    /// What it was estimated to cost; `None`: nobody estimates it.
    pub fn cost(&self) -> Option<Cost> {
        self.ready.cost
    }

    /// Has the answer say in `extensions` what the operation was estimated to cost, which this gives.
    pub fn tell_cost(&mut self) -> Option<Cost> {
        self.tells_cost = true;
        self.cost()
    }

    /// Runs it within the deadline of its context and a [`MARGIN`].
    pub async fn execute(self, schema: &GatewaySchema, context: RequestContext) -> Result<Outcome, Failure> {
        let deadline = context.deadline.0 + MARGIN;
        let provenance = Arc::clone(&context.provenance);
        let execution = contained(schema.execute(self.ready.request.data(context)));
        let mut response =
            tokio::time::timeout_at(deadline.into(), execution).await.map_err(|_| Failure::TooLate)??;
        if let Some(cost) = self.ready.cost.filter(|_| self.tells_cost) {
            response.extensions.insert("cost".to_owned(), told(cost));
        }
        Ok(outcome(response, &provenance, specification(schema)))
    }
}

/// A panic stays with the request that it came of: others may wait for the same answer, or share the connection. The panic hook
/// has written down where it was.
pub(super) async fn contained<T>(execution: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(execution).catch_unwind().await.map_err(|_| {
        tracing::error!("a request panicked");
        Failure::Panicked
    })
}

fn told(cost: Cost) -> ConstValue {
    let fields = [("estimated", cost.estimated), ("limit", cost.limit)];
    ConstValue::Object(fields.into_iter().map(|(name, value)| (Name::new(name), value.into())).collect())
}

fn outcome(mut response: Response, provenance: &Provenance, specification: &Specification) -> Outcome {
    count_bounds(&response.errors, specification);
    tell_stale(&mut response, provenance);
    if is_refusal(&response) {
        return Outcome::Refused(response.errors.into_iter().map(validation_error).collect());
    }
    // Once resolvers ran, what is left without a code is about what a resolver was given.
    response.errors = response.errors.into_iter().map(|error| coded(error, code::BAD_USER_INPUT)).collect();
    Outcome::Executed(Box::new(response))
}

/// Counts an operation that passed a bound of which the layers below tell by its code alone.
fn count_bounds(errors: &[ServerError], specification: &Specification) {
    for (code, limit) in [(code::RESULT_TOO_LARGE, GATHER), (code::QUERY_TOO_COMPLEX, UPSTREAM_REQUESTS)] {
        if errors.iter().any(|error| code_of(error) == Some(code)) {
            specification.metrics().of(limit).inc();
        }
    }
}

/// The code that an error has.
pub fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        ConstValue::String(code) => Some(code),
        _ => None,
    }
}

/// Says in `extensions` what of the answer stands in for what could not be read.
pub(super) fn tell_stale(response: &mut Response, provenance: &Provenance) {
    let part = |part: StalePart| {
        let fields = [
            (Name::new("source"), ConstValue::from(part.source.code())),
            (Name::new("ageSeconds"), ConstValue::from(part.age.as_secs())),
        ];
        ConstValue::Object(fields.into_iter().collect())
    };
    let stale: Vec<ConstValue> = provenance.stale().into_iter().map(part).collect();
    if !stale.is_empty() {
        response.extensions.insert("stale".to_owned(), ConstValue::List(stale));
    }
}

/// Whether nothing was executed: errors of execution have a path; what async-graphql's limits say has none.
fn is_refusal(response: &Response) -> bool {
    response.data == ConstValue::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// What may succeed later.
pub(super) fn retryable(message: &str, code: &str) -> ServerError {
    let mut error = coded(ServerError::new(message, None), code);
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("retryable", true);
    error
}

fn refusal(message: impl Into<String>, at: Option<Pos>) -> ServerError {
    coded(ServerError::new(message, at), code::BAD_USER_INPUT)
}

pub(super) fn validation_error(error: ServerError) -> ServerError {
    // Its own bounds are beyond those of `spec`, and are told by their words alone.
    let is_too_deep = error.message.starts_with("The recursion depth of the query");
    coded(error, if is_too_deep { code::QUERY_TOO_DEEP } else { code::GRAPHQL_VALIDATION_FAILED })
}

fn has_code(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some())
}

fn set_code(error: &mut ServerError, code: &str) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    extensions.set("code", code);
    // The request itself is wrong.
    extensions.set("retryable", false);
}

/// Sets the code unless there is one.
pub(super) fn coded(mut error: ServerError, code: &str) -> ServerError {
    if !has_code(&error) {
        set_code(&mut error, code);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_operation_that_says_nothing_of_it() {
        let failure = contained(async { panic!("for the test") as u8 }).await.unwrap_err();
        let error = failure.error();
        assert_eq!(failure, Failure::Panicked);
        assert!(!error.message.contains("for the test"));
        let code = error.extensions.and_then(|extensions| extensions.get("code").cloned());
        assert_eq!(code, Some(code::INTERNAL.into()));
    }
}
