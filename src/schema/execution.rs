//! Running a request: parsing, what a transport may run, execution, and codes for what is wrong with the request as a
//! whole or with a value in it. Knows no transport by name.
//!
//! async-graphql gives such errors no code, and its answer does not tell whether anything was executed. An extension of it
//! could, but where one is there the executor boxes every field, and a long list takes half as long again.

use std::{collections::HashMap, time::Duration};

use async_graphql::{
    ErrorExtensionValues, Name, Pos, Request, Response, ServerError, Value as ConstValue, Variables,
    parser::{
        parse_query,
        types::{
            DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
            VariableDefinition,
        },
    },
};

use super::{GatewaySchema, code};

/// Characters of async-graphql's own words about a value that a client is told.
const MAX_REASON: usize = 200;

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

/// Runs a request. With `queries_only`, as over GET, nothing else is run.
pub async fn execute(schema: &GatewaySchema, mut request: Request, queries_only: bool) -> Outcome {
    let document = match parse(&request.query) {
        Ok(document) => document,
        Err(error) => return Outcome::Refused(vec![error]),
    };
    // Without one, the validation comes first: async-graphql refuses the request after it.
    let operation = selected(&document, request.operation_name.as_deref());
    if let Some(operation) = operation {
        match operation.ty {
            OperationType::Mutation if queries_only => {
                return Outcome::NotAQuery(vec![refusal("A mutation needs POST.", None)]);
            }
            OperationType::Subscription => {
                let message =
                    "A subscription needs `/graphql/ws` (WebSocket) or `/graphql/stream` (server-sent events).";
                return Outcome::Refused(vec![refusal(message, None)]);
            }
            OperationType::Query | OperationType::Mutation => {}
        }
        if let Some(error) = missing_variable(operation, &request.variables) {
            return Outcome::Refused(vec![error]);
        }
    }
    let is_selected = operation.is_some();
    // Where an error is about a value, it points to it: only then is the document needed again.
    let query = request.query.clone();
    request.set_parsed_query(document);
    let mut response = schema.execute(request).await;
    if response.errors.is_empty() {
        return Outcome::Executed(Box::new(response));
    }
    // Errors of execution have a path; what the validation says has none.
    if response.data == ConstValue::Null && response.errors.iter().all(|error| error.path.is_empty()) {
        return Outcome::Refused(not_executed(response.errors, is_selected));
    }
    name_arguments(&query, &mut response.errors);
    Outcome::Executed(Box::new(response))
}

/// Reads a query's text.
pub(super) fn parse(query: &str) -> Result<ExecutableDocument, ServerError> {
    parse_query(query).map_err(|error| parse_error(error.into()))
}

/// The operation that is to run; `None`: the request does not say which, or one that is not there.
pub(super) fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(named), None) => {
            let mut operations = named.values();
            operations.next().filter(|_| operations.next().is_none()).map(|operation| &operation.node)
        }
    }
}

/// About a variable that must be given and is not. async-graphql itself takes it for null or false.
pub(super) fn missing_variable(operation: &OperationDefinition, given: &Variables) -> Option<ServerError> {
    let is_missing = |definition: &&VariableDefinition| {
        let missing = match given.get(&definition.name.node) {
            Some(value) => *value == ConstValue::Null,
            None => definition.default_value.is_none(),
        };
        missing && !definition.var_type.node.nullable
    };
    let missing = operation.variable_definitions.iter().map(|definition| &definition.node).find(is_missing)?;
    let (name, of) = (&missing.name.node, &missing.var_type.node);
    let message = format!("`${name}` has no value: expected one of type `{of}` in `variables`.");
    Some(refusal(message, Some(missing.name.pos)))
}

/// What keeps a request from being executed, with codes. `is_selected`: the request says which operation is to run.
pub(super) fn not_executed(errors: Vec<ServerError>, is_selected: bool) -> Vec<ServerError> {
    let told = |error: ServerError| match error.locations.as_slice() {
        [] if !is_selected => coded(error, code::BAD_USER_INPUT),
        _ => validation_error(error),
    };
    errors.into_iter().map(told).collect()
}

/// The gateway gave up on a request: its resolvers did not keep to their deadline.
pub(super) fn too_late() -> ServerError {
    let mut error = coded(ServerError::new("The request took too long.", None), code::DEADLINE_EXCEEDED);
    set_retryable(&mut error);
    error
}

/// Says that the same request may succeed later.
pub(super) fn set_retryable(error: &mut ServerError) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("retryable", true);
}

/// Once resolvers ran, what is left without a code is a value that did not fit its argument: says which.
pub(super) fn name_arguments(query: &str, errors: &mut [ServerError]) {
    let mut arguments = None;
    for error in errors.iter_mut().filter(|error| !has_code(error)) {
        // Read once, however many errors there are: a query can be made to have thousands.
        let arguments = arguments.get_or_insert_with(|| places_of_arguments(query));
        if let Some(argument) = error.locations.iter().find_map(|at| arguments.get(&place(*at))) {
            let reason = shortened(&error.message);
            error.message = format!("`{argument}` was given a value that it can't take. {reason}");
        }
        set_code(error, code::BAD_USER_INPUT);
    }
}

/// The names of a query's arguments by where their values stand. Parses again: such errors are rare.
fn places_of_arguments(query: &str) -> HashMap<(usize, usize), Name> {
    let mut arguments = HashMap::new();
    let Ok(document) = parse_query(query) else { return arguments };
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let mut sets: Vec<&SelectionSet> = operations.chain(fragments).collect();
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let named = field.node.arguments.iter();
                    arguments.extend(named.map(|(name, value)| (place(value.pos), name.node.clone())));
                    sets.push(&field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => {}
            }
        }
    }
    arguments
}

fn place(position: Pos) -> (usize, usize) {
    (position.line, position.column)
}

/// async-graphql quotes the value, which may be of any length.
fn shortened(reason: &str) -> String {
    if reason.chars().count() > MAX_REASON {
        reason.chars().take(MAX_REASON).chain(['…']).collect()
    } else {
        reason.to_owned()
    }
}

fn refusal(message: impl Into<String>, at: Option<Pos>) -> ServerError {
    coded(ServerError::new(message, at), code::BAD_USER_INPUT)
}

pub(super) fn parse_error(mut error: ServerError) -> ServerError {
    // The parser draws the query's line over several lines; its last one says what was expected.
    if error.message.starts_with(" -->") {
        let reason = error.message.lines().last().unwrap_or_default().trim_start_matches([' ', '=']);
        error.message = format!("Syntax error: {reason}");
    }
    let code = limit_code(&error).unwrap_or(code::GRAPHQL_PARSE_FAILED);
    coded(error, code)
}

fn validation_error(error: ServerError) -> ServerError {
    // A value that its argument can't take is the same mistake whether the validation notices it or the execution.
    let is_about_a_value = error.message.starts_with("Invalid value for argument");
    let code = if is_about_a_value { code::BAD_USER_INPUT } else { code::GRAPHQL_VALIDATION_FAILED };
    let code = limit_code(&error).unwrap_or(code);
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
