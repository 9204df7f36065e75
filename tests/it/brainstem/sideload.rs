//! `include[]`: one request for a list and what it relates to, in either shape, and the same data as without.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use super::{animals, over, values};
use crate::{transport::double::Double, util::TestApp};

const QUERY: &str = "{ subjects(first: 50, filter: {sources: [BRAINSTEM]}) { nodes { id name \
    projects { id name description } \
    procedures(first: 3) { totalCount nodes { id type dateTime details brainRegion { id name } } } \
    strain { id name rrid species { id name } } species { id name } } } }";

async fn app(sideload: bool, nested: bool) -> TestApp {
    let app = animals().set("BRAINSTEM_SIDELOAD", sideload.to_string()).build().await;
    app.brainstem().set_knobs(|knobs| knobs.nested_include = nested);
    app
}

#[tokio::test]
async fn a_list_with_its_relations_takes_one_request_in_both_shapes() {
    let expected = app(false, false).await.query(QUERY).await;
    assert!(expected.data().to_string().contains("\"brainRegion\":{"), "the test needs brain regions");
    for nested in [false, true] {
        let app = app(true, nested).await;
        assert_eq!(app.query(QUERY).await.0, expected.0, "nested: {nested}");
        let log = app.brainstem().take_log();
        assert_eq!(log.len(), 1, "{log:#?}");
        let include = values(&log[0], "include[]");
        assert_eq!(
            include,
            ["projects.*", "procedures.*", "procedures.brain_region.*", "strain.*", "strain.species.*"]
        );
        app.query(QUERY).await.data();
        assert_eq!(app.brainstem().take_log().len(), 0);
    }
}

#[tokio::test]
async fn nothing_is_brought_along_that_the_query_does_not_ask_for() {
    let app = app(true, false).await;
    app.query("{ subjects(first: 5) { nodes { name projectIds procedureIds strainId } } }").await.data();
    let log = app.brainstem().take_log();
    assert_eq!((log.len(), values(&log[0], "include[]")), (1, Vec::<String>::new()));
}

#[tokio::test]
async fn parents_and_other_relations_are_the_same_with_and_without() {
    const QUERY: &str = "{ subjects(first: 100) { nodes { name logs(first: 5) { nodes { type entries { notes } } } \
        licenses { name } supplier { name } breeding { name mother { name } father { name } project { name } } } } }";
    let expected = app(false, false).await.query(QUERY).await;
    for nested in [false, true] {
        assert_eq!(app(true, nested).await.query(QUERY).await.0, expected.0, "nested: {nested}");
    }
    expected.data();
}

#[tokio::test]
async fn a_legacy_server_sideloads_its_actions() {
    const QUERY: &str = "{ subjects(first: 30) { nodes { name projects { name } \
        procedures(first: 5) { nodes { id type brainRegion { name } } } } } }";
    let legacy = || animals().legacy().set("BRAINSTEM_AUTH_SCHEME", "Token");
    let expected = legacy().build().await.query(QUERY).await;
    for nested in [false, true] {
        let app = legacy().set("BRAINSTEM_SIDELOAD", "true").build().await;
        app.brainstem().set_knobs(|knobs| knobs.nested_include = nested);
        assert_eq!(app.query(QUERY).await.data(), expected.data());
        let log = app.brainstem().take_log();
        assert_eq!(log.len(), 1, "{log:#?}");
        assert_eq!(values(&log[0], "include[]"), ["projects.*", "actions.*", "actions.brain_region.*"]);
    }
}

#[tokio::test]
async fn records_embedded_without_being_asked_for_are_taken_as_they_are() {
    let id = |n: u64| format!("00000000-0000-4000-8000-{n:012}");
    let region = json!({"id": id(6), "name": "CA1", "description": ""});
    let subject = json!({"id": id(1), "name": "one",
        "projects": [{"id": id(2), "name": "embedded", "tags": []}],
        "strain": {"id": id(3), "name": "strain", "species": {"id": id(4), "name": "Mus musculus", "rrid": ""}},
        "procedures": [{"id": id(5), "type": "Weighing", "subject": id(1), "brain_region": region}]});
    let upstream = Double::json(move |_| json!({"count": 1, "subjects": [subject]})).await;
    let query = "{ subjects { nodes { projectIds projects { name } strain { name species { name } } \
        procedures { nodes { type brainRegion { name } } } } } }";
    let answer = over(&upstream).await.query(query).await;
    let node: &Value = &answer.data()["subjects"]["nodes"][0];
    assert_eq!(node["projects"], json!([{"name": "embedded"}]));
    assert_eq!(node["strain"], json!({"name": "strain", "species": {"name": "Mus musculus"}}));
    assert_eq!(node["procedures"]["nodes"], json!([{"type": "Weighing", "brainRegion": {"name": "CA1"}}]));
    assert_eq!(node["projectIds"].as_array().unwrap().len(), 1);
    assert_eq!(upstream.requests().len(), 1);
}

