//! The upstreams' rules, checked before anything is sent, all at once.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{Id, NodeId},
    sandbox::COMPANY_ID,
};

use super::{
    ANIMAL, OTHER_PROJECT, a_person, animal_id, asked, create, create_answer, expected, legacy, new_animal, new_person,
    project_id, strain_id, update_answer, user_errors, uuid, writes,
};
use crate::util::TestApp;

type Rule<'a> = (Value, &'a [(&'a str, &'a [&'a str])]);

fn supplier_id() -> String {
    NodeId::Supplier(Id::new(uuid(OTHER_PROJECT))).to_string()
}

fn check(answer: &crate::util::Answer, (given, wrong): &Rule<'_>) {
    assert_eq!(user_errors(answer), expected(wrong), "{given}");
    assert!(!answer.0.to_string().contains("SECRET"), "{}", answer.0);
}

/// What is wrong with single fields of an animal, whether it is made or changed.
fn of_an_animal() -> Vec<Rule<'static>> {
    vec![
        (json!({"name": ""}), &[("REQUIRED", &["name"])]),
        (json!({"name": " \n"}), &[("REQUIRED", &["name"])]),
        (json!({"name": "é".repeat(101)}), &[("TOO_LONG", &["name"])]),
        (json!({"projectIds": []}), &[("REQUIRED", &["projectIds"])]),
        (json!({"projectIds": ["SECRET"]}), &[("INVALID", &["projectIds", "0"])]),
        (
            json!({"projectIds": [project_id(OTHER_PROJECT), strain_id(OTHER_PROJECT), OTHER_PROJECT]}),
            &[("INVALID", &["projectIds", "1"]), ("INVALID", &["projectIds", "2"])],
        ),
        (json!({"strainId": project_id(OTHER_PROJECT)}), &[("INVALID", &["strainId"])]),
        (json!({"supplierId": "SECRET"}), &[("INVALID", &["supplierId"])]),
        (json!({"breedingId": supplier_id()}), &[("INVALID", &["breedingId"])]),
        (json!({"licenseIds": [supplier_id()]}), &[("INVALID", &["licenseIds", "0"])]),
        (json!({"sex": "OTHER"}), &[("NOT_SUPPORTED", &["sex"])]),
        (json!({"birthDate": "SECRET"}), &[("INVALID", &["birthDate"])]),
        (json!({"birthDate": "2023-02-29"}), &[("INVALID", &["birthDate"])]),
        (json!({"deathDate": 7}), &[("INVALID", &["deathDate"])]),
        (json!({"birthDate": "2024-01-02", "deathDate": "2024-01-01"}), &[("INVALID", &["deathDate"])]),
        (json!({"geneticLine": "x".repeat(101)}), &[("TOO_LONG", &["geneticLine"])]),
        (json!({"genotype": "x".repeat(201)}), &[("TOO_LONG", &["genotype"])]),
        (json!({"identifier": "x".repeat(101)}), &[("TOO_LONG", &["identifier"])]),
        (json!({"nameUsedInStorage": "x".repeat(201)}), &[("TOO_LONG", &["nameUsedInStorage"])]),
        (json!({"supplierText": "SECRET"}), &[("NOT_SUPPORTED", &["supplierText"])]),
        (json!({"tags": ["fine", "", " "]}), &[("REQUIRED", &["tags", "1"]), ("REQUIRED", &["tags", "2"])]),
        (json!({"metadata": [1]}), &[("INVALID", &["metadata"])]),
        (json!({"metadata": "text"}), &[("INVALID", &["metadata"])]),
        (
            json!({"metadata": {"bad key": 1, "1x": 1, "": 1, "good_1": 1}}),
            &[("INVALID", &["metadata", "bad key"]), ("INVALID", &["metadata", "1x"]), ("INVALID", &["metadata", ""])],
        ),
        (
            json!({"metadata": {"a": true, "b": null, "c": {}, "d": 1.5, "e": "x"}}),
            &[("INVALID", &["metadata", "a"]), ("INVALID", &["metadata", "b"]), ("INVALID", &["metadata", "c"])],
        ),
    ]
}

#[tokio::test]
async fn an_animal_is_checked_before_it_is_sent() {
    let app = TestApp::new().await;
    app.clear_logs();
    for rule in of_an_animal() {
        check(&create_answer(&app, new_animal(&rule.0)).await, &rule);
        check(&update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": rule.0})).await, &rule);
    }
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn what_is_required_of_an_animal() {
    let app = TestApp::new().await;
    app.clear_logs();
    let all: &[(&str, &[&str])] =
        &[("REQUIRED", &["name"]), ("REQUIRED", &["projectIds"]), ("REQUIRED", &["strainId"]), ("REQUIRED", &["sex"])];
    let nulls = json!({"name": null, "projectIds": null, "strainId": null, "sex": null});
    for given in [json!({}), nulls.clone()] {
        let answer = create_answer(&app, json!({"brainStem": given})).await;
        check(&answer, &(given, all));
    }
    check(&update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": nulls})).await, &(nulls, all));
    let status = json!({"status": null});
    let rule: Rule<'_> = (status.clone(), &[("NOT_SUPPORTED", &["status"])]);
    check(&update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": status})).await, &rule);
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let app = TestApp::new().await;
    app.clear_logs();
    let given = json!({"brainStem": {"name": "", "strainId": "?", "birthDate": "?", "sex": "OTHER", "tags": [""],
        "metadata": {"?": 1}, "projectIds": ["?"], "genotype": "x".repeat(201)}});
    let answer = create_answer(&app, given).await;
    let mut got = user_errors(&answer);
    got.sort_by_key(|(_, field)| field.to_string());
    let expected = expected(&[
        ("INVALID", &["birthDate"]),
        ("TOO_LONG", &["genotype"]),
        ("INVALID", &["metadata", "?"]),
        ("REQUIRED", &["name"]),
        ("INVALID", &["projectIds", "0"]),
        ("NOT_SUPPORTED", &["sex"]),
        ("INVALID", &["strainId"]),
        ("REQUIRED", &["tags", "0"]),
    ]);
    assert_eq!(got, expected);
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn limits_count_characters_and_what_just_fits_is_taken() {
    let app = TestApp::new().await;
    let fields = json!({"name": "é".repeat(100), "geneticLine": "é".repeat(100), "genotype": "é".repeat(200),
        "identifier": "é".repeat(100), "nameUsedInStorage": "é".repeat(200), "birthDate": "2024-01-01",
        "deathDate": "2024-01-01", "metadata": {"A_1": -1.5e3}});
    create(&app, new_animal(&fields)).await;
    create(&app, new_person(&json!({"name": "é".repeat(512)}))).await;
    let answer = create_answer(&app, new_person(&json!({"name": "é".repeat(513)}))).await;
    assert_eq!(user_errors(&answer), expected(&[("TOO_LONG", &["name"])]));
}

#[tokio::test]
async fn a_date_alone_is_compared_with_the_record() {
    let app = TestApp::new().await;
    let dates = json!({"birthDate": "2024-01-10", "deathDate": "2024-02-10"});
    let subject = create(&app, new_animal(&dates)).await;
    let id = subject["id"].as_str().unwrap();
    app.clear_logs();
    for (given, field) in
        [(json!({"deathDate": "2024-01-09"}), "deathDate"), (json!({"birthDate": "2024-02-11"}), "birthDate")]
    {
        let answer = update_answer(&app, id, json!({"brainStem": given})).await;
        assert_eq!(user_errors(&answer), expected(&[("INVALID", &[field])]));
    }
    let log = app.brainstem().take_log();
    // The record is read once and kept.
    assert_eq!((writes(&log).len(), log.len()), (0, 1));
    for given in [
        json!({"deathDate": "2024-01-10"}),
        json!({"birthDate": "2024-03-01", "deathDate": null}),
        json!({"birthDate": null, "deathDate": "2023-01-01"}),
        json!({"birthDate": "2020-01-01"}),
    ] {
        super::update(&app, id, json!({"brainStem": given})).await;
    }
}

#[tokio::test]
async fn older_servers_lack_fields_and_none_is_dropped_in_silence() {
    let app = legacy().build().await;
    app.clear_logs();
    for (field, value) in [
        ("genotype", json!("+/+")),
        ("status", json!("ACTIVE")),
        ("breedingId", json!(NodeId::Breeding(Id::new(uuid(OTHER_PROJECT))).to_string())),
        ("licenseIds", json!([])),
        ("supplierId", json!(supplier_id())),
    ] {
        let rule: Rule<'_> = (json!({field: value}), &[("NOT_SUPPORTED", &[field])]);
        check(&create_answer(&app, new_animal(&rule.0)).await, &rule);
        check(&update_answer(&app, &animal_id(ANIMAL), json!({"brainStem": rule.0})).await, &rule);
        let cleared = json!({"brainStem": {field: null}});
        check(&update_answer(&app, &animal_id(ANIMAL), cleared).await, &rule);
    }
    assert_eq!(asked(&app), 0);
}

#[tokio::test]
async fn a_person_is_checked_before_it_is_sent() {
    let app = TestApp::new().await;
    let (id, _) = a_person(&app);
    app.clear_logs();
    let sex = NodeId::BiologicalSex(Id::new(uuid(COMPANY_ID))).to_string();
    let rules: Vec<Rule<'_>> = vec![
        (json!({"name": ""}), &[("REQUIRED", &["name"])]),
        (json!({"name": "\t "}), &[("REQUIRED", &["name"])]),
        (json!({"name": "é".repeat(513)}), &[("TOO_LONG", &["name"])]),
        (json!({"birthDate": "SECRET"}), &[("INVALID", &["birthDate"])]),
        (json!({"biologicalSexId": "SECRET"}), &[("INVALID", &["biologicalSexId"])]),
        (json!({"biologicalSexId": project_id(OTHER_PROJECT)}), &[("INVALID", &["biologicalSexId"])]),
        (json!({"biologicalSexId": sex, "sex": "FEMALE"}), &[("INVALID", &["sex"])]),
        (
            json!({"biologicalSexId": "?", "name": "", "birthDate": ""}),
            &[("INVALID", &["birthDate"]), ("INVALID", &["biologicalSexId"]), ("REQUIRED", &["name"])],
        ),
    ];
    for rule in rules {
        check(&create_answer(&app, new_person(&rule.0)).await, &rule);
        check(&update_answer(&app, &id, json!({"hautAi": rule.0})).await, &rule);
    }
    let rule: Rule<'_> = (json!({}), &[("REQUIRED", &["datasetId"]), ("REQUIRED", &["name"])]);
    for given in [json!({}), json!({"datasetId": null, "name": null})] {
        check(&create_answer(&app, json!({"hautAi": given})).await, &rule);
    }
    let rule: Rule<'_> = (json!({}), &[("INVALID", &["datasetId"])]);
    for dataset in [json!("SECRET"), json!(project_id(OTHER_PROJECT)), json!(COMPANY_ID)] {
        check(&create_answer(&app, new_person(&json!({"datasetId": dataset}))).await, &rule);
    }
    let cleared = json!({"hautAi": {"name": null}});
    let rule: Rule<'_> = (cleared.clone(), &[("REQUIRED", &["name"])]);
    check(&update_answer(&app, &id, cleared).await, &rule);
    assert_eq!(asked(&app), 0);
}
