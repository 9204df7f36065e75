//! `_entities`: in their order, each for itself.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{Id, NodeId, SubjectId},
    sandbox::{COMPANY_ID, DATASET_IDS, FOREIGN_DATASET_ID, Fault, FaultKind, SUBJECT_WITH_130_PROCEDURES},
};
use uuid::Uuid;

use crate::util::{Answer, TestApp};

pub(super) const ENTITIES: &str = "query($asked: [_Any!]!) { _entities(representations: $asked) { __typename \
    ... on Node { id } ... on Subject { name source } ... on Project { title: name } } }";

/// As a router refers to an object.
pub(super) fn reference(object: &Value) -> Value {
    json!({"__typename": object["__typename"], "id": object["id"]})
}

pub(super) async fn entities(app: &TestApp, asked: &[Value]) -> Answer {
    app.query_with(ENTITIES, json!({"asked": asked})).await
}

fn animal(uuid: &str) -> String {
    NodeId::from(SubjectId::BrainStem(Id::new(Uuid::try_parse(uuid).unwrap()))).to_string()
}

/// One person, one animal and one project, as `_entities` shows them.
async fn three(app: &TestApp) -> [Value; 3] {
    let query = "{ people: subjects(first: 1, filter: {sources: [HAUT_AI]}) { nodes { __typename id name source } } \
        animals: subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { __typename id name source } } \
        projects(first: 1) { nodes { __typename id title: name } } }";
    let answer = app.query(query).await;
    ["people", "animals", "projects"].map(|list| answer.data()[list]["nodes"][0].clone())
}

#[tokio::test]
async fn entities_come_in_the_order_of_their_representations() {
    let app = TestApp::new().await;
    let objects = three(&app).await;
    let [person, animal, project] = &objects;
    // The same one twice, and what a router adds for `@requires`.
    let more = json!({"__typename": "Subject", "id": person["id"], "name": "theirs", "consent": {"forms": [1, null]}});
    let asked = [reference(project), reference(person), reference(animal), reference(project), more];
    let answer = entities(&app, &asked).await;
    assert_eq!(answer.data()["_entities"], json!([project, person, animal, project, person]));

    // Written out in the query itself.
    let query = format!(
        "{{ _entities(representations: [{{__typename: \"Project\", id: {}}}]) {{ ... on Project {{ name }} }} }}",
        project["id"]
    );
    assert_eq!(app.query(&query).await.data()["_entities"], json!([{"name": project["title"]}]));
    assert_eq!(entities(&app, &[]).await.data()["_entities"], json!([]));
}

#[tokio::test]
async fn what_is_not_there_is_null_without_an_error() {
    let app = TestApp::new().await;
    let [person, ..] = three(&app).await;
    let gone = json!({"__typename": "Subject", "id": animal("00000000-0000-4000-8000-000000000001")});
    let answer = entities(&app, &[gone, reference(&person)]).await;
    assert_eq!(answer.data()["_entities"], json!([null, person]));
}

#[tokio::test]
async fn a_malformed_representation_is_null_with_an_error_that_has_its_index() {
    let app = TestApp::new().await;
    let [person, animal, project] = three(&app).await;
    app.clear_logs();
    let subject = |id: Value| json!({"__typename": "Subject", "id": id});
    let of = |name: Value| json!({"__typename": name, "id": animal["id"]});
    let cases = [
        (json!("Subject"), "` is not an object"),
        (json!(7), "` is not an object"),
        (json!([reference(&person)]), "` is not an object"),
        (json!({}), ".__typename` is missing"),
        (json!({"id": animal["id"]}), ".__typename` is missing"),
        (of(json!(1)), ".__typename` is missing or not a text"),
        (of(json!("Mouse")), ".__typename` is no entity of this subgraph: expected one of Subject, Project, "),
        // Neither an interface nor what is no node can be asked for.
        (of(json!("Node")), ".__typename` is no entity"),
        (of(json!("_Entity")), ".__typename` is no entity"),
        (of(json!("Company")), ".__typename` is no entity"),
        (json!({"__typename": "Subject"}), ".id` is missing"),
        (subject(Value::Null), ".id` is missing"),
        (subject(json!(5)), ".id` is missing or not a text"),
        (subject(json!({"id": animal["id"]})), ".id` is missing or not a text"),
        (subject(json!("nonsense")), ".id` is not an id of this gateway"),
        (subject(json!("")), ".id` is not an id of this gateway"),
        (subject(project["id"].clone()), ".id` is the id of a Project: expected the id of a Subject."),
        (
            json!({"__typename": "Project", "id": animal["id"]}),
            ".id` is the id of a Subject: expected the id of a Project.",
        ),
    ];
    let mut asked: Vec<Value> = cases.iter().map(|(representation, _)| representation.clone()).collect();
    asked.insert(0, reference(&animal));
    asked.push(reference(&project));
    let answer = entities(&app, &asked).await;
    let mut expected = vec![Value::Null; cases.len()];
    expected.insert(0, animal.clone());
    expected.push(project.clone());
    assert_eq!(answer.0["data"]["_entities"], json!(expected));
    let errors = answer.0["errors"].as_array().unwrap();
    assert_eq!(errors.len(), cases.len());
    for (at, (representation, words)) in (1..).zip(&cases) {
        let error = errors.iter().find(|error| error["path"] == json!(["_entities", at])).unwrap();
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("`representations[{at}]")), "{message}");
        assert!(message.contains(words), "{representation}: {message}");
        assert_eq!(error["extensions"], json!({"code": "BAD_USER_INPUT", "retryable": false}));
    }
}

