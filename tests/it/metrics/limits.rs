//! Each bound that is passed is counted under its name.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Method, StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{CHANGES, LIST, count, post};
use crate::{
    events::socket::{Gateway, PROTOCOL},
    http::{fetch, request, send},
    util::TestApp,
};

/// Expects that one more was refused for this.
async fn refused(app: &TestApp, limit: &str) {
    assert_eq!(count(&app.app, &format!("refused_total{{limit=\"{limit}\"}}")).await, 1, "{limit}");
}

async fn ask(app: &TestApp, query: &str) -> Value {
    post(&app.app, &json!({"query": query})).await.json()
}

#[tokio::test]
async fn of_requests() {
    let app = TestApp::builder().set("LIMITS_BATCH", "2").set("LIMITS_BODY_BYTES", "1024").build().await;
    let app = &app;
    post(&app.app, &json!([1, 2, 3])).await;
    refused(app, "batch").await;
    assert_eq!(post(&app.app, &json!({"query": "x".repeat(2_000)})).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    refused(app, "body_bytes").await;

    let app = TestApp::builder().set("LIMITS_BODY_MS", "1").build().await;
    let never = Body::from_stream(futures::stream::pending::<std::io::Result<String>>());
    let slow = request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json").body(never).unwrap();
    assert_eq!(send(app.app.front(), slow).await.status, StatusCode::REQUEST_TIMEOUT);
    refused(&app, "body_time").await;

    let app = TestApp::builder().set("LIMITS_RATE", "1").set("LIMITS_BURST", "2").build().await;
    // The scrape is the third.
    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(post(&app.app, &json!({"query": "{ __typename }"})).await.status, expected);
    }
    let metrics = loop {
        let metrics = fetch(&app.app, "/metrics").await;
        if metrics.status == StatusCode::OK {
            break metrics;
        }
        tokio::task::yield_now().await;
    };
    assert!(super::value(metrics.text(), "subject_gateway_refused_total{limit=\"rate\"}") >= 1);
}

#[tokio::test]
async fn of_what_is_executed() {
    let app =
        TestApp::builder().set("LIMITS_MAX_ENTITIES", "1").set("LIMITS_MAX_GATHER", "1").set("LIMITS_COST", "off");
    let app = app.set("LIMITS_UPSTREAM_REQUESTS", "1").set("BRAINSTEM_SIDELOAD", "false").build().await;
    ask(&app, &format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"x\" ".repeat(101))).await;
    refused(&app, "nodes").await;
    let reference = "{__typename: \"Subject\", id: \"x\"} ";
    ask(&app, &format!("{{ _entities(representations: [{}]) {{ __typename }} }}", reference.repeat(2))).await;
    refused(&app, "entities").await;
    let sorted = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}, orderBy: {field: NAME}) { nodes { id } } }";
    assert_eq!(ask(&app, sorted).await["errors"][0]["extensions"]["code"], "RESULT_TOO_LARGE");
    refused(&app, "gather").await;
    assert_eq!(ask(&app, LIST).await["errors"][0]["extensions"]["code"], "QUERY_TOO_COMPLEX");
    refused(&app, "upstream_requests").await;
}

#[tokio::test]
async fn of_what_goes_on_at_the_same_time() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_OPERATIONS", "1")).await;
    let app = &gateway.app;
    app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(300));
    let mut first = Box::pin(ask(app, LIST));
    while app.brainstem().log().is_empty() {
        assert!(futures::poll!(&mut first).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(count(&app.app, "operations_in_flight").await, 1);
    assert_eq!(ask(app, "{ datasets { id } }").await["errors"][0]["extensions"]["code"], "OVERLOADED");
    refused(app, "overload").await;
    let mut stream = gateway.stream("{ datasets { id } }", json!({})).await;
    stream.event().await;
    assert_eq!(count(&app.app, "refused_total{limit=\"overload\"}").await, 2);
    first.await;

    let gateway = Gateway::of(TestApp::builder().set("LIMITS_CONNECTIONS", "1").set("LIMITS_SUBSCRIPTIONS", "1")).await;
    let mut socket = gateway.socket().await;
    assert!(gateway.upgrade(&[PROTOCOL]).await.0.starts_with("http/1.1 503"));
    refused(&gateway.app, "connections").await;
    socket.subscribe("1", CHANGES, json!({})).await;
    socket.subscribe("2", CHANGES, json!({})).await;
    assert_eq!(socket.next().await["type"], "error");
    refused(&gateway.app, "subscriptions").await;
}

#[tokio::test]
async fn of_sockets() {
    use subject_gateway::http::server::{Terms, serve};
    let app = TestApp::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let terms = Terms { sockets: 1, ..Terms::default() };
    tokio::spawn(serve(listener, app.app.front(), std::future::pending(), terms));
    let mut first = tokio::net::TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    first.read_u8().await.unwrap();
    assert_eq!(count(&app.app, "http_connections_open").await, 1);
    let mut answer = String::new();
    let mut second = tokio::net::TcpStream::connect(address).await.unwrap();
    second.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    refused(&app, "sockets").await;
    assert_eq!(count(&app.app, "http_connections_total").await, 1);
}

#[tokio::test]
async fn of_who_is_let_in() {
    let keys = crate::access::Keys::new();
    let app = keys.builder().build().await;
    let wrong = request(Method::POST, "/graphql").header("x-api-key", "wrong").body(Body::empty()).unwrap();
    assert_eq!(send(app.app.front(), wrong).await.status, StatusCode::UNAUTHORIZED);
    let metrics =
        request(Method::GET, "/metrics").header("x-api-key", keys.admin.as_str()).body(Body::empty()).unwrap();
    let metrics = send(app.app.front(), metrics).await;
    assert_eq!(super::value(metrics.text(), "subject_gateway_http_denied_total"), 1);
}
