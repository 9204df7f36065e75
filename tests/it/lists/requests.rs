//! What a filter asks of the upstreams: what they can do is left to them, in no more requests than it takes.

use std::time::Duration;

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, Fault, FaultKind, LoggedRequest};

use super::{
    ask::{List, parameter, parameters, sorted},
    data::{add_animals, add_dataset, add_people, person},
    record::{project_id, species_id, strain_id},
};
use crate::util::{TestApp, to_path};

const SOME_ID: &str = "10000000-0000-4000-8000-000000000002";

/// The lists of people among the requests.
fn people(log: &[LoggedRequest]) -> Vec<&LoggedRequest> {
    to_path(log, "/subjects/")
}

fn animals(log: &[LoggedRequest]) -> Vec<&LoggedRequest> {
    to_path(log, "/stem/subject/")
}

#[tokio::test]
async fn brainstem_filters_what_it_can() {
    let app = TestApp::new().await;
    for (filter, field, value) in [
        (json!({"name": {"eq": "a+b=c"}}), "name", "a+b=c"),
        (json!({"name": {"in": ["x, y", "zz"]}}), "name", "x, y"),
        (json!({"name": {"contains": "Wt\"-\\"}}), "name", "Wt\"-\\"),
        (json!({"name": {"startsWith": "{é"}}), "name", "{é"),
        (json!({"sex": ["FEMALE"]}), "sex", "F"),
        (json!({"birthDate": {"from": "2020-02-29"}}), "birth_date", "2020-02-29"),
        (json!({"birthDate": {"to": "2020-02-29"}}), "birth_date", "2020-02-29"),
        (json!({"status": ["PLANNED"]}), "status", "planned"),
        (json!({"projectId": [project_id(SOME_ID)]}), "projects", SOME_ID),
        (json!({"strainId": [strain_id(SOME_ID)]}), "strain", SOME_ID),
        (json!({"speciesId": [species_id(SOME_ID)]}), "species", SOME_ID),
        (json!({"hasProcedures": true}), "procedures", ""),
        (json!({"hasProcedures": false}), "procedures", ""),
    ] {
        for order in [Value::Null, json!({"field": "NAME"}), json!({"field": "BIRTH_DATE"})] {
            app.clear_logs();
            let mut only = filter.clone();
            only["sources"] = json!(["BRAINSTEM"]);
            let list = List { filter: only, order };
            list.page(&app, json!({"first": 2})).await;
            let log = app.brainstem().take_log();
            let asked = animals(&log);
            assert!(!asked.is_empty(), "{list:?}");
            for request in asked {
                let pushed = parameters(request).into_iter().any(|(key, given)| {
                    key.starts_with("filter{") && key.contains(field) && (value.is_empty() || given == value)
                });
                assert!(pushed && request.status == 200, "{list:?}: {} {}", request.status, request.query);
            }
        }
    }
}

#[tokio::test]
async fn no_pattern_of_a_caller_is_run() {
    let app = TestApp::new().await;
    for value in ["(", ".*", "[", "^a", "%", "_"] {
        for filter in
            [json!({"name": {"contains": value}}), json!({"name": {"startsWith": value}}), json!({"search": value})]
        {
            List::filtered(filter).page(&app, json!({"first": 5})).await;
        }
    }
    let logs = [app.haut_ai().take_log(), app.brainstem().take_log()].concat();
    assert!(logs.len() > 10);
    for request in logs {
        assert!(request.status == 200 && !request.query.contains("regex"), "{} {}", request.status, request.query);
    }
}

/// `q` is not documented well: it may be trusted or not, and never with what it could read as its own language.
#[tokio::test]
async fn haut_ai_searches_names_only_where_it_is_trusted() {
    let plain = ["anna", "Björn Müller", "100% organic_1", "山田", "e-mail+tag@shop.example"];
    let odd = ["\"quoted\" name", "D'Angelo", "semi;colon, comma", "back\\slash"];
    for trusted in [true, false] {
        let builder = TestApp::builder().set("HAUT_AI_Q_COVERS_NAME", trusted.to_string());
        let app = builder.set("CACHE_FRESH_MS", "0").build().await;
        for (value, is_plain) in plain.map(|value| (value, true)).into_iter().chain(odd.map(|value| (value, false))) {
            for how in ["eq", "contains", "startsWith"] {
                app.clear_logs();
                let list = List::filtered(json!({"sources": ["HAUT_AI"], "name": {how: value}}));
                list.page(&app, json!({"first": 100})).await;
                let log = app.haut_ai().take_log();
                assert!(!people(&log).is_empty());
                for request in people(&log) {
                    let q = parameter(request, "q").unwrap_or_default();
                    assert_eq!(!q.is_empty(), trusted && is_plain, "{trusted} {how} {value}: {}", request.query);
                    assert!(q.is_empty() || value.contains(&q), "{value}: {q}");
                }
            }
        }
        // What the caller asks Haut.AI to search is always Haut.AI's.
        app.clear_logs();
        List::filtered(json!({"sources": ["HAUT_AI"], "search": "\"de la\", x"})).page(&app, json!({"first": 9})).await;
        let log = app.haut_ai().take_log();
        assert!(!people(&log).is_empty());
        for request in people(&log) {
            assert_eq!(parameter(request, "q").as_deref(), Some("\"de la\", x"));
        }
    }
}

#[tokio::test]
async fn a_page_takes_one_request() {
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await;
    List::default().page(&app, json!({})).await;
    assert_eq!((app.haut_ai().take_log().len(), app.brainstem().take_log().len()), (1, 0));
    List::filtered(json!({"sources": ["BRAINSTEM"]})).page(&app, json!({"first": 20})).await;
    assert_eq!((app.haut_ai().take_log().len(), app.brainstem().take_log().len()), (0, 1));
    let list = List::filtered(json!({"sex": ["FEMALE"], "hasProcedures": true}));
    list.page(&app, json!({"first": 20})).await;
    assert_eq!((app.haut_ai().take_log().len(), app.brainstem().take_log().len()), (0, 1));
}

