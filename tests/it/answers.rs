//! Whole answers, kept and shared: what is served again, what is not, and what is told about its age.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderMap, Method, Request, StatusCode,
        header::{ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST},
    },
};
use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};
use tower::ServiceExt as _;

use crate::util::{TestApp, to_path};

const LIST: &str = "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { nodes { id name description } } }";

struct Got {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn send(app: &TestApp, method: Method, uri: &str, body: String, headers: &[(&str, &str)]) -> Got {
    let request = Request::builder().method(method).uri(uri).header(HOST, "localhost");
    let request = request.header(CONTENT_TYPE, "application/json");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = app.app.front().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Got { status: parts.status, headers: parts.headers, body: to_bytes(body, usize::MAX).await.unwrap().to_vec() }
}

async fn post(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Got {
    send(app, Method::POST, "/graphql", json!({ "query": query }).to_string(), headers).await
}

async fn get(app: &TestApp, query: &str, headers: &[(&str, &str)]) -> Got {
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
    send(app, Method::GET, &format!("/graphql?{query}"), String::new(), headers).await
}

#[tokio::test]
async fn a_request_that_registers_its_document_is_always_read() {
    let app = TestApp::new().await;
    let hash = crate::http::sha256(LIST);
    let extensions = json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
    let with_text = json!({"query": LIST, "extensions": extensions}).to_string();
    let by_hash = json!({ "extensions": extensions }).to_string();
    // Otherwise one whose document was forgotten would send the text again and again.
    for (body, expected) in [(with_text, 0), (by_hash, 1)] {
        send(&app, Method::POST, "/graphql", body.clone(), &[]).await;
        let hits = metric(&app, ANSWER_HITS).await;
        let again = send(&app, Method::POST, "/graphql", body, &[]).await;
        assert_eq!((again.status, metric(&app, ANSWER_HITS).await), (StatusCode::OK, hits + expected));
    }
}

/// The value of a line of `/metrics`.
pub(crate) async fn metric(app: &TestApp, line: &str) -> u64 {
    let metrics = send(app, Method::GET, "/metrics", String::new(), &[]).await;
    let text = String::from_utf8(metrics.body).unwrap();
    let value = text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in {text}"))
}

const ANSWER_HITS: &str = "subject_gateway_cache_lookups_total{level=\"answers\",outcome=\"hit\"}";

fn requests(app: &TestApp) -> usize {
    app.brainstem().take_log().len() + app.haut_ai().take_log().len()
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_bytes_and_asks_nobody() {
    let app = TestApp::new().await;
    for get_it in [false, true] {
        let ask = async |headers: &[(&str, &str)]| {
            if get_it { get(&app, LIST, headers).await } else { post(&app, LIST, headers).await }
        };
        let first = ask(&[]).await;
        app.clear_logs();
        let hits = metric(&app, ANSWER_HITS).await;
        let again = ask(&[]).await;
        assert_eq!(again.body, first.body);
        assert_eq!((requests(&app), metric(&app, ANSWER_HITS).await), (0, hits + 1));
        assert_eq!(again.header(AGE), Some("0"));
        for _ in 0..2 {
            let compressed = ask(&[(ACCEPT_ENCODING.as_str(), "gzip")]).await;
            let mut plain = Vec::new();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*compressed.body), &mut plain).unwrap();
            assert_eq!(plain, first.body);
        }
        let newer = ask(&[("accept", "application/graphql-response+json")]).await;
        assert_eq!(newer.header(CONTENT_TYPE), Some("application/graphql-response+json"));
        assert_eq!(newer.body, first.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_query_five_hundred_times_at_once_asks_once() {
    let cold = TestApp::new().await;
    post(&cold, LIST, &[]).await;
    let alone = requests(&cold);
    let app = Arc::new(TestApp::new().await);
    let all = join_all((0..500).map(|_| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { post(&app, LIST, &[]).await.body })
    }));
    let all: Vec<_> = all.await.into_iter().map(Result::unwrap).collect();
    assert!(all.iter().all(|body| *body == all[0]));
    assert_eq!(requests(&app), alone);
    // Different texts are different answers, made from the same page.
    let app = Arc::new(TestApp::new().await);
    let all = join_all((0..50).map(|number| {
        let (app, query) = (Arc::clone(&app), LIST.replace("name", &format!("name{number}: name")));
        tokio::spawn(async move { post(&app, &query, &[]).await.status })
    }));
    assert!(all.await.into_iter().all(|status| status.unwrap() == StatusCode::OK));
    assert_eq!(requests(&app), alone);
}

#[tokio::test]
async fn a_failure_reaches_all_who_wait_and_is_not_kept() {
    let app = Arc::new(TestApp::new().await);
    let fault = Fault::new(FaultKind::Html(500)).times(1);
    app.brainstem().set_knobs(|knobs| knobs.faults.push(fault));
    let all = join_all((0..10).map(|_| post(&app, LIST, &[]))).await;
    assert!(all.iter().all(|got| got.json()["errors"][0]["extensions"]["code"] == "UPSTREAM_ERROR"));
    assert!(all.iter().all(|got| got.header(AGE).is_none()));
    assert_eq!(requests(&app), 1);
    assert!(post(&app, LIST, &[]).await.json().get("errors").is_none());
}

#[tokio::test]
async fn who_leaves_hands_over_to_who_waits() {
    let app = TestApp::new().await;
    app.brainstem().set_knobs(|knobs| knobs.latency = std::time::Duration::from_millis(100));
    let mut first = Box::pin(post(&app, LIST, &[]));
    let mut second = Box::pin(post(&app, LIST, &[]));
    // The first one has asked, and the second one waits for that.
    while app.brainstem().log().is_empty() {
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    drop(first);
    assert!(second.await.json().get("errors").is_none());
    assert_eq!(requests(&app), 1);
}

#[tokio::test]
async fn a_write_or_a_purge_makes_answers_unreachable() {
    let app = TestApp::new().await;
    let people = "{ subjects(first: 5, filter: {sources: [HAUT_AI]}) { nodes { id } } }";
    let before = post(&app, LIST, &[]).await.json();
    post(&app, people, &[]).await;
    let id = before["data"]["subjects"]["nodes"][0]["id"].as_str().unwrap();
    let update = "mutation($id: ID!) { subjectUpdate(id: $id, input: {brainStem: {description: \"new\"}}) \
                  { userErrors { message } } }";
    app.query_with(update, json!({ "id": id })).await.data();
    app.clear_logs();
    let after = post(&app, LIST, &[]).await.json();
    assert_eq!(after["data"]["subjects"]["nodes"][0]["description"], "new");
    post(&app, people, &[]).await;
    assert!(app.haut_ai().take_log().is_empty(), "the other source was not written");
    for body in [json!({"source": "BRAINSTEM"}), json!({ "ids": [id] })] {
        app.clear_logs();
        send(&app, Method::POST, "/admin/purge", body.to_string(), &[]).await;
        post(&app, LIST, &[]).await;
        assert!(requests(&app) > 0, "{body}");
    }
}

#[tokio::test]
async fn the_same_mutation_twice_is_carried_out_twice() {
    let app = TestApp::new().await;
    let id = post(&app, LIST, &[]).await.json()["data"]["subjects"]["nodes"][0]["id"].clone();
    app.clear_logs();
    let mutation = format!(
        "mutation {{ subjectUpdate(id: {id}, input: {{brainStem: {{description: \"x\"}}}}) {{ userErrors {{ code }} }} }}"
    );
    join_all((0..3).map(|_| post(&app, &mutation, &[]))).await;
    let writes = app.brainstem().take_log().iter().filter(|request| request.method != "GET").count();
    assert_eq!(writes, 3);
}

#[tokio::test]
async fn what_another_request_would_not_get_is_not_kept() {
    let app = TestApp::new().await;
    let queries = [
        "{ sources { source status } }",
        "{ subjects(first: 1) { sources { status } } }",
        "{ subjects(first: 1) { nodes { id } } nope: node(id: \"x\") { id } }",
    ];
    for query in queries {
        let hits = metric(&app, ANSWER_HITS).await;
        post(&app, query, &[]).await;
        post(&app, query, &[]).await;
        assert_eq!(metric(&app, ANSWER_HITS).await, hits, "{query}");
    }
    // What is not served from whole answers is still served from their parts.
    assert_eq!(app.query(queries[0]).await.data()["sources"][0]["status"], "AVAILABLE");
}

#[tokio::test]
async fn fresh_data_are_for_those_who_look_after_the_gateway() {
    let no_cache = [(CACHE_CONTROL.as_str(), "max-age=0, No-Cache")];
    for (anywhere, asked) in [("false", 1), ("true", 0)] {
        let app = TestApp::builder().set("GATEWAY_AUTH_NONE_ANYWHERE", anywhere).build().await;
        let record = app.brainstem().records("subjects")[0]["id"].as_str().unwrap().to_owned();
        let query = format!("{{ subject(by: {{brainStem: \"{record}\"}}) {{ description }} }}");
        post(&app, &query, &[]).await;
        app.clear_logs();
        app.brainstem().change("subjects", &record, |record| record["description"] = json!("changed"));
        let fresh = post(&app, &query, &no_cache).await.json();
        assert_eq!((fresh["data"]["subject"]["description"] == "changed", requests(&app)), (asked == 1, asked));
        assert_eq!(post(&app, &query, &[]).await.json(), fresh, "what was read anew is kept");
        assert_eq!(requests(&app), 0);
    }
}

#[tokio::test]
async fn fresh_data_come_in_one_round_trip_too() {
    let app = TestApp::new().await;
    let query = "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { nodes { name projects { name } } } }";
    for _ in ["nothing is kept", "older records are kept"] {
        post(&app, query, &[(CACHE_CONTROL.as_str(), "no-cache")]).await;
        assert_eq!(requests(&app), 1);
    }
}

#[tokio::test]
async fn what_is_stale_is_served_once_more_and_read_anew_beside_it() {
    let app = TestApp::builder()
        .set("CACHE_FRESH_MS", "1")
        .set("CACHE_LISTS_FRESH_MS", "1")
        .set("CACHE_LISTS_STALE_MS", "600000")
        .build()
        .await;
    let first = post(&app, LIST, &[]).await.json();
    let id = app.brainstem().log()[0].path.clone();
    let record = app
        .brainstem()
        .records("subjects")
        .into_iter()
        .find(|record| record["name"] == first["data"]["subjects"]["nodes"][0]["name"]);
    let record = record.unwrap()["id"].as_str().unwrap().to_owned();
    app.brainstem().change("subjects", &record, |record| record["description"] = json!("changed"));
    app.clear_logs();
    // Nobody waits for the reading, and so nobody sees it before it has landed.
    let mut served = 0;
    loop {
        let got = post(&app, LIST, &[]).await.json();
        assert!(got.get("errors").is_none() && got.get("extensions").is_none());
        served += 1;
        if got["data"]["subjects"]["nodes"][0]["description"] == "changed" {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(served > 1 && to_path(&app.brainstem().take_log(), &id).len() < served);
}

#[tokio::test]
async fn during_an_outage_what_was_read_before_stands_in_and_the_answer_says_so() {
    let app = TestApp::builder()
        .set("CACHE_FRESH_MS", "1")
        .set("CACHE_STALE_MS", "0")
        .set("CACHE_LISTS_FRESH_MS", "1")
        .set("CACHE_LISTS_STALE_MS", "0")
        .build()
        .await;
    let first = post(&app, LIST, &[]).await.json();
    app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Html(503))));
    let got = get(&app, LIST, &[]).await;
    let answer = got.json();
    assert_eq!((&answer["data"], answer.get("errors")), (&first["data"], None));
    assert_eq!(answer["extensions"]["stale"][0]["source"], "BRAINSTEM");
    assert!(answer["extensions"]["stale"][0]["ageSeconds"].is_u64());
    assert_eq!(got.header(CACHE_CONTROL), Some("private, no-cache"));
    let hits = metric(&app, ANSWER_HITS).await;
    post(&app, LIST, &[]).await;
    assert_eq!(metric(&app, ANSWER_HITS).await, hits, "it is not kept");
    // Refused is not out of order: who may not see it any more gets nothing.
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Html(401))]);
    assert_eq!(post(&app, LIST, &[]).await.json()["errors"][0]["extensions"]["code"], "UPSTREAM_ERROR");
    app.brainstem().set_knobs(|knobs| knobs.faults.clear());
    assert_eq!(post(&app, LIST, &[]).await.json(), first);
}

