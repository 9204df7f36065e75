//! What a reviewer found.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use super::*;
use crate::util::TestApp;

#[tokio::test]
async fn a_field_that_is_selected_twice_is_written_once() {
    let app = TestApp::new().await;
    let before = app.haut_ai().records("subjects").len();
    let query = "mutation($i: SubjectCreateInput!) { subjectCreate(input: $i) { subject { id } } ...Errors } \
        fragment Errors on Mutation { subjectCreate(input: $i) { userErrors { code } } }";
    app.query_with(query, json!({"i": new_person(&json!({}))})).await.data();
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 1);
    assert_eq!(app.haut_ai().records("subjects").len(), before + 1);
}

#[tokio::test]
async fn a_value_that_does_not_fit_hides_no_write_before_it() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    let query = "mutation($id: ID!, $p: BrainStemSubjectInput) { a: subjectDelete(id: $id) { deletedId } \
        b: subjectUpdate(id: $id, input: {brainStem: $p}) { userErrors { code } } }";
    let answer = app.query_with(query, json!({"id": id})).await;
    let is_there = !stored(app.brainstem(), "subjects", ANIMAL).is_null();
    assert!(is_there || answer.0["data"]["a"]["deletedId"] == json!(id), "{}", answer.0);
}

#[tokio::test]
async fn unknown_is_no_word_that_the_gateway_does_not_know() {
    let app = TestApp::builder().empty().build().await;
    let entry = |id: u128, name: &str| json!({"id": Uuid::from_u128(id), "name": name, "tech_name": name});
    let body = json!([entry(1, "female"), entry(3, "nonbinary")]).to_string();
    let fault = Fault::new(FaultKind::Status(200, body, vec![])).on_path("/dicts/");
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
    create_answer(&app, new_person(&json!({"sex": "UNKNOWN"}))).await;
    let log = app.haut_ai().take_log();
    assert!(writes(&log).iter().all(|sent| !String::from_utf8_lossy(&sent.body).contains("000003")), "sent nonbinary");
}

#[tokio::test]
async fn a_list_of_what_was_deleted_that_cannot_be_read_is_unknown() {
    for deleted in [json!(null), json!(1), json!([{"id": PROJECT}])] {
        let app = TestApp::new().await;
        let (id, _) = a_person(&app);
        let body = json!({"deleted": deleted}).to_string();
        app.haut_ai()
            .set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Status(200, body, vec![])).on_method("DELETE")));
        let answer = app
            .query_with(
                "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { code } } }",
                json!({"ids": [id]}),
            )
            .await;
        assert_eq!(answer.0["data"]["subjectsDelete"]["results"][0]["code"], "WRITE_OUTCOME_UNKNOWN", "{deleted}");
    }
}

#[tokio::test]
async fn keys_of_a_refusal_are_no_words_of_ours() {
    let app = TestApp::new().await;
    let body = json!({"projects": {"SECRET bob@example.org": ["x"]}}).to_string();
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Status(400, body, vec![]))]);
    assert!(!create_answer(&app, new_animal(&json!({}))).await.0.to_string().contains("SECRET"));
}

#[tokio::test]
async fn a_supplier_of_old_has_100_characters() {
    let app = legacy().build().await;
    app.clear_logs();
    create_answer(&app, new_animal(&json!({"supplierText": "x".repeat(101)}))).await;
    assert_eq!(writes(&app.brainstem().take_log()).len(), 0);
}

#[tokio::test]
async fn a_conflict_is_no_failure_of_the_source() {
    let app = TestApp::new().await;
    app.brainstem().set_knobs(|knobs| {
        knobs.faults = vec![Fault::new(FaultKind::Status(409, "{}".into(), vec![])).on_method("PATCH")];
    });
    update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": {"description": "x"}})).await;
    let sources = app.query("{ sources { status } }").await;
    assert_eq!(sources.0["data"]["sources"][1]["status"], "AVAILABLE");
}

