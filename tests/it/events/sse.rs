//! graphql-sse, distinct connections: what comes over a stream of events.

use axum::{
    body::Body,
    http::{
        Method, Request,
        header::{ACCEPT, CONTENT_TYPE},
    },
};
use serde_json::{Value, json};

use super::{
    ALL, BRIEF, animal, brief, change, code,
    socket::{Gateway, soon},
};
use crate::{
    http::{self, Answer},
    util::TestApp,
    writes::{ANIMAL, asked},
};

#[tokio::test]
async fn a_subscription_is_a_stream_of_next_events() {
    let gateway = Gateway::new().await;
    let (first, second) = (animal(&gateway.app, 0), animal(&gateway.app, 1));
    let mut stream = gateway.stream(ALL, json!({"ids": [&first, &second]})).await;
    for header in ["cache-control: no-store", "x-accel-buffering: no", "x-content-type-options: nosniff"] {
        assert!(stream.head.contains(header), "{}", stream.head);
    }
    assert!(!stream.head.contains("content-encoding"));
    let mut by_get = gateway.stream_by_get("subscription { subjectChanged { id kind } }").await;
    let multiline = "two\nlines\r\nand \"more\"";
    let source_id = crate::walk::animals(gateway.app.brainstem())[0]["id"].as_str().unwrap().to_owned();
    gateway.app.brainstem().change("subjects", &source_id, |record| record["description"] = json!(multiline));
    for id in [&first, &second, &first] {
        gateway.purge(json!({"ids": [id]})).await;
        let event = stream.event().await;
        assert_eq!((&change(&event)["kind"], &change(&event)["id"]), (&json!("UPDATED"), &json!(id)));
        if id == &first {
            assert_eq!(change(&event)["subject"]["description"], multiline);
        }
        assert_eq!(
            by_get.event().await.to_string(),
            json!({"data": {"subjectChanged": {"id": id, "kind": "UPDATED"}}}).to_string()
        );
    }
}

/// As routers ask that were told of no other address.
#[tokio::test]
async fn the_address_for_json_streams_to_those_who_accept_nothing_else() {
    let gateway = Gateway::new().await;
    let id = animal(&gateway.app, 0);
    let mut streams = gateway.streams_from_graphql(BRIEF).await;
    gateway.purge(json!({"ids": [&id]})).await;
    for stream in &mut streams {
        assert_eq!(change(&stream.event().await), &brief("UPDATED", &id));
    }
}