#[tokio::test]
async fn what_is_sorted_here_is_gathered_once() {
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "600000").build().await;
    add_dataset(&app);
    add_people(&app, 130);
    for number in 0..40 {
        let id = format!("20000000-0000-4000-8000-{number:012}");
        app.haut_ai().insert("subjects", person(&id, DATASET_IDS[1], &format!("q{number}")));
    }
    add_animals(&app, 250);
    let list = List::ordered("NAME", "DESC");
    let first = list.page(&app, json!({"first": 10})).await;
    let (of_people, of_animals) = (app.haut_ai().take_log(), app.brainstem().take_log());
    assert_eq!((people(&of_people).len(), animals(&of_animals).len()), (3, 3), "{of_people:#?} {of_animals:#?}");
    list.page(&app, json!({"first": 100, "after": first.end})).await;
    list.page(&app, json!({"last": 100})).await;
    List::ordered("NAME", "ASC").page(&app, json!({"first": 5})).await;
    let rest = list.all(&app, 100).await;
    assert_eq!(rest.len(), 420);
    // The other direction may be gathered anew, this one not.
    let (of_people, of_animals) = (app.haut_ai().take_log(), app.brainstem().take_log());
    assert!(people(&of_people).len() <= 3 && animals(&of_animals).len() <= 3, "{of_people:#?} {of_animals:#?}");
    list.all(&app, 100).await;
    assert!(app.haut_ai().take_log().is_empty() && app.brainstem().take_log().is_empty());
}

#[tokio::test]
async fn a_total_reads_one_record_a_list_and_is_remembered() {
    let app = TestApp::new().await;
    let query = "{ subjects(first: 0) { totalCount sources { source totalCount } } }";
    let answer = app.query(query).await;
    let expected = json!([{"source": "HAUT_AI", "totalCount": 217}, {"source": "BRAINSTEM", "totalCount": 300}]);
    assert_eq!(
        (&answer.data()["subjects"]["totalCount"], &answer.data()["subjects"]["sources"]),
        (&json!(517), &expected)
    );
    let (of_people, of_animals) = (app.haut_ai().take_log(), app.brainstem().take_log());
    let mut asked: Vec<String> = people(&of_people).iter().map(|request| request.path.clone()).collect();
    asked.extend(animals(&of_animals).iter().map(|request| request.path.clone()));
    asked = sorted(asked);
    let count = asked.len();
    asked.dedup();
    assert_eq!((count, asked.len()), (4, 4), "one request a list");
    for request in people(&of_people) {
        assert_eq!(parameter(request, "page_size").as_deref(), Some("1"));
    }
    for request in animals(&of_animals) {
        assert_eq!(parameter(request, "limit").as_deref(), Some("1"));
    }
    app.query(query).await.data();
    assert!(app.haut_ai().take_log().is_empty() && app.brainstem().take_log().is_empty());
    // Of a list that is filtered here it is not known, and nobody is asked for it.
    let answer = app.query("{ subjects(first: 0, filter: {sex: [MALE], sources: [HAUT_AI]}) { totalCount } }").await;
    assert_eq!(answer.data()["subjects"]["totalCount"], Value::Null);
}

/// The count does not wait for the page.
#[tokio::test]
async fn a_total_is_asked_for_beside_the_page() {
    let delay = Duration::from_millis(1_500);
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).build().await;
    let late = Fault::new(FaultKind::Delay(delay)).on_query("page_size=20");
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(late));
    let query = "{ subjects(first: 20, filter: {sources: [HAUT_AI]}) { totalCount nodes { sourceId } } }";
    let answer = app.query(query).await;
    assert_eq!(answer.data()["subjects"]["totalCount"], 180);
    let log = app.haut_ai().take_log();
    let asked = |size: &str| people(&log).into_iter().find(|request| request.query.ends_with(size)).unwrap().at;
    let (page, count) = (asked("page_size=20"), asked("page_size=1"));
    assert!(count < page + delay, "it waited for the page");
}

#[tokio::test]
async fn a_dataset_that_was_only_looked_at_is_not_told_of() {
    let gone = "99999999-0000-4000-8000-000000000000";
    let dataset = |n: usize| format!("eeeeeeee-0000-4000-8000-{n:012}");
    let mut ids: Vec<String> = (0..30).map(dataset).collect();
    // Right behind the one where the first page ends.
    ids.insert(26, gone.to_owned());
    let app = TestApp::builder().empty().set("HAUT_AI_DATASET_IDS", ids.join(",")).build().await;
    for n in 0..30 {
        app.haut_ai().insert("datasets", json!({"id": dataset(n), "name": "d", "company_id": COMPANY_ID}));
        let people = match n {
            24 | 29 => 10,
            25 => 11,
            _ => 0,
        };
        for at in 0..people {
            let id = format!("{n:08}-0000-4000-8000-{at:012}");
            app.haut_ai().insert("subjects", person(&id, &dataset(n), "p"));
        }
    }
    let list = List::filtered(json!({"sources": ["HAUT_AI"]}));
    let first = list.page(&app, json!({"first": 20})).await;
    assert_eq!(first.ids.len(), 20);
    let log = app.haut_ai().take_log();
    assert!(people(&log).len() <= 31, "{}", log.len());
    let next = list.try_page(&app, json!({"first": 20, "after": first.end})).await;
    assert_eq!((next.ids.len(), next.has_next, next.errors.len()), (11, false, 1), "{:?}", next.errors);
}
