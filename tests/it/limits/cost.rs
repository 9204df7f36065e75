//! What operations are estimated to cost, and how callers are told.

use axum::{
    body::Body,
    http::{
        Method,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, ORIGIN},
    },
};
use serde_json::{Value, json};

use super::{TOO_COMPLEX, app, ask, refused};
use crate::{
    http::{Answer, graphql_uri, post, request, send},
    util::TestApp,
};

const COST: &str = "x-graphql-cost";
const ANIMALS: &str = "{ subjects(first: 3, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

async fn told(app: &TestApp, query: &str, variables: &Value) -> Answer {
    let body = json!({"query": query, "variables": variables}).to_string();
    send(app.app.front(), post().header(COST, "include").body(Body::from(body)).unwrap()).await
}

async fn cost(app: &TestApp, query: &str, variables: Value) -> u64 {
    let answer = told(app, query, &variables).await;
    let json = answer.json();
    assert!(json.get("data").is_some(), "{query}: {json}");
    let cost = json["extensions"]["cost"]["estimated"].as_u64().unwrap();
    assert_eq!(answer.header(COST), cost.to_string());
    cost
}

#[tokio::test]
async fn objects_cost_one_and_what_is_asked_of_a_source_its_weight() {
    let app = app(&[]).await;
    let none = json!({});
    // `subjects` 30, `procedures` 2 and a `subject` 2, `projects` 2 and 3 of them, `strain` 2, `totalCount` 10.
    let nodes = |of: &str| format!("{{ subjects(first: 5) {{ nodes {{ {of} }} }} }}");
    for (query, expected) in [
        ("{ __typename }".to_owned(), 0),
        // Lists of introspection are as long as they usually are, and the text for routers is long.
        ("{ __schema { types { name } } }".to_owned(), 1 + 130),
        ("{ __type(name: \"Query\") { fields { args { name } } } }".to_owned(), 1 + 6 * (1 + 1)),
        ("{ _service { sdl } }".to_owned(), 1 + 1_000),
        ("{ sources { source } }".to_owned(), 2),
        (nodes("id name"), 30 + 5),
        (nodes("id").replace("(first: 5)", ""), 30 + 20),
        (nodes("id").replace("(first: 5)", "(last: 7)"), 30 + 7),
        (nodes("id").replace("(first: 5)", "(first: 0)"), 30),
        (nodes("id").replace("(first: 5)", "(first: null)"), 30 + 20),
        // Refused when it is read: no page has more.
        (nodes("id").replace("(first: 5)", "(first: 1000000)"), 30 + 100),
        (nodes("id").replace("(first: 5)", "(first: -5)"), 30),
        (
            "{ subjects(first: 5) { edges { node { id } } pageInfo { endCursor } totalCount } }".to_owned(),
            30 + 5 * 2 + 1 + 10,
        ),
        (nodes("strain { name } projects { id }"), 30 + 5 * (1 + 2 + (2 + 3))),
        (nodes("procedures(first: 10) { nodes { subject { id } } }"), 30 + 5 * (1 + 2 + 10 * (1 + 2))),
        // What stands twice counts once, and what is skipped not at all.
        (
            nodes("strain { name } strain { id } ... on Subject { strain { name } } projects @skip(if: true) { id }"),
            30 + 5 * 3,
        ),
        ("{ a: sources { source } b: sources { source } }".to_owned(), 4),
        ("mutation { subjectMetadataClear(id: \"x\") { userErrors { message } } }".to_owned(), 20 + 2),
    ] {
        assert_eq!(cost(&app, &query, none.clone()).await, expected, "{query}");
    }
    let query =
        "query($n: Int, $m: Int = 2) { subjects(first: $n) { nodes { procedures(last: $m) { nodes { id } } } } }";
    for (variables, expected) in [
        (json!({}), 20 * (1 + 2 + 2)),
        (json!({"n": 3}), 3 * (1 + 2 + 2)),
        (json!({"n": 3, "m": null}), 3 * (1 + 2 + 20)),
    ] {
        assert_eq!(cost(&app, query, variables.clone()).await, 30 + expected, "{variables}");
    }
}

/// `docs/limits.md` reckons it out.
#[tokio::test]
async fn the_example_on_the_page_costs_what_the_page_says() {
    let app = app(&[]).await;
    let page = include_str!("../../../docs/limits.md");
    let query = page.split("```graphql").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(cost(&app, query, json!({})).await, 1_040);
    assert!(page.contains("= 1,040") && page.contains("\"estimated\": 1040"));
}

