//! Where a walk could stand still, read too much, or tell something twice.

use std::time::Duration;

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Fault, FaultKind};

use super::{
    ask::List,
    data::{Dice, add_animals, add_dataset, add_people, animal, person},
    record::project_id,
};
use crate::util::TestApp;

/// Both sides draw on one budget while both wait.
#[tokio::test]
async fn two_sides_examine_no_more_than_the_limit_together() {
    let app = TestApp::builder().empty().set("LIMITS_MAX_SCAN", "101").build().await;
    add_people(&app, 5);
    add_animals(&app, 950);
    app.haut_ai().set_knobs(|knobs| knobs.latency = Duration::from_millis(250));
    let late = Fault::new(FaultKind::Delay(Duration::from_millis(600))).on_query("offset=100");
    app.brainstem().set_knobs(|knobs| knobs.faults.push(late));
    // It finds all people, and no animal has it.
    let list = List { filter: json!({"search": "p"}), order: json!({"field": "CREATED_AT"}) };
    let page = list.page(&app, json!({"first": 3})).await;
    assert!(page.has_next);
    let asked = app.brainstem().take_log().len();
    assert!(asked <= 3, "{asked} requests for at most 101 records");
}

#[tokio::test]
async fn the_smallest_scan_gets_on_in_any_order() {
    let app = TestApp::builder().empty().set("LIMITS_MAX_SCAN", "10").build().await;
    add_people(&app, 25);
    add_animals(&app, 25);
    for field in ["NAME", "BIRTH_DATE", "CREATED_AT"] {
        let (list, mut after, mut seen) = (List::ordered(field, "ASC"), Value::Null, 0);
        for pages in 0.. {
            let page = list.page(&app, json!({"first": 100, "after": after})).await;
            seen += page.ids.len();
            if !page.has_next {
                break;
            }
            assert!(page.end != after && pages < 20, "{field} stands still");
            after = page.end;
        }
        assert_eq!(seen, 50, "{field}");
    }
}

/// The limit holds for a source, not for each of its datasets.
#[tokio::test]
async fn datasets_share_the_limit_of_what_is_gathered() {
    let app = TestApp::builder().empty().set("LIMITS_MAX_GATHER", "299").without_brainstem().build().await;
    let mut dice = Dice::new(1);
    for number in 0..10 {
        let dataset = if number == 0 { DATASET_IDS[0].to_owned() } else { dice.uuid() };
        if number > 0 {
            app.haut_ai().insert("datasets", json!({"id": dataset, "company_id": COMPANY_ID, "name": "d"}));
        }
        for person_number in 0..300 {
            let name = format!("p{number}-{person_number}");
            app.haut_ai().insert("subjects", person(&dice.uuid(), &dataset, &name));
        }
    }
    let page = List::ordered("NAME", "ASC").try_page(&app, json!({"first": 3})).await;
    assert_eq!(page.codes(), [("RESULT_TOO_LARGE", "HAUT_AI")]);
    let asked = app.haut_ai().take_log().len();
    // The datasets, and of each at most its first page.
    assert!(asked <= 11, "{asked} requests");
}

/// What cannot be sorted now can't be sorted later: a client that goes by `hasNextPage` comes to an end.
#[tokio::test]
async fn a_walk_beside_a_list_that_is_too_large_ends() {
    let app = TestApp::builder().empty().set("LIMITS_MAX_GATHER", "100").build().await;
    add_people(&app, 101);
    add_animals(&app, 12);
    let (list, mut after, mut seen) = (List::ordered("NAME", "ASC"), Value::Null, 0);
    for pages in 0.. {
        let page = list.try_page(&app, json!({"first": 10, "after": after})).await;
        assert_eq!(page.codes(), [("RESULT_TOO_LARGE", "HAUT_AI")]);
        seen += page.ids.len();
        if !page.has_next {
            break;
        }
        assert!(pages < 3, "it does not end");
        after = page.end;
    }
    assert_eq!(seen, 12);
}

