//! Keys, manifest and limits change while the gateway runs: all of what changed, or nothing.

use std::{fs, io::Write as _, path::PathBuf};

use serde_json::{Value, json};
use subject_gateway::{
    access::{Scope, keys::NewKey},
    config::{Config, Limits, TextFile},
};
use tempfile::TempDir;

use crate::{
    http::{ask, send_body, sha256},
    metrics::value,
    process::Serving,
    util::TestApp,
};

const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;
const DEEP: &str = r#"{"query":"{ subjects { nodes { projects { name } } } }"}"#;
const TOO_DEEP: &str = "QUERY_TOO_DEEP";
const RELOADED: &str = "the configuration was reloaded";
const IN_PART: &str = "the configuration was reloaded, but for what needs a restart";
const REFUSED: &str = "the configuration can't be reloaded: all stays as it was";

fn limits(variable: &str, value: &str) -> Limits {
    Config::from_variables([("BRAINSTEM_PORTAL", "public"), (variable, value)]).unwrap().limits
}

/// A setting that is strict, and a request that is refused under it alone.
fn strict() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let query = |text: &str| json!({ "query": text }).to_string();
    let complex = "QUERY_TOO_COMPLEX";
    let variable = |value: Value| {
        let query = "query($by: SubjectBy!) { subject(by: $by) { id } }";
        json!({"query": query, "variables": {"by": {"hautAi": value}}}).to_string()
    };
    let id = json!({"subjectId": "0f8fad5b-d9cb-469f-a165-70867728950e"});
    vec![
        ("LIMITS_DEPTH", "3", DEEP.to_owned(), TOO_DEEP),
        (
            "LIMITS_INTROSPECTION_DEPTH",
            "1",
            query("{ __schema { types { fields { type { fields { name } } } } } }"),
            TOO_DEEP,
        ),
        ("LIMITS_MAX_COST", "5", DEEP.to_owned(), complex),
        ("LIMITS_ALIASES", "0", query("{ a: __typename }"), complex),
        ("LIMITS_DIRECTIVES", "0", query("{ __typename @include(if: true) }"), complex),
        ("LIMITS_ROOT_FIELDS", "1", query("{ __typename sources { source } }"), complex),
        ("LIMITS_FIELDS", "10", query(&format!("{{ {} }}", "__typename sources { source } ".repeat(9))), complex),
        ("LIMITS_TOKENS", "100", query(&format!("{{ {} }}", "__typename ".repeat(100))), complex),
        ("LIMITS_DOCUMENT_BYTES", "1024", query(&format!("{{ __typename {} }}", " ".repeat(1024))), complex),
        ("LIMITS_VARIABLES_BYTES", "2", variable(id.clone()), complex),
        ("LIMITS_VARIABLES_DEPTH", "1", variable(id), TOO_DEEP),
        ("LIMITS_BODY_BYTES", "1024", format!("{TYPENAME}{}", " ".repeat(1024)), "BAD_USER_INPUT"),
    ]
}

/// The first code of an error, or none.
async fn code(app: &TestApp, body: &str) -> String {
    send_body(&app.app, "*/*", body.to_owned()).await.code()
}

#[tokio::test]
async fn limits_hold_from_then_on_for_what_was_prepared_before_too() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let usual = app.config().clone();
    for (variable, value, body, refusal) in strict() {
        let held = Config { limits: limits(variable, value), ..usual.clone() };
        for (config, expected) in [(&usual, ""), (&held, refusal), (&usual, "")] {
            app.app.reload(config).unwrap();
            assert_eq!(code(&app, &body).await, expected, "{variable}");
        }
    }
}

