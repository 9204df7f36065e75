//! BrainSTEM: what is sent, what is stored, and what a query shows then.

use serde_json::{Value, json};
use subject_gateway::domain::{Id, NodeId};

use super::{
    ANIMAL, OTHER_PROJECT, PROJECT, STRAIN, animal_id, by_id, create, create_answer, done, legacy, new_animal,
    project_id, stored, strain_id, update, update_answer, user_errors, uuid, writes,
};
use crate::util::TestApp;

const EVERYTHING: &str = "query($id: ID!) { node(id: $id) { ... on Subject { name description projectIds strainId sex \
    birthDate deathDate status genotype geneticLine identifier supplierId breedingId licenseIds tags metadata \
    brainStem { nameUsedInStorage supplierText } } } }";

async fn read(app: &TestApp, id: &Value) -> Value {
    app.query_with(EVERYTHING, json!({"id": id})).await.data()["node"].clone()
}

/// The id of any record of a model, as its own text and as a global id.
fn any(app: &TestApp, model: &str, node: impl Fn(uuid::Uuid) -> NodeId) -> (Value, String) {
    let id = app.brainstem().records(model)[0]["id"].clone();
    (id.clone(), node(uuid(id.as_str().unwrap())).to_string())
}

/// Every field of the input, and how BrainSTEM stores it.
fn full(app: &TestApp) -> (Value, Value) {
    let (supplier, supplier_id) = any(app, "suppliers", |id| NodeId::Supplier(Id::new(id)));
    let (breeding, breeding_id) = any(app, "breedings", |id| NodeId::Breeding(Id::new(id)));
    let (license, license_id) = any(app, "licenses", |id| NodeId::License(Id::new(id)));
    let input = json!({"name": "näme \"1\"", "description": "two\nlines", "projectIds": [project_id(PROJECT),
        project_id(OTHER_PROJECT)], "strainId": strain_id(STRAIN), "sex": "MALE", "birthDate": "2024-01-02",
        "deathDate": "2024-01-02", "status": "DECEASED", "genotype": "+/-", "geneticLine": "line", "identifier": "tag 7",
        "supplierId": supplier_id, "breedingId": breeding_id, "licenseIds": [license_id], "nameUsedInStorage": "s1",
        "tags": ["a", "b"], "metadata": {"weight_g": 21.5, "cage": "C1"}});
    let record = json!({"name": "näme \"1\"", "description": "two\nlines", "projects": [PROJECT, OTHER_PROJECT],
        "strain": STRAIN, "sex": "M", "birth_date": "2024-01-02", "death_date": "2024-01-02", "status": "deceased",
        "genotype": "+/-", "genetic_line": "line", "subject_identifier": "tag 7", "supplier": supplier,
        "breeding": breeding, "licenses": [license], "name_used_in_storage": "s1", "tags": ["a", "b"],
        "extra_fields": {"weight_g": 21.5, "cage": "C1"}});
    (input, record)
}

