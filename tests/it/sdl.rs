//! The committed schema is the one that the program prints.

use std::{fs, path::Path};

use serde_json::{Value, json};
use subject_gateway::schema;

use crate::util::TestApp;

/// `UPDATE_DOCS=1 cargo test --test it sdl` rewrites it.
#[test]
fn schema_graphql_is_what_the_code_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let printed = schema::sdl(false);
    #[expect(clippy::disallowed_methods, reason = "asks for no configuration, but what the test is to do")]
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(&path, &printed).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(committed == printed, "out of date: run `UPDATE_DOCS=1 cargo test --test it sdl`");
}

#[test]
fn the_federated_schema_has_every_node_as_an_entity() {
    let plain = schema::sdl(false);
    let federated = schema::sdl(true);
    let nodes: Vec<&str> = plain.lines().filter(|line| line.contains(" implements Node ")).collect();
    assert_eq!(nodes.len(), 14);
    for node in nodes {
        let name = node.split(' ').nth(1).unwrap();
        let entity = format!("type {name} implements Node @key(fields: \"id\")");
        assert!(federated.contains(&entity), "{entity}");
    }
    assert!(federated.contains("federation/v2"));
}

#[tokio::test]
async fn entities_come_by_their_ids_and_null_stands_for_what_is_not_there() {
    let app = TestApp::new().await;
    let list = "{ subjects(first: 60, filter: {sources: [BRAINSTEM]}) { nodes { __typename id name projects { __typename id name } } } }";
    let list = app.query(list).await;
    let subjects = list.data()["subjects"]["nodes"].as_array().unwrap().clone();
    let project = &subjects[0]["projects"][0];
    let reference = |object: &Value| json!({"__typename": object["__typename"], "id": object["id"]});
    let mut asked: Vec<Value> = subjects.iter().map(reference).collect();
    asked.push(reference(project));
    asked.push(json!({"__typename": "Subject", "id": "nonsense"}));
    // The id of another type.
    asked.push(json!({"__typename": "Subject", "id": project["id"]}));
    let query = "query($asked: [_Any!]!) { _entities(representations: $asked) {
        ... on Subject { id name } ... on Project { id name } } }";
    let app = TestApp::builder().set("BRAINSTEM_URL", app.brainstem().url()).build().await;
    let answer = app.query_with(query, json!({"asked": asked})).await;
    let got = answer.0["data"]["_entities"].as_array().unwrap();
    assert_eq!(got.len(), 63);
    for (got, subject) in got.iter().zip(&subjects) {
        assert_eq!(got, &json!({"id": subject["id"], "name": subject["name"]}));
    }
    assert_eq!(got[60], json!({"id": project["id"], "name": project["name"]}));
    assert_eq!(got[61..], [Value::Null, Value::Null]);
    assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["_entities"]))]);
}
