//! What is let in: operations at the same time, how often one caller may ask, connections, slow clients.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Method, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::http::server::{self, Terms};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    access::Keys,
    events::socket::{Gateway, soon},
    http::{self, Answer, request},
    util::TestApp,
};

const LIST: &str = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";
const OTHER: &str = "{ projects(first: 1) { nodes { id } } }";

async fn ask(app: &TestApp, key: Option<&str>, body: Value) -> Answer {
    let request = request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json");
    let request = key.into_iter().fold(request, |request, key| request.header("x-api-key", key));
    http::send(app.app.front(), request.body(Body::from(body.to_string())).unwrap()).await
}

async fn fetch(app: &TestApp, path: &str) -> Answer {
    http::send(app.app.front(), request(Method::GET, path).body(Body::empty()).unwrap()).await
}

/// Has the gateway ask BrainSTEM, and gives the question while it waits for the answer.
async fn waiting<F: Future + Unpin>(app: &TestApp, mut question: F) -> F {
    while app.brainstem().log().is_empty() {
        assert!(futures::poll!(&mut question).is_pending());
        tokio::task::yield_now().await;
    }
    question
}

#[tokio::test]
async fn an_operation_too_many_is_refused_and_what_needs_no_work_is_not() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_OPERATIONS", "1").set("LIMITS_BATCH", "2")).await;
    let app = &gateway.app;
    assert_eq!(ask(app, None, json!({"query": OTHER})).await.status, StatusCode::OK);
    app.clear_logs();
    app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(300));
    let first = waiting(app, Box::pin(ask(app, None, json!({"query": LIST})))).await;
    let asked = app.brainstem().log().len();

    let refused = ask(app, None, json!({"query": "{ datasets { id } }"})).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED"));
    assert_eq!(refused.header("retry-after"), "1");
    let extensions = &refused.json()["errors"][0]["extensions"];
    assert_eq!((&extensions["retryable"], &extensions["retryAfter"]), (&json!(true), &json!(1)));
    let batch = ask(app, None, json!([{"query": "{ datasets { id } }"}])).await;
    assert_eq!(batch.json()[0]["errors"][0]["extensions"]["code"], "OVERLOADED");
    let mut socket = gateway.socket().await;
    socket.subscribe("1", "{ datasets { id } }", json!({})).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "OVERLOADED");
    let mut stream = gateway.stream("{ datasets { id } }", json!({})).await;
    assert_eq!(stream.event().await["errors"][0]["extensions"]["code"], "OVERLOADED");
    assert_eq!(fetch(app, "/health/ready").await.json(), json!({"status": "overloaded"}));
    assert_eq!((app.brainstem().log().len(), app.haut_ai().log().len()), (asked, 0));

    // What is at hand is served, and whoever asks the same waits along.
    assert_eq!(ask(app, None, json!({"query": OTHER})).await.status, StatusCode::OK);
    let (first, same) = futures::join!(first, ask(app, None, json!({"query": LIST})));
    assert_eq!((first.status, same.json()), (StatusCode::OK, first.json()));
    assert_eq!(fetch(app, "/health/ready").await.status, StatusCode::OK);
    assert_eq!(ask(app, None, json!({"query": "{ datasets { id } }"})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_caller_may_ask_so_often() {
    let keys = Keys::new();
    let builder = keys.builder().set("LIMITS_RATE", "1").set("LIMITS_BURST", "5").set("LIMITS_BATCH", "100");
    let gateway = Gateway::of(builder).await;
    let app = &gateway.app;
    let body = || json!({"query": "{ __typename }"});
    for _ in 0..5 {
        assert_eq!(ask(app, Some(&keys.reader), body()).await.status, StatusCode::OK);
    }
    let refused = ask(app, Some(&keys.reader), body()).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.message().contains("at most 1 a second"), "{}", refused.message());
    // Another one is not concerned, and each member of a batch counts.
    let batch = |members: usize| Value::from(vec![body(); members]);
    assert_eq!(ask(app, Some(&keys.writer), batch(5)).await.status, StatusCode::OK);
    assert_eq!(ask(app, Some(&keys.writer), body()).await.status, StatusCode::TOO_MANY_REQUESTS);
    let refused = ask(app, Some(&keys.admin), batch(7)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.message().contains("fewer in one body"), "{}", refused.message());
    // Whoever is not let in counts by address; probes do not.
    for _ in 0..5 {
        assert_eq!(ask(app, Some("wrong"), body()).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(fetch(app, "/health/live").await.status, StatusCode::OK);
    }
    let refused = ask(app, Some("wrong"), body()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("www-authenticate"), "");
    assert_eq!(fetch(app, "/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn operations_on_a_websocket_count_one_each() {
    let gateway = Gateway::of(TestApp::builder().set("LIMITS_RATE", "1").set("LIMITS_BURST", "3")).await;
    // The handshake is one.
    let mut socket = gateway.socket().await;
    for _ in 0..2 {
        socket.subscribe("1", "{ __typename }", json!({})).await;
        assert_eq!(socket.next().await["type"], "next");
        assert_eq!(socket.next().await["type"], "complete");
    }
    socket.subscribe("1", "{ __typename }", json!({})).await;
    let refused = socket.next().await;
    assert_eq!(
        (&refused["type"], &refused["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("RATE_LIMITED"))
    );
}

/// Serves a router on a port of its own.
async fn listening(terms: Terms) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { "here" }));
    tokio::spawn(server::serve(listener, router, std::future::pending(), terms));
    address
}

async fn answer_on(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"here") {
        answer.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_closed() {
    let address = listening(Terms { sockets: 2, ..Terms::default() }).await;
    let mut places = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    for stream in &mut places {
        assert!(answer_on(stream).await.starts_with("HTTP/1.1 200"));
    }
    let mut refused = String::new();
    soon(TcpStream::connect(address).await.unwrap().read_to_string(&mut refused)).await.unwrap();
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("retry-after: 1"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "OVERLOADED");
    // A place is free as soon as a connection's end is noticed.
    drop(places);
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        let mut answer = String::new();
        let _ = soon(stream.read_to_string(&mut answer)).await;
        if answer.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn whoever_sends_a_head_slowly_is_cut_off() {
    let address = listening(Terms { head: Duration::from_millis(50), ..Terms::default() }).await;
    let all = (0..20).map(|_| async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HT").await.unwrap();
        let mut answer = String::new();
        let _ = soon(stream.read_to_string(&mut answer)).await;
        assert!(!answer.contains("200"), "{answer}");
    });
    join_all(all).await;
}

#[tokio::test]
async fn whoever_sends_a_body_slowly_is_told_so() {
    let app = TestApp::builder().set("LIMITS_BODY_MS", "50").build().await;
    for path in ["/graphql", "/graphql/stream", "/admin/purge"] {
        let never = futures::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>();
        let request = request(Method::POST, path)
            .header(CONTENT_TYPE, "application/json")
            .header("accept", if path.ends_with("stream") { "text/event-stream" } else { "application/json" });
        let answer = soon(http::send(app.app.front(), request.body(Body::from_stream(never)).unwrap())).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::REQUEST_TIMEOUT, "DEADLINE_EXCEEDED"),
            "{path}"
        );
    }
}
