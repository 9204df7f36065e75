//! graphql-transport-ws: what the protocol says, and what it says about those who break it.

use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    BRIEF, animal, brief, change, code,
    socket::{Gateway, PROTOCOL, Socket, soon},
};
use crate::{util::TestApp, writes::animal_id};

const TYPENAME: &str = "{ __typename }";

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let gateway = Gateway::new().await;
    let text = |value: Value| Message::text(value.to_string());
    let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": BRIEF}});
    let table = [
        (Message::text("{"), 4400),
        (text(json!({"type": "start", "id": "1", "payload": {"query": TYPENAME}})), 4400),
        (text(json!({"type": "subscribe", "payload": {"query": TYPENAME}})), 4400),
        (text(json!({"type": "subscribe", "id": "", "payload": {"query": TYPENAME}})), 4400),
        (text(json!({"type": "subscribe", "id": "2", "payload": TYPENAME})), 4400),
        (Message::binary(json!({"type": "ping"}).to_string().into_bytes()), 4400),
        (text(json!({"type": "connection_init"})), 4429),
        (text(subscribe.clone()), 4409),
    ];
    for (message, expected) in table {
        let mut socket = gateway.subscribed(BRIEF, json!({})).await;
        socket.send_raw(message.clone()).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, expected, "{message:?}");
        assert!(!reason.is_empty());
    }
    let mut socket = gateway.open(&[PROTOCOL]).await;
    socket.send(subscribe).await;
    assert_eq!(socket.closed().await.0, 4401);
    // What came behind the culprit does not hide the reason.
    let mut socket = gateway.socket().await;
    socket.send_raw(Message::text("{")).await;
    for _ in 0..100 {
        socket.send(json!({"type": "ping"})).await;
    }
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn an_id_is_free_again_once_its_operation_has_ended() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.socket().await;
    for _ in 0..3 {
        socket.subscribe("1", TYPENAME, json!({})).await;
        let expected = json!({"type": "next", "id": "1", "payload": {"data": {"__typename": "Query"}}});
        assert_eq!(socket.next().await, expected);
        assert_eq!(socket.next().await, json!({"type": "complete", "id": "1"}));
        socket.subscribe("1", "{ nothingOfThatName }", json!({})).await;
        let refused = socket.next().await;
        assert_eq!((&refused["type"], code(&refused["payload"])), (&json!("error"), "GRAPHQL_VALIDATION_FAILED"));
        // By the client, and used again at once: neither the old one's events nor its end come.
        for _ in 0..3 {
            socket.subscribe("1", BRIEF, json!({})).await;
            socket.send(json!({"type": "complete", "id": "1"})).await;
        }
    }
    socket.subscribe("1", BRIEF, json!({})).await;
    socket.settle().await;
    let id = animal(&gateway.app, 0);
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&socket.event().await), &brief("UPDATED", &id));
    socket.send(json!({"type": "complete", "id": "1"})).await;
    socket.send(json!({"type": "complete", "id": "never used"})).await;
    socket.settle().await;
    gateway.purge(json!({"ids": [&id]})).await;
    socket.subscribe("1", TYPENAME, json!({})).await;
    assert_eq!(socket.event().await, json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn what_is_refused_is_an_error_and_nothing_follows() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.socket().await;
    let two = "query A { __typename } query B { __typename }";
    let table = [
        (json!({"query": "{"}), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": "{ nothingOfThatName }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { nothingOfThatName }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { subjectChanged { nothingOfThatName } }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": two}), "BAD_USER_INPUT"),
        (json!({"query": two, "operationName": "C"}), "BAD_USER_INPUT"),
        (json!({"query": two, "operationName": 5}), "BAD_USER_INPUT"),
        (json!({"query": "subscription($a: [ID!]!) { subjectChanged(ids: $a) { id } }"}), "BAD_USER_INPUT"),
        (json!({"query": TYPENAME, "variables": "text"}), "BAD_USER_INPUT"),
        (json!({"query": TYPENAME, "extensions": []}), "BAD_USER_INPUT"),
        (json!({"query": ["{ __typename }"]}), "BAD_USER_INPUT"),
        (json!({"query": " "}), "BAD_USER_INPUT"),
        (json!({}), "BAD_USER_INPUT"),
        (json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0"}}}), "PERSISTED_QUERY_NOT_FOUND"),
    ];
    for (payload, expected) in table {
        socket.send(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        let refused = socket.next().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("1")), "{payload} {refused}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], expected, "{payload} {refused}");
        assert!(!refused["payload"][0]["message"].as_str().unwrap().is_empty());
        socket.settle().await;
    }
}

#[tokio::test]
async fn queries_and_mutations_run_here_too() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.subscribed(BRIEF, json!({})).await;
    let id = animal(&gateway.app, 0);
    let query = "query Read($id: ID!) { node(id: $id) { id } }";
    socket.subscribe("2", query, json!({"id": id})).await;
    let expected = json!({"type": "next", "id": "2", "payload": {"data": {"node": {"id": id}}}});
    assert_eq!(socket.next().await, expected);
    assert_eq!(socket.next().await, json!({"type": "complete", "id": "2"}));

    let mutation = "mutation($id: ID!) { subjectDelete(id: $id) { deletedId } }";
    socket.subscribe("3", mutation, json!({"id": id})).await;
    let mut heard: Vec<Value> = vec![socket.next().await, socket.next().await, socket.next().await];
    heard.sort_by_key(|message| message["id"].to_string());
    assert_eq!(change(&heard[0]["payload"]), &brief("DELETED", &id));
    let done: Vec<&Value> = heard[1..].iter().map(|message| &message["type"]).collect();
    assert_eq!(done, ["next", "complete"], "{heard:?}");
    assert_eq!(heard[1]["payload"], json!({"data": {"subjectDelete": {"deletedId": id}}}));
    // A field that fails is an answer.
    let bad = "{ node(id: \"nonsense\") { id } }";
    socket.subscribe("4", bad, json!({})).await;
    let answer = socket.next().await;
    assert_eq!((&answer["type"], code(&answer["payload"]["errors"])), (&json!("next"), "BAD_USER_INPUT"));
    assert_eq!(socket.next().await["type"], "complete");
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_brought() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.open(&[PROTOCOL]).await;
    // Also before the connection is acknowledged.
    for _ in 0..2 {
        socket.send(json!({"type": "ping"})).await;
        assert_eq!(socket.next().await, json!({"type": "pong"}));
        socket.send(json!({"type": "ping", "payload": {"sent": [1, "ä"]}})).await;
        assert_eq!(socket.next().await, json!({"type": "pong", "payload": {"sent": [1, "ä"]}}));
        socket.send(json!({"type": "pong", "payload": {}})).await;
        socket.send_raw(Message::Ping("frame".into())).await;
        if socket.head.is_empty() {
            break;
        }
        socket.init().await;
        socket.head.clear();
    }
}

async fn first_message(socket: &mut Socket) -> Result<Value, u16> {
    socket.send(json!({"type": "connection_init"})).await;
    socket.read().await.map_err(|close| close.expect("a close frame").0)
}

#[tokio::test]
async fn pages_of_other_origins_may_not_connect() {
    let gateway = Gateway::of(TestApp::builder().set("GATEWAY_CORS_ORIGINS", "https://app.example")).await;
    let own = format!("http://{}", gateway.host());
    let port = gateway.host().replace("localhost:", "");
    for (origin, is_welcome) in [
        (own.as_str(), true),
        ("https://app.example", true),
        ("null", false),
        ("", false),
        ("http://localhost", false),
        ("https://app.example.evil.example", false),
        ("http://evil.example", false),
        (&format!("http://evil.example#{}", gateway.host()), false),
        (&format!("http://evil.example:{port}"), false),
        (&format!("file://{}", gateway.host()), false),
    ] {
        let mut socket = gateway.open(&[PROTOCOL, ("origin", origin)]).await;
        let heard = first_message(&mut socket).await;
        assert_eq!(heard.as_ref().err(), (!is_welcome).then_some(&4403), "{origin} {heard:?}");
    }
    assert!(first_message(&mut gateway.open(&[PROTOCOL]).await).await.is_ok());
}

#[tokio::test]
async fn one_protocol_is_spoken() {
    let gateway = Gateway::new().await;
    for (offer, is_spoken) in [
        ("graphql-transport-ws", true),
        ("graphql-ws, graphql-transport-ws", true),
        ("graphql-transport-ws,graphql-ws", true),
        ("graphql-ws", false),
        ("mqtt", false),
        ("graphql-transport-ws2", false),
    ] {
        let mut socket = gateway.open(&[("sec-websocket-protocol", offer)]).await;
        assert_eq!(socket.head.contains("sec-websocket-protocol: graphql-transport-ws\r\n"), is_spoken, "{offer}");
        assert!(!socket.head.contains("sec-websocket-protocol: graphql-ws"), "{offer}");
        assert_eq!(first_message(&mut socket).await.err(), (!is_spoken).then_some(4406), "{offer}");
    }
    assert_eq!(first_message(&mut gateway.open(&[]).await).await.err(), Some(4406));
}

#[tokio::test]
async fn what_is_no_websocket_is_told_so() {
    let gateway = Gateway::new().await;
    let (head, _) = gateway.upgrade(&[PROTOCOL, ("host", "evil.example")]).await;
    assert!(head.starts_with("http/1.1 421"), "{head}");
    let request = crate::http::request(axum::http::Method::GET, "/graphql/ws").body(axum::body::Body::empty());
    let answer = crate::http::send(gateway.app.app.front(), request.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn one_who_does_not_begin_in_time_is_closed() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_INIT_MS", "300")).await;
    let mut begun = gateway.subscribed(BRIEF, json!({})).await;
    let mut late = gateway.open(&[PROTOCOL]).await;
    late.send(json!({"type": "ping"})).await;
    assert_eq!(late.next().await, json!({"type": "pong"}));
    assert_eq!(late.closed().await, (4408, "Connection initialisation timeout".to_owned()));
    // The other's time is long over.
    let id = animal(&gateway.app, 0);
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&begun.event().await), &brief("UPDATED", &id));
}

