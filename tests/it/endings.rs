//! What a reviewer found: walks that did not end, work without bound, and text from clients that upstreams choke on.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind};

use crate::util::{Answer, TestApp, to_path};

/// All source ids of a list at a JSON pointer, page by page; fails where the walk does not end.
async fn walk(app: &TestApp, query: &str, list: &str) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    for _ in 0..40 {
        let answer = app.query_with(query, json!({ "after": after })).await;
        let page = answer.data().pointer(list).unwrap().clone();
        ids.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["sourceId"].to_string()));
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    panic!("the walk does not end: {} records", ids.len());
}

#[tokio::test]
async fn a_dataset_that_is_named_twice_is_walked_once() {
    let twice = format!("{0},{1},{0}", DATASET_IDS[1], DATASET_IDS[2]);
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", twice).build().await;
    let query = "query($after: String) { subjects(first: 20, after: $after, filter: {sources: [HAUT_AI]}) { \
        totalCount nodes { sourceId } pageInfo { hasNextPage endCursor } } }";
    let ids = walk(&app, query, "/subjects").await;
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (37, 37));
}

#[tokio::test]
async fn an_id_that_is_listed_twice_is_walked_past() {
    let app = TestApp::builder().empty().build().await;
    let id = |n: u32| format!("aaaaaaaa-0000-4000-8000-{n:012}");
    for n in 1..=3 {
        app.brainstem().insert("procedures", json!({"id": id(n), "type": "Craniotomy", "subject": id(9)}));
    }
    let subject = json!({"id": id(9), "name": "repeating", "procedures": [id(1), id(2), id(1), id(3)]});
    app.brainstem().insert("subjects", subject);
    let query = format!(
        "query($after: String) {{ subject(by: {{brainStem: \"{}\"}}) {{ procedures(first: 1, after: $after) {{ \
         totalCount nodes {{ sourceId }} pageInfo {{ hasNextPage endCursor }} }} }} }}",
        id(9)
    );
    let expected: Vec<String> = [1, 2, 1, 3].map(|n| json!(id(n)).to_string()).to_vec();
    assert_eq!(walk(&app, &query, "/subject/procedures").await, expected);
}

#[tokio::test]
async fn one_page_that_is_short_by_chance_loses_nothing() {
    let query = "query($after: String) { subjects(first: 50, after: $after, filter: {sources: [HAUT_AI]}) { \
        nodes { sourceId } pageInfo { hasNextPage endCursor } } }";
    let expected = walk(&TestApp::new().await, query, "/subjects").await;
    assert_eq!(expected.len(), 217);
    let app = TestApp::new().await;
    // Counted before a deletion, read after it: one record less on the second page, and more behind it.
    let records = app.haut_ai().records("subjects");
    let of_first = records.iter().filter(|record| record["dataset"]["id"] == DATASET_IDS[0]);
    let short: Vec<&Value> = of_first.skip(51).take(49).collect();
    let body = json!({"count": 180, "next": "http://elsewhere.invalid/?page=3", "previous": null, "results": short});
    let fault = Fault::new(FaultKind::Status(200, body.to_string(), Vec::new())).on_query("page=2").times(1);
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
    assert_eq!(walk(&app, query, "/subjects").await, expected);
}

#[tokio::test]
async fn a_thousand_bad_values_are_told_without_reading_the_query_a_thousand_times() {
    let limits = TestApp::builder().set("LIMITS_TOKENS", "20000").set("LIMITS_ALIASES", "1000");
    let app = limits.build().await;
    let field = |n: usize| format!("a{n}: subjects(first: 3000000000) {{ totalCount }} ");
    let query = format!("{{ {} }}", (0..1_000).map(field).collect::<String>());
    // Reading the query again for each of them took minutes. The limit is generous: it tells these two apart.
    let answer = tokio::time::timeout(std::time::Duration::from_secs(60), app.query(&query)).await.unwrap();
    let errors = answer.errors();
    assert!(!errors.is_empty());
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "BAD_USER_INPUT"));
    assert!(errors[0]["message"].as_str().unwrap().contains("`first`"), "{}", errors[0]);
}

