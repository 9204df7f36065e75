//! Half an answer stays an answer: what failed is null with an error beside it, and a walk loses nothing.

use std::{collections::HashMap, net::TcpListener, time::Duration};

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind, Upstream};

use crate::{
    util::{Answer, TestApp},
    walk::{animals, people},
};

fn fail(upstream: &Upstream, fault: Fault) {
    upstream.set_knobs(|knobs| knobs.faults.push(fault));
}

fn recover(upstream: &Upstream) {
    upstream.set_knobs(|knobs| knobs.faults.clear());
}

/// 503, to be tried again in 7 s.
fn unready() -> Fault {
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    Fault::new(FaultKind::Status(503, json!({"detail": "down for maintenance: secret"}).to_string(), headers))
}

/// An address that nobody listens on.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Path and extensions of each error, by path and source; no message may tell what an upstream said.
fn told(answer: &Answer) -> Vec<(Value, Value)> {
    let mut told: Vec<_> = answer
        .errors()
        .into_iter()
        .map(|error| {
            let message = error["message"].as_str().unwrap();
            assert!(!message.contains("secret") && !message.contains("127.0.0.1"), "{message}");
            assert!(error["locations"][0]["line"].is_u64(), "{error}");
            (error["path"].clone(), error["extensions"].clone())
        })
        .collect();
    told.sort_by_key(by_path);
    told
}

fn by_path((path, extensions): &(Value, Value)) -> String {
    format!("{path}{}", extensions["source"])
}

fn unavailable(source: &str) -> Value {
    json!({"code": "UPSTREAM_UNAVAILABLE", "source": source, "retryable": true, "retryAfter": 7, "httpStatus": 503})
}

fn unreachable(source: &str) -> Value {
    json!({"code": "UPSTREAM_UNAVAILABLE", "source": source, "retryable": true})
}

const PAGE: &str = "query($first: Int, $after: String) { page: subjects(first: $first, after: $after) { \
    nodes { source sourceId } pageInfo { hasNextPage endCursor } } }";

/// A walk that goes on through failures.
struct Walk<'a> {
    app: &'a TestApp,
    first: usize,
    after: Value,
    seen: Vec<Value>,
}

impl<'a> Walk<'a> {
    fn new(app: &'a TestApp, first: usize) -> Self {
        Self { app, first, after: Value::Null, seen: Vec::new() }
    }

    /// The next page, with its errors.
    async fn page(&mut self) -> (Answer, bool) {
        let variables = json!({"first": self.first, "after": self.after});
        let answer = self.app.query_with(PAGE, variables).await;
        let page = &answer.0["data"]["page"];
        self.seen.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["sourceId"].clone()));
        self.after = page["pageInfo"]["endCursor"].clone();
        let has_next = page["pageInfo"]["hasNextPage"] == true;
        (answer, has_next)
    }

    /// To the end, where nothing fails any more; then every record came once.
    async fn finish(mut self) {
        loop {
            let (answer, has_next) = self.page().await;
            answer.data();
            if !has_next {
                break;
            }
        }
        let records = people(self.app.haut_ai()).into_iter().chain(animals(self.app.brainstem()));
        let mut seen: HashMap<_, usize> = HashMap::new();
        for id in &self.seen {
            *seen.entry(id.to_string()).or_default() += 1;
        }
        for record in records {
            assert_eq!(seen.remove(&record["id"].to_string()), Some(1), "{}", record["id"]);
        }
        assert!(seen.is_empty(), "{seen:?}");
    }
}

