//! BrainSTEM: creating, changing and deleting, with the errors on the way.

use reqwest::Method;
use serde_json::{Value, json};
use subject_gateway::sandbox::{BRAINSTEM_OTHER_TOKEN, SUBJECT_WITH_130_PROCEDURES, Sandbox, Upstream};

use super::util::{Caller, start, start_legacy};

const SUBJECTS: &str = "/api/private/stem/subject/";
const FIRST: &str = "0cdaf69d-63cf-429f-b549-fc0cc163d046";
const PROJECT: &str = "c4b8a90b-2963-4d13-aa07-b6f497252dde";
const OTHER_PROJECT: &str = "e7475834-7733-48cf-9e3b-f4f2d2d0305a";
const STRAIN: &str = "deec9da3-ee26-4348-954e-484f62c463c8";

fn new_subject(name: &str) -> Value {
    json!({ "name": name, "strain": STRAIN, "sex": "U", "projects": [PROJECT], "tags": [] })
}

fn record(upstream: &Upstream, model: &str, id: &Value) -> Value {
    let records = upstream.records(model).into_iter();
    records.into_iter().find(|record| record["id"] == *id).unwrap_or_default()
}

fn holds(list: &Value, id: &Value) -> bool {
    list.as_array().unwrap().contains(id)
}

async fn first(sandbox: &Sandbox) -> Value {
    let answer = Caller::brainstem(sandbox).get(&format!("{SUBJECTS}{FIRST}/")).await;
    answer.body["subject"].clone()
}

#[tokio::test]
async fn field_errors_are_those_of_the_framework() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let required = ["This field is required."];
    let unknown = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    for (fields, error) in [
        (json!({ "name": "subject1" }), json!({ "name": ["subject with this name already exists."] })),
        (json!({ "name": " " }), json!({ "name": ["This field may not be blank."] })),
        (json!({ "name": null }), json!({ "name": ["This field may not be null."] })),
        (json!({ "name": "é".repeat(101) }), json!({ "name": ["Ensure this field has no more than 100 characters."] })),
        (json!({ "sex": "X" }), json!({ "sex": ["\"X\" is not a valid choice."] })),
        (json!({ "projects": [] }), json!({ "projects": ["This list may not be empty."] })),
        (json!({ "projects": PROJECT }), json!({ "projects": ["Expected a list of items but got type \"str\"."] })),
        (json!({ "projects": ["x"] }), json!({ "projects": ["“x” is not a valid UUID."] })),
        (
            json!({ "strain": unknown }),
            json!({ "strain": [format!("Invalid pk \"{unknown}\" - object does not exist.")] }),
        ),
        (
            json!({ "tags": ["fine", "", 3] }),
            json!({ "tags": { "1": ["This field may not be blank."], "2": ["Not a valid string."] } }),
        ),
        (
            json!({ "birth_date": "2023-02-29" }),
            json!({ "birth_date": ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."] }),
        ),
        (json!({ "extra_fields": { "1st": "x" } }), json!({ "extra_fields": ["\"1st\" is not a valid name."] })),
    ] {
        let mut body = new_subject("unheard of");
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = caller.post(SUBJECTS, &body).await;
        assert_eq!((answer.status, answer.body), (400, error), "{fields}");
    }
    let answer = caller.post(SUBJECTS, &json!({})).await;
    let errors = json!({ "name": required, "projects": required, "strain": required, "sex": required });
    assert_eq!((answer.status, answer.body), (400, errors));
    assert_eq!(sandbox.brainstem().records("subjects").len(), 300);
}

#[tokio::test]
async fn a_name_is_taken_even_by_what_one_does_not_see() {
    let sandbox = start().await;
    let other = Caller::new(sandbox.brainstem(), Some(format!("Bearer {BRAINSTEM_OTHER_TOKEN}")));
    let visible = other.get("/api/private/stem/project/").await;
    let mut body = new_subject("subject1");
    body["projects"] = json!([visible.ids("projects")[0]]);
    let answer = other.post(SUBJECTS, &body).await;
    assert_eq!((answer.status, answer.body), (400, json!({ "name": ["subject with this name already exists."] })));
}

#[tokio::test]
async fn null_is_dropped_from_texts_and_lists_but_clears_the_rest() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let one = format!("{SUBJECTS}{FIRST}/");
    let supplier = sandbox.brainstem().records("suppliers")[0]["id"].clone();
    let filled = json!({
        "description": "d", "genotype": "g", "status": "active", "tags": ["t"], "supplier": supplier,
        "death_date": "2024-01-01", "name_used_in_storage": "n",
    });
    assert_eq!(caller.patch(&one, &filled).await.status, 200);
    let nulls: Value = filled.as_object().unwrap().keys().map(|name| (name.clone(), Value::Null)).collect();
    let answer = caller.patch(&one, &nulls).await;
    assert_eq!(answer.status, 200);
    let subject = first(&sandbox).await;
    for field in ["description", "genotype", "status", "tags", "name_used_in_storage"] {
        assert_eq!(subject[field], filled[field], "{field}");
    }
    for field in ["supplier", "death_date"] {
        assert_eq!(subject[field], Value::Null, "{field}");
    }
    let empty = json!({ "description": "", "genotype": "", "tags": [] });
    let answer = caller.patch(&one, &empty).await;
    for (field, value) in empty.as_object().unwrap() {
        assert_eq!(&answer.body["subject"][field], value, "{field}");
    }
    assert_eq!(caller.patch(&one, &json!({ "projects": null })).await.status, 400);
}

