//! Small requests that would cost much: refused before they do.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::{request, send, send_body};
use crate::util::TestApp;

/// So many texts, one after the other.
fn repeated(times: u32, text: impl Fn(u32) -> String) -> String {
    (0..times).map(text).collect::<Vec<_>>().concat()
}

/// A text within a text within a text, each parsed with a limit of nesting of its own.
fn nested(levels: usize) -> String {
    let level = |inner: &str| format!("{}{inner}{}", "[".repeat(100), "]".repeat(100));
    (0..levels).fold(level(""), |inner, _| level(&json!({"$serde_json::private::RawValue": inner}).to_string()))
}

#[tokio::test]
async fn texts_within_texts_are_not_parsed() {
    let app = TestApp::new().await;
    for nested in [nested(1), nested(1).replace('$', "\\u0024")] {
        let body = format!("{{\"query\": \"{{ __typename }}\", \"extensions\": {{\"x\": {nested}}}}}");
        let answer = send_body(&app.app, "application/json", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
        let extensions: String = byte_serialize(format!("{{\"x\": {nested}}}").as_bytes()).collect();
        let uri = format!("/graphql?query=%7B__typename%7D&extensions={extensions}");
        let answer = send(app.app.front(), request(Method::GET, &uri).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
    }
}

/// Asks; the request must cost the upstreams nothing.
async fn code_of(app: &TestApp, body: Value) -> String {
    let answer = send_body(&app.app, "application/json", body.to_string()).await;
    assert!(app.haut_ai().take_log().is_empty() && app.brainstem().take_log().is_empty());
    assert_eq!(answer.json().get("data"), None);
    answer.code()
}

#[tokio::test]
async fn what_variables_hold_counts_wherever_they_are_used() {
    let app = TestApp::new().await;
    let many = vec![""; 5_000];
    let fields = repeated(100, |at| format!("a{at}: nodes(ids: $ids) {{ id }} "));
    let body = json!({"query": format!("query($ids: [ID!]!) {{ {fields} }}"), "variables": {"ids": many}});
    assert_eq!(code_of(&app, body).await, "QUERY_TOO_COMPLEX");
    // Within other values, too.
    let fields = repeated(100, |at| format!("a{at}: subjects(filter: {{name: {{in: $ids}}}}) {{ totalCount }} "));
    let body = json!({"query": format!("query($ids: [String!]) {{ {fields} }}"), "variables": {"ids": many}});
    assert_eq!(code_of(&app, body).await, "QUERY_TOO_COMPLEX");
}

#[tokio::test]
async fn operations_times_selections_are_bounded() {
    let app = TestApp::builder().set("LIMITS_ALIASES", "1000").build().await;
    let operations = repeated(500, |at| format!("query Q{at} {{ ...F }} "));
    let fields = repeated(500, |at| format!("a{at}: __typename "));
    let query = format!("{operations} fragment F on Query {{ {fields} }}");
    assert_eq!(code_of(&app, json!({"query": query, "operationName": "Q1"})).await, "QUERY_TOO_COMPLEX");
    // As many as people write are fine.
    let operations = repeated(50, |at| format!("query Q{at} {{ ...F }} "));
    let query = format!("{operations} fragment F on Query {{ __typename }}");
    let answer = app.named(&query, &json!("Q49")).await;
    assert_eq!(answer.data()["__typename"], "Query");
}
