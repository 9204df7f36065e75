//! The end: what was begun is answered, and nobody is told too late.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    events::socket::{Gateway, soon},
    process::Serving,
    util::TestApp,
    writes::{ANIMAL, animal_id},
};

const UPDATE: &str =
    "mutation($id: ID!) { subjectUpdate(id: $id, input: {brainStem: {description: \"x\"}}) { userErrors { code } } }";
const LIST: &str = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

/// A gateway whose next read of BrainSTEM takes a while.
async fn slow() -> Gateway {
    let gateway = Gateway::of(TestApp::builder()).await;
    gateway.app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(100));
    gateway
}

async fn asked(gateway: &Gateway, times: usize) {
    while gateway.app.brainstem().log().len() < times {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn operations_on_a_websocket_finish_before_it_is_closed() {
    // Between the end of an operation and its last message there was room for the end of all.
    for _ in 0..20 {
        let gateway = slow().await;
        let mut socket = gateway.socket().await;
        socket.subscribe("1", LIST, json!({})).await;
        socket.subscribe("2", UPDATE, json!({"id": animal_id(ANIMAL)})).await;
        asked(&gateway, 2).await;
        let address = gateway.host().replace("localhost", "127.0.0.1");
        let (ended, _app) = gateway.shut_down_apart();
        while tokio::net::TcpStream::connect(&address).await.is_ok() {}
        for _ in 0..10 {
            // Whoever is to hear of the end has heard of it.
            tokio::task::yield_now().await;
        }
        socket.subscribe("3", LIST, json!({})).await;
        let mut messages = Vec::new();
        let code = loop {
            match socket.read().await {
                Ok(message) => messages.push((message["type"].clone(), message["id"].clone())),
                Err(close) => break close.expect("a close frame").0,
            }
        };
        for message in ["next", "complete"].iter().flat_map(|ty| [(json!(ty), json!("1")), (json!(ty), json!("2"))]) {
            assert!(messages.contains(&message), "{message:?}: {messages:?}");
        }
        assert!(!messages.contains(&(json!("next"), json!("3"))), "nothing is begun any more: {messages:?}");
        assert_eq!(code, 1001);
        drop(socket);
        assert!(ended.await.unwrap());
    }
}

#[tokio::test]
async fn operations_over_a_stream_of_events_finish() {
    for query in [LIST, "mutation { subjectMetadataClear(id: \"x\") { userErrors { code } } }"] {
        let gateway = slow().await;
        let mut stream = gateway.stream(query, json!({})).await;
        let (ended, _app) = gateway.shut_down_apart();
        assert!(stream.event().await["data"].is_object());
        stream.completes().await;
        drop(stream);
        assert!(ended.await.unwrap());
    }
}

#[tokio::test]
async fn one_whose_request_comes_after_the_end_began_is_answered_on_every_transport() {
    for (path, last) in [("/graphql", "\"Query\"}}"), ("/graphql/stream", "event: complete\ndata:\n\n")] {
        let gateway = slow().await;
        // The connection was made before; what it is for is still on its way.
        let mut connection =
            tokio::net::TcpStream::connect(gateway.host().replace("localhost", "127.0.0.1")).await.unwrap();
        tokio::task::yield_now().await;
        let (ended, _app) = gateway.shut_down_apart();
        tokio::task::yield_now().await;
        let body = r#"{"query":"{ __typename }"}"#;
        let accept = if path.ends_with("stream") { "text/event-stream" } else { "application/json" };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(connection.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(last), "{path}: {answer}");
        assert!(ended.await.unwrap());
    }
}

/// A request on a connection that stays, and whether the connection goes on after its answer; `None`: no connection was made.
fn exchange(connection: &mut Option<TcpStream>, serving: &Serving) -> Option<bool> {
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => TcpStream::connect(serving.address).ok()?,
    };
    let body = r#"{"query":"{ __typename }"}"#;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).expect("a request that was begun is taken");
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    while !answer.ends_with(br#"{"data":{"__typename":"Query"}}"#) {
        let read = stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "the connection ended within an answer: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let goes_on = !answer.contains("connection: close");
    *connection = goes_on.then_some(stream);
    Some(goes_on)
}

#[test]
#[cfg(unix)]
fn sigterm_under_load_loses_no_request() {
    let serving =
        Serving::start_with(&[("GATEWAY_DRAIN_MS", "300"), ("GATEWAY_LOG_LEVEL", "warn,subject_gateway::cli=info")]);
    let (before, closing) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut connection = None;
                while let Some(goes_on) = exchange(&mut connection, &serving) {
                    let counter = if goes_on { &before } else { &closing };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while before.load(Ordering::Relaxed) < 100 {
            std::thread::yield_now();
        }
        serving.terminate();
    });
    // Connections that stay were told to go elsewhere, while new ones were still taken.
    assert!(closing.load(Ordering::Relaxed) > 0);
}

#[test]
#[cfg(unix)]
fn what_is_cut_off_at_the_end_has_its_line_in_the_log() {
    let mut serving = Serving::start_with(&[("GATEWAY_DRAIN_MS", "0"), ("GATEWAY_SHUTDOWN_MS", "1")]);
    let _connection = serving.connection_in_flight();
    serving.terminate();
    serving.logged("connections are cut off: their requests did not finish in time");
    assert_eq!(serving.logged("the caller went away")["route"], "/graphql");
}

#[test]
#[cfg(unix)]
fn not_ready_comes_first_and_requests_are_taken_meanwhile() {
    let mut serving = Serving::start_with(&[("GATEWAY_DRAIN_MS", "60000")]);
    serving.terminate();
    serving.logged("shutting down");
    let ready = serving.exchange("GET /health/ready HTTP/1.1", "");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("shutting down"), "{ready}");
    let answer = serving.exchange("POST /graphql HTTP/1.1", r#"{"query":"{ __typename }"}"#);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
}
