//! The subgraph's SDL.
//!
//! async-graphql prints `@tag` and `@shareable`, which stand at the types. `@key`, `@cost` and `@listSize` are put in
//! afterwards: it knows keys only together with its own `_entities`, and prints the directives of others for clients, too.
//! The places to put them are where its parser says that a field's type or a type's head ends.

use std::{collections::BTreeMap, sync::LazyLock};

use async_graphql::{
    Pos, Positioned,
    parser::{
        Error, parse_schema,
        types::{FieldDefinition, ObjectType, TypeKind, TypeSystemDefinition},
    },
};

use crate::schema::{builder, connection::DEFAULT_PAGE, cost, node::Node, printing, query::SubgraphQuery};

/// The first version that has `@cost` and `@listSize`.
const LINK: &str = "\
extend schema
  @link(url: \"https://specs.apollo.dev/federation/v2.9\", import: [\"@cost\", \"@key\", \"@listSize\", \"@shareable\", \"@tag\"])
";

/// The schema as a router composes it.
pub(in crate::schema) fn subgraph_sdl() -> &'static str {
    static SDL: LazyLock<String> = LazyLock::new(|| {
        let options = printing().federation();
        let schema = builder(SubgraphQuery::default())
            // No field returns it here, but its implementors are declared by it.
            .register_output_type::<Node>()
            .enable_subscription_in_federation()
            .finish();
        let printed = schema.sdl_with_options(options);
        // It stands at the end, and imports an older version than is needed.
        let types = printed.split("extend schema @link(").next().unwrap_or_default().trim_end();
        let additions = additions(types).expect("async-graphql reads what it printed");
        format!("{LINK}\n{}", insert(types, &additions))
    });
    &SDL
}

/// What to put in, by line and column, both from 1 on.
type Additions = BTreeMap<usize, BTreeMap<usize, String>>;

fn additions(sdl: &str) -> Result<Additions, Error> {
    let mut additions = Additions::new();
    let mut add = |at: Pos, what: String| additions.entry(at.line).or_default().insert(at.column, what);
    for definition in parse_schema(sdl)?.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let TypeKind::Object(object) = &definition.node.kind else { continue };
        if let Some(head) = head_of_entity(object) {
            add(head, " @key(fields: \"id\")".to_owned());
        }
        for field in object.fields.iter().map(|field| &field.node) {
            let directives = cost_directives(&definition.node.name.node, field);
            if !directives.is_empty() {
                add(end(&field.ty), directives);
            }
        }
    }
    Ok(additions)
}

/// Where the head of a node's type ends: every node is an entity.
fn head_of_entity(object: &ObjectType) -> Option<Pos> {
    let is_node = object.implements.iter().any(|interface| interface.node == "Node");
    object.implements.last().filter(|_| is_node).map(end)
}

fn cost_directives(of: &str, field: &FieldDefinition) -> String {
    let name = &field.name.node;
    let weight = cost::weight(of, name).map(|weight| format!(" @cost(weight: {weight})"));
    let is_paged = field.ty.node.to_string().ends_with("Connection");
    let size = if is_paged { Some(page_size()) } else { cost::assumed_size(of, name).map(list_size) };
    [weight, size].into_iter().flatten().collect()
}

fn page_size() -> String {
    format!(
        " @listSize(assumedSize: {DEFAULT_PAGE}, slicingArguments: [\"first\", \"last\"], sizedFields: [\"edges\", \"nodes\"], \
         requireOneSlicingArgument: false)"
    )
}

fn list_size(assumed: u32) -> String {
    format!(" @listSize(assumedSize: {assumed})")
}

/// Where something ends that is written in one piece.
fn end<T: ToString>(it: &Positioned<T>) -> Pos {
    Pos { line: it.pos.line, column: it.pos.column + it.node.to_string().chars().count() }
}

fn insert(sdl: &str, additions: &Additions) -> String {
    let mut out = String::new();
    for (line, text) in (1..).zip(sdl.lines()) {
        let mut at = 1;
        let mut rest = text.chars();
        for (column, what) in additions.get(&line).into_iter().flatten() {
            out.extend(rest.by_ref().take(column - at));
            out += what;
            at = *column;
        }
        out.extend(rest);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_stands_behind_types_and_heads() {
        let sdl = "\
\"\"\"
type Mouse implements Node { name: é }
\"\"\"
type Subject implements Other & Node {
  \"é\" species(\"type Subject implements Node\" of: [ID!]! = [\"é\"]): Species @deprecated strain: Strain
  \"\"\"
  projects: [Project!]
  \"\"\"
  projects: [Project!]
}
type Project { subjects(first: Int): SubjectConnection }
";
        let expected = sdl
            .replace("Other & Node {", "Other & Node @key(fields: \"id\") {")
            .replace("): Species @", "): Species @cost(weight: 4) @")
            .replace(": Strain\n", ": Strain @cost(weight: 2)\n")
            .replace("[Project!]\n}", "[Project!] @cost(weight: 2) @listSize(assumedSize: 3)\n}")
            .replace(
                "SubjectConnection }",
                "SubjectConnection @cost(weight: 10) @listSize(assumedSize: 20, slicingArguments: [\"first\", \"last\"], \
                 sizedFields: [\"edges\", \"nodes\"], requireOneSlicingArgument: false) }",
            );
        assert_eq!(insert(sdl, &additions(sdl).unwrap()), expected);
    }
}
