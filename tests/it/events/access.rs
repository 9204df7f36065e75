//! Callers with keys, over WebSockets and streams of events.

use serde_json::{Value, json};

use super::socket::{Gateway, PROTOCOL};
use crate::{access::Keys, util::TestApp};

const CHANGES: &str = "subscription { subjectChanged { kind } }";

#[tokio::test]
async fn a_websocket_is_for_those_who_show_a_key() {
    let keys = Keys::new();
    let gateway = Gateway::of(keys.builder()).await;
    let refused =
        [json!({}), json!({"X-API-Key": "sgw_guessed"}), json!({"x-api-key": 7}), json!({"key": keys.reader})];
    for payload in refused {
        let mut socket = gateway.open(&[PROTOCOL]).await;
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.closed().await.0, 4403, "{payload}");
    }
    let (head, _) = gateway.upgrade(&[PROTOCOL, ("x-api-key", "sgw_guessed")]).await;
    assert!(head.starts_with("http/1.1 401"), "{head}");

    let mut by_payload = gateway.open(&[PROTOCOL]).await;
    by_payload.send(json!({"type": "connection_init", "payload": {"X-API-Key": keys.reader}})).await;
    let mut by_header = gateway.open(&[PROTOCOL, ("x-api-key", &keys.reader)]).await;
    by_header.send(json!({"type": "connection_init"})).await;
    for socket in [&mut by_payload, &mut by_header] {
        assert_eq!(socket.next().await, json!({"type": "connection_ack"}));
        socket.subscribe("1", "{ sources { source } }", Value::Null).await;
        assert!(socket.next().await["payload"]["data"]["sources"].is_array());
        assert_eq!(socket.next().await["type"], "complete");
    }
    // Its key may not write.
    by_payload.subscribe("2", "mutation { subjectsDelete(ids: []) { userErrors { message } } }", Value::Null).await;
    assert_eq!(by_payload.next().await["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn one_who_may_not_read_hears_of_no_change() {
    let keys = Keys::new();
    let gateway = Gateway::of(keys.builder()).await;
    let mut socket = gateway.open(&[PROTOCOL, ("x-api-key", &keys.writer)]).await;
    socket.init().await;
    socket.subscribe("1", CHANGES, Value::Null).await;
    let answer = socket.next().await;
    let errors = if answer["type"] == "error" { &answer["payload"] } else { &answer["payload"]["errors"] };
    assert_eq!(errors[0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    let open = Gateway::of(TestApp::builder()).await;
    drop(open.subscribed(CHANGES, Value::Null).await);
}
