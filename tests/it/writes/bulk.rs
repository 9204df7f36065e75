//! Many deletions at once.

use std::collections::HashSet;

use serde_json::{Value, json};
use subject_gateway::sandbox::{
    COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, Fault, FaultKind, LoggedRequest,
};

use super::{ANIMAL, animal_id, asked, dataset_id, person_id, project_id, writes};
use crate::{
    util::{Answer, TestApp},
    walk::{animals, people},
};

async fn delete(app: &TestApp, ids: &[String]) -> Answer {
    let query = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { id deleted code } \
        userErrors { code message field } } }";
    app.query_with(query, json!({"ids": ids})).await
}

fn source_ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// People of the first two datasets as global ids, and animals.
fn ids(app: &TestApp, first: usize, second: usize, of_animals: usize) -> [Vec<String>; 3] {
    let people = people(app.haut_ai());
    let in_dataset = |dataset: &str, count| -> Vec<String> {
        let own: Vec<_> = people.iter().filter(|person| person["dataset"]["id"] == dataset).cloned().collect();
        source_ids(&own[..count]).iter().map(|id| person_id(dataset, id)).collect()
    };
    let animals = source_ids(&animals(app.brainstem())[..of_animals]).iter().map(|id| animal_id(id)).collect();
    [in_dataset(DATASET_IDS[0], first), in_dataset(DATASET_IDS[1], second), animals]
}

fn ids_in(request: &LoggedRequest) -> usize {
    url::form_urlencoded::parse(request.query.as_bytes()).filter(|(name, _)| name == "subjects_ids").count()
}

#[tokio::test]
async fn many_of_both_sources_in_as_few_requests_as_there_can_be() {
    let app = TestApp::new().await;
    let [first, second, animals] = ids(&app, 120, 10, 12);
    let kept: HashSet<_> = source_ids(&app.haut_ai().records("subjects")).into_iter().collect();
    let gone = animal_id(COMPANY_ID);
    let gone_person = person_id(DATASET_IDS[0], DATASET_IDS[2]);
    let foreign = person_id(FOREIGN_DATASET_ID, DATASET_IDS[2]);
    let mut all: Vec<String> = Vec::new();
    // Mixed, so that the order of the results is not that of the requests.
    for at in 0..120 {
        all.push(first[119 - at].clone());
        all.extend(second.get(at).cloned());
        all.extend(animals.get(at).cloned());
    }
    let at = all.len();
    all.extend([
        gone,
        "SECRET".to_owned(),
        gone_person,
        project_id(ANIMAL),
        foreign,
        first[0].clone(),
        animals[0].clone(),
    ]);
    app.clear_logs();
    let answer = delete(&app, &all).await;
    let payload = &answer.data()["subjectsDelete"];
    let results = payload["results"].as_array().unwrap();
    let got: Vec<_> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert_eq!(got, all);
    let codes: Vec<_> = results[at..].iter().map(|result| result["code"].clone()).collect();
    let expected = [json!("NOT_FOUND"), json!("INVALID"), json!("NOT_FOUND"), json!("INVALID"), json!("NOT_FOUND")];
    assert_eq!((&codes[..5], &codes[5..]), (&expected[..], &[Value::Null, Value::Null][..]));
    let is_deleted = |result: &Value| result["deleted"] == true && result["code"].is_null();
    assert!(results[..at].iter().all(is_deleted) && results[at + 5..].iter().all(is_deleted));
    let errors = payload["userErrors"].as_array().unwrap();
    let errors: Vec<_> = errors.iter().map(|error| (error["code"].clone(), error["field"].clone())).collect();
    let expected: Vec<_> =
        expected.into_iter().zip(at..).map(|(code, at)| (code, json!(["ids", at.to_string()]))).collect();
    assert_eq!(errors, expected);

    let log = app.haut_ai().take_log();
    let path = |dataset| format!("/api/v1/companies/{COMPANY_ID}/datasets/{dataset}/subjects/delete/");
    let mut sent: Vec<_> = log.iter().map(|request| (request.path.clone(), ids_in(request))).collect();
    sent.sort();
    let mut expected = vec![
        (path(DATASET_IDS[0]), 50),
        (path(DATASET_IDS[0]), 50),
        (path(DATASET_IDS[0]), 21),
        (path(DATASET_IDS[1]), 10),
    ];
    // The foreign dataset is asked of the company, whose every dataset is served here.
    expected.push((path(FOREIGN_DATASET_ID), 1));
    expected.sort();
    assert_eq!(sent, expected);
    assert!(log.iter().all(|request| request.method == "DELETE" && request.body.is_empty()));
    let log = app.brainstem().take_log();
    let paths: HashSet<_> = writes(&log).iter().map(|request| request.path.clone()).collect();
    assert_eq!((log.len(), paths.len()), (13, 13));
    assert!(log.iter().all(|request| request.body.is_empty() && request.query.is_empty()));

    let left: HashSet<_> = source_ids(&app.haut_ai().records("subjects")).into_iter().collect();
    assert_eq!((kept.len() - left.len(), app.brainstem().records("subjects").len()), (130, 288));
}