#[tokio::test]
async fn what_bounds_the_number_of_requests_changes_too() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let usual = app.config().clone();
    let reload = |limits: Limits| app.app.reload(&Config { limits, ..usual.clone() }).unwrap();
    let batch = format!("[{TYPENAME},{TYPENAME}]");
    assert_eq!(code(&app, &batch).await, "BAD_USER_INPUT");
    reload(limits("LIMITS_BATCH", "2"));
    assert!(send_body(&app.app, "*/*", batch).await.json().is_array());

    reload(Limits { rate: 1, burst: 1.try_into().unwrap(), ..usual.limits.clone() });
    assert_eq!(code(&app, TYPENAME).await, "");
    assert_eq!(code(&app, TYPENAME).await, "RATE_LIMITED");
    // The same again forgets nobody.
    reload(Limits { rate: 1, burst: 1.try_into().unwrap(), ..usual.limits.clone() });
    assert_eq!(code(&app, TYPENAME).await, "RATE_LIMITED");
    reload(usual.limits.clone());
    assert_eq!(code(&app, TYPENAME).await, "");

    reload(Limits { operations: 0, ..usual.limits.clone() });
    // It takes the places away in a task of its own.
    tokio::task::yield_now().await;
    assert_eq!(code(&app, TYPENAME).await, "OVERLOADED");
    reload(usual.limits.clone());
    tokio::task::yield_now().await;
    assert_eq!(code(&app, TYPENAME).await, "");

    reload(Limits { connections: 0, ..usual.limits.clone() });
    tokio::task::yield_now().await;
    let stream = send_body(&app.app, "text/event-stream", TYPENAME).await;
    assert_eq!(stream.code(), "OVERLOADED");
}

/// A directory with files that a gateway goes by.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text_of(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// As editors and Kubernetes do it: all at once.
    fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }
}

