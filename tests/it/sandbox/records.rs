//! The records are the same at every start, consistent, and awkward in the ways that clients must bear.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use subject_gateway::sandbox::{
    PROJECT_WITHOUT_SUBJECTS, SUBJECT_WITH_130_PROCEDURES, SUBJECT_WITH_PARENTS, SUBJECT_WITH_UNICODE_NAME,
    SUBJECT_WITHOUT_PROCEDURES, Upstream,
};

use super::util::{start, start_legacy};

fn by_id(upstream: &Upstream, model: &str) -> HashMap<String, Value> {
    let records = upstream.records(model).into_iter();
    records.map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect()
}

fn length(list: &Value) -> usize {
    list.as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn two_starts_have_the_same_records() {
    let (first, second) = (start().await, start().await);
    for model in ["subjects", "datasets", "biological_sexes"] {
        assert_eq!(first.haut_ai().records(model), second.haut_ai().records(model));
    }
    for model in ["subjects", "projects", "procedures", "subject_logs", "breedings", "cohorts", "licenses"] {
        assert_eq!(first.brainstem().records(model), second.brainstem().records(model));
    }
}

#[tokio::test]
async fn lists_and_their_mirrors_agree() {
    for (sandbox, lists) in [
        (start().await, [("procedures", "procedures"), ("subjectlogs", "subject_logs")]),
        (start_legacy().await, [("actions", "actions"), ("subjectstatechanges", "subject_state_changes")]),
    ] {
        let subjects = by_id(sandbox.brainstem(), "subjects");
        assert_eq!(subjects.len(), 300);
        for (field, model) in lists {
            let related = by_id(sandbox.brainstem(), model);
            let mut named = 0;
            for subject in subjects.values() {
                for id in subject[field].as_array().unwrap() {
                    assert_eq!(related[id.as_str().unwrap()]["subject"], subject["id"]);
                    named += 1;
                }
            }
            assert_eq!(named, related.len(), "{model}");
        }
        let projects = by_id(sandbox.brainstem(), "projects");
        for (id, project) in &projects {
            let members = subjects
                .values()
                .filter(|subject| subject["projects"].as_array().unwrap().iter().any(|project| project == id));
            let members: HashSet<&Value> = members.map(|subject| &subject["id"]).collect();
            assert_eq!(members, project["subjects"].as_array().unwrap().iter().collect());
        }
        assert_eq!(length(&projects[PROJECT_WITHOUT_SUBJECTS]["subjects"]), 0);
    }
}

#[tokio::test]
async fn special_records_are_what_they_are_called() {
    let sandbox = start().await;
    let subjects = by_id(sandbox.brainstem(), "subjects");
    assert_eq!(length(&subjects[SUBJECT_WITH_130_PROCEDURES]["procedures"]), 130);
    assert_eq!(length(&subjects[SUBJECT_WITHOUT_PROCEDURES]["procedures"]), 0);
    assert!(!subjects[SUBJECT_WITH_UNICODE_NAME]["name"].as_str().unwrap().is_ascii());
    let breeding = subjects[SUBJECT_WITH_PARENTS]["breeding"].as_str().unwrap();
    let breeding = &by_id(sandbox.brainstem(), "breedings")[breeding];
    for parent in ["mother", "father"] {
        assert!(subjects.contains_key(breeding[parent].as_str().unwrap()), "{parent}");
    }
}

#[tokio::test]
async fn awkward_values_are_among_them() {
    let sandbox = start().await;
    let animals = sandbox.brainstem().records("subjects");
    let names: HashSet<&str> = animals.iter().map(|animal| animal["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), animals.len(), "names are unique");
    for name in ["wt-0007", "WT-0007", "a+b=c", "  spaced  "] {
        assert!(names.contains(name), "{name}");
    }
    for (field, value) in [
        ("birth_date", "1900-02-28"),
        ("birth_date", "9999-12-31"),
        ("birth_date", "2023-13-45"),
        ("birth_date", ""),
        ("sex", "H"),
        ("sex", ""),
        ("status", "retired"),
    ] {
        assert!(animals.iter().any(|animal| animal[field] == value), "{field} {value}");
    }
    let died_unseen = |animal: &Value| animal["status"] == "deceased" && animal["death_date"].is_null();
    assert!(animals.iter().any(died_unseen));
    assert!(animals.iter().any(|animal| animal.get("status").is_none()));

    let people = sandbox.haut_ai().records("subjects");
    let names: HashSet<&str> = people.iter().map(|person| person["name"].as_str().unwrap()).collect();
    assert!(names.len() < people.len(), "names are not unique");
    assert!(names.iter().any(|name| name.chars().count() == 512));
    for kind in [Value::is_null, Value::is_object, Value::is_array, Value::is_string, Value::is_number] {
        assert!(people.iter().any(|person| kind(&person["meta"])));
    }
    for born in ["1900-02-28", "9999-12-31", "", "31.12.1999"] {
        assert!(people.iter().any(|person| person["birth_date"] == born), "{born}");
    }
}
