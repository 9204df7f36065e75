//! What is remembered beside the caches, by who was shown it.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Dictionary, Fault, FaultKind};

use super::{ALL, FEW, Tenant, query};
use crate::util::TestApp;

const ANIMALS: &str = "{ subjects(first: 40, filter: {sources: [BRAINSTEM]}) { nodes { projects { name } } } }";
const PEOPLE: &str = "{ subjects(first: 40, filter: {sources: [HAUT_AI]}) { nodes { id biologicalSex { name } } } }";

/// Of each page of a list that was asked for, whether with an `include[]`, and for how many records.
async fn asked(app: &TestApp, tenant: Tenant, text: &str) -> Vec<(bool, String)> {
    app.clear_logs();
    let answer = query(&app.app, tenant, text).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    let mut log = [app.haut_ai().log(), app.brainstem().log()].concat();
    // Batches have as many as they ask for by id.
    log.retain(|asked| !asked.query.contains("id.in"));
    let size = |query: &str| {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let size = pairs.iter().find(|(name, _)| name == "limit" || name == "page_size");
        size.map(|(_, size)| size.clone()).unwrap_or_default()
    };
    log.iter().map(|asked| (asked.query.contains("include"), size(&asked.query))).collect()
}

#[tokio::test]
async fn that_a_server_refuses_one_to_bring_records_along_does_not_keep_others_from_it() {
    let app = TestApp::builder().forward().set("CACHE_LISTS_FRESH_MS", "0").build().await;
    let refusal = Fault::new(FaultKind::Status(400, "{}".to_owned(), Vec::new())).on_query("include").times(1);
    app.brainstem().set_knobs(|knobs| knobs.faults.push(refusal));
    assert!(asked(&app, ALL, ANIMALS).await[0].0);
    assert!(!asked(&app, ALL, ANIMALS).await[0].0, "it is remembered");
    assert!(asked(&app, FEW, ANIMALS).await[0].0);
}

#[tokio::test]
async fn that_pages_are_cut_for_one_does_not_cut_those_of_others() {
    let app = TestApp::builder().forward().set("CACHE_LISTS_FRESH_MS", "0").build().await;
    for (upstream, text) in [(app.brainstem(), ANIMALS), (app.haut_ai(), PEOPLE)] {
        upstream.set_knobs(|knobs| knobs.page_cap = 10);
        asked(&app, ALL, text).await;
        upstream.set_knobs(|knobs| knobs.page_cap = 100);
        let sizes = |asked: Vec<(bool, String)>| asked.into_iter().map(|(_, size)| size).collect::<Vec<_>>();
        assert!(sizes(asked(&app, ALL, text).await).contains(&"10".to_owned()), "it is remembered");
        assert!(!sizes(asked(&app, FEW, text).await).contains(&"10".to_owned()));
    }
}

/// Where there is no dictionary, what people were seen to have has to do.
#[tokio::test]
async fn what_one_was_shown_of_people_teaches_nobody_else() {
    let app = TestApp::builder().forward().build().await;
    app.haut_ai().set_knobs(|knobs| knobs.dictionary = Dictionary::Missing);
    let sexes =
        async |tenant| query(&app.app, tenant, "{ biologicalSexes { name } }").await["data"]["biologicalSexes"].clone();
    query(&app.app, ALL, PEOPLE).await;
    assert_ne!(sexes(ALL).await, json!([]));
    assert_eq!(sexes(FEW).await, json!([]));
    query(&app.app, FEW, PEOPLE).await;
    assert_ne!(sexes(FEW).await, Value::Null);
    assert_ne!(sexes(FEW).await, json!([]));
}
