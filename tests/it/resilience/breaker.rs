//! A source that fails too often is not asked for a while.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use super::{ask, code, eventually, fail, recover, status, uncached};
use crate::{
    answers::metric,
    util::{Answer, Builder, TestApp},
    writes::{ANIMAL, animal_id},
};

const STATUS: &str = "{ sources { source status pausedUntil lastFailureCode } }";

/// Five failures in a row, without retries.
fn touchy() -> Builder {
    uncached().set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "5").set("LIMITS_UPSTREAM_TRIES", "1")
}

async fn pause(app: &TestApp) {
    fail(app.brainstem(), Fault::new(status(501, None)));
    for first in 1..=5 {
        assert_eq!(code(&ask(app, first).await).unwrap(), "UPSTREAM_ERROR");
    }
    app.clear_logs();
}

async fn brainstem_status(app: &TestApp) -> Value {
    app.query(STATUS).await.data()["sources"][1].clone()
}

#[tokio::test]
async fn a_source_that_fails_in_a_row_is_not_asked_and_callers_are_told_at_once() {
    let app = touchy().set("LIMITS_UPSTREAM_PAUSE_MS", "60000").build().await;
    assert_eq!(brainstem_status(&app).await["pausedUntil"], Value::Null);
    pause(&app).await;
    recover(app.brainstem());
    for first in 1..=20 {
        let errors = ask(&app, first).await.errors();
        let extensions = &errors[0]["extensions"];
        assert_eq!(extensions["code"], "UPSTREAM_UNAVAILABLE");
        assert_eq!((&extensions["source"], &extensions["retryable"]), (&json!("BRAINSTEM"), &json!(true)));
        let retry_after = extensions["retryAfter"].as_u64().unwrap();
        assert!((1..=60).contains(&retry_after), "{retry_after}");
    }
    assert_eq!(app.brainstem().take_log().len(), 0);
    let status = brainstem_status(&app).await;
    // What is not sent shows nothing of the source: the failure is the last real one.
    assert_eq!((&status["status"], &status["lastFailureCode"]), (&json!("FAILING"), &json!("UPSTREAM_ERROR")));
    assert!(status["pausedUntil"].is_string(), "{status}");
}

#[tokio::test]
async fn one_request_tries_how_it_fares_and_the_source_is_back() {
    let app = touchy().set("LIMITS_UPSTREAM_PAUSE_MS", "100").build().await;
    pause(&app).await;
    for is_back in [false, true] {
        eventually(async || brainstem_status(&app).await["pausedUntil"].is_null().then_some(())).await;
        if is_back {
            recover(app.brainstem());
        }
        app.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(50));
        app.clear_logs();
        let answers = join_all((1..=20).map(|first| ask(&app, first))).await;
        assert_eq!(app.brainstem().take_log().len(), 1);
        let codes: Vec<_> = answers.iter().filter_map(code).collect();
        let refused = codes.iter().filter(|code| *code == "UPSTREAM_UNAVAILABLE").count();
        assert_eq!((codes.len(), refused), (if is_back { 19 } else { 20 }, 19));
    }
    for answer in join_all((1..=20).map(|first| ask(&app, first))).await {
        answer.data();
    }
}

#[tokio::test]
async fn while_it_is_not_asked_what_was_kept_stands_in_at_once() {
    let app = TestApp::builder().without_haut_ai().set("CACHE_FRESH_MS", "1").set("CACHE_STALE_MS", "0");
    let app = app.set("CACHE_LISTS_FRESH_MS", "1").set("CACHE_LISTS_STALE_MS", "0").set("BRAINSTEM_TIMEOUT_MS", "200");
    let app = app.set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "2").set("LIMITS_UPSTREAM_PAUSE_MS", "500").build().await;
    ask(&app, 3).await.data();
    fail(app.brainstem(), Fault::new(FaultKind::Hang));
    app.clear_logs();
    let is_stale = |answer: &Answer| answer.0["extensions"]["stale"][0]["source"] == "BRAINSTEM";
    eventually(async || {
        let answer = ask(&app, 3).await;
        answer.data();
        brainstem_status(&app).await["pausedUntil"].is_string().then_some(())
    })
    .await;
    // Each of them waited for its time limit; from now on nobody does.
    assert_eq!(app.brainstem().take_log().len(), 2);
    let answer = ask(&app, 3).await;
    assert!(is_stale(&answer) && answer.data()["projects"]["nodes"].is_array(), "{:#}", answer.0);
    assert_eq!(app.brainstem().take_log().len(), 0);
    recover(app.brainstem());
    eventually(async || (!is_stale(&ask(&app, 3).await)).then_some(())).await;
}

