//! Small requests that bring careless servers down, or keep them busy for minutes: refused before anything is asked of a source, with
//! the limits as they are and with the highest that can be set.

use serde_json::{Value, json};

use super::{TOO_COMPLEX, TOO_DEEP, refused};
use crate::{
    events::socket::Gateway,
    http::send_body,
    util::{Builder, TestApp},
};

const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const UNPARSED: &str = "GRAPHQL_PARSE_FAILED";
const BAD: &str = "BAD_USER_INPUT";

fn each(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect::<Vec<_>>().join(" ")
}

fn nested(open: &str, close: &str) -> String {
    format!("{}{}", open.repeat(10_000), close.repeat(10_000))
}

struct Bomb {
    name: &'static str,
    query: String,
    variables: Value,
    operation: Value,
    /// With the limits as they are, and with the highest; `None`: it is executed.
    codes: [Option<&'static str>; 2],
}

fn bomb(name: &'static str, query: String, usual: &'static str, highest: impl Into<Option<&'static str>>) -> Bomb {
    Bomb { name, query, variables: Value::Null, operation: Value::Null, codes: [Some(usual), highest.into()] }
}

fn fragments() -> Vec<Bomb> {
    let doubling = |count: usize, of: fn(usize) -> String| {
        let last = "breeding { id }";
        format!("{{ node(id: 1) {{ ...F0 }} }} {} fragment F{count} on Subject {{ {last} }}", each(count, of))
    };
    let spread = |n: usize| format!("fragment F{n} on Subject {{ ...F{0} ...F{0} }}", n + 1);
    let below = |n: usize| {
        let below = format!("breeding {{ a: mother {{ ...F{0} }} b: mother {{ ...F{0} }} }}", n + 1);
        format!("fragment F{n} on Subject {{ {below} }}")
    };
    let beside = |n: usize| format!("fragment F{n} on Query {{ a{n}: __typename ...F{0} ...F{0} }}", n + 1);
    let chain = each(10_000, |n| format!("fragment F{n} on Query {{ ...F{} }}", n + 1));
    let cycle = each(20, |n| format!("fragment F{n} on Query {{ ...F{} }}", (n + 1) % 20));
    let unused = each(5_000, |n| format!("fragment F{n} on Query {{ __typename }}"));
    vec![
        // Each counts once at its place.
        Bomb { codes: [None, None], ..bomb("thirty doublings", doubling(30, spread), "", None) },
        bomb("twenty doublings by aliases", doubling(20, below), TOO_DEEP, TOO_COMPLEX),
        bomb("fourteen doublings by aliases", doubling(14, below), TOO_COMPLEX, TOO_COMPLEX),
        Bomb {
            codes: [None, None],
            ..bomb(
                "thirty doublings at the root",
                format!("{{ ...F0 }} {} fragment F30 on Query {{ z: __typename }}", each(30, beside)),
                "",
                None,
            )
        },
        bomb(
            "a chain",
            format!("{{ ...F0 }} {chain} fragment F10000 on Query {{ __typename }}"),
            TOO_COMPLEX,
            TOO_DEEP,
        ),
        bomb("a cycle", format!("{{ ...F0 }} {cycle}"), INVALID, INVALID),
        bomb("a cycle of one", "{ ...F } fragment F on Query { ...F }".to_owned(), INVALID, INVALID),
        bomb("unused fragments", format!("{{ __typename }} {unused}"), TOO_COMPLEX, INVALID),
    ]
}

fn numbers() -> Vec<Bomb> {
    let operations = each(10_000, |n| format!("query Q{n} {{ __typename }}"));
    let definitions = each(10_000, |n| format!("$v{n}: Int"));
    let used = each(2_000, |n| format!("a{n}: subjects(first: $v{n}) {{ totalCount }}"));
    let used_definitions = each(2_000, |n| format!("$v{n}: Int"));
    vec![
        bomb(
            "more aliases",
            format!("{{ {} }}", each(30_000, |n| format!("a{n}: __typename"))),
            TOO_COMPLEX,
            TOO_COMPLEX,
        ),
        bomb("aliases", format!("{{ {} }}", each(10_000, |n| format!("a{n}: __typename"))), TOO_COMPLEX, None),
        bomb(
            "one alias many times",
            format!("{{ {} }}", each(5_000, |n| format!("a: node(id: {n}) {{ id }}"))),
            TOO_COMPLEX,
            INVALID,
        ),
        bomb("directives", format!("{{ __typename {} }}", "@include(if: true) ".repeat(5_000)), TOO_COMPLEX, INVALID),
        bomb("unknown directives", format!("{{ __typename {} }}", "@a ".repeat(9_000)), TOO_COMPLEX, INVALID),
        Bomb { operation: json!("Q9999"), ..bomb("operations", operations, TOO_COMPLEX, TOO_COMPLEX) },
        bomb("variables", format!("query({definitions}) {{ __typename }}"), TOO_COMPLEX, INVALID),
        bomb("variables in use", format!("query({used_definitions}) {{ {used} }}"), TOO_COMPLEX, TOO_COMPLEX),
        bomb(
            "arguments",
            format!("{{ subjects({}) {{ totalCount }} }}", each(9_000, |n| format!("a{n}: 1"))),
            TOO_COMPLEX,
            INVALID,
        ),
    ]
}

fn nesting() -> Vec<Bomb> {
    let value = |text: String| format!("{{ subjects(filter: {text}) {{ totalCount }} }}");
    vec![
        bomb("selections", nested("{a", "}"), TOO_COMPLEX, TOO_DEEP),
        bomb("lists", value(nested("[", "]")), TOO_COMPLEX, TOO_DEEP),
        bomb("objects", value(nested("{a:", "}")), TOO_COMPLEX, TOO_DEEP),
        bomb("lists that fit otherwise", value(format!("{}{}", "[".repeat(200), "]".repeat(200))), TOO_DEEP, TOO_DEEP),
        bomb("types", format!("query($a: {}) {{ __typename }}", nested("[", "]")), TOO_COMPLEX, TOO_DEEP),
        bomb("brackets", "[".repeat(1_000_000), TOO_COMPLEX, UNPARSED),
        bomb("brackets of selections", "{".repeat(60_000), TOO_COMPLEX, UNPARSED),
        bomb("quotes", "\"".repeat(400_000), TOO_COMPLEX, UNPARSED),
        bomb("signs that are none", "?".repeat(60_000), TOO_COMPLEX, UNPARSED),
        bomb("blanks", " ".repeat(900_000) + "{ __typename }", TOO_COMPLEX, None),
        bomb("comments", "#\n".repeat(300_000) + "{ __typename }", TOO_COMPLEX, None),
    ]
}

fn long() -> Vec<Bomb> {
    let name = "n".repeat(400_000);
    let text = format!("{{ subjects(filter: {{search: \"{}\"}}) {{ totalCount }} }}", "s".repeat(900_000));
    let block = format!("{{ subjects(filter: {{search: \"\"\"{}\"\"\"}}) {{ totalCount }} }}", "s\n".repeat(300_000));
    let number = format!("{{ subjects(first: {}) {{ totalCount }} }}", "9".repeat(60_000));
    let two = format!("query {name}A {{ __typename }} query {name}B {{ __typename }}");
    vec![
        bomb("a text", text, TOO_COMPLEX, None),
        bomb("a block of text", block, TOO_COMPLEX, None),
        bomb("a number", number, BAD, BAD),
        bomb("a field's name", format!("{{ {name} }}"), TOO_COMPLEX, INVALID),
        bomb("an alias", format!("{{ {name}: nothing }}"), TOO_COMPLEX, INVALID),
        Bomb { operation: json!("C"), ..bomb("operations' names", two, TOO_COMPLEX, BAD) },
        bomb("a type's name", format!("{{ ... on {name} {{ id }} }}"), TOO_COMPLEX, INVALID),
    ]
}

fn introspection() -> Vec<Bomb> {
    let levels = |count: usize| {
        let below = (0..count).fold("name".to_owned(), |below, _| format!("fields {{ type {{ {below} }} }}"));
        format!("{{ __schema {{ types {{ {below} }} }} }}")
    };
    let others = "{ __type(name: \"Node\") { possibleTypes { interfaces { possibleTypes { name } } } } }";
    let fragments = "{ __schema { types { ...A } } } fragment A on __Type { fields { type { ...B } } } \
                     fragment B on __Type { fields { type { ...C } } } fragment C on __Type { fields { name } }";
    vec![
        // Not too deep then, but its lists in lists are estimated.
        bomb("three levels", levels(3), TOO_DEEP, TOO_COMPLEX),
        bomb("ten levels", levels(10), TOO_DEEP, TOO_DEEP),
        bomb("other lists", others.to_owned(), TOO_DEEP, None),
        bomb("by fragments", fragments.to_owned(), TOO_DEEP, None),
    ]
}

fn highest() -> Builder {
    let limits = [
        ("LIMITS_DOCUMENT_BYTES", "16777216"),
        ("LIMITS_TOKENS", "1000000"),
        ("LIMITS_ALIASES", "100000"),
        ("LIMITS_DIRECTIVES", "100000"),
        ("LIMITS_ROOT_FIELDS", "10000"),
        ("LIMITS_DEPTH", "100"),
        ("LIMITS_INTROSPECTION_DEPTH", "5"),
        ("LIMITS_VARIABLES_BYTES", "104857600"),
        ("LIMITS_VARIABLES_DEPTH", "120"),
    ];
    limits.into_iter().fold(TestApp::builder().empty(), |builder, (name, value)| builder.set(name, value))
}

async fn go_off(bombs: impl Fn() -> Vec<Bomb>) {
    let apps = [TestApp::builder().empty().build().await, highest().build().await];
    for (at, app) in apps.iter().enumerate() {
        for Bomb { name, query, variables, operation, codes } in bombs() {
            let body = json!({"query": query, "variables": variables, "operationName": operation});
            let answer = send_body(&app.app, "*/*", body.to_string()).await;
            let is_executed = answer.json().get("data").is_some();
            let code = (!is_executed).then(|| refused(app, &answer));
            assert_eq!(code.as_deref(), codes[at], "{name}: {}", answer.message());
            assert!(is_executed || answer.text().len() < 20_000, "{name}: {} bytes", answer.text().len());
            assert_eq!(app.query("{ __typename }").await.data()["__typename"], "Query", "{name}");
        }
    }
}

#[tokio::test]
async fn fragments_that_multiply() {
    go_off(fragments).await;
}

#[tokio::test]
async fn great_numbers() {
    go_off(numbers).await;
}

#[tokio::test]
async fn levels_within_levels() {
    go_off(nesting).await;
}

#[tokio::test]
async fn names_and_values_of_any_length() {
    go_off(long).await;
}

#[tokio::test]
async fn introspection_that_multiplies() {
    go_off(introspection).await;
}

/// Here JSON's own parser stands before everything else.
#[tokio::test]
async fn variables_within_variables() {
    let app = TestApp::builder().empty().build().await;
    let query = "query($f: SubjectFilter) { subjects(filter: $f) { totalCount } }";
    for (nested, code) in [
        (nested("[", "]"), BAD),
        (nested("{\"a\":", "}").replace("{}", "{\"a\":1}"), BAD),
        (format!("{}{}", "[".repeat(100), "]".repeat(100)), TOO_DEEP),
        (format!("\"{}\"", "s".repeat(900_000)), TOO_COMPLEX),
        (format!("[{}1]", "1,".repeat(300_000)), TOO_COMPLEX),
    ] {
        let body = format!("{{\"query\": {}, \"variables\": {{\"f\": {nested}}}}}", json!(query));
        let answer = send_body(&app.app, "*/*", body).await;
        assert_eq!(refused(&app, &answer), code);
    }
    for body in ["[".repeat(1_000_000), "{\"query\":".repeat(100_000)] {
        let answer = send_body(&app.app, "*/*", body).await;
        assert_eq!(refused(&app, &answer), BAD);
    }
    assert_eq!(app.query("{ __typename }").await.data()["__typename"], "Query");
}

#[tokio::test]
async fn an_address_without_end() {
    let gateway = Gateway::new().await;
    for (length, status) in [(60_000, "200"), (70_000, "414"), (1_000_000, "431")] {
        let blanks = "+".repeat(length);
        let (head, _) = gateway.send(&format!("GET /graphql?query={blanks}%7B__typename%7D"), &[], "").await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{length}: {head}");
    }
    gateway.app.query("{ __typename }").await.data();
}
