//! Callers with JWTs: which are good, and what they allow over each transport.

use axum::{
    body::Body,
    http::{Method, StatusCode, header::CONTENT_TYPE},
};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    LIST, asked,
    issuer::{AUDIENCE, FAR, Jwks, Key, builder, forged, set},
    outcome,
};
use crate::{
    http::{self, Answer, request},
    util::TestApp,
};

pub(super) async fn send(app: &TestApp, method: Method, uri: &str, authorization: &[&str], body: &str) -> Answer {
    let request = request(method, uri).header(CONTENT_TYPE, "application/json");
    let request = authorization.iter().fold(request, |request, value| request.header("authorization", *value));
    http::send(app.app.front(), request.body(Body::from(body.to_owned())).unwrap()).await
}

pub(super) async fn post(app: &TestApp, token: &str, query: &str) -> Answer {
    let authorization = format!("Bearer {token}");
    send(app, Method::POST, "/graphql", &[&authorization], &json!({ "query": query }).to_string()).await
}

/// A gateway that knows these keys by a file.
async fn knowing(keys: &[&Key], algorithms: &str) -> (TestApp, NamedTempFile) {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set(keys).to_string()).unwrap();
    let builder = builder().set("JWT_JWKS_FILE", file.path().to_str().unwrap()).set("JWT_ALGORITHMS", algorithms);
    (builder.build().await, file)
}

#[tokio::test]
async fn a_good_token_is_let_in_however_it_is_signed() {
    let all = "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA";
    let (rsa, p256, p384, ed) = (Key::rsa("rsa"), Key::p256("p256"), Key::p384("p384"), Key::ed25519("ed"));
    let (app, _file) = knowing(&[&rsa, &p256, &p384, &ed], all).await;
    for algorithm in all.split(',') {
        let key = match algorithm {
            "ES256" => &p256,
            "ES384" => &p384,
            "EdDSA" => &ed,
            _ => &rsa,
        };
        let token = key.token_as(json!({"alg": algorithm}), json!({}));
        for _ in ["verified", "remembered"] {
            assert_eq!(outcome(&post(&app, &token, LIST).await).0, "", "{algorithm}");
        }
        // By the only key that it can mean.
        if key.id != "rsa" {
            let token = key.token_as(json!({"alg": algorithm, "kid": null}), json!({"jti": "2"}));
            assert_eq!(post(&app, &token, LIST).await.status, StatusCode::OK, "{algorithm}");
        }
    }
    let claims = [
        json!({"aud": ["x", AUDIENCE]}),
        json!({"exp": 4_102_444_800.5, "nbf": 0, "iat": "odd", "roles": {"odd": 1}}),
        json!({"aud": "somebody-else"}),
    ];
    for claims in claims {
        assert_eq!(outcome(&post(&app, &p256.token(claims.clone()), LIST).await).0, "", "{claims}");
    }
    let token = p256.token(json!({"jti": "scheme"}));
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let shown = format!("{scheme} {token}");
        let answer = send(&app, Method::GET, "/graphql?query={__typename}", &[&shown], "").await;
        assert_eq!(answer.status, StatusCode::OK, "{scheme}");
    }
}