fn assert_holds(record: &Value, expected: &Value) {
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&record[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_subject_is_created_with_every_field() {
    let app = TestApp::new().await;
    let (input, record) = full(&app);
    app.clear_logs();
    let subject = create(&app, json!({"brainStem": input})).await;
    let log = app.brainstem().take_log();
    let [request] = log.as_slice() else { panic!("{log:#?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/private/stem/subject/"));
    let sent: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(sent, record);
    let source_id = subject["sourceId"].as_str().unwrap();
    assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);

    let got = read(&app, &subject["id"]).await;
    for (field, value) in input.as_object().unwrap().iter().filter(|(field, _)| *field != "nameUsedInStorage") {
        assert_eq!(&got[field], value, "{field}");
    }
    assert_eq!(got["brainStem"]["nameUsedInStorage"], "s1");
}

#[tokio::test]
async fn null_on_creation_says_nothing_and_tags_are_always_sent() {
    let app = TestApp::new().await;
    let mut input = new_animal(&json!({}));
    for field in ["description", "birthDate", "status", "supplierId", "licenseIds", "tags", "metadata", "supplierText"]
    {
        input["brainStem"][field] = Value::Null;
    }
    app.clear_logs();
    create(&app, input).await;
    let sent: Value = serde_json::from_slice(&app.brainstem().take_log()[0].body).unwrap();
    let expected = json!({"name": "a new one", "projects": [PROJECT], "strain": STRAIN, "sex": "F", "tags": []});
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn what_is_left_out_stays_and_null_clears() {
    let app = TestApp::new().await;
    let (input, mut record) = full(&app);
    let subject = create(&app, json!({"brainStem": input})).await;
    let (id, source_id) = (subject["id"].as_str().unwrap(), subject["sourceId"].as_str().unwrap());
    for (field, upstream, cleared, shown) in [
        ("description", "description", json!(""), Value::Null),
        ("deathDate", "death_date", Value::Null, Value::Null),
        ("birthDate", "birth_date", Value::Null, Value::Null),
        ("genotype", "genotype", json!(""), Value::Null),
        ("geneticLine", "genetic_line", json!(""), Value::Null),
        ("identifier", "subject_identifier", json!(""), Value::Null),
        ("supplierId", "supplier", Value::Null, Value::Null),
        ("breedingId", "breeding", Value::Null, Value::Null),
        ("licenseIds", "licenses", json!([]), json!([])),
        ("nameUsedInStorage", "name_used_in_storage", json!(""), Value::Null),
        ("tags", "tags", json!([]), json!([])),
        ("metadata", "extra_fields", json!({}), Value::Null),
    ] {
        app.clear_logs();
        update(&app, id, json!({"brainStem": {field: null}})).await;
        let log = app.brainstem().take_log();
        let [request] = log.as_slice() else { panic!("{log:#?}") };
        assert_eq!(
            (request.method.as_str(), &request.path),
            ("PATCH", &format!("/api/private/stem/subject/{source_id}/"))
        );
        assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), json!({upstream: cleared}));
        record[upstream] = cleared;
        assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);
        let got = read(&app, &subject["id"]).await;
        let got = if field == "nameUsedInStorage" { &got["brainStem"][field] } else { &got[field] };
        assert_eq!(got, &shown, "{field}");
    }
}

#[tokio::test]
async fn every_field_can_be_changed_by_itself() {
    let app = TestApp::new().await;
    let (input, mut record) = full(&app);
    let subject = create(&app, new_animal(&json!({}))).await;
    let (id, source_id) = (subject["id"].as_str().unwrap(), subject["sourceId"].as_str().unwrap());
    update(&app, id, json!({"brainStem": input})).await;
    assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);
    for (field, upstream, given, sent) in [
        ("name", "name", json!("another"), json!("another")),
        ("projectIds", "projects", json!([project_id(PROJECT)]), json!([PROJECT])),
        ("sex", "sex", json!("UNKNOWN"), json!("U")),
        ("status", "status", json!("UNKNOWN"), json!("unknown")),
        ("metadata", "extra_fields", json!({"only": 1}), json!({"only": 1})),
        ("tags", "tags", json!(["only"]), json!(["only"])),
        ("deathDate", "death_date", json!("2024-03-01"), json!("2024-03-01")),
        ("birthDate", "birth_date", json!("2024-03-01"), json!("2024-03-01")),
    ] {
        update(&app, id, json!({"brainStem": {field: given}})).await;
        record[upstream] = sent;
        assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);
    }
}

