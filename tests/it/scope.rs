//! What lies outside of the configuration reads as not there and reaches no upstream.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{DatasetId, HautAiSubjectId, Id, NodeId, SubjectId},
    sandbox::{
        COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, HAUT_AI_PASSWORD, HAUT_AI_USERNAME,
        SUBJECT_WITH_130_PROCEDURES,
    },
};
use uuid::Uuid;

use crate::{util::TestApp, walk::people};

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

fn person(company: &str, dataset: &str, subject: &str) -> String {
    let [company, dataset, subject] = [company, dataset, subject].map(uuid);
    NodeId::from(SubjectId::HautAi(HautAiSubjectId { company, dataset, subject })).to_string()
}

fn dataset(company: &str, dataset: &str) -> String {
    NodeId::Dataset(DatasetId { company: uuid(company), dataset: uuid(dataset) }).to_string()
}

/// The second dataset alone is served.
struct Scope {
    app: TestApp,
    /// Of the first dataset, which is not configured.
    outside: Value,
    /// Of the foreign company.
    foreign: Value,
    /// Of the second dataset.
    inside: Value,
}

impl Scope {
    async fn new(login: bool) -> Self {
        let mut builder = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]);
        if login {
            builder = builder.unset("HAUT_AI_TOKEN").unset("HAUT_AI_COMPANY_ID");
            builder = builder.set("HAUT_AI_USERNAME", HAUT_AI_USERNAME).set("HAUT_AI_PASSWORD", HAUT_AI_PASSWORD);
        }
        let app = builder.build().await;
        let own = people(app.haut_ai());
        let mut all = app.haut_ai().records("subjects").into_iter();
        let foreign = all.find(|record| record["company"]["id"] == FOREIGN_COMPANY_ID).unwrap();
        Self { outside: own[3].clone(), inside: own[200].clone(), foreign, app }
    }

    /// Ids that must read as not there, each written as the gateway would write it.
    fn ids(&self) -> Vec<String> {
        let text = |record: &Value| record["id"].as_str().unwrap().to_owned();
        let (outside, foreign, inside) = (text(&self.outside), text(&self.foreign), text(&self.inside));
        vec![
            person(COMPANY_ID, DATASET_IDS[0], &outside),
            person(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, &foreign),
            person(COMPANY_ID, FOREIGN_DATASET_ID, &foreign),
            person(FOREIGN_COMPANY_ID, DATASET_IDS[1], &inside),
            person(&Uuid::nil().to_string(), DATASET_IDS[1], &inside),
        ]
    }

    fn datasets() -> Vec<String> {
        vec![
            dataset(COMPANY_ID, DATASET_IDS[0]),
            dataset(COMPANY_ID, FOREIGN_DATASET_ID),
            dataset(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID),
            dataset(FOREIGN_COMPANY_ID, DATASET_IDS[1]),
        ]
    }

    /// Asks for all of it in every way.
    async fn ask(&self) {
        let ids = self.ids();
        for id in ids.iter().chain(&Self::datasets()) {
            let answer = self.app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await;
            assert_eq!(answer.data(), &json!({"node": null}));
        }
        for id in &ids {
            let query = "query($id: ID!) { subject(by: {id: $id}) { id name } }";
            let answer = self.app.query_with(query, json!({"id": id})).await;
            assert_eq!(answer.data(), &json!({"subject": null}));
        }
        let all: Vec<_> = ids.iter().chain(&Self::datasets()).cloned().collect();
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let answer = self.app.query_with(query, json!({"ids": all})).await;
        assert_eq!(answer.data()["nodes"], json!(vec![Value::Null; all.len()]));
        let query = "query($asked: [_Any!]!) { _entities(representations: $asked) { ... on Subject { id } } }";
        let asked: Vec<_> = ids.iter().map(|id| json!({"__typename": "Subject", "id": id})).collect();
        let answer = self.app.query_with(query, json!({"asked": asked})).await;
        assert_eq!(answer.data()["_entities"], json!(vec![Value::Null; ids.len()]));
        let query =
            "query($dataset: ID!, $id: ID!) { subject(by: {hautAi: {datasetId: $dataset, subjectId: $id}}) { id } }";
        for (dataset, subject) in [(DATASET_IDS[0], &self.outside), (FOREIGN_DATASET_ID, &self.foreign)] {
            let answer = self.app.query_with(query, json!({"dataset": dataset, "id": subject["id"]})).await;
            assert_eq!(answer.data(), &json!({"subject": null}));
        }
    }
}

