//! The records of the upstreams' documents, written over the upstreams' REST APIs, come back through GraphQL with every
//! field that a document lists.

use std::{fs, time::Duration};

use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use subject_gateway::sandbox::{BRAINSTEM_TOKEN, COMPANY_ID, DATASET_IDS, HAUT_AI_TOKEN, Upstream};

use crate::util::TestApp;

const SUBJECT: &str = "source sourceId name description identifier sex biologicalSex { sourceId name techName } \
    birthDate deathDate status genotype geneticLine tags metadata createdAt strain { sourceId } projects { sourceId } \
    procedures { totalCount nodes { sourceId } } logs { totalCount nodes { sourceId } } licenses { sourceId } \
    supplier { sourceId } breeding { sourceId } dataset { sourceId name } company { sourceId name } \
    hautAi { authorId promoteImageId rawSex rawBirthDate } \
    brainStem { nameUsedInStorage supplierText rawSex rawStatus rawBirthDate rawDeathDate \
        stateChanges { totalCount nodes { sourceId } } }";

/// Today's page prints this in place of every id.
const ZERO: &str = "00000000-0000-0000-0000-000000000000";

fn seed(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/seeds/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Sends a body to an upstream's REST API; returns what it answers.
async fn send(upstream: &Upstream, method: &str, path: &str, token: &str, body: &Value) -> Value {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client =
        Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let request = client.request(method.parse().unwrap(), format!("{}{path}", upstream.url()));
    let request = request.header("authorization", token).header("accept", "application/json");
    let response = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{method} {path}: {status} {text}");
    serde_json::from_str(&text).unwrap()
}

fn null_if_empty(value: &Value) -> Value {
    if *value == json!("") || *value == json!({}) || *value == json!([]) { Value::Null } else { value.clone() }
}

fn record(id: &Value) -> Value {
    if id.is_null() { Value::Null } else { json!({"sourceId": id}) }
}

fn records(ids: &Value) -> Value {
    ids.as_array().into_iter().flatten().map(record).collect()
}

fn page(ids: &Value) -> Value {
    json!({"totalCount": ids.as_array().unwrap().len(), "nodes": records(ids)})
}

/// Checks every field of a printed record; one that nothing is known about fails.
fn check(printed: &Value, got: &Value) {
    for (field, value) in printed.as_object().unwrap() {
        let of_enum = |words: &[(&str, &str)]| {
            let word = words.iter().find(|(code, _)| value == code).map(|(_, word)| json!(word));
            word.unwrap_or(Value::Null)
        };
        let (pointer, expected) = match field.as_str() {
            "id" => ("/sourceId", value.clone()),
            "name" => ("/name", value.clone()),
            "description" => ("/description", null_if_empty(value)),
            "sex" => ("/sex", of_enum(&[("F", "FEMALE"), ("M", "MALE"), ("U", "UNKNOWN")])),
            "status" => ("/status", of_enum(&[("active", "ACTIVE"), ("deceased", "DECEASED")])),
            "genetic_line" => ("/geneticLine", null_if_empty(value)),
            "genotype" => ("/genotype", null_if_empty(value)),
            "subject_identifier" => ("/identifier", null_if_empty(value)),
            "birth_date" => ("/birthDate", value.clone()),
            "death_date" => ("/deathDate", value.clone()),
            "tags" => ("/tags", value.clone()),
            "extra_fields" => ("/metadata", null_if_empty(value)),
            "strain" => ("/strain", record(value)),
            "supplier" => ("/supplier", record(value)),
            "breeding" => ("/breeding", record(value)),
            "projects" => ("/projects", records(value)),
            "licenses" => ("/licenses", records(value)),
            "procedures" | "actions" => ("/procedures", page(value)),
            "subjectlogs" => ("/logs", page(value)),
            "subjectstatechanges" => ("/brainStem/stateChanges", page(value)),
            "name_used_in_storage" | "name_used_in_repository" => {
                ("/brainStem/nameUsedInStorage", null_if_empty(value))
            }
            "source" => ("/brainStem/supplierText", null_if_empty(value)),
            "meta" => ("/metadata", value.clone()),
            "biological_sex" if value.is_null() => ("/biologicalSex", Value::Null),
            "biological_sex" => (
                "/biologicalSex",
                json!({"sourceId": value["id"], "name": value["name"], "techName": value["tech_name"]}),
            ),
            "author_id" => ("/hautAi/authorId", value.clone()),
            "promote_image_id" => ("/hautAi/promoteImageId", value.clone()),
            // The same instant, in as few digits as it takes.
            "creation_time" => {
                ("/createdAt", json!(value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().to_string()))
            }
            "company" => ("/company", json!({"sourceId": value["id"], "name": value["name"]})),
            "dataset" => ("/dataset", json!({"sourceId": value["id"], "name": value["name"]})),
            // Relative API paths: deliberately not served.
            "links" => continue,
            other => panic!("`{other}` is served nowhere"),
        };
        assert_eq!(got.pointer(pointer), Some(&expected), "{field} of {printed:#} in {got:#}");
    }
}

async fn all(app: &TestApp) -> Vec<Value> {
    let answer = app.query(&format!("{{ subjects(first: 100) {{ nodes {{ {SUBJECT} }} }} }}")).await;
    answer.data()["subjects"]["nodes"].as_array().unwrap().clone()
}

/// What the REST API answered to the writes is what GraphQL tells.
async fn check_all(app: &TestApp, printed: &[Value]) {
    let got = all(app).await;
    assert_eq!(got.len(), printed.len());
    for printed in printed {
        check(printed, got.iter().find(|got| got["sourceId"] == printed["id"]).unwrap());
    }
}

fn empty() -> crate::util::Builder {
    TestApp::builder().empty().set("CACHE_FRESH_MS", "0")
}

#[tokio::test]
async fn haut_ai() {
    let app = empty().build().await;
    let path = format!("/api/v1/companies/{COMPANY_ID}/datasets/{}/subjects/", DATASET_IDS[0]);
    let token = format!("Bearer {HAUT_AI_TOKEN}");
    let printed = seed("haut_ai/create_response");
    // The document's example of a request, and one with all that can be written.
    let mut bare = send(app.haut_ai(), "POST", &path, &token, &seed("haut_ai/create_request")).await;
    let whole = json!({
        "name": "user1", "birth_date": "1990-02-28", "biological_sex": printed["biological_sex"]["id"],
        "meta": {"a": [1, null, {"b": "ü"}], "big": 9_007_199_254_740_993_i64},
    });
    let whole = send(app.haut_ai(), "POST", &path, &token, &whole).await;
    let fields =
        |record: &Value| record.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(fields(&whole), fields(&printed), "the sandbox answers as the document does");
    check_all(&app, &[bare.clone(), whole.clone()]).await;
    let got = all(&app).await;
    let user = got.iter().find(|got| got["name"] == "user1").unwrap();
    assert_eq!((&user["sex"], &user["hautAi"]["rawSex"]), (&json!("UNKNOWN"), &json!("text")));

    let change = json!({"name": "renamed", "meta": "free text", "birth_date": null});
    let one = format!("{path}{}/", bare["id"].as_str().unwrap());
    bare = send(app.haut_ai(), "PATCH", &one, &token, &change).await;
    assert_eq!(bare["name"], "renamed");
    check_all(&app, &[bare, whole]).await;
    // As printed, but for the dataset.
    let mut here = printed;
    here["dataset"]["id"] = json!(DATASET_IDS[0]);
    app.haut_ai().insert("subjects", here.clone());
    check(&here, all(&app).await.iter().find(|got| got["sourceId"] == here["id"]).unwrap());
}

#[tokio::test]
async fn brainstem() {
    let app = empty().build().await;
    let (path, token) = ("/api/private/stem/subject/", format!("Bearer {BRAINSTEM_TOKEN}"));
    for model in ["projects", "strains", "suppliers", "licenses", "breedings", "procedures", "subject_logs"] {
        app.brainstem().insert(model, json!({"id": ZERO, "name": "zero", "type": "any", "entries": []}));
    }
    let bare = send(app.brainstem(), "POST", path, &token, &seed("brainstem/create_request")).await["subject"].clone();
    // Every field of the page's table that can be written.
    let whole = json!({
        "name": "whole", "description": "text", "projects": [ZERO], "licenses": [ZERO], "strain": ZERO, "sex": "F",
        "genetic_line": "line", "genotype": "+/-", "subject_identifier": "WF-124", "supplier": ZERO, "breeding": ZERO,
        "birth_date": "2023-03-22", "death_date": "2024-03-22", "status": "deceased",
        "extra_fields": seed("brainstem/extra_fields"), "name_used_in_storage": "stored", "tags": ["cooling", "ü"],
    });
    let whole = send(app.brainstem(), "POST", path, &token, &whole).await["subject"].clone();
    check_all(&app, &[bare.clone(), whole.clone()]).await;
    let one = format!("{path}{}/", bare["id"].as_str().unwrap());
    let bare = send(app.brainstem(), "PATCH", &one, &token, &seed("brainstem/change_request")).await["subject"].clone();
    assert_eq!(bare["description"], "new text");
    check_all(&app, &[bare.clone(), whole.clone()]).await;

    // As printed: all with the same id, which is then no use for looking up.
    let listed = seed("brainstem/list_response")["subjects"].as_array().unwrap().clone();
    for name in ["create_response", "detail_response", "change_response"] {
        let printed = seed(&format!("brainstem/{name}"))["subject"].clone();
        app.brainstem().insert("subjects", printed.clone());
        let got = all(&app).await;
        assert_eq!(got.len(), 3);
        check(&printed, got.iter().find(|got| got["sourceId"] == ZERO).unwrap());
        assert!(app.brainstem().remove("subjects", ZERO));
    }
    for printed in &listed {
        app.brainstem().insert("subjects", printed.clone());
    }
    let got = all(&app).await;
    assert_eq!(got.len(), 4);
    for printed in &listed {
        check(printed, got.iter().find(|got| got["name"] == printed["name"]).unwrap());
    }
}

#[tokio::test]
async fn brainstem_before_the_renaming() {
    let app = empty().legacy().build().await;
    let (path, token) = ("/api/private/stem/subject/", format!("Token {BRAINSTEM_TOKEN}"));
    let listed = seed("brainstem_legacy/list_response")["subjects"].as_array().unwrap().clone();
    for subject in &listed {
        let [project, action, change] = ["projects", "actions", "subjectstatechanges"].map(|list| &subject[list][0]);
        let add = |model, id: &Value| {
            if !app.brainstem().records(model).iter().any(|record| record["id"] == *id) {
                app.brainstem().insert(model, json!({"id": id, "name": id, "type": "any", "subject": subject["id"]}));
            }
        };
        add("projects", project);
        add("actions", action);
        add("subject_state_changes", change);
    }
    let bare = send(app.brainstem(), "POST", path, &token, &seed("brainstem_legacy/create_request")).await;
    let whole = json!({
        "name": "whole", "description": "text", "projects": [listed[0]["projects"][0]], "strain": listed[0]["strain"],
        "sex": "F", "genetic_line": "line", "subject_identifier": "WF-124", "source": "The Jackson Laboratory",
        "birth_date": "2023-03-22", "death_date": "2024-03-22", "name_used_in_repository": "stored", "tags": ["cooling"],
        "extra_fields": [{"name": "extra_property", "value": "setting1"}, {"name": "another_property", "value": 22}],
    });
    let whole = send(app.brainstem(), "POST", path, &token, &whole).await["subject"].clone();
    let mut expected = whole.clone();
    // Listed as names and values, read as an object.
    expected["extra_fields"] = seed("brainstem/extra_fields");
    let one = format!("{path}{}/", bare["subject"]["id"].as_str().unwrap());
    let change = seed("brainstem_legacy/change_request");
    let bare = send(app.brainstem(), "PATCH", &one, &token, &change).await["subject"].clone();
    assert_eq!(bare["description"], "new text");
    for subject in &listed {
        app.brainstem().insert("subjects", subject.clone());
    }
    let mut printed = listed;
    printed.extend([bare.clone(), expected]);
    check_all(&app, &printed).await;

    for name in ["create_response", "detail_response", "change_response"] {
        let printed = seed(&format!("brainstem_legacy/{name}"))["subject"].clone();
        app.brainstem().remove("subjects", bare["id"].as_str().unwrap());
        app.brainstem().insert("subjects", printed.clone());
        let id = printed["id"].as_str().unwrap();
        check(&printed, all(&app).await.iter().find(|got| got["sourceId"] == id).unwrap());
        assert!(app.brainstem().remove("subjects", id));
    }
}
