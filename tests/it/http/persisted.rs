//! Automatic persisted queries: hashes in place of queries.

use axum::http::{
    Method, StatusCode,
    header::{ALLOW, CACHE_CONTROL},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{GRAPHQL_RESPONSE, app, ask, fetch, graphql_uri, request, send};

const NAME: &str = "{ __typename }";
const NAMED: &str = r#"{"data":{"__typename":"Query"}}"#;

pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

pub(super) fn by_hash(hash: &str) -> Value {
    json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}})
}

pub(crate) fn with_hash(text: &str) -> Value {
    let mut body = by_hash(&sha256(text));
    body["query"] = text.into();
    body
}

fn uri(hash: &str) -> String {
    graphql_uri(&[("extensions", &by_hash(hash)["extensions"].to_string())])
}

#[tokio::test]
async fn a_query_runs_by_its_hash_once_it_was_sent_with_it() {
    let app = app(&[]);
    let hash = sha256(NAME);
    for (accept, status) in [(GRAPHQL_RESPONSE, StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK)] {
        let answer = ask(&app, accept, &by_hash(&hash)).await;
        assert_eq!((answer.status, answer.message().as_str()), (status, "PersistedQueryNotFound"));
        assert_eq!((answer.code().as_str(), answer.header(CACHE_CONTROL)), ("PERSISTED_QUERY_NOT_FOUND", "no-store"));
    }
    assert_eq!(ask(&app, "*/*", &with_hash(NAME)).await.body, NAMED);
    assert_eq!(ask(&app, "*/*", &by_hash(&hash)).await.body, NAMED);
    assert_eq!(fetch(&app, &uri(&hash)).await.body, NAMED);
    // An empty query is none.
    let mut empty = by_hash(&hash);
    empty["query"] = "".into();
    assert_eq!(ask(&app, "*/*", &empty).await.body, NAMED);
    // The specification's own way to name a document.
    assert_eq!(ask(&app, "*/*", &json!({"documentId": format!("sha256:{hash}")})).await.body, NAMED);
}

#[tokio::test]
async fn a_hash_may_be_registered_over_get() {
    let app = app(&[]);
    let hash = sha256(NAME);
    assert_eq!(fetch(&app, &uri(&hash)).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    let extensions = by_hash(&hash)["extensions"].to_string();
    let both = graphql_uri(&[("query", NAME), ("extensions", &extensions)]);
    assert_eq!(fetch(&app, &both).await.body, NAMED);
    assert_eq!(fetch(&app, &uri(&hash)).await.body, NAMED);
}

#[tokio::test]
async fn a_mutation_is_not_run_over_get_by_its_hash_either() {
    let app = app(&[]);
    let mutation = "mutation { subjectDelete(id: \"x\") { deletedId } }";
    assert_eq!(ask(&app, "*/*", &with_hash(mutation)).await.status, StatusCode::OK);
    for method in [Method::GET, Method::HEAD] {
        let request = request(method, &uri(&sha256(mutation))).body(axum::body::Body::empty()).unwrap();
        let answer = send(app.front(), request).await;
        assert_eq!((answer.status, answer.header(ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    }
}

#[tokio::test]
async fn variables_and_the_operation_come_with_the_hash() {
    let app = app(&[]);
    let text = "query A($name: String!) { __type(name: $name) { name } } query B { __typename }";
    let mut body = with_hash(text);
    body["operationName"] = "B".into();
    assert_eq!(ask(&app, "*/*", &body).await.body, NAMED);
    let mut body = by_hash(&sha256(text));
    body["operationName"] = "A".into();
    body["variables"] = json!({"name": "Sex"});
    assert_eq!(ask(&app, "*/*", &body).await.body, r#"{"data":{"__type":{"name":"Sex"}}}"#);
}

#[tokio::test]
async fn a_hash_that_is_not_the_querys_is_refused() {
    let app = app(&[]);
    let mut body = with_hash(NAME);
    body["query"] = "{ other: __typename }".into();
    for accept in [GRAPHQL_RESPONSE, "application/json"] {
        let answer = ask(&app, accept, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
        assert!(answer.message().starts_with("provided sha does not match query"), "{}", answer.body);
    }
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(NAME))).await.code(), "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn an_extension_of_another_shape_is_told_what_was_expected() {
    let app = app(&[]);
    let version = "Expected 1 in `extensions.persistedQuery.version`.";
    let hash = "Expected a non-empty string in `extensions.persistedQuery.sha256Hash`.";
    let table = [
        (json!({"version": 2, "sha256Hash": "x"}), version),
        (json!({"sha256Hash": "x"}), version),
        (json!("x"), version),
        (json!({"version": 1}), hash),
        (json!({"version": 1, "sha256Hash": 1}), hash),
        (json!({"version": 1, "sha256Hash": ""}), hash),
    ];
    for (persisted, message) in table {
        for query in [Value::Null, NAME.into()] {
            let answer = ask(&app, "*/*", &json!({"query": query, "extensions": {"persistedQuery": persisted}})).await;
            assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, message));
        }
    }
    let answer = ask(&app, "*/*", &json!({"query": NAME, "extensions": {"persistedQuery": null}})).await;
    assert_eq!(answer.body, NAMED);
    let answer = ask(&app, "*/*", &json!({"documentId": 7})).await;
    assert_eq!(answer.message(), "Expected a string or null in `documentId`.");
}

#[tokio::test]
async fn what_does_not_parse_is_not_remembered() {
    let app = app(&[]);
    let text = "{ __typename";
    assert_eq!(ask(&app, "*/*", &with_hash(text)).await.code(), "GRAPHQL_PARSE_FAILED");
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(text))).await.code(), "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test]
async fn queries_are_kept_within_the_bytes_allowed() {
    let app = app(&[("CACHE_PERSISTED_BYTES", "65536"), ("LIMITS_DOCUMENT_BYTES", "100000")]);
    let query = |index: usize| format!("{{ a{index}: __typename }} # {}", "x".repeat(4_000));
    for index in 0..100 {
        assert_eq!(ask(&app, "*/*", &with_hash(&query(index))).await.status, StatusCode::OK);
    }
    let longer_than_all = format!("{NAME} # {}", "x".repeat(70_000));
    assert_eq!(ask(&app, "*/*", &with_hash(&longer_than_all)).await.body, NAMED);
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(&longer_than_all))).await.code(), "PERSISTED_QUERY_NOT_FOUND");
    let mut kept = 0;
    for index in 0..100 {
        kept += usize::from(ask(&app, "*/*", &by_hash(&sha256(&query(index)))).await.code().is_empty());
    }
    // The weight is more than the text alone.
    assert!((1..=65_536 / 4_000).contains(&kept), "{kept}");
}

#[tokio::test]
async fn clients_are_told_when_it_is_off() {
    let app = app(&[("GATEWAY_APQ", "false")]);
    for (accept, status) in [(GRAPHQL_RESPONSE, StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK)] {
        for body in [by_hash(&sha256(NAME)), json!({"documentId": "x"})] {
            let answer = ask(&app, accept, &body).await;
            assert_eq!((answer.status, answer.message().as_str()), (status, "PersistedQueryNotSupported"));
            assert_eq!(answer.code(), "PERSISTED_QUERY_NOT_SUPPORTED");
        }
    }
    assert_eq!(ask(&app, "*/*", &with_hash(NAME)).await.body, NAMED);
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(NAME))).await.code(), "PERSISTED_QUERY_NOT_SUPPORTED");
}
