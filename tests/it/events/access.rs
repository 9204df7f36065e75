//! Callers with keys and tokens, over WebSockets and streams of events.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{
    code,
    socket::{Gateway, PROTOCOL, Socket},
};
use crate::{
    access::{
        Keys,
        issuer::{Answer, Jwks, Key},
    },
    util::TestApp,
};

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

/// A WebSocket that was acknowledged by what its `connection_init` shows; else how it was closed.
async fn showing(gateway: &Gateway, payload: Value) -> Result<Socket, (u16, String)> {
    let mut socket = gateway.open(&[PROTOCOL]).await;
    socket.send(json!({"type": "connection_init", "payload": payload})).await;
    match socket.read().await {
        Ok(message) => {
            assert_eq!(message, json!({"type": "connection_ack"}));
            Ok(socket)
        }
        Err(close) => Err(close.expect("a close frame")),
    }
}

#[tokio::test]
async fn a_websocket_is_for_bearers_of_good_tokens() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    let gateway = Gateway::of(jwks.builder()).await;
    let (good, expired) = (key.token(json!({})), key.token(json!({"exp": 1_000_000_000})));
    let bearer = format!("Bearer {good}");
    let refused = [
        json!({}),
        json!({"Authorization": good}),
        json!({"Authorization": format!("Bearer {expired}")}),
        json!({"authorization": [bearer]}),
        json!({"X-API-Key": bearer}),
    ];
    for payload in refused {
        assert_eq!(showing(&gateway, payload.clone()).await.err().unwrap().0, 4403, "{payload}");
    }
    let (head, _) = gateway.upgrade(&[PROTOCOL, ("authorization", "Bearer guessed")]).await;
    assert!(head.starts_with("http/1.1 401") && head.contains("www-authenticate: bearer error="), "{head}");

    let by_payload = showing(&gateway, json!({"authorization": bearer})).await.ok().unwrap();
    let mut by_header = gateway.open(&[PROTOCOL, ("authorization", &bearer)]).await;
    by_header.init().await;
    for mut socket in [by_payload, by_header] {
        socket.subscribe("1", "{ sources { source } }", Value::Null).await;
        assert!(socket.event().await["data"]["sources"].is_array());
        assert_eq!(socket.next().await["type"], "complete");
        socket.subscribe("2", "mutation { subjectsDelete(ids: []) { userErrors { message } } }", Value::Null).await;
        assert_eq!(code(&socket.next().await["payload"]["errors"]), "FORBIDDEN");
    }
}

#[tokio::test]
async fn where_the_keys_of_tokens_are_not_there_a_client_is_to_come_back() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    jwks.answer(Answer::Status(500));
    let gateway = Gateway::of(jwks.builder()).await;
    let bearer = format!("Bearer {}", key.token(json!({})));
    assert_eq!(showing(&gateway, json!({"Authorization": bearer})).await.err().unwrap().0, 1013);
    let (head, _) = gateway.upgrade(&[PROTOCOL, ("authorization", &bearer)]).await;
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: "), "{head}");
}

#[tokio::test]
async fn a_connection_ends_with_the_token_that_let_it_in() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    let gateway = Gateway::of(jwks.builder().set("JWT_LEEWAY_SECONDS", "0")).await;
    // A machine that is slow may find a token expired before it has shown it.
    let mut connections = None;
    for lifetime in [2, 4, 8, 16] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let bearer = format!("Bearer {}", key.token(json!({"exp": now + lifetime})));
        let socket = showing(&gateway, json!({"Authorization": bearer})).await;
        let stream = gateway.stream_showing(("authorization", &bearer), CHANGES).await;
        if let (Ok(socket), Some(stream)) = (socket, stream) {
            connections = Some((socket, stream));
            break;
        }
    }
    let (mut socket, mut stream) = connections.unwrap();
    let (close, reason) = socket.closed().await;
    assert!(close == 4403 && reason.contains("no longer"), "{close} {reason}");
    assert_eq!(code(&stream.event().await["errors"]), "UNAUTHENTICATED");
    stream.completes().await;
}

#[tokio::test]
async fn a_connection_ends_with_the_key_that_let_it_in() {
    let keys = Keys::new();
    let gateway = Gateway::of(keys.builder()).await;
    let taken_out = showing(&gateway, json!({"X-API-Key": keys.reader})).await;
    let mut taken_out = taken_out.ok().unwrap();
    let mut stream = gateway.stream_showing(("x-api-key", &keys.reader), CHANGES).await.unwrap();
    let mut stays = showing(&gateway, json!({"X-API-Key": keys.writer})).await.ok().unwrap();
    keys.take_out_the_reader();
    let ends = async {
        assert_eq!(taken_out.closed().await.0, 4403);
        assert_eq!(code(&stream.event().await["errors"]), "UNAUTHENTICATED");
        stream.completes().await;
        stays.settle().await;
    };
    tokio::select! {
        () = ends => {}
        () = gateway.app.app.keep_up() => unreachable!("it does not end"),
    }
}

#[tokio::test]
async fn who_has_yet_to_say_who_it_is_keeps_nobody_out() {
    let keys = Keys::new();
    let gateway = Gateway::of(keys.builder().set("LIMITS_CONNECTIONS", "1").set("LIMITS_INIT_MS", "60000")).await;
    let mut stranger = gateway.open(&[PROTOCOL]).await;
    assert!(gateway.upgrade(&[PROTOCOL]).await.0.starts_with("http/1.1 503"));
    let mut known = gateway.open(&[PROTOCOL, ("x-api-key", &keys.reader)]).await;
    known.init().await;
    stranger.send(json!({"type": "connection_init", "payload": {"X-API-Key": keys.reader}})).await;
    assert_eq!(stranger.closed().await.0, 1013);
    drop((known, stranger));
}

#[tokio::test]
async fn handshakes_without_a_key_count_for_the_rate_of_their_address() {
    let keys = Keys::new();
    let gateway = Gateway::of(keys.builder().set("LIMITS_RATE", "1").set("LIMITS_BURST", "2")).await;
    let strangers = [gateway.upgrade(&[PROTOCOL]).await, gateway.upgrade(&[PROTOCOL]).await];
    assert!(strangers.iter().all(|(head, _)| head.starts_with("http/1.1 101")));
    assert!(gateway.upgrade(&[PROTOCOL]).await.0.starts_with("http/1.1 429"));
    assert!(gateway.upgrade(&[PROTOCOL, ("x-api-key", &keys.reader)]).await.0.starts_with("http/1.1 101"));
}
