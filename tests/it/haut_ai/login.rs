//! Logging in: once, for everybody, and not again and again.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{
    self, COMPANY_ID, DATASET_IDS, Fault, FaultKind, HAUT_AI_PASSWORD, HAUT_AI_TOKEN, HAUT_AI_USERNAME, LoggedRequest,
};

use crate::util::{Answer, Builder, TestApp, to_path};

fn with_login(username: &str, password: &str) -> Builder {
    TestApp::builder()
        .without_brainstem()
        .unset("HAUT_AI_TOKEN")
        .unset("HAUT_AI_COMPANY_ID")
        .set("HAUT_AI_USERNAME", username)
        .set("HAUT_AI_PASSWORD", password)
}

/// The dataset is configured: no query waits for another's list of datasets.
async fn logged_in() -> TestApp {
    with_login(HAUT_AI_USERNAME, HAUT_AI_PASSWORD).set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await
}

fn logins(log: &[LoggedRequest]) -> usize {
    to_path(log, "/auth/login/").len()
}

/// Queries none of which shares another's page.
async fn different(app: &TestApp, sizes: std::ops::Range<u64>) -> Vec<Answer> {
    let ask = |first| async move { app.query(&format!("{{ subjects(first: {first}) {{ nodes {{ name }} }} }}")).await };
    join_all(sizes.map(ask)).await
}

/// The login's only error: its code, and its extensions without it.
fn only_error(answer: &Answer) -> Value {
    let errors = answer.errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let text = answer.0.to_string();
    for secret in [HAUT_AI_USERNAME, HAUT_AI_PASSWORD, HAUT_AI_TOKEN, "wrong", "http:", "127.0.0.1", "one-time"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    errors[0]["extensions"].clone()
}

#[tokio::test]
async fn fifty_cold_queries_log_in_once_and_the_login_tells_the_company() {
    let app = logged_in().await;
    for answer in different(&app, 1..51).await {
        assert!(!answer.data()["subjects"]["nodes"].as_array().unwrap().is_empty());
    }
    let log = app.haut_ai().take_log();
    assert_eq!((logins(&log), log[0].path.as_str()), (1, "/api/v1/auth/login/"));
    assert_eq!(log[0].authorization, None);
    let body: Value = serde_json::from_slice(&log[0].body).unwrap();
    assert_eq!(body, json!({"username": HAUT_AI_USERNAME, "password": HAUT_AI_PASSWORD}));
    assert!(log[1..].iter().all(|request| request.path.contains(COMPANY_ID)));
}

#[tokio::test]
async fn a_token_rejected_in_the_middle_costs_one_login_and_nobody_sees_it() {
    let app = logged_in().await;
    different(&app, 1..2).await[0].data();
    app.clear_logs();
    app.haut_ai().expire_logins();
    different(&app, 2..30).await.iter().for_each(|answer| _ = answer.data());
    assert_eq!(logins(&app.haut_ai().take_log()), 1);
    app.haut_ai().revoke_logins();
    different(&app, 30..60).await.iter().for_each(|answer| _ = answer.data());
    assert_eq!(logins(&app.haut_ai().take_log()), 1);
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_of_a_burst_costs_one_login_and_nobody_sees_it() {
    let app = logged_in().await;
    different(&app, 1..2).await[0].data();
    app.clear_logs();
    app.haut_ai().set_knobs(|knobs| {
        knobs.latency = Duration::from_millis(20);
        knobs.faults.push(Fault::new(FaultKind::ExpireLogins).on_method("GET").every(20).times(1));
    });
    different(&app, 2..61).await.iter().for_each(|answer| _ = answer.data());
    let log = app.haut_ai().take_log();
    let refused = log.iter().filter(|request| request.status == 401).count();
    assert_eq!((logins(&log), log.len()), (1, 59 + refused + 1));
    // Some had their answers before, and more than one was refused.
    assert!((2..59).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires_and_used_on_where_that_fails() {
    let [renewed, stuck] = [(), ()].map(|()| {
        let builder = with_login(HAUT_AI_USERNAME, HAUT_AI_PASSWORD);
        builder.set("HAUT_AI_REFRESH_AFTER_MS", "1000").build()
    });
    let (renewed, stuck) = (renewed.await, stuck.await);
    for app in [&renewed, &stuck] {
        different(app, 1..2).await[0].data();
        app.clear_logs();
    }
    stuck.haut_ai().set_knobs(|knobs| {
        let throttled = FaultKind::Status(429, "{}".to_owned(), vec![("retry-after".to_owned(), "42".to_owned())]);
        knobs.faults.push(Fault::new(throttled).on_path("/auth/"));
    });
    tokio::time::sleep(Duration::from_millis(1_010)).await;

    different(&renewed, 2..20).await.iter().for_each(|answer| _ = answer.data());
    let log = renewed.haut_ai().take_log();
    assert_eq!((logins(&log), to_path(&log, "/auth/refresh/").len()), (0, 1));

    different(&stuck, 2..20).await.iter().for_each(|answer| _ = answer.data());
    let log = stuck.haut_ai().take_log();
    assert_eq!((logins(&log), to_path(&log, "/auth/refresh/").len()), (1, 1));
}

#[tokio::test]
async fn a_refused_login_is_an_error_without_secrets_and_not_repeated_at_once() {
    for (username, password, status) in
        [(HAUT_AI_USERNAME, "wrong", 401), (sandbox::HAUT_AI_MFA_USERNAME, HAUT_AI_PASSWORD, 400)]
    {
        let app = with_login(username, password).build().await;
        for answer in different(&app, 1..20).await.into_iter().chain(different(&app, 1..2).await) {
            assert_eq!(
                only_error(&answer),
                json!({"code": "UPSTREAM_ERROR", "source": "HAUT_AI", "retryable": false, "httpStatus": status})
            );
            assert!(!answer.0.to_string().contains(username));
        }
        assert_eq!(logins(&app.haut_ai().take_log()), 1);
    }
}

#[tokio::test]
async fn a_throttled_login_says_when_to_come_back_and_waits_itself() {
    let app = logged_in().await;
    app.haut_ai().set_knobs(|knobs| knobs.login_limit = Some(0));
    for answer in different(&app, 1..5).await.into_iter().chain(different(&app, 1..2).await) {
        let expected = json!({"code": "RATE_LIMITED", "source": "HAUT_AI", "retryable": true, "retryAfter": 42,
            "httpStatus": 429});
        assert_eq!(only_error(&answer), expected);
    }
    assert_eq!(logins(&app.haut_ai().take_log()), 1);
}

#[tokio::test]
async fn an_absurd_retry_after_of_a_login_harms_nobody() {
    let app = logged_in().await;
    let header = ("retry-after".to_owned(), u64::MAX.to_string());
    let throttled = FaultKind::Status(429, "{}".to_owned(), vec![header]);
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(throttled).on_path("/auth/")));
    for answer in different(&app, 1..3).await {
        assert_eq!(only_error(&answer)["code"], "RATE_LIMITED");
    }
}

#[tokio::test]
async fn whoever_waited_for_a_login_that_failed_shares_its_failure() {
    let app = logged_in().await;
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Html(503)).on_path("/auth/").times(1)));
    let answers = different(&app, 1..30).await;
    let failed = answers.iter().filter(|answer| !answer.errors().is_empty()).count();
    assert_eq!((failed, logins(&app.haut_ai().take_log())), (29, 1));
    // Nothing was refused, so that the next one may try at once.
    different(&app, 1..2).await[0].data();
}

