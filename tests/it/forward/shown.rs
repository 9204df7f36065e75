//! How callers show their credentials, and how they may not.

use axum::http::StatusCode;
use serde_json::{Value, json};
use subject_gateway::{
    sandbox::{BRAINSTEM_TOKEN, HAUT_AI_TOKEN},
    sources::MAX_CREDENTIAL,
};

use super::{ALL, BRAINSTEM, By, FEW, HAUT_AI, send};
use crate::{
    events::socket::{Gateway, PROTOCOL},
    util::TestApp,
};

const BOTH: &str = "{ datasets { id } strains(first: 1) { nodes { id } } }";
const ANIMALS: &str = "{ subjects(first: 3, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

fn body(query: &str) -> Value {
    json!({"query": query, "variables": {}})
}

#[tokio::test]
async fn with_or_without_a_scheme_it_is_the_same_credential() {
    let app = TestApp::builder().forward().build().await;
    let expected = send(&app.app, &ALL.headers(), By::Post, &body(BOTH)).await.json();
    assert_eq!(expected.get("errors"), None);
    app.clear_logs();
    let [haut_ai, brainstem] = [HAUT_AI_TOKEN, BRAINSTEM_TOKEN].map(|token| format!("Bearer {token}"));
    let headers = [(HAUT_AI, haut_ai.as_str()), (BRAINSTEM, brainstem.as_str())];
    assert_eq!(send(&app.app, &headers, By::Post, &body(BOTH)).await.json(), expected);
    assert_eq!(app.haut_ai().log().len() + app.brainstem().log().len(), 0);
    // An older server knows another scheme.
    let app = TestApp::builder().legacy().forward().build().await;
    let answer = send(&app.app, &ALL.headers(), By::Post, &body(ANIMALS)).await;
    assert_eq!(answer.json().get("errors"), None, "{}", answer.text());
    assert_eq!(app.brainstem().log()[0].authorization, Some(format!("Token {BRAINSTEM_TOKEN}")));
}

#[tokio::test]
async fn what_is_no_credential_is_refused_without_showing_it() {
    let app = TestApp::builder().forward().build().await;
    let long = format!("planted-{}", "x".repeat(MAX_CREDENTIAL));
    for shown in ["", "planted two words", "planted\ttab", "plantedé", &long] {
        for name in [HAUT_AI, BRAINSTEM] {
            for by in [By::Post, By::Get, By::Stream] {
                let answer = send(&app.app, &[(name, shown)], by, &body(BOTH)).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"),
                    "{shown}"
                );
                assert!(answer.message().to_ascii_lowercase().contains(name), "{}", answer.message());
                assert!(!answer.text().contains("planted"), "{}", answer.text());
            }
        }
    }
    for (name, token) in ALL.headers() {
        for second in [token, "another"] {
            let answer = send(&app.app, &[(name, token), (name, second)], By::Post, &body(BOTH)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            assert!(answer.message().contains("twice"), "{}", answer.message());
        }
    }
    assert_eq!(app.haut_ai().log().len() + app.brainstem().log().len(), 0);
}

