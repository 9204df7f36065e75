//! Codes for what is wrong with a request as a whole, and what a transport may run. Knows no transport by name.
//!
//! async-graphql gives such errors no code, and its answer does not tell whether anything was executed: this extension
//! knows, because its hooks run around each step.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_graphql::{
    ErrorExtensionValues, Response, ServerError, ServerResult, ValidationResult, Variables,
    async_trait::async_trait,
    extensions::{
        Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextRequest, NextValidation,
    },
    parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition, OperationType},
};

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
                Err(coded(ServerError::new("A mutation needs POST.", None), "BAD_USER_INPUT"))
            }
            Some(OperationType::Subscription) => {
                let message = "Subscriptions are not served here: use the WebSocket or SSE address.";
                Err(coded(ServerError::new(message, None), "BAD_USER_INPUT"))
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

/// Adds `extensions.code` to parse, validation and selection errors, and keeps a transport's [`RequestScope`].
pub struct RequestErrors;

impl ExtensionFactory for RequestErrors {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Hooks { executed: AtomicBool::new(false) })
    }
}

/// One for each request.
struct Hooks {
    executed: AtomicBool,
}

#[async_trait]
impl Extension for Hooks {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(ctx).await;
        if !self.executed.load(Ordering::Relaxed) {
            // What is left without a code: an operation name that is missing or unknown.
            let errors = std::mem::take(&mut response.errors);
            response.errors = errors.into_iter().map(|error| coded(error, "BAD_USER_INPUT")).collect();
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
        if let Some(scope) = ctx.data_opt::<RequestScope>() {
            scope.check(&document)?;
        }
        Ok(document)
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
        self.executed.store(true, Ordering::Relaxed);
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
    let code = limit_code(&error).unwrap_or("GRAPHQL_PARSE_FAILED");
    coded(error, code)
}

fn validation_error(error: ServerError) -> ServerError {
    let code = limit_code(&error).unwrap_or("GRAPHQL_VALIDATION_FAILED");
    coded(error, code)
}

/// async-graphql's own limits are told by their words alone.
fn limit_code(error: &ServerError) -> Option<&'static str> {
    let says = |words: &str| error.message.starts_with(words);
    if says("The recursion depth of the query") || says("Query is nested too deep") {
        Some("QUERY_TOO_DEEP")
    } else if says("The number of directives on") || says("The amount of aliases") || says("Query is too complex") {
        Some("QUERY_TOO_COMPLEX")
    } else {
        None
    }
}

/// Sets the code unless there is one.
fn coded(mut error: ServerError, code: &str) -> ServerError {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        extensions.set("code", code);
    }
    error
}
