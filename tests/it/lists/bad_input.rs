//! Arguments that a list can't take: which one it is, what it should be, and no upstream asked.

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS};

use super::{
    ask::List,
    record::{dataset_id, project_id, species_id, strain_id},
};
use crate::util::TestApp;

const ID: &str = "10000000-0000-4000-8000-000000000002";

/// One error at the list, which is null, in these words; nobody was asked.
async fn refused(app: &TestApp, list: &List, paging: Value, words: &[&str]) {
    let shown: String = format!("{list:?} {paging}").chars().take(300).collect();
    let answer = list.ask(app, paging).await;
    assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["list"]))], "{shown}: {:#}", answer.0);
    assert!(answer.0["data"]["list"].is_null(), "{shown}");
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    assert!(words.iter().all(|word| message.contains(word)), "{shown}: {message}");
    assert!(message.len() < 400, "{message}");
    let asked = [app.haut_ai().take_log(), app.brainstem().take_log()].concat();
    assert!(asked.is_empty(), "{shown}: {asked:#?}");
}

#[tokio::test]
async fn page_sizes_and_directions() {
    let app = TestApp::new().await;
    let list = List::default();
    let edges = list.page(&app, json!({"first": 3})).await.cursors;
    app.clear_logs();
    for size in [-1, 101, i32::MAX, i32::MIN] {
        refused(&app, &list, json!({"first": size}), &["`first`", "from 0 to 100"]).await;
        refused(&app, &list, json!({"last": size}), &["`last`", "from 0 to 100"]).await;
    }
    refused(&app, &list, json!({"first": 5, "last": 5}), &["`first`", "`last`"]).await;
    refused(&app, &list, json!({"first": 0, "last": 0}), &["`first`", "`last`"]).await;
    refused(&app, &list, json!({"last": 5, "after": edges[0]}), &["`after`", "`last`"]).await;
    refused(&app, &list, json!({"first": 5, "before": edges[1]}), &["`before`", "`first`"]).await;
    for cursor in ["", " ", "x", "🐭", "AQEB", &"A".repeat(100_000), &project_id(ID)] {
        refused(&app, &list, json!({"first": 5, "after": cursor}), &["`after`", "expected"]).await;
        refused(&app, &list, json!({"last": 5, "before": cursor}), &["`before`", "expected"]).await;
    }
    // Null is what leaving it out is.
    let page = list.page(&app, json!({"first": null, "last": 2, "after": null})).await;
    assert!(page.ids.len() == 2 && page.has_previous && !page.has_next);
    assert_eq!(list.page(&app, json!({})).await.ids.len(), 20);
}

/// A cursor belongs to one list, and says nothing of another.
#[tokio::test]
async fn cursors_of_another_filter_or_order() {
    let app = TestApp::new().await;
    let lists = [
        List::default(),
        List::ordered("NAME", "ASC"),
        List::ordered("NAME", "DESC"),
        List::ordered("BIRTH_DATE", "ASC"),
        List::ordered("BIRTH_DATE", "DESC"),
        List::ordered("CREATED_AT", "DESC"),
        List::filtered(json!({"sex": ["MALE"]})),
        List::filtered(json!({"sex": ["FEMALE"]})),
        List::filtered(json!({"sex": ["FEMALE", "UNKNOWN"]})),
        List::filtered(json!({"name": {"contains": "a"}})),
        List::filtered(json!({"name": {"startsWith": "a"}})),
        List::filtered(json!({"search": "a"})),
        List::filtered(json!({"birthDate": {"from": "1990-01-01"}})),
        List::filtered(json!({"birthDate": {"to": "2020-01-01"}})),
        List::filtered(json!({"sources": ["BRAINSTEM"]})),
        List::filtered(json!({"hasProcedures": true})),
        List::filtered(json!({"hasProcedures": false})),
        List { filter: json!({"hasProcedures": true}), order: json!({"field": "NAME"}) },
    ];
    let mut cursors = Vec::new();
    for list in &lists {
        cursors.push(list.page(&app, json!({"first": 1})).await.cursors[0].clone());
    }
    app.clear_logs();
    for (at, list) in lists.iter().enumerate() {
        for (of, cursor) in cursors.iter().enumerate().filter(|(of, _)| *of != at) {
            let argument = if of % 2 == 0 { "after" } else { "before" };
            let size = if of % 2 == 0 { "first" } else { "last" };
            refused(&app, list, json!({size: 1, argument: cursor}), &[argument, "another list"]).await;
        }
    }
    // The same filter in other words is the same list.
    for (list, cursor) in [
        (List::filtered(json!({"sex": ["UNKNOWN", "FEMALE", "FEMALE"], "name": null})), &cursors[8]),
        (List { filter: json!({}), order: json!({"field": "NAME"}) }, &cursors[1]),
    ] {
        let page = list.page(&app, json!({"first": 1, "after": cursor})).await;
        assert!(page.has_previous && page.ids.len() == 1, "{list:?}");
    }
}