#[tokio::test]
async fn people_that_were_out_of_reach_come_later() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let mut walk = Walk::new(&app, 30);
    fail(app.haut_ai(), unready());
    for _ in 0..3 {
        let (answer, has_next) = walk.page().await;
        assert_eq!(told(&answer), [(json!(["page"]), unavailable("HAUT_AI"))]);
        let nodes = answer.0["data"]["page"]["nodes"].as_array().unwrap();
        assert!(nodes.len() == 30 && nodes.iter().all(|node| node["source"] == "BRAINSTEM"), "{nodes:?}");
        assert!(has_next && walk.after.is_string());
    }
    recover(app.haut_ai());
    let (answer, _) = walk.page().await;
    assert_eq!(answer.data()["page"]["nodes"][0]["source"], "HAUT_AI");
    // Amid the first dataset, only its own records fail; then the second dataset's alone.
    fail(app.haut_ai(), unready().on_path("/subjects/"));
    let (answer, has_next) = walk.page().await;
    assert_eq!(told(&answer), [(json!(["page"]), unavailable("HAUT_AI"))]);
    assert!(has_next && answer.0["data"]["page"]["nodes"][29]["source"] == "BRAINSTEM");
    recover(app.haut_ai());
    fail(app.haut_ai(), unready().on_path("123e4567-e89b-12d3-a456-426614174000/subjects/"));
    // 150 people of the first dataset are left, and the animals go on behind them.
    for _ in 0..6 {
        let (_, has_next) = walk.page().await;
        assert!(has_next);
    }
    recover(app.haut_ai());
    walk.finish().await;
}

#[tokio::test]
async fn animals_that_were_out_of_reach_come_later() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let mut walk = Walk::new(&app, 50);
    fail(app.brainstem(), unready());
    let mut failures = 0;
    for _ in 0..7 {
        let before = walk.after.clone();
        let (answer, has_next) = walk.page().await;
        assert!(has_next, "there is more, once BrainSTEM is back");
        let count = answer.0["data"]["page"]["nodes"].as_array().unwrap().len();
        let errors = told(&answer);
        if count < 50 {
            failures += 1;
            assert_eq!(errors, [(json!(["page"]), unavailable("BRAINSTEM"))]);
        } else {
            assert_eq!(errors, []);
        }
        assert!(count > 0 || walk.after == before, "an empty page stays where it is");
    }
    assert_eq!((failures, walk.seen.len()), (3, 217), "the last people's page, and two empty ones");
    recover(app.brainstem());
    walk.finish().await;
}

#[tokio::test]
async fn with_both_down_the_page_is_empty_and_stays_where_it_is() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let mut walk = Walk::new(&app, 40);
    fail(app.haut_ai(), unready());
    fail(app.brainstem(), unready());
    let both = [(json!(["page"]), unavailable("BRAINSTEM")), (json!(["page"]), unavailable("HAUT_AI"))];
    let (answer, has_next) = walk.page().await;
    assert_eq!((told(&answer), has_next), (both.to_vec(), true));
    assert_eq!((walk.seen.len(), &walk.after), (0, &Value::Null));
    recover(app.haut_ai());
    recover(app.brainstem());
    walk.page().await;
    let before = walk.after.clone();
    fail(app.haut_ai(), unready());
    fail(app.brainstem(), unready());
    let (answer, has_next) = walk.page().await;
    assert_eq!((told(&answer), has_next), (both.to_vec(), true));
    assert_eq!((walk.seen.len(), &walk.after), (40, &before));
    recover(app.haut_ai());
    recover(app.brainstem());
    walk.finish().await;
}

