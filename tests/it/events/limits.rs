//! How many may be there at once, and what becomes of those who can't keep up.

use serde_json::json;
use subject_gateway::events::MAX_BEHIND;

use super::{
    ALL, BRIEF, animal, brief, change, code,
    socket::{Gateway, PROTOCOL, Socket, soon},
};
use crate::{util::TestApp, writes::ANIMAL};

#[tokio::test]
async fn one_operation_too_many_is_refused_and_the_others_go_on() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_SUBSCRIPTIONS", "2")).await;
    let id = animal(&gateway.app, 0);
    let mut socket = gateway.socket().await;
    socket.subscribe("1", BRIEF, json!({})).await;
    socket.subscribe("2", BRIEF, json!({"sources": ["HAUT_AI"]})).await;
    for query in [BRIEF, "{ __typename }"] {
        socket.subscribe("3", query, json!({})).await;
        let refused = socket.next().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("3")));
        assert_eq!(code(&refused["payload"]), "OVERLOADED");
        assert_eq!(refused["payload"][0]["extensions"]["retryable"], true);
    }
    socket.settle().await;
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&socket.event().await), &brief("UPDATED", &id));
    socket.send(json!({"type": "complete", "id": "2"})).await;
    socket.subscribe("3", "{ __typename }", json!({})).await;
    assert_eq!(socket.next().await["type"], "next");
}

#[tokio::test]
async fn one_connection_too_many_is_told_when_to_come_back() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_CONNECTIONS", "2")).await;
    let (socket, stream) = (gateway.socket().await, gateway.stream(BRIEF, json!({})).await);
    let (head, _) = gateway.upgrade(&[PROTOCOL]).await;
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 5"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let body = json!({"query": BRIEF}).to_string();
    let answer = async || {
        let request = crate::http::request(axum::http::Method::POST, "/graphql/stream");
        let request = request.header("content-type", "application/json").body(body.clone().into()).unwrap();
        crate::http::send(gateway.app.app.front(), request).await
    };
    let refused = answer().await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "5"));
    assert_eq!(
        (refused.code().as_str(), &refused.json()["errors"][0]["extensions"]["retryable"]),
        ("OVERLOADED", &json!(true))
    );
    // Ordinary requests are not counted.
    gateway.app.query("{ __typename }").await.data();
    // A place is free as soon as the connection's end is noticed.
    drop((socket, stream));
    for _ in 0..2 {
        while gateway.upgrade(&[PROTOCOL]).await.0.starts_with("http/1.1 503") {
            tokio::task::yield_now().await;
        }
    }
    let gone = gateway.stream_when_free(BRIEF).await;
    drop(gone);
    gateway.stream_when_free(BRIEF).await;
}

/// Makes an animal's events so long that a client that does not read is noticed soon.
fn make_long(app: &TestApp) {
    let long = json!("long ".repeat(50_000));
    app.brainstem().change("subjects", ANIMAL, |record| record["description"] = long);
}

/// Lets so much happen that whoever does not read is too far behind; whoever reads hears of the last of it.
async fn overflow(gateway: &Gateway, reader: &mut Socket, marker: &str) {
    let long = crate::writes::animal_id(ANIMAL);
    for _ in 0..40 {
        gateway.purge(json!({"ids": [&long]})).await;
        // Told to the one who reads before the next one, so that it is not behind itself.
        gateway.purge(json!({"ids": [marker]})).await;
        assert_eq!(change(&reader.event().await)["id"], *marker);
    }
    for round in 0..=MAX_BEHIND {
        gateway.purge(json!({"ids": [&long]})).await;
        if round % 256 == 0 {
            gateway.purge(json!({"ids": [marker]})).await;
            assert_eq!(change(&reader.event().await)["id"], *marker);
        }
    }
    gateway.purge(json!({"ids": [marker]})).await;
    assert_eq!(change(&reader.event().await)["id"], *marker);
}

#[tokio::test]
async fn one_who_does_not_keep_up_is_cut_off_and_the_others_are_not_disturbed() {
    let gateway = Gateway::new().await;
    make_long(&gateway.app);
    let (marker, _) = crate::writes::a_person(&gateway.app);
    let mut slow = gateway.subscribed(ALL, json!({"sources": ["BRAINSTEM"]})).await;
    let mut stream = gateway.stream(ALL, json!({"sources": ["BRAINSTEM"]})).await;
    let mut reader = gateway.subscribed(BRIEF, json!({"ids": [&marker]})).await;
    overflow(&gateway, &mut reader, &marker).await;

    let mut told = 0;
    let error = loop {
        let message = slow.next().await;
        match message["type"].as_str() {
            Some("next") => told += 1,
            _ => break message,
        }
    };
    assert!(told < 40, "{told} events were kept for one who did not read");
    assert_eq!((&error["type"], &error["id"], code(&error["payload"])), (&json!("error"), &json!("1"), "OVERLOADED"));
    assert_eq!(error["payload"][0]["extensions"]["retryable"], true);
    // The connection itself goes on, and the id is free.
    slow.subscribe("1", BRIEF, json!({})).await;
    slow.settle().await;
    gateway.purge(json!({"ids": [&marker]})).await;
    assert_eq!(change(&slow.event().await), &brief("UPDATED", &marker));
    assert_eq!(change(&reader.event().await), &brief("UPDATED", &marker));

    let error = loop {
        let event = stream.event().await;
        if event.get("data").is_none_or(serde_json::Value::is_null) {
            break event;
        }
    };
    assert_eq!(code(&error["errors"]), "OVERLOADED");
    stream.completes().await;
    let counted = "subject_gateway_refused_total{limit=\"events\"}";
    assert_eq!(crate::answers::metric(&gateway.app, counted).await, 2);
}

#[tokio::test]
async fn one_who_does_not_read_does_not_keep_the_gateway_from_ending() {
    let gateway = Gateway::new().await;
    make_long(&gateway.app);
    let (marker, _) = crate::writes::a_person(&gateway.app);
    let mut slow = gateway.subscribed(ALL, json!({"sources": ["BRAINSTEM"]})).await;
    let mut reader = gateway.subscribed(BRIEF, json!({"ids": [&marker]})).await;
    for _ in 0..40 {
        gateway.purge(json!({"ids": [crate::writes::animal_id(ANIMAL)]})).await;
        gateway.purge(json!({"ids": [&marker]})).await;
        reader.event().await;
    }
    let ended = gateway.shut_down();
    assert_eq!(reader.closed().await.0, 1001);
    assert_eq!(reader.read().await, Err(None));
    assert!(!ended.is_finished(), "the other was not told");
    // It reads at last, and still hears why.
    let close = loop {
        if let Err(close) = slow.read().await {
            break close;
        }
    };
    assert_eq!(close.unwrap().0, 1001);
    assert!(soon(ended).await.unwrap());
}
