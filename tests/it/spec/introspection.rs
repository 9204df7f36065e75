//! Section 4, introspection: what it tells beyond what `schema` checks, and that it can be off.

use serde_json::{Value, json};

use super::{INVALID, app, data, message, none};
use crate::util::TestApp;

#[tokio::test]
async fn one_of_specified_by_and_defaults_are_told() {
    let app = app().await;
    let query = "{ __schema { types { name kind isOneOf specifiedByURL inputFields(includeDeprecated: true) { name defaultValue } } \
        queryType { name } mutationType { name } directives { name isRepeatable locations args { name defaultValue } } } }";
    let schema = data(&app, query, none()).await["__schema"].clone();
    let types = schema["types"].as_array().unwrap();
    let one_of: Vec<_> = types.iter().filter(|one| one["isOneOf"] == true).map(|one| &one["name"]).collect();
    assert_eq!(one_of, ["SubjectBy", "SubjectCreateInput", "SubjectUpdateInput"]);
    assert!(types.iter().all(|one| one["isOneOf"].is_null() == (one["kind"] != "INPUT_OBJECT")));
    for (scalar, url) in [
        ("Date", "https://www.rfc-editor.org/rfc/rfc3339#section-5.6"),
        ("DateTime", "https://scalars.graphql.org/andimarek/date-time.html"),
        ("Duration", "https://www.rfc-editor.org/rfc/rfc3339#appendix-A"),
        ("JSON", "https://www.rfc-editor.org/rfc/rfc8259"),
    ] {
        let found = types.iter().find(|one| one["name"] == scalar).unwrap();
        assert_eq!(found["specifiedByURL"], url);
    }
    let order = types.iter().find(|one| one["name"] == "SubjectOrder").unwrap();
    assert_eq!(
        order["inputFields"],
        json!([{"name": "field", "defaultValue": null}, {"name": "direction", "defaultValue": "ASC"}])
    );
    let names = ["deprecated", "include", "oneOf", "skip", "specifiedBy"];
    let mut directives: Vec<_> =
        schema["directives"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    directives.sort_unstable();
    assert_eq!(directives, names);
    assert!(schema["directives"].as_array().unwrap().iter().all(|one| one["isRepeatable"] == false));
    assert_eq!((&schema["queryType"]["name"], &schema["mutationType"]["name"]), (&json!("Query"), &json!("Mutation")));
}

#[tokio::test]
async fn types_are_told_by_name() {
    let app = app().await;
    let query = "query($name: String!) { __type(name: $name) { kind name possibleTypes { name } ofType { name } \
        fields { name type { kind ofType { kind ofType { kind ofType { name } } } } } } }";
    let of = async |name: &str| data(&app, query, json!({"name": name})).await["__type"].clone();
    assert_eq!(of("Nope").await, Value::Null);
    assert_eq!(of("Int").await["kind"], "SCALAR");
    assert_eq!(of("__Type").await["kind"], "OBJECT");
    assert_eq!(of("Node").await["possibleTypes"].as_array().unwrap().len(), 14);
    let subject = of("Subject").await;
    let tags = subject["fields"].as_array().unwrap().iter().find(|field| field["name"] == "tags").unwrap().clone();
    let expected = json!({"kind": "NON_NULL", "ofType": {"kind": "LIST", "ofType": {"kind": "NON_NULL", "ofType": {"name": "String"}}}});
    assert_eq!(tags["type"], expected);
}

#[tokio::test]
async fn introspection_can_be_off() {
    let app = TestApp::builder().empty().set("GATEWAY_INTROSPECTION", "false").build().await;
    for query in [
        "{ __schema { queryType { name } } }",
        "{ __type(name: \"Query\") { name } }",
        "{ sources { source } s: __schema { types { name } } }",
        "{ ...F } fragment F on Query { ... { t: __type(name: \"Query\") { name } } }",
    ] {
        let told = message(&app, query, none(), INVALID).await;
        assert!(told.contains("introspection is off"), "{told}");
    }
    let expected =
        json!({"__typename": "Query", "sources": [{"__typename": "SourceStatus"}, {"__typename": "SourceStatus"}]});
    assert_eq!(data(&app, "{ __typename sources { __typename } }", none()).await, expected);
    // Routers need it.
    assert!(
        data(&app, "{ _service { sdl } }", none()).await["_service"]["sdl"].as_str().unwrap().contains("type Subject")
    );
}
