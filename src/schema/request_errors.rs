//! Codes for what is wrong with a request as a whole or with a value in it, and what a transport may run. Knows no
//! transport by name.
//!
//! async-graphql gives such errors no code, and its answer does not tell whether anything was executed: this extension
//! knows, because its hooks run around each step.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use async_graphql::{
    ErrorExtensionValues, Name, Pos, Response, ServerError, ServerResult, ValidationResult, Value as ConstValue,
    Variables,
    async_trait::async_trait,
    extensions::{
        Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextRequest, NextValidation,
    },
    parser::{
        parse_query,
        types::{
            DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
            VariableDefinition,
        },
    },
};

/// Characters of async-graphql's own words about a value that a client is told.
const MAX_REASON: usize = 200;

use super::code;

/// What a transport allows, and what it learns of the request it handed over. Goes into the request's data; without it
/// anything may run.
#[derive(Clone, Debug, Default)]
pub struct RequestScope {
    /// Whether only queries may run, as over GET.
    pub queries_only: bool,
    /// The request's `operationName`.
    pub operation_name: Option<String>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    executed: AtomicBool,
    refused: AtomicBool,
}

impl RequestScope {
    pub fn new(queries_only: bool, operation_name: Option<String>) -> Self {
        Self { queries_only, operation_name, progress: Arc::default() }
    }

    /// Whether execution began: without it the answer has no `data`, by the GraphQL-over-HTTP specification.
    pub fn was_executed(&self) -> bool {
        self.progress.executed.load(Ordering::Relaxed)
    }

    /// Whether the operation was refused because only queries may run.
    pub fn was_refused(&self) -> bool {
        self.progress.refused.load(Ordering::Relaxed)
    }

    fn check(&self, document: &ExecutableDocument) -> ServerResult<()> {
        match selected(document, self.operation_name.as_deref()).map(|operation| operation.ty) {
            Some(OperationType::Mutation) if self.queries_only => {
                self.progress.refused.store(true, Ordering::Relaxed);
                Err(coded(ServerError::new("A mutation needs POST.", None), code::BAD_USER_INPUT))
            }
            Some(OperationType::Subscription) => {
                let message = "Subscriptions are not served here.";
                Err(coded(ServerError::new(message, None), code::BAD_USER_INPUT))
            }
            _ => Ok(()),
        }
    }
}

/// The operation that would run; `None` when the request does not say which, which is an error of its own later.
fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name).map(|operation| &operation.node),
        (DocumentOperations::Multiple(named), None) => {
            let mut operations = named.values();
            operations.next().filter(|_| operations.next().is_none()).map(|operation| &operation.node)
        }
    }
}

/// A variable that must be given and is not. async-graphql itself takes it for null or false.
fn missing_variable<'a>(operation: &'a OperationDefinition, given: &Variables) -> Option<&'a VariableDefinition> {
    operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
        let missing = match given.get(&definition.name.node) {
            Some(value) => *value == ConstValue::Null,
            None => definition.default_value.is_none(),
        };
        missing && !definition.var_type.node.nullable
    })
}

/// Adds `extensions.code` to parse, validation and selection errors, and keeps a transport's [`RequestScope`].
pub struct RequestErrors;

impl ExtensionFactory for RequestErrors {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Hooks { query: OnceLock::new() })
    }
}

/// One for each request.
struct Hooks {
    /// To find out which argument an error is about.
    query: OnceLock<String>,
}

impl Hooks {
    /// The names of the query's arguments by where their values stand, where an error points to. Parses again: such errors
    /// are rare.
    fn arguments(&self) -> HashMap<(usize, usize), Name> {
        let mut arguments = HashMap::new();
        let Some(document) = self.query.get().and_then(|query| parse_query(query).ok()) else { return arguments };
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

#[async_trait]
impl Extension for Hooks {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(ctx).await;
        // What is left without a code is the caller's: an operation name that is missing or unknown, or, once resolvers ran,
        // a value that did not fit its argument. Resolvers' own errors have one.
        let mut arguments = None;
        for error in response.errors.iter_mut().filter(|error| !has_code(error)) {
            // Read once, however many errors there are: a query can be made to have thousands.
            let arguments = arguments.get_or_insert_with(|| self.arguments());
            if let Some(argument) = error.locations.iter().find_map(|at| arguments.get(&place(*at))) {
                let reason = shortened(&error.message);
                error.message = format!("`{argument}` was given a value that it can't take. {reason}");
            }
            set_code(error, code::BAD_USER_INPUT);
        }
        response
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await.map_err(parse_error)?;
        // Set once: there is one query a request.
        let _ = self.query.set(query.to_owned());
        let scope = ctx.data_opt::<RequestScope>();
        if let Some(scope) = scope {
            scope.check(&document)?;
        }
        let operation_name = scope.and_then(|scope| scope.operation_name.as_deref());
        match selected(&document, operation_name).and_then(|operation| missing_variable(operation, variables)) {
            Some(missing) => {
                let (name, of) = (&missing.name.node, &missing.var_type.node);
                let message = format!("`${name}` has no value: expected one of type `{of}` in `variables`.");
                Err(coded(ServerError::new(message, Some(missing.name.pos)), code::BAD_USER_INPUT))
            }
            None => Ok(document),
        }
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await;
        result.map_err(|errors| errors.into_iter().map(validation_error).collect())
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(scope) = ctx.data_opt::<RequestScope>() {
            scope.progress.executed.store(true, Ordering::Relaxed);
        }
        next.run(ctx, operation_name).await
    }
}

fn parse_error(mut error: ServerError) -> ServerError {
    // The parser draws the query's line over several lines; its last one says what was expected.
    if error.message.starts_with(" -->") {
        let reason = error.message.lines().last().unwrap_or_default().trim_start_matches([' ', '=']);
        error.message = format!("Syntax error: {reason}");
    }
    let code = limit_code(&error).unwrap_or(code::GRAPHQL_PARSE_FAILED);
    coded(error, code)
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
fn coded(mut error: ServerError, code: &str) -> ServerError {
    if !has_code(&error) {
        set_code(&mut error, code);
    }
    error
}
