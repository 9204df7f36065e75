//! What a request may hold and cost: every bound, over every transport, and documents made to do harm.

use serde_json::{Value, json};

use crate::{
    http::{Answer, send_body},
    util::{Builder, TestApp},
};

mod bombs;
mod bounds;
mod cost;
mod everywhere;

const TOO_DEEP: &str = "QUERY_TOO_DEEP";
const TOO_COMPLEX: &str = "QUERY_TOO_COMPLEX";

/// A gateway over upstreams without records, with these settings.
async fn app(variables: &[(&'static str, &str)]) -> TestApp {
    variables
        .iter()
        .fold(TestApp::builder().empty(), |builder: Builder, (name, value)| builder.set(name, *value))
        .build()
        .await
}

async fn ask(app: &TestApp, query: &str, variables: &Value) -> Answer {
    send_body(&app.app, "*/*", json!({"query": query, "variables": variables}).to_string()).await
}

/// Nothing of it was executed, and no upstream was asked.
fn refused(app: &TestApp, answer: &Answer) -> String {
    let body = answer.json();
    assert!(body.get("data").is_none() && body["errors"][0].get("path").is_none(), "{body}");
    assert_eq!(body["errors"][0]["extensions"]["retryable"], false);
    let asked = [app.haut_ai().take_log(), app.brainstem().take_log()].concat();
    assert!(asked.is_empty(), "{asked:#?}");
    answer.code()
}