#[tokio::test]
async fn a_websocket_shows_them_in_its_handshake_or_its_init() {
    let gateway = Gateway::of(TestApp::builder().forward()).await;
    let [(haut_ai, all), (brainstem, few)] = [(HAUT_AI, HAUT_AI_TOKEN), (BRAINSTEM, BRAINSTEM_TOKEN)];
    // Each in another place, in names of any case; or the same in both.
    let good = [
        (vec![(haut_ai, all)], json!({"X-BrainSTEM-Authorization": few})),
        (vec![(brainstem, few)], json!({"X-HAUT-AI-AUTHORIZATION": format!("Bearer {all}")})),
        (ALL.headers(), ALL.payload()),
        (ALL.headers(), Value::Null),
    ];
    for (headers, payload) in good {
        let mut socket = gateway.open(&[vec![PROTOCOL], headers].concat()).await;
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
        socket.subscribe("1", BOTH, json!({})).await;
        let answer = socket.event().await;
        assert!(answer.get("errors").is_none(), "{answer}");
    }
    let mut socket = gateway.socket().await;
    socket.subscribe("1", "{ datasets { id } }", json!({})).await;
    assert_eq!(socket.event().await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");

    let long = "x".repeat(MAX_CREDENTIAL + 1);
    let bad = [
        json!({HAUT_AI: "planted two words"}),
        json!({BRAINSTEM: ""}),
        json!({BRAINSTEM: 7}),
        json!({BRAINSTEM: null}),
        json!({BRAINSTEM: long}),
        json!({HAUT_AI: all, "X-Haut-AI-Authorization": all}),
    ];
    for payload in bad {
        let mut socket = gateway.open(&[PROTOCOL]).await;
        socket.send(json!({"type": "connection_init", "payload": payload})).await;
        let (code, reason) = socket.closed().await;
        assert!(code == 4400 && reason.contains("Authorization") && !reason.contains("planted"), "{code} {reason}");
    }
    // Neither of two that differ counts.
    let mut socket = gateway.open(&[vec![PROTOCOL], ALL.headers()].concat()).await;
    socket.send(json!({"type": "connection_init", "payload": FEW.payload()})).await;
    assert_eq!(socket.closed().await.0, 4400);
    let (head, _) = gateway.upgrade(&[PROTOCOL, (HAUT_AI, "planted two words")]).await;
    assert!(head.starts_with("http/1.1 400") && !head.contains("planted"), "{head}");
}

#[tokio::test]
async fn the_gateways_own_credentials_heed_nobody_elses() {
    let app = TestApp::new().await;
    let expected = app.query(ANIMALS).await.0;
    app.clear_logs();
    for headers in [FEW.headers(), vec![(BRAINSTEM, "planted two words")], vec![(HAUT_AI, "a"), (HAUT_AI, "b")]] {
        assert_eq!(send(&app.app, &headers, By::Post, &body(ANIMALS)).await.json(), expected);
    }
    assert_eq!(app.brainstem().log().len(), 0);
}

#[tokio::test]
async fn an_answer_is_for_its_caller_alone() {
    let app = TestApp::builder().forward().build().await;
    let by = async |tenant: super::Tenant| send(&app.app, &tenant.headers(), By::Get, &body(ANIMALS)).await;
    let (all, few) = (by(ALL).await, by(FEW).await);
    for answer in [&all, &few] {
        assert_eq!(answer.header("cache-control"), "private, no-cache");
    }
    assert_ne!(all.header("etag"), few.header("etag"));
    // What another one was told is not what this one has.
    let mut headers = FEW.headers();
    headers.push(("if-none-match", all.header("etag")));
    assert_eq!(send(&app.app, &headers, By::Get, &body(ANIMALS)).await.status, StatusCode::OK);
    let public = TestApp::builder().forward().set("BRAINSTEM_PORTAL", "public").build().await;
    let answer = send(&public.app, &ALL.headers(), By::Get, &body(ANIMALS)).await;
    assert!(answer.header("cache-control").starts_with("public"), "{}", answer.header("cache-control"));
    let both = "{ datasets { id } subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";
    let answer = send(&public.app, &ALL.headers(), By::Get, &body(both)).await;
    assert_eq!(answer.header("cache-control"), "private, no-cache");
}

#[tokio::test]
async fn members_of_a_batch_are_asked_with_what_their_caller_brings() {
    let app = TestApp::builder().forward().set("LIMITS_BATCH", "4").build().await;
    let member = json!({"query": ANIMALS});
    for tenant in [ALL, FEW] {
        let one = send(&app.app, &tenant.headers(), By::Post, &body(ANIMALS)).await.json();
        let all = send(&app.app, &tenant.headers(), By::Post, &json!([member, member])).await.json();
        assert_eq!(all, json!([one, one]));
    }
}
