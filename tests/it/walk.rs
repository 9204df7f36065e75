//! The merged list, walked: every record once, in the documented order, for every size of page.

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, SUBJECT_WITH_130_PROCEDURES, Upstream};

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

/// Walks a list within a subject; returns ids and the total, which every page must tell alike.
async fn nested(app: &TestApp, list: &str, first: usize, kind: &Value) -> (Vec<Value>, Value) {
    let query = format!(
        "query($id: ID!, $first: Int, $after: String, $type: String) {{ subject(by: {{brainStem: $id}}) {{ \
         list: {list}(first: $first, after: $after, type: $type) {{ totalCount nodes {{ sourceId type }} \
         edges {{ cursor }} pageInfo {{ hasNextPage startCursor endCursor }} }} }} }}"
    );
    let (mut seen, mut after, mut total) = (Vec::new(), Value::Null, Value::Null);
    loop {
        let variables = json!({"id": SUBJECT_WITH_130_PROCEDURES, "first": first, "after": after, "type": kind});
        let answer = app.query_with(&query, variables).await;
        let page = &answer.data()["subject"]["list"];
        assert!(page["nodes"].as_array().unwrap().iter().all(|node| kind.is_null() || node["type"] == *kind));
        assert!(total.is_null() || total == page["totalCount"]);
        total = page["totalCount"].clone();
        seen.extend(ids(page));
        if page["pageInfo"]["hasNextPage"] == false {
            return (seen, total);
        }
        assert_ne!(after, page["pageInfo"]["endCursor"]);
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn lists_within_a_record_walk_in_its_order() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    let subject = animals(app.brainstem()).into_iter().find(|animal| animal["id"] == SUBJECT_WITH_130_PROCEDURES);
    let listed = subject.unwrap()["procedures"].as_array().unwrap().clone();
    let records = app.brainstem().records("procedures");
    let of_type = |id: &Value| records.iter().find(|record| record["id"] == *id).unwrap()["type"].clone();
    let kind = of_type(&listed[5]);
    let of_kind: Vec<_> = listed.iter().filter(|id| of_type(id) == kind).cloned().collect();
    assert!(of_kind.len() > 3);
    for first in [1, 7, 65, 100] {
        assert_eq!(nested(&app, "procedures", first, &Value::Null).await, (listed.clone(), json!(130)));
        assert_eq!(nested(&app, "procedures", first, &kind).await, (of_kind.clone(), json!(of_kind.len())));
    }
    assert_eq!(nested(&app, "procedures", 5, &json!("No such type")).await, (Vec::new(), json!(0)));
    assert_eq!(nested(&app, "logs", 1, &Value::Null).await.1, 2);
    // Those that can't be seen leave gaps, also as whole pages; the record still lists them.
    for gone in listed[10..20].iter().chain([&of_kind[0]]) {
        app.brainstem().remove("procedures", gone.as_str().unwrap());
    }
    let seen = |ids: &[Value]| {
        let records = app.brainstem().records("procedures");
        let is_there = |id: &&Value| records.iter().any(|record| record["id"] == **id);
        ids.iter().filter(is_there).cloned().collect::<Vec<_>>()
    };
    for first in [1, 5, 100] {
        assert_eq!(nested(&app, "procedures", first, &Value::Null).await, (seen(&listed), json!(130)));
        let left = seen(&of_kind);
        assert_eq!(nested(&app, "procedures", first, &kind).await, (left.clone(), json!(left.len())));
    }
}

#[tokio::test]
async fn forms_search_by_name() {
    let app = TestApp::new().await;
    let query = "query($search: String) { list: strains(search: $search) { totalCount nodes { sourceId name } } }";
    let records = app.brainstem().records("strains");
    for search in
        ["", "c57", "BALB", "a", "<tm1(cre)", "6;1", "+", "&limit=0", "%", "Ünbe", "不明", "(", "\\", "\"", " ", "*"]
    {
        let answer = app.query_with(query, json!({"search": search})).await;
        let list = &answer.data()["list"];
        let found = |record: &&Value| record["name"].as_str().unwrap().to_lowercase().contains(&search.to_lowercase());
        let mut expected: Vec<_> = records.iter().filter(found).map(|record| record["name"].clone()).collect();
        expected.sort_by_key(|name| name.as_str().unwrap().to_owned());
        let names: Vec<_> = list["nodes"].as_array().unwrap().iter().map(|node| node["name"].clone()).collect();
        assert_eq!(names, expected, "{search}");
        assert_eq!(list["totalCount"], expected.len(), "{search}");
    }
    let null = app.query_with(query, json!({"search": null})).await;
    assert_eq!(null.data()["list"]["totalCount"], records.len());
}