#[tokio::test]
async fn of_an_abstract_type_the_dearest_of_its_types_counts() {
    let app = app(&[]).await;
    let node = |of: &str| format!("{{ node(id: \"x\") {{ {of} }} }}");
    for (of, expected) in [
        ("id", 10),
        ("... on Subject { strain { id } }", 10 + 2),
        ("... on Subject { strain { id } } ... on Procedure { subject { id } brainRegion { id } }", 10 + 4),
        ("... on Subject { strain { id } } ... on Node { id ... on Subject { supplier { id } } }", 10 + 4),
        ("... on Project { subjects { nodes { id } } } ... on Subject { strain { id } }", 10 + 10 + 20),
    ] {
        assert_eq!(cost(&app, &node(of), json!({})).await, expected, "{of}");
    }
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Subject { strain { id } } } }";
    for (ids, expected) in [(0, 0), (1, 1), (7, 7), (100, 100)] {
        let ids: Vec<_> = (0..ids).map(|id| id.to_string()).collect();
        assert_eq!(cost(&app, query, json!({"ids": ids})).await, 10 + expected * (2 + 2));
    }
    assert_eq!(cost(&app, "{ nodes(ids: [1, 2]) { id } }", json!({})).await, 10 + 2 * 2);
    let query = "query($r: [_Any!]!) { _entities(representations: $r) { ... on Subject { strain { id } } } }";
    assert_eq!(cost(&app, query, json!({"r": [{}, {}, {}]})).await, 10 + 3 * (2 + 2));
}

/// The queries whose speed is measured may be asked, and what multiplies may not.
#[tokio::test]
async fn usual_queries_pass_and_lists_within_lists_within_lists_do_not() {
    let app = app(&[]).await;
    let procedures = |first: u32, of: &str| format!("procedures(first: {first}) {{ nodes {{ id {of} }} }}");
    let deep = procedures(20, "type subject { id name projects { id name } }");
    let usual =
        format!("{{ subjects(first: 100, filter: {{sources: [BRAINSTEM]}}) {{ nodes {{ id name {deep} }} }} }}");
    assert_eq!(cost(&app, &usual, json!({})).await, 30 + 100 * (1 + 2 + 20 * (1 + 2 + 2 + 3)));
    app.clear_logs();
    let inner = procedures(100, "subject { id }");
    let too_much =
        format!("{{ subjects(first: 100) {{ nodes {{ {} }} }} }}", procedures(100, &format!("subject {{ {inner} }}")));
    let answer = ask(&app, &too_much, &json!({})).await;
    assert_eq!(refused(&app, &answer), TOO_COMPLEX);
    let cost = 30 + 100 * (3 + 100 * (1 + 2 + 2 + 100 * 3));
    let error = &answer.json()["errors"][0];
    assert_eq!((&error["extensions"]["cost"], &error["extensions"]["maxCost"]), (&json!(cost), &json!(50_000)));
    assert_eq!(error["locations"], json!([{"line": 1, "column": 3}]));
    assert_eq!(
        answer.message(),
        format!(
            "The operation is estimated to cost {cost}: expected at most 50000, the gateway's LIMITS_MAX_COST. Of these, `subjects` \
             costs {cost}: ask for fewer objects with `first`, or for fewer lists within lists."
        )
    );
}

#[tokio::test]
async fn a_number_beyond_all_numbers_is_the_highest() {
    let app = app(&[("LIMITS_DEPTH", "100")]).await;
    let within = |below: String| format!("procedures(first: 100) {{ nodes {{ subject {{ {below} }} }} }}");
    let deep = (0..14).fold("id".to_owned(), |below, _| within(below));
    let answer = ask(&app, &format!("{{ subjects {{ nodes {{ {deep} }} }} }}"), &json!({})).await;
    assert_eq!(refused(&app, &answer), TOO_COMPLEX);
    assert_eq!(answer.json()["errors"][0]["extensions"]["cost"], u64::MAX);
}

