//! `POST /admin/purge`: what changed without the gateway is forgotten, and told.

use std::{collections::BTreeSet, time::Duration};

use axum::{body::Body, http::Method};
use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind};

use super::{
    BRIEF, animal, brief, change,
    socket::{Gateway, soon},
};
use crate::{
    http,
    util::TestApp,
    writes::{ANIMAL, a_person, animal_id, asked, person_id, project_id},
};

const EVERYTHING: &str = "query($animal: ID!, $person: ID!) { \
    animal: node(id: $animal) { ... on Subject { description projects { name } } } \
    person: node(id: $person) { ... on Subject { name biologicalSex { name } } } \
    subjects(first: 5) { totalCount nodes { id } } strains(first: 2) { nodes { name } } datasets { name } }";

/// What reading everything asks of Haut.AI and of BrainSTEM.
async fn read(app: &TestApp) -> (usize, usize) {
    app.clear_logs();
    let variables = json!({"animal": animal_id(ANIMAL), "person": a_person(app).0});
    app.query_with(EVERYTHING, variables).await.data();
    (app.haut_ai().take_log().len(), app.brainstem().take_log().len())
}

#[tokio::test]
async fn what_was_purged_is_asked_for_again() {
    let gateway = Gateway::new().await;
    let app = &gateway.app;
    let cold = read(app).await;
    assert!(cold.0 > 3 && cold.1 > 3, "{cold:?}");
    assert_eq!(read(app).await, (0, 0));
    // By one id: it, all lists, and what no write of ours changes; of its source alone.
    assert!(gateway.purge(json!({"ids": [animal_id(ANIMAL)]})).await > 0);
    assert_eq!(read(app).await, (0, cold.1));
    assert!(gateway.purge(json!({"ids": [a_person(app).0]})).await > 0);
    assert_eq!(read(app).await, (cold.0, 0));
    // An id of something else than a subject will do.
    gateway.purge(json!({"ids": [project_id(crate::writes::PROJECT)]})).await;
    let (none, some) = read(app).await;
    assert!(none == 0 && some == cold.1 - 1, "the subject itself is kept: {some} of {}", cold.1);
    for (source, expected) in [("HAUT_AI", (cold.0, 0)), ("BRAINSTEM", (0, cold.1))] {
        assert!(gateway.purge(json!({ "source": source })).await > 0);
        assert_eq!(read(app).await, expected, "{source}");
        assert_eq!(read(app).await, (0, 0));
    }
    gateway.purge(json!({"ids": []})).await;
    assert_eq!(read(app).await, (0, 0));
    // Others than those named are kept.
    let other = animal(app, 3);
    app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({"id": other})).await.data();
    gateway.purge(json!({"ids": [animal_id(ANIMAL)]})).await;
    app.clear_logs();
    app.query_with("query($id: ID!) { node(id: $id) { id } }", json!({"id": other})).await.data();
    assert_eq!(asked(app), 0);
}

#[tokio::test]
async fn what_changed_is_told_by_what_a_look_shows() {
    let gateway = Gateway::new().await;
    let app = &gateway.app;
    let (person, person_source) = a_person(app);
    let (gone, kept) = (animal(app, 2), animal_id(ANIMAL));
    let mut socket = gateway.subscribed(BRIEF, json!({})).await;
    let gone_source = crate::walk::animals(app.brainstem())[2]["id"].as_str().unwrap().to_owned();
    // In the cache as they were.
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    app.query_with(nodes, json!({"ids": [&gone, &kept, &person]})).await.data();
    app.brainstem().remove("subjects", &gone_source);
    app.haut_ai().remove("subjects", &person_source);
    app.brainstem().change("subjects", ANIMAL, |record| record["description"] = json!("changed elsewhere"));
    let project = project_id(crate::writes::PROJECT);
    gateway.purge(json!({"ids": [&kept, &gone, &project, &person, &kept, animal(app, 0)]})).await;
    // A source's own in the order given; each once.
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.push(change(&socket.event().await).clone());
    }
    let of_animals: Vec<&Value> = heard.iter().filter(|told| told["id"] != *person).collect();
    assert_eq!(of_animals, [&brief("UPDATED", &kept), &brief("DELETED", &gone), &brief("UPDATED", &animal(app, 0))]);
    assert!(heard.contains(&brief("DELETED", &person)), "{heard:?}");
    let answer = app.query_with(nodes, json!({"ids": [&gone, &person]})).await;
    assert_eq!(answer.data()["nodes"], json!([null, null]));
}

#[tokio::test]
async fn a_whole_source_is_told_to_those_who_may_have_seen_some_of_it() {
    let gateway = Gateway::new().await;
    let app = &gateway.app;
    let (person, _) = a_person(app);
    let never_read = [animal(app, 10), person_id(DATASET_IDS[0], DATASET_IDS[2])];
    let mut socket = gateway.socket().await;
    socket.subscribe("all", BRIEF, json!({})).await;
    socket.subscribe("named", BRIEF, json!({"ids": [&never_read[0], &person, &never_read[1]]})).await;
    socket.settle().await;
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let in_cache = [animal(app, 20), animal(app, 21)];
    app.query_with(nodes, json!({"ids": [&in_cache[0], &in_cache[1], &person]})).await.data();
    gateway.purge(json!({"source": "BRAINSTEM"})).await;
    gateway.purge(json!({"ids": [&person]})).await;
    let (mut all, mut named) = (BTreeSet::new(), Vec::new());
    // Both hear of the person at last.
    let mut ends = 0;
    while ends < 2 {
        let message = socket.next().await;
        let told = change(&message["payload"]);
        assert_eq!(told["kind"], "UPDATED");
        let id = told["id"].as_str().unwrap().to_owned();
        ends += usize::from(id == person);
        if message["id"] == "all" {
            all.insert(id);
        } else {
            named.push(id);
        }
    }
    assert_eq!(named, [never_read[0].clone(), person]);
    assert!(in_cache.iter().all(|id| all.contains(id)) && !all.contains(&never_read[0]), "{all:?}");
    // Named, of that source, and not there.
    gateway.purge(json!({"source": "HAUT_AI"})).await;
    let mut deleted = 0;
    while deleted == 0 {
        let message = socket.next().await;
        if message["id"] == "named" && change(&message["payload"]) == &brief("DELETED", &never_read[1]) {
            deleted += 1;
        }
    }
}

