//! Each filter and many together: what comes is what brute force finds, whoever applies it.

use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, DATASET_IDS, FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID};

use super::{
    ask::{List, ids, sorted},
    data::{Dice, add_people, animal, person},
    record::{BRAINSTEM, HAUT_AI, dataset_id, project_id},
    whole::Whole,
};
use crate::util::TestApp;

/// Global ids as the gateway tells them, by name where a source has such names.
struct Ids {
    projects: Vec<Value>,
    strains: Vec<Value>,
    species: Vec<Value>,
    datasets: Vec<Value>,
}

impl Ids {
    async fn told_by(app: &TestApp) -> Self {
        let query = "{ projects(first: 100) { nodes { id } } strains(first: 100) { nodes { id } } \
            species(first: 100) { nodes { id } } datasets { id } }";
        let answer = app.query(query).await;
        let data = answer.data();
        let ids = |list: &Value| list.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        let [projects, strains, species] = ["projects", "strains", "species"].map(|list| ids(&data[list]["nodes"]));
        Self { projects, strains, species, datasets: ids(&data["datasets"]) }
    }
}

async fn full(legacy: bool) -> TestApp {
    let builder = TestApp::builder();
    let app = if legacy { builder.legacy() } else { builder }.build().await;
    // A database's date column holds no such dates.
    for animal in app.brainstem().records("subjects") {
        if animal["birth_date"].as_str().is_some_and(|date| date.len() != 10) {
            app.brainstem().remove("subjects", animal["id"].as_str().unwrap());
        }
    }
    app
}

