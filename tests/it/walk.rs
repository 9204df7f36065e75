//! The merged list, walked: every record once, in the documented order, for every size of page.

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Upstream};

use crate::util::TestApp;

const PAGE: &str = "query($first: Int, $after: String, $filter: SubjectFilter) { \
    subjects(first: $first, after: $after, filter: $filter) { totalCount edges { cursor node { sourceId } } \
    nodes { sourceId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Reads every page of `subjects` with these fields of each, where nothing may fail.
pub(crate) async fn all_subjects(app: &TestApp, fields: &str) -> Vec<Value> {
    let query = format!(
        "query($after: String) {{ subjects(first: 100, after: $after) {{ nodes {{ {fields} }} \
         pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let (mut subjects, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = app.query_with(&query, json!({"after": after})).await;
        let page = &answer.data()["subjects"];
        subjects.extend(page["nodes"].as_array().unwrap().iter().cloned());
        if page["pageInfo"]["hasNextPage"] == false {
            return subjects;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

/// The people of the company's datasets, in the order of the walk.
pub(crate) fn people(haut_ai: &Upstream) -> Vec<Value> {
    let of = |dataset| haut_ai.records("subjects").into_iter().filter(move |person| person["dataset"]["id"] == dataset);
    DATASET_IDS.into_iter().flat_map(of).collect()
}

/// The animals by name and id, as the sandbox compares texts.
pub(crate) fn animals(brainstem: &Upstream) -> Vec<Value> {
    let mut animals = brainstem.records("subjects");
    let key = |animal: &Value| ["name", "id"].map(|field| animal[field].as_str().unwrap().to_owned());
    animals.sort_by_key(key);
    animals
}

/// Ids of all records in the order of the walk.
fn in_order(app: &TestApp) -> Vec<Value> {
    let records = people(app.haut_ai()).into_iter().chain(animals(app.brainstem()));
    records.map(|record| record["id"].clone()).collect()
}

async fn page(app: &TestApp, first: usize, after: &Value, filter: &Value) -> Value {
    let variables = json!({"first": first, "after": after, "filter": filter});
    app.query_with(PAGE, variables).await.data()["subjects"].clone()
}

fn ids(page: &Value) -> Vec<Value> {
    page["nodes"].as_array().unwrap().iter().map(|node| node["sourceId"].clone()).collect()
}

/// Walks all pages of a size; `hasNextPage` must be exact.
async fn walk(app: &TestApp, first: usize, filter: &Value, expected: &[Value]) {
    let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page = page(app, first, &after, filter).await;
        let info = &page["pageInfo"];
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(page["totalCount"], expected.len());
        assert_eq!(info["hasPreviousPage"], !after.is_null());
        assert_eq!(edges.iter().map(|edge| edge["node"]["sourceId"].clone()).collect::<Vec<_>>(), ids(&page));
        assert_eq!(edges.first().map(|edge| &edge["cursor"]), Some(&info["startCursor"]));
        assert_eq!(edges.last().map(|edge| &edge["cursor"]), Some(&info["endCursor"]));
        seen.extend(ids(&page));
        pages += 1;
        assert_eq!(info["hasNextPage"], seen.len() < expected.len(), "{first} a page, page {pages}");
        if info["hasNextPage"] == false {
            break;
        }
        after = info["endCursor"].clone();
    }
    assert_eq!(seen, expected, "{first} a page");
    assert_eq!(pages, expected.len().div_ceil(first), "{first} a page");
}

#[tokio::test]
async fn every_record_comes_once_and_in_order_for_any_size_of_page() {
    let app = TestApp::new().await;
    let expected = in_order(&app);
    assert_eq!(expected.len(), 217 + 300);
    for first in [7, 20, 31, 47, 100] {
        walk(&app, first, &Value::Null, &expected).await;
    }
    let (people, animals) = expected.split_at(217);
    walk(&app, 31, &json!({"sources": ["HAUT_AI"]}), people).await;
    walk(&app, 100, &json!({"sources": ["BRAINSTEM"]}), animals).await;
    walk(&app, 100, &json!({"sources": ["BRAINSTEM", "HAUT_AI"]}), &expected).await;
    walk(&app, 100, &json!({"sources": null}), &expected).await;
}

/// The first dataset has 180 people, the second 37, the third none; then come the animals.
#[tokio::test]
async fn one_record_a_page_over_every_seam() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).build().await;
    let ids_of = |records: Vec<Value>| records.into_iter().map(|record| record["id"].clone()).collect::<Vec<_>>();
    let people = ids_of(people(app.haut_ai())).split_off(180);
    let expected = [people, ids_of(animals(app.brainstem()))].concat();
    walk(&app, 1, &Value::Null, &expected).await;
}

#[tokio::test]
async fn a_walk_resumes_from_any_edge() {
    let app = TestApp::new().await;
    let expected = in_order(&app);
    let mut before = 0;
    let mut after = Value::Null;
    while before < expected.len() {
        let stretch = page(&app, 100, &after, &Value::Null).await;
        for (at, edge) in stretch["edges"].as_array().unwrap().iter().enumerate() {
            let from = before + at + 1;
            let at_a_seam = [180usize, 217, 517].iter().any(|seam| seam.abs_diff(from) < 3);
            if !at_a_seam && from % 9 != 0 {
                continue;
            }
            let next = page(&app, 2, &edge["cursor"], &Value::Null).await;
            assert_eq!(ids(&next), expected[from..expected.len().min(from + 2)], "behind {}", from - 1);
            assert_eq!(next["pageInfo"]["hasNextPage"], from + 2 < expected.len(), "behind {}", from - 1);
        }
        before += stretch["edges"].as_array().unwrap().len();
        after = stretch["pageInfo"]["endCursor"].clone();
    }
    let end = page(&app, 2, &after, &Value::Null).await;
    assert_eq!(end["pageInfo"]["endCursor"], after, "an empty page ends where it began");
    assert_eq!(end["pageInfo"]["hasPreviousPage"], true);
}

#[tokio::test]
async fn a_page_of_none_counts_and_stays_where_it_is() {
    let app = TestApp::new().await;
    let none = page(&app, 0, &Value::Null, &Value::Null).await;
    let expected = json!({
        "totalCount": 517, "edges": [], "nodes": [],
        "pageInfo": {"hasNextPage": true, "hasPreviousPage": false, "startCursor": null, "endCursor": null},
    });
    assert_eq!(none, expected);
    let all = json!({"sources": []});
    assert_eq!(page(&app, 5, &Value::Null, &all).await["totalCount"], 0);
    let empty = TestApp::builder().empty().build().await;
    let nothing = page(&empty, 5, &Value::Null, &Value::Null).await;
    assert_eq!((&nothing["totalCount"], &nothing["nodes"]), (&json!(0), &json!([])));
    assert_eq!(nothing["pageInfo"]["hasNextPage"], false);
}
