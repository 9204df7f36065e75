//! The issuer's keys by URL: when they are fetched, and what becomes of callers where they can't be.

use axum::http::StatusCode;
use futures::future::join_all;
use serde_json::json;

use super::{
    LIST,
    issuer::{Answer, Jwks, Key},
    jwt::post,
    outcome,
};
use crate::util::TestApp;

async fn status(app: &TestApp, token: &str) -> StatusCode {
    post(app, token, "{ __typename }").await.status
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_wait_and_not_again() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    let app = jwks.builder().build().await;
    assert_eq!(jwks.asked(), 0);
    let tokens: Vec<_> = (0..100).map(|number| key.token(json!({"jti": number}))).collect();
    let statuses = join_all(tokens.iter().map(|token| status(&app, token))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(jwks.asked(), 1);
    assert_eq!(outcome(&post(&app, &key.token(json!({})), LIST).await).0, "");
    assert_eq!(jwks.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_noticed_and_one_that_is_gone_is_good_no_more() {
    let (old, new) = (Key::p256("old"), Key::rsa("new"));
    let jwks = Jwks::start(&[&old]).await;
    let app = jwks.builder().build().await;
    let (first, second) = (old.token(json!({})), new.token(json!({})));
    assert_eq!(status(&app, &first).await, StatusCode::OK);
    jwks.publish(&[&new]);
    assert_eq!(status(&app, &first).await, StatusCode::OK);
    assert_eq!(status(&app, &second).await, StatusCode::OK);
    assert_eq!(jwks.asked(), 2);
    // Also where it was verified before.
    assert_eq!(status(&app, &first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(jwks.asked(), 2);
}

#[tokio::test]
async fn keys_that_nobody_knows_do_not_flood_the_issuer() {
    let (key, stranger) = (Key::p256("a"), Key::p256("b"));
    let jwks = Jwks::start(&[&key]).await;
    let app = jwks.builder().build().await;
    let unknown: Vec<_> =
        (0..200).map(|number| stranger.token_as(json!({"kid": format!("k{number}")}), json!({}))).collect();
    for tokens in unknown.chunks(50) {
        let statuses = join_all(tokens.iter().map(|token| status(&app, token))).await;
        assert!(statuses.iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{statuses:?}");
    }
    assert_eq!(jwks.asked(), 2);
    assert_eq!(status(&app, &key.token(json!({}))).await, StatusCode::OK);
    // A key that is there and not made for the algorithm is nothing to ask for.
    for _ in 0..10 {
        let unfit = Key::rsa("a").token(json!({}));
        assert_eq!(status(&app, &unfit).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(jwks.asked(), 2);
}

#[tokio::test]
async fn keys_are_good_while_the_issuer_is_out_of_order() {
    let (key, other) = (Key::p256("a"), Key::p256("b"));
    let elsewhere = Jwks::start(&[&other]).await;
    let faults = [
        Answer::Status(503),
        Answer::Redirect(elsewhere.url.clone()),
        Answer::Text("<html>".into()),
        Answer::Text(json!({"keys": []}).to_string()),
        Answer::Text(json!({"keys": [other.jwk()], "pad": "x".repeat(262_144)}).to_string()),
    ];
    for fault in faults {
        let jwks = Jwks::start(&[&key]).await;
        let app = jwks.builder().build().await;
        assert_eq!(status(&app, &key.token(json!({"jti": 1}))).await, StatusCode::OK);
        jwks.answer(fault);
        assert_eq!(status(&app, &other.token(json!({}))).await, StatusCode::UNAUTHORIZED);
        assert_eq!(jwks.asked(), 2);
        assert_eq!(status(&app, &key.token(json!({"jti": 2}))).await, StatusCode::OK);
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn without_keys_nobody_can_tell_who_asks() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    jwks.answer(Answer::Status(500));
    let app = jwks.builder().build().await;
    for _ in 0..5 {
        let answer = post(&app, &key.token(json!({})), LIST).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "UPSTREAM_UNAVAILABLE"));
        assert_eq!(answer.json()["errors"][0]["extensions"]["retryable"], true);
        assert!(answer.header("retry-after").parse::<u32>().is_ok());
        assert_eq!(answer.header("www-authenticate"), "");
    }
    assert_eq!(jwks.asked(), 1);
    // What is no token needs no keys to be told.
    assert_eq!(status(&app, "guessed").await, StatusCode::UNAUTHORIZED);
}
