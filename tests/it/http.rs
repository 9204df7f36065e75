//! The HTTP layer in process: what is a request, and how it is answered.

mod abuse;
mod access;
mod batch;
mod keeping;
mod persisted;
mod trusted;

use std::io;

use axum::{
    body::{Body, to_bytes},
    http::{
        HeaderMap, Method, Request, StatusCode,
        header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST},
        request::Builder,
    },
};
use serde_json::{Value, json};
use subject_gateway::{app::App, config::Config, http::Front};
use tower::ServiceExt as _;

pub(crate) use self::persisted::{sha256, with_hash};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json; charset=utf-8";
const TYPENAME: &str = r#"{"query":"{ __typename }"}"#;

fn app(variables: &[(&str, &str)]) -> App {
    // Nothing listens there, and no test here asks for a record.
    let source = [("BRAINSTEM_PORTAL", "public"), ("BRAINSTEM_URL", "http://127.0.0.1:9")];
    let config = Config::from_variables(source.iter().chain(variables).copied()).unwrap();
    App::new(&config).unwrap()
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl AsRef<str>) -> &str {
        self.headers.get(name.as_ref()).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        &self.body
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn send(front: Front, request: Request<Body>) -> Answer {
    let (parts, body) = front.oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) fn request(method: Method, uri: &str) -> Builder {
    Request::builder().method(method).uri(uri).header(HOST, "localhost")
}

pub(crate) fn post() -> Builder {
    request(Method::POST, "/graphql").header(CONTENT_TYPE, "application/json")
}

pub(crate) async fn send_body(app: &App, accept: &str, body: impl Into<Body>) -> Answer {
    send(app.front(), post().header(ACCEPT, accept).body(body.into()).unwrap()).await
}

pub(crate) async fn ask(app: &App, accept: &str, body: &Value) -> Answer {
    send_body(app, accept, body.to_string()).await
}

pub(crate) async fn fetch(app: &App, uri: &str) -> Answer {
    send(app.front(), request(Method::GET, uri).body(Body::empty()).unwrap()).await
}

pub(crate) fn graphql_uri(parameters: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("/graphql?{query}")
}

#[tokio::test]
async fn a_query_is_answered_in_the_format_asked_for() {
    let app = app(&[]);
    for (accept, content_type) in [(GRAPHQL_RESPONSE, GRAPHQL_RESPONSE), ("*/*", JSON), ("application/json", JSON)] {
        let answer = send_body(&app, accept, TYPENAME).await;
        assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (StatusCode::OK, content_type));
        assert_eq!(answer.header(CACHE_CONTROL), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.body, r#"{"data":{"__typename":"Query"}}"#);
    }
    let answer = send_body(&app, "text/html", TYPENAME).await;
    assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (StatusCode::NOT_ACCEPTABLE, JSON));
    assert_eq!(answer.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn a_request_error_has_no_data_and_a_code() {
    let app = app(&[]);
    let two = "query A { __typename } query B { __typename }";
    let table = [
        (json!({"query": "{"}), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": "{ nothingOfThatName }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": two}), "BAD_USER_INPUT"),
        (json!({"query": two, "operationName": "C"}), "BAD_USER_INPUT"),
        (json!({"query": "subscription { x }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { subjectChanged { id } }"}), "BAD_USER_INPUT"),
    ];
    for (body, code) in table {
        for (accept, status) in [(GRAPHQL_RESPONSE, StatusCode::BAD_REQUEST), ("application/json", StatusCode::OK)] {
            let answer = send_body(&app, accept, body.to_string()).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body} {}", answer.body);
            assert!(answer.json().get("data").is_none(), "{}", answer.body);
        }
    }
    let answer = send_body(&app, "*/*", r#"{"query":"{ a(b: }"}"#).await;
    assert!(answer.message().starts_with("Syntax error: expected "), "{}", answer.body);
    assert_eq!(answer.message().lines().count(), 1);
}

#[tokio::test]
async fn a_body_of_the_wrong_shape_is_told_what_was_expected() {
    let app = app(&[]);
    let table = [
        ("", "The body is not JSON (line 1, column 0)."),
        ("{\"query\": ", "The body is not JSON (line 1, column 10)."),
        ("[]", "Expected an object: request batching is off."),
        ("\"{ __typename }\"", "Expected an object as the body, with the query in `query`."),
        ("{}", "Expected the query as a non-empty string in `query`."),
        (r#"{"query":null}"#, "Expected the query as a non-empty string in `query`."),
        (r#"{"query":" "}"#, "Expected the query as a non-empty string in `query`."),
        (r#"{"query":["a"]}"#, "Expected the query as a non-empty string in `query`."),
        (r#"{"query":"{ a }","variables":[]}"#, "Expected an object or null in `variables`."),
        (r#"{"query":"{ a }","variables":"{}"}"#, "Expected an object or null in `variables`."),
        (r#"{"query":"{ a }","extensions":1}"#, "Expected an object or null in `extensions`."),
        (r#"{"query":"{ a }","operationName":1}"#, "Expected a string or null in `operationName`."),
    ];
    for (body, message) in table {
        for accept in [GRAPHQL_RESPONSE, "application/json"] {
            let answer = send_body(&app, accept, body).await;
            assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, message), "{body}");
            assert_eq!(answer.code(), "BAD_USER_INPUT");
        }
    }
    let nulls = r#"{"query":"{ __typename }","variables":null,"extensions":null,"operationName":null,"id":7}"#;
    assert_eq!(send_body(&app, "*/*", nulls).await.body, r#"{"data":{"__typename":"Query"}}"#);
}

#[tokio::test]
async fn only_json_may_be_posted() {
    let app = app(&[]);
    let refused = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=iso-8859-1",
        "text/plain, application/json",
        "",
    ];
    for content_type in refused {
        let request = request(Method::POST, "/graphql").header(CONTENT_TYPE, content_type);
        let answer = send(app.front(), request.body(TYPENAME.into()).unwrap()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BAD_USER_INPUT"));
    }
    let answer = send(app.front(), request(Method::POST, "/graphql").body(TYPENAME.into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = send(app.front(), post().header("content-encoding", "gzip").body(TYPENAME.into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let request = request(Method::POST, "/graphql").header(CONTENT_TYPE, "Application/JSON; charset=UTF-8");
    assert_eq!(send(app.front(), request.body(TYPENAME.into()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_long_body_is_refused_whether_or_not_its_length_was_announced() {
    let app = app(&[("LIMITS_BODY_BYTES", "2000")]);
    let long = format!(r#"{{"query":"{{ __typename }}","x":"{}"}}"#, "x".repeat(2_000));
    let chunks = futures::stream::iter(
        long.as_bytes().chunks(100).map(|chunk| io::Result::Ok(chunk.to_vec())).collect::<Vec<_>>(),
    );
    for body in [Body::from(long.clone()), Body::from_stream(chunks)] {
        let answer = send_body(&app, "*/*", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT"));
    }
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let app = app(&[("LIMITS_DEADLINE_MS", "1")]);
    let never = Body::from_stream(futures::stream::pending::<io::Result<Vec<u8>>>());
    let answer = send_body(&app, "*/*", never).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::REQUEST_TIMEOUT, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn get_runs_queries_alone() {
    let app = app(&[]);
    let queries = "query A { __typename } query B { b: __typename }";
    let answer = fetch(&app, &graphql_uri(&[("query", queries), ("operationName", "A"), ("variables", "")])).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"data":{"__typename":"Query"}}"#));

    let variables =
        [("query", "query($name: String!) { __type(name: $name) { name } }"), ("variables", r#"{"name":"Query"}"#)];
    assert_eq!(fetch(&app, &graphql_uri(&variables)).await.body, r#"{"data":{"__type":{"name":"Query"}}}"#);

    let two = "query A { __typename } mutation B { __typename }";
    for parameters in [&[("query", "mutation { __typename }")][..], &[("query", two), ("operationName", "B")]] {
        let answer = fetch(&app, &graphql_uri(parameters)).await;
        assert_eq!((answer.status, answer.header(ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "POST"), "{}", answer.body);
        assert!(answer.json().get("data").is_none());
    }
    let table = [
        ("/graphql".to_owned(), "Expected the query as a non-empty string in `query`."),
        (graphql_uri(&[("query", "{ a }"), ("variables", "{")]), "The parameter `variables` is not JSON."),
        (graphql_uri(&[("query", "{ a }"), ("variables", "[]")]), "Expected an object or null in `variables`."),
        (graphql_uri(&[("query", "{ a }"), ("query", "{ b }")]), "The parameter `query` is there twice."),
    ];
    for (uri, message) in table {
        let answer = fetch(&app, &uri).await;
        assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, message));
    }
}

#[tokio::test]
async fn other_methods_and_addresses_are_refused_in_json() {
    let app = app(&[]);
    let answer = send(app.front(), request(Method::DELETE, "/graphql").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header(ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD,POST"));
    assert_eq!(answer.code(), "BAD_USER_INPUT");
    let answer = fetch(&app, "/nowhere").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::NOT_FOUND, "BAD_USER_INPUT"));
}
