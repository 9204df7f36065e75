//! How many objects an answer has, as its document was estimated: a list that comes whole counts with as many as are assumed.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument,
    executable::{Selection, SelectionSet},
};
use serde_json::Value;

use super::World;

/// Lists that come whole, and how long they are taken to be.
const ASSUMED: [(&str, usize); 6] =
    [("biologicalSexes", 10), ("datasets", 10), ("entries", 20), ("licenses", 3), ("projects", 3), ("sources", 2)];

/// What a name in the answer stands for.
#[derive(Clone, Copy)]
enum Kind {
    /// A value, and be it JSON.
    Leaf,
    Objects,
    /// Of [`ASSUMED`].
    Assumed(usize),
}

/// The objects below `data`.
pub(super) fn objects(world: &World, document: &str, data: &Value) -> u64 {
    let document = ExecutableDocument::parse_and_validate(&world.schema, document, "document.graphql").unwrap();
    let mut kinds = HashMap::new();
    let sets = document.operations.iter().map(|operation| &operation.selection_set);
    let sets = sets.chain(document.fragments.values().map(|fragment| &fragment.selection_set));
    sets.for_each(|set| note(set, &mut kinds));
    below(data, &kinds)
}

fn note(set: &SelectionSet, kinds: &mut HashMap<String, Kind>) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                let is_list = field.ty().is_list();
                let assumed = ASSUMED.iter().find(|(name, _)| is_list && field.name == *name);
                let kind = match (assumed, &field.selection_set) {
                    (_, None) => Kind::Leaf,
                    (Some((_, size)), Some(_)) => Kind::Assumed(*size),
                    (None, Some(_)) => Kind::Objects,
                };
                kinds.insert(field.response_name().to_string(), kind);
                if let Some(set) = &field.selection_set {
                    note(set, kinds);
                }
            }
            Selection::InlineFragment(fragment) => note(&fragment.selection_set, kinds),
            Selection::FragmentSpread(_) => {}
        }
    }
}

/// Those of an object's fields.
fn below(object: &Value, kinds: &HashMap<String, Kind>) -> u64 {
    let Value::Object(fields) = object else { return 0 };
    let of = |value: &Value| u64::from(value.is_object()) + below(value, kinds);
    let count = |(name, value): (&String, &Value)| match (kinds[name], value) {
        (Kind::Leaf, _) => 0,
        (Kind::Assumed(size), Value::Array(items)) => items.iter().take(size).map(of).sum(),
        (_, Value::Array(items)) => items.iter().map(of).sum(),
        (_, value) => of(value),
    };
    fields.iter().map(count).sum()
}
