//! Between socket and record: what goes wrong there, and what callers see of it.

mod connections;
pub(crate) mod double;

use std::time::{Duration, Instant};

use axum::response::{IntoResponse as _, Response};
use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{self, Fault, FaultKind};

use self::double::Double;
use crate::util::{Answer, Builder, TestApp};

const SUBJECT: &str = "0cdaf69d-63cf-429f-b549-fc0cc163d046";
/// Stands in bodies and URLs of upstreams: callers must not see it.
const MARK: &str = "upstream-internals";

fn animals() -> Builder {
    TestApp::builder().without_haut_ai()
}

fn by_id() -> String {
    format!("{{ subject(by: {{brainStem: \"{SUBJECT}\"}}) {{ name }} }}")
}

const LIST: &str = "{ projects(first: 3) { nodes { name } } }";

fn status(status: u16, body: &str, headers: &[(&str, &str)]) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    FaultKind::Status(status, body.to_owned(), headers.collect())
}

/// The extensions of an answer's only error, which is at `path`.
fn only_error(answer: &Answer, path: &str) -> Value {
    let errors = answer.errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["path"], json!([path]));
    let text = answer.0.to_string();
    for secret in [sandbox::BRAINSTEM_TOKEN, MARK, "http:", "127.0.0.1", "api/private", "<html", "Reqwest", "hyper"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(answer.0["data"][path], Value::Null);
    errors[0]["extensions"].clone()
}

/// Both a look-up and a list see the fault as these extensions; without it both work again: a failure is not kept.
async fn check(what: FaultKind, mut expected: Value) {
    let app = animals().set("BRAINSTEM_TIMEOUT_MS", "300").set("LIMITS_UPSTREAM_BYTES", "200000").build().await;
    expected["source"] = json!("BRAINSTEM");
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(what.clone())]);
    for (query, path) in [(by_id().as_str(), "subject"), (LIST, "projects")] {
        assert_eq!(only_error(&app.query(query).await, path), expected, "{what:?}");
    }
    app.brainstem().set_knobs(|knobs| knobs.faults.clear());
    for query in [by_id().as_str(), LIST] {
        app.query(query).await.data();
    }
}

fn invalid() -> Value {
    json!({"code": "UPSTREAM_INVALID_RESPONSE", "retryable": false})
}

fn failed(status: u16, retryable: bool) -> Value {
    json!({"code": "UPSTREAM_ERROR", "retryable": retryable, "httpStatus": status})
}

fn unavailable(status: u16) -> Value {
    json!({"code": "UPSTREAM_UNAVAILABLE", "retryable": true, "httpStatus": status})
}

#[tokio::test]
async fn what_is_no_answer_in_json_is_an_invalid_response() {
    check(FaultKind::Html(200), invalid()).await;
    check(FaultKind::Malformed, invalid()).await;
    check(FaultKind::HugeBody(1_000_000), invalid()).await;
    for body in
        ["", "null", "5", "\"x\"", "[]", "[1]", "{}", "{\"subject\": 5, \"projects\": {}}", "{\"a\": [], \"b\": []}"]
    {
        check(status(200, body, &[]), invalid()).await;
    }
    check(status(200, &format!("{MARK}\u{0}"), &[]), invalid()).await;
}

#[tokio::test]
async fn each_status_is_told_by_a_code_of_its_own() {
    let detail = format!("{{\"detail\": \"{MARK}\"}}");
    for refused in [400, 401, 403, 405, 409, 414] {
        check(status(refused, &detail, &[]), failed(refused, false)).await;
    }
    for broken in [500, 501] {
        check(FaultKind::Html(broken), failed(broken, true)).await;
    }
    for unready in [502, 503, 504] {
        check(FaultKind::Html(unready), unavailable(unready)).await;
    }
    let mut later = unavailable(503);
    later["retryAfter"] = json!(7);
    check(status(503, &detail, &[("retry-after", "7")]), later).await;
    let mut throttled = json!({"code": "RATE_LIMITED", "retryable": true, "httpStatus": 429});
    check(status(429, &detail, &[]), throttled.clone()).await;
    check(status(429, &detail, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]), throttled.clone()).await;
    throttled["retryAfter"] = json!(42);
    check(status(429, &detail, &[("retry-after", "42")]), throttled).await;
}

#[tokio::test]
async fn what_does_not_come_whole_or_in_time_may_come_later() {
    check(FaultKind::Hang, json!({"code": "UPSTREAM_TIMEOUT", "retryable": true})).await;
    let slow = FaultKind::SlowBytes(Duration::from_millis(20));
    check(slow, json!({"code": "UPSTREAM_TIMEOUT", "retryable": true})).await;
    check(FaultKind::Reset, json!({"code": "UPSTREAM_UNAVAILABLE", "retryable": true})).await;
    check(FaultKind::Truncate, json!({"code": "UPSTREAM_UNAVAILABLE", "retryable": true})).await;
}

