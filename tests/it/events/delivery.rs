//! What is told of a change, and to whom.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, Fault, FaultKind};

use super::{
    ALL, BRIEF, animal, brief, change, code,
    socket::{Gateway, Socket},
};
use crate::{
    util::{Builder, TestApp},
    writes::{
        ANIMAL, PROJECT, a_person, animal_id, asked, by_id, create, create_answer, done, legacy, new_animal,
        new_person, person_id, project_id, stored, update, update_answer,
    },
};

/// The kind and id of the next event.
async fn next(socket: &mut Socket) -> Value {
    let event = socket.event().await;
    json!({"kind": change(&event)["kind"], "id": change(&event)["id"]})
}

#[tokio::test]
async fn each_write_of_an_animal_is_told_with_what_it_left() {
    for builder in [TestApp::builder(), legacy()] {
        let gateway = Gateway::of(builder).await;
        let mut socket = gateway.subscribed(ALL, json!({})).await;
        let made = create(&gateway.app, new_animal(&json!({"name": "told"}))).await;
        let event = socket.event().await;
        let told = change(&event);
        assert_eq!((&told["kind"], &told["id"]), (&json!("CREATED"), &made["id"]));
        assert_eq!((&told["subject"]["id"], &told["subject"]["name"]), (&made["id"], &json!("told")));
        assert!(told["at"].as_str().unwrap().ends_with('Z'), "{told}");
        let id = made["id"].as_str().unwrap();
        for description in ["first", "second", "third"] {
            update(&gateway.app, id, json!({"brainStem": {"description": description}})).await;
            let event = socket.event().await;
            assert_eq!(change(&event)["kind"], "UPDATED");
            assert_eq!(change(&event)["subject"]["description"], description);
        }
        done(&by_id(&gateway.app, "subjectDelete", id).await);
        let event = socket.event().await;
        assert_eq!((&change(&event)["kind"], &change(&event)["id"]), (&json!("DELETED"), &made["id"]));
        assert_eq!(change(&event)["subject"], Value::Null);
    }
}

#[tokio::test]
async fn each_write_of_a_person_is_told() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.subscribed(ALL, json!({})).await;
    let made = create(&gateway.app, new_person(&json!({"name": "Told"}))).await;
    let id = made["id"].as_str().unwrap();
    update(&gateway.app, id, json!({"hautAi": {"name": "Told Again"}})).await;
    done(&by_id(&gateway.app, "subjectPhotosClear", id).await);
    done(&by_id(&gateway.app, "subjectMetadataClear", id).await);
    done(&by_id(&gateway.app, "subjectDelete", id).await);
    // Each is read when it is told: the first may show what came of the second already, but nothing older.
    for kind in ["CREATED", "UPDATED", "CLEARED", "CLEARED", "DELETED"] {
        let event = socket.event().await;
        let told = change(&event);
        assert_eq!((&told["kind"], &told["id"]), (&json!(kind), &made["id"]));
        if kind == "UPDATED" {
            assert_eq!(told["subject"]["name"], "Told Again");
        }
        assert_eq!(told["subject"].is_null(), kind == "DELETED", "{told}");
    }
}

#[tokio::test]
async fn many_deletions_are_told_one_by_one_and_those_not_found_not_at_all() {
    let gateway = Gateway::new().await;
    let people: Vec<String> = crate::walk::people(gateway.app.haut_ai())[..2]
        .iter()
        .map(|person| person_id(DATASET_IDS[0], person["id"].as_str().unwrap()))
        .collect();
    let own = [animal(&gateway.app, 0), animal(&gateway.app, 1), people[0].clone(), people[1].clone()];
    let gone = [animal_id(COMPANY_ID), person_id(DATASET_IDS[0], DATASET_IDS[2])];
    let ids: Vec<&String> = own.iter().chain(&gone).chain(&own).collect();
    let mut socket = gateway.subscribed(BRIEF, json!({})).await;
    let query = "mutation($ids: [ID!]!) { subjectsDelete(ids: $ids) { results { deleted } } }";
    let answer = gateway.app.query_with(query, json!({"ids": ids})).await;
    assert_eq!(answer.data()["subjectsDelete"]["results"].as_array().unwrap().len(), 10);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(next(&mut socket).await);
    }
    assert_eq!(
        told.iter().map(Value::to_string).collect::<BTreeSet<_>>(),
        own.iter().map(|id| brief("DELETED", id).to_string()).collect()
    );
    let last = animal(&gateway.app, 5);
    gateway.purge(json!({"ids": [&last]})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &last));
}

