//! What fields cost, in the unit of `@cost`: an object of the answer costs 1, a scalar nothing.
//!
//! A weight counts once for every object that the field belongs to, in place of the 1; where the field is a list, its objects
//! cost 1 each beside it. `spec/cost.rs` reckons with these numbers, and routers do with what the SDL says of them.

/// A read of its own from an upstream.
const REQUEST: u32 = 10;
/// A record by its id: read together with up to 49 others.
pub(super) const BATCHED: u32 = 2;
/// A write: it is never batched, and what it touches leaves the caches.
const WRITE: u32 = 20;

/// Fields that make the gateway ask its upstreams; a page of records that are read by their ids is a batch.
const WEIGHTS: &[(&str, &str, u32)] = &[
    ("BrainStemSubject", "stateChanges", REQUEST),
    ("Breeding", "father", BATCHED),
    ("Breeding", "mother", BATCHED),
    ("Breeding", "project", BATCHED),
    ("Cohort", "project", BATCHED),
    ("Cohort", "subjects", REQUEST),
    ("Mutation", "subjectCreate", WRITE),
    ("Mutation", "subjectDelete", WRITE),
    ("Mutation", "subjectMetadataClear", WRITE),
    ("Mutation", "subjectPhotosClear", WRITE),
    ("Mutation", "subjectUpdate", WRITE),
    // One request an animal, and one for 50 people.
    ("Mutation", "subjectsDelete", 5 * WRITE),
    ("Procedure", "brainRegion", BATCHED),
    ("Procedure", "licenses", BATCHED),
    ("Procedure", "subject", BATCHED),
    ("Project", "cohorts", REQUEST),
    ("Project", "subjects", REQUEST),
    ("Query", "biologicalSexes", REQUEST),
    ("Query", "datasets", REQUEST),
    ("Query", "logs", REQUEST),
    ("Query", "procedure", REQUEST),
    ("Query", "procedures", REQUEST),
    ("Query", "project", REQUEST),
    ("Query", "projects", REQUEST),
    ("Query", "species", REQUEST),
    ("Query", "strains", REQUEST),
    ("Query", "subject", REQUEST),
    // Both sources, and a page of one may take several requests.
    ("Query", "subjects", 3 * REQUEST),
    ("Query", "suppliers", REQUEST),
    ("Strain", "species", BATCHED),
    ("Subject", "biologicalSex", BATCHED),
    ("Subject", "breeding", BATCHED),
    ("Subject", "licenses", BATCHED),
    ("Subject", "logs", BATCHED),
    ("Subject", "procedures", BATCHED),
    ("Subject", "projects", BATCHED),
    // By way of the strain.
    ("Subject", "species", 2 * BATCHED),
    ("Subject", "strain", BATCHED),
    ("Subject", "supplier", BATCHED),
    ("SubjectChange", "subject", BATCHED),
    // Each source and dataset is asked for its own.
    ("SubjectConnection", "totalCount", REQUEST),
    ("SubjectLog", "subject", BATCHED),
    ("SubjectPayload", "subject", BATCHED),
    ("SubjectStateChange", "brainRegion", BATCHED),
    ("SubjectStateChange", "subject", BATCHED),
];

/// Lists that come whole, and how long they usually are.
const SIZES: &[(&str, &str, u32)] = &[
    ("Procedure", "licenses", 3),
    ("Query", "biologicalSexes", 10),
    ("Query", "datasets", 10),
    ("Query", "sources", 2),
    ("Subject", "licenses", 3),
    ("Subject", "projects", 3),
    ("SubjectConnection", "sources", 2),
    ("SubjectDeletePayload", "userErrors", 2),
    ("SubjectLog", "entries", 20),
    ("SubjectPayload", "userErrors", 2),
    ("SubjectsDeletePayload", "results", 50),
    ("SubjectsDeletePayload", "userErrors", 2),
];

/// What the SDL for routers has not, since they ask by `_entities`: look-ups by id.
const LOOKUPS: &[(&str, &str, u32)] =
    &[("Query", "_entities", REQUEST), ("Query", "node", REQUEST), ("Query", "nodes", REQUEST)];

/// The lists among them, and the argument that has an id, or what holds one, for each of their objects.
const IDS: &[(&str, &str, &str)] = &[("Query", "_entities", "representations"), ("Query", "nodes", "ids")];

/// What tells of the schema, as long as it is in this one: clients ask for it seldom, and routers once.
const TELLING: &[(&str, &str, u32)] = &[("_Service", "sdl", 1_000)];

/// How long the lists of introspection are, on average.
const TOLD: &[(&str, &str, u32)] = &[
    ("__Directive", "args", 2),
    ("__Field", "args", 1),
    ("__Schema", "directives", 10),
    ("__Schema", "types", 130),
    ("__Type", "enumValues", 2),
    ("__Type", "fields", 6),
    ("__Type", "inputFields", 2),
    ("__Type", "interfaces", 1),
    ("__Type", "possibleTypes", 1),
];

