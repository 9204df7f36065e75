//! Subscriptions: what is told of changes, to whom, and over which connections.

use serde_json::{Value, json};

use crate::{util::TestApp, writes::animal_id};

mod access;
mod delivery;
mod limits;
mod purge;
mod root;
pub(crate) mod socket;
mod sse;
mod websocket;

/// All that there is to say of an event.
const ALL: &str = "subscription($ids: [ID!], $sources: [SubjectSource!]) { \
    subjectChanged(ids: $ids, sources: $sources) { kind id at subject { id name description } } }";
/// No more than that it happened.
const BRIEF: &str = "subscription($ids: [ID!], $sources: [SubjectSource!]) { \
    subjectChanged(ids: $ids, sources: $sources) { kind id } }";

/// The event in an answer without errors.
fn change(answer: &Value) -> &Value {
    assert!(answer.get("errors").is_none(), "{answer}");
    &answer["data"]["subjectChanged"]
}

fn brief(kind: &str, id: &str) -> Value {
    json!({"kind": kind, "id": id})
}

/// An animal like others.
fn animal(app: &TestApp, number: usize) -> String {
    animal_id(crate::walk::animals(app.brainstem())[number]["id"].as_str().unwrap())
}

/// The code of the only error.
fn code(errors: &Value) -> &str {
    assert_eq!(errors.as_array().map(Vec::len), Some(1), "{errors}");
    errors[0]["extensions"]["code"].as_str().unwrap_or("no code")
}
