//! Over real sockets, and the real program: its start, its words, its end.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStderr, Command, Output, Stdio},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use axum::{Router, routing::get};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use subject_gateway::http::server;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Notify, oneshot},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::access::issuer::{AUDIENCE, Answer, ISSUER, Jwks, Key};

const SOURCE: [(&str, &str); 2] = [("BRAINSTEM_PORTAL", "public"), ("BRAINSTEM_URL", "http://127.0.0.1:9")];
const GRACE: Duration = Duration::from_secs(30);
const REQUEST: &[u8] = b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Tells when it is dropped.
struct OnDrop(Arc<Notify>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A router whose one route says when it began and when it ended, and answers when it may.
fn slow(began: &Arc<Notify>, may_answer: &Arc<Notify>, ended: &Arc<Notify>) -> Router {
    let (began, may_answer, ended) = (Arc::clone(began), Arc::clone(may_answer), Arc::clone(ended));
    let handler = || async move {
        let _guard = OnDrop(ended);
        began.notify_one();
        may_answer.notified().await;
        "done"
    };
    Router::new().route("/slow", get(handler))
}

fn terms(grace: Duration) -> server::Terms {
    server::Terms { grace, ..server::Terms::default() }
}

#[tokio::test]
async fn a_request_in_flight_finishes_and_no_new_one_is_accepted() {
    let [began, may_answer, ended] = std::array::from_fn(|_| Arc::new(Notify::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = slow(&began, &may_answer, &ended);
    let serving = tokio::spawn(server::serve(listener, router, async { drop(stopped.await) }, terms(GRACE)));

    let mut idle = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(REQUEST).await.unwrap();
    began.notified().await;
    drop(stop);
    // The idle connection is closed, which shows that the shutdown has begun.
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    may_answer.notify_one();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn a_request_that_does_not_finish_is_not_waited_for_longer_than_the_grace() {
    let [began, may_answer, ended] = std::array::from_fn(|_| Arc::new(Notify::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = slow(&began, &may_answer, &ended);
    let stop = Arc::clone(&began);
    let stop = async move { stop.notified().await };
    let serving = tokio::spawn(server::serve(listener, router, stop, terms(Duration::from_millis(1))));
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(REQUEST).await.unwrap();
    assert!(!serving.await.unwrap());
}

#[tokio::test]
async fn the_work_goes_with_the_caller() {
    let [began, may_answer, ended] = std::array::from_fn(|_| Arc::new(Notify::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = slow(&began, &may_answer, &ended);
    tokio::spawn(server::serve(listener, router, std::future::pending(), terms(GRACE)));
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(REQUEST).await.unwrap();
    began.notified().await;
    drop(connection);
    ended.notified().await;
}

pub(crate) fn gateway(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject-gateway"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command
}

pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = gateway(arguments, variables).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// What `sandbox` says when it is ready.
pub(crate) fn welcome_of_sandbox(variables: &[(&str, &str)]) -> String {
    let variables: Vec<_> = [("GATEWAY_LISTEN", "127.0.0.1:0")].iter().chain(variables).copied().collect();
    let mut child = gateway(&["sandbox"], &variables).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<String> = lines.take_while(|line| !line.starts_with("Ctrl-C")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    told.join("\n")
}

/// A running `serve`; killed with the test.
pub(crate) struct Serving {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
}

impl Serving {
    fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[(&str, &str)]) -> Self {
        let usual = [("GATEWAY_LISTEN", "127.0.0.1:0"), ("GATEWAY_LOG_FORMAT", "json"), SOURCE[0], SOURCE[1]];
        let variables: Vec<_> = usual.iter().chain(more).copied().collect();
        let mut child = gateway(&["serve"], &variables).stderr(Stdio::piped()).spawn().unwrap();
        let log = Some(BufReader::new(child.stderr.take().unwrap()));
        let mut serving = Self { child, log, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        serving.address = serving.logged("listening")["address"].as_str().unwrap().parse().unwrap();
        serving
    }

    /// The next log line with this message.
    pub(crate) fn logged(&mut self, message: &str) -> serde_json::Value {
        loop {
            let mut line = String::new();
            assert!(self.log.as_mut().unwrap().read_line(&mut line).unwrap() > 0, "the log ended before `{message}`");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == message {
                return line;
            }
        }
    }

    /// Reads the rest of the log, to its end.
    pub(crate) fn rest_of_the_log(&mut self) -> JoinHandle<String> {
        let mut log = self.log.take().unwrap();
        std::thread::spawn(move || {
            let mut rest = String::new();
            log.read_to_string(&mut rest).unwrap();
            rest
        })
    }

    /// Sends a request, reads the answer to its end.
    pub(crate) fn exchange(&self, head: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Opens a WebSocket, shows this, and reads what comes first.
    async fn websocket(&self, payload: &serde_json::Value) {
        self.connected("", payload).await;
    }

    /// Runs one operation over a WebSocket that was asked for with these headers beside, to its end.
    pub(crate) async fn websocket_asking(&self, headers: &str, query: &str) {
        let mut socket = self.connected(headers, &json!({})).await;
        let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": query}}).to_string();
        socket.send(Message::text(subscribe)).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains("\"complete\"")) {
                break;
            }
        }
        socket.close(None).await.unwrap();
    }

    async fn connected(&self, headers: &str, payload: &serde_json::Value) -> WebSocketStream<tokio::net::TcpStream> {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET /graphql/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        let init = json!({"type": "connection_init", "payload": payload}).to_string();
        socket.send(Message::text(init)).await.unwrap();
        assert!(socket.next().await.is_some());
        socket
    }

    /// Its exit code, once it has ended.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; gives its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// A connection whose request is in flight: the gateway has asked for the body by `100 Continue`.
    pub(crate) fn connection_in_flight(&self) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    content-length: 26\r\nexpect: 100-continue\r\n\r\n";
        connection.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        connection.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        connection
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[cfg(unix)]
fn sigterm_lets_the_request_in_flight_finish() {
    let mut serving = Serving::start();
    let mut connection = serving.connection_in_flight();
    serving.terminate();
    serving.logged("shutting down");
    connection.write_all(br#"{"query":"{ __typename }"}"#).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with(r#"{"data":{"__typename":"Query"}}"#), "{answer}");
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
}

#[test]
#[cfg(unix)]
fn a_second_signal_ends_it_at_once() {
    let mut serving = Serving::start();
    let _connection = serving.connection_in_flight();
    serving.terminate();
    serving.logged("shutting down");
    serving.terminate();
    assert_eq!(serving.child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_request_is_one_line_in_the_log_without_what_it_asked() {
    let mut serving = Serving::start();
    let query = "query Find($secret: String!) { __type(name: $secret) { name } }";
    let body = json!({"query": query, "variables": {"secret": "Query"}, "operationName": "Find"}).to_string();
    let head = "POST /graphql HTTP/1.1\r\nx-request-id: id-1\r\nauthorization: Bearer hunter2";
    let answer = serving.exchange(head, &body);
    assert!(answer.contains(r#"{"data":{"__type":{"name":"Query"}}}"#), "{answer}");
    serving.exchange("GET /health/live HTTP/1.1", "");
    serving.exchange("GET /people/lovelace?name=ada HTTP/1.1", "");
    let unnamed = json!({"query": "{ __typename }", "operationName": "Ada Lovelace"}).to_string();
    serving.exchange("POST /graphql HTTP/1.1", &unnamed);

    let mut line = serving.logged("answered");
    let fields = line.as_object_mut().unwrap();
    for volatile in ["timestamp", "duration_ms"] {
        assert!(fields.remove(volatile).is_some(), "{volatile}");
    }
    let expected = json!({
        "level": "INFO", "message": "answered", "target": "subject_gateway::http::layers", "method": "POST",
        "route": "/graphql", "status": 200, "request_id": "id-1", "operation": "Find", "document": "762106927a94f476", "cache": "records",
        "upstream_requests": 0, "bytes": 36,
    });
    assert_eq!(line, expected);
    // The probe is not worth a line at this level.
    let line = serving.logged("answered");
    assert_eq!((&line["route"], &line["status"]), (&json!("unmatched"), &json!(404)));
    assert!(!line.to_string().contains("lovelace"), "{line}");
    let line = serving.logged("answered");
    assert_eq!((&line["route"], line.get("operation")), (&json!("/graphql"), None));
}

#[test]
fn a_key_is_shown_once_and_its_entry_is_fit_for_the_file() {
    let (code, entry, words) =
        run(&["key", "new", "--name", "web", "--scope", "admin", "--scope", "subjects:read"], &[]);
    assert_eq!(code, Some(0), "{words}");
    let key = words.split_whitespace().last().unwrap();
    assert!(key.starts_with("sgw_") && !entry.contains(key), "{words}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &entry).unwrap();
    let variables = [("GATEWAY_AUTH", "api-key"), ("API_KEYS_FILE", file.path().to_str().unwrap())];
    let serving = Serving::start_with(&variables);
    let answer = serving.exchange(&format!("GET /metrics HTTP/1.1\r\nx-api-key: {key}"), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let (code, _, words) = run(&["key", "new", "--name", "two words", "--scope", "admin"], &[]);
    assert!(code == Some(1) && words.contains("letters, digits"), "{words}");
    std::fs::write(file.path(), "").unwrap();
    let (code, _, words) = run(&["check"], &[&SOURCE[..], &variables[..]].concat());
    assert!(code == Some(1) && words.contains("API_KEYS_FILE") && words.contains("key new"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_ever_in_the_log_and_of_its_claims_only_the_program() {
    let key = Key::p256("a");
    let jwks = Jwks::start(&[&key]).await;
    let more = [
        ("GATEWAY_AUTH", "jwt"),
        ("JWT_ISSUER", ISSUER),
        ("JWT_AUDIENCE", AUDIENCE),
        ("JWT_JWKS_URL", jwks.url.as_str()),
        ("GATEWAY_LOG_LEVEL", "trace"),
    ];
    let mut serving = Serving::start_with(&more);
    let good = key.token(json!({"azp": "web-app", "scope": "admin"}));
    let bad = key.token(json!({"exp": 1_000_000_000, "azp": "other-app"}));
    for token in [&good, &bad, &good] {
        serving.exchange(
            &format!("POST /graphql HTTP/1.1\r\nauthorization: Bearer {token}"),
            r#"{"query":"{ __typename }"}"#,
        );
        serving.exchange(&format!("GET /graphql?query=%7B__typename%7D HTTP/1.1\r\nauthorization: Bearer {token}"), "");
        for init in [token.clone(), format!("Bearer {token}")] {
            serving.websocket(&json!({"Authorization": init})).await;
        }
    }
    let metrics = serving.exchange(&format!("GET /metrics HTTP/1.1\r\nauthorization: Bearer {good}"), "");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    serving.terminate();
    let log = serving.rest_of_the_log().join().unwrap();
    assert!(log.contains("\"caller\":\"web-app\"") && log.contains("the issuer's keys were fetched"), "{log}");
    for token in [&good, &bad] {
        for part in token.split('.') {
            assert!(!log.contains(part) && !metrics.contains(part), "{part}: {log}");
        }
    }
    assert!(!log.contains("ada@example.org") && !log.contains("other-app"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_reaches_for_the_keys_of_the_issuer() {
    let jwks = Jwks::start(&[&Key::p256("a"), &Key::rsa("b")]).await;
    let check = || {
        let more = [
            ("GATEWAY_AUTH", "jwt"),
            ("JWT_ISSUER", ISSUER),
            ("JWT_AUDIENCE", AUDIENCE),
            ("JWT_JWKS_URL", jwks.url.as_str()),
        ];
        let (code, text, _) = run(&["check"], &[&SOURCE[..], &more[..]].concat());
        // Nothing listens where the source should be.
        assert_eq!(code, Some(1));
        text.lines().find(|line| line.starts_with("JWKS")).expect("a line").to_owned()
    };
    let line = check();
    assert!(line.contains(" ok ") && line.ends_with("2 keys for the algorithms in JWT_ALGORITHMS"), "{line}");
    jwks.answer(Answer::Status(404));
    let line = check();
    assert!(line.contains(" failed ") && line.ends_with("the answer has the status 404"), "{line}");
}

#[test]
fn a_start_that_fails_says_why() {
    let (code, _, text) = run(&["serve"], &[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("HAUT_AI_TOKEN") && text.contains("BRAINSTEM_PORTAL=public"), "{text}");
    assert_eq!(run(&["check"], &[]).0, Some(1));

    let (code, _, text) = run(&["serve", "--limits-deadline-ms", "soon"], &SOURCE);
    assert_eq!(code, Some(1));
    let expected = "--limits-deadline-ms (command line): expected a whole number of milliseconds from 1 to 600000";
    assert!(text.contains(expected), "{text}");

    let manifest = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(manifest.path(), r#"{"a":"{"}"#).unwrap();
    for command in ["serve", "check"] {
        let file = manifest.path().to_str().unwrap();
        let (code, _, text) = run(&[command, "--gateway-trusted-documents-file", file], &SOURCE);
        assert_eq!(code, Some(1));
        let expected = format!("error: GATEWAY_TRUSTED_DOCUMENTS_FILE ({file}): the document `a`: Syntax error: ");
        assert!(text.contains(&expected), "{text}");
    }

    let (code, _, text) = run(&["serve", "--haut-ai-tokn", "x"], &SOURCE);
    assert_eq!(code, Some(2));
    assert!(text.contains("'--haut-ai-token'"), "{text}");
}

#[test]
fn a_port_in_use_is_told_with_the_flag_to_change() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, _, text) = run(&["serve", "--gateway-listen", &address], &SOURCE);
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("{address} is in use; choose another with --gateway-listen")), "{text}");

    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, text) = run(&["sandbox", "--upstreams-only", "--brainstem-port", &port], &[]);
    assert_eq!(code, Some(1));
    assert!(text.contains("--brainstem-port"), "{text}");
}

#[test]
fn the_schema_is_printed() {
    let (code, text, _) = run(&["schema"], &[]);
    assert_eq!(code, Some(0));
    assert!(text.contains("type Query"), "{text}");
    assert_eq!(run(&["schema", "--federation"], &[]).0, Some(0));
}