fn filters(ids: &Ids) -> Vec<Value> {
    let Ids { projects, strains, species, datasets } = ids;
    let nobody = project_id("3f2504e0-4f89-41d3-9a0c-0305e82c3301");
    vec![
        json!({"sources": ["HAUT_AI"]}),
        json!({"sources": ["BRAINSTEM", "BRAINSTEM"]}),
        json!({"sources": []}),
        json!({"name": {"eq": "user1"}}),
        json!({"name": {"eq": "WT-0007"}}),
        json!({"name": {"eq": "  leading space"}}),
        json!({"name": {"eq": "\"quoted\" name"}}),
        json!({"name": {"eq": "semi;colon, comma"}}),
        json!({"name": {"eq": "back\\slash"}}),
        json!({"name": {"eq": "a+b=c"}}),
        json!({"name": {"eq": "line\nbreak"}}),
        json!({"name": {"eq": "O'Brien \"the rat\""}}),
        json!({"name": {"eq": "Zoë Composed"}}),
        json!({"name": {"eq": "emoji 🧴✨"}}),
        json!({"name": {"eq": "no such name"}}),
        json!({"name": {"in": ["user1", "USER1", "wt-0007", "café 1", "nobody", "user1"]}}),
        json!({"name": {"in": ["O'Brien \"the rat\"", "\"quoted\" name", "100%_sure", "🐭 one"]}}),
        json!({"name": {"in": []}}),
        json!({"name": {"contains": "SMITH"}}),
        json!({"name": {"contains": "é"}}),
        json!({"name": {"contains": "%"}}),
        json!({"name": {"contains": "_"}}),
        json!({"name": {"contains": ","}}),
        json!({"name": {"contains": "'"}}),
        json!({"name": {"contains": "la c"}}),
        json!({"name": {"contains": "İ"}}),
        json!({"name": {"startsWith": "wt-0"}}),
        json!({"name": {"startsWith": "ANNA "}}),
        json!({"name": {"startsWith": "MARÍA JOSÉ"}}),
        json!({"name": {"startsWith": "\""}}),
        json!({"name": {"startsWith": "pv-", "contains": "11"}}),
        json!({"name": {"eq": "user1", "contains": "ER"}}),
        json!({"name": {"eq": "user1", "startsWith": "x"}}),
        json!({"name": {"in": ["user1", "USER1"], "eq": "USER1"}}),
        json!({"search": "anna"}),
        json!({"search": "müller BJÖRN"}),
        json!({"search": "  calm   tag0 "}),
        json!({"search": "\"de la\""}),
        json!({"search": "cruz la de"}),
        json!({"search": "weigh, noon"}),
        json!({"search": "nothing has this"}),
        json!({"sex": ["FEMALE"]}),
        json!({"sex": ["MALE", "OTHER"]}),
        json!({"sex": ["UNKNOWN"]}),
        json!({"sex": ["OTHER"]}),
        json!({"sex": ["UNKNOWN", "FEMALE", "FEMALE"]}),
        json!({"sex": ["FEMALE", "MALE", "OTHER", "UNKNOWN"]}),
        json!({"sex": []}),
        json!({"birthDate": {"from": "2020-01-01", "to": "2020-12-31"}}),
        json!({"birthDate": {"from": "2024-02-29", "to": "2024-02-29"}}),
        json!({"birthDate": {"from": "1985-06-15", "to": "1985-06-15"}}),
        json!({"birthDate": {"to": "1900-02-28"}}),
        json!({"birthDate": {"from": "9999-12-31"}}),
        json!({"birthDate": {"from": "1970-01-01"}}),
        json!({"status": ["ACTIVE"]}),
        json!({"status": ["DECEASED", "PLANNED"]}),
        json!({"status": ["UNKNOWN"]}),
        json!({"status": []}),
        json!({"projectId": [projects[0]]}),
        json!({"projectId": [projects[1], projects[2], nobody]}),
        json!({"projectId": [nobody]}),
        json!({"projectId": []}),
        json!({"strainId": [strains[0]]}),
        json!({"strainId": strains}),
        json!({"speciesId": [species[0], species[3]]}),
        json!({"tag": ["cooling"]}),
        json!({"tag": ["Cooling"]}),
        json!({"tag": ["ünï", "sleep"]}),
        json!({"datasetId": [datasets[0]]}),
        json!({"datasetId": [datasets[2], datasets[1]]}),
        json!({"datasetId": []}),
        json!({"hasProcedures": true}),
        json!({"hasProcedures": false}),
        // Together.
        json!({"sources": ["HAUT_AI"], "projectId": [projects[0]]}),
        json!({"datasetId": [datasets[0]], "hasProcedures": false}),
        json!({"datasetId": [datasets[0]], "sex": ["FEMALE"], "name": {"contains": "an"}}),
        json!({"search": "anna", "sex": ["FEMALE", "UNKNOWN"], "birthDate": {"to": "1990-01-01"}}),
        json!({"sex": ["UNKNOWN"], "status": ["ACTIVE", "UNKNOWN"]}),
        json!({"projectId": [projects[0], projects[3]], "tag": ["pilot"], "sex": ["MALE"]}),
        json!({"speciesId": [species[1]], "birthDate": {"from": "2020-06-01", "to": "2022-06-01"}, "hasProcedures": true}),
        json!({"search": "wt", "name": {"startsWith": "WT"}, "tag": ["cooling", "sleep"]}),
        json!({"name": {"contains": "a"}, "sex": ["MALE"], "birthDate": {"from": "1950-01-01"}}),
        // Null is what leaving it out is, and a filter that says nothing is none.
        json!({"sources": null, "name": null, "search": null, "sex": null, "birthDate": null, "hasProcedures": true}),
        json!({"name": {}, "birthDate": {"from": null}, "sex": ["OTHER"]}),
        json!({"name": {"eq": null, "in": null, "contains": "user"}}),
    ]
}

async fn every_filter(legacy: bool) {
    let app = full(legacy).await;
    let whole = if legacy { Whole::of(&app).legacy() } else { Whole::of(&app) };
    let mut found = 0;
    for filter in filters(&Ids::told_by(&app).await) {
        let list = List::filtered(filter.clone());
        let expected = ids(&whole.list(&filter, &Value::Null));
        assert_eq!(list.all(&app, 100).await, expected, "{filter}");
        let told = list.totals(&app).await;
        whole.total(&filter, false).check(&told["totalCount"], &filter.to_string());
        for one in told["sources"].as_array().unwrap() {
            let source = one["source"].as_str().unwrap();
            whole.total_of(source, &filter, false).check(&one["totalCount"], &format!("{source}, {filter}"));
        }
        found += usize::from(!expected.is_empty());
    }
    assert!(found > 45, "only {found} filters found anything");
}

