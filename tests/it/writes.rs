//! Writes, and reads after them.

use serde_json::{Map, Value, json};
use subject_gateway::{
    domain::{DatasetId, HautAiSubjectId, Id, NodeId, SubjectId},
    sandbox::{COMPANY_ID, DATASET_IDS, LoggedRequest, Upstream},
};
use uuid::Uuid;

use crate::util::{Answer, Builder, TestApp};

mod animals;
mod bulk;
mod clearing;
mod concurrency;
mod edges;
mod fresh;
mod order;
mod outcomes;
mod people;
mod refusals;
mod rules;
mod scope;
mod sideloaded;

/// A BrainSTEM subject without peculiarities.
pub(crate) const ANIMAL: &str = "0cdaf69d-63cf-429f-b549-fc0cc163d046";
pub(crate) const PROJECT: &str = "c4b8a90b-2963-4d13-aa07-b6f497252dde";
pub(crate) const OTHER_PROJECT: &str = "e7475834-7733-48cf-9e3b-f4f2d2d0305a";
const STRAIN: &str = "deec9da3-ee26-4348-954e-484f62c463c8";

const FIELDS: &str = "{ subject { id sourceId name } userErrors { code message field } }";

fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

pub(crate) fn animal_id(id: &str) -> String {
    NodeId::from(SubjectId::BrainStem(Id::new(uuid(id)))).to_string()
}

pub(crate) fn person_id(dataset: &str, id: &str) -> String {
    person_of(COMPANY_ID, dataset, id)
}

/// The id of a person of any company.
pub(crate) fn person_of(company: &str, dataset: &str, id: &str) -> String {
    let [company, dataset, subject] = [company, dataset, id].map(uuid);
    NodeId::from(SubjectId::HautAi(HautAiSubjectId { company, dataset, subject })).to_string()
}

pub(crate) fn dataset_id(company: &str, dataset: &str) -> String {
    NodeId::Dataset(DatasetId { company: uuid(company), dataset: uuid(dataset) }).to_string()
}

pub(crate) fn project_id(id: &str) -> String {
    NodeId::Project(Id::new(uuid(id))).to_string()
}

fn strain_id(id: &str) -> String {
    NodeId::Strain(Id::new(uuid(id))).to_string()
}

/// The id of a person who is there, of the first dataset.
pub(crate) fn a_person(app: &TestApp) -> (String, String) {
    let person = crate::walk::people(app.haut_ai())[3].clone();
    let id = person["id"].as_str().unwrap().to_owned();
    (person_id(DATASET_IDS[0], &id), id)
}

/// A stored record.
pub(crate) fn stored(upstream: &Upstream, model: &str, id: &str) -> Value {
    upstream.records(model).into_iter().find(|record| record["id"] == id).unwrap_or_default()
}

/// An input that BrainSTEM takes, changed by `fields`; null takes a field out.
pub(crate) fn new_animal(fields: &Value) -> Value {
    let mut input = json!({"name": "a new one", "projectIds": [project_id(PROJECT)], "strainId": strain_id(STRAIN),
        "sex": "FEMALE"});
    merge(&mut input, fields);
    json!({"brainStem": input})
}

/// An input that Haut.AI takes, changed by `fields`; null takes a field out.
pub(crate) fn new_person(fields: &Value) -> Value {
    let mut input = json!({"name": "A New One", "datasetId": dataset_id(COMPANY_ID, DATASET_IDS[0])});
    merge(&mut input, fields);
    json!({"hautAi": input})
}

fn merge(input: &mut Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap_or(&Map::new()) {
        if value.is_null() {
            input.as_object_mut().unwrap().remove(name);
        } else {
            input[name] = value.clone();
        }
    }
}

pub(crate) async fn create_answer(app: &TestApp, input: Value) -> Answer {
    let query = format!("mutation($input: SubjectCreateInput!) {{ written: subjectCreate(input: $input) {FIELDS} }}");
    app.query_with(&query, json!({"input": input})).await
}

pub(crate) async fn update_answer(app: &TestApp, id: &str, input: Value) -> Answer {
    let query = format!(
        "mutation($id: ID!, $input: SubjectUpdateInput!) {{ written: subjectUpdate(id: $id, input: $input) {FIELDS} }}"
    );
    app.query_with(&query, json!({"id": id, "input": input})).await
}

/// One of the mutations that take nothing but an id.
pub(crate) async fn by_id(app: &TestApp, mutation: &str, id: &str) -> Answer {
    let fields = if mutation == "subjectDelete" { "{ deletedId userErrors { code field } }" } else { FIELDS };
    app.query_with(&format!("mutation($id: ID!) {{ written: {mutation}(id: $id) {fields} }}"), json!({"id": id})).await
}

/// The payload of a write that was carried out.
pub(crate) fn done(answer: &Answer) -> Value {
    let written = &answer.data()["written"];
    assert_eq!(written["userErrors"], json!([]), "{written}");
    written.clone()
}

pub(crate) async fn create(app: &TestApp, input: Value) -> Value {
    done(&create_answer(app, input).await)["subject"].clone()
}

pub(crate) async fn update(app: &TestApp, id: &str, input: Value) -> Value {
    done(&update_answer(app, id, input).await)["subject"].clone()
}

/// Code and field of each user error; checks that each has words, and that nothing was written.
fn user_errors(answer: &Answer) -> Vec<(String, Value)> {
    let written = &answer.data()["written"];
    let nothing = ["subject", "deletedId"].iter().all(|field| written[*field].is_null());
    assert!(nothing, "{written}");
    let errors = written["userErrors"].as_array().unwrap().iter();
    let error = |error: &Value| {
        assert!(
            error["message"].is_null()
                || error["message"].as_str().unwrap().contains("expected")
                || error["field"].is_null()
        );
        (error["code"].as_str().unwrap().to_owned(), error["field"].clone())
    };
    errors.map(error).collect()
}

fn expected(errors: &[(&str, &[&str])]) -> Vec<(String, Value)> {
    errors.iter().map(|(code, field)| ((*code).to_owned(), json!(field))).collect()
}

/// The requests that are no reads.
fn writes(log: &[LoggedRequest]) -> Vec<&LoggedRequest> {
    log.iter().filter(|request| request.method != "GET" && !request.path.contains("/auth/")).collect()
}

/// How many requests reached any upstream since the logs were cleared; forgets them.
pub(crate) fn asked(app: &TestApp) -> usize {
    app.haut_ai().take_log().len() + app.brainstem().take_log().len()
}

pub(crate) fn legacy() -> Builder {
    TestApp::builder().legacy()
}
