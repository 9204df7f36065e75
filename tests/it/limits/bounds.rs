//! Each bound: what is at it passes, what is one past it is refused with its code, the numbers and the setting's name.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use serde_json::{Value, json};

use super::{TOO_COMPLEX, TOO_DEEP, app, ask, refused};
use crate::{
    http::{request, send},
    util::TestApp,
};

/// A query and its variables.
type Asked = (String, Value);

fn text(query: impl Into<String>) -> Asked {
    (query.into(), json!({}))
}

/// So many fields at the root.
fn each(count: usize, field: fn(usize) -> String) -> Asked {
    let fields: Vec<_> = (0..count).map(field).collect();
    text(format!("{{ {} }}", fields.join(" ")))
}

fn searched(variables: Value) -> Asked {
    ("query($s: String) { strains(search: $s) { totalCount } }".to_owned(), variables)
}

/// A fragment that stands twice, so that what it holds counts twice.
fn twice(within: usize) -> Asked {
    text(format!("{{ a: __typename ...F }} fragment F on Query {{ {} }}", "__typename ".repeat(within)))
}

const INTROSPECTED: &str = "{ __schema { types { ...T } } } fragment T on __Type { fields { type { name } } }";
const INTROSPECTED_TWICE: &str = "{ __schema { types { ...T } } } fragment T on __Type { interfaces { ...F } } \
     fragment F on __Type { fields { name } }";
/// Ten and as much for what it brings.
const COSTS_20: &str = "{ datasets { id } }";
const COSTS_22: &str = "{ datasets { id } sources { source } }";

async fn counted(app: &TestApp, limit: &str) -> u64 {
    let metrics = send(app.app.front(), request(Method::GET, "/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(metrics.status, StatusCode::OK);
    let line = format!("subject_gateway_refused_total{{limit=\"{limit}\"}} ");
    let found = metrics.text().lines().find_map(|text| text.strip_prefix(&line));
    found.unwrap_or_else(|| panic!("no {line}")).parse().unwrap()
}

/// At the bound and one past it.
async fn holds(limit: &str, value: &str, at: Asked, past: Asked, code: &str, words: &[&str]) {
    let key = format!("LIMITS_{}", if limit == "cost" { "max_cost" } else { limit }.to_uppercase());
    // Only a few are set, for the life of the tests.
    let app = app(&[(Box::leak(key.clone().into_boxed_str()), value)]).await;
    let answer = ask(&app, &at.0, &at.1).await;
    assert!(answer.json().get("data").is_some(), "{key}={value}: {}", answer.json());
    app.clear_logs();
    assert_eq!(counted(&app, limit).await, 0, "{key}");
    let answer = ask(&app, &past.0, &past.1).await;
    assert_eq!(refused(&app, &answer), code, "{key}={value}");
    let message = answer.message();
    let words = words.iter().copied().chain([key.as_str(), value]);
    words.for_each(|word| assert!(message.contains(word), "{word}: {message}"));
    assert!(message.len() < 400, "{message}");
    assert_eq!(counted(&app, limit).await, 1, "{key}");
    // And the process goes on.
    assert_eq!(ask(&app, "{ __typename }", &json!({})).await.json(), json!({"data": {"__typename": "Query"}}));
}

#[tokio::test]
async fn of_the_text() {
    let padded = |bytes: usize| text(format!("{:<bytes$}", "{ __typename }"));
    holds("document_bytes", "1024", padded(1024), padded(1025), TOO_COMPLEX, &["1025 bytes"]).await;
    let names = |count: usize| text(format!("{{ {} }}", "__typename, ".repeat(count)));
    holds("tokens", "100", names(98), names(99), TOO_COMPLEX, &["more than 100"]).await;
    let alias = |at| format!("a{at}: __typename");
    holds("aliases", "3", each(3, alias), each(4, alias), TOO_COMPLEX, &["4 aliases"]).await;
    let directive = |_| "__typename @include(if: true)".to_owned();
    holds("directives", "3", each(3, directive), each(4, directive), TOO_COMPLEX, &["4 directives"]).await;
    // Wherever they stand, and whether they are used or not.
    let operations = "query A($a: Boolean = true) { ...F @include(if: $a) } fragment F on Query { ... @skip(if: false) { __typename } } \
                      query B { b: __typename @include(if: true) __typename @skip(if: true) }";
    let at = each(3, |_| "__typename @skip(if: false)".to_owned());
    holds("directives", "3", at, text(operations), TOO_COMPLEX, &["4 directives"]).await;
}

#[tokio::test]
async fn of_depth() {
    let (at, past) = (
        "{ projects { ...P } } fragment P on ProjectConnection { nodes { subjects { totalCount } } }",
        "{ projects { ...P } } \
         fragment P on ProjectConnection { nodes { ...S } } fragment S on Project { subjects { ... { nodes { id } } } }",
    );
    holds("depth", "4", text(at), text(past), TOO_DEEP, &["5 levels"]).await;
    holds("introspection_depth", "1", text(INTROSPECTED), text(INTROSPECTED_TWICE), TOO_DEEP, &["2 of `fields`"]).await;
}

#[tokio::test]
async fn of_what_is_executed() {
    let root = |at| format!("a{at}: __typename");
    holds("root_fields", "3", each(3, root), each(4, root), TOO_COMPLEX, &["4 fields"]).await;
    // Those that are skipped, or stand there already, are none.
    let skipped = "{ a: __typename b: __typename c: __typename a: __typename d: __typename @skip(if: true) }";
    holds("root_fields", "3", text(skipped), each(4, root), TOO_COMPLEX, &["4 fields"]).await;
    holds("fields", "20", twice(18), twice(19), TOO_COMPLEX, &["at most 20"]).await;
}

#[tokio::test]
async fn of_variables() {
    // {"s":"…"}
    let long = |length: usize| searched(json!({"s": "s".repeat(length)}));
    holds("variables_bytes", "30", long(22), long(23), TOO_COMPLEX, &["31 bytes"]).await;
    // Also of one that no operation has.
    let nested = |value: Value| searched(json!({"s": "", "none": value}));
    holds("variables_depth", "2", nested(json!([[1]])), nested(json!([{"a": []}])), TOO_DEEP, &["2 levels"]).await;
}

#[tokio::test]
async fn of_cost() {
    let words = ["cost 22", "`datasets` costs 20"];
    holds("cost", "20", text(COSTS_20), text(COSTS_22), TOO_COMPLEX, &words).await;
}

#[tokio::test]
async fn a_cost_may_only_be_measured_or_not_looked_at() {
    for (mode, estimated) in [("measure", true), ("off", false)] {
        let app = app(&[("LIMITS_COST", mode), ("LIMITS_MAX_COST", "1")]).await;
        let answer = ask(&app, COSTS_22, &json!({})).await;
        assert!(answer.json().get("data").is_some(), "{}", answer.json());
        let metrics = send(app.app.front(), request(Method::GET, "/metrics").body(Body::empty()).unwrap()).await;
        let line = format!("subject_gateway_operation_cost_sum {}", if estimated { "22.0" } else { "0.0" });
        assert!(metrics.text().contains(&line), "{mode}: {}", metrics.text());
        assert_eq!(counted(&app, "cost").await, 0);
    }
}
