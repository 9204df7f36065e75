//! Relations: one request a level and fifty ids, counted in the sandbox's log.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind, Knobs, SUBJECT_WITH_130_PROCEDURES};

use crate::util::{TestApp, to_path};

const FIFTY: &str = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { \
    id projects { id name } procedures(first: 3) { nodes { id type } } strain { id name species { id name } } } } }";

/// A gateway whose lists bring nothing along: its relations are loaded.
async fn loading() -> TestApp {
    TestApp::builder().set("BRAINSTEM_SIDELOAD", "false").build().await
}

/// How many different ids stand under a JSON pointer of the nodes.
fn distinct(nodes: &[Value], list: &str) -> usize {
    let ids = nodes.iter().flat_map(|node| node.pointer(list).and_then(Value::as_array).cloned().unwrap_or_default());
    ids.map(|record| record["id"].to_string()).collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn fifty_subjects_cost_one_request_a_relation_and_fifty_ids() {
    let app = loading().await;
    let cold = app.query(FIFTY).await;
    let log = app.brainstem().take_log();
    let nodes = cold.data()["subjects"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 50);
    let projects = distinct(nodes, "/projects").div_ceil(50);
    let procedures = distinct(nodes, "/procedures/nodes");
    assert!(procedures > 50, "the test needs more than one batch");
    let procedures = procedures.div_ceil(50);
    let expected =
        [("subject/", 1), ("strain/", 1), ("species/", 1), ("project/", projects), ("procedure/", procedures)];
    for (path, expected) in expected {
        assert_eq!(to_path(&log, path).len(), expected, "{path}");
    }
    assert_eq!(log.len(), expected.iter().map(|(_, count)| count).sum::<usize>());
    assert!(log.iter().all(|request| request.query.matches("id.in").count() <= 50));

    let warm = app.query(FIFTY).await;
    assert_eq!(warm.0, cold.0);
    assert_eq!(app.brainstem().take_log().len(), 0);
}

#[tokio::test]
async fn the_relations_of_a_level_are_asked_side_by_side() {
    let app = loading().await;
    app.query("{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { id } } }").await.data();
    app.clear_logs();
    // Relations of the first level are under way together: each has come before the first of them is answered.
    let slow = std::time::Duration::from_millis(600);
    app.brainstem().set_knobs(|knobs: &mut Knobs| knobs.latency = slow);
    app.query(FIFTY).await.data();
    let log = app.brainstem().take_log();
    let first = log.iter().map(|request| request.at).min().unwrap();
    let level: Vec<_> = log.iter().filter(|request| !request.path.contains("species")).collect();
    assert!(level.len() >= 4);
    assert!(level.iter().all(|request| request.at.duration_since(first) < slow), "one waited for another's answer");
}

#[tokio::test]
async fn fifty_identical_cold_queries_cost_what_one_does() {
    let app = loading().await;
    app.query(FIFTY).await;
    let one = app.brainstem().take_log().len();
    let app = loading().await;
    let answers = join_all((0..50).map(|_| app.query(FIFTY))).await;
    assert!(answers.iter().all(|answer| answer.0 == answers[0].0));
    assert!(app.brainstem().take_log().len() <= one);
}

#[tokio::test]
async fn fifty_different_cold_queries_cost_at_most_fifty_times_one() {
    let ids = loading().await.query("{ subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { id } } }").await;
    let ids: Vec<Value> =
        ids.data()["subjects"]["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Subject { projects { name } procedures(first: 5) { nodes { type } } strain { species { name } } } } }";
    let app = loading().await;
    let slices: Vec<_> = ids.windows(20).take(50).map(|slice| json!({ "ids": slice })).collect();
    let answers = join_all(slices.iter().map(|ids| app.query_with(query, ids.clone()))).await;
    for answer in &answers {
        answer.data();
    }
    let together = app.brainstem().take_log().len();
    let alone = loading().await;
    alone.query_with(query, slices[0].clone()).await.data();
    let one = alone.brainstem().take_log().len();
    assert!(together <= 50 * one, "{together} > 50 * {one}");
}

#[tokio::test]
async fn levels_aliases_and_fragments_are_batched_alike() {
    let app = loading().await;
    let answer = app
        .query(
            "{ subjects(first: 30, filter: {sources: [BRAINSTEM]}) { nodes { ...Deep also: procedures(first: 2) { nodes { type } } } } }
             fragment Deep on Subject {
               procedures(first: 2) { nodes { id subject { id strain { species { name } } } brainRegion { id name } } }
               projects { id subjects(first: 2) { nodes { id breeding { mother { id } } } } }
             }",
        )
        .await;
    answer.data();
    let log = app.brainstem().take_log();
    // A level of one kind is one request, or one per fifty ids; no kind stands on more than three levels here.
    for path in ["strain/", "species/", "brainregion/", "project/", "breeding/"] {
        assert!((1..=2).contains(&to_path(&log, path).len()), "{path}: {}", to_path(&log, path).len());
    }
    assert!(log.len() <= 16, "{} requests", log.len());
}

#[tokio::test]
async fn ids_and_counts_cost_nothing() {
    let app = TestApp::new().await;
    let query = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { \
        projectIds procedureIds logIds licenseIds strainId supplierId breedingId } } }";
    app.query(query).await.data();
    assert_eq!(app.brainstem().take_log().len(), 1);
}