/// Tokens that are not good, and what their bearers are told.
fn bad_tokens(rsa: &Key, p256: &Key) -> Vec<(String, &'static str)> {
    let stranger = Key::p256("p256");
    let good = p256.token(json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let other_claims = p256.token(json!({"scope": "admin"}));
    let swapped = format!("{}.{}.{}", parts[0], other_claims.split('.').nth(1).unwrap(), parts[2]);
    // The oldest trick: the public key as a shared secret.
    let secret = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let by_secret = |message: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::sign(&key, message).as_ref().to_vec()
    };
    let embedded = json!({"kid": "mine", "jwk": stranger.jwk(), "jku": "http://127.0.0.1:9/keys"});
    let (unreadable, signature, algorithm, claim) =
        ("can be read", "not signed by a key", "not allowed here", "lacks a claim");
    vec![
        (p256.token(json!({"exp": 1_000_000_000})), "has expired"),
        (p256.token(json!({"nbf": FAR - 1})), "not good yet"),
        (p256.token(json!({"iss": "https://issuer.example"})), "another issuer"),
        (p256.token(json!({"iss": null})), claim),
        (p256.token(json!({"aud": "subject-gateway-2"})), "another audience"),
        (p256.token(json!({"aud": ["x"]})), "another audience"),
        (p256.token(json!({"aud": null})), claim),
        (p256.token(json!({"exp": null})), unreadable),
        (p256.token(json!({"exp": FAR.to_string()})), unreadable),
        (p256.token(json!({"nbf": "later"})), claim),
        (forged(&json!({"alg": "none"}), |_| Vec::new()), unreadable),
        (forged(&json!({"alg": "none", "kid": "p256"}), |_| b"x".to_vec()), unreadable),
        (forged(&json!({"alg": "HS256", "kid": "rsa"}), by_secret), algorithm),
        (forged(&json!({"alg": "HS256"}), by_secret), algorithm),
        (rsa.token_as(json!({"alg": "RS384"}), json!({})), algorithm),
        (rsa.token_as(json!({"kid": "unknown"}), json!({})), signature),
        (rsa.token_as(json!({"kid": "p256"}), json!({})), signature),
        (p256.token_as(json!({"kid": "rsa"}), json!({})), signature),
        (rsa.token_as(json!({"kid": "rsa for encryption"}), json!({})), signature),
        (stranger.token(json!({})), signature),
        (stranger.token_as(json!({"kid": null}), json!({})), signature),
        (stranger.token_as(embedded, json!({})), signature),
        (swapped, signature),
        (format!("{}.{}.", parts[0], parts[1]), signature),
        (format!("{good}A"), signature),
        (format!("{}.{}.{}", parts[0], parts[1], "*".repeat(86)), unreadable),
        (format!("*.{}.{}", parts[1], parts[2]), unreadable),
        (format!("{}.{}", parts[0], parts[1]), unreadable),
        (format!("{good}.x.y"), unreadable),
        (format!("x{good}"), unreadable),
        (p256.token_as(json!({"crit": ["exp"], "exp": FAR}), json!({})), unreadable),
        (p256.token_as(json!({"crit": []}), json!({})), unreadable),
        (p256.token(json!({"long": "x".repeat(16_384)})), "at most 16 KiB"),
        ("guessed".into(), unreadable),
        (String::new(), unreadable),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_with_a_reason_and_is_not_shown() {
    let (rsa, p256) = (Key::rsa("rsa"), Key::p256("p256"));
    let file = NamedTempFile::new().unwrap();
    let mut keys = set(&[&rsa, &p256]);
    let mut for_encryption = rsa.jwk();
    for_encryption["kid"] = json!("rsa for encryption");
    for_encryption["use"] = json!("enc");
    keys["keys"].as_array_mut().unwrap().push(for_encryption);
    std::fs::write(file.path(), keys.to_string()).unwrap();
    let app = builder().set("JWT_JWKS_FILE", file.path().to_str().unwrap()).build().await;
    for (token, expected) in bad_tokens(&rsa, &p256) {
        let answer = post(&app, &token, LIST).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"), "{token}");
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        assert!(answer.message().contains(expected), "{token}: {}", answer.message());
        assert!(token.is_empty() || !answer.json().to_string().contains(&token));
    }
    let good = format!("Bearer {}", p256.token(json!({})));
    let two = send(&app, Method::POST, "/graphql", &[&good, &good], "").await;
    assert_eq!(
        (two.status, two.header("www-authenticate")),
        (StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\"")
    );
    let (scheme, token) = good.split_once(' ').unwrap();
    let nothing: [&[&str]; 4] = [&[], &["Basic YTpi"], &[token], &["DPoP"]];
    for shown in nothing {
        let answer = send(&app, Method::POST, "/graphql", shown, "").await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, scheme), "{shown:?}");
        assert!(answer.message().contains("Authorization: Bearer"), "{}", answer.message());
    }
    assert_eq!(asked(&app), 0);
    assert_eq!(post(&app, token, LIST).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_address_is_for_bearers_alone_and_each_scope_allows_its_own() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    let app = jwks.builder().set("GATEWAY_PLAYGROUND", "true").build().await;
    let body = json!({ "query": LIST }).to_string();
    let query = http::graphql_uri(&[("query", LIST)]);
    let stream = query.replacen("/graphql?", "/graphql/stream?", 1);
    let purge = r#"{"source": "BRAINSTEM"}"#;
    let addresses = [
        (Method::POST, "/graphql", body.as_str()),
        (Method::GET, query.as_str(), ""),
        (Method::POST, "/graphql/stream", body.as_str()),
        (Method::GET, stream.as_str(), ""),
        (Method::GET, "/metrics", ""),
        (Method::POST, "/admin/purge", purge),
    ];
    let bearer = |claims: Value| format!("Bearer {}", key.token(claims));
    let admin = bearer(json!({"scope": "admin subjects:read"}));
    for (method, address, body) in addresses {
        for stranger in [&[][..], &["Bearer guessed"]] {
            let answer = send(&app, method.clone(), address, stranger, body).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
                "{address}"
            );
        }
        let answer = send(&app, method, address, &[&admin], body).await;
        assert!(answer.status == StatusCode::OK || answer.status == StatusCode::NOT_ACCEPTABLE, "{address}");
    }
    for open in ["/health/live", "/graphiql"] {
        assert_eq!(send(&app, Method::GET, open, &[], "").await.status, StatusCode::OK, "{open}");
    }
    let delete = "mutation { subjectsDelete(ids: []) { userErrors { message } } }";
    let table = [
        (json!({}), "", "FORBIDDEN"),
        (json!({"scope": null, "scp": ["subjects:read", "subjects:erase"]}), "", ""),
        (json!({"scope": "openid", "roles": ["subjects:erase"]}), "FORBIDDEN", ""),
        (json!({"scope": "openid profile subjects:all"}), "FORBIDDEN", "FORBIDDEN"),
        (json!({"scope": null}), "FORBIDDEN", "FORBIDDEN"),
    ];
    for (claims, reads, erases) in table {
        let token = key.token(claims.clone());
        assert_eq!(outcome(&post(&app, &token, LIST).await).0, reads, "{claims}");
        assert_eq!(outcome(&post(&app, &token, delete).await).0, erases, "{claims}");
        let bearer = format!("Bearer {token}");
        assert_eq!(send(&app, Method::GET, "/metrics", &[&bearer], "").await.status, StatusCode::FORBIDDEN);
        assert_eq!(send(&app, Method::POST, "/admin/purge", &[&bearer], purge).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(jwks.asked(), 1);
}

#[tokio::test]
async fn keys_of_a_file_are_read_anew_and_what_they_verified_is_forgotten() {
    let (old, new) = (Key::p256("old"), Key::p256("new"));
    let (app, file) = knowing(&[&old], "ES256").await;
    let (first, second) = (old.token(json!({})), new.token(json!({})));
    assert_eq!(post(&app, &first, LIST).await.status, StatusCode::OK);
    assert_eq!(post(&app, &second, LIST).await.status, StatusCode::UNAUTHORIZED);
    std::fs::write(file.path(), set(&[&new]).to_string()).unwrap();
    let noticed = async {
        while post(&app, &second, LIST).await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = noticed => {}
        () = app.app.keep_up() => unreachable!("it does not end"),
    }
    assert_eq!(post(&app, &first, LIST).await.status, StatusCode::UNAUTHORIZED);
}
