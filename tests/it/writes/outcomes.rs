//! Whether a write was carried out: told for certain, or told to be unknown; and never sent twice.

use std::time::Duration;

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind, HAUT_AI_PASSWORD, HAUT_AI_USERNAME};
use tokio::net::TcpListener;

use super::{
    ANIMAL, PROJECT, a_person, animal_id, by_id, create_answer, done, new_animal, new_person, stored, update_answer,
    writes,
};
use crate::util::{Answer, Builder, TestApp, to_path};

const UNKNOWN: &str = "WRITE_OUTCOME_UNKNOWN";

fn status(status: u16) -> FaultKind {
    FaultKind::Status(status, json!({"detail": "SECRET"}).to_string(), vec![("retry-after".to_owned(), "7".to_owned())])
}

/// How an upstream behaves, the code that the caller sees, and whether it may be tried again.
fn behaviours() -> Vec<(FaultKind, &'static str, bool)> {
    vec![
        (FaultKind::Reset, UNKNOWN, false),
        (FaultKind::Hang, UNKNOWN, false),
        (status(500), UNKNOWN, false),
        (FaultKind::Html(502), UNKNOWN, false),
        (status(503), UNKNOWN, false),
        (FaultKind::Html(504), UNKNOWN, false),
        (status(429), "RATE_LIMITED", true),
        (status(409), "CONFLICT", false),
        (status(401), "UPSTREAM_ERROR", false),
        (status(403), "UPSTREAM_ERROR", false),
        (status(405), "UPSTREAM_ERROR", false),
        (FaultKind::Html(414), "UPSTREAM_ERROR", false),
        (FaultKind::Redirect("/elsewhere/".to_owned()), "UPSTREAM_INVALID_RESPONSE", false),
    ]
}

fn check(answer: &Answer, code: &str, retryable: bool, source: &str) {
    let errors = answer.errors();
    assert_eq!((errors.len(), &answer.0["data"]["written"]), (1, &Value::Null), "{}", answer.0);
    let extensions = &errors[0]["extensions"];
    assert_eq!(extensions["code"], code);
    assert_eq!((&extensions["retryable"], &extensions["source"]), (&json!(retryable), &json!(source)));
    assert!(!answer.0.to_string().contains("SECRET") && !answer.0.to_string().contains("127.0.0.1"));
    if code == UNKNOWN {
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains("may or may not") && message.contains("before you repeat"), "{message}");
    }
}

fn hasty() -> Builder {
    let builder = TestApp::builder().set("HAUT_AI_TIMEOUT_MS", "1000").set("BRAINSTEM_TIMEOUT_MS", "1000");
    // However often it fails.
    builder.set("LIMITS_UPSTREAM_PAUSE_MS", "0")
}

#[tokio::test]
async fn brainstem_is_sent_every_write_once() {
    let app = hasty().build().await;
    for (kind, code, retryable) in behaviours() {
        app.brainstem().set_knobs(|knobs| {
            let faults = ["POST", "PATCH", "DELETE"].map(|method| Fault::new(kind.clone()).on_method(method));
            knobs.faults = faults.to_vec();
        });
        app.clear_logs();
        let id = animal_id(ANIMAL);
        check(&create_answer(&app, new_animal(&json!({}))).await, code, retryable, "BRAINSTEM");
        check(&update_answer(&app, &id, json!({"brainStem": {"tags": []}})).await, code, retryable, "BRAINSTEM");
        check(&by_id(&app, "subjectDelete", &id).await, code, retryable, "BRAINSTEM");
        assert_eq!(app.brainstem().take_log().len(), 3, "{kind:?}");
    }
}

#[tokio::test]
async fn haut_ai_is_sent_every_write_once() {
    let app = hasty().build().await;
    let (id, _) = a_person(&app);
    for (kind, code, retryable) in behaviours() {
        app.haut_ai().set_knobs(|knobs| {
            let faults = ["POST", "PATCH", "DELETE"].map(|method| Fault::new(kind.clone()).on_method(method));
            knobs.faults = faults.to_vec();
        });
        app.clear_logs();
        check(&create_answer(&app, new_person(&json!({}))).await, code, retryable, "HAUT_AI");
        check(&update_answer(&app, &id, json!({"hautAi": {"name": "x"}})).await, code, retryable, "HAUT_AI");
        for mutation in ["subjectDelete", "subjectPhotosClear", "subjectMetadataClear"] {
            check(&by_id(&app, mutation, &id).await, code, retryable, "HAUT_AI");
        }
        assert_eq!(app.haut_ai().take_log().len(), 5, "{kind:?}");
    }
}