/// What a query's only request brings along.
async fn brought(app: &TestApp, query: &str) -> Vec<String> {
    app.query(query).await.data();
    let log = app.brainstem().take_log();
    assert_eq!(log.len(), 1, "{query}: {log:#?}");
    values(&log[0], "include[]")
}

#[tokio::test]
async fn without_a_word_in_the_configuration_a_cold_list_with_its_relations_is_one_request() {
    const Q1: &str = "{ subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { \
        id name sex birthDate projects { id name } procedures { nodes { id type dateTime } } } } }";
    let app = animals().build().await;
    assert_eq!(brought(&app, Q1).await, ["projects.*", "procedures.*"]);
    // What leads back to the list's own records asks for nothing, and what is selected behind it counts for them.
    let app = animals().build().await;
    let back =
        "{ subjects(first: 100) { nodes { procedures { edges { node { subject { id projects { name } } } } } } } }";
    assert_eq!(brought(&app, back).await, ["projects.*", "procedures.*"]);
}

#[tokio::test]
async fn only_records_that_are_selected_come_along() {
    for (selection, expected) in [
        ("projectIds procedures { totalCount pageInfo { hasNextPage } } logs(first: 0) { nodes { id } }", &[][..]),
        ("procedures(type: \"Craniotomy\") { totalCount }", &["procedures.*"]),
        ("a: procedures(first: 0) { nodes { id } } b: procedures(last: 1) { edges { cursor } }", &["procedures.*"]),
        ("...F } } } fragment F on Subject { ... on Subject { projects { __typename } } x: name #", &["projects.*"]),
        ("projects @skip(if: true) { id } species { name }", &["strain.*", "strain.species.*"]),
        ("breeding { mother { strain { name } } }", &["breeding.*", "breeding.mother.*", "breeding.mother.strain.*"]),
    ] {
        let app = animals().build().await;
        let (selection, end) = match selection.strip_suffix('#') {
            Some(selection) => (selection, "}"),
            None => (selection, "} } }"),
        };
        app.query(&format!("{{ subjects(first: 5) {{ nodes {{ {selection} {end}")).await.data();
        assert_eq!(values(&app.brainstem().take_log()[0], "include[]"), expected, "{selection}");
    }
}

#[tokio::test]
async fn every_list_of_brainstem_brings_along_what_is_selected() {
    for (query, expected) in [
        (
            "procedures(first: 9) { nodes { subject { strain { name } } brainRegion { name } licenses { name } } }",
            &["subject.*", "subject.strain.*", "brain_region.*", "licenses.*"][..],
        ),
        (
            "procedures(first: 9) { nodes { subject { procedures { nodes { type } } } } }",
            &["subject.*", "subject.procedures.*"],
        ),
        ("projects(first: 5) { nodes { cohorts { nodes { name project { name } } } } }", &["cohorts.*"]),
        ("projects(first: 1) { nodes { subjects(first: 3, filter: {sex: [MALE]}) { totalCount } } }", &[]),
        ("logs(first: 5) { nodes { subject { name } } }", &["subject.*"]),
        ("strains(first: 5) { nodes { species { name } } }", &["species.*"]),
    ] {
        let [with, without] = [true, false].map(|sideload| app(sideload, false));
        let (with, without) = (with.await, without.await);
        let query = format!("{{ {query} }}");
        let answer = with.query(&query).await;
        let log = with.brainstem().take_log();
        assert_eq!(values(&log[0], "include[]"), expected, "{query}");
        assert!(log.len() == 1 || query.contains("filter"), "{log:#?}");
        assert_eq!(without.query(&query).await.data(), answer.data());
    }
}

#[tokio::test]
async fn a_projects_own_list_brings_along_what_is_selected() {
    let app = animals().build().await;
    let project = app.brainstem().records("projects")[0]["id"].as_str().unwrap().to_owned();
    let id = app.query("{ projects(first: 100) { nodes { id sourceId } } }").await;
    let id =
        id.data()["projects"]["nodes"].as_array().unwrap().iter().find(|node| node["sourceId"] == project).unwrap();
    app.brainstem().clear_log();
    let query = "query($id: ID!) { project(id: $id) { subjects(filter: {hasProcedures: true}) { nodes { \
        strain { name } procedures { nodes { type } } } } } }";
    app.query_with(query, json!({"id": id["id"]})).await.data();
    let log = app.brainstem().take_log();
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!(values(&log[0], "include[]"), ["procedures.*", "strain.*"]);
}

#[tokio::test]
async fn a_list_that_is_kept_is_the_same_list_whatever_came_along() {
    let app = animals().build().await;
    let list = |selection| format!("{{ subjects(first: 50) {{ nodes {{ {selection} }} }} }}");
    app.query(&list("name")).await.data();
    app.brainstem().clear_log();
    app.query(&list("strain { name }")).await.data();
    let log = app.brainstem().take_log();
    assert!(log.len() == 1 && log[0].path.contains("/strain/"), "{log:#?}");
}