#[tokio::test]
async fn what_is_no_purge_is_told_so() {
    let gateway = Gateway::new().await;
    let id = animal_id(ANIMAL);
    for (body, named) in [
        (json!({}), "Expected {\"ids\""),
        (json!({"ids": [&id], "source": "HAUT_AI"}), "Expected {\"ids\""),
        (json!({"ids": [&id], "why": "x"}), "Expected {\"ids\""),
        (json!({"ids": &id}), "Expected {\"ids\""),
        (json!({"ids": null, "source": null}), "Expected {\"ids\""),
        (json!([&id]), "Expected {\"ids\""),
        (json!("text"), "Expected {\"ids\""),
        (json!({"source": "ELSEWHERE"}), "`source` is not a source"),
        (json!({"source": "haut_ai"}), "`source` is not a source"),
        (json!({"ids": [&id, "nonsense"]}), "`ids[1]` is not an id"),
        (json!({"ids": [ANIMAL]}), "`ids[0]` is not an id"),
    ] {
        let answer = gateway.purge_answer(&body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "BAD_USER_INPUT"), "{body}");
        assert!(answer.message().contains(named), "{body} {}", answer.message());
    }
    let ask = async |method, content_type: &str, body: &'static str| {
        let request = http::request(method, "/admin/purge").header("content-type", content_type);
        http::send(gateway.app.app.front(), request.body(Body::from(body)).unwrap()).await
    };
    let answer = ask(Method::POST, "application/json", "{").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "BAD_USER_INPUT"));
    assert_eq!(ask(Method::POST, "text/plain", "{\"source\":\"HAUT_AI\"}").await.status, 415);
    let answer = ask(Method::GET, "application/json", "").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    assert_eq!(answer.code(), "BAD_USER_INPUT");
}

#[tokio::test]
async fn nobody_purges_who_is_not_vouched_for() {
    let gateway = Gateway::of(TestApp::builder().set("GATEWAY_AUTH_NONE_ANYWHERE", "true")).await;
    for body in [json!({"source": "HAUT_AI"}), json!({"nonsense": 1})] {
        let answer = gateway.purge_answer(&body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "FORBIDDEN"));
        assert!(answer.message().contains("`admin`"));
    }
}

#[tokio::test]
async fn a_read_under_way_is_neither_kept_nor_joined() {
    for purge in [json!({"ids": [animal_id(ANIMAL)]}), json!({"source": "BRAINSTEM"})] {
        let gateway = Gateway::new().await;
        let app = &gateway.app;
        let query =
            "query($id: ID!) { node(id: $id) { ... on Subject { description } } strains(first: 1) { nodes { id } } }";
        let variables = json!({"id": animal_id(ANIMAL)});
        // Both levels of it are read before the purge, and answered after the second read.
        let slow = |path| Fault::new(FaultKind::Delay(Duration::from_millis(400))).on_path(path).times(1);
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![slow("/subject/"), slow("/strain/")]);
        let first = app.query_with(query, variables.clone());
        let second = async {
            while app.brainstem().log().len() < 2 {
                tokio::task::yield_now().await;
            }
            gateway.purge(purge.clone()).await;
            let answer = app.query_with(query, variables.clone()).await;
            assert_eq!(app.brainstem().log().len(), 4, "{purge}");
            answer
        };
        let (first, second) = soon(async { tokio::join!(first, second) }).await;
        assert_eq!(first.data(), second.data());
        // The second one's is kept; and where the first one ended last, it did not take its place.
        app.brainstem().change("subjects", ANIMAL, |record| record["description"] = json!("not asked for"));
        assert_eq!(app.query_with(query, variables.clone()).await.data(), second.data());
        assert_eq!(app.brainstem().log().len(), 4);
    }
}

/// Subjects carry their entry of the dictionary, which is remembered without asking for the dictionary.
#[tokio::test]
async fn what_subjects_taught_is_forgotten_too() {
    let gateway = Gateway::new().await;
    let app = &gateway.app;
    let query = "{ subjects(first: 20, filter: {sources: [HAUT_AI]}) { nodes { biologicalSex { id } } } }";
    let answer = app.query(query).await;
    let nodes = &answer.data()["subjects"]["nodes"];
    let id = nodes.as_array().unwrap().iter().find_map(|node| node["biologicalSex"]["id"].as_str()).unwrap().to_owned();
    let name = async || {
        let query = "query($id: ID!) { node(id: $id) { ... on BiologicalSex { name } } }";
        app.query_with(query, json!({"id": id})).await.data()["node"]["name"].as_str().unwrap().to_owned()
    };
    let before = name().await;
    for entry in app.haut_ai().records("biological_sexes") {
        app.haut_ai().change("biological_sexes", entry["id"].as_str().unwrap(), |entry| {
            entry["name"] = json!(format!("{} (renamed)", entry["name"].as_str().unwrap()));
        });
    }
    assert_eq!(name().await, before, "it is still kept");
    gateway.purge(json!({"source": "HAUT_AI"})).await;
    assert_eq!(name().await, format!("{before} (renamed)"));
}