/// By the language's own rules: null is no `_Any!`, so that nothing is executed.
#[tokio::test]
async fn null_in_place_of_a_representation_is_refused_by_its_index() {
    let app = TestApp::new().await;
    let [person, ..] = three(&app).await;
    let answer = entities(&app, &[reference(&person), Value::Null]).await;
    assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), Value::Null)]);
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("`$asked[1]` is null"), "{message}");
    assert_eq!(answer.0.get("data"), None);
}

#[tokio::test]
async fn a_failing_source_takes_only_its_own_entities() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let [person, animal, project] = three(&app).await;
    app.brainstem().set_knobs(|knobs| {
        let down = FaultKind::Status(503, "down".to_owned(), Vec::new());
        knobs.faults.push(Fault::new(down).on_path("subject/"));
    });
    let answer = entities(&app, &[animal, person.clone(), project.clone()].map(|it| reference(&it))).await;
    assert_eq!(answer.0["data"]["_entities"], json!([null, person, project]));
    assert_eq!(answer.codes(), [("UPSTREAM_UNAVAILABLE".to_owned(), json!(["_entities", 0]))]);
    assert_eq!(answer.errors()[0]["extensions"]["source"], "BRAINSTEM");
}

#[tokio::test]
async fn what_fails_within_an_entity_is_told_with_its_index() {
    let app = TestApp::new().await;
    let [person, animal, _] = three(&app).await;
    app.brainstem().set_knobs(|knobs| {
        knobs.faults.push(Fault::new(FaultKind::Status(500, String::new(), Vec::new())).on_path("project/"));
    });
    let query = "query($asked: [_Any!]!) { _entities(representations: $asked) { ... on Subject { \
        name of: projects { name } age(at: \"yesterday\") } } }";
    let asked = [&person, &animal].map(reference);
    let answer = app.query_with(query, json!({"asked": asked})).await;
    let stands = |of: &Value| json!({"name": of["name"], "of": null, "age": null});
    assert_eq!(answer.0["data"]["_entities"], json!([stands(&person), stands(&animal)]));
    let expected = [
        ("BAD_USER_INPUT", json!(["_entities", 0, "age"])),
        ("BAD_USER_INPUT", json!(["_entities", 1, "age"])),
        ("UPSTREAM_ERROR", json!(["_entities", 1, "of"])),
    ];
    assert_eq!(answer.codes(), expected.map(|(code, path)| (code.to_owned(), path)));
}

#[tokio::test]
async fn more_than_the_limit_is_refused_as_a_whole() {
    let app = TestApp::builder().set("LIMITS_MAX_ENTITIES", "3").build().await;
    let [person, animal, project] = three(&app).await;
    let mut asked = [&person, &animal, &project].map(reference).to_vec();
    assert_eq!(entities(&app, &asked).await.data()["_entities"], json!([person, animal, project]));
    asked.push(json!({"__typename": "Subject", "id": "nonsense"}));
    app.clear_logs();
    let answer = entities(&app, &asked).await;
    assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["_entities"]))]);
    assert_eq!(answer.errors()[0]["message"], "`representations` has 4 entities: expected at most 3.");
    assert_eq!(app.haut_ai().log().len() + app.brainstem().log().len(), 0);
}

#[tokio::test]
async fn by_default_a_thousand_may_be_asked_for() {
    let app = TestApp::new().await;
    let one = json!({"__typename": "Subject", "id": animal(SUBJECT_WITH_130_PROCEDURES)});
    let answer = entities(&app, &vec![one.clone(); 1_000]).await;
    assert_eq!(answer.data()["_entities"].as_array().unwrap().len(), 1_000);
    assert_eq!(app.brainstem().take_log().len(), 1);
    let answer = entities(&app, &vec![one; 1_001]).await;
    assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["_entities"]))]);
}

#[tokio::test]
async fn what_lies_outside_of_the_configuration_reaches_no_upstream() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).without_brainstem().build().await;
    let uuid = |text| Uuid::try_parse(text).unwrap();
    let (company, subject) = (uuid(COMPANY_ID), Uuid::from_u128(1));
    let in_dataset = |dataset| {
        let dataset = uuid(dataset);
        let person = SubjectId::HautAi(subject_gateway::domain::HautAiSubjectId { company, dataset, subject });
        let dataset = NodeId::Dataset(subject_gateway::domain::DatasetId { company, dataset });
        [NodeId::from(person), dataset]
    };
    let project = NodeId::Project(Id::new(subject));
    let ids = [DATASET_IDS[0], FOREIGN_DATASET_ID].into_iter().flat_map(in_dataset).chain([project]);
    let asked: Vec<_> = ids.map(|id| json!({"__typename": id.type_name(), "id": id.to_string()})).collect();
    assert_eq!(entities(&app, &asked).await.data()["_entities"], json!(vec![Value::Null; 5]));
    assert_eq!(app.haut_ai().log().len() + app.brainstem().log().len(), 0);
}