#[tokio::test]
async fn read_only_and_unknown_fields_are_ignored() {
    let sandbox = start().await;
    let before = first(&sandbox).await;
    let body = json!({ "id": PROJECT, "procedures": [], "subjectlogs": [], "nonsense": 1, "links": {} });
    let answer = Caller::brainstem(&sandbox).patch(&format!("{SUBJECTS}{FIRST}/"), &body).await;
    assert_eq!((answer.status, &answer.body["subject"]), (200, &before));
}

#[tokio::test]
async fn projects_know_their_subjects() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let upstream = sandbox.brainstem();
    let created = caller.post(SUBJECTS, &new_subject("fresh")).await;
    assert_eq!(created.status, 201);
    let id = &created.body["subject"]["id"];
    let members = |project: &str| record(upstream, "projects", &json!(project))["subjects"].clone();
    assert!(holds(&members(PROJECT), id));

    let one = format!("{SUBJECTS}{}/", id.as_str().unwrap());
    caller.patch(&one, &json!({ "projects": [OTHER_PROJECT] })).await;
    assert!(!holds(&members(PROJECT), id) && holds(&members(OTHER_PROJECT), id));

    let body = json!({ "type": "Craniotomy", "subject": id, "date_time": "2024-05-01T10:00:00Z" });
    let procedure = caller.post("/api/private/modules/procedure/", &body).await;
    assert_eq!(procedure.status, 201);
    let log = caller.post("/api/private/modules/subjectlog/", &json!({ "type": "Weighing", "subject": id })).await;
    assert!(log.status == 201 && log.body["subject_log"]["entries"] == json!([]));
    let procedure = &procedure.body["procedure"]["id"];
    let subject = caller.get(&one).await.body["subject"].clone();
    assert_eq!(subject["procedures"], json!([procedure]));
    assert_eq!(subject["subjectlogs"], json!([log.body["subject_log"]["id"]]));

    assert_eq!(caller.delete(&one).await.status, 204);
    assert_eq!(caller.get(&one).await.status, 404);
    assert_eq!(caller.delete(&one).await.status, 404);
    assert!(!holds(&members(OTHER_PROJECT), id));
    assert_eq!(record(upstream, "procedures", procedure), Value::Null);
}

#[tokio::test]
async fn shared_records_wait_for_approval() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let species = sandbox.brainstem().records("species")[0]["id"].clone();
    for (path, list, key, body) in [
        ("taxonomies/species", "species", "species_approval", json!({ "name": "Degu" })),
        ("taxonomies/strain", "strains", "strain_approval", json!({ "name": "New", "species": species })),
        ("resources/supplier", "suppliers", "supplier_approval", json!({ "name": "Farm" })),
    ] {
        let before = sandbox.brainstem().records(list);
        let answer = caller.post(&format!("/api/private/{path}/"), &body).await;
        assert_eq!((answer.status, &answer.body[key]["name"]), (201, &body["name"]));
        let one = format!("/api/private/{path}/{}/", before[0]["id"].as_str().unwrap());
        assert_eq!(caller.patch(&one, &json!({ "name": "mine" })).await.status, 403);
        assert_eq!(caller.delete(&one).await.status, 403);
        assert_eq!(sandbox.brainstem().records(list), before);
    }
}

#[tokio::test]
async fn a_body_turns_a_delete_of_a_list_into_a_massacre() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    assert_eq!(caller.delete(SUBJECTS).await.status, 405);
    let body = json!([{ "id": FIRST }, { "id": SUBJECT_WITH_130_PROCEDURES }]);
    assert_eq!(caller.send(Method::DELETE, SUBJECTS, Some(&body)).await.status, 204);
    assert_eq!(sandbox.brainstem().records("subjects").len(), 298);
}

#[tokio::test]
async fn bodies_that_are_not_objects_are_400() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let answer = caller.post(SUBJECTS, &json!("text")).await;
    let message = "Invalid data. Expected a dictionary, but got str.";
    assert_eq!((answer.status, answer.body), (400, json!({ "non_field_errors": [message] })));
    assert_eq!(caller.send(Method::POST, SUBJECTS, None).await.status, 415);
    assert_eq!(caller.send(Method::PUT, SUBJECTS, Some(&json!({}))).await.status, 405);
}

#[tokio::test]
async fn older_servers_take_lists_of_extra_fields() {
    let sandbox = start_legacy().await;
    let caller = Caller::legacy(&sandbox);
    let mut body = new_subject("listed");
    body["extra_fields"] = json!([{ "name": "cage", "value": "A1" }]);
    body["source"] = json!("In-house");
    let answer = caller.post(SUBJECTS, &body).await;
    assert_eq!((answer.status, &answer.body["subject"]["source"]), (201, &body["source"]));
    assert_eq!(answer.body["subject"]["links"], json!({ "projects": "projects/" }));
    let action = json!({ "type": "Craniotomy", "subject": answer.body["subject"]["id"] });
    let action = caller.post("/api/private/modules/action/", &action).await;
    let one = format!("{SUBJECTS}{}/", answer.body["subject"]["id"].as_str().unwrap());
    let subject = caller.get(&one).await.body["subject"].clone();
    assert_eq!(subject["actions"], json!([action.body["action"]["id"]]));

    let current = start().await;
    let body = json!({ "extra_fields": [{ "name": "cage", "value": "A1" }] });
    let answer = Caller::brainstem(&current).patch(&format!("{SUBJECTS}{FIRST}/"), &body).await;
    assert_eq!(answer.status, 400);
}