/// Two sources that are read at once take no time from each other.
#[tokio::test]
async fn a_slow_source_that_answers_in_time_is_in_the_order() {
    let app = TestApp::builder().empty().set("LIMITS_DEADLINE_MS", "8000").build().await;
    add_people(&app, 5);
    add_animals(&app, 5);
    // The datasets, then the people: more than half of the time.
    app.haut_ai().set_knobs(|knobs| knobs.latency = Duration::from_millis(2_300));
    let page = List::ordered("NAME", "ASC").page(&app, json!({"first": 20})).await;
    assert_eq!(page.ids.len(), 10);
}

#[tokio::test]
async fn an_unreadable_date_misplaces_nobody_else() {
    let app = TestApp::builder().empty().build().await;
    let mut dice = Dice::new(2);
    let mut add = |name: &str, date: Value| {
        let is_person = name.starts_with('p');
        let id = dice.uuid();
        let mut one = if is_person { person(&id, DATASET_IDS[0], name) } else { animal(&id, name) };
        one["birth_date"] = date;
        let upstream = if is_person { app.haut_ai() } else { app.brainstem() };
        upstream.insert("subjects", one);
    };
    for name in ["p2019", "a2020", "a2021", "p2022", "a2023", "p2024"] {
        add(name, json!(format!("{}-01-01", &name[1..])));
    }
    add("a-bad", json!("2020-06-01T10:00:00Z"));
    add("p-null", Value::Null);
    add("a-null", Value::Null);
    for paging in ["first: 50", "last: 50"] {
        let query = format!("{{ subjects({paging}, orderBy: {{field: BIRTH_DATE}}) {{ nodes {{ name }} }} }}");
        let answer = app.query(&query).await;
        let names: Vec<&str> = answer.data()["subjects"]["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["name"].as_str().unwrap())
            .collect();
        let expected = ["p2019", "a2020", "a-bad", "a2021", "p2022", "a2023", "p2024", "p-null", "a-null"];
        assert_eq!(names, expected, "{paging}");
    }
}

/// What was passed without a match is not read again after a failure.
#[tokio::test]
async fn many_empty_datasets_are_passed_in_more_than_one_go() {
    let app = TestApp::builder()
        .empty()
        .set("LIMITS_DEADLINE_MS", "1500")
        .set("CACHE_FRESH_MS", "0")
        .without_brainstem()
        .build()
        .await;
    let mut dice = Dice::new(5);
    let datasets: Vec<String> = (0..20).map(|_| dice.uuid()).collect();
    for dataset in &datasets {
        app.haut_ai().insert("datasets", json!({"id": dataset, "company_id": COMPANY_ID, "name": "d"}));
    }
    app.haut_ai().insert("subjects", person(&dice.uuid(), &datasets[19], "last"));
    app.haut_ai().insert("subjects", person(&dice.uuid(), DATASET_IDS[0], "first"));
    app.haut_ai().set_knobs(|knobs| knobs.latency = Duration::from_millis(200));
    for (size, cursor, other) in [("first", "after", "last"), ("last", "before", "first")] {
        let (mut at, mut seen) = (Value::Null, 0);
        for pages in 0.. {
            let page = List::default().try_page(&app, json!({size: 1, cursor: at})).await;
            seen += page.ids.len();
            if seen == 2 {
                break;
            }
            assert!(pages < 40, "{size}: it stands still before the {other} one");
            at = if size == "first" { page.end } else { page.start };
        }
    }
}

#[tokio::test]
async fn an_empty_list_of_projects_lets_nothing_pass_within_a_project() {
    let app = TestApp::new().await;
    let id = project_id(app.brainstem().records("projects")[0]["id"].as_str().unwrap());
    let query =
        "query($id: ID!) { project(id: $id) { subjects(filter: {projectId: []}) { totalCount nodes { id } } } }";
    let answer = app.query_with(query, json!({"id": id})).await;
    assert_eq!(answer.data()["project"]["subjects"], json!({"totalCount": 0, "nodes": []}));
}

#[tokio::test]
async fn there_is_no_year_before_the_first() {
    let app = TestApp::new().await;
    for argument in [
        "subjects(filter: {birthDate: {from: \"0000-01-01\"}})",
        "procedures(filter: {dateTime: {to: \"0000-05-05T00:00:00Z\"}})",
        "procedures(filter: {dateTime: {to: \"-000005-05-05T00:00:00Z\"}})",
    ] {
        let answer = app.query(&format!("{{ list: {argument} {{ nodes {{ id }} }} }}")).await;
        assert_eq!(answer.codes(), [("BAD_USER_INPUT".to_owned(), json!(["list"]))], "{argument}");
    }
    assert!(app.brainstem().take_log().is_empty());
}

/// A dataset that goes away while a walk stands in it.
#[tokio::test]
async fn a_dataset_that_is_gone_is_told_once() {
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").without_brainstem().build().await;
    add_dataset(&app);
    add_people(&app, 30);
    let mut dice = Dice::new(2);
    for number in 0..30 {
        app.haut_ai().insert("subjects", person(&dice.uuid(), DATASET_IDS[1], &format!("q{number}")));
    }
    let page = List::default().page(&app, json!({"last": 10})).await;
    let gone = FaultKind::Status(404, "{\"detail\":\"Not found.\"}".to_owned(), vec![]);
    let gone = Fault::new(gone).on_path(&format!("{}/subjects", DATASET_IDS[1]));
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(gone));
    let page = List::default().try_page(&app, json!({"last": 10, "before": page.start})).await;
    assert_eq!((page.ids.len(), page.codes()), (10, vec![("UPSTREAM_ERROR", "HAUT_AI")]));
    assert!(page.errors[0]["message"].as_str().unwrap().contains("dataset"), "{:#?}", page.errors);
}