#[tokio::test]
async fn pages_that_only_count_cost_nothing() {
    for sideload in ["false", "true"] {
        let app = TestApp::builder().set("BRAINSTEM_SIDELOAD", sideload).build().await;
        let counting = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { id procedureIds logIds \
            procedures(first: 2) { totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } logs { totalCount } } } }";
        let answer = app.query(counting).await;
        let log = app.brainstem().take_log();
        assert_eq!(log.len(), 1);
        assert!(!log[0].query.contains("include"), "{}", log[0].query);
        let nodes = answer.data()["subjects"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 50);
        for node in nodes {
            for (page, ids) in [("procedures", "procedureIds"), ("logs", "logIds")] {
                assert_eq!(node[page]["totalCount"], node[ids].as_array().unwrap().len());
            }
        }
        // One subject of its own is read without its procedures, too; and with them the page is the same one.
        let one = "query($id: ID!) { subject(by: {id: $id}) { procedures(first: 2) { totalCount pageInfo { hasNextPage \
            hasPreviousPage endCursor } } } }";
        let id = json!({ "id": nodes[0]["id"] });
        assert_eq!(app.query_with(one, id.clone()).await.data()["subject"]["procedures"], nodes[0]["procedures"]);
        assert_eq!(app.brainstem().take_log().len(), 0);
        let whole = app.query_with(&one.replace("totalCount", "totalCount nodes { id }"), id).await;
        let mut whole = whole.data()["subject"]["procedures"].clone();
        whole.as_object_mut().unwrap().remove("nodes");
        assert_eq!(whole, nodes[0]["procedures"]);
    }
}

#[tokio::test]
async fn a_server_that_caps_pages_gives_all_procedures() {
    for legacy in [false, true] {
        let builder = TestApp::builder();
        let app = if legacy { builder.legacy() } else { builder }.build().await;
        app.brainstem().set_knobs(|knobs| knobs.page_cap = 20);
        let query = "query($id: ID!, $after: String) { subject(by: {brainStem: $id}) { \
            procedures(first: 100, after: $after) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
        let mut after = Value::Null;
        let mut got = BTreeSet::new();
        loop {
            let answer = app.query_with(query, json!({"id": SUBJECT_WITH_130_PROCEDURES, "after": after})).await;
            let page = answer.data()["subject"]["procedures"].clone();
            assert_eq!(page["totalCount"], 130);
            got.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["id"].to_string()));
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(got.len(), 130, "legacy: {legacy}");
    }
}

#[tokio::test]
async fn sexes_that_records_carry_need_no_dictionary_and_bare_ids_one_request() {
    let app = TestApp::new().await;
    let query =
        "{ subjects(first: 100, filter: {sources: [HAUT_AI]}) { nodes { name sex biologicalSex { id name sex } } } }";
    let answer = app.query(query).await;
    let carried = answer.data()["subjects"]["nodes"][0]["biologicalSex"].clone();
    assert!(to_path(&app.haut_ai().take_log(), "biological_sexes/").is_empty());
    assert!(carried["name"].is_string());

    let app = TestApp::builder().empty().build().await;
    let sexes = app.haut_ai().records("biological_sexes");
    for at in 0..20 {
        let sex = &sexes[at % sexes.len()];
        let id = format!("aaaaaaaa-0000-4000-8000-{at:012}");
        let subject = json!({"id": id, "name": format!("bare {at}"), "biological_sex": sex["id"],
            "company": {"id": subject_gateway::sandbox::COMPANY_ID}, "dataset": {"id": DATASET_IDS[0]}});
        app.haut_ai().insert("subjects", subject);
    }
    let answer = app.query(query).await;
    for (at, node) in answer.data()["subjects"]["nodes"].as_array().unwrap().iter().enumerate() {
        assert_eq!(node["biologicalSex"]["name"], sexes[at % sexes.len()]["name"], "{node}");
        assert_eq!(node["sex"], node["biologicalSex"]["sex"]);
    }
    assert_eq!(to_path(&app.haut_ai().take_log(), "biological_sexes/").len(), 1);
}

