//! Haut.AI: what is sent, what is stored, and what a query shows then.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{Id, NodeId},
    sandbox::{COMPANY_ID, DATASET_IDS, Dictionary, Fault, FaultKind},
};

use super::{
    a_person, by_id, create, create_answer, dataset_id, done, new_person, stored, update, update_answer, user_errors,
    uuid, writes,
};
use crate::util::TestApp;

const EVERYTHING: &str = "query($id: ID!) { node(id: $id) { ... on Subject { name sex biologicalSex { id } birthDate \
    metadata dataset { sourceId } } } }";

/// The dictionary's entry with a technical name: its own id and the global one.
fn sex(app: &TestApp, tech_name: &str) -> (Value, String) {
    let entries = app.haut_ai().records("biological_sexes");
    let entry = entries.iter().find(|entry| entry["tech_name"] == tech_name).unwrap();
    let id = NodeId::BiologicalSex(Id::new(uuid(entry["id"].as_str().unwrap())));
    (entry["id"].clone(), id.to_string())
}

#[tokio::test]
async fn a_subject_is_created_with_every_field() {
    let app = TestApp::new().await;
    let (female, female_id) = sex(&app, "female");
    for (given, name) in [(json!({"sex": "FEMALE"}), "one"), (json!({"biologicalSexId": female_id}), "two")] {
        let mut input = new_person(&json!({"name": name, "birthDate": "1990-02-28", "metadata": {"a": [1, null]}}));
        super::merge(&mut input["hautAi"], &given);
        app.query("{ biologicalSexes { id } }").await.data();
        app.clear_logs();
        let subject = create(&app, input).await;
        let log = app.haut_ai().take_log();
        let [request] = log.as_slice() else { panic!("{log:#?}") };
        let path = format!("/api/v1/companies/{COMPANY_ID}/datasets/{}/subjects/", DATASET_IDS[0]);
        assert_eq!((request.method.as_str(), &request.path), ("POST", &path));
        let sent: Value = serde_json::from_slice(&request.body).unwrap();
        let expected =
            json!({"name": name, "birth_date": "1990-02-28", "biological_sex": female, "meta": {"a": [1, null]}});
        assert_eq!(sent, expected);
        let record = stored(app.haut_ai(), "subjects", subject["sourceId"].as_str().unwrap());
        assert_eq!((&record["birth_date"], &record["biological_sex"]["id"]), (&json!("1990-02-28"), &female));
        let got = app.query_with(EVERYTHING, json!({"id": subject["id"]})).await;
        let expected = json!({"name": name, "sex": "FEMALE", "biologicalSex": {"id": female_id}, "birthDate": "1990-02-28",
            "metadata": {"a": [1, null]}, "dataset": {"sourceId": DATASET_IDS[0]}});
        assert_eq!(got.data()["node"], expected);
    }
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears() {
    let app = TestApp::new().await;
    let input = new_person(&json!({"sex": "MALE", "birthDate": "1990-02-28", "metadata": [1]}));
    let subject = create(&app, input).await;
    let (id, source_id) = (subject["id"].as_str().unwrap(), subject["sourceId"].as_str().unwrap());
    let mut record = stored(app.haut_ai(), "subjects", source_id);
    for (given, upstream, sent) in [
        (json!({"name": "Other"}), "name", json!("Other")),
        (json!({"metadata": null}), "meta", Value::Null),
        (json!({"birthDate": null}), "birth_date", Value::Null),
        (json!({"sex": null}), "biological_sex", Value::Null),
    ] {
        app.clear_logs();
        update(&app, id, json!({"hautAi": given})).await;
        let log = app.haut_ai().take_log();
        let written = writes(&log);
        assert_eq!((written.len(), written[0].method.as_str()), (1, "PATCH"));
        assert_eq!(serde_json::from_slice::<Value>(&written[0].body).unwrap(), json!({upstream: sent}));
        record[upstream] = sent;
        assert_eq!(stored(app.haut_ai(), "subjects", source_id), record);
    }
    let (female, female_id) = sex(&app, "female");
    update(&app, id, json!({"hautAi": {"biologicalSexId": female_id}})).await;
    assert_eq!(stored(app.haut_ai(), "subjects", source_id)["biological_sex"]["id"], female);
    update(&app, id, json!({"hautAi": {"biologicalSexId": null, "metadata": {"replaced": true}}})).await;
    let record = stored(app.haut_ai(), "subjects", source_id);
    assert_eq!((&record["biological_sex"], &record["meta"]), (&Value::Null, &json!({"replaced": true})));
    app.clear_logs();
    assert_eq!(update(&app, id, json!({"hautAi": {}})).await["sourceId"], source_id);
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 0);
}

