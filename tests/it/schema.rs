//! The schema itself: documented, parseable, and every object that has an id can be read back by it.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures::{StreamExt as _, future::join};
use serde_json::{Value, json};
use subject_gateway::{http::playground, schema};
use tower::ServiceExt as _;

use crate::util::TestApp;

const INTROSPECTION: &str = "{ __schema { directives { name description args { name description } } \
    types { name kind description specifiedByURL possibleTypes { name } \
    fields(includeDeprecated: true) { name description type { name kind ofType { name kind } } args { name description } } \
    inputFields { name description } enumValues(includeDeprecated: true) { name description } } } }";

/// What `subject-gateway sandbox` prints.
const FIRST_QUERY: &str = "\
{
  people: subjects(first: 3, filter: {sources: [HAUT_AI]}) {
    nodes { name sex biologicalSex { name } age }
  }
  animals: subjects(first: 3, filter: {sources: [BRAINSTEM]}) {
    nodes { name sex projects { name } procedures(first: 2) { nodes { type dateTime } } }
  }
}";

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Types and fields that are neither the language's nor federation's.
async fn own_types(app: &TestApp) -> Vec<Value> {
    const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];
    let answer = app.query(INTROSPECTION).await;
    let is_own = |name: &str| !name.starts_with('_') && !BUILT_IN.contains(&name);
    let types = items(&answer.data()["__schema"], "types");
    types.iter().filter(|one| is_own(one["name"].as_str().unwrap())).cloned().collect()
}