#[tokio::test]
async fn ids() {
    let app = TestApp::new().await;
    let good = [
        ("projectId", project_id(ID), "Project"),
        ("strainId", strain_id(ID), "Strain"),
        ("speciesId", species_id(ID), "Species"),
        ("datasetId", dataset_id(COMPANY_ID, DATASET_IDS[0]), "Dataset"),
    ];
    for (field, id, _) in &good {
        for bad in ["", "x", "🐭", ID, &id[..id.len() - 1], &format!("{id}="), "a\u{0}b", &"A".repeat(100_000)] {
            refused(&app, &List::filtered(json!({*field: [bad]})), json!({}), &[field, "expected"]).await;
            refused(&app, &List::filtered(json!({*field: [id, bad]})), json!({}), &[field, "expected"]).await;
        }
        for (other, foreign, name) in &good {
            if other != field {
                let expected = good.iter().find(|(one, ..)| one == field).unwrap().2;
                let list = List::filtered(json!({*field: [foreign]}));
                refused(&app, &list, json!({}), &[field, name, expected, "expected"]).await;
            }
        }
    }
}

#[tokio::test]
async fn dates() {
    let app = TestApp::new().await;
    for bad in ["2023-02-30", "29.02.2024", "", "soon", "2024-02-29T00:00:00Z", "20240229", "10000-01-01"] {
        for end in ["from", "to"] {
            let list = List::filtered(json!({"birthDate": {end: bad}}));
            refused(&app, &list, json!({}), &["birthDate", end, "YYYY-MM-DD"]).await;
        }
    }
    let list = List::filtered(json!({"birthDate": {"from": "2024-03-01", "to": "2024-02-29"}}));
    refused(&app, &list, json!({}), &["birthDate", "from", "to"]).await;
}

#[tokio::test]
async fn long_texts_many_values_and_odd_characters() {
    let app = TestApp::new().await;
    let long = "é".repeat(513);
    for how in ["eq", "contains", "startsWith"] {
        let list = List::filtered(json!({"name": {how: long}}));
        refused(&app, &list, json!({}), &["name", how, "512"]).await;
        let list = List::filtered(json!({"name": {how: "a\u{0}b"}}));
        refused(&app, &list, json!({}), &["name", how]).await;
    }
    refused(&app, &List::filtered(json!({"name": {"in": ["a", long]}})), json!({}), &["name", "in", "512"]).await;
    refused(&app, &List::filtered(json!({"name": {"in": ["a", "\u{0}"]}})), json!({}), &["name", "in"]).await;
    refused(&app, &List::filtered(json!({"search": "é".repeat(201)})), json!({}), &["search", "200"]).await;
    refused(&app, &List::filtered(json!({"search": "a\u{0}"})), json!({}), &["search"]).await;
    refused(&app, &List::filtered(json!({"tag": ["x", "a\u{0}"]})), json!({}), &["tag"]).await;
    let many = |value: &str| json!(vec![value; 51]);
    for (field, value) in [
        ("projectId", project_id(ID)),
        ("strainId", strain_id(ID)),
        ("speciesId", species_id(ID)),
        ("datasetId", dataset_id(COMPANY_ID, DATASET_IDS[0])),
        ("tag", "x".to_owned()),
    ] {
        refused(&app, &List::filtered(json!({field: many(&value)})), json!({}), &[field, "50"]).await;
    }
    refused(&app, &List::filtered(json!({"name": {"in": many("a")}})), json!({}), &["name", "in", "50"]).await;
    // As long and as many as they may be: counted in characters.
    for filter in [
        json!({"name": {"eq": "é".repeat(512)}}),
        json!({"name": {"contains": "🐭".repeat(512)}}),
        json!({"search": "é".repeat(200)}),
        json!({"name": {"in": vec!["x"; 50]}}),
    ] {
        assert!(List::filtered(filter).page(&app, json!({"first": 5})).await.ids.is_empty());
    }
}

/// What the schema itself refuses.
#[tokio::test]
async fn values_of_the_wrong_type() {
    let app = TestApp::new().await;
    for argument in [
        "filter: {sex: [CATS]}",
        "filter: {sex: [null]}",
        "filter: {name: \"a\"}",
        "filter: {name: {regex: \"a\"}}",
        "filter: {hasProcedures: \"yes\"}",
        "filter: {search: 5}",
        "orderBy: {field: SEX}",
        "orderBy: {direction: DESC}",
        "orderBy: NAME",
        "orderBy: {field: NAME, direction: null}",
        "last: \"5\"",
    ] {
        let answer = app.query(&format!("{{ subjects({argument}) {{ totalCount }} }}")).await;
        assert!(answer.0["data"].is_null(), "{argument}: {:#}", answer.0);
        assert_eq!(answer.errors()[0]["extensions"]["code"], "BAD_USER_INPUT", "{argument}: {:#}", answer.0);
    }
    assert!(app.haut_ai().take_log().is_empty() && app.brainstem().take_log().is_empty());
}
