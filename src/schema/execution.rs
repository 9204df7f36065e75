//! Running a request: what a transport may run, execution, and codes for errors that have none. What a request must be is
//! for [`spec`](super::spec) to say. Knows no transport by name.
//!
//! async-graphql gives errors of its own no code, and its answer does not tell whether anything was executed. An extension
//! of it could, but where one is there the executor boxes every field, and a long list takes half as long again.

use async_graphql::{
    ErrorExtensionValues, Pos, Request, Response, ServerError, Value as ConstValue, parser::types::OperationType,
};

use super::{GatewaySchema, code, spec::Specification};

/// How a request ended.
pub enum Outcome {
    /// It was executed, however many of its fields failed.
    Executed(Box<Response>),
    /// It was not: the answer has no `data`, by the GraphQL-over-HTTP specification.
    Refused(Vec<ServerError>),
    /// It is no query, and only those may run.
    NotAQuery(Vec<ServerError>),
}

/// Runs a request. With `queries_only`, as over GET, nothing else is run.
pub async fn execute(schema: &GatewaySchema, request: Request, queries_only: bool) -> Outcome {
    let specification: &Specification = schema.data().expect("`schema::build` puts it there");
    let (ty, request) = match specification.prepare(request) {
        Ok(prepared) => prepared,
        Err(errors) => return Outcome::Refused(errors),
    };
    match ty {
        OperationType::Mutation if queries_only => {
            return Outcome::NotAQuery(vec![refusal("A mutation needs POST.", None)]);
        }
        OperationType::Subscription => {
            return Outcome::Refused(vec![refusal("Subscriptions are not served here.", None)]);
        }
        OperationType::Query | OperationType::Mutation => {}
    }
    let mut response = schema.execute(request).await;
    // Errors of execution have a path; what async-graphql's limits say has none.
    if response.data == ConstValue::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
    {
        return Outcome::Refused(response.errors.into_iter().map(validation_error).collect());
    }
    // Once resolvers ran, what is left without a code is about what a resolver was given.
    response.errors = response.errors.into_iter().map(|error| coded(error, code::BAD_USER_INPUT)).collect();
    Outcome::Executed(Box::new(response))
}

fn refusal(message: impl Into<String>, at: Option<Pos>) -> ServerError {
    coded(ServerError::new(message, at), code::BAD_USER_INPUT)
}

fn validation_error(error: ServerError) -> ServerError {
    let code = limit_code(&error).unwrap_or(code::GRAPHQL_VALIDATION_FAILED);
    coded(error, code)
}

/// async-graphql's own limits are told by their words alone.
fn limit_code(error: &ServerError) -> Option<&'static str> {
    let says = |words: &str| error.message.starts_with(words);
    if says("The recursion depth of the query") || says("Query is nested too deep") {
        Some(code::QUERY_TOO_DEEP)
    } else if says("The number of directives on") || says("The amount of aliases") || says("Query is too complex") {
        Some(code::QUERY_TOO_COMPLEX)
    } else {
        None
    }
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
