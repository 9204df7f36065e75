//! What is not to be written reaches no upstream.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{DatasetId, HautAiSubjectId, NodeId, SubjectId},
    sandbox::{COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID},
};

use super::{
    ANIMAL, a_person, animal_id, asked, by_id, create_answer, dataset_id, expected, new_animal, new_person, person_id,
    project_id, update_answer, user_errors, uuid,
};
use crate::util::{Answer, TestApp};

const BY_ID: [&str; 3] = ["subjectDelete", "subjectPhotosClear", "subjectMetadataClear"];

fn error_codes(answer: &Answer) -> Vec<String> {
    answer.codes().into_iter().map(|(code, _)| code).collect()
}

#[tokio::test]
async fn ids_that_are_none_of_a_subject_are_refused() {
    let app = TestApp::new().await;
    app.clear_logs();
    for id in ["", "SECRET", ANIMAL, &project_id(ANIMAL), &dataset_id(COMPANY_ID, DATASET_IDS[0])] {
        for mutation in BY_ID {
            assert_eq!(user_errors(&by_id(&app, mutation, id).await), expected(&[("INVALID", &["id"])]), "{id}");
        }
        for input in [json!({"brainStem": {"name": "x"}}), json!({"hautAi": {"name": "x"}})] {
            let answer = update_answer(&app, id, input).await;
            assert_eq!(user_errors(&answer), expected(&[("INVALID", &["id"])]), "{id}");
        }
    }
    let (person, _) = a_person(&app);
    let crossed = [
        (animal_id(ANIMAL), json!({"hautAi": {"name": "x"}})),
        (person, json!({"brainStem": {"name": "x"}})),
        (animal_id(ANIMAL), json!({"hautAi": {}})),
    ];
    for (id, input) in crossed {
        assert_eq!(user_errors(&update_answer(&app, &id, input).await), expected(&[("INVALID", &["id"])]));
    }
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn outside_of_the_configuration_nothing_is_there() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).build().await;
    let (_, inside_first) = a_person(&app);
    app.clear_logs();
    let foreign = |company, dataset| {
        let [company, dataset, subject] = [company, dataset, inside_first.as_str()].map(uuid);
        NodeId::from(SubjectId::HautAi(HautAiSubjectId { company, dataset, subject })).to_string()
    };
    for id in [
        person_id(DATASET_IDS[0], &inside_first),
        foreign(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID),
        foreign(FOREIGN_COMPANY_ID, DATASET_IDS[1]),
    ] {
        for mutation in BY_ID {
            assert_eq!(user_errors(&by_id(&app, mutation, &id).await), expected(&[("NOT_FOUND", &["id"])]));
        }
        for input in [json!({"hautAi": {"name": "x"}}), json!({"hautAi": {}}), json!({"hautAi": {"sex": "MALE"}})] {
            let answer = update_answer(&app, &id, input).await;
            assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["id"])]));
        }
        let bulk = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted code } } }";
        let answer = app.query_with(bulk, json!({"ids": [id]})).await;
        let expected = json!([{"deleted": false, "code": "NOT_FOUND"}]);
        assert_eq!(answer.data()["subjectsDelete"]["results"], expected);
    }
    for (company, dataset) in [(COMPANY_ID, DATASET_IDS[0]), (FOREIGN_COMPANY_ID, DATASET_IDS[1])] {
        let id = NodeId::Dataset(DatasetId { company: uuid(company), dataset: uuid(dataset) }).to_string();
        for given in [json!({"datasetId": id}), json!({"datasetId": id, "sex": "FEMALE"})] {
            let answer = create_answer(&app, new_person(&given)).await;
            assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["datasetId"])]));
        }
    }
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn a_source_that_is_not_configured_is_asked_nothing() {
    let app = TestApp::builder().without_haut_ai().build().await;
    let (person, _) = a_person(&app);
    let answer = create_answer(&app, new_person(&json!({}))).await;
    assert_eq!(user_errors(&answer), [("NOT_SUPPORTED".to_owned(), Value::Null)]);
    for mutation in BY_ID {
        assert_eq!(user_errors(&by_id(&app, mutation, &person).await), expected(&[("NOT_FOUND", &["id"])]));
    }
    let answer = update_answer(&app, &person, json!({"hautAi": {}})).await;
    assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["id"])]));
    assert_eq!(asked(&app), 0);

    let app = TestApp::builder().without_brainstem().build().await;
    let answer = create_answer(&app, new_animal(&json!({}))).await;
    assert_eq!(user_errors(&answer), [("NOT_SUPPORTED".to_owned(), Value::Null)]);
    let answer = by_id(&app, "subjectDelete", &animal_id(ANIMAL)).await;
    assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["id"])]));
    let answer = update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": {"name": "x"}})).await;
    assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["id"])]));
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn portals_other_than_the_private_one_take_no_writes() {
    let public = TestApp::builder().set("BRAINSTEM_PORTAL", "public").build().await;
    let super_ = super::legacy().set("BRAINSTEM_PORTAL", "super").build().await;
    for app in [public, super_] {
        let id = animal_id(ANIMAL);
        for answer in [
            create_answer(&app, new_animal(&json!({}))).await,
            create_answer(&app, new_animal(&json!({"name": ""}))).await,
            update_answer(&app, &id, json!({"brainStem": {"name": "x"}})).await,
            update_answer(&app, &id, json!({"brainStem": {}})).await,
            by_id(&app, "subjectDelete", &id).await,
        ] {
            assert_eq!(error_codes(&answer), ["FORBIDDEN"]);
            assert_eq!(answer.0["data"], json!({"written": null}));
            assert_eq!(answer.errors()[0]["extensions"]["source"], "BRAINSTEM");
        }
        let bulk =
            "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted code } userErrors { code } } }";
        let answer = app.query_with(bulk, json!({"ids": [id, id]})).await;
        let result = json!({"deleted": false, "code": "FORBIDDEN"});
        assert_eq!(answer.0["data"]["subjectsDelete"], json!({"results": [result, result], "userErrors": []}));
        assert_eq!(error_codes(&answer), ["FORBIDDEN"]);
        assert_eq!(asked(&app), 0);
    }
}

/// Where nobody vouches for the callers they may only read.
#[tokio::test]
async fn callers_from_anywhere_may_not_write() {
    let app = TestApp::builder().set("GATEWAY_AUTH_NONE_ANYWHERE", "true").build().await;
    let (animal, (person, _)) = (animal_id(ANIMAL), a_person(&app));
    for answer in [
        create_answer(&app, new_animal(&json!({}))).await,
        update_answer(&app, &animal, json!({"brainStem": {"name": "x"}})).await,
        by_id(&app, "subjectDelete", &animal).await,
        by_id(&app, "subjectPhotosClear", &person).await,
        by_id(&app, "subjectMetadataClear", &person).await,
        app.query_with(
            "mutation($ids: [ID!]!) { written: subjectsDelete(ids: $ids) { userErrors { code } } }",
            json!({"ids": [animal]}),
        )
        .await,
    ] {
        assert_eq!(error_codes(&answer), ["FORBIDDEN"]);
        assert_eq!(answer.0["data"], json!({"written": null}));
    }
    assert_eq!(asked(&app), 0);
    app.query("{ subjects(first: 1) { nodes { id } } }").await.data();
}