#[tokio::test]
async fn nothing_to_delete_asks_nothing() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).build().await;
    let [first, ..] = ids(&app, 3, 0, 0);
    app.clear_logs();
    let answer = delete(&app, &[]).await;
    assert_eq!(answer.data()["subjectsDelete"], json!({"results": [], "userErrors": []}));
    let foreign = dataset_id(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID);
    let mut given = first;
    given.push(foreign);
    let answer = delete(&app, &given).await;
    let results = answer.data()["subjectsDelete"]["results"].as_array().unwrap().clone();
    let codes: Vec<_> = results.iter().map(|result| result["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "INVALID"]);
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn a_request_that_fails_is_told_by_its_subjects_and_by_one_error() {
    let app = TestApp::new().await;
    let [first, second, animals] = ids(&app, 3, 2, 2);
    app.haut_ai().set_knobs(|knobs| {
        knobs.faults = vec![
            Fault::new(FaultKind::Reset).on_path(DATASET_IDS[0]),
            Fault::new(FaultKind::Status(429, "{}".to_owned(), Vec::new())).on_path(DATASET_IDS[1]),
        ];
    });
    let broken = animals[1].clone();
    let path = source_ids(&crate::walk::animals(app.brainstem()))[1].clone();
    app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Html(500)).on_path(&path)));
    let all: Vec<_> = [first, second, animals].concat();
    app.clear_logs();
    let answer = delete(&app, &all).await;
    let payload = &answer.0["data"]["subjectsDelete"];
    let unknown = "WRITE_OUTCOME_UNKNOWN";
    let codes: Vec<_> = payload["results"].as_array().unwrap().iter().map(|result| result["code"].clone()).collect();
    let limited = "RATE_LIMITED";
    assert_eq!(json!(codes), json!([unknown, unknown, unknown, limited, limited, null, unknown]));
    assert_eq!(payload["results"][6]["id"], broken);
    assert_eq!(payload["userErrors"], json!([]));
    let mut errors = answer.codes();
    errors.sort_by(|a, b| a.0.cmp(&b.0));
    let at = |code: &str| (code.to_owned(), json!(["subjectsDelete"]));
    assert_eq!(errors, [at(limited), at(unknown), at(unknown)]);
    assert_eq!(asked(&app), 4, "none is sent twice");
}

#[tokio::test]
async fn an_answer_that_does_not_say_what_it_deleted_leaves_it_unknown() {
    let app = TestApp::new().await;
    let [first, ..] = ids(&app, 2, 0, 0);
    let fault = Fault::new(FaultKind::Status(200, "{}".to_owned(), Vec::new())).on_path("/delete/");
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
    let answer = delete(&app, &first).await;
    let codes = answer.codes();
    assert_eq!(codes, [("WRITE_OUTCOME_UNKNOWN".to_owned(), json!(["subjectsDelete"]))]);
    assert_eq!(answer.0["data"]["subjectsDelete"]["results"][1]["code"], "WRITE_OUTCOME_UNKNOWN");
}

#[tokio::test]
async fn at_most_eight_at_once() {
    let app = TestApp::new().await;
    let [.., animals] = ids(&app, 0, 0, 20);
    app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Hang)));
    app.clear_logs();
    let mut deleting = Box::pin(delete(&app, &animals));
    // The ninth would come at once if it came at all: no request ends.
    while app.brainstem().log().len() < 8 {
        assert!(futures::poll!(&mut deleting).is_pending());
        tokio::task::yield_now().await;
    }
    for _ in 0..200 {
        assert!(futures::poll!(&mut deleting).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(app.brainstem().log().len(), 8);
}

#[tokio::test]
async fn one_error_of_a_kind_stands_for_all() {
    let app = TestApp::builder().set("LIMITS_DEADLINE_MS", "700").build().await;
    let [.., animals] = ids(&app, 0, 0, 20);
    app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Hang)));
    let answer = delete(&app, &animals).await;
    let results = answer.0["data"]["subjectsDelete"]["results"].as_array().unwrap();
    let count = |code: &str| results.iter().filter(|result| result["code"] == code).count();
    assert_eq!((count("WRITE_OUTCOME_UNKNOWN"), count("DEADLINE_EXCEEDED")), (8, 12));
    let late = answer.codes().into_iter().filter(|(code, _)| code == "DEADLINE_EXCEEDED").count();
    assert_eq!((late, answer.errors().len()), (1, 2));
}
