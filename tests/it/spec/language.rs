//! Section 2, the language: what is a document, down to the letters.

use serde_json::json;

use super::{BAD, INVALID, UNPARSED, app, check};
use crate::{
    util::TestApp,
    writes::{ANIMAL, animal_id},
};

/// Documents, and the code of their refusal. Those of no code run; graphql-js agrees on each.
const DOCUMENTS: &[(&str, Option<&str>)] = &[
    ("{ sources { source } }", None),
    ("query { sources { source } }", None),
    ("query Q { sources { source } }", None),
    ("\u{feff}{ sources { source } }", None),
    ("{,,,sources,{,source,},}", None),
    ("# c\n{ # d\nsources #x\n{ source } }", None),
    ("{ sources { source } } # end", None),
    ("", Some(BAD)),
    ("   ", Some(BAD)),
    ("# only", Some(UNPARSED)),
    ("{}", Some(UNPARSED)),
    ("{ sources {} }", Some(UNPARSED)),
    ("query Q {}", Some(UNPARSED)),
    ("{ sources { source }", Some(UNPARSED)),
    ("sources { source }", Some(UNPARSED)),
    ("{ sources { source } }}", Some(UNPARSED)),
    ("{ sources { ...on SourceStatus { source } } }", None),
    ("{ sources { ...on#c\nSourceStatus { source } } }", None),
    ("query () { sources { source } }", Some(UNPARSED)),
    ("{ sources() { source } }", Some(UNPARSED)),
    ("{ sources @include() { source } }", Some(UNPARSED)),
    ("query($a: Int) { subjects(first: $a) { totalCount } }", None),
    ("query($ a: Int) { subjects(first: $ a) { totalCount } }", None),
    ("query($ids: [ ID ! ] !) { nodes(ids: $ids) { id } }", None),
    ("query($ids: [\nID!\n]!) { nodes(ids: $ids) { id } }", None),
    ("query($a: Int = 5 @skip(if: true)) { subjects(first: $a) { totalCount } }", Some(INVALID)),
    ("query($a: Int @x = 5) { subjects(first: $a) { totalCount } }", Some(UNPARSED)),
    ("{ a: b: sources { source } }", Some(UNPARSED)),
    ("{ node(id: \"a\" \"b\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"a\", id: \"b\") { id } }", Some(INVALID)),
    ("{ node(id: \"\\u0041\") { id } }", None),
    ("{ node(id: \"\\u{1F600}\") { id } }", None),
    ("{ node(id: \"\\u{0041}\") { id } }", None),
    ("{ node(id: \"\\uD83D\\uDE00\") { id } }", None),
    ("{ node(id: \"\\uD83D\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\\uDE00\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\\u{110000}\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\\u{}\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\\u00\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\\x\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"a\nb\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"unterminated) { id } }", Some(UNPARSED)),
    ("{ node(id: \"\"\"block \"quoted\" \\\"\"\" end\"\"\") { id } }", None),
    ("{ node(id: \"\"\"unterminated\") { id } }", Some(UNPARSED)),
    ("{ node(id: \"\") { id } }", None),
    ("{ node(id: \"\"\"\"\"\") { id } }", None),
    ("{ node(id: \"\t\") { id } }", None),
    ("{ node(id: \"\\\"\\\\\\/\\u{8}\\u{c}\\n\\r\\t\") { id } }", None),
    ("{ node(id: 'x') { id } }", Some(UNPARSED)),
    ("{ subjects(first: 01) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: -0) { totalCount } }", None),
    ("{ subjects(first: -1) { totalCount } }", None),
    ("{ subjects(first: - 1) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: +1) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: 1.) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: .5) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: 1e5) { totalCount } }", Some(BAD)),
    ("{ subjects(first: 1.0) { totalCount } }", Some(BAD)),
    ("{ subjects(first: 1x) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: 0x1) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: 1_000) { totalCount } }", Some(UNPARSED)),
    ("{ subjects(first: 2147483647) { totalCount } }", None),
    ("{ subjects(first: -2147483648) { totalCount } }", None),
    ("{ subjects(first: 2147483648) { totalCount } }", Some(BAD)),
    ("{ subjects(first: 99999999999999999999999999999999) { totalCount } }", Some(BAD)),
    ("{ subjects(first: 1a: 2) { totalCount } }", Some(UNPARSED)),
    ("{ nodes(ids: [00]) { id } }", Some(UNPARSED)),
    ("{ nodes(ids: [1,2]) { id } }", None),
    ("{ nodes(ids: [1 2,,3]) { id } }", None),
    ("{ nodes(ids: []) { id } }", None),
    ("{ nodes(ids: \"a\") { id } }", None),
    ("fragment on on Query { sources { source } } { ...on }", Some(UNPARSED)),
    ("{ ...on }", Some(UNPARSED)),
    ("{ sources { ... } }", Some(UNPARSED)),
    ("{ sources { ... { source } } }", None),
    ("{ sources { ... @include(if: true) { source } } }", None),
    ("{ .. }", Some(UNPARSED)),
    ("{ sources { source, } }", None),
    ("{ sources ! }", Some(UNPARSED)),
    ("{ sources & { source } }", Some(UNPARSED)),
    ("{ sources { source } } query B { sources { source } }", Some(INVALID)),
    ("{ sources { source } } { sources { source } }", Some(INVALID)),
    ("query A { sources { source } } query B { sources { source } }", None),
    ("query A { sources { source } } query A { sources { source } }", Some(INVALID)),
    ("query A { sources { source } } mutation A { subjectDelete(id: \"x\") { deletedId } }", Some(INVALID)),
    ("fragment F on Query { sources { source } }", Some(INVALID)),
    ("{ ...F } fragment F on Query { sources { source } } fragment F on Query { sources { source } }", Some(INVALID)),
    ("{ sources { source } } type X { a: Int }", Some(INVALID)),
    ("type X { a: Int }", Some(INVALID)),
    ("{ sources { source } } extend type Query { a: Int }", Some(INVALID)),
    ("{ sources { source } } schema { query: Query }", Some(INVALID)),
    ("{ sources { source } } directive @x on FIELD", Some(INVALID)),
    ("{ sources { source } } extend schema @x", Some(INVALID)),
    ("{ sources { source } } scalar X", Some(INVALID)),
    ("{ sources { source } } interface X { a: Int }", Some(INVALID)),
    ("{ sources { source } } enum X { A }", Some(INVALID)),
    ("{ sources { source } } input X { a: Int }", Some(INVALID)),
    ("{ sources { source } } union X = Subject", Some(INVALID)),
    ("\"\"\"desc\"\"\" query Q { sources { source } }", None),
    ("\"desc\" query Q { sources { source } }", None),
    ("\"desc\" { sources { source } }", Some(UNPARSED)),
    ("\"\"\"d\"\"\" fragment F on Query { sources { source } } query { ...F }", None),
    ("query Q(\"d\" $a: Int) { subjects(first: $a) { totalCount } }", None),
    ("queryQ { sources { source } }", Some(UNPARSED)),
    ("query Q{sources{source}}", None),
    ("query Q@include(if:true){sources{source}}", Some(INVALID)),
    ("mutation { sources { source } }", Some(INVALID)),
    ("{ subjectDelete(id: \"x\") { deletedId } }", Some(INVALID)),
    ("query true { sources { source } }", None),
    ("query null { sources { source } }", None),
    ("query query { sources { source } }", None),
    ("query fragment { sources { source } }", None),
    ("query on { sources { source } }", None),
    ("{ true: sources { null: source } }", None),
    ("{ __typename }", None),
    ("mutation { __typename }", None),
    ("{ __typename { x } }", Some(INVALID)),
    ("{ __schema { queryType { name } } }", None),
    ("{ __type(name: \"Query\") { name } }", None),
    ("{ __type { name } }", Some(INVALID)),
    ("{ sources { __schema { queryType { name } } } }", Some(INVALID)),
    ("mutation { __schema { queryType { name } } }", Some(INVALID)),
    ("{ t: __typename sources { t: __typename } }", None),
    ("{ _service { sdl } }", None),
    ("{ _entities(representations: []) { __typename } }", None),
    (
        "{ _entities(representations: [{__typename: \"Subject\", id: \"x\"}]) { ... on Subject { id } ...on Project { name } } }",
        None,
    ),
    ("{ _entities(representations: [{__typename: \"Subject\", id: \"x\"}]) { id } }", Some(INVALID)),
    ("query($r: [_Any!]!) { _entities(representations: $r) { __typename } }", None),
    ("{ _entities { __typename } }", Some(INVALID)),
    ("{ sources { source } \u{0000} }", Some(UNPARSED)),
    ("{ sources { source } \u{0007} }", Some(UNPARSED)),
    ("{ sources { source } ; }", Some(UNPARSED)),
    ("{ sources { source } ? }", Some(UNPARSED)),
    ("{ s\u{f6}urces { source } }", Some(UNPARSED)),
    ("{ sources { source } } \u{a0}", Some(UNPARSED)),
    ("{ sources\u{2028}{ source } }", Some(UNPARSED)),
    ("{ # \u{0000} \u{1f600}\nsources { source } }", None),
    ("{\rsources\r\n{ source }\r}", None),
    ("{ sources | { source } }", Some(UNPARSED)),
    ("{ sources = { source } }", Some(UNPARSED)),
    ("{ [sources] }", Some(UNPARSED)),
    ("{ $a }", Some(UNPARSED)),
    ("{ sources { \"source\" } }", Some(UNPARSED)),
    ("{ 1 }", Some(UNPARSED)),
    ("{ sources(a: $) { source } }", Some(UNPARSED)),
    ("{ sources @ include(if: true) { source } }", None),
    ("{ sources @1 { source } }", Some(UNPARSED)),
];

