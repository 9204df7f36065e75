//! Reads that start after a write was answered show it, with warm caches.

use serde_json::{Value, json};

use super::{
    ANIMAL, OTHER_PROJECT, PROJECT, a_person, animal_id, by_id, create, done, new_animal, new_person, project_id,
    stored, update,
};
use crate::util::TestApp;

const READ: &str = "query($id: ID!, $project: ID!) { node(id: $id) { ... on Subject { name description metadata \
    projects { name } } } \
    animals: subjects(first: 100, filter: {sources: [BRAINSTEM]}) { totalCount nodes { id name description } } \
    people: subjects(first: 100, filter: {sources: [HAUT_AI]}) { totalCount nodes { id name metadata } } \
    project(id: $project) { subjectIds subjects(first: 100) { totalCount nodes { id name } } } \
    projects(first: 100) { nodes { id subjectIds } } strains(first: 1) { nodes { name } } datasets { name } }";

/// Reads twice: the second read finds everything kept, or the caches are cold for another reason.
async fn warm(app: &TestApp, id: &str, project: &str) -> Value {
    let variables = json!({"id": id, "project": project_id(project)});
    let first = app.query_with(READ, variables.clone()).await.data().clone();
    app.clear_logs();
    let second = app.query_with(READ, variables).await.data().clone();
    assert_eq!((super::asked(app), &second), (0, &first));
    second
}

fn of_list<'a>(list: &'a Value, id: &Value) -> Option<&'a Value> {
    list["nodes"].as_array().unwrap().iter().find(|node| node["id"] == *id)
}

#[tokio::test]
async fn an_animal_that_is_made_is_there_at_once() {
    let app = TestApp::new().await;
    let before = warm(&app, &animal_id(ANIMAL), PROJECT).await;
    let new = create(&app, new_animal(&json!({"name": "!first of all"}))).await;
    let after = warm(&app, new["id"].as_str().unwrap(), PROJECT).await;
    assert_eq!(after["node"]["name"], "!first of all");
    let count = |read: &Value| read["animals"]["totalCount"].as_u64().unwrap();
    assert_eq!(count(&after), count(&before) + 1);
    assert_eq!(of_list(&after["animals"], &new["id"]).unwrap()["name"], "!first of all");
    assert!(
        of_list(&after["project"]["subjects"], &new["id"]).is_some()
            || after["project"]["subjects"]["totalCount"].as_u64() > Some(100)
    );
    for project in [&after["project"], of_list(&after["projects"], &json!(project_id(PROJECT))).unwrap()] {
        assert!(project["subjectIds"].as_array().unwrap().contains(&new["id"]));
    }
}

#[tokio::test]
async fn an_animal_that_is_changed_is_so_everywhere() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    warm(&app, &id, OTHER_PROJECT).await;
    let input = json!({"name": "!moved", "description": "new", "projectIds": [project_id(OTHER_PROJECT)]});
    update(&app, &id, json!({"brainStem": input})).await;
    let after = warm(&app, &id, OTHER_PROJECT).await;
    assert_eq!((&after["node"]["name"], &after["node"]["description"]), (&json!("!moved"), &json!("new")));
    assert_eq!(after["node"]["projects"].as_array().unwrap().len(), 1);
    assert_eq!(of_list(&after["animals"], &json!(id)).unwrap()["description"], "new");
    assert!(after["project"]["subjectIds"].as_array().unwrap().contains(&json!(id)));
    let left = of_list(&after["projects"], &json!(project_id(PROJECT))).unwrap();
    assert!(!left["subjectIds"].as_array().unwrap().contains(&json!(id)));
}

#[tokio::test]
async fn what_is_deleted_is_nowhere_any_more() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    let project = stored(app.brainstem(), "subjects", ANIMAL)["projects"][0].as_str().unwrap().to_owned();
    let before = warm(&app, &id, &project).await;
    assert!(before["project"]["subjectIds"].as_array().unwrap().contains(&json!(id)));
    let name = before["node"]["name"].as_str().unwrap().to_owned();
    let procedures = "query($id: ID!) { node(id: $id) { ... on Subject { procedureIds } } }";
    let procedures = app.query_with(procedures, json!({"id": id})).await.data()["node"]["procedureIds"].clone();
    let node = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    app.query_with(node, json!({"ids": procedures})).await.data();

    done(&by_id(&app, "subjectDelete", &id).await);
    let after = warm(&app, &id, &project).await;
    assert_eq!(after["node"], Value::Null);
    assert!(!after.to_string().contains(&format!("\"{name}\"")) && !after.to_string().contains(&id));
    let count = |read: &Value| read["animals"]["totalCount"].as_u64().unwrap();
    assert_eq!(count(&after), count(&before) - 1);
    let gone = app.query_with(node, json!({"ids": procedures})).await;
    assert!(gone.data()["nodes"].as_array().unwrap().iter().all(Value::is_null), "what goes with it is gone as well");
}