#[tokio::test]
async fn one_answer_is_followed_by_the_end() {
    let gateway = Gateway::new().await;
    let mut stream = gateway.stream("{ __typename }", json!({})).await;
    assert_eq!(stream.event().await, json!({"data": {"__typename": "Query"}}));
    stream.completes().await;
    let mut stream = gateway.stream_by_get("{ __typename }").await;
    assert_eq!(stream.event().await, json!({"data": {"__typename": "Query"}}));
    stream.completes().await;
    let id = animal(&gateway.app, 0);
    let mutation = "mutation($id: ID!) { subjectDelete(id: $id) { deletedId } }";
    let mut stream = gateway.stream(mutation, json!({"id": id})).await;
    assert_eq!(stream.event().await, json!({"data": {"subjectDelete": {"deletedId": id}}}));
    stream.completes().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_an_event() {
    let gateway = Gateway::new().await;
    let table = [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothingOfThatName }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothingOfThatName }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { subjectChanged(ids: [\"nonsense\"]) { id } }", "BAD_USER_INPUT"),
        ("subscription($a: ID!) { subjectChanged(ids: [$a]) { id } }", "BAD_USER_INPUT"),
        ("", "BAD_USER_INPUT"),
    ];
    for (query, expected) in table {
        for mut stream in [gateway.stream(query, json!({})).await, gateway.stream_by_get(query).await] {
            let event = stream.event().await;
            assert_eq!((code(&event["errors"]), event.get("data")), (expected, None), "{query} {event}");
            stream.completes().await;
        }
    }
    let mutation = format!("mutation {{ subjectDelete(id: \"{}\") {{ deletedId }} }}", animal(&gateway.app, 0));
    gateway.app.clear_logs();
    let mut stream = gateway.stream_by_get(&mutation).await;
    let event = stream.event().await;
    assert_eq!(code(&event["errors"]), "BAD_USER_INPUT");
    assert!(event["errors"][0]["message"].as_str().unwrap().contains("POST"), "{event}");
    stream.completes().await;
    assert_eq!(asked(&gateway.app), 0);
}

async fn post(gateway: &Gateway, accept: &str, content_type: &str, body: String) -> Answer {
    let request = http::request(Method::POST, "/graphql/stream").header(ACCEPT, accept);
    let request = request.header(CONTENT_TYPE, content_type).body(Body::from(body));
    http::send(gateway.app.app.front(), request.unwrap()).await
}

#[tokio::test]
async fn what_is_no_request_for_events_has_a_status_and_an_error() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_BODY_BYTES", "2000")).await;
    let query = json!({"query": "{ __typename }"}).to_string();
    let json = "application/json";
    for (accept, content_type, body, expected) in [
        (json, json, query.clone(), 406),
        ("text/html", json, query.clone(), 406),
        ("text/event-stream;q=0, */*", json, query.clone(), 406),
        ("text/event-stream", "text/plain", query.clone(), 415),
        ("text/event-stream", "application/x-www-form-urlencoded", query.clone(), 415),
        ("text/event-stream", json, format!("{query}{}", " ".repeat(3_000)), 413),
        ("*/*", json, query.clone(), 200),
        ("text/*", json, query.clone(), 200),
        ("application/json, text/event-stream", json, query.clone(), 200),
        ("text/event-stream", json, "not JSON".to_owned(), 200),
        ("text/event-stream", json, "[]".to_owned(), 200),
    ] {
        let answer = post(&gateway, accept, content_type, body).await;
        assert_eq!(answer.status, expected, "{accept} {content_type}");
        if expected == 200 {
            assert_eq!(answer.header(CONTENT_TYPE), "text/event-stream");
        } else {
            assert_eq!(
                (answer.header(CONTENT_TYPE), answer.code().as_str()),
                ("application/json; charset=utf-8", "BAD_USER_INPUT")
            );
        }
    }
    let request = http::request(Method::GET, "/graphql/stream?query={__typename}").header(ACCEPT, json);
    assert_eq!(http::send(gateway.app.app.front(), request.body(Body::empty()).unwrap()).await.status, 406);
    let foreign = Request::post("/graphql/stream").header("host", "evil.example").header(CONTENT_TYPE, json);
    assert_eq!(http::send(gateway.app.app.front(), foreign.body(Body::from(query)).unwrap()).await.status, 421);
}

#[tokio::test]
async fn a_silent_stream_gives_signs_of_life() {
    let gateway = Gateway::of(TestApp::builder().set("GATEWAY_PING_MS", "20")).await;
    let mut stream = gateway.stream(BRIEF, json!({})).await;
    for _ in 0..3 {
        stream.comment().await;
    }
    let id = animal(&gateway.app, 0);
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&stream.event().await), &brief("UPDATED", &id));
    stream.comment().await;
}

#[tokio::test]
async fn the_end_of_the_gateway_ends_streams_but_completes_none() {
    let gateway = Gateway::new().await;
    let mut streams = vec![gateway.stream(BRIEF, json!({})).await, gateway.stream_by_get(BRIEF).await];
    let id = crate::writes::animal_id(ANIMAL);
    gateway.purge(json!({"ids": [&id]})).await;
    let ended = gateway.shut_down();
    for stream in &mut streams {
        // What was told before still comes, or not; a client takes an end without `complete` for a break.
        while let Some(lines) = stream.lines().await {
            assert!(lines.starts_with("event: next"), "{lines}");
        }
    }
    assert!(soon(ended).await.unwrap());
}

#[tokio::test]
async fn a_request_to_graphql_says_where_subscriptions_are() {
    let app = TestApp::new().await;
    let answer = app.query("subscription { subjectChanged { id } }").await;
    let message: &Value = &answer.0["errors"][0]["message"];
    assert!(message.as_str().unwrap().contains("/graphql/ws") && message.as_str().unwrap().contains("/graphql/stream"));
}