#[tokio::test]
async fn one_who_answers_no_ping_is_closed_and_one_who_does_is_not() {
    let gateway = Gateway::of(TestApp::builder().set("GATEWAY_PING_MS", "100")).await;
    let id = animal(&gateway.app, 0);
    let mut alive = gateway.subscribed(BRIEF, json!({})).await;
    let reading = tokio::spawn(async move { alive.event().await });
    // Reads, and answers nothing.
    let (_, mut silent) = gateway.upgrade(&[PROTOCOL]).await;
    let mut heard = Vec::new();
    soon(silent.read_to_end(&mut heard)).await.unwrap();
    let close = [&[0x88, 0x15], &4499_u16.to_be_bytes()[..], b"No answer to a ping"].concat();
    assert!(heard.starts_with(&[0x89, 0x00]) && heard.ends_with(&close), "{heard:?}");
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&soon(reading).await.unwrap()), &brief("UPDATED", &id));
}

#[tokio::test]
async fn a_message_that_is_too_long_is_told_so() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_BODY_BYTES", "2000")).await;
    let mut socket = gateway.socket().await;
    let query = format!("{{ __typename }} {}", " ".repeat(1_800));
    socket.subscribe("1", &query, json!({})).await;
    assert_eq!(socket.event().await["data"]["__typename"], "Query");
    assert_eq!(socket.next().await["type"], "complete");
    socket.subscribe("1", &" ".repeat(30_000), json!({})).await;
    assert_eq!(socket.closed().await.0, 1009);
    // Far too long: not even read.
    let mut socket = gateway.socket().await;
    let message = json!({"type": "ping", "payload": {"x": " ".repeat(200_000)}});
    socket.send(message).await;
    assert!(socket.read().await.is_err());
}

#[tokio::test]
async fn a_client_that_says_goodbye_hears_one() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_CONNECTIONS", "1")).await;
    for _ in 0..3 {
        let mut socket = gateway.subscribed(BRIEF, json!({})).await;
        let frame = CloseFrame { code: CloseCode::Normal, reason: "enough".into() };
        socket.send_raw(Message::Close(Some(frame))).await;
        assert_eq!(socket.closed().await, (1000, "enough".to_owned()));
        // The place is free once the connection is gone.
        assert_eq!(socket.read().await, Err(None));
    }
}

#[tokio::test]
async fn the_end_of_the_gateway_is_told_and_waited_for() {
    let gateway = Gateway::new().await;
    let mut sockets = vec![gateway.socket().await, gateway.open(&[PROTOCOL]).await];
    sockets.push(gateway.subscribed(BRIEF, json!({"ids": [animal_id(crate::writes::ANIMAL)]})).await);
    let ended = gateway.shut_down();
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, (1001, "The gateway shuts down".to_owned()));
        assert_eq!(socket.read().await, Err(None));
    }
    assert!(soon(ended).await.unwrap());
}