#[tokio::test]
async fn a_hanging_source_is_noticed_by_callers_who_have_less_time_than_its_limit() {
    let app = touchy().set("BRAINSTEM_TIMEOUT_MS", "350").set("LIMITS_DEADLINE_MS", "250").build().await;
    fail(app.brainstem(), Fault::new(FaultKind::Hang));
    let answers = join_all((1..=5).map(|first| ask(&app, first))).await;
    assert!(answers.iter().all(|answer| code(answer).as_deref() == Some("DEADLINE_EXCEEDED")));
    assert_eq!(code(&ask(&app, 9).await).unwrap(), "UPSTREAM_UNAVAILABLE");
}

#[tokio::test]
async fn refusals_and_odd_answers_are_answers() {
    let app = touchy().build().await;
    for what in [status(400, None), status(401, None), status(404, None), status(429, None), FaultKind::Html(200)] {
        fail(app.brainstem(), Fault::new(what));
        for first in 1..=10 {
            assert!(code(&ask(&app, first).await).is_some());
        }
    }
    assert_eq!(app.brainstem().take_log().len(), 50);
    recover(app.brainstem());
    ask(&app, 3).await.data();
}

#[tokio::test]
async fn a_write_to_a_source_that_is_not_asked_is_for_certain_not_carried_out() {
    let app = touchy().build().await;
    pause(&app).await;
    let answer =
        app.query(&format!("mutation {{ subjectDelete(id: \"{}\") {{ deletedId }} }}", animal_id(ANIMAL))).await;
    assert_eq!(code(&answer).unwrap(), "UPSTREAM_UNAVAILABLE");
    assert_eq!(app.brainstem().take_log().len(), 0);
}

#[tokio::test]
async fn one_source_that_fails_leaves_the_other_alone_and_a_pause_can_be_turned_off() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "5").build().await;
    fail(app.brainstem(), Fault::new(status(501, None)));
    for first in 1..=10 {
        ask(&app, first).await;
    }
    assert_eq!(app.brainstem().take_log().len(), 5);
    app.query("{ datasets { name } }").await.data();

    let app = touchy().set("LIMITS_UPSTREAM_PAUSE_MS", "0").build().await;
    fail(app.brainstem(), Fault::new(status(501, None)));
    for first in 1..=30 {
        ask(&app, first).await;
    }
    assert_eq!(app.brainstem().take_log().len(), 30);
}

#[tokio::test]
async fn metrics_tell_of_tries_and_pauses() {
    let app = uncached().set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "5").build().await;
    ask(&app, 3).await.data();
    fail(app.brainstem(), Fault::new(status(503, None)));
    for first in 1..=4 {
        ask(&app, first).await;
    }
    for (name, expected) in [
        ("requests_total{source=\"BRAINSTEM\",outcome=\"answered\"}", 1),
        ("requests_total{source=\"BRAINSTEM\",outcome=\"failed\"}", 4),
        ("retries_total{source=\"BRAINSTEM\"}", 3),
        ("pauses_total{source=\"BRAINSTEM\"}", 1),
        ("paused{source=\"BRAINSTEM\"}", 1),
    ] {
        assert_eq!(metric(&app, &format!("subject_gateway_upstream_{name}")).await, expected, "{name}");
    }
    assert!(metric(&app, "subject_gateway_upstream_refused_total{source=\"BRAINSTEM\"}").await >= 2);
}