#[tokio::test]
async fn what_was_not_carried_out_is_not_told() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.subscribed(BRIEF, json!({})).await;
    let app = &gateway.app;
    let (person, _) = a_person(app);
    let missing = animal_id(COMPANY_ID);
    for id in [&missing, &person_id(FOREIGN_DATASET_ID, DATASET_IDS[2])] {
        assert!(!by_id(app, "subjectDelete", id).await.data()["written"]["userErrors"].as_array().unwrap().is_empty());
    }
    update_answer(app, &missing, json!({"brainStem": {"tags": []}})).await;
    update_answer(app, &person, json!({"hautAi": {"name": ""}})).await;
    update_answer(app, &animal_id(ANIMAL), json!({"brainStem": {"sex": "OTHER"}})).await;
    create_answer(app, new_animal(&json!({"strainId": null}))).await;
    create_answer(app, new_animal(&json!({"name": stored(app.brainstem(), "subjects", ANIMAL)["name"]}))).await;
    for status in [429, 409, 403] {
        let refused = FaultKind::Status(status, "{}".to_owned(), Vec::new());
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(refused).on_method("PATCH")]);
        update_answer(app, &animal_id(ANIMAL), json!({"brainStem": {"tags": []}})).await;
    }
    app.brainstem().set_knobs(|knobs| knobs.faults.clear());
    let id = animal_id(ANIMAL);
    update(app, &id, json!({"brainStem": {"tags": []}})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &id));
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_told_by_what_a_look_shows() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.subscribed(ALL, json!({})).await;
    let app = &gateway.app;
    let id = animal_id(ANIMAL);
    let fault = |method: &str, kind| {
        let fault = Fault::new(kind).on_method(method).times(1);
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![fault]);
    };
    let unknown = [("WRITE_OUTCOME_UNKNOWN".to_owned(), json!(["written"]))];
    // Carried out, and nobody heard of it.
    fault("PATCH", FaultKind::Truncate);
    let answer = update_answer(app, &id, json!({"brainStem": {"description": "unheard"}})).await;
    assert_eq!(answer.codes(), unknown);
    let event = socket.event().await;
    assert_eq!((&change(&event)["kind"], &change(&event)["id"]), (&json!("UPDATED"), &json!(id)));
    assert_eq!(change(&event)["subject"]["description"], "unheard");
    // Never carried out.
    fault("DELETE", FaultKind::Reset);
    assert_eq!(by_id(app, "subjectDelete", &id).await.codes(), unknown);
    assert_eq!(next(&mut socket).await, brief("UPDATED", &id));
    fault("DELETE", FaultKind::Truncate);
    by_id(app, "subjectDelete", &id).await;
    // A DELETE's answer may have nothing to break off: it is gone in any case.
    assert_eq!(next(&mut socket).await, brief("DELETED", &id));
    // What was made has no name that anybody could tell.
    fault("POST", FaultKind::Truncate);
    assert_eq!(create_answer(app, new_animal(&json!({}))).await.codes(), unknown);
    let last = animal(app, 5);
    gateway.purge(json!({"ids": [&last]})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &last));
}

