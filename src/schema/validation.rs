//! Checking documents that nobody runs yet: whether they parse, and whether they fit the schema. Knows no transport.

use std::sync::Arc;

use async_graphql::{
    Request, Response,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
    parser::{parse_query, types::DocumentOperations},
};
use futures::FutureExt as _;

use super::{GatewaySchema, Query, builder, execution};

/// Why a text is no GraphQL document; `None`: it is one.
pub fn syntax_error(text: &str) -> Option<String> {
    parse_query(text).err().map(|error| execution::parse_error(error.into()).message)
}

/// Says what the schema thinks of documents. Holds a schema of its own: to be made for a while and dropped.
pub struct Validator(GatewaySchema);

impl Validator {
    #[expect(clippy::new_without_default, reason = "it is dear to make")]
    pub fn new() -> Self {
        Self(builder(Query::default()).extension(Unexecuted).finish())
    }

    /// The first thing that is wrong with a document; `None`: it is sound.
    pub fn first_error(&self, text: &str) -> Option<String> {
        let mut request = Request::new(text);
        // All of a document is checked, but only where one of its operations is asked for.
        if let Ok(DocumentOperations::Multiple(named)) = request.parsed_query().map(|document| &document.operations) {
            request.operation_name = named.keys().next().map(ToString::to_string);
        }
        // Without an execution there is nothing to wait for.
        let response = self.0.execute(request).now_or_never()?;
        Some(response.errors.into_iter().next()?.message)
    }
}

/// Ends a request where its execution would begin. async-graphql offers no other way to its validation.
struct Unexecuted;

impl ExtensionFactory for Unexecuted {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Unexecuted {
    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Validator, syntax_error};

    #[test]
    fn documents_are_checked_and_not_run() {
        let validator = Validator::new();
        let sound = [
            "query Find($id: ID!) { node(id: $id) { id ...Name } } fragment Name on Subject { name }",
            "mutation Delete($id: ID!) { subjectDelete(id: $id) { deletedId } }",
            // Resolvers would panic: there is no context for them.
            "{ subjects { nodes { id } } }",
            "{ __schema { queryType { name } } }",
            "query A { __typename } query B { __typename }",
        ];
        for text in sound {
            assert_eq!(validator.first_error(text), None, "{text}");
        }
        let error = validator.first_error("{ subjects { nodes { shoeSize } } }").unwrap();
        assert!(error.starts_with("Unknown field \"shoeSize\" on type \"Subject\""), "{error}");
        assert!(validator.first_error("{ subject }").is_some());
    }

    #[test]
    fn a_syntax_error_is_one_line() {
        assert_eq!(syntax_error("{ a }"), None);
        let error = syntax_error("{ a(b: }").unwrap();
        assert!(error.starts_with("Syntax error: expected ") && error.lines().count() == 1, "{error}");
    }
}