#[tokio::test]
async fn what_a_sorted_list_lacks_is_told_with_its_first_page() {
    let app = TestApp::builder().empty().without_haut_ai().build().await;
    add_animals(&app, 9);
    let mut bad = animal("x", "bad");
    bad["id"] = json!("no uuid");
    app.brainstem().insert("subjects", bad);
    let list = List::ordered("NAME", "ASC");
    let first = list.try_page(&app, json!({"first": 5})).await;
    assert_eq!(first.codes(), [("UPSTREAM_INVALID_RESPONSE", "BRAINSTEM")]);
    let rest = list.page(&app, json!({"first": 5, "after": first.end})).await;
    assert_eq!((first.ids.len() + rest.ids.len(), rest.has_next), (9, false));
}

/// Where the gateway filters, a stretch of a hundred is one request wherever the walk stands.
#[tokio::test]
async fn a_scan_reads_whole_pages() {
    let app = TestApp::builder().empty().set("LIMITS_MAX_SCAN", "500").without_haut_ai().build().await;
    add_animals(&app, 450);
    let list = List::filtered(json!({"tag": ["none such"]}));
    let page = list.page(&app, json!({"first": 5})).await;
    assert!(page.ids.is_empty() && !page.has_next);
    assert_eq!(app.brainstem().take_log().len(), 5);
}

/// A record whose sex could not be looked up is left for later, with all behind it.
#[tokio::test]
async fn a_sex_that_cannot_be_looked_up_costs_no_record() {
    let app = TestApp::builder().empty().without_brainstem().set("LIMITS_UPSTREAM_TRIES", "1").build().await;
    let sexes = app.haut_ai().records("biological_sexes");
    let female = sexes.iter().find(|sex| sex["tech_name"] == "female").unwrap();
    let mut one = person(&Dice::new(3).uuid(), DATASET_IDS[0], "bare");
    one["biological_sex"] = female["id"].clone();
    app.haut_ai().insert("subjects", one);
    let down = Fault::new(FaultKind::Html(503)).on_path("/dicts/").times(1);
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(down));
    let list = List::filtered(json!({"sex": "FEMALE"}));
    let page = list.try_page(&app, json!({"first": 5})).await;
    assert_eq!((page.ids.len(), page.has_next, page.codes()), (0, true, vec![("UPSTREAM_UNAVAILABLE", "HAUT_AI")]));
    let page = list.page(&app, json!({"first": 5, "after": page.end})).await;
    assert_eq!((page.ids.len(), page.has_next), (1, false));
}