#[tokio::test]
async fn it_is_told_to_who_asks_also_of_what_is_at_hand() {
    let app = TestApp::new().await;
    let plain = ask(&app, ANIMALS, &json!({})).await;
    assert_eq!((plain.json().get("extensions"), plain.header(COST)), (None, ""));
    app.clear_logs();
    for _ in 0..2 {
        let answer = told(&app, ANIMALS, &json!({})).await;
        assert_eq!(answer.json()["extensions"]["cost"], json!({"estimated": 33, "limit": 50_000}));
        assert_eq!((answer.json()["data"].clone(), answer.header(COST)), (plain.json()["data"].clone(), "33"));
        assert_eq!(ask(&app, ANIMALS, &json!({})).await.text(), plain.text());
    }
    assert!(app.brainstem().take_log().is_empty(), "the parts are there");
    // Another word asks for nothing.
    let body = json!({"query": ANIMALS}).to_string();
    let other = send(app.app.front(), post().header(COST, "1").body(Body::from(body.clone())).unwrap()).await;
    assert_eq!((other.text(), other.header(COST)), (plain.text(), ""));
    // A page may read the header.
    let app = TestApp::builder().set("GATEWAY_CORS_ORIGINS", "https://app.example").build().await;
    let asked = post().header(COST, "Include").header(ORIGIN, "https://app.example").body(Body::from(body)).unwrap();
    let answer = send(app.app.front(), asked).await;
    assert!(answer.header("access-control-expose-headers").contains(COST));
    assert_eq!(answer.header(COST), "33");
}

#[tokio::test]
async fn over_get_it_is_no_shared_caches() {
    let app =
        TestApp::builder().without_haut_ai().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public").build().await;
    let get = async |asks: &str| {
        let asked = request(Method::GET, &graphql_uri(&[("query", ANIMALS)])).header(COST, asks);
        send(app.app.front(), asked.body(Body::empty()).unwrap()).await
    };
    let (plain, told) = (get("no").await, get("include").await);
    assert!(plain.header(CACHE_CONTROL).starts_with("public, max-age="), "{}", plain.header(CACHE_CONTROL));
    assert_eq!((told.header(CACHE_CONTROL), told.header(COST)), ("private, no-cache", "33"));
    assert_ne!(plain.header(ETAG), told.header(ETAG));
    assert!(told.header(CONTENT_TYPE).starts_with("application/json"));
}

#[tokio::test]
async fn each_member_of_a_batch_says_its_own() {
    let app = app(&[("LIMITS_BATCH", "5")]).await;
    let body = json!([{"query": "{ sources { source } }"}, {"query": "{ __typename }"}, {"query": "{"}]).to_string();
    let answer = send(app.app.front(), post().header(COST, "include").body(Body::from(body)).unwrap()).await.json();
    let costs: Vec<_> = (0..3).map(|at| answer[at]["extensions"]["cost"]["estimated"].clone()).collect();
    assert_eq!(costs, [json!(2), json!(0), Value::Null]);
}

#[tokio::test]
async fn where_nobody_estimates_it_nothing_is_told() {
    for (mode, told_of) in [("off", Value::Null), ("measure", json!({"estimated": 2, "limit": 1}))] {
        let app = app(&[("LIMITS_COST", mode), ("LIMITS_MAX_COST", "1")]).await;
        let answer = told(&app, "{ sources { source } }", &json!({})).await;
        assert_eq!(
            (answer.json()["extensions"]["cost"].clone(), answer.header(COST).is_empty()),
            (told_of, mode == "off")
        );
    }
}

/// As GraphiQL, code generators and Apollo's tools ask for all of the schema.
const EVERYTHING: &str = "
    query IntrospectionQuery {
      __schema {
        description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
        types { ...Whole }
        directives { name description isRepeatable locations args(includeDeprecated: true) { ...Input } }
      }
    }
    fragment Whole on __Type {
      kind name description specifiedByURL isOneOf
      fields(includeDeprecated: true) {
        name description args(includeDeprecated: true) { ...Input } type { ...Reference } isDeprecated deprecationReason
      }
      inputFields(includeDeprecated: true) { ...Input }
      interfaces { ...Reference }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { ...Reference }
    }
    fragment Input on __InputValue { name description type { ...Reference } defaultValue isDeprecated deprecationReason }
    fragment Reference on __Type {
      kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
    }";

#[tokio::test]
async fn tools_may_ask_for_all_of_the_schema_once_and_not_many_times_over() {
    let app = app(&[]).await;
    let cost = cost(&app, EVERYTHING, json!({})).await;
    assert!((10_000..40_000).contains(&cost), "{cost}");
    let again =
        EVERYTHING.replace("types { ...Whole }", "types { ...Whole } a: types { ...Whole } b: types { ...Whole }");
    let texts: Vec<String> = (0..190).map(|number| format!("s{number}: sdl")).collect();
    for query in [again, format!("{{ _service {{ {} }} }}", texts.join(" "))] {
        assert_eq!(refused(&app, &ask(&app, &query, &json!({})).await), TOO_COMPLEX);
    }
}
