//! A token goes to its own upstream and nowhere else, whatever an answer says.

use axum::response::Response;
use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Fault, FaultKind};

use super::{ALL, query};
use crate::{
    transport::double::Double,
    util::TestApp,
    writes::{ANIMAL, animal_id, dataset_id},
};

/// Reads and writes of both sources.
fn operations() -> Vec<String> {
    let (animal, dataset) = (animal_id(ANIMAL), dataset_id(COMPANY_ID, DATASET_IDS[0]));
    vec![
        "{ subjects(first: 100) { totalCount nodes { id projects { id } } } }".to_owned(),
        "{ subjects(first: 100, orderBy: {field: NAME}) { nodes { id } } }".to_owned(),
        "{ datasets { id } biologicalSexes { id } procedures { nodes { id } } }".to_owned(),
        format!("{{ node(id: \"{animal}\") {{ id }} }}"),
        format!("mutation {{ subjectDelete(id: \"{animal}\") {{ deletedId }} }}"),
        format!(
            "mutation {{ subjectCreate(input: {{hautAi: {{datasetId: \"{dataset}\", name: \"n\"}}}}) {{ subject {{ id }} }} }}"
        ),
    ]
}

async fn asks_nobody_else(fault: impl Fn(&str) -> FaultKind) {
    let stranger = Double::serve(|_| Response::new("{}".into())).await;
    let app = TestApp::builder().forward().set("LIMITS_UPSTREAM_TRIES", "1").build().await;
    for upstream in [app.haut_ai(), app.brainstem()] {
        upstream.set_knobs(|knobs| knobs.faults = vec![Fault::new(fault(&stranger.url))]);
    }
    for operation in operations() {
        query(&app.app, ALL, &operation).await;
    }
    assert!(app.haut_ai().log().len() > 2 && app.brainstem().log().len() > 2);
    assert_eq!(stranger.requests(), Vec::<String>::new());
    let of_own = |log: &[subject_gateway::sandbox::LoggedRequest], token: &str| {
        log.iter().all(|asked| asked.authorization.as_ref().is_some_and(|shown| shown.ends_with(token)))
    };
    assert!(of_own(&app.haut_ai().log(), ALL.haut_ai.unwrap()));
    assert!(of_own(&app.brainstem().log(), ALL.brainstem.unwrap()));
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    for path in ["/", "/api/v1/companies/", "/api/private/stem/subject/"] {
        asks_nobody_else(|elsewhere| FaultKind::Redirect(format!("{elsewhere}{path}"))).await;
    }
}

#[tokio::test]
async fn links_to_further_pages_lead_nowhere() {
    let list = |elsewhere: &str| -> Value {
        let record = json!({"id": ANIMAL, "name": "n", "links": {"procedures": format!("{elsewhere}/links/")}});
        let next = format!("{elsewhere}/next/?page=2");
        json!({
            "count": 500, "next": next, "previous": next, "meta": {"next": next}, "links": {"next": next},
            "results": [record], "subjects": [record], "procedures": [record],
        })
    };
    asks_nobody_else(|elsewhere| {
        let links = vec![("link".to_owned(), format!("<{elsewhere}/>; rel=\"next\""))];
        FaultKind::Status(200, list(elsewhere).to_string(), links)
    })
    .await;
}