#[tokio::test]
async fn only_what_a_public_portal_shows_may_be_kept_by_anybody() {
    let public =
        TestApp::builder().without_haut_ai().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public").build().await;
    let got = get(&public, LIST, &[]).await;
    assert!(got.header(CACHE_CONTROL).unwrap().starts_with("public, max-age="), "{:?}", got.header(CACHE_CONTROL));
    assert!(got.header(ETAG).is_some() && got.header(AGE).is_some());
    assert_eq!(post(&public, LIST, &[]).await.header(CACHE_CONTROL), Some("no-store"));
    assert_eq!(get(&public, "{ __typename }", &[]).await.header(CACHE_CONTROL), Some("private, no-cache"));
    let private = TestApp::new().await;
    assert_eq!(get(&private, LIST, &[]).await.header(CACHE_CONTROL), Some("private, no-cache"));
    let both = TestApp::builder().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public").build().await;
    let all = get(&both, "{ subjects(first: 1) { nodes { id } } }", &[]).await;
    assert_eq!(all.header(CACHE_CONTROL), Some("private, no-cache"));
}

#[tokio::test]
async fn an_answer_that_depends_on_the_day_ends_with_it() {
    const A_DAY: &str = "86400000";
    let now = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let left = |of: &jiff::Zoned| of.tomorrow().unwrap().start_of_day().unwrap().duration_since(of).as_secs();
    let app = TestApp::builder().without_haut_ai().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public");
    let app = app.set("CACHE_FRESH_MS", A_DAY).set("CACHE_LISTS_FRESH_MS", A_DAY).build().await;
    let max_age = async |query: &str| {
        let got = get(&app, query, &[]).await;
        let seconds = got.header(CACHE_CONTROL).unwrap().rsplit('=').next().unwrap().to_owned();
        seconds.parse::<i64>().unwrap()
    };
    loop {
        let before = now();
        let [by_day, at_a_day] = [
            max_age("{ subjects(first: 3) { nodes { age } } }").await,
            max_age("{ subjects(first: 3) { nodes { age(at: \"2026-01-01\") } } }").await,
        ];
        // Around midnight it is not known which day was meant.
        if before.date() == now().date() {
            assert!(by_day <= left(&before), "{by_day}");
            assert!(at_a_day >= by_day && at_a_day > 86_000, "{at_a_day}");
            break;
        }
    }
}