#[tokio::test]
async fn a_dataset_that_is_gone_does_not_bar_the_way() {
    let gone = "99999999-0000-4000-8000-000000000000";
    let datasets = format!("{gone},{}", DATASET_IDS[1]);
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", datasets).build().await;
    let query = "query($after: String) { subjects(first: 20, after: $after, filter: {sources: [HAUT_AI]}) { \
        nodes { sourceId } pageInfo { hasNextPage endCursor } } }";
    let first = app.query(query).await;
    assert_eq!(first.codes(), [("UPSTREAM_ERROR".to_owned(), json!(["subjects"]))]);
    let page = &first.0["data"]["subjects"];
    assert_eq!(page["nodes"].as_array().unwrap().len(), 20);
    let rest = app.query_with(query, json!({"after": page["pageInfo"]["endCursor"]})).await;
    let rest = &rest.data()["subjects"];
    assert_eq!((rest["nodes"].as_array().unwrap().len(), &rest["pageInfo"]["hasNextPage"]), (17, &json!(false)));
}

#[tokio::test]
async fn a_reference_with_a_name_is_not_taken_for_the_record() {
    let app = TestApp::builder().empty().build().await;
    let project = app.brainstem().records("projects")[0].clone();
    let reference = json!({"id": project["id"], "name": project["name"]});
    app.brainstem().insert(
        "subjects",
        json!({"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "embedding", "projects": [reference]}),
    );
    let answer =
        app.query("{ subjects(filter: {sources: [BRAINSTEM]}) { nodes { projects { name isPublic } } } }").await;
    let expected = json!([{"name": project["name"], "isPublic": project["is_public"]}]);
    assert!(project["is_public"].is_boolean());
    assert_eq!(answer.data()["subjects"]["nodes"][0]["projects"], expected);
}

#[tokio::test]
async fn a_level_is_one_request_a_kind_over_aliases_fragments_and_what_is_nested() {
    let app = loading().await;
    let answer = app
        .query(
            "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { nodes {
               a: procedures(first: 1) { nodes { brainRegion { name } } } ...F
               ... on Subject { strain { species { name } } } } } }
             fragment F on Subject { b: procedures(last: 1) { edges { node { brainRegion { id } } } } species { rrid } }",
        )
        .await;
    let nodes = answer.data()["subjects"]["nodes"].as_array().unwrap();
    assert!(nodes.iter().any(|node| node["a"]["nodes"][0]["brainRegion"]["name"].is_string()));
    let log = app.brainstem().take_log();
    // Keys of one level go out together, however many places ask for them.
    for path in ["subject/", "procedure/", "strain/", "brainregion/", "species/"] {
        assert_eq!(to_path(&log, path).len(), 1, "{path}");
    }
    assert_eq!(log.len(), 5);
}

#[tokio::test]
async fn a_hundred_nodes_or_entities_are_batched_as_a_list_of_them_is() {
    let app = loading().await;
    let ids = "{ subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { __typename id } } }";
    let references = app.query(ids).await.data()["subjects"]["nodes"].as_array().unwrap().clone();
    let ids: Vec<_> = references.iter().map(|reference| &reference["id"]).collect();
    let fields = "... on Subject { projects { id } procedures { nodes { id } } strain { id } }";
    let [by_id, by_reference] = [("ID", "nodes(ids: $all)"), ("_Any", "_entities(representations: $all)")]
        .map(|(input, field)| format!("query($all: [{input}!]!) {{ all: {field} {{ {fields} }} }}"));
    for (query, all) in [(by_id, json!(ids)), (by_reference, json!(references))] {
        let app = loading().await;
        // One half of the subjects comes later than the other.
        let late = Fault::new(FaultKind::Delay(std::time::Duration::from_millis(50))).on_path("/subject/").times(1);
        app.brainstem().set_knobs(|knobs: &mut Knobs| knobs.faults = vec![late]);
        let answer = app.query_with(&query, json!({ "all": all })).await;
        let nodes = answer.data()["all"].as_array().unwrap();
        let log = app.brainstem().take_log();
        let [projects, procedures] = ["/projects", "/procedures/nodes"].map(|list| distinct(nodes, list).div_ceil(50));
        for (path, expected) in [("subject/", 2), ("project/", projects), ("procedure/", procedures), ("strain/", 1)] {
            assert_eq!(to_path(&log, path).len(), expected, "{path} of {query}");
        }
    }
}
