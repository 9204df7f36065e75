//! The GraphQL specification of September 2025, as a client can check it: what its sections ask of every server, on the
//! running gateway. graphql-js 16 says the same of the documents in [`validation`].

use serde_json::{Value, json};

use crate::util::{Answer, TestApp};

mod coercion;
mod execution;
mod introspection;
mod language;
mod validation;

const BAD: &str = "BAD_USER_INPUT";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";

/// A gateway whose upstreams are not there: nothing here reaches them.
async fn app() -> TestApp {
    TestApp::builder().empty().build().await
}

/// The codes of a request that was refused before anything ran; none where it ran.
fn refusals(answer: &Answer) -> Vec<String> {
    if answer.0.get("data").is_some() {
        return Vec::new();
    }
    let errors = answer.errors();
    assert!(!errors.is_empty(), "{:#}", answer.0);
    let text = |error: &Value| {
        let message = error["message"].as_str().unwrap();
        assert!(!message.is_empty() && message.len() < 500 && !message.contains('\n'), "{message}");
        assert!(error.get("path").is_none(), "{error}");
        error["extensions"]["code"].as_str().unwrap().to_owned()
    };
    errors.iter().map(text).collect()
}

/// Fails unless the document is valid, or is refused with the code. That variables or an operation's name are missing is
/// no fault of the document.
async fn check(app: &TestApp, query: &str, refused: Option<&str>) {
    let answer = app.query(query).await;
    let shown: String = query.chars().take(300).collect();
    let refusals = refusals(&answer);
    let message = answer.0["errors"][0]["message"].as_str().unwrap_or_default();
    let is_missing = message.contains("in `variables`") || message.contains("`operationName` to say which");
    let code = refusals.first().map(String::as_str).filter(|_| !is_missing);
    assert_eq!(code, refused, "{shown}\n{:#}", answer.0);
}

/// The first message, of a request that was refused with the code.
async fn message(app: &TestApp, query: &str, variables: Value, code: &str) -> String {
    let answer = app.query_with(query, variables).await;
    assert_eq!(refusals(&answer).first().map(String::as_str), Some(code), "{query}\n{:#}", answer.0);
    answer.0["errors"][0]["message"].as_str().unwrap().to_owned()
}

async fn data(app: &TestApp, query: &str, variables: Value) -> Value {
    app.query_with(query, variables).await.data().clone()
}

fn none() -> Value {
    json!({})
}
