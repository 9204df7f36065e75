//! The subgraph's SDL, and that clients are shown none of it.

use std::{collections::BTreeSet, process::Command};

use async_graphql::parser::{
    parse_schema,
    types::{ConstDirective, ServiceDocument, TypeDefinition, TypeKind, TypeSystemDefinition},
};
use async_graphql::{Positioned, Value as ConstValue};
use serde_json::json;
use subject_gateway::{domain::NodeId, schema};

use crate::util::TestApp;

/// What may stand for the person, and what could be used to guess it.
const PII: [&str; 33] = [
    "BrainStemSubject.nameUsedInStorage",
    "BrainStemSubject.rawBirthDate",
    "BrainStemSubject.rawDeathDate",
    "BrainStemSubjectInput.birthDate",
    "BrainStemSubjectInput.deathDate",
    "BrainStemSubjectInput.description",
    "BrainStemSubjectInput.identifier",
    "BrainStemSubjectInput.metadata",
    "BrainStemSubjectInput.name",
    "BrainStemSubjectInput.nameUsedInStorage",
    "HautAiSubject.authorId",
    "HautAiSubject.promoteImageId",
    "HautAiSubject.rawBirthDate",
    "HautAiSubjectCreateInput.birthDate",
    "HautAiSubjectCreateInput.metadata",
    "HautAiSubjectCreateInput.name",
    "HautAiSubjectUpdateInput.birthDate",
    "HautAiSubjectUpdateInput.metadata",
    "HautAiSubjectUpdateInput.name",
    "Project.metadata",
    "Subject.age",
    "Subject.birthDate",
    "Subject.deathDate",
    "Subject.description",
    "Subject.identifier",
    "Subject.metadata",
    "Subject.name",
    "SubjectBy.brainStemName",
    "SubjectFilter.birthDate",
    "SubjectFilter.name",
    "SubjectFilter.search",
    "SubjectOrderField.BIRTH_DATE",
    "SubjectOrderField.NAME",
];

fn types(document: &ServiceDocument) -> impl Iterator<Item = &TypeDefinition> {
    document.definitions.iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(&definition.node),
        _ => None,
    })
}

/// Names and directives of a type's fields or values.
fn members(of: &TypeDefinition) -> Vec<(&str, &[Positioned<ConstDirective>])> {
    match &of.kind {
        TypeKind::Object(object) => {
            object.fields.iter().map(|it| (it.node.name.node.as_str(), it.node.directives.as_slice())).collect()
        }
        TypeKind::InputObject(input) => {
            input.fields.iter().map(|it| (it.node.name.node.as_str(), it.node.directives.as_slice())).collect()
        }
        TypeKind::Enum(of) => {
            of.values.iter().map(|it| (it.node.value.node.as_str(), it.node.directives.as_slice())).collect()
        }
        TypeKind::Scalar | TypeKind::Interface(_) | TypeKind::Union(_) => Vec::new(),
    }
}

fn directives(directives: &[Positioned<ConstDirective>]) -> impl Iterator<Item = &str> {
    directives.iter().map(|directive| directive.node.name.node.as_str())
}