#[tokio::test]
async fn every_field_says_for_itself_what_failed() {
    // Nobody listens there.
    let app = TestApp::builder().set("BRAINSTEM_URL", closed_port()).build().await;
    let query = "query($id: ID!) { both: subjects(first: 100) { totalCount nodes { source } } rest: subjects(first: 3) { nodes { source } } \
        animals: subjects(filter: {sources: [BRAINSTEM]}) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } \
        projects { totalCount } strains(search: \"x\") { totalCount } \
        one: subject(by: {brainStem: $id}) { id } named: subject(by: {brainStemName: \"x\"}) { id } \
        other: subject(by: {hautAi: {subjectId: $id}}) { id } datasets { id } sources { source status lastFailureCode } }";
    let id = "123e4567-e89b-12d3-a456-426614174000";
    let answer = app.query_with(query, json!({"id": id})).await;
    let data = &answer.0["data"];
    let paths = [
        json!(["animals"]),
        json!(["animals", "totalCount"]),
        json!(["both", "totalCount"]),
        json!(["named"]),
        json!(["one"]),
        json!(["projects"]),
        json!(["strains"]),
    ];
    let mut expected = paths.map(|path| (path, unreachable("BRAINSTEM")));
    // What a list leaves for later says when to come back.
    expected[0].1["retryAfter"] = json!(5);
    expected.sort_by_key(by_path);
    assert_eq!(told(&answer), expected);
    assert_eq!(data["both"]["nodes"].as_array().unwrap().len(), 100);
    assert_eq!(data["rest"]["nodes"].as_array().unwrap().len(), 3);
    let nothing = json!({"totalCount": null, "nodes": [], "pageInfo": {"hasNextPage": true, "endCursor": null}});
    assert_eq!(data["animals"], nothing);
    for field in ["projects", "strains", "one", "named"] {
        assert!(data[field].is_null(), "{field}");
    }
    assert!(data["other"].is_object() && data["datasets"].as_array().unwrap().len() == 3);

    let answer = app.query("{ sources { source status lastFailureCode } }").await;
    let expected = json!([
        {"source": "HAUT_AI", "status": "AVAILABLE", "lastFailureCode": null},
        {"source": "BRAINSTEM", "status": "FAILING", "lastFailureCode": "UPSTREAM_UNAVAILABLE"},
    ]);
    assert_eq!(answer.data()["sources"], expected);
}

