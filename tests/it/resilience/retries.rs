//! Reads that are sent again, how often, and which are not.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use subject_gateway::sandbox::{Fault, FaultKind};

use super::{ask, code, fail, recover, status, uncached};
use crate::util::TestApp;

#[tokio::test]
async fn what_passes_by_itself_is_sent_again_and_nobody_sees_it() {
    let app = uncached().build().await;
    for (what, times) in [
        (status(502, None), 1),
        (status(503, None), 2),
        (status(504, Some("0")), 2),
        (status(429, Some("0")), 2),
        (FaultKind::Truncate, 2),
        // The second of them goes at once, on a connection of its own.
        (FaultKind::Reset, 3),
    ] {
        fail(app.brainstem(), Fault::new(what.clone()).times(times));
        ask(&app, 3).await.data();
        assert_eq!(app.brainstem().take_log().len(), times + 1, "{what:?}");
    }
    // Nothing more is sent where nothing fails.
    recover(app.brainstem());
    ask(&app, 3).await.data();
    assert_eq!(app.brainstem().take_log().len(), 1);
}

#[tokio::test]
async fn tries_are_bounded_and_can_be_turned_off() {
    for (setting, value, expected) in [
        ("LIMITS_UPSTREAM_TRIES", "3", 3),
        ("LIMITS_UPSTREAM_TRIES", "5", 5),
        ("LIMITS_UPSTREAM_TRIES", "1", 1),
        ("LIMITS_UPSTREAM_RETRY_PERCENT", "0", 1),
    ] {
        let app = uncached().set(setting, value).build().await;
        fail(app.brainstem(), Fault::new(status(503, None)));
        assert_eq!(code(&ask(&app, 3).await).unwrap(), "UPSTREAM_UNAVAILABLE");
        assert_eq!(app.brainstem().take_log().len(), expected, "{setting}={value}");
    }
}

#[tokio::test]
async fn what_would_fare_no_better_is_not_sent_again() {
    let app = uncached().set("BRAINSTEM_TIMEOUT_MS", "200").build().await;
    for what in [
        status(400, Some("0")),
        status(401, None),
        status(403, None),
        status(404, None),
        status(500, Some("0")),
        // Without being told when to come back, and too late.
        status(429, None),
        status(429, Some("3")),
        status(503, Some("3")),
        status(503, Some("18446744073709551615")),
        FaultKind::Redirect("/elsewhere/".to_owned()),
        FaultKind::Malformed,
        FaultKind::Hang,
        FaultKind::SlowBytes(Duration::from_millis(50)),
    ] {
        fail(app.brainstem(), Fault::new(what.clone()));
        assert!(code(&ask(&app, 3).await).is_some());
        assert_eq!(app.brainstem().take_log().len(), 1, "{what:?}");
    }
}

#[tokio::test]
async fn a_time_to_come_back_is_kept_where_it_lies_within_the_time_limit() {
    let app = uncached().build().await;
    fail(app.brainstem(), Fault::new(status(503, Some("1"))).times(1));
    ask(&app, 3).await.data();
    let log = app.brainstem().take_log();
    assert_eq!(log.len(), 2);
    assert!(log[1].at - log[0].at >= Duration::from_secs(1));

    let app = uncached().set("BRAINSTEM_TIMEOUT_MS", "900").build().await;
    fail(app.brainstem(), Fault::new(status(503, Some("1"))));
    let errors = ask(&app, 3).await.errors();
    // Told at once, and not as a time limit.
    let expected = json!({"code": "UPSTREAM_UNAVAILABLE", "source": "BRAINSTEM", "retryable": true, "retryAfter": 1,
        "httpStatus": 503});
    assert_eq!((&errors[0]["extensions"], app.brainstem().take_log().len()), (&expected, 1));
}

#[tokio::test]
async fn a_dying_upstream_is_not_flooded() {
    const READS: usize = 100;
    let app = uncached().set("LIMITS_UPSTREAM_PAUSE_MS", "0").build().await;
    fail(app.brainstem(), Fault::new(status(503, None)));
    let answers = join_all((1..=READS).map(|first| ask(&app, first))).await;
    assert!(answers.iter().all(|answer| code(answer).as_deref() == Some("UPSTREAM_UNAVAILABLE")));
    let retries = app.brainstem().take_log().len() - READS;
    // A fifth of them, and one for each of the ten seconds that are counted together.
    assert!((20..=30).contains(&retries), "{retries}");
}

#[tokio::test]
async fn each_source_has_a_budget_of_its_own() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").set("LIMITS_UPSTREAM_PAUSE_MS", "0");
    let app = app.build().await;
    fail(app.brainstem(), Fault::new(status(503, None)));
    join_all((1..=50).map(|first| ask(&app, first))).await;
    fail(app.haut_ai(), Fault::new(status(503, None)).times(2));
    app.query("{ datasets { name } }").await.data();
}
