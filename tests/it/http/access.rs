//! The HTTP layer in process: who may ask, and what lies around GraphQL.

use std::io::Read as _;

use axum::{
    body::{Body, to_bytes},
    http::{
        Method, Request, StatusCode, Uri,
        header::{CONTENT_TYPE, HOST, LOCATION},
    },
};
use serde_json::json;
use tower::ServiceExt as _;

use super::{TYPENAME, app, fetch, post, request, send, send_body};

#[tokio::test]
async fn pages_and_the_schema_are_there_unless_turned_off() {
    let on = app(&[]);
    let answer = fetch(&on, "/").await;
    assert_eq!((answer.status, answer.header(LOCATION)), (StatusCode::SEE_OTHER, "/graphiql"));
    let answer = fetch(&on, "/schema.graphql").await;
    assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (StatusCode::OK, "text/plain; charset=utf-8"));
    assert!(answer.body.contains("type Query"));

    let off = app(&[("GATEWAY_PLAYGROUND", "false"), ("GATEWAY_INTROSPECTION", "false")]);
    for address in ["/", "/graphiql", "/schema.graphql"] {
        assert_eq!(fetch(&off, address).await.status, StatusCode::NOT_FOUND, "{address}");
    }
    let answer = send_body(&off, "*/*", r#"{"query":"{ __schema { queryType { name } } }"}"#).await;
    assert!(!answer.body.contains("queryType\":{"), "{}", answer.body);
}

#[tokio::test]
async fn readiness_ends_with_the_shutdown_and_liveness_does_not() {
    let app = app(&[]);
    assert_eq!(fetch(&app, "/health/ready").await.status, StatusCode::OK);
    app.readiness().set_shutting_down();
    let answer = fetch(&app, "/health/ready").await;
    assert_eq!((answer.status, answer.json()), (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "shutting down"})));
    assert_eq!(fetch(&app, "/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_hosts_that_are_ours_are_served() {
    let app = app(&[("GATEWAY_ALLOWED_HOSTS", "gateway.internal,10.0.0.5")]);
    let status = async |host: &[&str], target: &str| {
        let mut request = Request::get(target.parse::<Uri>().unwrap());
        for host in host {
            request = request.header(HOST, *host);
        }
        send(app.front(), request.body(Body::empty()).unwrap()).await.status
    };
    let ours =
        ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.8.8.8", "[::1]:8080", "gateway.internal", "10.0.0.5:1"];
    for host in ours {
        assert_eq!(status(&[host], "/schema.graphql").await, StatusCode::OK, "{host}");
    }
    let foreign = [
        "evil.example",
        "localhost.evil.example",
        "gateway.internal.evil.example",
        "10.0.0.6",
        "0.0.0.0",
        "me@localhost",
    ];
    for host in foreign {
        assert_eq!(status(&[host], "/schema.graphql").await, StatusCode::MISDIRECTED_REQUEST, "{host}");
        assert_eq!(status(&[host], "/health/live").await, StatusCode::OK, "{host}");
    }
    let foreign_target = "http://evil.example/schema.graphql";
    assert_eq!(status(&["localhost"], foreign_target).await, StatusCode::MISDIRECTED_REQUEST);
    let own_target = "http://localhost/schema.graphql";
    assert_eq!(status(&["evil.example"], own_target).await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(status(&["localhost"], own_target).await, StatusCode::OK);
    assert_eq!(status(&[], "/schema.graphql").await, StatusCode::BAD_REQUEST);
    assert_eq!(status(&["localhost", "localhost"], "/schema.graphql").await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_sane_request_id_is_taken_over() {
    let app = app(&[]);
    let id = async |given: &str| {
        let request = post().header("x-request-id", given).body(TYPENAME.into()).unwrap();
        send(app.front(), request).await.header("x-request-id").to_owned()
    };
    assert_eq!(id("trace-42").await, "trace-42");
    let long = "x".repeat(129);
    for given in ["", "two words", long.as_str()] {
        let made = id(given).await;
        assert!(made != given && uuid::Uuid::try_parse(&made).is_ok(), "{made}");
    }
}

#[tokio::test]
async fn cors_is_off_until_origins_are_named() {
    let allowed = async |origins: &str, origin: &str| {
        let app = app(&[("GATEWAY_CORS_ORIGINS", origins)]);
        let preflight = request(Method::OPTIONS, "/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-client");
        let preflight = send(app.front(), preflight.body(Body::empty()).unwrap()).await;
        let answer = send(app.front(), post().header("origin", origin).body("{".into()).unwrap()).await;
        let allowed = answer.header("access-control-allow-origin").to_owned();
        assert_eq!(preflight.header("access-control-allow-origin"), allowed);
        if !allowed.is_empty() {
            assert_eq!(preflight.header("access-control-allow-headers"), "content-type,x-client");
        }
        !allowed.is_empty()
    };
    assert!(!allowed("", "http://localhost:3000").await);
    assert!(allowed("localhost", "http://localhost:3000").await);
    assert!(allowed("localhost", "https://[::1]:3000").await);
    assert!(!allowed("localhost", "https://localhost.evil.example").await);
    assert!(allowed("https://app.example", "https://app.example").await);
    assert!(!allowed("https://app.example", "http://app.example").await);
    assert!(!allowed("https://app.example", "null").await);
}

#[tokio::test]
async fn long_answers_of_every_kind_are_compressed_for_those_who_can_read_them() {
    let app = app(&[("LIMITS_BATCH", "2")]);
    let query = json!({"query": "{ __schema { types { name description fields { name description } } } }"});
    let refused = json!({ "query": format!("{{ {} }}", ["nothing "; 50].join("a")) });
    for body in [query.clone(), json!([query, query]), refused] {
        let body = body.to_string();
        for _ in ["made", "at hand"] {
            let request = post().header("accept-encoding", "gzip").body(Body::from(body.clone())).unwrap();
            let response = app.front().oneshot(request).await.unwrap();
            assert_eq!(response.headers()["content-encoding"], "gzip");
            let compressed = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let plain = send_body(&app, "*/*", body.clone()).await;
            assert!(!plain.headers.contains_key("content-encoding"));
            let mut read = String::new();
            flate2::read::GzDecoder::new(&*compressed).read_to_string(&mut read).unwrap();
            assert_eq!(read, plain.body);
        }
    }
}