#[tokio::test]
async fn documents_are_read_as_the_specification_says() {
    let app = app().await;
    for (query, refused) in DOCUMENTS {
        check(&app, query, *refused).await;
    }
}

#[tokio::test]
async fn texts_mean_what_is_written() {
    let app = TestApp::new().await;
    for (written, meant) in [
        (r#""\u{1F600} \uD83D\uDE00 \u0041""#, "😀 😀 A"),
        (r#""\" \\ \/ \b \f \n \r \t""#, "\" \\ / \u{8} \u{c} \n \r \t"),
        (
            "\"\"\"\n      Hello,\n        World!\n\n      Yours,\n        GraphQL.\n  \"\"\"",
            "Hello,\n  World!\n\nYours,\n  GraphQL.",
        ),
        (r#""""say \""" and \n""""#, "say \"\"\" and \\n"),
    ] {
        let query = format!(
            "mutation($id: ID!) {{ subjectUpdate(id: $id, input: {{brainStem: {{metadata: {{a: {written}}}}}}}) {{ subject {{ metadata }} }} }}"
        );
        let answer = app.query_with(&query, json!({"id": animal_id(ANIMAL)})).await;
        assert_eq!(answer.data()["subjectUpdate"]["subject"]["metadata"]["a"], meant, "{written}");
    }
}

#[tokio::test]
async fn the_operation_is_the_one_that_is_named() {
    let app = app().await;
    let two = "query A { a: __typename } query B { b: __typename }";
    for (query, name, expected) in [
        (two, json!("B"), json!({"data": {"b": "Query"}})),
        ("query A { a: __typename }", json!(null), json!({"data": {"a": "Query"}})),
        ("query A { a: __typename }", json!("A"), json!({"data": {"a": "Query"}})),
        ("{ a: __typename }", json!(""), json!({"data": {"a": "Query"}})),
    ] {
        assert_eq!(app.named(query, &name).await.0, expected, "{query} {name}");
    }
    for (query, name, words) in [
        (two, json!(null), "`operationName`"),
        (two, json!("C"), "one of A, B"),
        ("query A { a: __typename }", json!("a"), "one of A"),
        ("{ a: __typename }", json!("A"), "no name"),
        ("fragment F on Query { __typename } query A { ...F }", json!("F"), "one of A"),
    ] {
        let answer = app.named(query, &name).await;
        assert_eq!(super::refusals(&answer), [BAD], "{query} {name}");
        assert!(answer.0["errors"][0]["message"].as_str().unwrap().contains(words), "{:#}", answer.0);
    }
}
