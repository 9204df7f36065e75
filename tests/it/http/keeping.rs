//! What callers may keep, what they are told when it is still the same, and the headers around it.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{
        HeaderMap, Method, StatusCode,
        header::{
            ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
            IF_NONE_MATCH, ORIGIN, VARY,
        },
    },
};
use serde_json::json;
use subject_gateway::{app::App, http::server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tower::ServiceExt as _;

use super::{Answer, GRAPHQL_RESPONSE, TYPENAME, app, graphql_uri, post, request, send, send_body};
use crate::util::TestApp;

const LONG: &str = "{ __schema { types { name description fields { name description } } } }";

fn uri(query: &str) -> String {
    graphql_uri(&[("query", query)])
}

async fn get(app: &App, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request =
        headers.iter().fold(request(Method::GET, uri), |request, (name, value)| request.header(*name, *value));
    send(app.front(), request.body(Body::empty()).unwrap()).await
}

fn vary(headers: &HeaderMap) -> BTreeSet<String> {
    let values = headers.get_all(VARY).iter().flat_map(|value| value.to_str().unwrap().split(','));
    let names: Vec<String> = values.map(|name| name.trim().to_ascii_lowercase()).collect();
    let distinct: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(distinct.len(), names.len(), "one name twice: {names:?}");
    distinct
}

#[tokio::test]
async fn a_query_over_get_may_be_kept_and_asked_for_again() {
    let app = app(&[]);
    let uri = uri("{ __typename }");
    let first = get(&app, &uri, &[]).await;
    assert_eq!((first.status, first.header(CACHE_CONTROL)), (StatusCode::OK, "private, no-cache"));
    let tag = first.header(ETAG);
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");

    let bare = tag.strip_prefix("W/").unwrap();
    let list = format!("\"other\", {tag}");
    for known in [tag, bare, list.as_str(), "*"] {
        let again = get(&app, &uri, &[(IF_NONE_MATCH.as_str(), known)]).await;
        assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!((again.header(ETAG), again.header(CACHE_CONTROL)), (tag, "private, no-cache"));
        assert_eq!(vary(&again.headers), vary(&first.headers));
        assert!(!again.headers.contains_key(CONTENT_TYPE));
    }
    let other = get(&app, &uri, &[(IF_NONE_MATCH.as_str(), "W/\"other\"")]).await;
    assert_eq!((other.status, other.body), (StatusCode::OK, first.body.clone()));

    // Another format or another answer is another thing.
    let newer = get(&app, &uri, &[(ACCEPT.as_str(), GRAPHQL_RESPONSE), (IF_NONE_MATCH.as_str(), tag)]).await;
    assert_eq!(newer.status, StatusCode::OK);
    assert_ne!(newer.header(ETAG), tag);
    let renamed = super::fetch(&app, &graphql_uri(&[("query", "{ a: __typename }")])).await;
    assert_ne!(renamed.header(ETAG), tag);
}

#[tokio::test]
async fn errors_posts_and_mutations_are_not_kept() {
    let app = app(&[]);
    let nothing_there = "{ subjects(first: 1) { nodes { id } } }";
    for query in ["{", "{ nothing }", "mutation { x }", nothing_there] {
        let answer = get(&app, &uri(query), &[(IF_NONE_MATCH.as_str(), "*")]).await;
        assert_ne!(answer.status, StatusCode::NOT_MODIFIED);
        assert_eq!((answer.header(CACHE_CONTROL), answer.header(ETAG)), ("no-store", ""), "{query}");
        assert!(answer.json()["errors"].is_array(), "{}", answer.body);
    }
    let request = post().header(IF_NONE_MATCH, "*").body(TYPENAME.into()).unwrap();
    let answer = send(app.front(), request).await;
    assert_eq!((answer.status, answer.header(CACHE_CONTROL), answer.header(ETAG)), (StatusCode::OK, "no-store", ""));
}

#[tokio::test]
async fn records_that_changed_are_sent_anew() {
    let app = TestApp::new().await;
    let uri = uri("{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id description } } }");
    let first = get(&app.app, &uri, &[]).await;
    let tag = first.header(ETAG);
    assert_eq!(get(&app.app, &uri, &[(IF_NONE_MATCH.as_str(), tag)]).await.status, StatusCode::NOT_MODIFIED);
    let id = first.json()["data"]["subjects"]["nodes"][0]["id"].clone();
    let update = "mutation($id: ID!) { subjectUpdate(id: $id, input: {brainStem: {description: \"changed\"}}) { \
                  userErrors { message } } }";
    app.query_with(update, json!({ "id": id })).await.data();
    let changed = get(&app.app, &uri, &[(IF_NONE_MATCH.as_str(), tag)]).await;
    assert_eq!((changed.status, changed.body.contains("changed")), (StatusCode::OK, true));
}

#[tokio::test]
async fn a_tag_stands_for_the_compressed_answer_too() {
    let app = app(&[]);
    for uri in [uri(LONG), "/schema.graphql".to_owned()] {
        let request = request(Method::GET, &uri).header(ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
        let response = app.front().oneshot(request).await.unwrap();
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        assert!(response.headers()[ETAG].to_str().unwrap().starts_with("W/"));
        assert!(vary(response.headers()).contains("accept-encoding"));
        let length = response.headers().get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().parse().unwrap());
        let tag = response.headers()[ETAG].to_str().unwrap();
        let plain = get(&app, &uri, &[]).await;
        assert_eq!(plain.header(ETAG), tag);
        assert!(length.is_none_or(|length: usize| length < plain.body.len()), "{length:?} is that of the plain one");
        let known = [(IF_NONE_MATCH.as_str(), tag), (ACCEPT_ENCODING.as_str(), "gzip")];
        let again = get(&app, &uri, &known).await;
        assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!((again.header(CONTENT_ENCODING), vary(&again.headers)), ("", vary(&plain.headers)));
    }
}

#[tokio::test]
async fn what_an_answer_depends_on_is_told() {
    let expect = |answer: &Answer, names: &[&str]| {
        let expected: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(vary(&answer.headers), expected, "{} {}", answer.status, answer.body);
    };
    let plain = app(&[]);
    expect(&send_body(&plain, "*/*", TYPENAME).await, &["accept"]);
    expect(&send_body(&plain, "*/*", json!({ "query": LONG }).to_string()).await, &["accept", "accept-encoding"]);
    expect(&get(&plain, &uri("{ __typename }"), &[]).await, &["accept", "accept-encoding"]);
    // Errors of every kind.
    expect(&send_body(&plain, "*/*", "[]").await, &["accept"]);
    expect(&send_body(&plain, "text/html", TYPENAME).await, &["accept"]);
    expect(&get(&plain, &uri("mutation { x }"), &[]).await, &["accept"]);

    let cors = app(&[("GATEWAY_CORS_ORIGINS", "localhost")]);
    let by_cors = ["origin", "access-control-request-headers"];
    let preflight = ["accept", by_cors[0], by_cors[1]];
    expect(&send_body(&cors, "*/*", TYPENAME).await, &preflight);
    expect(&send_body(&cors, "*/*", "[]").await, &preflight);
    let answer = get(&cors, &uri(LONG), &[(ORIGIN.as_str(), "http://localhost:3000")]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    expect(&answer, &["accept", "accept-encoding", by_cors[0], by_cors[1]]);
}

/// Head and body of the answer to one request over a socket.
async fn exchange(app: &App, head: &str, body: &str) -> (String, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut connection = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let serving = server::serve(listener, app.front(), std::future::pending(), server::Terms::default());
    let serving = tokio::spawn(serving);
    let length = body.len();
    let request = format!(
        "{head}\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    serving.abort();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_ascii_lowercase(), body)
}

/// The values of a header.
fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let named = head.lines().filter_map(|line| line.split_once(": ")).filter(|(found, _)| *found == name);
    named.map(|(_, value)| value).collect()
}

#[tokio::test]
async fn every_answer_says_how_long_it_is() {
    let app = app(&[("LIMITS_BATCH", "2")]);
    let long = json!({ "query": LONG }).to_string();
    let batch = format!("[{TYPENAME},{TYPENAME}]");
    let get = format!("GET {} HTTP/1.1", uri("{ __typename }"));
    let mutation = format!("GET {} HTTP/1.1", uri("mutation { x }"));
    let post = "POST /graphql HTTP/1.1";
    let requests = [
        (post, TYPENAME),
        (post, long.as_str()),
        (post, batch.as_str()),
        (post, "["),
        (get.as_str(), ""),
        (mutation.as_str(), ""),
        ("DELETE /graphql HTTP/1.1", ""),
        ("GET /schema.graphql HTTP/1.1", ""),
        ("GET /nowhere HTTP/1.1", ""),
        ("GET /health/ready HTTP/1.1", ""),
        ("GET /graphiql HTTP/1.1", ""),
    ];
    for (head, body) in requests {
        let (head, body) = exchange(&app, head, body).await;
        assert_eq!(header(&head, "content-length"), [body.len().to_string()], "{head}");
        assert_eq!(header(&head, "transfer-encoding"), [""; 0], "{head}");
    }
    let (head, body) = exchange(&app, &format!("{post}\r\naccept-encoding: gzip"), &long).await;
    assert_eq!(header(&head, "content-encoding"), ["gzip"]);
    assert_eq!(header(&head, "content-length"), [body.len().to_string()], "an answer is compressed as a whole");
    assert!(body.len() < 20_000, "{}", body.len());
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let app = app(&[]);
    for uri in [uri("{ __typename }"), uri(LONG), uri("{"), uri("mutation { x }"), "/schema.graphql".to_owned()] {
        for extra in ["", "\r\naccept-encoding: gzip", "\r\nif-none-match: *"] {
            let ask = async |method: &str| {
                let (head, body) = exchange(&app, &format!("{method} {uri} HTTP/1.1{extra}"), "").await;
                let own = ["x-request-id", "date", "transfer-encoding"];
                let kept = head.lines().filter(|line| !own.iter().any(|name| line.starts_with(name)));
                (kept.map(str::to_owned).collect::<BTreeSet<_>>(), body)
            };
            let (of_get, _) = ask("GET").await;
            let (of_head, body) = ask("HEAD").await;
            assert_eq!((of_head, body.len()), (of_get, 0), "{uri} {extra}");
        }
    }
}

#[tokio::test]
async fn a_304_has_no_body_and_leaves_the_connection_open() {
    let app = app(&[]);
    let uri = uri(LONG);
    for extra in ["", "accept-encoding: gzip\r\n"] {
        let both = format!(
            "GET {uri} HTTP/1.1\r\nhost: localhost\r\n{extra}if-none-match: *\r\n\r\nGET {} HTTP/1.1",
            super::graphql_uri(&[("query", "{ __typename }")])
        );
        let (head, next) = exchange(&app, &both, "").await;
        assert!(head.starts_with("http/1.1 304 "), "{head}");
        for about_a_body in ["transfer-encoding", "content-length", "content-encoding", "content-type"] {
            assert_eq!(header(&head, about_a_body), [""; 0], "{head}");
        }
        assert!(next.starts_with(b"HTTP/1.1 200 OK") && next.ends_with(br#"{"data":{"__typename":"Query"}}"#));
    }
}
