//! Several requests in one body.

use axum::http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::{GRAPHQL_RESPONSE, JSON, app, ask, fetch, graphql_uri};
use crate::util::{TestApp, to_path};

const ANIMALS: &str = "{ subjects(first: 5, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

fn query(text: &str) -> Value {
    json!({ "query": text })
}

#[tokio::test]
async fn batching_is_off_until_it_is_allowed_and_has_a_limit() {
    let off = app(&[]);
    let on = app(&[("LIMITS_BATCH", "2")]);
    let one = query("{ __typename }");
    let table = [
        (&off, json!([one]), "Expected an object: request batching is off."),
        (&off, json!([]), "Expected an object: request batching is off."),
        (&on, json!([]), "Expected at least one request in the array."),
        (&on, json!([one, one, one]), "The body holds 3 requests: expected at most 2, the gateway's LIMITS_BATCH."),
    ];
    for (app, body, message) in table {
        for accept in [GRAPHQL_RESPONSE, "application/json"] {
            let answer = ask(app, accept, &body).await;
            assert_eq!((answer.status, answer.message().as_str()), (StatusCode::BAD_REQUEST, message));
            assert_eq!(answer.code(), "BAD_USER_INPUT");
        }
    }
    // Not over GET, whatever is allowed.
    let answer = fetch(&on, &graphql_uri(&[("query", &json!([one]).to_string())])).await;
    assert_eq!(answer.code(), "GRAPHQL_PARSE_FAILED");
}

#[tokio::test]
async fn each_request_has_an_answer_in_its_place() {
    let app = app(&[("LIMITS_BATCH", "100")]);
    let body = json!([
        {"query": "query($name: String!) { __type(name: $name) { name } }", "variables": {"name": "Sex"}},
        query("{"),
        query("{ nothingOfThatName }"),
        "not a request",
        {"query": "{ __typename }", "variables": []},
        {"query": "query A { __typename } query B { b: __typename }", "operationName": "B"},
    ]);
    for (accept, content_type) in [(GRAPHQL_RESPONSE, GRAPHQL_RESPONSE), ("application/json", JSON)] {
        let answer = ask(&app, accept, &body).await;
        assert_eq!((answer.status, answer.header(CONTENT_TYPE)), (StatusCode::OK, content_type));
        assert_eq!(answer.header(CACHE_CONTROL), "no-store");
        let all = answer.json();
        let code = |index: usize| all[index]["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert_eq!(all.as_array().unwrap().len(), 6);
        assert_eq!(all[0], json!({"data": {"__type": {"name": "Sex"}}}));
        assert_eq!([code(1), code(2)], ["GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"]);
        assert_eq!([code(3), code(4)], ["BAD_USER_INPUT"; 2]);
        assert!((1..5).all(|index| all[index].get("data").is_none()), "{all}");
        assert_eq!(all[5], json!({"data": {"b": "Query"}}));
    }
}

#[tokio::test]
async fn queries_run_side_by_side() {
    // With nothing kept, only reads that are under way at once share a request.
    let app = TestApp::builder().set("LIMITS_BATCH", "10").set("CACHE_FRESH_MS", "0").build().await;
    app.clear_logs();
    let all = app.post(&json!([query(ANIMALS), query(ANIMALS), query(ANIMALS)])).await;
    assert_eq!(all[0]["data"]["subjects"]["nodes"].as_array().unwrap().len(), 5);
    assert_eq!([&all[1], &all[2]], [&all[0]; 2]);
    assert_eq!(to_path(&app.brainstem().take_log(), "subject/").len(), 1);
}

#[tokio::test]
async fn what_may_write_runs_in_the_order_of_the_batch() {
    let app = TestApp::builder().set("LIMITS_BATCH", "10").build().await;
    let node = app.query("{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }").await;
    let id = &node.data()["subjects"]["nodes"][0]["id"];
    let find = json!({
        "query": "query($id: ID!) { subject(by: {id: $id}) { description } }",
        "variables": {"id": id},
    });
    let change = json!({
        "query": "mutation($id: ID!) { subjectUpdate(id: $id, input: {brainStem: {description: \"batched\"}}) { \
                  userErrors { message } } }",
        "variables": {"id": id},
    });
    let all = app.post(&json!([find, change, find, "no request", find])).await;
    assert_ne!(all[0]["data"]["subject"]["description"], "batched", "{all:#}");
    assert_eq!(all[1]["data"]["subjectUpdate"]["userErrors"], json!([]), "{all:#}");
    for index in [2, 4] {
        assert_eq!(all[index]["data"]["subject"]["description"], "batched", "{all:#}");
    }
    assert_eq!(all[3]["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

#[tokio::test]
async fn nothing_is_written_past_the_deadline_of_the_batch() {
    let app = TestApp::builder().set("LIMITS_BATCH", "10").set("LIMITS_DEADLINE_MS", "200").build().await;
    app.clear_logs();
    app.haut_ai().set_knobs(|knobs| knobs.latency = std::time::Duration::from_secs(30));
    let slow = query("{ subjects(filter: {sources: [HAUT_AI]}) { nodes { id } } }");
    let create =
        query("mutation { subjectCreate(input: {brainStem: {name: \"Late\", sex: MALE}}) { subject { id } } }");
    let all = app.post(&json!([slow, create])).await;
    assert_eq!(all[0]["errors"][0]["extensions"]["code"], "DEADLINE_EXCEEDED", "{all:#}");
    assert_eq!(all[1]["errors"][0]["extensions"]["code"], "DEADLINE_EXCEEDED", "{all:#}");
    assert!(all[1].get("data").is_none());
    assert_eq!(app.brainstem().take_log().len(), 0);
}