#[tokio::test]
async fn every_filter_finds_what_it_should() {
    every_filter(false).await;
}

#[tokio::test]
async fn every_filter_finds_what_it_should_on_a_server_from_before_the_renaming() {
    every_filter(true).await;
}

#[tokio::test]
async fn the_sources_of_a_list_are_those_that_the_filter_leaves() {
    let app = TestApp::new().await;
    let ids = Ids::told_by(&app).await;
    for (filter, left) in [
        (json!({}), &[HAUT_AI, BRAINSTEM][..]),
        (json!({"name": {"contains": "a"}}), &[HAUT_AI, BRAINSTEM]),
        (json!({"sources": ["BRAINSTEM", "HAUT_AI"]}), &[HAUT_AI, BRAINSTEM]),
        (json!({"sources": ["BRAINSTEM"]}), &[BRAINSTEM]),
        (json!({"datasetId": [ids.datasets[0]]}), &[HAUT_AI]),
        (json!({"projectId": [ids.projects[0]]}), &[BRAINSTEM]),
        (json!({"strainId": [ids.strains[0]]}), &[BRAINSTEM]),
        (json!({"speciesId": [ids.species[0]]}), &[BRAINSTEM]),
        (json!({"tag": ["pilot"]}), &[BRAINSTEM]),
        (json!({"status": ["ACTIVE"]}), &[BRAINSTEM]),
        (json!({"hasProcedures": false}), &[BRAINSTEM]),
        (json!({"datasetId": [ids.datasets[0]], "tag": ["pilot"]}), &[]),
        (json!({"sources": ["HAUT_AI"], "hasProcedures": true}), &[]),
    ] {
        app.clear_logs();
        let list = List::filtered(filter.clone());
        let page = list.page(&app, json!({"first": 3})).await;
        let named: Vec<_> = page.sources.iter().map(|(source, ..)| source.as_str()).collect();
        assert_eq!(named, left, "{filter}");
        assert!(left.contains(&HAUT_AI) || app.haut_ai().log().is_empty(), "{filter}");
        assert!(left.contains(&BRAINSTEM) || app.brainstem().log().is_empty(), "{filter}");
        if left.is_empty() {
            assert!(page.ids.is_empty() && !page.has_next && !page.has_previous, "{filter}");
            assert_eq!(list.totals(&app).await["totalCount"], 0, "{filter}");
        }
    }
}

#[tokio::test]
async fn a_sex_that_is_given_by_its_id_alone_is_looked_up() {
    let app = TestApp::builder().empty().build().await;
    add_people(&app, 4);
    let female = app.haut_ai().records("biological_sexes")[0]["id"].clone();
    let people = app.haut_ai().records("subjects");
    let id = |at: usize| people[at]["id"].as_str().unwrap();
    app.haut_ai().change("subjects", id(0), |one| one["biological_sex"] = female);
    // Of an entry that left the dictionary.
    let gone = json!("3f2504e0-4f89-41d3-9a0c-0305e82c3301");
    app.haut_ai().change("subjects", id(1), |one| one["biological_sex"] = gone);
    app.haut_ai().change("subjects", id(2), |one| one["biological_sex"] = json!({"id": 5}));
    for (sex, expected) in [("FEMALE", vec![id(0)]), ("MALE", vec![]), ("UNKNOWN", vec![id(1), id(2)])] {
        let found = List::filtered(json!({"sex": [sex]})).all(&app, 10).await;
        assert_eq!(found, expected, "{sex}");
    }
}

