//! What the log says of operations, whatever they came by.

use serde_json::{Value, json};
use subject_gateway::sandbox::{self, Options, Records, Sandbox};

use crate::{http::sha256, process::Serving};

const LIST: &str = "query List { subjects(first: 5, filter: {sources: [BRAINSTEM]}) { nodes { name } } }";

/// The first digits of its SHA-256.
fn hash(document: &str) -> String {
    sha256(document)[..16].to_owned()
}

fn post(serving: &Serving, body: &Value) -> String {
    serving.exchange("POST /graphql HTTP/1.1", &body.to_string())
}

/// Of one field each, in this order.
fn fields(line: &Value, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| line[name].clone()).collect()
}

#[test]
fn a_line_says_where_the_answer_came_from_and_what_was_wrong_with_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options { records: Records::Full, ..Options::default() };
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    let mut serving = Serving::start_with(&[
        ("BRAINSTEM_URL", sandbox.brainstem().url()),
        ("BRAINSTEM_PORTAL", "private"),
        ("BRAINSTEM_TOKEN", sandbox::BRAINSTEM_TOKEN),
        ("LIMITS_BATCH", "3"),
    ]);
    let body = json!({"query": LIST, "operationName": "List"});
    let names = ["operation", "document", "codes", "cache", "upstream_requests"];
    for (cache, requests) in [("miss", 1), ("answers", 0)] {
        let answer = post(&serving, &body);
        let line = serving.logged("answered");
        assert_eq!(
            fields(&line, &names),
            [json!("List"), json!(hash(LIST)), Value::Null, json!(cache), json!(requests)],
            "{line}"
        );
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(line["bytes"], json!(body.len()), "{line}");
    }
    let wrong = "{ nothing }";
    post(&serving, &json!({ "query": wrong }));
    let line = serving.logged("answered");
    let expected = [Value::Null, json!(hash(wrong)), json!("GRAPHQL_VALIDATION_FAILED"), Value::Null, Value::Null];
    assert_eq!(fields(&line, &names), expected, "{line}");
    post(&serving, &json!([{ "query": wrong }, { "query": 1 }, { "query": wrong }]));
    let line = serving.logged("answered");
    assert_eq!(line["codes"], "GRAPHQL_VALIDATION_FAILED,BAD_USER_INPUT", "{line}");
    // Not even a request.
    serving.exchange("GET /nothing/here HTTP/1.1", "");
    let line = serving.logged("answered");
    assert_eq!(fields(&line, &["codes", "operation", "cache"]), [json!("BAD_USER_INPUT"), Value::Null, Value::Null]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_on_a_connection_that_stays_has_a_line_of_its_own() {
    let mut serving = Serving::start_with(&[]);
    let names = ["transport", "operation", "document", "answers", "codes", "request_id"];
    let query = "query Sse { __typename }";
    let body = json!({"query": query, "operationName": "Sse"}).to_string();
    serving.exchange("POST /graphql/stream HTTP/1.1\r\naccept: text/event-stream\r\nx-request-id: id-1", &body);
    let line = serving.logged("an operation ended");
    let expected = [json!("sse"), json!("Sse"), json!(hash(query)), json!(1), Value::Null, json!("id-1")];
    assert_eq!(fields(&line, &names), expected, "{line}");

    let query = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";
    serving.websocket_asking("x-request-id: id-2\r\n", query).await;
    let line = serving.logged("an operation ended");
    let codes = json!("UPSTREAM_UNAVAILABLE");
    let expected = [json!("websocket"), Value::Null, json!(hash(query)), json!(1), codes, json!("id-2")];
    assert_eq!(fields(&line, &names), expected, "{line}");
    assert!(line["upstream_requests"].as_u64().unwrap() > 0 && line["cache"] == "miss", "{line}");
    assert_eq!(serving.logged("a WebSocket ended")["request_id"], "id-2");
}
