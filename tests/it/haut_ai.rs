//! Haut.AI's client end to end: datasets, pages, subjects by id, sexes. Logins are in `login`.

mod login;

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Dictionary, Fault, FaultKind, HAUT_AI_TOKEN, LoggedRequest};

use crate::{
    transport::double::Double,
    util::{Builder, TestApp, to_path},
};

const UNKNOWN_ID: &str = "99999999-9999-4999-8999-999999999999";

fn people() -> Builder {
    TestApp::builder().without_brainstem()
}

/// The upstream ids of a dataset's subjects, in its order.
fn stored(app: &TestApp, dataset: &str) -> Vec<String> {
    let subjects = app.haut_ai().records("subjects");
    let of_dataset = subjects.iter().filter(|subject| subject["dataset"]["id"] == dataset);
    of_dataset.map(|subject| subject["id"].as_str().unwrap().to_owned()).collect()
}

/// Pages of `first` subjects from `after` on, until the last: their upstream ids.
async fn walk(app: &TestApp, first: u64, mut after: Value) -> Vec<String> {
    let query = "query($first: Int, $after: String) { subjects(first: $first, after: $after) \
        { nodes { sourceId } pageInfo { hasNextPage endCursor } } }";
    let mut ids = Vec::new();
    for _ in 0..1_000 {
        let page = app.query_with(query, json!({"first": first, "after": after})).await;
        let page = &page.data()["subjects"];
        let nodes = page["nodes"].as_array().unwrap();
        ids.extend(nodes.iter().map(|node| node["sourceId"].as_str().unwrap().to_owned()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
    }
    panic!("the walk does not end");
}

async fn cursor_behind(app: &TestApp, count: u64) -> Value {
    let query = format!("{{ subjects(first: {count}) {{ pageInfo {{ endCursor }} }} }}");
    app.query(&query).await.data()["subjects"]["pageInfo"]["endCursor"].clone()
}

/// Global ids of the first dataset's subjects, as another gateway gave them.
async fn global_ids() -> Vec<Value> {
    let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await;
    let mut ids = Vec::new();
    for after in [Value::Null, cursor_behind(&app, 100).await] {
        let query = "query($after: String) { subjects(first: 100, after: $after) { nodes { id } } }";
        let page = app.query_with(query, json!({ "after": after })).await;
        ids.extend(page.data()["subjects"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()));
    }
    ids
}

const NODES: &str = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Subject { name } } }";

fn lists(log: &[LoggedRequest]) -> usize {
    to_path(log, "/subjects/").len()
}

#[tokio::test]
async fn every_request_shows_the_private_token_and_asks_for_json() {
    let app = TestApp::new().await;
    app.query("{ datasets { name } subjects(first: 3) { nodes { name } } biologicalSexes { name } }").await.data();
    let log = app.haut_ai().take_log();
    assert!(log.len() >= 3);
    for request in &log {
        assert_eq!(request.authorization.as_deref(), Some(format!("Bearer {HAUT_AI_TOKEN}").as_str()));
        assert!(request.headers.contains(&("accept".to_owned(), "application/json".to_owned())));
        assert!(request.path.ends_with('/'), "{}", request.path);
    }
    assert!(app.brainstem().log().is_empty(), "nothing of Haut.AI goes to BrainSTEM");
}

