//! Records that come, go and change between pages: every walk ends and none errs.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Collation, DATASET_IDS, Upstream};

use super::{
    ask::List,
    data::{Dice, add_dataset, animal, fill, person},
};
use crate::util::TestApp;

const NAMES: &[&str] = &["a", "Zoë", "🐭", "émile", "m", "zz", "0", "Ω"];

/// Inserts, removes, renames or ages a random record of either source.
fn disturb(app: &TestApp, dice: &mut Dice, number: usize) {
    let (upstream, is_person) = if dice.once_in(2) { (app.haut_ai(), true) } else { (app.brainstem(), false) };
    let name = format!("{}{number}", dice.pick(NAMES));
    match dice.below(4) {
        0 if is_person => upstream.insert("subjects", person(&dice.uuid(), DATASET_IDS[dice.below(2)], &name)),
        0 => upstream.insert("subjects", animal(&dice.uuid(), &name)),
        1 => _ = some_id(upstream, dice).map(|id| upstream.remove("subjects", &id)),
        2 => _ = some_id(upstream, dice).map(|id| upstream.change("subjects", &id, |one| one["name"] = json!(name))),
        _ => {
            let date = dice.pick(&[json!(null), json!("1900-01-01"), json!("2020-02-29"), json!("9999-12-31")]).clone();
            _ = some_id(upstream, dice).map(|id| upstream.change("subjects", &id, |one| one["birth_date"] = date));
        }
    }
}

fn some_id(upstream: &Upstream, dice: &mut Dice) -> Option<String> {
    let records = upstream.records("subjects");
    let at = (!records.is_empty()).then(|| dice.below(records.len()))?;
    records[at]["id"].as_str().map(str::to_owned)
}

async fn walk(app: &TestApp, list: &List, size: usize, back: bool, dice: &mut Dice) {
    let mut cursor = Value::Null;
    for page in 0..400 {
        let paging =
            if back { json!({"last": size, "before": cursor}) } else { json!({"first": size, "after": cursor}) };
        let read = list.page(app, paging).await;
        let (goes_on, next) = if back { (read.has_previous, read.start) } else { (read.has_next, read.end) };
        if !goes_on {
            return;
        }
        assert!(next.is_string(), "{list:?} {back}: page {page} goes on from nowhere");
        assert!(!read.ids.is_empty() || next != cursor, "{list:?} {back}: page {page} goes on from where it was");
        cursor = next;
        // Later the records rest, so that there is an end.
        for _ in 0..if page < 40 { dice.below(4) } else { 0 } {
            disturb(app, dice, page);
        }
    }
    panic!("{list:?} {back} does not end");
}

async fn walks(seed: u64, filter: Value) {
    let mut dice = Dice::new(seed);
    for order in [None, Some("NAME"), Some("BIRTH_DATE"), Some("CREATED_AT")] {
        for (direction, back) in [("ASC", false), ("DESC", false), ("ASC", true), ("DESC", true)] {
            let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").build().await;
            let knobs = (*dice.pick(&[Collation::CodePoint, Collation::Reversed]), dice.once_in(2));
            app.brainstem().set_knobs(|set| (set.collation, set.nulls_first) = knobs);
            fill(&app, &mut dice, false);
            let order = order.map_or(Value::Null, |field| json!({"field": field, "direction": direction}));
            let list = List { filter: filter.clone(), order };
            let size = 1 + dice.below(4);
            walk(&app, &list, size, back, &mut dice).await;
        }
    }
}

#[tokio::test]
async fn a_list_of_everything() {
    walks(1, Value::Null).await;
}

#[tokio::test]
async fn a_list_that_is_filtered_here() {
    walks(2, json!({"name": {"contains": "z"}})).await;
}

#[tokio::test]
async fn a_list_that_is_filtered_there() {
    walks(3, json!({"sex": ["UNKNOWN", "FEMALE"], "birthDate": {"from": "1950-01-01"}})).await;
}

/// Everything that a walk was about to read goes away, or all of a source.
#[tokio::test]
async fn a_list_that_empties() {
    for order in [Value::Null, json!({"field": "NAME"}), json!({"field": "BIRTH_DATE"}), json!({"field": "CREATED_AT"})]
    {
        for (gone, back) in [(0, false), (1, false), (2, false), (0, true), (1, true), (2, true)] {
            let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").build().await;
            add_dataset(&app);
            super::data::add_people(&app, 30);
            super::data::add_animals(&app, 30);
            let list = List { filter: Value::Null, order: order.clone() };
            let size = if back { "last" } else { "first" };
            let page = list.page(&app, json!({size: 10})).await;
            for (at, upstream) in [app.haut_ai(), app.brainstem()].into_iter().enumerate() {
                for record in upstream.records("subjects") {
                    if gone == 2 || gone == at {
                        upstream.remove("subjects", record["id"].as_str().unwrap());
                    }
                }
            }
            let (from, cursor) = if back { ("before", page.start) } else { ("after", page.end) };
            let mut cursor = cursor;
            let mut pages = 0;
            loop {
                let page = list.page(&app, json!({size: 10, from: cursor})).await;
                let (goes_on, next) = if back { (page.has_previous, page.start) } else { (page.has_next, page.end) };
                pages += 1;
                assert!(pages < 10, "{order} {gone} {back} does not end");
                if !goes_on {
                    break;
                }
                cursor = next;
            }
        }
    }
}