#[tokio::test]
async fn older_servers_are_written_in_their_own_shape() {
    let app = legacy().build().await;
    let fields = json!({"nameUsedInStorage": "s1", "supplierText": "a dealer", "metadata": {"a": 1, "b": "x"}, "tags": ["t"],
        "geneticLine": "line", "identifier": "7"});
    app.clear_logs();
    let subject = create(&app, new_animal(&fields)).await;
    let log = app.brainstem().take_log();
    let mut record = json!({"name": "a new one", "projects": [PROJECT], "strain": STRAIN, "sex": "F", "tags": ["t"],
        "genetic_line": "line", "subject_identifier": "7", "source": "a dealer", "name_used_in_repository": "s1",
        "extra_fields": [{"name": "a", "value": 1}, {"name": "b", "value": "x"}]});
    assert_eq!(serde_json::from_slice::<Value>(&log[0].body).unwrap(), record);
    let source_id = subject["sourceId"].as_str().unwrap();
    assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);
    let got = read(&app, &subject["id"]).await;
    assert_eq!(got["metadata"], json!({"a": 1, "b": "x"}));
    assert_eq!(got["brainStem"], json!({"nameUsedInStorage": "s1", "supplierText": "a dealer"}));

    let cleared = json!({"nameUsedInStorage": null, "supplierText": null, "metadata": null, "tags": null});
    update(&app, subject["id"].as_str().unwrap(), json!({"brainStem": cleared})).await;
    record["extra_fields"] = json!([]);
    record["tags"] = json!([]);
    record["source"] = json!("");
    record["name_used_in_repository"] = json!("");
    assert_holds(&stored(app.brainstem(), "subjects", source_id), &record);
    done(&by_id(&app, "subjectDelete", subject["id"].as_str().unwrap()).await);
    assert_eq!(stored(app.brainstem(), "subjects", source_id), Value::Null);
}

#[tokio::test]
async fn a_subject_is_deleted_by_its_own_request_without_a_body() {
    let app = TestApp::new().await;
    app.clear_logs();
    let id = animal_id(ANIMAL);
    assert_eq!(done(&by_id(&app, "subjectDelete", &id).await)["deletedId"], json!(id));
    let log = app.brainstem().take_log();
    let [request] = log.as_slice() else { panic!("{log:#?}") };
    assert_eq!((request.method.as_str(), &request.path), ("DELETE", &format!("/api/private/stem/subject/{ANIMAL}/")));
    assert!(request.body.is_empty() && request.query.is_empty());
    assert_eq!(stored(app.brainstem(), "subjects", ANIMAL), Value::Null);
    assert_eq!(app.brainstem().records("subjects").len(), 299);

    // Now it is not there.
    let again = by_id(&app, "subjectDelete", &id).await;
    assert_eq!(user_errors(&again), [("NOT_FOUND".to_owned(), json!(["id"]))]);
    let changed = update_answer(&app, &id, json!({"brainStem": {"description": "x"}})).await;
    assert_eq!(user_errors(&changed), [("NOT_FOUND".to_owned(), json!(["id"]))]);
    let nothing = update_answer(&app, &id, json!({"brainStem": {}})).await;
    assert_eq!(user_errors(&nothing), [("NOT_FOUND".to_owned(), json!(["id"]))]);
}

#[tokio::test]
async fn an_update_with_nothing_in_it_writes_nothing() {
    let app = TestApp::new().await;
    let id = animal_id(ANIMAL);
    let subject = update(&app, &id, json!({"brainStem": {}})).await;
    assert_eq!(subject["sourceId"], ANIMAL);
    assert_eq!(writes(&app.brainstem().take_log()).len(), 0);
}

#[tokio::test]
async fn a_record_that_the_answer_shows_otherwise_is_read_again() {
    let app = TestApp::new().await;
    let fault = subject_gateway::sandbox::FaultKind::Status(200, "{}".to_owned(), Vec::new());
    app.brainstem().set_knobs(|knobs| {
        knobs.faults.push(subject_gateway::sandbox::Fault::new(fault).on_method("PATCH").times(1));
    });
    app.clear_logs();
    let subject = update(&app, &animal_id(ANIMAL), json!({"brainStem": {"description": "x"}})).await;
    assert_eq!(subject["sourceId"], ANIMAL);
    let log = app.brainstem().take_log();
    let methods: Vec<_> = log.iter().map(|request| request.method.as_str()).collect();
    assert_eq!(methods, ["PATCH", "GET"]);
}

#[tokio::test]
async fn a_name_that_is_taken_is_the_fields_own_error() {
    let app = TestApp::new().await;
    let taken = stored(app.brainstem(), "subjects", ANIMAL)["name"].clone();
    let answer = create_answer(&app, new_animal(&json!({"name": taken}))).await;
    assert_eq!(user_errors(&answer), [("NOT_UNIQUE".to_owned(), json!(["name"]))]);
}