/// The weight of a field of a type; `None`: what its own type costs.
pub(super) fn weight(of: &str, field: &str) -> Option<u32> {
    find(WEIGHTS, of, field)
}

/// How long to take a list for that comes whole; `None`: the field is none.
pub(super) fn assumed_size(of: &str, field: &str) -> Option<u32> {
    find(SIZES, of, field)
}

/// As [`weight`], also of fields that routers are not shown.
pub(super) fn estimated_weight(of: &str, field: &str) -> Option<u32> {
    weight(of, field).or_else(|| find(LOOKUPS, of, field)).or_else(|| find(TELLING, of, field))
}

/// As [`assumed_size`], also of the lists of introspection.
pub(super) fn estimated_size(of: &str, field: &str) -> Option<u32> {
    assumed_size(of, field).or_else(|| find(TOLD, of, field))
}

/// The argument that says how long a list is; each of its objects costs [`BATCHED`], too.
pub(super) fn sized_by(of: &str, field: &str) -> Option<&'static str> {
    find(IDS, of, field)
}

fn find<T: Copy>(rows: &[(&str, &str, T)], of: &str, field: &str) -> Option<T> {
    rows.iter().find(|row| (row.0, row.1) == (of, field)).map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_graphql::parser::{
        parse_schema,
        types::{BaseType, FieldDefinition, TypeKind, TypeSystemDefinition},
    };

    use super::*;
    use crate::{domain::NodeId, schema};

    /// Every field of every object type.
    fn fields() -> BTreeMap<(String, String), FieldDefinition> {
        let document = parse_schema(schema::sdl(true)).unwrap();
        let mut fields = BTreeMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let of = definition.node.name.node.to_string();
            let TypeKind::Object(object) = definition.node.kind else { continue };
            for field in object.fields {
                fields.insert((of.clone(), field.node.name.node.to_string()), field.node);
            }
        }
        fields
    }

    fn is_paged(of: &str) -> bool {
        of.ends_with("Connection") || of.ends_with("Edge")
    }

    #[test]
    fn every_row_is_of_a_field_that_is_there() {
        let fields = fields();
        for (directive, rows) in [("cost", WEIGHTS), ("listSize", SIZES)] {
            for (of, field, value) in rows {
                let found = &fields[&((*of).to_owned(), (*field).to_owned())];
                let directive = found.directives.iter().find(|one| one.node.name.node == directive).unwrap();
                let (_, given) = &directive.node.arguments[0];
                assert_eq!(given.node.to_string(), value.to_string(), "{of}.{field}");
            }
            assert!(rows.is_sorted(), "by type and field, each once");
            assert!(rows.windows(2).all(|rows| (rows[0].0, rows[0].1) != (rows[1].0, rows[1].1)));
        }
    }

    #[test]
    fn what_is_fetched_has_a_weight_and_what_is_listed_a_size() {
        let fields = fields();
        let is_object = |name: &str| fields.keys().any(|(of, _)| of == name);
        // It comes with the record.
        let free = [("Subject", "dataset")];
        for ((of, name), field) in &fields {
            let has = |directive: &str| field.directives.iter().any(|one| one.node.name.node == directive);
            let (base, is_list) = match &field.ty.node.base {
                BaseType::Named(base) => (base.as_str(), false),
                BaseType::List(item) => match &item.base {
                    BaseType::Named(base) => (base.as_str(), true),
                    BaseType::List(_) => panic!("a list of lists: {of}.{name}"),
                },
            };
            if is_paged(of) && matches!(name.as_str(), "edges" | "nodes" | "node") {
                continue;
            }
            assert_eq!(has("listSize"), base.ends_with("Connection") || is_list && is_object(base), "{of}.{name}");
            let is_fetched = base.ends_with("Connection") || NodeId::TYPE_NAMES.contains(&base) || of == "Mutation";
            let is_free = free.contains(&(of.as_str(), name.as_str()));
            assert!(has("cost") || !is_fetched || is_free, "{of}.{name}");
        }
    }

    #[test]
    fn a_page_is_sized_by_arguments_and_fields_that_are_there() {
        let fields = fields();
        let mut pages = 0;
        for ((of, name), field) in &fields {
            let base = field.ty.node.to_string();
            if !base.ends_with("Connection") {
                continue;
            }
            pages += 1;
            for argument in ["first", "last"] {
                let is_there = field.arguments.iter().any(|one| one.node.name.node == argument);
                assert!(is_there, "{of}.{name}({argument}:)");
            }
            for list in ["edges", "nodes"] {
                assert!(fields.contains_key(&(base.clone(), list.to_owned())), "{base}.{list}");
            }
        }
        assert!(pages > 10, "{pages}");
    }
}
