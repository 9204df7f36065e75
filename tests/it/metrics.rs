//! What is counted, of what, and that nothing that callers send makes it more.

mod apart;
mod dashboard;
mod limits;

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, StatusCode, header::CONTENT_TYPE},
};
use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::app::App;

use crate::{
    events::socket::Gateway,
    http::{self, Answer, request, send},
    util::TestApp,
};

const LIST: &str = "{ subjects(first: 3, filter: {sources: [BRAINSTEM]}) { nodes { id projects { id } } } }";
const CHANGES: &str = "subscription Changes { subjectChanged { id } }";

/// All that is told.
async fn told(app: &App) -> String {
    let metrics = http::fetch(app, "/metrics").await;
    assert_eq!(metrics.status, StatusCode::OK);
    metrics.text().to_owned()
}

/// The value of a line without its fraction; 0 where there is none.
pub(crate) fn value(text: &str, series: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.map_or(0, |value| value.split('.').next().unwrap().parse().unwrap())
}

/// The value of a series of ours.
async fn count(app: &App, series: &str) -> u64 {
    value(&told(app).await, &format!("subject_gateway_{series}"))
}

/// What is told of, without its values.
fn series(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

async fn post(app: &App, body: &Value) -> Answer {
    http::ask(app, "*/*", body).await
}

fn named(name: &str) -> Value {
    json!({"query": format!("query {name} {{ __typename }}"), "operationName": name})
}

#[tokio::test]
async fn operations_are_counted_by_their_names_and_how_they_ended() {
    let app = TestApp::builder().set("METRICS_OPERATIONS", "Known, List").set("LIMITS_BATCH", "5").build().await;
    let list = json!({"query": format!("query List {LIST}")});
    for body in [&named("Known"), &named("Known"), &list, &list, &named("Unknown"), &json!({"query": "{ __typename }"})]
    {
        assert_eq!(post(&app.app, body).await.status, StatusCode::OK);
    }
    // Of one that is not even sound the request's name counts.
    post(&app.app, &json!({"query": "query Known { nothing }", "operationName": "Known"})).await;
    post(&app.app, &json!({"query": "{"})).await;
    let partly = json!({"query": "query Known { __typename node(id: \"x\") { id } }"});
    post(&app.app, &partly).await;
    post(&app.app, &json!([named("Known"), 5])).await;
    let uri = http::graphql_uri(&[("query", "query Known { __typename }")]);
    http::fetch(&app.app, &uri).await;
    let uri = http::graphql_uri(&[("query", "mutation Known { subjectDelete(id: \"x\") { deletedId } }")]);
    http::fetch(&app.app, &uri).await;

    let text = told(&app.app).await;
    for (operation, transport, outcome, expected) in [
        ("Known", "post", "ok", 2),
        ("List", "post", "ok", 2),
        ("other", "post", "ok", 1),
        ("anonymous", "post", "ok", 1),
        ("Known", "post", "refused", 1),
        ("anonymous", "post", "refused", 1),
        ("Known", "post", "errors", 1),
        ("Known", "batch", "ok", 1),
        ("anonymous", "batch", "refused", 1),
        ("Known", "get", "ok", 1),
        ("anonymous", "get", "refused", 1),
    ] {
        let labels = format!("operation=\"{operation}\",transport=\"{transport}\",outcome=\"{outcome}\"");
        let series = format!("subject_gateway_operations_total{{{labels}}}");
        assert_eq!(value(&text, &series), expected, "{series} in {text}");
    }
    for (operation, code, expected) in [
        ("Known", "GRAPHQL_VALIDATION_FAILED", 1),
        ("anonymous", "GRAPHQL_PARSE_FAILED", 1),
        ("Known", "BAD_USER_INPUT", 1),
        ("anonymous", "BAD_USER_INPUT", 2),
    ] {
        let series = format!("subject_gateway_operation_errors_total{{operation=\"{operation}\",code=\"{code}\"}}");
        assert_eq!(value(&text, &series), expected, "{series} in {text}");
    }
    let durations = "subject_gateway_operation_duration_seconds_count{operation=\"Known\"}";
    assert_eq!(value(&text, durations), 6, "{text}");
    // Whole answers that were at hand are among them.
    assert_eq!(count(&app.app, "cache_lookups_total{level=\"answers\",outcome=\"hit\"}").await, 2);
}

#[tokio::test]
async fn operations_over_connections_that_stay_are_counted_too() {
    let gateway = Gateway::of(TestApp::builder().set("METRICS_OPERATIONS", "Changes,Known")).await;
    let app = &gateway.app.app;
    let known = "query Known { __typename }";
    let mut socket = gateway.socket().await;
    socket.subscribe("1", CHANGES, json!({})).await;
    socket.subscribe("2", known, json!({})).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    socket.subscribe("2", "{ nothing }", json!({})).await;
    assert_eq!(socket.next().await["type"], "error");
    socket.settle().await;
    let mut stream = gateway.stream(known, json!({})).await;
    stream.event().await;
    let mut streamed = gateway.stream(CHANGES, json!({})).await;
    gateway.purge(json!({"source": "BRAINSTEM"})).await;
    let id = subject_id(&gateway.app).await;
    gateway.purge(json!({"ids": [id]})).await;
    socket.event().await;
    streamed.event().await;
    for (series, expected) in [
        ("subscriptions_open", 2),
        ("subscription_events_total", 2),
        ("http_websockets_open", 1),
        ("operations_total{operation=\"Known\",transport=\"websocket\",outcome=\"ok\"}", 1),
        ("operations_total{operation=\"anonymous\",transport=\"websocket\",outcome=\"refused\"}", 1),
        ("operations_total{operation=\"Known\",transport=\"sse\",outcome=\"ok\"}", 1),
        ("operation_duration_seconds_count{operation=\"Known\"}", 2),
        ("operation_duration_seconds_count{operation=\"Changes\"}", 0),
    ] {
        assert_eq!(count(app, series).await, expected, "{series}");
    }
    assert!(count(app, "http_event_streams_open").await >= 1);
    assert!(count(app, "http_response_bytes_total{route=\"/graphql/ws\"}").await > 100);
    assert!(count(app, "http_response_bytes_total{route=\"/graphql/stream\"}").await > 100);
    assert!(count(app, "http_connections_open").await >= 1);
    socket.send(json!({"type": "complete", "id": "1"})).await;
    drop((socket, stream, streamed));
    // The ends are noticed soon.
    for series in ["subscriptions_open", "http_websockets_open", "http_event_streams_open"] {
        while count(app, series).await > 0 {
            tokio::task::yield_now().await;
        }
    }
    for transport in ["websocket", "sse"] {
        let series = format!("operations_total{{operation=\"Changes\",transport=\"{transport}\",outcome=\"ok\"}}");
        assert_eq!(count(app, &series).await, 1, "{series}");
    }
}

async fn subject_id(app: &TestApp) -> String {
    let answer = app.query("{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }").await;
    answer.data()["subjects"]["nodes"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nothing_that_callers_send_makes_another_series() {
    let app = TestApp::builder().set("METRICS_OPERATIONS", "Known").build().await.app;
    // Once all that there is of each kind.
    let all = async |number: usize| {
        let name = format!("Operation{number}");
        let secret = format!("secret-{number}");
        for body in [named(&name), json!({"query": format!("query {name} {{ nothing{number} }}")})] {
            post(&app, &body).await;
        }
        http::fetch(&app, &http::graphql_uri(&[("query", &format!("query {name} {{ __typename }}"))])).await;
        let elsewhere = request(Method::GET, &format!("/elsewhere/{number}")).header("x-request-id", secret.as_str());
        send(app.front(), elsewhere.header("x-api-key", secret.as_str()).body(Body::empty()).unwrap()).await;
        let method = Method::from_bytes(format!("METHOD{number}").as_bytes()).unwrap();
        send(app.front(), request(method, "/graphql").body(Body::empty()).unwrap()).await;
        let absent = format!("query {name} {{ node(id: \"{number}\") {{ id }} }}");
        post(&app, &json!({"query": absent, "operationName": name})).await;
    };
    all(0).await;
    let before = series(&told(&app).await);
    for number in 1..=1_000 {
        post(&app, &named(&format!("Operation{number}"))).await;
    }
    for number in 1..=20 {
        all(1_000 + number).await;
    }
    let text = told(&app).await;
    assert_eq!(series(&text), before);
    for word in ["Operation", "elsewhere", "secret", "METHOD", "nothing"] {
        assert!(!text.lines().any(|line| !line.starts_with('#') && line.contains(word)), "{word}");
    }
    assert_eq!(count(&app, "operations_total{operation=\"other\",transport=\"post\",outcome=\"ok\"}").await, 1_021);
}

#[tokio::test]
async fn the_manifest_names_operations_as_well() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), json!({"1": "query Trusted { __typename }"}).to_string()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let app = TestApp::builder().set("GATEWAY_TRUSTED_DOCUMENTS_FILE", path).build().await.app;
    // Whether the request names the operation or only its document.
    post(&app, &json!({"documentId": "1"})).await;
    post(&app, &named("Trusted")).await;
    assert_eq!(count(&app, "operations_total{operation=\"Trusted\",transport=\"post\",outcome=\"ok\"}").await, 2);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let app = TestApp::new().await.app;
    let length = post(&app, &json!({"query": "{ __typename }"})).await.text().len();
    for uri in ["/elsewhere", "/health/live", "/schema.graphql"] {
        http::fetch(&app, uri).await;
    }
    send(
        app.front(),
        request(Method::POST, "/graphql").header(CONTENT_TYPE, "text/plain").body(Body::empty()).unwrap(),
    )
    .await;
    let text = told(&app).await;
    for (route, status, expected) in [
        ("/graphql", "2xx", 1),
        ("/graphql", "4xx", 1),
        ("unmatched", "4xx", 1),
        ("/health/live", "2xx", 1),
        ("/schema.graphql", "2xx", 1),
        ("/graphql", "gone", 0),
    ] {
        let series = format!("subject_gateway_http_requests_total{{route=\"{route}\",status=\"{status}\"}}");
        assert_eq!(value(&text, &series), expected, "{series}");
    }
    let bytes = async |route: &str| count(&app, &format!("http_response_bytes_total{{route=\"{route}\"}}")).await;
    assert!(bytes("/graphql").await > length as u64);
    // Also of what is compressed on its way.
    let before = bytes("/schema.graphql").await;
    let compressed = request(Method::GET, "/schema.graphql").header("accept-encoding", "gzip");
    let front = tower::ServiceExt::oneshot(app.front(), compressed.body(Body::empty()).unwrap()).await.unwrap();
    let sent = axum::body::to_bytes(front.into_body(), usize::MAX).await.unwrap().len() as u64;
    assert_eq!(bytes("/schema.graphql").await, before + sent);
    assert!(sent > 1_000 && sent < before, "{sent} {before}");
    // The scrape is one itself.
    assert_eq!(value(&text, "subject_gateway_http_requests_in_flight"), 1);
}

#[tokio::test]
async fn of_each_source_it_is_told_what_it_was_asked_and_how_it_answered() {
    let app = TestApp::builder().set("BRAINSTEM_SIDELOAD", "false").build().await;
    let whole = "{ subjects(first: 60, filter: {sources: [BRAINSTEM]}) { nodes { id procedures { nodes { id } } } } }";
    // Different documents that need the same: they wait for one flight.
    let asked = (0..5).map(|number| app.query(Box::leak(format!("query Q{number} {whole}").into_boxed_str())));
    for answer in join_all(asked).await {
        answer.data();
    }
    let text = told(&app.app).await;
    let of = |name: &str| value(&text, &format!("subject_gateway_{name}"));
    let answered = of("upstream_responses_total{source=\"BRAINSTEM\",status=\"2xx\"}");
    assert!(answered >= 2, "{text}");
    assert_eq!(of("upstream_request_duration_seconds_count{source=\"BRAINSTEM\"}"), answered);
    assert!(of("upstream_response_bytes_total{source=\"BRAINSTEM\"}") > 10_000);
    assert_eq!(of("upstream_response_bytes_total{source=\"HAUT_AI\"}"), 0);
    assert_eq!(of("upstream_requests_in_flight{source=\"BRAINSTEM\"}"), 0);
    let batches = of("cache_batch_ids_count{source=\"BRAINSTEM\"}");
    assert!(batches >= 1 && of("cache_batch_ids_sum{source=\"BRAINSTEM\"}") > 50 * (batches - 1), "{text}");
    let joined = of("cache_joined_total{level=\"pages\",source=\"BRAINSTEM\"}");
    assert_eq!((joined, of("cache_joined_total{level=\"pages\",source=\"HAUT_AI\"}")), (4, 0));
    assert_eq!(of("cache_lookups_total{level=\"pages\",outcome=\"joined\"}"), joined);
}

#[tokio::test]
async fn documents_that_clients_register_are_a_level() {
    let app = TestApp::builder().set("CACHE_PERSISTED_BYTES", "65536").build().await.app;
    let of = async |name: &str| count(&app, &format!("cache_{name}")).await;
    let text = "{ __typename }";
    let by_hash = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": http::sha256(text)}}});
    assert_eq!(post(&app, &by_hash).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    post(&app, &http::with_hash(text)).await;
    assert_eq!(post(&app, &by_hash).await.status, StatusCode::OK);
    assert_eq!(of("entries{level=\"documents\"}").await, 1);
    assert!(of("bytes{level=\"documents\"}").await > 14);
    let lookups = "lookups_total{level=\"documents\",outcome=";
    assert_eq!((of(&format!("{lookups}\"miss\"}}")).await, of(&format!("{lookups}\"hit\"}}")).await), (1, 1));
    for number in 0..10 {
        let long = format!("{{ a{number}: __typename }}{}", " ".repeat(10_000));
        post(&app, &http::with_hash(&long)).await;
    }
    assert!(of("evictions_total{level=\"documents\",cause=\"size\"}").await >= 4);
}

#[tokio::test]
async fn build_and_process_are_told_of() {
    let app = TestApp::new().await.app;
    let text = told(&app).await;
    let build = format!("subject_gateway_build_info{{version=\"{}\",commit=\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&build), "{text}");
    assert!(value(&text, "process_start_time_seconds") > 1_700_000_000);
    if cfg!(target_os = "linux") {
        assert!(value(&text, "process_resident_memory_bytes") > 1_000_000, "{text}");
        assert!(value(&text, "process_open_fds") > 3 && value(&text, "process_max_fds") > 3);
        assert!(text.contains("process_cpu_seconds_total ") && text.contains("process_threads "));
    }
    assert!(text.ends_with("# EOF\n"));
}
