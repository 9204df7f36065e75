//! Section 6, execution, and section 7, the answer. That mutations run one after the other is in `writes::order`.

use serde_json::{Value, json};

use super::{BAD, app, check, data, message, none};
use crate::util::TestApp;

/// As text, since the order of keys counts.
async fn text(app: &TestApp, query: &str, variables: Value) -> String {
    app.query_with(query, variables).await.0.to_string()
}

#[tokio::test]
async fn keys_stand_in_the_order_of_the_query() {
    let app = app().await;
    for (query, expected) in [
        ("{ b: __typename a: __typename }", r#"{"b":"Query","a":"Query"}"#),
        // The first place of a field is the one that counts.
        (
            "{ a: __typename ...F b: __typename ... { c: __typename a: __typename } d: __typename } \
             fragment F on Query { d: __typename b: __typename }",
            r#"{"a":"Query","d":"Query","b":"Query","c":"Query"}"#,
        ),
        (
            "{ ...F t: __typename sources { x: source } } fragment F on Query { sources { y: source x: source } }",
            r#"{"sources":[{"y":"HAUT_AI","x":"HAUT_AI"},{"y":"BRAINSTEM","x":"BRAINSTEM"}],"t":"Query"}"#,
        ),
        // Slow and fast ones.
        (
            "{ subjects { totalCount } t: __typename projects(first: 0) { nodes { id } } u: __typename }",
            r#"{"subjects":{"totalCount":0},"t":"Query","projects":{"nodes":[]},"u":"Query"}"#,
        ),
    ] {
        assert_eq!(text(&app, query, none()).await, format!("{{\"data\":{expected}}}"), "{query}");
    }
}

#[tokio::test]
async fn keys_of_objects_of_many_types_stand_in_order_too() {
    let app = TestApp::new().await;
    let query = "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id projectIds } } }";
    let subject = data(&app, query, none()).await["subjects"]["nodes"][0].clone();
    let ids = json!({"ids": [subject["id"], subject["projectIds"][0]]});
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { \
        ... on Project { p: __typename } ... on Subject { b: source projects { b: __typename } } \
        __typename ... on Node { ... on Subject { a: source projects { a: __typename } } ... on Project { q: __typename } } \
        ...S ... on Company { sourceId } } } fragment S on Subject { b: source c: source ... on Node { d: __typename } }";
    // `Company` is no `Node`.
    super::check(&app, query, Some(super::INVALID)).await;
    let query = query.replace("... on Company { sourceId }", "");
    let answer = text(&app, &query, ids).await;
    // The animal has two.
    let expected = r#"{"data":{"nodes":[{"b":"BRAINSTEM","projects":[{"b":"Project","a":"Project"},{"b":"Project","a":"Project"}],"__typename":"Subject","a":"BRAINSTEM","c":"BRAINSTEM","d":"Subject"},{"p":"Project","__typename":"Project","q":"Project"}]}}"#;
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_field_that_stands_in_many_places_is_resolved_once() {
    let app = app().await;
    let query = "{ node(id: \"x\") { id } ...F ... { node(id: \"x\") { __typename } } ...G } \
        fragment F on Query { node(id: \"x\") { ... on Subject { name } } ...G } fragment G on Query { node(id: \"x\") { id } }";
    let answer = app.query(query).await;
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!(["node"]))], "{:#}", answer.0);
    // Where arguments are the same however they are written.
    let query = "query($id: ID!) { a: nodes(ids: [$id]) { id } a: nodes(ids: [$id]) { id } }";
    let answer = app.query_with(query, json!({"id": "x"})).await;
    assert_eq!(answer.errors().len(), 1, "{:#}", answer.0);
}

#[tokio::test]
async fn what_is_skipped_and_what_is_included() {
    let app = app().await;
    for (skip, include, expected) in [
        (false, true, json!({"a": "Query", "b": "Query", "c": "Query"})),
        (false, false, none()),
        (true, true, none()),
        (true, false, none()),
    ] {
        for query in [
            "query($s: Boolean!, $i: Boolean!) { a: __typename @skip(if: $s) @include(if: $i) \
             ... @include(if: $i) @skip(if: $s) { b: __typename } ...F @skip(if: $s) @include(if: $i) } \
             fragment F on Query { c: __typename }",
            "query($s: Boolean = false, $i: Boolean! = true) { a: __typename @skip(if: $s) @include(if: $i) \
             ... @include(if: $i) { ... @skip(if: $s) { b: __typename ...F } } } fragment F on Query { c: __typename }",
        ] {
            assert_eq!(data(&app, query, json!({"s": skip, "i": include})).await, expected, "{skip} {include} {query}");
        }
        let query = format!(
            "{{ a: __typename @skip(if: {skip}) @include(if: {include}) \
             ... @skip(if: {skip}) @include(if: {include}) {{ b: __typename c: __typename }} }}"
        );
        assert_eq!(data(&app, &query, none()).await, expected, "{query}");
    }
    // A field is there when one of its places is.
    let query = "{ sources @skip(if: true) { source } ... @include(if: false) { sources { x: source } } sources { y: source } }";
    assert_eq!(data(&app, query, none()).await["sources"][0], json!({"y": "HAUT_AI"}));
    let query = "{ ...F @skip(if: true) ...F } fragment F on Query { __typename }";
    assert_eq!(data(&app, query, none()).await, json!({"__typename": "Query"}));
    // A default value stands for what is not given, not for null.
    let query = "query($all: Boolean = true) { __typename @include(if: $all) }";
    assert_eq!(data(&app, query, none()).await, json!({"__typename": "Query"}));
    let told = message(&app, query, json!({"all": null}), BAD).await;
    assert!(told.contains("`$all` is null") && told.contains("Boolean!"), "{told}");
}