#[tokio::test]
async fn a_write_has_a_connection_of_its_own() {
    let app = TestApp::new().await;
    app.query("{ projects(first: 1) { nodes { name } } }").await.data();
    app.query("{ strains(first: 1) { nodes { name } } }").await.data();
    for name in ["one", "two"] {
        done(&create_answer(&app, new_animal(&json!({"name": name}))).await);
    }
    let log = app.brainstem().take_log();
    let connections: Vec<_> = writes(&log).iter().map(|request| request.connection).collect();
    let reads: Vec<_> =
        log.iter().filter(|request| request.method == "GET").map(|request| request.connection).collect();
    assert_eq!((reads.len(), reads[0]), (2, reads[1]), "reads share one");
    assert!(connections[0] != connections[1] && !reads.contains(&connections[0]), "{log:#?}");
}

#[tokio::test]
async fn what_was_never_sent_is_certain() {
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let app = TestApp::builder().set("BRAINSTEM_URL", &url).set("HAUT_AI_URL", &url).build().await;
    check(&create_answer(&app, new_animal(&json!({}))).await, "UPSTREAM_UNAVAILABLE", true, "BRAINSTEM");
    check(&create_answer(&app, new_person(&json!({}))).await, "UPSTREAM_UNAVAILABLE", true, "HAUT_AI");
    // Without a login there is nothing to send it with.
    for (kind, code) in [(FaultKind::Hang, "UPSTREAM_TIMEOUT"), (status(503), "UPSTREAM_UNAVAILABLE")] {
        let app = with_login().set("HAUT_AI_TIMEOUT_MS", "500").build().await;
        app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(kind).on_path("/auth/")));
        check(&create_answer(&app, new_person(&json!({}))).await, code, true, "HAUT_AI");
        assert_eq!(writes(&app.haut_ai().take_log()).len(), 0);
    }
    let app = with_login().set("LIMITS_DEADLINE_MS", "200").build().await;
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Hang).on_path("/auth/")));
    check(&create_answer(&app, new_person(&json!({}))).await, "DEADLINE_EXCEEDED", true, "HAUT_AI");
}

#[tokio::test]
async fn a_deadline_that_ends_while_a_write_is_on_its_way_leaves_it_unknown() {
    let app = TestApp::builder().set("LIMITS_DEADLINE_MS", "700").build().await;
    app.brainstem().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Hang)));
    let query = "mutation($a: SubjectCreateInput!, $id: ID!) { \
        a: subjectCreate(input: $a) { userErrors { code } } b: subjectDelete(id: $id) { deletedId } }";
    let variables = json!({"a": new_animal(&json!({})), "id": animal_id(ANIMAL)});
    let answer = app.query_with(query, variables).await;
    let expected = [(UNKNOWN.to_owned(), json!(["a"])), ("DEADLINE_EXCEEDED".to_owned(), json!(["b"]))];
    assert_eq!(answer.codes(), expected);
    assert_eq!(writes(&app.brainstem().take_log()).len(), 1, "the second one was not sent");
}

#[tokio::test]
async fn a_success_that_does_not_say_what_was_made_is_unknown() {
    let app = TestApp::new().await;
    for body in ["{}", "[]", "oops", "{\"subject\":{\"name\":\"x\"}}"] {
        let made = FaultKind::Status(201, body.to_owned(), Vec::new());
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(made.clone()).on_method("POST")]);
        app.haut_ai().set_knobs(|knobs| knobs.faults = vec![Fault::new(made).on_method("POST")]);
        check(&create_answer(&app, new_animal(&json!({}))).await, UNKNOWN, false, "BRAINSTEM");
        check(&create_answer(&app, new_person(&json!({}))).await, UNKNOWN, false, "HAUT_AI");
    }
}

fn with_login() -> Builder {
    TestApp::builder()
        .unset("HAUT_AI_TOKEN")
        .unset("HAUT_AI_COMPANY_ID")
        .set("HAUT_AI_USERNAME", HAUT_AI_USERNAME)
        .set("HAUT_AI_PASSWORD", HAUT_AI_PASSWORD)
        .set("HAUT_AI_DATASET_IDS", DATASET_IDS[0])
}

#[tokio::test]
async fn a_401_under_a_login_is_the_one_reason_to_send_again() {
    let app = with_login().build().await;
    done(&create_answer(&app, new_person(&json!({}))).await);
    app.haut_ai().revoke_logins();
    app.clear_logs();
    let before = app.haut_ai().records("subjects").len();
    done(&create_answer(&app, new_person(&json!({"name": "Once"}))).await);
    let log = app.haut_ai().take_log();
    let statuses: Vec<_> = writes(&log).iter().map(|request| request.status).collect();
    assert_eq!((statuses, to_path(&log, "/auth/login/").len()), (vec![401, 201], 1));
    assert_eq!(app.haut_ai().records("subjects").len(), before + 1);

    // Once more, and not again and again.
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(status(401)).on_path("/subjects/")));
    check(&create_answer(&app, new_person(&json!({}))).await, "UPSTREAM_ERROR", false, "HAUT_AI");
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 2);
}

