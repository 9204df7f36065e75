//! Trusted documents: the manifest, and what becomes of other documents.

use std::{
    io,
    sync::{Arc, Mutex},
};

use axum::http::StatusCode;
use serde_json::{Value, json};
use subject_gateway::{app::App, config::Config};
use tempfile::NamedTempFile;
use tracing_subscriber::fmt::MakeWriter;

use super::{
    GRAPHQL_RESPONSE, ask, fetch, graphql_uri,
    persisted::{by_hash, sha256, with_hash},
};

const NAME: &str = "query Name { __typename }";
const NAMED: &str = r#"{"data":{"__typename":"Query"}}"#;
const OTHER: &str = "query Other { other: __typename }";
const OTHER_NAMED: &str = r#"{"data":{"other":"Query"}}"#;

fn try_app(manifest: &str, variables: &[(&str, &str)]) -> Result<App, String> {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), manifest).unwrap();
    let path = file.path().to_str().unwrap();
    let source = [("BRAINSTEM_PORTAL", "public"), ("GATEWAY_TRUSTED_DOCUMENTS_FILE", path)];
    let app = App::new(&Config::from_variables(source.iter().chain(variables).copied()).unwrap());
    app.map_err(|error| format!("{error:#}").replace(path, "FILE"))
}

fn app(manifest: &Value, variables: &[(&str, &str)]) -> App {
    try_app(&manifest.to_string(), variables).unwrap()
}

fn apollo() -> Value {
    json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [{"id": sha256(NAME), "name": "Name", "type": "query", "body": NAME}],
    })
}

#[tokio::test]
async fn ids_are_served_however_they_are_sent() {
    let hash = sha256(NAME);
    let flat = json!({"0f91": NAME});
    let prefixed = json!({format!("sha256:{hash}"): NAME});
    let hashes = [by_hash(&hash), json!({"documentId": hash}), json!({"documentId": format!("sha256:{hash}")})];
    let short = [json!({"documentId": "0f91"}), json!({"doc_id": "0f91"}), json!({"id": "0f91"}), by_hash("0f91")];
    for mode in ["off", "log", "only"] {
        for manifest in [&apollo(), &flat, &prefixed] {
            let app = app(manifest, &[("GATEWAY_TRUSTED_DOCUMENTS", mode), ("GATEWAY_APQ", "false")]);
            for body in &hashes {
                assert_eq!(ask(&app, "*/*", body).await.body, NAMED, "{mode} {body}");
            }
            assert_eq!(fetch(&app, &graphql_uri(&[("documentId", &hash)])).await.body, NAMED);
        }
        let app = app(&flat, &[("GATEWAY_TRUSTED_DOCUMENTS", mode)]);
        for body in &short {
            assert_eq!(ask(&app, "*/*", body).await.body, NAMED, "{mode} {body}");
        }
        // The manifest's id and the text that it stands for go together.
        let mut both = by_hash("0f91");
        both["query"] = NAME.into();
        assert_eq!(ask(&app, "*/*", &both).await.body, NAMED);
        both["query"] = OTHER.into();
        assert_eq!(ask(&app, "*/*", &both).await.status, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn only_the_manifests_documents_run_where_that_is_asked_for() {
    let app = app(&apollo(), &[("GATEWAY_TRUSTED_DOCUMENTS", "only")]);
    // Clients may send the text.
    assert_eq!(ask(&app, "*/*", &json!({ "query": NAME })).await.body, NAMED);
    assert_eq!(ask(&app, "*/*", &with_hash(NAME)).await.body, NAMED);
    let introspection = json!({"query": "{ __schema { queryType { name } } }"});
    let table = [
        (json!({ "query": OTHER }), "PERSISTED_QUERY_REQUIRED"),
        (json!({"query": format!("{NAME} ")}), "PERSISTED_QUERY_REQUIRED"),
        (introspection, "PERSISTED_QUERY_REQUIRED"),
        (json!({"query": "{"}), "PERSISTED_QUERY_REQUIRED"),
        (json!({"documentId": "nothing"}), "PERSISTED_QUERY_NOT_FOUND"),
        (by_hash(&sha256(OTHER)), "PERSISTED_QUERY_NOT_FOUND"),
        // Nobody adds to the manifest.
        (with_hash(OTHER), "PERSISTED_QUERY_REQUIRED"),
        (by_hash(&sha256(OTHER)), "PERSISTED_QUERY_NOT_FOUND"),
    ];
    for (body, code) in table {
        for (accept, status) in [(GRAPHQL_RESPONSE, StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK)] {
            let answer = ask(&app, accept, &body).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body} {}", answer.body);
            assert!(answer.json().get("data").is_none());
        }
    }
    assert_eq!(fetch(&app, &graphql_uri(&[("query", OTHER)])).await.code(), "PERSISTED_QUERY_REQUIRED");
    let nothing = ask(&app, "*/*", &json!({})).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"));
}

#[tokio::test]
async fn other_documents_run_and_register_where_nothing_is_asked_for() {
    let app = app(&apollo(), &[]);
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(OTHER))).await.message(), "PersistedQueryNotFound");
    assert_eq!(ask(&app, "*/*", &with_hash(OTHER)).await.body, OTHER_NAMED);
    assert_eq!(ask(&app, "*/*", &by_hash(&sha256(OTHER))).await.body, OTHER_NAMED);
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The lines with these words.
    fn lines(&self, words: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn what_is_not_in_the_manifest_is_logged_once_without_its_text() {
    const SECRET: &str = "query Secret { __type(name: \"Ada\") { name } }";
    let log = Log::default();
    let _guard = log.start();
    let app = app(&apollo(), &[("GATEWAY_TRUSTED_DOCUMENTS", "log")]);
    for _ in 0..3 {
        for text in [NAME, SECRET, OTHER] {
            let name = if text == SECRET { "Secret" } else { "Ada Lovelace" };
            let body = json!({"query": text, "operationName": name, "variables": {"name": "Ada"}});
            ask(&app, "*/*", &body).await;
        }
    }
    let lines = log.lines("not in the manifest");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains(&sha256(SECRET)) && lines[0].contains("operation=\"Secret\""), "{lines:?}");
    assert!(lines[1].contains(&sha256(OTHER)) && !lines[1].contains("operation="), "{lines:?}");
    assert!(log.lines("Ada").is_empty());
    assert_eq!(ask(&app, "*/*", &json!({ "query": OTHER })).await.body, OTHER_NAMED);
}