#[tokio::test]
async fn a_subscriber_hears_of_what_it_asked_for() {
    let gateway = Gateway::new().await;
    let (person, _) = a_person(&gateway.app);
    let (own, other) = (animal(&gateway.app, 0), animal(&gateway.app, 1));
    let table = [
        ("all", json!({}), vec![&own, &person, &other]),
        ("nulls", json!({"ids": null, "sources": null}), vec![&own, &person, &other]),
        ("own", json!({"ids": [&own, &own, animal_id(COMPANY_ID)]}), vec![&own]),
        ("people", json!({"sources": ["HAUT_AI"]}), vec![&person]),
        ("both", json!({"sources": ["BRAINSTEM", "HAUT_AI", "BRAINSTEM"]}), vec![&own, &person, &other]),
        ("person", json!({"ids": [&own, &person], "sources": ["HAUT_AI"]}), vec![&person]),
        ("nobody", json!({"ids": []}), vec![]),
        ("nowhere", json!({"sources": []}), vec![]),
        ("never", json!({"ids": [&own], "sources": ["HAUT_AI"]}), vec![]),
    ];
    let mut socket = gateway.socket().await;
    for (name, variables, _) in &table {
        socket.subscribe(name, BRIEF, variables.clone()).await;
    }
    socket.settle().await;
    for id in [&own, &person, &other] {
        gateway.purge(json!({"ids": [id]})).await;
    }
    let mut heard: Vec<(String, String)> = Vec::new();
    let expected: usize = table.iter().map(|(_, _, expected)| expected.len()).sum();
    // Two more rounds: whatever should not have been told would come meanwhile.
    for _ in 0..2 {
        gateway.purge(json!({"ids": [animal(&gateway.app, 7)]})).await;
    }
    while heard.len() < expected + 2 * 3 {
        let message = socket.next().await;
        let id = change(&message["payload"])["id"].as_str().unwrap().to_owned();
        heard.push((message["id"].as_str().unwrap().to_owned(), id));
    }
    let last = animal(&gateway.app, 7);
    for (name, _, expected) in table {
        let told = heard.iter().filter(|(to, id)| to == name && *id != last).map(|(_, id)| id);
        assert_eq!(told.collect::<Vec<_>>(), expected, "{name}");
    }
}

#[tokio::test]
async fn arguments_that_cannot_be_are_refused_before_anything_runs() {
    let gateway = Gateway::new().await;
    let id = animal_id(ANIMAL);
    let many: Vec<&str> = std::iter::repeat_n(id.as_str(), 1_001).collect();
    let mut socket = gateway.socket().await;
    gateway.app.clear_logs();
    for (ids, named) in [
        (json!(many), "`ids` has 1001 ids: expected at most 1000"),
        (json!([id, "nonsense"]), "`ids[1]` is not an id"),
        (json!([project_id(PROJECT)]), "`ids[0]` is the id of a Project"),
        (json!([ANIMAL]), "`ids[0]` is not an id"),
    ] {
        socket.subscribe("1", BRIEF, json!({"ids": ids})).await;
        let refused = socket.next().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("1")), "{refused}");
        assert_eq!(code(&refused["payload"]), "BAD_USER_INPUT");
        assert!(refused["payload"][0]["message"].as_str().unwrap().contains(named), "{refused}");
    }
    let unknown = "subscription { subjectChanged(sources: [ELSEWHERE]) { id } }";
    for (query, variables) in
        [(unknown, json!({})), (BRIEF, json!({"sources": ["ELSEWHERE"]})), (BRIEF, json!({"ids": 5.5}))]
    {
        socket.subscribe("1", query, variables).await;
        assert_eq!(socket.next().await["type"], "error");
    }
    assert_eq!(asked(&gateway.app), 0);
    // As many as may be.
    socket.subscribe("1", BRIEF, json!({"ids": &many[1..]})).await;
    socket.settle().await;
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &id));
}

#[tokio::test]
async fn what_lies_outside_of_the_configuration_is_never_told_and_never_asked_for() {
    let gateway = Gateway::of(TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0])).await;
    let (person, source_id) = a_person(&gateway.app);
    let elsewhere = person_id(DATASET_IDS[1], &source_id);
    let of_another = crate::writes::person_of(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID, &source_id);
    let outside = [elsewhere, of_another, person_id(FOREIGN_DATASET_ID, &source_id)];
    let mut socket = gateway.subscribed(BRIEF, json!({"ids": [&outside[0], &outside[1], &outside[2], &person]})).await;
    gateway.app.clear_logs();
    gateway.purge(json!({"ids": outside})).await;
    gateway.purge(json!({"ids": [&person]})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &person));
    gateway.purge(json!({"source": "HAUT_AI"})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &person));
    gateway.purge(json!({"ids": [&person]})).await;
    assert_eq!(next(&mut socket).await, brief("UPDATED", &person));
    let log = gateway.app.haut_ai().take_log();
    let is_own = |path: &str| path.contains(&format!("/datasets/{}/", DATASET_IDS[0]));
    assert!(!log.is_empty() && log.iter().all(|request| is_own(&request.path)), "{log:#?}");
}