/// The names of its root's fields.
fn queries(document: &ServiceDocument) -> BTreeSet<String> {
    let query = types(document).find(|one| one.name.node == "Query").unwrap();
    members(query).into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn is_a_router_s(name: &str) -> bool {
    name.starts_with('_') && !name.starts_with("__")
}

#[tokio::test]
async fn routers_get_the_subgraph_that_the_command_prints() {
    let printed =
        Command::new(env!("CARGO_BIN_EXE_subject-gateway")).args(["schema", "--federation"]).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    // Also where introspection is off, since routers can't do without.
    for introspection in ["true", "false"] {
        let app = TestApp::builder().set("GATEWAY_INTROSPECTION", introspection).build().await;
        let answer = app.query("{ _service { __typename sdl } }").await;
        let service = &answer.data()["_service"];
        assert_eq!(service["__typename"], "_Service");
        assert!(service["sdl"] == printed, "differs");
        let shown = app.query("{ __schema { queryType { name } } }").await;
        assert_eq!((shown.0["data"]["__schema"].is_object()).to_string(), introspection, "{}", shown.0);
    }
}

#[tokio::test]
async fn every_node_is_an_entity() {
    let document = parse_schema(schema::sdl(true)).unwrap();
    let of_nodes: BTreeSet<&str> = NodeId::TYPE_NAMES.iter().copied().collect();
    let mut keyed = BTreeSet::new();
    for one in types(&document) {
        let TypeKind::Object(object) = &one.kind else { continue };
        let keys: Vec<_> = one.directives.iter().filter(|directive| directive.node.name.node == "key").collect();
        assert_eq!(keys.len(), usize::from(!object.implements.is_empty()), "{}", one.name.node);
        for key in keys {
            assert_eq!(key.node.arguments[0].1.node, ConstValue::from("id"));
            keyed.insert(one.name.node.as_str());
        }
    }
    assert_eq!(keyed, of_nodes);
    let app = TestApp::new().await;
    let answer = app.query("{ __type(name: \"_Entity\") { kind possibleTypes { name } } }").await;
    let union = &answer.data()["__type"];
    let possible = union["possibleTypes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    assert_eq!((&union["kind"], possible.collect()), (&json!("UNION"), of_nodes));
}

#[test]
fn the_subgraph_lacks_what_every_relay_subgraph_has() {
    let (clients, subgraph) = [false, true].map(|federation| parse_schema(schema::sdl(federation)).unwrap()).into();
    let left_out: BTreeSet<_> = queries(&clients).difference(&queries(&subgraph)).cloned().collect();
    assert_eq!(left_out, BTreeSet::from(["node", "nodes"].map(str::to_owned)));
    assert!(queries(&subgraph).is_subset(&queries(&clients)));
    // The same types, also the interface, and none of the federation's own.
    let names = |document| types(document).map(|one| one.name.node.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(names(&subgraph), names(&clients));
    assert!(names(&subgraph).contains("Node"));
    assert!(!names(&subgraph).iter().any(|name| is_a_router_s(name)));
}

#[test]
fn the_subgraph_imports_what_it_uses() {
    let document = parse_schema(schema::sdl(true)).unwrap();
    let [link] = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Schema(schema) => Some(&schema.node.directives),
            _ => None,
        })
        .collect::<Vec<_>>()[..]
    else {
        panic!("expected one `extend schema`")
    };
    let arguments = &link[0].node.arguments;
    assert_eq!(arguments[0].1.node, ConstValue::from("https://specs.apollo.dev/federation/v2.9"));
    let ConstValue::List(imported) = &arguments[1].1.node else { panic!("{link:?}") };
    let imported: BTreeSet<_> = imported.iter().map(|name| json!(name).as_str().unwrap().to_owned()).collect();
    let mut used = BTreeSet::new();
    for one in types(&document) {
        used.extend(directives(&one.directives).map(|name| format!("@{name}")));
        let of_members = members(one).into_iter().flat_map(|(_, of)| directives(of));
        used.extend(of_members.map(|name| format!("@{name}")));
    }
    for built_in in ["@deprecated", "@oneOf", "@specifiedBy"] {
        used.remove(built_in);
    }
    assert_eq!(imported, used);
    let page_info = types(&document).find(|one| one.name.node == "PageInfo").unwrap();
    assert_eq!(directives(&page_info.directives).collect::<Vec<_>>(), ["shareable"]);
}

#[test]
fn what_tells_who_somebody_is_is_tagged() {
    let document = parse_schema(schema::sdl(true)).unwrap();
    let mut tagged = BTreeSet::new();
    for one in types(&document) {
        for (name, directives) in members(one) {
            for tag in directives.iter().filter(|directive| directive.node.name.node == "tag") {
                assert_eq!(tag.node.arguments[0].1.node, ConstValue::from("pii"));
                tagged.insert(format!("{}.{name}", one.name.node));
            }
        }
    }
    assert_eq!(tagged, PII.map(str::to_owned).into());
}

#[tokio::test]
async fn clients_are_shown_nothing_of_it() {
    let app = TestApp::new().await;
    let answer = app.query("{ __schema { directives { name } } }").await;
    let directives = answer.data()["__schema"]["directives"].as_array().unwrap();
    let directives: BTreeSet<_> = directives.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(directives.is_subset(&BTreeSet::from(["deprecated", "include", "oneOf", "skip", "specifiedBy"])));
    let sdl = schema::sdl(false);
    for part in
        ["@key", "@tag", "@cost", "@listSize", "@shareable", "@link", "_entities", "_service", "_Any", "_Entity"]
    {
        assert!(!sdl.contains(part), "{part}");
    }
    let document = parse_schema(&sdl).unwrap();
    assert!(!types(&document).any(|one| is_a_router_s(&one.name.node)));
    assert!(!queries(&document).iter().any(|name| is_a_router_s(name)));
    // It is served all the same.
    let kinds = app.query("{ __type(name: \"Query\") { fields { name } } }").await;
    let served = kinds.data()["__type"]["fields"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str());
    let extra: BTreeSet<_> = served.filter(|name| is_a_router_s(name)).collect();
    assert_eq!(extra, BTreeSet::from(["_entities", "_service"]));
}