#[tokio::test]
async fn everything_is_described() {
    let app = TestApp::new().await;
    let mut bare = Vec::new();
    let mut check = |path: String, described: &Value| {
        let text = described["description"].as_str().unwrap_or_default().trim();
        if text.is_empty() {
            bare.push(path);
        }
    };
    let types = own_types(&app).await;
    for one in &types {
        let name = one["name"].as_str().unwrap();
        check(name.to_owned(), one);
        for list in ["fields", "inputFields", "enumValues"] {
            for member in items(one, list).iter().filter(|one| !one["name"].as_str().unwrap().starts_with('_')) {
                let path = format!("{name}.{}", member["name"].as_str().unwrap());
                check(path.clone(), member);
                for argument in items(member, "args") {
                    check(format!("{path}({}:)", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    assert!(bare.is_empty(), "without a description: {bare:#?}");

    let scalars: BTreeMap<_, _> =
        types.iter().filter(|one| one["kind"] == "SCALAR").map(|one| (one["name"].as_str().unwrap(), one)).collect();
    assert_eq!(scalars.keys().copied().collect::<Vec<_>>(), ["Date", "DateTime", "Duration", "JSON"]);
    for scalar in scalars.values() {
        assert!(scalar["specifiedByURL"].as_str().is_some_and(|url| url.starts_with("https://")), "{scalar}");
    }
}

/// A field that needs another request is nullable; what comes with the record may be non-null.
#[tokio::test]
async fn what_can_fail_is_nullable() {
    let app = TestApp::new().await;
    let types = own_types(&app).await;
    let is_node = |name: &Value| {
        let found = types.iter().find(|one| one["name"] == *name);
        found.is_some_and(|one| items(one, "fields").iter().any(|field| field["name"] == "id"))
    };
    let mut strict = Vec::new();
    for one in types.iter().filter(|one| one["kind"] == "OBJECT") {
        let name = one["name"].as_str().unwrap();
        // Of an edge the node is at hand, and of a subscription the event.
        if name.ends_with("Edge") || name.ends_with("Connection") || name == "Subscription" {
            continue;
        }
        for field in items(one, "fields") {
            let of = &field["type"]["ofType"]["name"];
            let is_page = of.as_str().is_some_and(|name| name.ends_with("Connection"));
            if field["type"]["kind"] == "NON_NULL" && (is_page || is_node(of)) {
                strict.push(format!("{name}.{}", field["name"].as_str().unwrap()));
            }
        }
    }
    assert_eq!(strict, Vec::<String>::new(), "non-null, but needs another request");
}

#[test]
fn the_printed_schema_is_one() {
    for federation in [false, true] {
        let sdl = schema::sdl(federation);
        let document = async_graphql::parser::parse_schema(&sdl).unwrap();
        assert!(document.definitions.len() > 20, "{sdl}");
    }
    let sdl = schema::sdl(false);
    for part in ["scalar Date @specifiedBy(url:", "input SubjectBy @oneOf", "type Subject implements Node"] {
        assert!(sdl.contains(part), "{part}");
    }
    // The default is not in the schema: `first: null` is what leaving it out is.
    assert!(!sdl.contains("first: Int ="), "{sdl}");
}

#[tokio::test]
async fn the_queries_that_we_show_run() {
    let app = TestApp::new().await;
    let examples = playground::QUERIES.into_iter().filter(|query| *query != subscription());
    for query in examples.chain([FIRST_QUERY]) {
        let answer = app.query(query).await;
        let data = answer.data().as_object().unwrap();
        for (name, value) in data {
            // The write lacks something on purpose.
            let list =
                [value, &value["nodes"], &value["userErrors"]].into_iter().find(|value| value.is_array()).unwrap();
            assert!(list.as_array().is_some_and(|list| !list.is_empty()), "{name} in {query}");
        }
    }
}

/// The example that `/graphql` does not run.
fn subscription() -> &'static str {
    let is_subscription = |query: &&str| query.lines().any(|line| line.starts_with("subscription "));
    playground::QUERIES.into_iter().find(is_subscription).unwrap()
}

#[tokio::test]
async fn the_subscription_that_we_show_tells_of_a_write() {
    let app = TestApp::new().await;
    let animal = app.query("{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id name } } }").await;
    let animal = &animal.data()["subjects"]["nodes"][0];
    let request = Request::post("/graphql/stream")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(json!({"query": subscription()}).to_string()))
        .unwrap();
    let mut events = app.app.front().oneshot(request).await.unwrap().into_body().into_data_stream();
    let update = "mutation($id: ID!) { \
        subjectUpdate(id: $id, input: {brainStem: {description: \"x\"}}) { userErrors { code } } }";
    // In this order: the subscription begins when its first event is asked for.
    let (event, written) = join(events.next(), app.query_with(update, json!({"id": animal["id"]}))).await;
    assert_eq!(written.data()["subjectUpdate"]["userErrors"], json!([]));
    let event = String::from_utf8(event.unwrap().unwrap().to_vec()).unwrap();
    let told: Value = serde_json::from_str(event.lines().find_map(|line| line.strip_prefix("data:")).unwrap()).unwrap();
    let change = &told["data"]["subjectChanged"];
    assert_eq!(change["kind"], "UPDATED");
    assert_eq!(change["id"], animal["id"]);
    assert_eq!(change["subject"], json!({"source": "BRAINSTEM", "name": animal["name"]}));
}

/// Every object within that has an id, by its type.
fn collect(value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => {
            if let (Some(Value::String(name)), Some(id)) = (fields.get("__typename"), fields.get("id")) {
                let name = if name == "Subject" { format!("Subject of {}", fields["source"]) } else { name.clone() };
                found.entry(name).or_insert_with(|| json!({"__typename": fields["__typename"], "id": id}));
            }
            fields.values().for_each(|field| collect(field, found));
        }
        _ => {}
    }
}

const RELATED: &str = "{ people: subjects(first: 5, filter: {sources: [HAUT_AI]}) { nodes { __typename id source \
        biologicalSex { __typename id } dataset { __typename id } } } \
    animals: subjects(first: 60, filter: {sources: [BRAINSTEM]}) { nodes { __typename id source \
        projects { __typename id cohorts { nodes { __typename id } } } \
        procedures { nodes { __typename id brainRegion { __typename id } } } logs { nodes { __typename id } } \
        licenses { __typename id } supplier { __typename id } breeding { __typename id } \
        strain { __typename id species { __typename id } } \
        brainStem { stateChanges { nodes { __typename id } } } } } }";

/// Reads back one object of each type; returns the types.
async fn read_back(app: &TestApp) -> BTreeSet<String> {
    let mut found = BTreeMap::new();
    collect(app.query(RELATED).await.data(), &mut found);
    for object in found.values() {
        let query = "query($id: ID!) { node(id: $id) { __typename id } }";
        let answer = app.query_with(query, json!({"id": object["id"]})).await;
        assert_eq!(answer.data()["node"], *object);
    }
    let ids: Vec<_> = found.values().map(|object| &object["id"]).collect();
    let answer =
        app.query_with("query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", json!({"ids": ids})).await;
    assert_eq!(answer.data()["nodes"], found.values().cloned().collect::<Value>());
    found.into_keys().collect()
}

#[tokio::test]
async fn every_kind_of_node_reads_back_by_its_id() {
    let app = TestApp::new().await;
    let legacy = TestApp::builder().legacy().build().await;
    let mut seen = read_back(&app).await;
    assert!(seen.contains("Subject of \"HAUT_AI\"") && seen.contains("Subject of \"BRAINSTEM\""), "{seen:?}");
    seen.extend(read_back(&legacy).await);
    let seen: BTreeSet<_> = seen.iter().map(|name| name.split(' ').next().unwrap()).collect();
    let types = own_types(&app).await;
    let node = types.iter().find(|one| one["name"] == "Node").unwrap();
    let nodes: BTreeSet<_> = items(node, "possibleTypes").iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(seen, nodes);
}