#[tokio::test]
async fn datasets_of_others_give_nothing_and_are_not_asked_for() {
    let foreign = dataset_id(FOREIGN_COMPANY_ID, FOREIGN_DATASET_ID);
    // The right dataset under the wrong company, and the other way round.
    let mixed = [dataset_id(FOREIGN_COMPANY_ID, DATASET_IDS[0]), dataset_id(COMPANY_ID, FOREIGN_DATASET_ID)];
    let app = TestApp::builder().set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).build().await;
    let unserved = dataset_id(COMPANY_ID, DATASET_IDS[0]);
    for dataset in [&foreign, &mixed[0], &mixed[1], &unserved] {
        for order in [Value::Null, json!({"field": "NAME"}), json!({"field": "BIRTH_DATE", "direction": "DESC"})] {
            let list = List { filter: json!({"datasetId": [dataset]}), order };
            let page = list.page(&app, json!({"last": 10})).await;
            assert!(page.ids.is_empty() && !page.has_next && !page.has_previous, "{page:?}");
            assert_eq!(list.totals(&app).await["totalCount"], 0);
        }
    }
    assert!(app.haut_ai().log().is_empty() && app.brainstem().log().is_empty(), "{:#?}", app.haut_ai().log());
    // Beside one's own they change nothing.
    let own = dataset_id(COMPANY_ID, DATASET_IDS[1]);
    let list = List::filtered(json!({"datasetId": [foreign, own, unserved]}));
    assert_eq!(list.all(&app, 100).await.len(), 37);
    let asked = app.haut_ai().log();
    assert!(
        !asked.iter().any(|request| [DATASET_IDS[0], FOREIGN_DATASET_ID].iter().any(|id| request.path.contains(id)))
    );
    // Where the datasets are not configured, those of another company are known by it.
    let app = TestApp::new().await;
    let list = List::filtered(json!({"datasetId": [foreign, mixed[0]]}));
    assert_eq!(list.all(&app, 100).await, Vec::<String>::new());
    assert!(app.haut_ai().log().is_empty(), "{:#?}", app.haut_ai().log());
    assert_eq!(List::filtered(json!({"datasetId": [mixed[1]]})).all(&app, 100).await, Vec::<String>::new());
    assert!(!app.haut_ai().log().iter().any(|request| request.path.contains(FOREIGN_DATASET_ID)));
}

/// One request line can't hold them; still each is found.
#[tokio::test]
async fn fifty_values_are_all_looked_for() {
    let app = TestApp::builder().empty().build().await;
    let mut dice = Dice::new(50);
    let long = |number: usize| format!("{}{number:03}", "é🐭 ".repeat(33).chars().take(97).collect::<String>());
    let (mut names, mut projects, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..60 {
        let (id, project) = (dice.uuid(), dice.uuid());
        let mut one = animal(&id, &long(number));
        one["projects"] = json!([project]);
        app.brainstem().insert("subjects", one);
        app.haut_ai().insert("subjects", person(&dice.uuid(), DATASET_IDS[0], &long(number)));
        if number < 50 {
            names.push(long(number));
            projects.push(project_id(&project));
            expected.push(id);
        }
    }
    let by_project = List::filtered(json!({"projectId": projects}));
    assert_eq!(sorted(by_project.all(&app, 20).await), sorted(expected.clone()));
    let filter = json!({"name": {"in": names}, "projectId": projects});
    assert_eq!(sorted(List::filtered(filter).all(&app, 20).await), sorted(expected));
    let list = List::filtered(json!({"name": {"in": names}}));
    let whole = Whole::of(&app);
    let found = list.all(&app, 20).await;
    assert_eq!((found.len(), &found), (100, &ids(&whole.list(&list.filter, &Value::Null))));
    let ordered = List { filter: list.filter, order: json!({"field": "NAME", "direction": "DESC"}) };
    assert_eq!(ordered.all(&app, 33).await, ids(&whole.list(&ordered.filter, &ordered.order)));
    let logs = [app.haut_ai().take_log(), app.brainstem().take_log()].concat();
    for request in logs {
        let line = request.method.len() + request.path.len() + request.query.len() + " ? HTTP/1.1\r\n".len();
        assert!(line <= 4094 && request.status == 200, "{line} bytes, {}", request.status);
    }
}
