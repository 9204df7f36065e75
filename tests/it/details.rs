//! What an operator is told of how an answer was made, and that nobody else is.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};
use subject_gateway::{
    access::{Scope, keys::NewKey},
    app::App,
};

use crate::{
    http::{Answer, graphql_uri, post, request, send},
    util::TestApp,
};

const LIST: &str = "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { nodes { name projects { name } } } }";
/// The same records by another document.
const AGAIN: &str = "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { nodes { projects { name } name } } }";

async fn ask(app: &App, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(post(), |request, (name, value)| request.header(*name, *value));
    send(app.front(), request.body(body.to_string().into()).unwrap()).await
}

const INCLUDE: (&str, &str) = ("x-gateway-details", "include");

fn told(answer: &Answer) -> Value {
    answer.json()["extensions"]["gateway"].clone()
}

#[tokio::test]
async fn an_operator_is_told_what_was_asked_and_what_was_at_hand() {
    let app = TestApp::new().await;
    let body = json!({ "query": LIST });
    let first = ask(&app.app, &body, &[INCLUDE]).await;
    let sent = app.brainstem().log().len();
    let details = told(&first);
    assert!(sent > 0 && app.haut_ai().log().is_empty());
    assert_eq!((&details["cache"], &details["requests"]), (&json!("miss"), &json!(sent)), "{details}");
    assert_eq!(details["sources"]["BRAINSTEM"]["requests"], json!(sent));
    assert!(details["sources"].get("HAUT_AI").is_none(), "{details}");
    assert!(details["upstreamMs"].as_f64().unwrap() > 0.0);
    assert!(details["totalMs"].as_f64().unwrap() >= details["upstreamMs"].as_f64().unwrap(), "{details}");
    assert!(details["cost"]["estimated"].as_u64().unwrap() > 0 && details["ageSeconds"] == 0, "{details}");
    let timing = first.header("server-timing");
    assert!(timing.starts_with("total;dur=") && timing.ends_with(", cache;desc=\"miss\""), "{timing}");

    let again = ask(&app.app, &body, &[INCLUDE]).await;
    let details = told(&again);
    assert_eq!((&details["cache"], &details["requests"]), (&json!("answers"), &json!(0)), "{details}");
    assert!(details["cost"]["estimated"].as_u64().unwrap() > 0, "{details}");
    let records = told(&ask(&app.app, &json!({ "query": AGAIN }), &[INCLUDE]).await);
    assert_eq!((&records["cache"], &records["requests"]), (&json!("records"), &json!(0)), "{records}");

    // What is kept for others has none of it.
    let plain = ask(&app.app, &body, &[]).await;
    assert_eq!((plain.json().get("extensions"), plain.header("server-timing")), (None, ""));
    assert_eq!(plain.json()["data"], first.json()["data"]);
    assert_eq!(app.brainstem().log().len(), sent);

    let refused = ask(&app.app, &json!({ "query": "{ nothing }" }), &[INCLUDE]).await;
    assert!(told(&refused)["cache"].is_null() && refused.json().get("data").is_none(), "{}", refused.text());
}

#[tokio::test]
async fn over_get_nothing_keeps_them() {
    let app = TestApp::new().await;
    let uri = graphql_uri(&[("query", LIST)]);
    for (headers, cache_control) in [(&[INCLUDE][..], "no-store"), (&[][..], "private, no-cache")] {
        let request =
            headers.iter().fold(request(Method::GET, &uri), |request, (name, value)| request.header(*name, *value));
        let answer = send(app.app.front(), request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, cache_control));
        assert_eq!(told(&answer).is_object(), !headers.is_empty());
        assert_eq!(answer.header("etag").is_empty(), !headers.is_empty());
        assert_eq!(answer.header("age"), "0");
    }
}

#[tokio::test]
async fn each_member_of_a_batch_has_its_own() {
    let app = TestApp::builder().set("LIMITS_BATCH", "5").build().await;
    let body = json!([{ "query": LIST }, { "query": "{ __typename }" }, { "query": 1 }]);
    let answer = ask(&app.app, &body, &[INCLUDE]).await;
    let members = answer.json();
    let of = |at: usize| members[at]["extensions"]["gateway"].clone();
    assert_eq!(of(0)["requests"], json!(app.brainstem().log().len()));
    assert_eq!((&of(1)["requests"], &of(1)["cache"]), (&json!(0), &json!("records")));
    assert!(of(2)["cache"].is_null() && members[2]["errors"].is_array(), "{members}");
    assert!(answer.header("server-timing").contains("desc=\"miss\""), "{}", answer.header("server-timing"));
    let plain = ask(&app.app, &body, &[]).await;
    assert!(!plain.text().contains("gateway"), "{}", plain.text());
}

#[tokio::test]
async fn who_waits_for_another_is_told_so() {
    let app = TestApp::new().await;
    app.brainstem().set_knobs(|knobs| knobs.latency = std::time::Duration::from_millis(50));
    let body = json!({ "query": LIST });
    let both = futures::join!(ask(&app.app, &body, &[INCLUDE]), ask(&app.app, &body, &[INCLUDE]));
    let mut caches = [told(&both.0)["cache"].clone(), told(&both.1)["cache"].clone()];
    caches.sort_by_key(Value::to_string);
    assert_eq!(caches, [json!("joined"), json!("miss")]);
}

#[tokio::test]
async fn what_is_past_its_time_is_told() {
    let fresh = ["CACHE_FRESH_MS", "CACHE_LISTS_FRESH_MS", "CACHE_REFERENCE_FRESH_MS"];
    let app = fresh.into_iter().fold(TestApp::builder(), |builder, key| builder.set(key, "1")).build().await;
    // A millisecond passes while one of these is answered.
    for _ in 0..1_000 {
        if told(&ask(&app.app, &json!({ "query": LIST }), &[INCLUDE]).await)["cache"] == "stale" {
            return;
        }
    }
    panic!("nothing was past its time");
}

#[tokio::test]
async fn who_may_not_look_after_the_gateway_is_told_nothing() {
    let keys = [("reader", &[Scope::Read][..]), ("operator", &[Scope::Read, Scope::Admin])];
    let keys = keys.map(|(name, scopes)| NewKey::make(name, scopes).unwrap());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), keys.iter().map(|key| key.entry.as_str()).collect::<Vec<_>>().join("\n")).unwrap();
    let builder = TestApp::builder().set("GATEWAY_AUTH", "api-key");
    let app = builder.set("API_KEYS_FILE", file.path().to_str().unwrap()).build().await;
    let [reader, operator] = keys;
    let body = json!({ "query": LIST });
    for (key, is_told) in [(&reader, false), (&operator, true), (&reader, false)] {
        let answer = ask(&app.app, &body, &[INCLUDE, ("x-api-key", &key.key)]).await;
        assert!(answer.json()["data"].is_object(), "{}", answer.text());
        assert_eq!(told(&answer).is_object(), is_told, "{}", answer.text());
        assert_eq!(answer.header("server-timing").is_empty(), !is_told);
    }
}