#[tokio::test]
async fn a_document_that_is_not_trusted_any_more_is_not_even_served_from_what_is_kept() {
    const PROJECTS: &str = "query Old { species { nodes { name } } }";
    let files = Files::new();
    let manifest = json!({"old": PROJECTS, "new": "{ __typename }"});
    files.write("manifest", &manifest.to_string());
    let app = TestApp::builder()
        .set("GATEWAY_TRUSTED_DOCUMENTS_FILE", files.text_of("manifest"))
        .set("GATEWAY_TRUSTED_DOCUMENTS", "only")
        .build()
        .await;
    let bodies = [json!({"documentId": "old"}), json!({"query": PROJECTS}), json!({"documentId": sha256(PROJECTS)})];
    for body in &bodies {
        assert_eq!(ask(&app.app, "*/*", body).await.code(), "");
    }
    let with = |text: &str| {
        let mut config = app.config().clone();
        config.gateway.persisted.manifest.as_mut().unwrap().text = text.into();
        config
    };
    // A faulty one changes nothing, not even the limits beside it.
    let faulty = Config { limits: limits("LIMITS_ROOT_FIELDS", "1"), ..with(r#"{"old":"{"}"#) };
    let error = format!("{:#}", app.app.reload(&faulty).unwrap_err());
    assert!(error.contains("GATEWAY_TRUSTED_DOCUMENTS_FILE") && error.contains("`old`"), "{error}");
    assert_eq!(ask(&app.app, "*/*", &bodies[0]).await.code(), "");

    app.app.reload(&with(r#"{"new":"{ __typename }","newer":"{ a: __typename b: __typename }"}"#)).unwrap();
    let codes = ["PERSISTED_QUERY_NOT_FOUND", "PERSISTED_QUERY_REQUIRED", "PERSISTED_QUERY_NOT_FOUND"];
    for (body, code) in bodies.iter().zip(codes) {
        assert_eq!(ask(&app.app, "*/*", body).await.code(), code, "{body}");
    }
    for id in ["new", "newer"] {
        assert_eq!(ask(&app.app, "*/*", &json!({ "documentId": id })).await.code(), "");
    }
}

#[tokio::test]
async fn keys_go_with_the_rest_or_not_at_all() {
    let files = Files::new();
    let web = NewKey::make("web", &[Scope::Read]).unwrap();
    files.write("keys", &web.entry);
    let keys = files.text_of("keys");
    let app = TestApp::builder().set("GATEWAY_AUTH", "api-key").set("API_KEYS_FILE", keys.clone()).build().await;
    let with = |text: &str| {
        let mut config = app.config().clone();
        config.gateway.auth = subject_gateway::config::Auth::ApiKey(TextFile { path: keys.clone(), text: text.into() });
        config
    };
    let send = async |key: &str, query: &str| {
        let request = crate::http::post().header("x-api-key", key).body(json!({ "query": query }).to_string().into());
        crate::http::send(app.app.front(), request.unwrap()).await.code()
    };
    let faulty = Config { limits: limits("LIMITS_ALIASES", "0"), ..with("nonsense") };
    let error = format!("{:#}", app.app.reload(&faulty).unwrap_err());
    assert!(error.contains("API_KEYS_FILE"), "{error}");
    assert_eq!(send(&web.key, "{ a: __typename }").await, "");

    let lab = NewKey::make("lab", &[Scope::Read]).unwrap();
    app.app.reload(&with(&lab.entry)).unwrap();
    assert_eq!(send(&web.key, "{ __typename }").await, "UNAUTHENTICATED");
    assert_eq!(send(&lab.key, "{ __typename }").await, "");
}

fn code_of(answer: &str) -> String {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

fn serving(files: &Files, more: &[(&str, &str)]) -> Serving {
    let config = files.text_of("gateway.toml");
    let file = [("GATEWAY_CONFIG", config.as_str())];
    Serving::start_with(&file.iter().chain(more).copied().collect::<Vec<_>>())
}

#[test]
#[cfg(unix)]
fn sighup_reloads_and_loses_no_request() {
    let files = Files::new();
    files.write("gateway.toml", "[limits]\ndepth = 2\n");
    let mut serving = serving(&files, &[("LIMITS_TOKENS", "9999")]);
    let post = "POST /graphql HTTP/1.1";
    assert_eq!(code_of(&serving.exchange(post, DEEP)), TOO_DEEP);
    let mut in_flight = serving.connection_in_flight();

    // What the environment says is stronger; what it does not say is as if it were not there.
    files.write("gateway.toml", "[limits]\ndepth = 9\ntokens = 100\n[gateway]\nping_ms = 9999\nshutdown_ms = 1\n");
    serving.signal("HUP");
    let line = serving.logged(IN_PART);
    assert_eq!(line["level"], "WARN");
    assert_eq!((&line["changed"], &line["occasion"]), (&json!("LIMITS_DEPTH"), &json!("SIGHUP")));
    assert_eq!(line["needs_restart"], "GATEWAY_PING_MS, GATEWAY_SHUTDOWN_MS");
    assert_ne!(code_of(&serving.exchange(post, DEEP)), TOO_DEEP);

    let body = br#"{"query":"{ __typename }"}"#;
    in_flight.write_all(body).unwrap();
    let mut answer = [0; 15];
    std::io::Read::read_exact(&mut in_flight, &mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");

    files.write("gateway.toml", "[limits]\ndepth = 2\n");
    serving.signal("HUP");
    let line = serving.logged(RELOADED);
    assert_eq!((&line["changed"], &line["level"]), (&json!("LIMITS_DEPTH"), &json!("INFO")));
    assert_eq!(code_of(&serving.exchange(post, DEEP)), TOO_DEEP, "and the document was kept");
}

#[test]
#[cfg(unix)]
fn a_faulty_file_changes_nothing_and_the_log_says_why() {
    let files = Files::new();
    files.write("gateway.toml", "[limits]\ndepth = 2\n");
    files.write("manifest", r#"{"a":"{ __typename }"}"#);
    let manifest = files.text_of("manifest");
    let mut serving = serving(&files, &[("GATEWAY_TRUSTED_DOCUMENTS_FILE", &manifest)]);
    let post = "POST /graphql HTTP/1.1";
    let table = [
        ("[limits]\ndepth = 9\naliases = \"x\"\nrate = -1", "[limits] aliases", "[limits] rate"),
        ("[limits\ndepth = 9", "line 1 is not TOML", "gateway.toml"),
    ];
    for (text, fault, other) in table {
        files.write("gateway.toml", text);
        serving.signal("HUP");
        let line = serving.logged(REFUSED);
        let told = line["fault"].as_str().unwrap();
        assert!(line["level"] == "ERROR" && told.contains(fault) && told.contains(other), "{told}");
        assert_eq!(code_of(&serving.exchange(post, DEEP)), TOO_DEEP);
    }
    // A good file beside a faulty one is not taken either.
    files.write("manifest", r#"{"a":"{"}"#);
    files.write("gateway.toml", "[limits]\ndepth = 9");
    serving.signal("HUP");
    assert!(serving.logged(REFUSED)["fault"].as_str().unwrap().contains("the document `a`"));
    assert_eq!(code_of(&serving.exchange(post, DEEP)), TOO_DEEP);
    assert_eq!(code_of(&serving.exchange(post, r#"{"documentId":"a"}"#)), "");
}

#[test]
#[cfg(unix)]
fn the_metrics_say_whether_the_last_reload_failed() {
    let files = Files::new();
    files.write("gateway.toml", "[limits]\ndepth = 2\n");
    let mut serving = serving(&files, &[]);
    for (text, message, expected) in [
        ("[limits]\ndepth = 3", RELOADED, (1, 0, 0)),
        ("[limits", REFUSED, (1, 1, 1)),
        ("[limits]\ndepth = 4", RELOADED, (2, 1, 0)),
    ] {
        files.write("gateway.toml", text);
        serving.signal("HUP");
        serving.logged(message);
        let told = serving.exchange("GET /metrics HTTP/1.1", "");
        let count = |name: &str| value(&told, &format!("subject_gateway_{name}"));
        let (ok, failed) = (count("reloads_total{outcome=\"ok\"}"), count("reloads_total{outcome=\"failed\"}"));
        assert_eq!((ok, failed, count("reload_failed")), expected, "{told}");
    }
}

#[test]
fn a_file_that_changes_is_noticed_without_a_signal() {
    let files = Files::new();
    files.write("gateway.toml", "[limits]\ndepth = 2\n");
    files.write("manifest", r#"{"a":"{ __typename }"}"#);
    let manifest = files.text_of("manifest");
    let mut serving = serving(&files, &[("GATEWAY_TRUSTED_DOCUMENTS_FILE", &manifest)]);
    files.write("gateway.toml", "[limits]\ndepth = 3\n");
    let line = serving.logged(RELOADED);
    assert_eq!((&line["occasion"], &line["changed"]), (&json!("a file has changed"), &json!("LIMITS_DEPTH")));
    files.write("manifest", r#"{"b":"{ __typename }"}"#);
    serving.logged("the manifest of trusted documents was read");
    let line = serving.logged(RELOADED);
    assert_eq!(line["changed"], "");
    let post = "POST /graphql HTTP/1.1";
    assert_eq!(code_of(&serving.exchange(post, r#"{"documentId":"b"}"#)), "");
}

#[test]
#[cfg(unix)]
fn a_secret_that_changes_needs_a_restart_and_is_never_told() {
    let files = Files::new();
    files.write("gateway.toml", "[brainstem]\nportal = \"private\"\n");
    files.write("token", "hunter1");
    let token = files.text_of("token");
    let mut serving = serving(&files, &[("BRAINSTEM_PORTAL", ""), ("BRAINSTEM_TOKEN_FILE", &token)]);
    files.write("token", "hunter2");
    serving.signal("HUP");
    let line = serving.logged(IN_PART);
    assert_eq!(line["needs_restart"], "BRAINSTEM_TOKEN_FILE");
    assert!(!line.to_string().contains("hunter"));
}
