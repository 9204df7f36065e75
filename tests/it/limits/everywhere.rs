//! The same bounds whichever way a request comes.

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{TOO_COMPLEX, TOO_DEEP, refused};
use crate::{
    events::socket::Gateway,
    http::{fetch, graphql_uri, send_body, with_hash},
    util::{Builder, TestApp},
};

/// One that is too deep, one that costs too much, and one that does by its variables.
fn cases() -> [(&'static str, Value, &'static str); 3] {
    [
        ("{ projects { nodes { subjects { totalCount } } } }", json!({}), TOO_DEEP),
        ("{ projects(first: 100) { nodes { id } } }", json!({}), TOO_COMPLEX),
        ("query($n: Int) { projects(first: $n) { nodes { id } } }", json!({"n": 100}), TOO_COMPLEX),
    ]
}

fn strict() -> Builder {
    let app = TestApp::builder().empty().set("LIMITS_DEPTH", "3").set("LIMITS_MAX_COST", "50");
    app.set("LIMITS_BATCH", "5")
}

#[tokio::test]
async fn one_request_a_batch_and_a_hash() {
    let app = strict().build().await;
    for (query, variables, code) in cases() {
        let body = json!({"query": query, "variables": variables});
        let answer = send_body(&app.app, "*/*", body.to_string()).await;
        assert_eq!(refused(&app, &answer), code);
        let answer = fetch(&app.app, &graphql_uri(&[("query", query), ("variables", &variables.to_string())])).await;
        assert_eq!(refused(&app, &answer), code);
        let answer = app.post(&json!([body, {"query": "{ __typename }"}])).await;
        assert_eq!((&answer[0]["errors"][0]["extensions"]["code"], &answer[0]["data"]), (&json!(code), &Value::Null));
        assert_eq!(answer[1]["data"]["__typename"], "Query");
        // Once with the text, and once without.
        let mut with_hash = with_hash(query);
        with_hash["variables"] = variables.clone();
        assert_eq!(refused(&app, &send_body(&app.app, "*/*", with_hash.to_string()).await), code);
        with_hash["query"] = Value::Null;
        assert_eq!(refused(&app, &send_body(&app.app, "*/*", with_hash.to_string()).await), code);
    }
}

/// Who wrote them is trusted; that they fit today's limits is not.
#[tokio::test]
async fn a_trusted_document() {
    let file = NamedTempFile::new().unwrap();
    let manifest: Value = cases().iter().enumerate().map(|(at, (query, ..))| (at.to_string(), json!(query))).collect();
    std::fs::write(file.path(), manifest.to_string()).unwrap();
    let app = strict().set("GATEWAY_TRUSTED_DOCUMENTS_FILE", file.path().to_str().unwrap());
    let app = app.set("GATEWAY_TRUSTED_DOCUMENTS", "only").build().await;
    for (at, (_, variables, code)) in cases().into_iter().enumerate() {
        let body = json!({"documentId": at.to_string(), "variables": variables});
        assert_eq!(refused(&app, &send_body(&app.app, "*/*", body.to_string()).await), code);
    }
}

#[tokio::test]
async fn a_stream_of_events_and_a_websocket() {
    let gateway = Gateway::of(strict()).await;
    let mut socket = gateway.socket().await;
    for (query, variables, code) in cases() {
        let mut stream = gateway.stream(query, variables.clone()).await;
        assert_eq!(stream.event().await["errors"][0]["extensions"]["code"], code);
        socket.subscribe("1", query, variables).await;
        let refused = socket.next().await;
        assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["code"]), (&json!("error"), &json!(code)));
    }
    let subscription = "subscription { subjectChanged { subject { projects { id } } } }";
    for (limit, value, code) in [("LIMITS_DEPTH", "3", TOO_DEEP), ("LIMITS_MAX_COST", "7", TOO_COMPLEX)] {
        let gateway = Gateway::of(TestApp::builder().empty().set(limit, value)).await;
        let mut socket = gateway.socket().await;
        socket.subscribe("1", subscription, json!({})).await;
        assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], code);
    }
}
