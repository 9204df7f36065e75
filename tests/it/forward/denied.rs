//! Callers who bring nothing, or what a source does not accept: their own error, and nobody else's.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind, READ_ONLY_PROJECT};

use super::{ALL, By, FEW, NOBODY, STRANGER, Tenant, ask, errors, query};
use crate::{
    util::{Builder, TestApp},
    writes::{ANIMAL, animal_id},
};

const ONLY_PEOPLE: Tenant = Tenant { brainstem: None, ..ALL };
const ONLY_ANIMALS: Tenant = Tenant { haut_ai: None, ..ALL };
const LIST: &str = "{ subjects(first: 5, filter: {sources: [BRAINSTEM]}) { nodes { id } } }";

fn told(code: &str, source: &str, path: Value) -> (String, String, Value) {
    (code.to_owned(), source.to_owned(), path)
}

fn asked(app: &TestApp) -> [usize; 2] {
    [app.haut_ai(), app.brainstem()].map(|upstream| upstream.log().len())
}

#[tokio::test]
async fn without_a_credential_a_part_is_null_and_the_rest_stands() {
    let app = TestApp::builder().forward().build().await;
    let animal = animal_id(ANIMAL);
    let text = format!(
        "{{ datasets {{ id }} animal: node(id: \"{animal}\") {{ id }} \
         subjects(last: 2) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage }} }} \
         _entities(representations: [{{__typename: \"Subject\", id: \"{animal}\"}}]) {{ __typename }} }}"
    );
    let whole = query(&app.app, ALL, &text).await["data"].clone();
    app.clear_logs();
    let answer = query(&app.app, ONLY_ANIMALS, &text).await;
    assert_eq!(answer["data"]["datasets"], Value::Null);
    for part in ["animal", "_entities"] {
        assert_eq!(answer["data"][part], whole[part]);
    }
    assert_eq!(answer["data"]["subjects"]["nodes"], whole["subjects"]["nodes"]);
    assert_eq!(answer["data"]["subjects"]["totalCount"], Value::Null);
    let unauthenticated = |path| told("UNAUTHENTICATED", "HAUT_AI", path);
    let found = errors(&answer);
    for path in [json!(["datasets"]), json!(["subjects", "totalCount"])] {
        assert!(found.contains(&unauthenticated(path)), "{found:?}");
    }
    assert_eq!(asked(&app)[0], 0, "nothing is asked for who shows nothing");
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("X-Haut-AI-Authorization"), "{message}");

    let answer = query(&app.app, ONLY_PEOPLE, &text).await;
    assert_eq!((&answer["data"]["datasets"], &answer["data"]["animal"]), (&whole["datasets"], &Value::Null));
    assert_eq!(answer["data"]["_entities"], json!([null]));
    let expected = told("UNAUTHENTICATED", "BRAINSTEM", json!(["animal"]));
    assert!(errors(&answer).contains(&expected), "{answer}");

    app.clear_logs();
    let answer = query(&app.app, NOBODY, &text).await;
    assert!(errors(&answer).iter().all(|(code, ..)| code == "UNAUTHENTICATED"), "{answer}");
    assert_eq!((&answer["data"]["subjects"]["nodes"], asked(&app)), (&json!([]), [0, 0]));
    // Nothing more comes to one who brings nothing: a walk has to end.
    let info = &answer["data"]["subjects"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(false), &json!(false)), "{answer}");
}

#[tokio::test]
async fn without_a_credential_nothing_is_written() {
    let app = TestApp::builder().forward().build().await;
    let animal = animal_id(ANIMAL);
    let update = format!(
        "mutation {{ subjectUpdate(id: \"{animal}\", input: {{brainStem: {{tags: [\"x\"]}}}}) {{ subject {{ id }} }} }}"
    );
    let delete = format!("mutation {{ subjectDelete(id: \"{animal}\") {{ deletedId }} }}");
    let bulk = format!("mutation {{ subjectsDelete(ids: [\"{animal}\"]) {{ results {{ deleted code }} }} }}");
    for (text, field) in [(&update, "subjectUpdate"), (&delete, "subjectDelete"), (&bulk, "subjectsDelete")] {
        for (tenant, requests) in [(ONLY_PEOPLE, 0), (STRANGER, 1)] {
            app.clear_logs();
            let answer = query(&app.app, tenant, text).await;
            assert_eq!(errors(&answer), [told("UNAUTHENTICATED", "BRAINSTEM", json!([field]))], "{answer}");
            assert_eq!(asked(&app), [0, requests]);
        }
    }
    assert!(
        app.brainstem()
            .records("subjects")
            .iter()
            .any(|record| record["id"] == ANIMAL && record["tags"] != json!(["x"]))
    );
}

#[tokio::test]
async fn a_write_that_is_denied_leaves_the_caches_of_others_alone() {
    let app = TestApp::builder().forward().build().await;
    query(&app.app, ALL, LIST).await;
    app.clear_logs();
    query(&app.app, STRANGER, &format!("mutation {{ subjectDelete(id: \"{}\") {{ deletedId }} }}", animal_id(ANIMAL)))
        .await;
    query(&app.app, ALL, LIST).await;
    assert_eq!(asked(&app), [0, 1], "the stranger's alone");
}