#[tokio::test]
async fn foreign_ids_reach_no_upstream() {
    let scope = Scope::new(false).await;
    scope.ask().await;
    assert_eq!(scope.app.haut_ai().take_log().len() + scope.app.brainstem().take_log().len(), 0);

    // Without a dataset the served ones are asked, and no other.
    let query = "query($id: ID!) { subject(by: {hautAi: {subjectId: $id}}) { name dataset { sourceId } } }";
    let answer = scope.app.query_with(query, json!({"id": scope.outside["id"]})).await;
    assert_eq!(answer.data(), &json!({"subject": null}));
    let answer = scope.app.query_with(query, json!({"id": scope.inside["id"]})).await;
    let expected = json!({"name": scope.inside["name"], "dataset": {"sourceId": DATASET_IDS[1]}});
    assert_eq!(answer.data()["subject"], expected);
    let log = scope.app.haut_ai().take_log();
    assert!(!log.is_empty() && log.iter().all(|request| request.path.contains(DATASET_IDS[1])), "{log:#?}");
    let answer = scope.app.query("{ datasets { sourceId name } subjects(first: 100) { totalCount } }").await;
    assert_eq!(answer.data()["datasets"], json!([{"sourceId": DATASET_IDS[1], "name": "text"}]));
    assert_eq!(answer.data()["subjects"]["totalCount"], 37 + 300);
}

#[tokio::test]
async fn under_a_login_only_the_login_is_asked() {
    let scope = Scope::new(true).await;
    scope.ask().await;
    let log = scope.app.haut_ai().take_log();
    let paths: Vec<_> = log.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/api/v1/auth/login/"]);
    let inside = person(COMPANY_ID, DATASET_IDS[1], scope.inside["id"].as_str().unwrap());
    let answer = scope.app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({"id": inside})).await;
    assert_eq!(answer.data(), &json!({"node": {"id": inside}}));
}

const EVERYTHING: &str = "query($ids: [ID!]!, $id: ID!) { \
    subjects(first: 3) { totalCount nodes { source } pageInfo { hasNextPage } } \
    people: subjects(first: 3, filter: {sources: [HAUT_AI]}) { totalCount nodes { id } pageInfo { hasNextPage } } \
    animals: subjects(first: 3, filter: {sources: [BRAINSTEM]}) { totalCount nodes { id } pageInfo { hasNextPage } } \
    nodes(ids: $ids) { __typename } datasets { id } biologicalSexes { id } projects { totalCount } \
    procedures { totalCount } strains { totalCount } species { totalCount } suppliers { totalCount } \
    hautAi: subject(by: {hautAi: {subjectId: $id}}) { id } brainStem: subject(by: {brainStem: $id}) { id } \
    named: subject(by: {brainStemName: \"subject1\"}) { id } sources { source status lastFailureCode } }";

/// Both sources' ids and the UUID of a subject that both have asked for.
fn variables() -> Value {
    let animal = NodeId::from(SubjectId::BrainStem(Id::new(uuid(SUBJECT_WITH_130_PROCEDURES)))).to_string();
    let sex = NodeId::BiologicalSex(Id::new(uuid(COMPANY_ID))).to_string();
    let ids = [person(COMPANY_ID, DATASET_IDS[1], COMPANY_ID), dataset(COMPANY_ID, DATASET_IDS[1]), sex, animal];
    json!({"ids": ids, "id": COMPANY_ID})
}

#[tokio::test]
async fn a_source_that_is_not_configured_is_absent_without_an_error() {
    let app = TestApp::builder().without_haut_ai().build().await;
    let answer = app.query_with(EVERYTHING, variables()).await;
    let data = answer.data();
    let nothing = json!({"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": false}});
    assert_eq!(data["people"], nothing);
    assert_eq!(data["subjects"]["totalCount"], 300);
    assert_eq!(data["animals"]["totalCount"], 300);
    assert_eq!(data["nodes"], json!([null, null, null, {"__typename": "Subject"}]));
    for field in ["datasets", "biologicalSexes", "hautAi"] {
        assert!(data[field].is_null(), "{field}: {}", data[field]);
    }
    assert_eq!(data["projects"]["totalCount"], 14);
    assert!(data["named"].is_object());
    assert_eq!(data["sources"][0], json!({"source": "HAUT_AI", "status": "NOT_CONFIGURED", "lastFailureCode": null}));
    assert_eq!(app.haut_ai().log().len(), 0);
    let answer = app.query("{ sources { source status } }").await;
    assert_eq!(answer.data()["sources"][1], json!({"source": "BRAINSTEM", "status": "AVAILABLE"}));

    let app = TestApp::builder().without_brainstem().build().await;
    let answer = app.query_with(EVERYTHING, variables()).await;
    let data = answer.data();
    assert_eq!(data["animals"], nothing);
    assert_eq!((&data["subjects"]["totalCount"], &data["people"]["totalCount"]), (&json!(217), &json!(217)));
    let expected = json!([{"__typename": "Subject"}, {"__typename": "Dataset"}, {"__typename": "BiologicalSex"}, null]);
    assert_eq!(data["nodes"], expected);
    for field in ["projects", "procedures", "strains", "species", "suppliers", "brainStem", "named"] {
        assert!(data[field].is_null(), "{field}: {}", data[field]);
    }
    assert_eq!(data["datasets"].as_array().unwrap().len(), 3);
    assert!(data["hautAi"].is_object());
    assert_eq!(data["sources"][1]["status"], "NOT_CONFIGURED");
    assert_eq!(app.brainstem().log().len(), 0);
}
