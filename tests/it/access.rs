//! Callers with keys: who is let in, and what each may do.

pub(crate) mod issuer;
mod jwks;
mod jwt;

use axum::{
    body::Body,
    http::{Method, StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Value, json};
use subject_gateway::access::{Scope, keys::NewKey};
use tempfile::NamedTempFile;

use crate::{
    http::{self, Answer, request},
    util::{Builder, TestApp},
};

const LIST: &str = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

/// Keys in a file.
pub(crate) struct Keys {
    file: NamedTempFile,
    pub(crate) reader: String,
    pub(crate) writer: String,
    eraser: String,
    pub(crate) admin: String,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let made = |scope: Scope| NewKey::make(scope.name().rsplit(':').next().unwrap(), &[scope]).unwrap();
        let [reader, writer, eraser, admin] = Scope::ALL.map(made);
        let entries = [&reader, &writer, &eraser, &admin].map(|made| made.entry.as_str()).join("\n");
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), entries).unwrap();
        Self { file, reader: reader.key, writer: writer.key, eraser: eraser.key, admin: admin.key }
    }

    /// Leaves the others in the file.
    pub(crate) fn take_out_the_reader(&self) {
        let text = std::fs::read_to_string(self.file.path()).unwrap();
        let others =
            text.split("[[key]]").filter(|entry| !entry.contains("\"read\"")).collect::<Vec<_>>().join("[[key]]");
        std::fs::write(self.file.path(), others).unwrap();
    }

    pub(crate) fn builder(&self) -> Builder {
        TestApp::builder().set("GATEWAY_AUTH", "api-key").set("API_KEYS_FILE", self.file.path().to_str().unwrap())
    }
}