#[tokio::test]
async fn what_a_credential_may_not_do_is_forbidden() {
    let app = TestApp::builder().forward().build().await;
    let of_project = |animal: &Value| animal["projects"] == json!([READ_ONLY_PROJECT]);
    let animal = app.brainstem().records("subjects").into_iter().find(of_project).unwrap();
    let id = animal_id(animal["id"].as_str().unwrap());
    let text = format!(
        "mutation {{ subjectUpdate(id: \"{id}\", input: {{brainStem: {{tags: [\"x\"]}}}}) {{ subject {{ id }} }} }}"
    );
    let answer = query(&app.app, ALL, &text).await;
    assert_eq!(errors(&answer), [told("FORBIDDEN", "BRAINSTEM", json!(["subjectUpdate"]))], "{answer}");
    assert_eq!(answer["errors"][0]["extensions"]["httpStatus"], 403);
    // With the gateway's own it is the operator's affair.
    let service = TestApp::new().await;
    assert_eq!(service.query(&text).await.codes(), [("UPSTREAM_ERROR".to_owned(), json!(["subjectUpdate"]))]);
}

fn touchy() -> Builder {
    let builder = TestApp::builder().forward().set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "5");
    builder.set("LIMITS_UPSTREAM_TRIES", "1").set("LIMITS_UPSTREAM_PAUSE_MS", "60000")
}

#[tokio::test]
async fn a_token_that_no_source_knows_is_no_outage_and_nothing_of_it_is_kept() {
    let app = touchy().build().await;
    let text = "{ people: subjects(first: 5, filter: {sources: [HAUT_AI]}) { nodes { id } sources { status code } } \
                 datasets { id } strains(first: 1) { nodes { id } } sources { status pausedUntil lastFailureAt } }";
    let expected = query(&app.app, ALL, text).await;
    assert_eq!(expected.get("errors"), None);
    for _ in 0..8 {
        app.clear_logs();
        let answer = query(&app.app, STRANGER, text).await;
        let found = errors(&answer);
        for (field, source) in [("people", "HAUT_AI"), ("datasets", "HAUT_AI"), ("strains", "BRAINSTEM")] {
            assert!(found.contains(&told("UNAUTHENTICATED", source, json!([field]))), "{answer}");
        }
        assert_eq!(answer["errors"][0]["extensions"]["httpStatus"], 401);
        assert!(!answer.to_string().contains("planted"), "{answer}");
        let [haut_ai, brainstem] = asked(&app);
        assert!(haut_ai > 0 && brainstem > 0, "nothing of it is kept: {haut_ai} {brainstem}");
    }
    // Others are told that nothing is wrong, and are not kept from either source.
    let answer = query(&app.app, FEW, text).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    let status = json!({"status": "AVAILABLE", "pausedUntil": null, "lastFailureAt": null});
    assert_eq!(answer["data"]["sources"], json!([status, status]));
}

/// Who checks credentials may stand before what is broken.
#[tokio::test]
async fn a_denial_does_not_count_as_a_success_either() {
    let app = touchy().set("LIMITS_UPSTREAM_FAILURE_PERCENT", "100").build().await;
    let failing = || Fault::new(FaultKind::Status(501, "{}".to_owned(), Vec::new()));
    // Four failures in a row and a denial, and then the one that makes it five.
    for first in 1..=5 {
        if first == 5 {
            app.brainstem().set_knobs(|knobs| knobs.faults.clear());
            assert_eq!(errors(&query(&app.app, STRANGER, LIST).await)[0].0, "UNAUTHENTICATED");
        }
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![failing()]);
        query(&app.app, ALL, &format!("{{ strains(first: {first}) {{ nodes {{ id }} }} }}")).await;
    }
    let paused = query(&app.app, ALL, "{ sources { pausedUntil } }").await;
    assert!(paused["data"]["sources"][1]["pausedUntil"].is_string(), "{paused}");
}

#[tokio::test]
async fn nothing_stale_stands_in_for_what_a_credential_no_longer_sees() {
    let builder = TestApp::builder().forward().set("CACHE_FRESH_MS", "1").set("CACHE_STALE_MS", "0");
    let builder = builder.set("CACHE_LISTS_FRESH_MS", "1").set("CACHE_LISTS_STALE_MS", "0");
    let app = builder.build().await;
    let node = format!("{{ node(id: \"{}\") {{ id }} }}", animal_id(ANIMAL));
    for text in [LIST, &node] {
        query(&app.app, ALL, text).await;
        let expired = |status| Fault::new(FaultKind::Status(status, "{}".to_owned(), Vec::new()));
        for (status, code) in [(401, "UNAUTHENTICATED"), (403, "FORBIDDEN")] {
            app.brainstem().set_knobs(|knobs| knobs.faults = vec![expired(status)]);
            let answer = query(&app.app, ALL, text).await;
            assert_eq!(errors(&answer)[0].0, code, "{answer}");
            assert_eq!(answer.get("extensions"), None, "{answer}");
        }
        // An outage is another matter.
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![expired(502)]);
        let answer = query(&app.app, ALL, text).await;
        assert!(answer["extensions"]["stale"].is_array(), "{answer}");
        app.brainstem().set_knobs(|knobs| knobs.faults.clear());
    }
}

#[tokio::test]
async fn where_the_public_portal_is_read_nobody_has_to_bring_anything_for_it() {
    let app = TestApp::builder().forward().set("BRAINSTEM_PORTAL", "public").build().await;
    let expected = query(&app.app, NOBODY, LIST).await;
    assert!(expected["data"]["subjects"]["nodes"].as_array().unwrap().len() == 5, "{expected}");
    // What a caller brings all the same goes nowhere, whatever it is.
    let odd = Tenant { brainstem: Some("a b c"), ..ALL };
    for tenant in [ALL, STRANGER, odd] {
        assert_eq!(ask(&app.app, tenant, By::Get, &json!({"query": LIST, "variables": {}})).await, expected);
    }
    assert!(app.brainstem().log().iter().all(|asked| asked.authorization.is_none()));
}
