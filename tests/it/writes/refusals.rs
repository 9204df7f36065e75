//! What an upstream refuses is told by the input's own names, in the gateway's own words.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use super::{
    ANIMAL, PROJECT, a_person, animal_id, create_answer, expected, legacy, new_animal, new_person, strain_id,
    update_answer, user_errors,
};
use crate::util::TestApp;

fn refusal(body: &Value) -> Fault {
    Fault::new(FaultKind::Status(400, body.to_string(), Vec::new()))
}

/// A body, and the codes and fields that it comes to.
type Case<'a> = (Value, &'a [(&'a str, &'a [&'a str])]);

/// The fields of an answer and those of the input that they stand for.
const OF_ANIMALS: &[(&str, &str)] = &[
    ("name", "name"),
    ("description", "description"),
    ("projects", "projectIds"),
    ("strain", "strainId"),
    ("sex", "sex"),
    ("birth_date", "birthDate"),
    ("death_date", "deathDate"),
    ("genetic_line", "geneticLine"),
    ("subject_identifier", "identifier"),
    ("tags", "tags"),
    ("extra_fields", "metadata"),
];
const OF_TODAY: &[(&str, &str)] = &[
    ("licenses", "licenseIds"),
    ("genotype", "genotype"),
    ("supplier", "supplierId"),
    ("breeding", "breedingId"),
    ("status", "status"),
    ("name_used_in_storage", "nameUsedInStorage"),
];
const OF_OLD: &[(&str, &str)] = &[("name_used_in_repository", "nameUsedInStorage"), ("source", "supplierText")];

#[tokio::test]
async fn every_field_goes_by_its_own_name() {
    for (app, fields, foreign) in
        [(TestApp::new().await, OF_TODAY, OF_OLD), (legacy().build().await, OF_OLD, &OF_TODAY[..5])]
    {
        for (upstream, field) in OF_ANIMALS.iter().chain(fields) {
            let body = json!({*upstream: ["Odd: SECRET"]});
            app.brainstem().set_knobs(|knobs| knobs.faults = vec![refusal(&body)]);
            for answer in [
                create_answer(&app, new_animal(&json!({}))).await,
                update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": {"description": "x"}})).await,
            ] {
                assert_eq!(user_errors(&answer), expected(&[("INVALID", &[field])]));
                assert!(!answer.0.to_string().contains("SECRET"));
            }
        }
        for (upstream, _) in foreign {
            app.brainstem().set_knobs(|knobs| knobs.faults = vec![refusal(&json!({*upstream: ["SECRET"]}))]);
            let answer = create_answer(&app, new_animal(&json!({}))).await;
            assert_eq!(user_errors(&answer), [("INVALID".to_owned(), Value::Null)]);
        }
    }
    let app = TestApp::new().await;
    let (id, _) = a_person(&app);
    for (upstream, field) in
        [("name", "name"), ("birth_date", "birthDate"), ("biological_sex", "biologicalSexId"), ("meta", "metadata")]
    {
        app.haut_ai()
            .set_knobs(|knobs| knobs.faults = vec![refusal(&json!({upstream: ["SECRET"]})).on_path("/subjects/")]);
        let answer = create_answer(&app, new_person(&json!({}))).await;
        assert_eq!(user_errors(&answer), expected(&[("INVALID", &[field])]));
        let answer = update_answer(&app, &id, json!({"hautAi": {"name": "x"}})).await;
        assert_eq!(user_errors(&answer), expected(&[("INVALID", &[field])]));
        assert!(!answer.0.to_string().contains("SECRET"));
    }
}

#[tokio::test]
async fn every_shape_is_read() {
    let app = TestApp::new().await;
    let cases: &[Case<'_>] = &[
        (json!({"tags": {"1": ["This field may not be blank."]}}), &[("REQUIRED", &["tags", "1"])]),
        (json!({"extra_fields": {"rack": ["SECRET"]}}), &[("INVALID", &["metadata", "rack"])]),
        (json!({"extra_fields": {"SECRET": ["SECRET"]}}), &[("INVALID", &["metadata"])]),
        (
            json!({"name": ["subject with this name already exists."], "strain": ["Invalid pk - object does not exist."]}),
            &[("NOT_UNIQUE", &["name"]), ("NOT_FOUND", &["strainId"])],
        ),
        (
            json!({"genetic_line": ["Ensure this field has no more than 100 characters."]}),
            &[("TOO_LONG", &["geneticLine"])],
        ),
    ];
    for (body, wrong) in cases {
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![refusal(body)]);
        let animal = new_animal(&json!({"metadata": {"rack": 7}}));
        let answer = create_answer(&app, animal).await;
        assert_eq!(user_errors(&answer), expected(wrong), "{body}");
        assert!(!answer.0.to_string().contains("SECRET"));
    }
    let whole = [("INVALID".to_owned(), Value::Null)];
    for body in [json!({"non_field_errors": ["SECRET"]}), json!({"detail": "SECRET"}), json!(["SECRET"]), json!({})] {
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![refusal(&body)]);
        let answer = create_answer(&app, new_animal(&json!({}))).await;
        assert_eq!(user_errors(&answer), whole, "{body}");
        assert!(!answer.0.to_string().contains("SECRET"));
    }
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Html(400))]);
    assert_eq!(user_errors(&create_answer(&app, new_animal(&json!({}))).await), whole);
}

#[tokio::test]
async fn what_only_the_server_can_know_comes_back_as_a_field_error() {
    let app = TestApp::new().await;
    let fields = json!({"strainId": strain_id(PROJECT)});
    let answer = create_answer(&app, new_animal(&fields)).await;
    assert_eq!(user_errors(&answer), expected(&[("NOT_FOUND", &["strainId"])]));
}
