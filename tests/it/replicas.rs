//! Replicas that share a Redis: what one read the others have, what one changed the others know, and what becomes of that when
//! Redis is slow, full, gone, or another one.

use serde_json::{Value, json};

use crate::writes::{ANIMAL, animal_id};

mod faults;
pub(crate) mod fleet;
mod places;
mod processes;
mod sharing;
mod telling;

use fleet::{Fleet, Redis};

/// A list with relations.
const LIST: &str = "{ subjects(first: 5, filter: {sources: [BRAINSTEM]}) { nodes { id name projects { name } } } }";

/// One subject by its id.
fn subject(id: &str) -> String {
    format!("{{ node(id: \"{}\") {{ ... on Subject {{ name description }} }} }}", animal_id(id))
}

fn update(id: &str, description: &str) -> Value {
    let query = "mutation($id: ID!, $text: String!) { \
        subjectUpdate(id: $id, input: {brainStem: {description: $text}}) { userErrors { code } } }";
    json!({"query": query, "variables": {"id": animal_id(id), "text": description}})
}

fn description(answer: &Value) -> &str {
    answer["data"]["node"]["description"].as_str().unwrap_or("")
}