#[tokio::test]
async fn datasets_are_discovered_in_the_servers_order_or_configured_in_their_own() {
    const QUERY: &str = "{ datasets { sourceId name companySourceId } }";
    let names = |answer: &Value| -> Vec<String> {
        let datasets = answer["datasets"].as_array().unwrap();
        datasets.iter().map(|dataset| dataset["sourceId"].as_str().unwrap().to_owned()).collect()
    };
    let app = people().build().await;
    let all = app.query(QUERY).await;
    assert_eq!(names(all.data()), DATASET_IDS);
    assert!(all.data()["datasets"].as_array().unwrap().iter().all(|dataset| dataset["companySourceId"] == COMPANY_ID));

    let configured = format!("{},{UNKNOWN_ID},{}", DATASET_IDS[1], DATASET_IDS[0]);
    let app = people().set("HAUT_AI_DATASET_IDS", configured).build().await;
    assert_eq!(names(app.query(QUERY).await.data()), [DATASET_IDS[1], DATASET_IDS[0]]);

    let by = |dataset: &str, id: &str| {
        format!("{{ subject(by: {{hautAi: {{datasetId: \"{dataset}\", subjectId: \"{id}\"}}}}) {{ name }} }}")
    };
    let absent = app.query(&by(UNKNOWN_ID, UNKNOWN_ID)).await;
    assert_eq!(absent.data()["subject"], Value::Null);
    app.clear_logs();
    let outside = app.query(&by(DATASET_IDS[2], UNKNOWN_ID)).await;
    assert_eq!(outside.data()["subject"], Value::Null);
    assert!(app.haut_ai().log().is_empty(), "a dataset that is not configured is asked for nothing");
}

#[tokio::test]
async fn a_dataset_list_that_repeats_itself_ends_with_an_error() {
    let app = people().build().await;
    let body = json!({"count": 1_000_000_000, "next": "http://elsewhere.example/?page=2", "previous": null,
        "results": [{"id": DATASET_IDS[0], "name": "one"}]});
    let same = FaultKind::Status(200, body.to_string(), Vec::new());
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(same)));
    let answer = app.query("{ datasets { name } }").await;
    assert_eq!(answer.codes(), [("UPSTREAM_INVALID_RESPONSE".to_owned(), json!(["datasets"]))]);
    assert!(app.haut_ai().log().len() < 300);
}

#[tokio::test]
async fn all_subjects_come_once_and_in_order_however_the_server_cuts_its_pages() {
    for (cap, first) in [(20, 100), (7, 50), (100, 100), (90, 33)] {
        let app = people().build().await;
        app.haut_ai().set_knobs(|knobs| knobs.page_cap = cap);
        let expected: Vec<String> = DATASET_IDS.iter().flat_map(|dataset| stored(&app, dataset)).collect();
        assert_eq!(expected.len(), 217);
        assert_eq!(walk(&app, first, Value::Null).await, expected, "cap {cap}, first {first}");
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_a_gateway_that_does_not_know_the_servers_cap_yet() {
    for cap in [20, 60, 90, 100] {
        let elsewhere = people().build().await;
        let app = people().build().await;
        app.haut_ai().set_knobs(|knobs| knobs.page_cap = cap);
        let expected: Vec<String> = DATASET_IDS.iter().flat_map(|dataset| stored(&app, dataset)).skip(100).collect();
        let cursor = cursor_behind(&elsewhere, 100).await;
        assert_eq!(walk(&app, 100, cursor).await, expected, "cap {cap}");
    }
}

#[tokio::test]
async fn a_page_past_the_end_is_the_end() {
    let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).set("CACHE_FRESH_MS", "0").build().await;
    let cursor = cursor_behind(&app, 100).await;
    for id in stored(&app, DATASET_IDS[0]).iter().skip(50) {
        app.haut_ai().remove("subjects", id);
    }
    app.clear_logs();
    assert_eq!(walk(&app, 100, cursor).await, Vec::<String>::new());
    assert!(app.haut_ai().log().iter().any(|request| request.status == 404));
}

#[tokio::test]
async fn next_is_never_followed() {
    let trap = Double::json(|_| json!({"count": 0, "next": null, "results": []})).await;
    let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await;
    let first = json!({"id": UNKNOWN_ID, "name": "Ada"});
    let body = json!({"count": 2, "next": format!("{}/?page=2", trap.url), "previous": null, "results": [first]});
    let fault = FaultKind::Status(200, body.to_string(), Vec::new());
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(fault).times(1)));
    app.query("{ subjects(first: 2) { nodes { name } } }").await.data();
    assert_eq!(trap.requests(), Vec::<String>::new());
    assert!(app.haut_ai().log().len() > 1, "the second page came from where the first did");
}