#[tokio::test]
async fn a_document_that_no_longer_fits_is_told_and_does_not_keep_the_gateway_from_starting() {
    let log = Log::default();
    let _guard = log.start();
    let app = app(&json!({"a": "query Old { shoeSize }", "b": NAME}), &[("GATEWAY_TRUSTED_DOCUMENTS", "only")]);
    let lines = log.lines("does not fit the schema");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("the document `a`") && lines[0].contains("`shoeSize`"), "{lines:?}");
    assert_eq!(ask(&app, "*/*", &json!({"documentId": "a"})).await.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(ask(&app, "*/*", &json!({"documentId": "b"})).await.body, NAMED);
}

#[test]
fn a_faulty_manifest_stops_the_start() {
    let operation = |id: &str, body: &str| json!({"id": id, "name": "Find", "type": "query", "body": body});
    let apollo = |operations: Value| {
        json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}).to_string()
    };
    let table = [
        ("{", "expected a manifest, a JSON object (line 1, column 1)"),
        (&apollo(json!([{"id": "a"}])), "operation 1: expected a string in `body`"),
        (
            &apollo(json!([operation("a", "query Find {")])),
            "the operation `Find` (`a`): Syntax error: expected }, got the end.",
        ),
        (
            &apollo(json!([operation("a", NAME), operation("a", OTHER)])),
            "the operation `Find` (`a`): another document has the same id",
        ),
        (r#"{"a": "{ a }", "sha256:a": "{ b }"}"#, "the document `sha256:a`: another document has the same id"),
    ];
    for (manifest, problem) in table {
        let error = try_app(manifest, &[]).err().unwrap();
        assert_eq!(error, format!("GATEWAY_TRUSTED_DOCUMENTS_FILE (FILE): {problem}"));
    }
    // The same twice is no contradiction.
    assert!(try_app(&apollo(json!([operation("a", NAME), operation("a", NAME)])), &[]).is_ok());
}