#[tokio::test]
async fn metrics_are_for_those_who_look_after_the_gateway_and_name_nobody() {
    let app = TestApp::new().await;
    post(&app, LIST, &[]).await;
    let metrics = send(&app, Method::GET, "/metrics", String::new(), &[]).await;
    assert!(metrics.header(CONTENT_TYPE).unwrap().starts_with("application/openmetrics-text"));
    for (line, expected) in [
        ("subject_gateway_cache_flights_total{level=\"pages\"}", 1),
        ("subject_gateway_cache_entries{level=\"records\"}", 20),
        ("subject_gateway_cache_entries{level=\"answers\"}", 1),
    ] {
        assert_eq!(metric(&app, line).await, expected, "{line}");
    }
    assert!(metric(&app, "subject_gateway_cache_bytes{level=\"answers\"}").await > 500);
    // The bound, and no caller's token.
    let text = String::from_utf8(metrics.body).unwrap().replace("limit=\"tokens\"", "");
    let name = app.brainstem().records("subjects")[0]["name"].as_str().unwrap().to_owned();
    assert!(!text.contains(&name) && !text.contains("token"));
    let anywhere = TestApp::builder().set("GATEWAY_AUTH_NONE_ANYWHERE", "true").build().await;
    let refused = send(&anywhere, Method::GET, "/metrics", String::new(), &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}