#[tokio::test]
async fn a_hanging_upstream_takes_its_own_time_limit_and_not_the_requests() {
    let app = animals().set("BRAINSTEM_TIMEOUT_MS", "100").build().await;
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Hang)]);
    let started = Instant::now();
    assert_eq!(only_error(&app.query(LIST).await, "projects")["code"], "UPSTREAM_TIMEOUT");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let trap = Double::json(|_| json!({"subject": {"id": SUBJECT, "name": "trap"}, "projects": []})).await;
    check(FaultKind::Redirect(format!("{}/{MARK}", trap.url)), invalid()).await;
    for code in [301, 303, 307, 308] {
        check(status(code, MARK, &[("location", &trap.url)]), invalid()).await;
    }
    assert_eq!(trap.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn an_answers_links_are_not_followed() {
    let trap = Double::json(|_| json!({"results": [], "projects": []})).await;
    let next = format!("{}/{MARK}/?page=2", trap.url);
    let list = move |_: &str| {
        let record = json!({"id": SUBJECT, "name": "first", "links": {"self": next, "subjects": next}});
        json!({"count": 40, "next": next, "previous": next, "results": [record], "projects": [record]})
    };
    let upstream = Double::json(list).await;
    let app = TestApp::builder().set("BRAINSTEM_URL", &upstream.url).set("HAUT_AI_URL", &upstream.url);
    let app = app.set("HAUT_AI_DATASET_IDS", sandbox::DATASET_IDS[0]).build().await;
    for query in [LIST, "{ subjects(first: 3, filter: {sources: [HAUT_AI]}) { nodes { name } } }"] {
        app.query(query).await;
    }
    assert!(upstream.requests().len() > 2, "{:?}", upstream.requests());
    assert_eq!(trap.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    // Bound and closed again: a port where nobody listens.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let app = animals().set("BRAINSTEM_URL", format!("http://127.0.0.1:{port}")).build().await;
    let expected = json!({"code": "UPSTREAM_UNAVAILABLE", "source": "BRAINSTEM", "retryable": true});
    assert_eq!(only_error(&app.query(LIST).await, "projects"), expected);
}

#[tokio::test]
async fn one_failing_source_leaves_the_other_standing() {
    let app = TestApp::new().await;
    app.haut_ai().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Html(503))]);
    let answer = app.query(&format!("{{ datasets {{ name }} {} }}", &by_id()[1..by_id().len() - 1])).await;
    assert_eq!(answer.codes(), [("UPSTREAM_UNAVAILABLE".to_owned(), json!(["datasets"]))]);
    assert_eq!(answer.errors()[0]["extensions"]["source"], "HAUT_AI");
    assert!(answer.0["data"]["subject"]["name"].is_string());
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_a_while_only() {
    for (absent_ms, expected) in [("60000", 1), ("0", 3)] {
        let app = animals().set("CACHE_ABSENT_MS", absent_ms).build().await;
        let gone = app.brainstem().records("subjects").into_iter().find(|subject| subject["id"] == SUBJECT).unwrap();
        app.brainstem().remove("subjects", SUBJECT);
        for _ in 0..3 {
            assert_eq!(app.query(&by_id()).await.data()["subject"], Value::Null);
        }
        assert_eq!(app.brainstem().take_log().len(), expected);
        app.brainstem().insert("subjects", gone);
        assert_eq!(app.query(&by_id()).await.data()["subject"].is_object(), absent_ms == "0");
    }
}

#[tokio::test]
async fn the_gateways_token_goes_to_its_own_upstream_alone() {
    let app = TestApp::new().await;
    app.query("{ subjects(first: 20) { nodes { name } } projects { nodes { name } } datasets { name } }").await.data();
    let (haut_ai, brainstem) = (app.haut_ai().take_log(), app.brainstem().take_log());
    for (log, own, other) in [
        (haut_ai, sandbox::HAUT_AI_TOKEN, sandbox::BRAINSTEM_TOKEN),
        (brainstem, sandbox::BRAINSTEM_TOKEN, sandbox::HAUT_AI_TOKEN),
    ] {
        assert!(!log.is_empty());
        for request in log {
            assert_eq!(request.authorization, Some(format!("Bearer {own}")));
            assert!(!format!("{request:?}").contains(other));
        }
    }
}

#[tokio::test]
async fn an_answer_may_be_compressed_and_its_limit_counts_it_unpacked() {
    // `{"projects": [], "count": 0}` and, second, with 100,000 spaces in it.
    let zipped: [&[u8]; 2] =
        [include_bytes!("../fixtures/wire/projects.json.gz"), include_bytes!("../fixtures/wire/spaces.json.gz")];
    let answer = |body: &'static [u8]| {
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
        move |_: &str| -> Response { (headers, body).into_response() }
    };
    for (body, limit, expected) in [
        (zipped[0], "200000", None),
        (zipped[1], "200000", None),
        (zipped[1], "50000", Some("UPSTREAM_INVALID_RESPONSE")),
        (&zipped[1][..100], "200000", Some("UPSTREAM_INVALID_RESPONSE")),
    ] {
        let upstream = Double::serve(answer(body)).await;
        let app = animals().set("BRAINSTEM_URL", &upstream.url);
        let app = app.set("LIMITS_UPSTREAM_BYTES", limit).build().await;
        let got = app.query(LIST).await;
        match expected {
            None => assert_eq!(got.data()["projects"]["nodes"], json!([])),
            Some(code) => assert_eq!(only_error(&got, "projects")["code"], code),
        }
    }
}

#[tokio::test]
async fn no_more_requests_fly_than_allowed_and_all_are_answered() {
    let app = animals().set("LIMITS_UPSTREAM_CONCURRENCY", "2").build().await;
    app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(5));
    let app = &app;
    let ask = |first| async move { app.query(&format!("{{ projects(first: {first}) {{ nodes {{ name }} }} }}")).await };
    let answers = join_all((1..=20).map(ask)).await;
    assert!(answers.iter().all(|answer| answer.data().is_object()));
    let connections = app.brainstem().log().iter().map(|request| request.connection).max();
    assert!(connections <= Some(2), "{connections:?}");
}