#[tokio::test]
async fn few_ids_cost_a_request_each_and_many_a_page_or_two() {
    let ids = global_ids().await;
    assert_eq!(ids.len(), 180);
    let app = people().build().await;
    let two = app.query_with(NODES, json!({"ids": ids[10..12]})).await;
    assert_eq!(two.data()["nodes"][1]["id"], ids[11]);
    let log = app.haut_ai().take_log();
    assert_eq!((log.len(), lists(&log)), (2, 0));

    let app = people().build().await;
    let many: Vec<Value> = ids.iter().step_by(4).cloned().collect();
    let answer = app.query_with(NODES, json!({ "ids": many })).await;
    let got: Vec<Value> = answer.data()["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    assert_eq!(got, many);
    let log = app.haut_ai().take_log();
    assert_eq!((log.len(), lists(&log)), (2, 2));
}

#[tokio::test]
async fn an_id_that_is_not_there_is_null_among_few_and_among_many() {
    let mut ids = global_ids().await;
    for count in [1, 10] {
        let app = people().build().await;
        let gone = stored(&app, DATASET_IDS[0])[3].clone();
        app.haut_ai().remove("subjects", &gone);
        ids.truncate(3 + count);
        let answer = app.query_with(NODES, json!({"ids": ids[3..]})).await;
        let nodes = answer.data()["nodes"].as_array().unwrap();
        assert_eq!(nodes[0], Value::Null);
        assert!(nodes[1..].iter().all(Value::is_object));
        ids = global_ids().await;
    }
}

#[tokio::test]
async fn subjects_are_found_by_listing_where_the_server_has_no_detail() {
    let ids = global_ids().await;
    let app = people().build().await;
    app.haut_ai().set_knobs(|knobs| (knobs.detail_405, knobs.page_cap) = (true, 50));
    let gone = stored(&app, DATASET_IDS[0])[1].clone();
    app.haut_ai().remove("subjects", &gone);
    let answer = app.query_with(NODES, json!({"ids": [ids[0], ids[1], ids[179]]})).await;
    let nodes = &answer.data()["nodes"];
    assert_eq!((&nodes[0]["id"], &nodes[1], &nodes[2]["id"]), (&ids[0], &Value::Null, &ids[179]));
    app.clear_logs();
    app.query_with(NODES, json!({"ids": [ids[100]]})).await.data();
    let log = app.haut_ai().take_log();
    assert!(log.iter().all(|request| request.path.ends_with("/subjects/")), "it was told once that there is no detail");

    let repeats = json!({"count": 1_000_000_000, "next": "x", "results": [{"id": UNKNOWN_ID}]});
    let fault = Fault::new(FaultKind::Status(200, repeats.to_string(), Vec::new())).on_query("page=");
    let app = people().build().await;
    app.haut_ai().set_knobs(|knobs| (knobs.detail_405, knobs.faults) = (true, vec![fault]));
    let answer = app.query_with(NODES, json!({"ids": [ids[0]]})).await;
    assert_eq!(answer.codes(), [("UPSTREAM_INVALID_RESPONSE".to_owned(), json!(["nodes", 0]))]);
    assert!(app.haut_ai().log().len() < 300);
}

#[tokio::test]
async fn the_dictionary_may_be_a_list_or_in_results_or_missing() {
    const QUERY: &str = "{ biologicalSexes { sourceId name techName sex } }";
    let mut answers = Vec::new();
    for shape in [Dictionary::List, Dictionary::Results] {
        let app = people().build().await;
        app.haut_ai().set_knobs(|knobs| knobs.dictionary = shape);
        answers.push(app.query(QUERY).await.data()["biologicalSexes"].clone());
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].as_array().unwrap().len() >= 2);

    let app = people().build().await;
    app.haut_ai().set_knobs(|knobs| knobs.dictionary = Dictionary::Missing);
    assert_eq!(app.query(QUERY).await.data()["biologicalSexes"], json!([]));
    // What records teach stands in for it.
    let subjects = app.query("{ subjects(first: 100) { nodes { sex biologicalSex { sourceId } } } }").await;
    assert!(subjects.data()["subjects"]["nodes"].as_array().unwrap().iter().any(|node| node["sex"] == "FEMALE"));
    assert!(!app.query(QUERY).await.data()["biologicalSexes"].as_array().unwrap().is_empty());
}