#[tokio::test]
async fn errors_say_where_they_happened() {
    let app = TestApp::new().await;
    let query = "{\n  list: subjects(first: 2) {\n    nodes { years: age(at: \"no day\") name }\n  }\n  ...F\n}\n\
        fragment F on Query {\n  node(id: \"x\") { id }\n}";
    let answer = app.query(query).await;
    let told: Vec<_> =
        answer.errors().into_iter().map(|error| (error["path"].clone(), error["locations"].clone())).collect();
    let place = |line: u32, column: u32| json!([{"line": line, "column": column}]);
    let expected = [
        (json!(["list", "nodes", 0, "years"]), place(3, 13)),
        (json!(["list", "nodes", 1, "years"]), place(3, 13)),
        (json!(["node"]), place(8, 3)),
    ];
    assert_eq!(told, expected);
    // What failed is null in its place, and what is around it stands.
    let nodes = &answer.0["data"]["list"]["nodes"];
    assert!(nodes[0]["years"].is_null() && nodes[0].get("years").is_some() && nodes[1]["name"].is_string(), "{nodes}");
    assert!(answer.0["data"].get("node").is_some_and(Value::is_null));
    assert!(answer.errors().iter().all(|error| error["extensions"]["code"] == BAD));
}

#[tokio::test]
async fn a_failed_field_that_may_not_be_null_takes_its_parent_with_it() {
    let app = app().await;
    let ids: Vec<String> = (0..101).map(|n| n.to_string()).collect();
    let answer = app
        .query_with("query($ids: [ID!]!) { t: __typename many: nodes(ids: $ids) { id } }", json!({"ids": ids}))
        .await;
    // Executed, and so there is `data`.
    assert!(answer.0.get("data").is_some_and(Value::is_null), "{:#}", answer.0);
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!(["many"]))]);
    // Elements that may be null are null by themselves.
    let answer = app.query("{ nodes(ids: [\"x\", \"y\"]) { id } }").await;
    assert_eq!(answer.0["data"], json!({"nodes": [null, null]}));
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!(["nodes", 0])), (BAD.to_owned(), json!(["nodes", 1]))]);
}

#[tokio::test]
async fn every_object_tells_its_type() {
    let app = TestApp::new().await;
    assert_eq!(data(&app, "mutation { t: __typename }", none()).await, json!({"t": "Mutation"}));
    let query = "{ __typename _service { __typename } __schema { __typename } sources { __typename } \
        subjects(first: 1, filter: {sources: [BRAINSTEM]}) { __typename pageInfo { __typename } edges { __typename node { \
        __typename id brainStem { __typename } procedures { __typename } } } } }";
    let found = data(&app, query, none()).await;
    let subjects = &found["subjects"];
    let node = &subjects["edges"][0]["node"];
    for (object, name) in [
        (&found, "Query"),
        (&found["_service"], "_Service"),
        (&found["__schema"], "__Schema"),
        (&found["sources"][0], "SourceStatus"),
        (subjects, "SubjectConnection"),
        (&subjects["pageInfo"], "PageInfo"),
        (&subjects["edges"][0], "SubjectEdge"),
        (node, "Subject"),
        (&node["brainStem"], "BrainStemSubject"),
        (&node["procedures"], "ProcedureConnection"),
    ] {
        assert_eq!(object["__typename"], name);
    }
    let query = "query($id: ID!, $it: [_Any!]!) { node(id: $id) { __typename } _entities(representations: $it) { __typename } }";
    let variables = json!({"id": node["id"], "it": [{"__typename": "Subject", "id": node["id"]}]});
    let expected = json!({"node": {"__typename": "Subject"}, "_entities": [{"__typename": "Subject"}]});
    assert_eq!(data(&app, query, variables).await, expected);
    let query = "mutation { subjectDelete(id: \"x\") { __typename userErrors { __typename } } }";
    let expected = json!({"__typename": "SubjectDeletePayload", "userErrors": [{"__typename": "UserError"}]});
    assert_eq!(data(&app, query, none()).await["subjectDelete"], expected);
}

#[tokio::test]
async fn answers_have_what_they_should_and_nothing_else() {
    let app = app().await;
    assert_eq!(text(&app, "{ t: __typename }", none()).await, r#"{"data":{"t":"Query"}}"#);
    let refused = app.query("{ nope }").await.0;
    assert_eq!(refused.as_object().unwrap().keys().collect::<Vec<_>>(), ["errors"]);
    check(&app, "{ t: __typename @skip(if: true) }", None).await;
    assert_eq!(text(&app, "{ t: __typename @skip(if: true) }", none()).await, r#"{"data":{}}"#);
}