#[tokio::test]
async fn an_event_is_an_answer_like_any_other() {
    let gateway = Gateway::new().await;
    let id = animal_id(ANIMAL);
    let query = "subscription Changes($only: [ID!], $with: Boolean = false) { \
        changed: subjectChanged(ids: $only) { __typename ...What who: subject { \
        ... on Subject { projects { name } tags @include(if: $with) number: sourceId } } } } \
        fragment What on SubjectChange { what: kind }";
    let mut socket = gateway.subscribed(query, json!({"only": [&id]})).await;
    gateway.purge(json!({"ids": [&id]})).await;
    let event = socket.event().await;
    let who = &event["data"]["changed"]["who"];
    assert!(who["projects"][0]["name"].is_string(), "{event}");
    let expected = json!({"data": {"changed": {"__typename": "SubjectChange", "what": "UPDATED",
        "who": {"projects": who["projects"], "number": ANIMAL}}}});
    // As text: in the order of the query, and nothing else beside the data.
    assert_eq!(event.to_string(), expected.to_string());
}

#[tokio::test]
async fn a_subject_that_cannot_be_read_is_told_with_an_error_and_the_stream_goes_on() {
    let gateway = Gateway::new().await;
    let (id, other) = (animal_id(ANIMAL), animal(&gateway.app, 1));
    let mut socket = gateway.subscribed(ALL, json!({})).await;
    let fault = Fault::new(FaultKind::Html(503)).on_method("GET");
    gateway.app.brainstem().set_knobs(|knobs| knobs.faults = vec![fault]);
    update_answer(&gateway.app, &id, json!({"brainStem": {"description": "unseen"}})).await;
    gateway.purge(json!({"ids": [&other]})).await;
    for id in [&id, &other] {
        let event = socket.event().await;
        let told = &event["data"]["subjectChanged"];
        assert_eq!((&told["kind"], &told["id"]), (&json!("UPDATED"), &json!(id)), "{event}");
        if id == &other {
            assert_eq!(told["subject"], Value::Null);
            assert_eq!(code(&event["errors"]), "UPSTREAM_UNAVAILABLE");
            assert_eq!(event["errors"][0]["path"], json!(["subjectChanged", "subject"]));
            assert_eq!(event["errors"][0]["extensions"]["source"], "BRAINSTEM");
        }
    }
    gateway.app.brainstem().set_knobs(|knobs| knobs.faults.clear());
    gateway.purge(json!({"ids": [&id]})).await;
    let event = socket.event().await;
    assert_eq!(change(&event)["subject"]["description"], "unseen");
}

fn alone() -> Builder {
    TestApp::builder().without_haut_ai()
}

#[tokio::test]
async fn many_subscribers_cost_one_read_an_event() {
    let gateway = Gateway::of(alone()).await;
    let mut sockets = Vec::new();
    for _ in 0..6 {
        sockets.push(gateway.subscribed(ALL, json!({})).await);
    }
    let mut stream = gateway.stream(ALL, json!({})).await;
    let id = animal_id(ANIMAL);
    for round in 0..3 {
        gateway.app.clear_logs();
        gateway.app.brainstem().change("subjects", ANIMAL, |record| record["description"] = json!(round.to_string()));
        gateway.purge(json!({"ids": [&id]})).await;
        for socket in &mut sockets {
            assert_eq!(change(&socket.event().await)["subject"]["description"], round.to_string());
        }
        assert_eq!(change(&stream.event().await)["subject"]["description"], round.to_string());
        assert_eq!(asked(&gateway.app), 1);
    }
}

#[tokio::test]
async fn events_come_in_order() {
    let gateway = Gateway::of(alone()).await;
    let ids: Vec<String> = (0..60).map(|number| animal(&gateway.app, number)).collect();
    let mut socket = gateway.subscribed(ALL, json!({})).await;
    for id in &ids {
        gateway.purge(json!({"ids": [id]})).await;
    }
    let mixed: Vec<&String> = ids.iter().rev().collect();
    gateway.purge(json!({"ids": mixed})).await;
    let mut at = String::new();
    for id in ids.iter().chain(mixed) {
        let event = socket.event().await;
        assert_eq!(change(&event)["id"], json!(id));
        let told = change(&event)["at"].as_str().unwrap().to_owned();
        assert!(told.len() < 20 || told >= at, "{told} after {at}");
        at = told;
    }
}