#[tokio::test]
async fn the_token_may_stand_under_either_name() {
    for body in [
        json!({"company_id": COMPANY_ID, "access_token": HAUT_AI_TOKEN}),
        json!({"company_id": COMPANY_ID, "token_access": HAUT_AI_TOKEN, "access_token": null}),
        json!({"company_id": COMPANY_ID, "token_access": HAUT_AI_TOKEN, "access_token": ""}),
    ] {
        let app = logged_in().await;
        let fault = Fault::new(FaultKind::Status(200, body.to_string(), Vec::new())).on_path("/auth/login/");
        app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
        assert_eq!(app.query("{ datasets { name } }").await.data()["datasets"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_login_without_token_or_company_is_an_invalid_response() {
    for body in [
        json!({"company_id": COMPANY_ID}),
        json!({"access_token": HAUT_AI_TOKEN, "company_id": null}),
        json!({"access_token": "line\nbreak", "company_id": COMPANY_ID}),
        json!([1]),
    ] {
        let app = logged_in().await;
        let fault = Fault::new(FaultKind::Status(200, body.to_string(), Vec::new())).on_path("/auth/login/");
        app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
        assert_eq!(only_error(&app.query("{ datasets { name } }").await)["code"], "UPSTREAM_INVALID_RESPONSE");
    }
}

#[tokio::test]
async fn a_token_that_is_rejected_right_after_its_login_ends_the_tries() {
    let app = logged_in().await;
    let body = json!({"company_id": COMPANY_ID, "access_token": "wrong"});
    let fault = Fault::new(FaultKind::Status(200, body.to_string(), Vec::new())).on_path("/auth/login/");
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
    for first in 1..5 {
        let answer = different(&app, first..first + 1).await.remove(0);
        assert_eq!(only_error(&answer)["code"], "UPSTREAM_ERROR");
    }
    assert_eq!(logins(&app.haut_ai().take_log()), 2);
}

#[tokio::test]
async fn a_refused_private_token_is_the_gateways_fault_and_not_the_callers() {
    let app = TestApp::builder().without_brainstem().set("HAUT_AI_TOKEN", "wrong").build().await;
    let dataset = DATASET_IDS[0];
    let answer = app.query("{ datasets { name } }").await;
    assert_eq!(
        only_error(&answer),
        json!({"code": "UPSTREAM_ERROR", "source": "HAUT_AI", "retryable": false, "httpStatus": 401})
    );
    let by =
        format!("{{ subject(by: {{hautAi: {{datasetId: \"{dataset}\", subjectId: \"{dataset}\"}}}}) {{ name }} }}");
    assert_eq!(only_error(&app.query(&by).await)["code"], "UPSTREAM_ERROR");
    let log = app.haut_ai().take_log();
    assert!(log.len() == 2 && logins(&log) == 0, "a private token is not tried twice");
}
