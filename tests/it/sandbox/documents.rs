//! The answers to the documents' requests are the documents' JSON; ids and times that a server makes up excepted.

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Options, Records, Sandbox, Totals};

use super::util::{Caller, start, start_legacy};

const ZERO: &str = "00000000-0000-0000-0000-000000000000";

fn seed(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/seeds/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The record with fields that the server made up as the document prints them.
fn printed_as(mut record: Value, document: &Value, made_up: &[&str]) -> Value {
    for field in made_up {
        assert_eq!(record[field].is_string(), document[field].is_string(), "{field}");
        record[field] = document[field].clone();
    }
    record
}

/// Today's page has one id for everything: strain, project and supplier of that id must be there.
async fn current() -> Sandbox {
    let options = Options { records: Records::Empty, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    for model in ["projects", "strains", "suppliers"] {
        sandbox.brainstem().insert(model, json!({ "id": ZERO, "name": "zero" }));
    }
    sandbox
}

#[tokio::test]
async fn brainstem_lists() {
    let sandbox = current().await;
    let document = seed("brainstem/list_response");
    for subject in document["subjects"].as_array().unwrap() {
        sandbox.brainstem().insert("subjects", subject.clone());
    }
    sandbox.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    let answer = Caller::brainstem(&sandbox).get("/api/private/stem/subject/").await;
    assert_eq!((answer.status, answer.body), (200, document));
}

#[tokio::test]
async fn brainstem_creates() {
    let sandbox = current().await;
    let request = seed("brainstem/create_request");
    let answer = Caller::brainstem(&sandbox).post("/api/private/stem/subject/", &request).await;
    let document = seed("brainstem/create_response");
    let subject = printed_as(answer.body["subject"].clone(), &document["subject"], &["id"]);
    assert_eq!((answer.status, json!({ "subject": subject })), (201, document));
}

#[tokio::test]
async fn brainstem_shows_and_changes_and_deletes_one() {
    let sandbox = current().await;
    let caller = Caller::brainstem(&sandbox);
    let path = format!("/api/private/stem/subject/{ZERO}/");

    let document = seed("brainstem/detail_response");
    sandbox.brainstem().insert("subjects", document["subject"].clone());
    let answer = caller.get(&path).await;
    assert_eq!((answer.status, answer.body), (200, document));
    let answer = caller.delete(&path).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));

    let created = seed("brainstem/create_response");
    sandbox.brainstem().insert("subjects", created["subject"].clone());
    let answer = caller.patch(&path, &seed("brainstem/change_request")).await;
    assert_eq!((answer.status, answer.body), (200, seed("brainstem/change_response")));
}

#[tokio::test]
async fn brainstem_takes_the_extra_fields_of_the_page() {
    let sandbox = start().await;
    let path = "/api/private/stem/subject/0cdaf69d-63cf-429f-b549-fc0cc163d046/";
    let body = json!({ "extra_fields": seed("brainstem/extra_fields") });
    let answer = Caller::brainstem(&sandbox).patch(path, &body).await;
    assert_eq!((answer.status, &answer.body["subject"]["extra_fields"]), (200, &body["extra_fields"]));
}

#[tokio::test]
async fn legacy_brainstem_holds_the_records_of_its_page() {
    let sandbox = start_legacy().await;
    sandbox.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    let caller = Caller::legacy(&sandbox);
    for portal in ["private", "super"] {
        let answer = caller.get(&format!("/api/{portal}/stem/subject/?per_page=2")).await;
        assert_eq!((answer.status, answer.body), (200, seed("brainstem_legacy/list_response")));
    }
    let path = "/api/private/stem/subject/b4ae1f92-5260-4605-8d21-25ac5c3fce91/";
    let answer = caller.get(path).await;
    assert_eq!((answer.status, answer.body), (200, seed("brainstem_legacy/detail_response")));

    // The page shows the change of a subject whose extra fields are null.
    assert_eq!(caller.patch(path, &json!({ "extra_fields": null })).await.status, 200);
    let answer = caller.patch(path, &seed("brainstem_legacy/change_request")).await;
    assert_eq!((answer.status, answer.body), (200, seed("brainstem_legacy/change_response")));

    // Its name is taken until it is gone.
    let request = seed("brainstem_legacy/create_request");
    assert_eq!(caller.post("/api/private/stem/subject/", &request).await.status, 400);
    assert_eq!(caller.delete(path).await.status, 204);
    let answer = caller.post("/api/private/stem/subject/", &request).await;
    let document = seed("brainstem_legacy/create_response");
    let subject = printed_as(answer.body["subject"].clone(), &document["subject"], &["id"]);
    assert_eq!((answer.status, json!({ "subject": subject })), (201, document));
}

#[tokio::test]
async fn haut_ai_answers_as_its_page_prints() {
    let sandbox = start().await;
    let caller = Caller::haut_ai(&sandbox);
    let list = format!("/api/v1/companies/{COMPANY_ID}/datasets/{}/subjects/", DATASET_IDS[1]);
    let one = format!("{list}123e4567-e89b-12d3-a456-426614174000/");

    let answer = caller.get(&format!("{list}?page_size=1")).await;
    let document = seed("haut_ai/list_response");
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(answer.status, 200);
    assert_eq!(names(&answer.body), names(&document));
    assert_eq!(answer.body["results"], document["results"]);

    // The page prints a sex although its request sends none.
    let mut request = seed("haut_ai/create_request");
    let mut document = seed("haut_ai/create_response");
    let sex = document["biological_sex"]["id"].clone();
    let made_up = ["id", "creation_time"];
    let answer = caller.post(&list, &request).await;
    assert_eq!((answer.status, &answer.body["biological_sex"]), (201, &Value::Null));
    request["biological_sex"] = sex;
    let answer = caller.post(&list, &request).await;
    let created = printed_as(answer.body, &document, &made_up);
    assert_eq!((answer.status, created), (201, document));

    request = seed("haut_ai/update_request");
    document = seed("haut_ai/update_response");
    request["biological_sex"] = document["biological_sex"]["id"].clone();
    let answer = caller.patch(&one, &request).await;
    assert_eq!((answer.status, answer.body), (200, document));

    for (clearing, document) in [("storage", "storage_response"), ("metadata", "metadata_response")] {
        let answer = caller.delete(&format!("{one}{clearing}/")).await;
        assert_eq!((answer.status, names(&answer.body)), (200, names(&seed(&format!("haut_ai/{document}")))));
        assert!(answer.body["status"].is_string());
    }

    let answer = caller.delete(&format!("{list}delete/?subjects_ids={}", DATASET_IDS[1])).await;
    assert_eq!((answer.status, answer.body), (200, seed("haut_ai/delete_many_response")));
    assert_eq!(caller.delete(&one).await.status, 404);
}