/// Adds subjects whose sexes are bare ids.
fn plant(app: &TestApp, sexes: &[&Value]) {
    for (number, sex) in sexes.iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        let dataset = json!({"id": DATASET_IDS[2], "name": "bare"});
        app.haut_ai().insert("subjects", json!({"id": id, "name": id, "biological_sex": sex, "dataset": dataset}));
    }
}

const SEXES: &str = "{ subjects(first: 100) { nodes { sex biologicalSex { name } hautAi { rawSex } } } }";

#[tokio::test]
async fn bare_sexes_cost_one_request_for_any_number_and_whole_ones_none() {
    let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await;
    app.query(SEXES).await.data();
    assert_eq!(to_path(&app.haut_ai().take_log(), "/biological_sexes/").len(), 0);

    let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[2]).build().await;
    let dictionary = app.haut_ai().records("biological_sexes");
    let sexes: Vec<&Value> = (0..40).map(|n| &dictionary[n % dictionary.len()]["id"]).collect();
    plant(&app, &sexes);
    let answer = app.query(SEXES).await;
    for (node, id) in answer.data()["subjects"]["nodes"].as_array().unwrap().iter().zip(&sexes) {
        let entry = dictionary.iter().find(|entry| entry["id"] == **id).unwrap();
        assert_eq!((&node["biologicalSex"]["name"], node["sex"].is_string()), (&entry["name"], true));
    }
    let log = app.haut_ai().take_log();
    assert_eq!((log.len(), to_path(&log, "/biological_sexes/").len()), (2, 1));
}

#[tokio::test]
async fn without_a_dictionary_bare_sexes_are_null_unless_records_taught_them() {
    let known = TestApp::new().await.haut_ai().records("biological_sexes")[0]["id"].clone();
    let unknown = json!(UNKNOWN_ID);
    let query = "{ subjects(first: 2) { nodes { biologicalSex { sourceId } } } }";
    for dictionary_fails in [false, true] {
        let app = people().set("HAUT_AI_DATASET_IDS", DATASET_IDS[2]).build().await;
        plant(&app, &[&unknown, &known, &unknown]);
        app.haut_ai().insert(
            "subjects",
            json!({"id": UNKNOWN_ID, "dataset": {"id": DATASET_IDS[2]},
            "biological_sex": {"id": known, "name": "Female", "tech_name": "female"}}),
        );
        // The fourth record teaches.
        app.query("{ subjects(first: 4) { nodes { name } } }").await.data();
        app.haut_ai().set_knobs(|knobs| {
            knobs.dictionary = Dictionary::Missing;
            if dictionary_fails {
                knobs.faults.push(Fault::new(FaultKind::Html(500)).on_path("/dicts/"));
            }
        });
        let answer = app.query(query).await;
        let nodes = &answer.0["data"]["subjects"]["nodes"];
        assert_eq!(nodes[0]["biologicalSex"], Value::Null);
        assert_eq!(nodes[1]["biologicalSex"]["sourceId"], known);
        let failed = json!(["subjects", "nodes", 0, "biologicalSex"]);
        let expected = if dictionary_fails { vec![("UPSTREAM_ERROR".to_owned(), failed)] } else { Vec::new() };
        assert_eq!(answer.codes(), expected);
    }
}
