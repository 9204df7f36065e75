//! `include[]`: one request for a list and what it relates to, in either shape, and the same data as without.

use serde_json::{Value, json};

use super::{animals, over, values};
use crate::{transport::double::Double, util::TestApp};

const QUERY: &str = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { id name \
    projects { id name description } \
    procedures(first: 3) { totalCount nodes { id type dateTime details brainRegion { id name } } } \
    strain { id name rrid species { id name } } species { id name } } } }";

async fn app(sideload: bool, nested: bool) -> TestApp {
    let app = animals().set("BRAINSTEM_SIDELOAD", sideload.to_string()).build().await;
    app.brainstem().set_knobs(|knobs| knobs.nested_include = nested);
    app
}

#[tokio::test]
async fn a_list_with_its_relations_takes_one_request_in_both_shapes() {
    let expected = app(false, false).await.query(QUERY).await;
    assert!(expected.data().to_string().contains("\"brainRegion\":{"), "the test needs brain regions");
    for nested in [false, true] {
        let app = app(true, nested).await;
        assert_eq!(app.query(QUERY).await.0, expected.0, "nested: {nested}");
        let log = app.brainstem().take_log();
        assert_eq!(log.len(), 1, "{log:#?}");
        let include = values(&log[0], "include[]");
        assert_eq!(
            include,
            ["projects.*", "procedures.*", "procedures.brain_region.*", "strain.*", "strain.species.*"]
        );
        app.query(QUERY).await.data();
        assert_eq!(app.brainstem().take_log().len(), 0);
    }
}

#[tokio::test]
async fn nothing_is_brought_along_that_the_query_does_not_ask_for() {
    let app = app(true, false).await;
    app.query("{ subjects(first: 5) { nodes { name projectIds procedureIds strainId } } }").await.data();
    let log = app.brainstem().take_log();
    assert_eq!((log.len(), values(&log[0], "include[]")), (1, Vec::<String>::new()));
}

#[tokio::test]
async fn parents_and_other_relations_are_the_same_with_and_without() {
    const QUERY: &str = "{ subjects(first: 100) { nodes { name logs(first: 5) { nodes { type entries { notes } } } \
        licenses { name } supplier { name } breeding { name mother { name } father { name } project { name } } } } }";
    let expected = app(false, false).await.query(QUERY).await;
    for nested in [false, true] {
        assert_eq!(app(true, nested).await.query(QUERY).await.0, expected.0, "nested: {nested}");
    }
    expected.data();
}

#[tokio::test]
async fn a_legacy_server_sideloads_its_actions() {
    const QUERY: &str = "{ subjects(first: 30) { nodes { name projects { name } \
        procedures(first: 5) { nodes { id type brainRegion { name } } } } } }";
    let legacy = || animals().legacy().set("BRAINSTEM_AUTH_SCHEME", "Token");
    let expected = legacy().build().await.query(QUERY).await;
    for nested in [false, true] {
        let app = legacy().set("BRAINSTEM_SIDELOAD", "true").build().await;
        app.brainstem().set_knobs(|knobs| knobs.nested_include = nested);
        assert_eq!(app.query(QUERY).await.data(), expected.data());
        let log = app.brainstem().take_log();
        assert_eq!(log.len(), 1, "{log:#?}");
        assert_eq!(values(&log[0], "include[]"), ["projects.*", "actions.*", "actions.brain_region.*"]);
    }
}

#[tokio::test]
async fn records_embedded_without_being_asked_for_are_taken_as_they_are() {
    let id = |n: u64| format!("00000000-0000-4000-8000-{n:012}");
    let region = json!({"id": id(6), "name": "CA1", "description": ""});
    let subject = json!({"id": id(1), "name": "one",
        "projects": [{"id": id(2), "name": "embedded", "tags": []}],
        "strain": {"id": id(3), "name": "strain", "species": {"id": id(4), "name": "Mus musculus", "rrid": ""}},
        "procedures": [{"id": id(5), "type": "Weighing", "subject": id(1), "brain_region": region}]});
    let upstream = Double::json(move |_| json!({"count": 1, "subjects": [subject]})).await;
    let query = "{ subjects { nodes { projectIds projects { name } strain { name species { name } } \
        procedures { nodes { type brainRegion { name } } } } } }";
    let answer = over(&upstream).await.query(query).await;
    let node: &Value = &answer.data()["subjects"]["nodes"][0];
    assert_eq!(node["projects"], json!([{"name": "embedded"}]));
    assert_eq!(node["strain"], json!({"name": "strain", "species": {"name": "Mus musculus"}}));
    assert_eq!(node["procedures"]["nodes"], json!([{"type": "Weighing", "brainRegion": {"name": "CA1"}}]));
    assert_eq!(node["projectIds"].as_array().unwrap().len(), 1);
    assert_eq!(upstream.requests().len(), 1);
}