/// The same name twice is one field also for the errors that go with it.
#[tokio::test]
async fn a_bulk_deletion_that_is_selected_twice_is_one() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    let query = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted } } \
        subjectsDelete(ids: $ids) { results { code } } }";
    let answer = app.query_with(query, json!({"ids": [id]})).await;
    assert_eq!(answer.data()["subjectsDelete"]["results"], json!([{"deleted": true, "code": null}]));
    assert_eq!(writes(&app.brainstem().take_log()).len(), 1);
}

#[tokio::test]
async fn arguments_that_cannot_be_read_fail_their_own_field() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    for (declared, argument, value) in [
        ("$v: BrainStemSubjectInput", "id: $id, input: {brainStem: $v}", Value::Null),
        ("$v: SubjectUpdateInput!", "id: $id, input: $v", json!([])),
        ("$v: SubjectUpdateInput!", "id: $id, input: $v", json!("text")),
        ("$v: SubjectUpdateInput!", "id: $id, input: $v", json!({"brainStem": []})),
    ] {
        let query = format!(
            "mutation($id: ID!, {declared}) {{ a: subjectUpdate(id: $id, input: {{brainStem: {{description: \"new\"}}}}) \
             {{ subject {{ description }} }} b: subjectUpdate({argument}) {{ userErrors {{ code }} }} }}"
        );
        let answer = app.query_with(&query, json!({"id": id, "v": value})).await;
        let wrote = writes(&app.brainstem().take_log()).len();
        if answer.0["data"].is_null() {
            // Refused as a whole, before anything ran.
            assert_eq!(wrote, 0, "{value}: {}", answer.0);
        } else {
            assert_eq!(wrote, 1, "{value}");
            assert_eq!(answer.0["data"]["a"]["subject"]["description"], "new");
            assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["b"]))], "{value}");
        }
    }
}

/// A source that says stop is not asked for all the others.
#[tokio::test]
async fn a_bulk_deletion_stops_where_the_source_says_so() {
    let app = TestApp::new().await;
    let busy = Fault::new(FaultKind::Status(429, "{}".to_owned(), vec![("Retry-After".to_owned(), "7".to_owned())]));
    app.brainstem().set_knobs(|knobs| knobs.faults.push(busy.on_method("DELETE")));
    let animals = app.brainstem().records("subjects");
    let ids: Vec<String> = animals.iter().map(|animal| animal_id(animal["id"].as_str().unwrap())).collect();
    let (person, _) = a_person(&app);
    let ids: Vec<String> = ids.into_iter().chain([person]).collect();
    let query = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted code } } }";
    let answer = app.query_with(query, json!({"ids": ids})).await;
    let results = answer.0["data"]["subjectsDelete"]["results"].as_array().unwrap();
    let (person, refused) = results.split_last().unwrap();
    assert_eq!(person["deleted"], true);
    assert!(refused.iter().all(|result| result["code"] == "RATE_LIMITED"), "{results:?}");
    assert_eq!(answer.errors().len(), 1, "{:#?}", answer.errors());
    assert_eq!(answer.errors()[0]["extensions"]["retryAfter"], 7);
    let asked = writes(&app.brainstem().take_log()).len();
    assert!(asked <= 8, "{asked} requests");
}

/// Django refuses a deletion that would take protected records with it.
#[tokio::test]
async fn a_deletion_that_the_source_refuses_is_a_user_error() {
    let app = TestApp::new().await;
    let body = json!({"detail": "Cannot delete SECRET because of protected foreign keys."}).to_string();
    let refusal = Fault::new(FaultKind::Status(400, body, vec![])).on_method("DELETE");
    app.brainstem().set_knobs(|knobs| knobs.faults.push(refusal));
    let query = "mutation($id: ID!) { subjectDelete(id: $id) { deletedId userErrors { code } } }";
    let answer = app.query_with(query, json!({"id": animal_id(ANIMAL)})).await;
    assert_eq!(answer.data()["subjectDelete"], json!({"deletedId": null, "userErrors": [{"code": "INVALID"}]}));
}
