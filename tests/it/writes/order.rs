//! One request's mutations run one after the other, and only by POST.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{ANIMAL, a_person, animal_id, asked, new_animal};
use crate::util::TestApp;

#[tokio::test]
async fn the_fields_of_one_request_run_one_after_the_other() {
    let app = TestApp::new().await;
    let (person, person_source) = a_person(&app);
    app.clear_logs();
    // The earlier a write, the slower its answer.
    app.brainstem().set_knobs(|knobs| knobs.latency = std::time::Duration::from_millis(30));
    let query = "mutation($new: SubjectCreateInput!, $animal: ID!, $person: ID!) { \
        a: subjectCreate(input: $new) { subject { id projects { name } } userErrors { code } } \
        b: subjectUpdate(id: $animal, input: {brainStem: {description: \"once\"}}) { subject { description } } \
        c: subjectUpdate(id: $person, input: {hautAi: {name: \"Twice\"}}) { subject { name } } \
        d: subjectUpdate(id: $animal, input: {brainStem: {description: \"twice\"}}) { subject { description } } \
        e: subjectDelete(id: $person) { deletedId } \
        f: subjectDelete(id: $animal) { deletedId } }";
    let variables = json!({"new": new_animal(&json!({})), "animal": animal_id(ANIMAL), "person": person});
    let answer = app.query_with(query, variables).await;
    let data = answer.data();
    assert_eq!(data["b"]["subject"]["description"], "once");
    assert_eq!(data["d"]["subject"]["description"], "twice");
    assert_eq!(data["f"]["deletedId"], animal_id(ANIMAL));
    assert!(!data["a"]["subject"]["projects"][0]["name"].is_null());

    let mut log = app.haut_ai().take_log();
    log.extend(app.brainstem().take_log());
    log.sort_by_key(|request| request.at);
    let steps: Vec<_> = log.iter().map(|request| (request.method.as_str(), request.path.as_str())).collect();
    let animal = format!("/api/private/stem/subject/{ANIMAL}/");
    let person = log.iter().find(|request| request.path.contains(&person_source)).unwrap().path.as_str();
    let expected = [
        ("POST", "/api/private/stem/subject/"),
        ("GET", "/api/private/stem/project/c4b8a90b-2963-4d13-aa07-b6f497252dde/"),
        ("PATCH", animal.as_str()),
        ("PATCH", person),
        ("PATCH", animal.as_str()),
        ("DELETE", person),
        ("DELETE", animal.as_str()),
    ];
    assert_eq!(steps, expected);
}

#[tokio::test]
async fn a_get_runs_no_mutation() {
    let app = TestApp::new().await;
    app.clear_logs();
    let mutation = format!("mutation {{ subjectDelete(id: \"{}\") {{ deletedId }} }}", animal_id(ANIMAL));
    let named = format!("query A {{ __typename }} {mutation}").replace("mutation {", "mutation B {");
    for (query, name) in [(&mutation, ""), (&named, "B")] {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let parameters = pairs.append_pair("query", query).append_pair("operationName", name).finish();
        let request = Request::get(format!("/graphql?{parameters}")).header(header::HOST, "localhost");
        let response = app.app.front().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
        assert!(body.get("data").is_none() && body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT");
    }
    assert_eq!(asked(&app), 0);
    assert_eq!(app.brainstem().records("subjects").len(), 300);
}

#[tokio::test]
async fn one_that_fails_leaves_the_others_standing() {
    let app = TestApp::new().await;
    let (person, _) = a_person(&app);
    let fault = subject_gateway::sandbox::Fault::new(subject_gateway::sandbox::FaultKind::Html(500)).on_method("PATCH");
    app.brainstem().set_knobs(|knobs| knobs.faults.push(fault));
    let query = "mutation($animal: ID!, $person: ID!) { \
        a: subjectUpdate(id: $animal, input: {brainStem: {description: \"x\"}}) { subject { id } } \
        b: subjectUpdate(id: $person, input: {hautAi: {name: \"x\"}}) { subject { name } } }";
    let answer = app.query_with(query, json!({"animal": animal_id(ANIMAL), "person": person})).await;
    assert_eq!(answer.0["data"], json!({"a": null, "b": {"subject": {"name": "x"}}}));
    assert_eq!(answer.codes(), [("WRITE_OUTCOME_UNKNOWN".to_owned(), json!(["a"]))]);
}
