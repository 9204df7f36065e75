//! What `_entities` costs the upstreams: what `nodes` does.

use serde_json::{Value, json};

use super::entities::{entities, reference};
use crate::{
    util::{TestApp, to_path},
    walk::all_subjects,
};

/// Requests to either upstream since the logs were cleared.
fn requests(app: &TestApp) -> [usize; 2] {
    [app.haut_ai().take_log().len(), app.brainstem().take_log().len()]
}

/// So many subjects of a source, as references.
async fn some(source: &str, count: usize) -> Vec<Value> {
    let all = all_subjects(&TestApp::new().await, "__typename id source").await;
    let references: Vec<_> = all.iter().filter(|it| it["source"] == source).map(reference).take(count).collect();
    assert_eq!(references.len(), count);
    references
}

/// What `nodes` asks for, a hundred at a time side by side.
async fn requests_of_nodes(references: &[Value]) -> [usize; 2] {
    let app = TestApp::new().await;
    for references in references.chunks(100) {
        let ids: Vec<_> = references.iter().map(|reference| &reference["id"]).collect();
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Subject { name } } }";
        app.query_with(query, json!({"ids": ids})).await.data();
    }
    requests(&app)
}

/// All of them, from a gateway that has seen none, and what it cost.
async fn cost(asked: &[Value]) -> [usize; 2] {
    let app = TestApp::new().await;
    let answer = entities(&app, asked).await;
    let got = answer.data()["_entities"].as_array().unwrap();
    assert_eq!(got.iter().map(reference).collect::<Vec<_>>(), asked);
    requests(&app)
}

#[tokio::test]
async fn two_hundred_animals_cost_four_requests() {
    let animals = some("BRAINSTEM", 200).await;
    assert_eq!(cost(&animals).await, [0, 4]);
    assert_eq!(requests_of_nodes(&animals).await, [0, 4]);
}

#[tokio::test]
async fn two_hundred_people_cost_what_nodes_costs() {
    let people = some("HAUT_AI", 200).await;
    let of_nodes = requests_of_nodes(&people).await;
    assert_eq!(cost(&people).await, of_nodes);
    assert!(of_nodes[0] <= 4, "{of_nodes:?}");
}

#[tokio::test]
async fn kinds_that_are_mixed_cost_what_each_costs_alone() {
    let (people, animals) = (some("HAUT_AI", 100).await, some("BRAINSTEM", 100).await);
    let app = TestApp::new().await;
    let projects = app.query("{ projects(first: 20) { nodes { __typename id } } }").await;
    let projects: Vec<_> = projects.data()["projects"]["nodes"].as_array().unwrap().iter().map(reference).collect();
    let alone = [cost(&people).await, cost(&animals).await, cost(&projects).await];
    // In turn, and each twice.
    let mut mixed = Vec::new();
    for at in 0..100 {
        mixed.extend([people.get(at), animals.get(at), projects.get(at)].into_iter().flatten().cloned());
    }
    mixed.extend(mixed.clone());
    let sum = [0, 1].map(|upstream| alone.iter().map(|requests| requests[upstream]).sum::<usize>());
    assert_eq!(cost(&mixed).await, sum);
}

#[tokio::test]
async fn a_relation_of_many_entities_is_one_batch_each_fifty() {
    let animals = some("BRAINSTEM", 100).await;
    let app = TestApp::new().await;
    let query = "query($asked: [_Any!]!) { _entities(representations: $asked) { ... on Subject { strain { name } } } }";
    app.query_with(query, json!({"asked": animals})).await.data();
    let log = app.brainstem().take_log();
    assert_eq!((to_path(&log, "subject/").len(), to_path(&log, "strain/").len(), log.len()), (2, 1, 3));
}