#[tokio::test]
async fn one_relation_that_fails_leaves_its_siblings() {
    let query = "{ list: subjects(first: 12, filter: {sources: [BRAINSTEM]}) { edges { node { name projects { name } \
        strain { name } species { name } procedures(first: 2) { totalCount nodes { type } } \
        logs { totalCount nodes { type } } supplier { name } breeding { name mother { name } } licenses { name } strainId } } } }";
    let app = TestApp::new().await;
    let whole = app.query(query).await;
    let whole = whole.data()["list"]["edges"].as_array().unwrap();
    for (path, fields) in [
        ("/project/", &["projects"][..]),
        ("/strain/", &["strain", "species"]),
        ("/species/", &["species"]),
        ("/procedure/", &["procedures"]),
        ("/supplier/", &["supplier"]),
        ("/license/", &["licenses"]),
        ("/breeding/", &["breeding"]),
        ("/subjectlog/", &["logs"]),
    ] {
        let app = TestApp::builder().set("BRAINSTEM_SIDELOAD", "false").build().await;
        fail(app.brainstem(), Fault::new(FaultKind::Html(500)).on_path(path));
        let answer = app.query(query).await;
        let edges = answer.0["data"]["list"]["edges"].as_array().unwrap();
        let mut expected_errors = Vec::new();
        for (at, (got, whole)) in edges.iter().zip(whole).enumerate() {
            let mut expected = whole["node"].clone();
            for field in fields {
                let asks = match &whole["node"][field] {
                    // Whatever the species is, the strain had to be asked for it.
                    Value::Null => *field == "species" && path == "/strain/" && whole["node"]["strainId"].is_string(),
                    Value::Array(records) => !records.is_empty(),
                    Value::Object(page) => page.get("totalCount").is_none_or(|count| *count != 0),
                    _ => false,
                };
                if asks {
                    expected[field] = Value::Null;
                    expected_errors.push(json!(["list", "edges", at, "node", field]));
                }
            }
            assert_eq!(got["node"], expected, "{path}");
        }
        let code = json!({"code": "UPSTREAM_ERROR", "source": "BRAINSTEM", "retryable": true, "httpStatus": 500});
        let mut expected: Vec<_> = expected_errors.into_iter().map(|path| (path, code.clone())).collect();
        expected.sort_by_key(by_path);
        assert_eq!(told(&answer), expected, "{path}");
        assert!(!expected.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_record_without_a_readable_id_is_told_and_left_out() {
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").build().await;
    let dataset = subject_gateway::sandbox::DATASET_IDS[0];
    for (at, id) in [json!("00000000-0000-4000-8000-00000000000a"), Value::Null, json!("x")].into_iter().enumerate() {
        let person = json!({"id": id, "name": format!("p{at}"), "dataset": {"id": dataset}, "company": {
            "id": subject_gateway::sandbox::COMPANY_ID}});
        app.haut_ai().insert("subjects", person);
    }
    app.brainstem().insert("subjects", json!({"id": 7, "name": "a0"}));
    for (name, id) in [("a1", "00000000-0000-4000-8000-00000000000b"), ("a2", "00000000-0000-4000-8000-00000000000c")] {
        app.brainstem().insert("subjects", json!({"id": id, "name": name, "projects": [{"id": 5}, "no id", null]}));
    }
    let query = "query($first: Int!, $after: String) { list: subjects(first: $first, after: $after) { \
        nodes { name projectIds projects { id } } pageInfo { hasNextPage endCursor } } }";
    let answer = app.query_with(query, json!({"first": 20})).await;
    let invalid = |source: &str| {
        let extensions = json!({"code": "UPSTREAM_INVALID_RESPONSE", "source": source, "retryable": false});
        (json!(["list"]), extensions)
    };
    assert_eq!(told(&answer), [invalid("BRAINSTEM"), invalid("HAUT_AI")]);
    let messages: Vec<_> = answer.errors().iter().map(|error| error["message"].clone()).collect();
    assert!(messages.iter().any(|message| message.as_str().unwrap().starts_with("2 records")), "{messages:?}");
    let names = |answer: &Answer| {
        let nodes = answer.0["data"]["list"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&answer), ["p0", "a1", "a2"]);
    assert_eq!(answer.0["data"]["list"]["nodes"][1]["projects"], json!([]));
    assert_eq!(answer.0["data"]["list"]["pageInfo"]["hasNextPage"], false);
    // One a page: the walk gets over them and ends.
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    for _ in 0..10 {
        let answer = app.query_with(query, json!({"first": 1, "after": after})).await;
        seen.extend(names(&answer));
        let info = &answer.0["data"]["list"]["pageInfo"];
        if info["hasNextPage"] == false {
            break;
        }
        assert_ne!(info["endCursor"], after, "{:#}", answer.0);
        after = info["endCursor"].clone();
    }
    assert_eq!(seen, ["p0", "a1", "a2"]);
}

#[tokio::test]
async fn a_source_that_is_slower_than_the_deadline_leaves_the_other_ones_records() {
    for slow_people in [true, false] {
        let app = TestApp::builder().set("LIMITS_DEADLINE_MS", "1200").build().await;
        let (slow, source, other) = if slow_people {
            (app.haut_ai(), "HAUT_AI", "BRAINSTEM")
        } else {
            (app.brainstem(), "BRAINSTEM", "HAUT_AI")
        };
        slow.set_knobs(|knobs| knobs.latency = Duration::from_secs(60));
        let answer = app.query_with(PAGE, json!({"first": 100})).await;
        if slow_people {
            let late = json!({"code": "DEADLINE_EXCEEDED", "source": source, "retryable": true, "retryAfter": 5});
            assert_eq!(told(&answer), [(json!(["page"]), late)]);
        } else {
            answer.data();
        }
        let page = &answer.0["data"]["page"];
        let nodes = page["nodes"].as_array().unwrap();
        assert!(nodes.len() == 100 && nodes.iter().all(|node| node["source"] == other), "{nodes:?}");
        assert_eq!(page["pageInfo"]["hasNextPage"], true);
    }
    // A time limit of its own is told as such.
    let app = TestApp::builder().set("HAUT_AI_TIMEOUT_MS", "100").build().await;
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Hang)));
    let answer = app.query_with(PAGE, json!({"first": 10})).await;
    let late = json!({"code": "UPSTREAM_TIMEOUT", "source": "HAUT_AI", "retryable": true, "retryAfter": 5});
    assert_eq!(told(&answer), [(json!(["page"]), late)]);
    assert_eq!(answer.0["data"]["page"]["nodes"].as_array().unwrap().len(), 10);
}