#[tokio::test]
async fn a_second_sending_may_be_the_one_of_which_nobody_knows() {
    let app = with_login().build().await;
    done(&create_answer(&app, new_person(&json!({}))).await);
    app.clear_logs();
    app.haut_ai().set_knobs(|knobs| {
        knobs.faults = vec![
            Fault::new(status(401)).on_method("POST").on_path("/subjects/").times(1),
            Fault::new(FaultKind::Reset).on_method("POST").on_path("/subjects/"),
        ];
    });
    check(&create_answer(&app, new_person(&json!({}))).await, UNKNOWN, false, "HAUT_AI");
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 2);
    // A login that fails after the 401: the write was not carried out, for certain.
    app.haut_ai().set_knobs(|knobs| {
        knobs.faults = vec![
            Fault::new(status(401)).on_method("POST").on_path("/subjects/").times(1),
            Fault::new(status(503)).on_path("/auth/"),
        ];
    });
    check(&create_answer(&app, new_person(&json!({}))).await, "UPSTREAM_UNAVAILABLE", true, "HAUT_AI");
    assert_eq!(writes(&app.haut_ai().take_log()).len(), 1);
}

#[tokio::test]
async fn reads_after_an_unknown_outcome_show_what_became_of_it() {
    // Both carry the write out, and nobody hears of it.
    for kind in [FaultKind::Truncate, FaultKind::SlowBytes(Duration::from_secs(2))] {
        let app = hasty().build().await;
        let id = animal_id(ANIMAL);
        let read = "query($id: ID!, $project: ID!) { node(id: $id) { ... on Subject { description } } \
            project(id: $project) { subjectIds } subjects(first: 0) { totalCount } }";
        let variables = json!({"id": id, "project": super::project_id(PROJECT)});
        let warm = app.query_with(read, variables.clone()).await;
        assert_ne!(warm.data()["node"]["description"], "unheard");
        let fault = |method| Fault::new(kind.clone()).on_method(method).times(1);
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![fault("PATCH"), fault("POST")]);
        let changed = update_answer(&app, &id, json!({"brainStem": {"description": "unheard"}})).await;
        check(&changed, UNKNOWN, false, "BRAINSTEM");
        let made = create_answer(&app, new_animal(&json!({}))).await;
        check(&made, UNKNOWN, false, "BRAINSTEM");
        let after = app.query_with(read, variables).await;
        assert_eq!(after.data()["node"]["description"], "unheard", "{kind:?}");
        assert_eq!(after.data()["subjects"]["totalCount"], 217 + 301);
        let subjects = stored(app.brainstem(), "projects", PROJECT)["subjects"].as_array().unwrap().len();
        assert_eq!(after.data()["project"]["subjectIds"].as_array().unwrap().len(), subjects);
    }
}

#[tokio::test]
async fn a_write_that_is_carried_out_after_all_is_seen_although_it_was_read_meanwhile() {
    let app = hasty().build().await;
    let id = animal_id(ANIMAL);
    let read = "query($id: ID!) { node(id: $id) { ... on Subject { description } } \
        subjects(first: 100, filter: {sources: [BRAINSTEM]}) { totalCount } }";
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Hang).on_method("PATCH")]);
    let changed = update_answer(&app, &id, json!({"brainStem": {"description": "late"}})).await;
    check(&changed, UNKNOWN, false, "BRAINSTEM");
    let meanwhile = app.query_with(read, json!({"id": id})).await;
    assert_ne!(meanwhile.data()["node"]["description"], "late");
    // The server comes to it only now.
    let mut record = stored(app.brainstem(), "subjects", ANIMAL);
    record["description"] = json!("late");
    app.brainstem().remove("subjects", ANIMAL);
    app.brainstem().insert("subjects", record);
    app.brainstem().insert("subjects", json!({"id": PROJECT, "name": "by another"}));
    let after = app.query_with(read, json!({"id": id})).await;
    let expected = json!({"node": {"description": "late"}, "subjects": {"totalCount": 301}});
    assert_eq!(after.data(), &expected);
}

#[tokio::test]
async fn under_a_suspicion_only_what_it_is_about_is_asked_again() {
    let app = hasty().build().await;
    let id = animal_id(ANIMAL);
    let read = "query($id: ID!) { node(id: $id) { id } strains(first: 1) { nodes { id } } datasets { id } }";
    app.query_with(read, json!({"id": id})).await.data();
    app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Reset).on_method("PATCH")]);
    update_answer(&app, &id, json!({"brainStem": {"description": "x"}})).await;
    for _ in 0..2 {
        app.clear_logs();
        app.query_with(read, json!({"id": id})).await.data();
        let paths: Vec<_> = app.brainstem().take_log().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, [format!("/api/private/stem/subject/{ANIMAL}/")]);
        assert_eq!(app.haut_ai().take_log().len(), 0);
    }
}
