//! How long, how often and how much at once an upstream is asked.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};
use tokio::net::{TcpSocket, TcpStream};

use super::{ask, code, fail, uncached};
use crate::{
    answers::metric,
    util::{Answer, TestApp},
};

/// Far more than a test may take.
const FOR_EVER: &str = "600000";
/// Less than what the system itself gives a connection.
const BOUND: Duration = Duration::from_secs(15);

async fn in_time(app: &TestApp) -> Answer {
    tokio::time::timeout(BOUND, ask(app, 3)).await.expect("it waits for ever")
}

#[tokio::test]
async fn an_answer_that_stops_amid_its_body_is_given_up() {
    let app = uncached().set("BRAINSTEM_TIMEOUT_MS", FOR_EVER).set("LIMITS_DEADLINE_MS", FOR_EVER);
    let app = app.set("LIMITS_UPSTREAM_IDLE_MS", "50").build().await;
    fail(app.brainstem(), Fault::new(FaultKind::SlowBytes(4 * BOUND)));
    assert_eq!(code(&in_time(&app).await).unwrap(), "UPSTREAM_TIMEOUT");
    // Before it begins an answer takes its time.
    fail(app.brainstem(), Fault::new(FaultKind::Delay(Duration::from_millis(200))));
    ask(&app, 3).await.data();
}

#[tokio::test]
async fn a_connection_that_is_not_made_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts: once the queue is full, no more connections are made.
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
    }
    let app = uncached().set("BRAINSTEM_URL", format!("http://{address}"));
    let app = app.set("BRAINSTEM_TIMEOUT_MS", FOR_EVER).set("LIMITS_DEADLINE_MS", FOR_EVER);
    let app = app.set("LIMITS_UPSTREAM_CONNECT_MS", "50").build().await;
    assert_eq!(code(&in_time(&app).await).unwrap(), "UPSTREAM_TIMEOUT");
}

#[tokio::test]
async fn a_request_to_an_upstream_ends_with_the_request_that_needs_it() {
    let app = uncached().set("BRAINSTEM_TIMEOUT_MS", FOR_EVER).set("LIMITS_DEADLINE_MS", "100").build().await;
    fail(app.brainstem(), Fault::new(FaultKind::Hang));
    assert_eq!(code(&in_time(&app).await).unwrap(), "DEADLINE_EXCEEDED");
    let abandoned = "subject_gateway_upstream_requests_total{source=\"BRAINSTEM\",outcome=\"abandoned\"}";
    assert_eq!(metric(&app, abandoned).await, 1);
    // Nor does a pause before a retry go on.
    fail(app.brainstem(), Fault::new(super::status(503, Some("1"))));
    app.clear_logs();
    assert_eq!(code(&in_time(&app).await).unwrap(), "DEADLINE_EXCEEDED");
    assert_eq!(app.brainstem().take_log().len(), 1);
}

#[tokio::test]
async fn requests_are_spaced_where_an_upstream_allows_so_many_a_second() {
    let app = uncached().set("LIMITS_UPSTREAM_RATE", "20").build().await;
    join_all((1..=6).map(|first| ask(&app, first))).await.iter().for_each(|answer| _ = answer.data());
    let at: Vec<_> = app.brainstem().take_log().iter().map(|request| request.at).collect();
    assert_eq!(at.len(), 6);
    // Five pauses of 50 ms; less where the first one took its time to arrive.
    let took = at.iter().max().unwrap().duration_since(*at.iter().min().unwrap());
    assert!(took >= Duration::from_millis(150), "{took:?}");
}

/// Lists of these sizes, each a read of its own.
fn lists(sizes: impl IntoIterator<Item = usize>) -> String {
    let list = |first| format!("a{first}: projects(first: {first}) {{ nodes {{ name }} }} ");
    format!("{{ {} }}", sizes.into_iter().map(list).collect::<String>())
}

#[tokio::test]
async fn an_operation_makes_no_more_requests_than_allowed() {
    let app = TestApp::builder().without_haut_ai().set("LIMITS_UPSTREAM_REQUESTS", "4").build().await;
    let answer = app.query(&lists(1..=10)).await;
    let refused = answer.codes();
    assert!(refused.len() == 6 && refused.iter().all(|(code, _)| code == "QUERY_TOO_COMPLEX"), "{refused:?}");
    assert_eq!(answer.errors()[0]["extensions"]["retryable"], false);
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("more than 4 requests"), "{message}");
    let there = answer.0["data"].as_object().unwrap().values().filter(|list| list.is_object()).count();
    assert_eq!((there, app.brainstem().take_log().len()), (4, 4));
    // What is kept costs nothing, and each operation counts for itself.
    app.query(&lists(1..=8)).await.data();
    assert_eq!(app.brainstem().take_log().len(), 4);
}

#[tokio::test]
async fn who_joins_a_request_does_not_count_it() {
    let app = uncached().set("LIMITS_UPSTREAM_REQUESTS", "4").build().await;
    app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(50));
    let (one, other) = (lists(1..=4), lists(1..=8));
    let (one, other) = tokio::join!(app.query(&one), app.query(&other));
    one.data();
    other.data();
    assert_eq!(app.brainstem().take_log().len(), 8);
}

#[tokio::test]
async fn all_that_a_sorted_list_reads_counts() {
    let query = "{ list: subjects(first: 2, orderBy: {field: NAME}) { nodes { name projects { name } } } }";
    for (limit, expected) in [("2", Some("QUERY_TOO_COMPLEX")), ("100", None)] {
        let app = TestApp::builder().without_haut_ai().set("BRAINSTEM_SIDELOAD", "false");
        let app = app.set("LIMITS_UPSTREAM_REQUESTS", limit).build().await;
        let answer = app.query(query).await;
        // The list itself is bounded by LIMITS_MAX_GATHER, and others may wait for it.
        assert_eq!(answer.0["data"]["list"]["nodes"].as_array().unwrap().len(), 2);
        let codes = answer.codes();
        assert_eq!(codes.first().map(|(code, _)| code.as_str()), expected, "{codes:?}");
        assert!(codes.iter().all(|(_, path)| path[3] == json!("projects") && *path != Value::Null));
    }
}