#[tokio::test]
async fn what_a_server_leaves_out_is_loaded() {
    let query = "{ subjects(first: 2) { nodes { projects { name } strain { name } } } }";
    let id = |n: u64| format!("00000000-0000-4000-8000-{n:012}");
    for brought in 0..=2 {
        let project = move |n| json!({"id": id(n), "name": format!("p{n}"), "tags": []});
        let upstream = Double::json(move |target| {
            if target.contains("/stem/subject/") {
                let subjects =
                    [1, 2].map(|n| json!({"id": id(n), "name": "s", "projects": [id(8), id(9)], "strain": id(5)}));
                let mut list = json!({"count": 2, "subjects": subjects});
                if brought > 0 {
                    list["projects"] = [8, 9].into_iter().take(brought).map(project).collect();
                }
                list
            } else if target.contains("/stem/project/") && target.matches("id.in").count() == 2 {
                json!({"count": 2, "projects": [project(8), project(9)]})
            } else if target.contains("/stem/project/") {
                json!({"project": project(9)})
            } else {
                json!({"strain": {"id": id(5), "name": "strain"}})
            }
        })
        .await;
        let answer = over(&upstream).await.query(query).await;
        let expected = json!({"projects": [{"name": "p8"}, {"name": "p9"}], "strain": {"name": "strain"}});
        assert_eq!(answer.data()["subjects"]["nodes"], json!([expected, expected]), "{brought}");
        let requests = upstream.requests();
        assert!(requests[0].contains("include%5B%5D=projects.*"), "{requests:?}");
        assert_eq!(requests.len(), if brought == 2 { 2 } else { 3 }, "{requests:?}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_to_bring_along_is_asked_without_and_not_again() {
    let refused = json!({"detail": "\"projects\" is not a valid field name for \"subject\""}).to_string();
    for what in [FaultKind::Status(400, refused, Vec::new()), FaultKind::Html(500), FaultKind::HugeBody(300_000)] {
        let app = animals().set("LIMITS_UPSTREAM_BYTES", "200000").build().await;
        let expected = animals().build().await.query(SMALL).await;
        app.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(what.clone()).on_query("include[]")]);
        assert_eq!(app.query(SMALL).await.data(), expected.data(), "{what:?}");
        let log = app.brainstem().take_log();
        assert_eq!(log.iter().filter(|request| request.query.contains("include")).count(), 1, "{log:#?}");
        app.query("{ subjects(first: 3) { nodes { projects { name } strain { name } } } }").await.data();
        assert!(app.brainstem().take_log().iter().all(|request| !request.query.contains("include")));
    }
}

const SMALL: &str = "{ subjects(first: 4) { nodes { name projects { name } strain { name } } } }";

#[tokio::test]
async fn a_relation_of_which_little_is_shown_is_loaded_by_itself_once_its_size_is_known() {
    let app = animals().empty().build().await;
    let id = |n: usize| format!("00000000-0000-4000-8000-{n:012}");
    for subject in 0..30 {
        let procedures: Vec<_> = (0..20).map(|n| id(1_000 + subject * 20 + n)).collect();
        for procedure in &procedures {
            app.brainstem().insert("procedures", json!({"id": procedure, "type": "Weighing", "subject": id(subject)}));
        }
        app.brainstem().insert(
            "subjects",
            json!({"id": id(subject), "name": format!("s{subject:02}"), "procedures": procedures, "projects": []}),
        );
    }
    let list = |count: u32, shown: u32| {
        format!("{{ subjects(first: {count}) {{ nodes {{ procedures(first: {shown}) {{ nodes {{ type }} }} }} }} }}")
    };
    // Nobody knows yet.
    assert_eq!(brought(&app, &list(21, 1)).await, ["procedures.*"]);
    // 22 of 440 are shown.
    app.query(&list(22, 1)).await.data();
    let log = app.brainstem().take_log();
    assert_eq!((log.len(), values(&log[0], "include[]")), (2, Vec::<String>::new()), "{log:#?}");
    // 230 of 460, and 5 of 100: half of it, and not worth a round trip.
    assert_eq!(brought(&app, &list(23, 10)).await, ["procedures.*"]);
    assert_eq!(brought(&app, &list(5, 1)).await, ["procedures.*"]);
}

#[tokio::test]
async fn nothing_comes_along_where_it_would_be_lost() {
    for (variable, value) in [("CACHE_FRESH_MS", "0"), ("CACHE_MAX_BYTES", "0"), ("BRAINSTEM_SIDELOAD", "false")] {
        let app = animals().set(variable, value).build().await;
        app.query(SMALL).await.data();
        assert!(app.brainstem().take_log().iter().all(|request| !request.query.contains("include")), "{variable}");
    }
    // The gateway filters by tag itself: most of what is read may not be shown.
    let app = animals().build().await;
    app.query("{ subjects(first: 4, filter: {tag: [\"x\"]}) { nodes { strain { name } } } }").await.data();
    assert!(app.brainstem().take_log().iter().all(|request| !request.query.contains("include")));
}
