//! How many records one page looks through: past the limit it ends short, and the walk still gives every match.

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Upstream};

use super::{
    ask::{List, ids},
    data::{add_animals, add_people},
    whole::Whole,
};
use crate::util::TestApp;

const LIMIT: usize = 100;
const SIZE: usize = 5;

async fn app() -> TestApp {
    let app = TestApp::builder().empty().set("LIMITS_MAX_SCAN", LIMIT.to_string()).build().await;
    add_people(&app, 350);
    add_animals(&app, 450);
    app
}

/// Changes every so many records.
fn mark(upstream: &Upstream, every: usize, change: impl Fn(&mut Value)) {
    for record in upstream.records("subjects").iter().skip(every / 2).step_by(every) {
        assert!(upstream.change("subjects", record["id"].as_str().unwrap(), &change));
    }
}

/// Walks to the end; what stands here has to be looked through.
async fn walk(app: &TestApp, list: &List, back: bool, looked_through: usize) {
    let expected = ids(&Whole::of(app).list(&list.filter, &list.order));
    let (mut seen, mut cursor, mut pages, mut short) = (Vec::new(), Value::Null, 0, 0);
    loop {
        let paging =
            if back { json!({"last": SIZE, "before": cursor}) } else { json!({"first": SIZE, "after": cursor}) };
        let page = list.page(app, paging).await;
        let (goes_on, next) = if back { (page.has_previous, page.start) } else { (page.has_next, page.end) };
        (pages, short) = (pages + 1, short + usize::from(goes_on && page.ids.len() < SIZE));
        if back {
            seen.splice(0..0, page.ids);
        } else {
            seen.extend(page.ids);
        }
        if !goes_on {
            break;
        }
        assert!(next.is_string() && next != cursor, "{list:?}: page {pages} goes on from where it was");
        assert!(pages < 100, "{list:?} does not end");
        cursor = next;
    }
    assert_eq!(seen, expected, "{list:?}");
    let (least, most) =
        (looked_through.div_ceil(LIMIT), looked_through.div_ceil(LIMIT) + expected.len().div_ceil(SIZE) + 3);
    assert!((least..=most).contains(&pages), "{list:?}: {pages} pages, not {least} to {most}");
    assert!(short > 0, "{list:?}: no page was short");
}

#[tokio::test]
async fn a_filter_that_is_applied_here_ends_a_page_at_the_limit() {
    let app = app().await;
    let female = app.haut_ai().records("biological_sexes")[0].clone();
    mark(app.haut_ai(), 170, |person| person["biological_sex"] = female.clone());
    mark(app.brainstem(), 210, |animal| animal["tags"] = json!(["rare"]));
    for back in [false, true] {
        let sources = json!({"sources": ["HAUT_AI"], "sex": ["FEMALE"]});
        walk(&app, &List::filtered(sources), back, 350).await;
        walk(&app, &List::filtered(json!({"tag": ["rare"]})), back, 450).await;
        for field in ["BIRTH_DATE", "CREATED_AT"] {
            let order = json!({"field": field, "direction": "DESC"});
            let list = List { filter: json!({"tag": ["rare"]}), order };
            let seen = list.all(&app, SIZE).await;
            assert_eq!(seen, ids(&Whole::of(&app).list(&list.filter, &list.order)), "{list:?}");
        }
        // Nothing at all is found in the end.
        walk(&app, &List::filtered(json!({"tag": ["none"]})), back, 450).await;
    }
}

#[tokio::test]
async fn both_sources_together_are_held_to_it() {
    let app = app().await;
    mark(app.haut_ai(), 130, |person| person["birth_date"] = json!("1999-01-01"));
    mark(app.brainstem(), 150, |animal| {
        (animal["birth_date"], animal["description"]) = (json!("1999-01-01"), json!("Calm"));
    });
    for back in [false, true] {
        walk(&app, &List::filtered(json!({"birthDate": {"to": "2000-01-01"}})), back, 350).await;
        // Haut.AI searches by itself and finds nothing.
        walk(&app, &List::filtered(json!({"search": "calm"})), back, 450).await;
    }
}

#[tokio::test]
async fn a_page_that_finds_enough_looks_no_further() {
    let app = app().await;
    let list = List::filtered(json!({"search": "a", "sources": ["BRAINSTEM"]}));
    let page = list.page(&app, json!({"first": SIZE})).await;
    assert_eq!((page.ids.len(), page.has_next), (SIZE, true));
    assert!(app.brainstem().take_log().len() <= 2);
    // What the upstream filters costs nothing here.
    let list = List::filtered(json!({"name": {"startsWith": "a44"}, "sources": ["BRAINSTEM"]}));
    let page = list.page(&app, json!({"first": 20})).await;
    assert_eq!((page.ids.len(), page.has_next), (10, false));
    assert_eq!(app.brainstem().take_log().len(), 1);
    let list = List::filtered(json!({"name": {"contains": "P34"}, "sources": ["HAUT_AI"]}));
    let page = list.page(&app, json!({"first": 20})).await;
    assert_eq!((page.ids.len(), page.has_next), (10, false), "{DATASET_IDS:?}");
}