#[tokio::test]
async fn a_person_is_made_changed_cleared_and_deleted() {
    let app = TestApp::new().await;
    let (other, _) = a_person(&app);
    let before = warm(&app, &other, PROJECT).await;
    let count = |read: &Value| read["people"]["totalCount"].as_u64().unwrap();
    let new = create(&app, new_person(&json!({"metadata": {"skin": "dry"}}))).await;
    let id = new["id"].as_str().unwrap();
    let after = warm(&app, id, PROJECT).await;
    assert_eq!((count(&after), &after["node"]["metadata"]), (count(&before) + 1, &json!({"skin": "dry"})));

    update(&app, &other, json!({"hautAi": {"name": "Renamed", "metadata": {"skin": "oily"}}})).await;
    let after = warm(&app, &other, PROJECT).await;
    assert_eq!(after["node"]["name"], "Renamed");
    let listed = of_list(&after["people"], &json!(other)).unwrap();
    assert_eq!((&listed["name"], &listed["metadata"]), (&json!("Renamed"), &json!({"skin": "oily"})));

    done(&by_id(&app, "subjectMetadataClear", &other).await);
    let after = warm(&app, &other, PROJECT).await;
    assert_eq!(after["node"]["metadata"], Value::Null);
    assert_eq!(of_list(&after["people"], &json!(other)).unwrap()["metadata"], Value::Null);
    assert!(!after.to_string().contains("oily"));

    done(&by_id(&app, "subjectDelete", &other).await);
    let after = warm(&app, &other, PROJECT).await;
    assert_eq!((&after["node"], count(&after)), (&Value::Null, count(&before)));
    assert!(of_list(&after["people"], &json!(other)).is_none());
}

#[tokio::test]
async fn a_write_leaves_the_other_source_and_what_never_changes_warm() {
    let app = TestApp::new().await;
    let (person, _) = a_person(&app);
    let read = "query($id: ID!) { node(id: $id) { id } people: subjects(first: 5, filter: {sources: [HAUT_AI]}) { \
        nodes { name } } strains(first: 5) { nodes { name } } datasets { name } biologicalSexes { name } }";
    app.query_with(read, json!({"id": person})).await.data();
    update(&app, &animal_id(ANIMAL), json!({"brainStem": {"description": "x"}})).await;
    app.clear_logs();
    app.query_with(read, json!({"id": person})).await.data();
    assert_eq!(super::asked(&app), 0);
}

#[tokio::test]
async fn many_deletions_are_seen_as_well() {
    let app = TestApp::new().await;
    let (person, _) = a_person(&app);
    let animal = animal_id(ANIMAL);
    let before = warm(&app, &animal, PROJECT).await;
    let query = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted } } }";
    app.query_with(query, json!({"ids": [person, animal]})).await.data();
    let after = warm(&app, &animal, PROJECT).await;
    for list in ["people", "animals"] {
        let count = |read: &Value| read[list]["totalCount"].as_u64().unwrap();
        assert_eq!(count(&after), count(&before) - 1, "{list}");
    }
    assert_eq!(after["node"], Value::Null);
    assert!(of_list(&after["people"], &json!(person)).is_none());
}

/// Lists that the gateway has sorted itself are kept whole: they follow every write, too.
#[tokio::test]
async fn sorted_lists_follow_every_write() {
    async fn sorted(app: &TestApp) -> Value {
        let query = "{ byName: subjects(first: 10, orderBy: {field: NAME}) { totalCount nodes { id name } } \
            byBirth: subjects(first: 10, orderBy: {field: BIRTH_DATE}) { nodes { id birthDate } } \
            found: subjects(first: 5, filter: {search: \"zzq\"}) { nodes { id } } }";
        let first = app.query(query).await.data().clone();
        app.clear_logs();
        let second = app.query(query).await.data().clone();
        assert_eq!((super::asked(app), &second), (0, &first), "it is kept");
        second
    }
    let app = TestApp::new().await;
    let before = sorted(&app).await["byName"]["totalCount"].as_u64().unwrap();
    let person = json!({"name": "  !! zzq one", "birthDate": "0001-01-01"});
    let person = create(&app, new_person(&person)).await["id"].clone();
    let animal =
        create(&app, new_animal(&json!({"name": "!! zzq two", "birthDate": "0001-01-01"}))).await["id"].clone();
    let after = sorted(&app).await;
    assert_eq!(after["byName"]["totalCount"], before + 2);
    for list in ["byName", "byBirth", "found"] {
        let ids: Vec<&Value> = after[list]["nodes"].as_array().unwrap().iter().map(|node| &node["id"]).collect();
        assert!(ids.contains(&&person) && ids.contains(&&animal), "{list}: {after}");
    }
    update(&app, person.as_str().unwrap(), json!({"hautAi": {"name": "zz last", "birthDate": null}})).await;
    let after = sorted(&app).await;
    assert!(!after["byName"].to_string().contains(person.as_str().unwrap()), "{after}");
    assert!(!after["byBirth"].to_string().contains(person.as_str().unwrap()), "{after}");
    let bulk = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted } } }";
    app.query_with(bulk, json!({"ids": [person, animal]})).await.data();
    let after = sorted(&app).await;
    assert_eq!(after["byName"]["totalCount"], before);
    assert!(!after.to_string().contains(animal.as_str().unwrap()), "{after}");
}