async fn send(app: &TestApp, method: Method, uri: &str, keys: &[&str], body: &str) -> Answer {
    let request = request(method, uri).header(CONTENT_TYPE, "application/json");
    let request = keys.iter().fold(request, |request, key| request.header("x-api-key", *key));
    http::send(app.app.front(), request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn post(app: &TestApp, key: &str, query: &str) -> Answer {
    send(app, Method::POST, "/graphql", &[key], &json!({ "query": query }).to_string()).await
}

fn asked(app: &TestApp) -> usize {
    app.haut_ai().log().len() + app.brainstem().log().len()
}

#[tokio::test]
async fn nobody_is_let_in_without_a_key_that_is_known() {
    let keys = Keys::new();
    let app = keys.builder().set("GATEWAY_INTROSPECTION", "true").set("GATEWAY_PLAYGROUND", "true");
    let app = app.set("GATEWAY_CORS_ORIGINS", "localhost").build().await;
    let body = json!({ "query": LIST }).to_string();
    let query = http::graphql_uri(&[("query", LIST)]);
    let stream = query.replacen("/graphql?", "/graphql/stream?", 1);
    let addresses = [
        (Method::POST, "/graphql"),
        (Method::GET, query.as_str()),
        (Method::POST, "/graphql/stream"),
        (Method::GET, stream.as_str()),
        (Method::GET, "/schema.graphql"),
        (Method::GET, "/metrics"),
        (Method::POST, "/admin/purge"),
        (Method::GET, "/nothing"),
    ];
    let reader = keys.reader.as_str();
    let strangers: [&[&str]; 5] = [&[], &[""], &["sgw_guessed"], &[&reader[1..]], &[reader, reader]];
    for (method, address) in addresses {
        for shown in strangers {
            let answer = send(&app, method.clone(), address, shown, &body).await;
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED".into()),
                "{address}"
            );
            assert_eq!(answer.header("www-authenticate"), "ApiKey");
            assert!(answer.message().contains("X-API-Key"));
        }
    }
    assert_eq!(asked(&app), 0);
    for open in ["/health/live", "/health/ready", "/", "/graphiql"] {
        let answer = send(&app, Method::GET, open, &[], "").await;
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{open}");
    }
    // A preflight carries no key, and pages are to read why they are not let in.
    let origin = "http://localhost:3000";
    for method in [Method::OPTIONS, Method::POST] {
        let asking =
            request(method, "/graphql").header("origin", origin).header("access-control-request-method", "POST");
        let answer = http::send(app.app.front(), asking.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin"), origin);
    }
    let answer = post(&app, reader, LIST).await;
    assert_eq!(
        (answer.status, answer.json()["data"]["subjects"]["nodes"].as_array().unwrap().len()),
        (StatusCode::OK, 1)
    );
    let schema = send(&app, Method::GET, "/schema.graphql", &[reader], "").await;
    assert_eq!(schema.status, StatusCode::OK);
}

/// Code and data of an answer.
fn outcome(answer: &Answer) -> (String, Value) {
    assert_eq!(answer.status, StatusCode::OK);
    (answer.code(), answer.json()["data"].clone())
}

#[tokio::test]
async fn each_scope_allows_its_own_and_nothing_is_asked_for_what_is_not_allowed() {
    let keys = Keys::new();
    let app = keys.builder().build().await;
    let id = post(&app, &keys.reader, LIST).await.json()["data"]["subjects"]["nodes"][0]["id"].clone();
    app.clear_logs();
    let representation = format!("{{__typename: \"Subject\", id: {id}}}");
    let reads = [
        LIST.to_owned(),
        format!("{{ node(id: {id}) {{ id }} }}"),
        format!("{{ nodes(ids: [{id}]) {{ id }} }}"),
        format!("{{ subject(by: {{id: {id}}}) {{ id }} }}"),
        format!("{{ _entities(representations: [{representation}]) {{ __typename }} }}"),
        "{ project(id: \"\") { id } }".to_owned(),
        "{ procedure(id: \"\") { id } }".to_owned(),
        "{ biologicalSexes { id } }".to_owned(),
        "{ datasets { id } }".to_owned(),
    ];
    let lists = ["projects", "procedures", "logs", "strains", "species", "suppliers"];
    let reads: Vec<String> =
        reads.into_iter().chain(lists.map(|list| format!("{{ {list}(first: 1) {{ nodes {{ id }} }} }}"))).collect();
    // No field of `Query` is forgotten but those that read no record.
    let root = "{ __schema { queryType { fields { name } } } }";
    let fields = TestApp::new().await.query(root).await.data()["__schema"]["queryType"]["fields"].clone();
    for field in fields.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()) {
        let is_tried = reads.iter().any(|read| read.starts_with(&format!("{{ {field}")));
        assert!(is_tried || ["sources", "_service"].contains(&field), "{field}");
    }
    for read in &reads {
        for other in [&keys.writer, &keys.eraser, &keys.admin] {
            assert_eq!(outcome(&post(&app, other, read).await).0, "FORBIDDEN", "{read}");
        }
    }
    let update = format!(
        "mutation {{ subjectUpdate(id: {id}, input: {{brainStem: {{description: \"x\"}}}}) {{ subject {{ id }} \
         userErrors {{ message }} }} }}"
    );
    let delete = format!("mutation {{ subjectDelete(id: {id}) {{ deletedId }} }}");
    for (write, not_allowed) in
        [(&update, [&keys.reader, &keys.eraser, &keys.admin]), (&delete, [&keys.reader, &keys.writer, &keys.admin])]
    {
        for other in not_allowed {
            assert_eq!(outcome(&post(&app, other, write).await).0, "FORBIDDEN", "{write}");
        }
    }
    assert_eq!(asked(&app), 0);

    // What was written may be read by those who may read.
    let (code, data) = outcome(&post(&app, &keys.writer, &update).await);
    assert_eq!((code.as_str(), &data["subjectUpdate"]), ("FORBIDDEN", &json!({"subject": null, "userErrors": []})));
    let (code, data) = outcome(&post(&app, &keys.eraser, &delete).await);
    assert_eq!((code.as_str(), &data["subjectDelete"]["deletedId"]), ("", &id));
    for read in reads.iter().filter(|read| !read.contains("\"\"")) {
        assert_eq!(outcome(&post(&app, &keys.reader, read).await).0, "", "{read}");
    }
    let purge = r#"{"source": "BRAINSTEM"}"#;
    for (key, expected) in [(&keys.reader, StatusCode::FORBIDDEN), (&keys.admin, StatusCode::OK)] {
        assert_eq!(send(&app, Method::POST, "/admin/purge", &[key], purge).await.status, expected);
        assert_eq!(send(&app, Method::GET, "/metrics", &[key], "").await.status, expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_at_hand_is_not_given_to_those_who_may_not_read() {
    let keys = Keys::new();
    let app = keys.builder().build().await;
    for _ in ["made", "at hand"] {
        assert_eq!(outcome(&post(&app, &keys.reader, LIST).await).0, "");
        assert_eq!(outcome(&post(&app, &keys.writer, LIST).await).0, "FORBIDDEN");
        let uri = http::graphql_uri(&[("query", LIST)]);
        assert_eq!(send(&app, Method::GET, &uri, &[&keys.writer], "").await.code(), "FORBIDDEN");
        assert_eq!(send(&app, Method::GET, &uri, &[&keys.reader], "").await.code(), "");
    }
}

#[tokio::test]
async fn keys_are_read_anew_while_the_gateway_runs() {
    let keys = Keys::new();
    let app = keys.builder().build().await;
    let late = NewKey::make("late", &[Scope::Read]).unwrap();
    assert_eq!(post(&app, &late.key, LIST).await.status, StatusCode::UNAUTHORIZED);
    std::fs::write(keys.file.path(), &late.entry).unwrap();
    let noticed = async {
        while post(&app, &late.key, LIST).await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = noticed => {}
        () = app.app.keep_up() => unreachable!("it does not end"),
    }
    assert_eq!(post(&app, &keys.reader, LIST).await.status, StatusCode::UNAUTHORIZED);
}