fn refused(answer: &Answer, argument: &str) {
    let errors = answer.errors();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0]["extensions"]["code"], "BAD_USER_INPUT");
    assert!(errors[0]["message"].as_str().unwrap().contains(argument), "{}", errors[0]);
}

#[tokio::test]
async fn texts_that_no_request_line_or_database_takes_are_refused() {
    let app = TestApp::new().await;
    for text in ["n".repeat(5_000), "é".repeat(201), "nul\0".to_owned()] {
        let by_name = "query($text: String!) { subject(by: {brainStemName: $text}) { id } }";
        refused(&app.query_with(by_name, json!({ "text": text })).await, "by.brainStemName");
        for list in ["strains", "species", "suppliers"] {
            let search = format!("query($text: String!) {{ {list}(search: $text) {{ totalCount }} }}");
            refused(&app.query_with(&search, json!({ "text": text })).await, "search");
        }
    }
    assert!(app.brainstem().log().is_empty());
    // The longest that is taken fits into the request line, whatever its characters.
    let longest = "query($text: String!) { strains(search: $text) { totalCount } }";
    let answer = app.query_with(longest, json!({ "text": "𝒳".repeat(200) })).await;
    assert_eq!(answer.data()["strains"]["totalCount"], 0);
}

#[tokio::test]
async fn null_is_no_value_for_a_variable_that_needs_one() {
    let app = TestApp::new().await;
    let query = "query($first: Int! = 5) { subjects(first: $first) { nodes { id } } }";
    let answer = app.query_with(query, json!({ "first": null })).await;
    refused(&answer, "$first");
    assert_eq!(app.query(query).await.data()["subjects"]["nodes"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_dataset_that_is_not_there_has_no_subjects_also_without_detail_requests() {
    let app = TestApp::new().await;
    app.haut_ai().set_knobs(|knobs| knobs.detail_405 = true);
    let query = format!(
        "{{ subject(by: {{hautAi: {{datasetId: \"99999999-0000-4000-8000-000000000000\", subjectId: \"{}\"}}}}) {{ id }} }}",
        DATASET_IDS[0]
    );
    assert_eq!(app.query(&query).await.data(), &json!({"subject": null}));
}

#[tokio::test]
async fn sideloading_takes_one_request_also_for_what_is_nested() {
    let app = TestApp::builder().set("BRAINSTEM_SIDELOAD", "true").build().await;
    let query = "{ subjects(first: 20, filter: {sources: [BRAINSTEM]}) { edges { node { strain { species { name } } \
        procedures(first: 2) { edges { node { brainRegion { name } } } } } } } }";
    let sideloaded = app.query(query).await;
    assert_eq!(app.brainstem().take_log().len(), 1);
    let plain = TestApp::builder().set("BRAINSTEM_SIDELOAD", "false").build().await;
    assert_eq!(plain.query(query).await.data(), sideloaded.data());
    assert!(to_path(&plain.brainstem().log(), "species/").len() == 1);
}

#[tokio::test]
async fn check_notices_a_wrong_generation_and_datasets_that_are_not_there() {
    let gone = "99999999-0000-4000-8000-000000000000";
    let app = TestApp::builder().legacy().set("BRAINSTEM_GENERATION", "current").set("HAUT_AI_DATASET_IDS", gone);
    let checked = app.build().await.app.sources().check().await;
    let outcomes: Vec<_> = checked.iter().map(|checked| checked.outcome.clone().unwrap_err()).collect();
    assert!(outcomes[0].contains("HAUT_AI_DATASET_IDS"), "{outcomes:?}");
    assert!(outcomes[1].contains("BRAINSTEM_GENERATION"), "{outcomes:?}");
}