#[tokio::test]
async fn a_sex_is_looked_up_where_it_can_be() {
    // Without a dictionary what records taught has to do, and there is none yet.
    let app = TestApp::builder().empty().build().await;
    app.haut_ai().set_knobs(|knobs| knobs.dictionary = Dictionary::Missing);
    let answer = create_answer(&app, new_person(&json!({"sex": "FEMALE"}))).await;
    assert_eq!(user_errors(&answer), [("NOT_SUPPORTED".to_owned(), json!(["sex"]))]);
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 0);
    // A look-up that fails is an error, and nothing was written.
    let app = TestApp::new().await;
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Html(503)).on_path("/dicts/")));
    let answer = create_answer(&app, new_person(&json!({"sex": "FEMALE"}))).await;
    assert_eq!(answer.codes(), [("UPSTREAM_UNAVAILABLE".to_owned(), json!(["written"]))]);
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 0);
}

#[tokio::test]
async fn what_haut_ai_refuses_of_a_sex_is_told_by_the_name_that_the_caller_used() {
    let unknown = NodeId::BiologicalSex(Id::new(uuid(super::PROJECT))).to_string();
    let app = TestApp::new().await;
    let answer = create_answer(&app, new_person(&json!({"biologicalSexId": unknown}))).await;
    assert_eq!(user_errors(&answer), [("NOT_FOUND".to_owned(), json!(["biologicalSexId"]))]);
    let body = json!({"biological_sex": ["Invalid pk \"SECRET\" - object does not exist."]}).to_string();
    let fault = Fault::new(FaultKind::Status(400, body, Vec::new())).on_method("POST");
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(fault));
    let answer = create_answer(&app, new_person(&json!({"sex": "FEMALE"}))).await;
    assert_eq!(user_errors(&answer), [("NOT_FOUND".to_owned(), json!(["sex"]))]);
    assert!(!answer.0.to_string().contains("SECRET"));
}

#[tokio::test]
async fn a_subject_is_deleted() {
    let app = TestApp::new().await;
    let (id, source_id) = a_person(&app);
    app.clear_logs();
    assert_eq!(done(&by_id(&app, "subjectDelete", &id).await)["deletedId"], json!(id));
    let log = app.haut_ai().take_log();
    let [request] = log.as_slice() else { panic!("{log:#?}") };
    assert!(request.method == "DELETE" && request.path.ends_with(&format!("/subjects/{source_id}/")));
    assert!(request.body.is_empty() && request.query.is_empty());
    assert_eq!(stored(app.haut_ai(), "subjects", &source_id), Value::Null);
    for mutation in ["subjectDelete", "subjectPhotosClear", "subjectMetadataClear"] {
        let again = by_id(&app, mutation, &id).await;
        assert_eq!(user_errors(&again), [("NOT_FOUND".to_owned(), json!(["id"]))], "{mutation}");
    }
    let changed = update_answer(&app, &id, json!({"hautAi": {"name": "x"}})).await;
    assert_eq!(user_errors(&changed), [("NOT_FOUND".to_owned(), json!(["id"]))]);
}

#[tokio::test]
async fn a_dataset_that_is_gone_upstream_is_the_datasets_error() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", COMPANY_ID.replace("123e", "aaaa")).build().await;
    let gone = dataset_id(COMPANY_ID, &COMPANY_ID.replace("123e", "aaaa"));
    let answer = create_answer(&app, new_person(&json!({"datasetId": gone}))).await;
    assert_eq!(user_errors(&answer), [("NOT_FOUND".to_owned(), json!(["datasetId"]))]);
}
