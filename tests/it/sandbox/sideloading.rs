//! BrainSTEM: `include[]`, `exclude[]`, related lists, pages and the shapes of the envelope.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use subject_gateway::sandbox::{
    Paging, SUBJECT_WITH_130_PROCEDURES, SUBJECT_WITH_PARENTS, SUBJECT_WITHOUT_PROCEDURES, Totals,
};

use super::util::{Caller, start, start_legacy};

const SUBJECTS: &str = "/api/private/stem/subject/";

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn related_records_come_beside_once_each() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let query = "limit=50&include[]=projects.*&include[]=subjectlogs.*&include[]=procedures.brain_region.*";
    let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
    assert_eq!(keys(&answer.body)[..4], ["count", "next", "previous", "subjects"]);
    for (list, field) in [("projects", "projects"), ("subject_logs", "subjectlogs"), ("procedures", "procedures")] {
        let subjects = answer.list("subjects").iter();
        let wanted: BTreeSet<&str> = subjects
            .flat_map(|subject| subject[field].as_array().into_iter().flatten())
            .map(|id| id.as_str().unwrap())
            .collect();
        let found = answer.ids(list);
        assert_eq!(found.len(), wanted.len(), "{list}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted, "{list}");
    }
    assert!(!answer.list("brain_regions").is_empty());
    assert!(answer.list("procedures").len() > 130);

    sandbox.brainstem().set_knobs(|knobs| knobs.primary_last = true);
    let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
    assert_eq!(keys(&answer.body).last(), Some(&"subjects"));
}

#[tokio::test]
async fn nothing_related_brings_no_list() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let target = format!("{SUBJECTS}{SUBJECT_WITHOUT_PROCEDURES}/?include[]=procedures.*&include[]=subjectlogs.*");
    assert_eq!(keys(&caller.get(&target).await.body), ["subject"]);
    // Without the dot a field is named, nothing is sideloaded.
    let target = format!("{SUBJECTS}{SUBJECT_WITH_130_PROCEDURES}/?include[]=procedures");
    assert_eq!(keys(&caller.get(&target).await.body), ["subject"]);
}

#[tokio::test]
async fn the_primary_type_is_prefixed() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let target = format!(
        "{SUBJECTS}?filter{{id}}={SUBJECT_WITH_PARENTS}&include[]=breeding.mother.*&include[]=breeding.father.*"
    );
    let answer = caller.get(&target).await;
    let breeding = &answer.list("breedings")[0];
    let parents: BTreeSet<&str> = [&breeding["mother"], &breeding["father"]].map(|id| id.as_str().unwrap()).into();
    assert_eq!(answer.ids("+subjects").into_iter().collect::<BTreeSet<_>>(), parents);
    assert_eq!(answer.ids("subjects"), [SUBJECT_WITH_PARENTS]);
}

#[tokio::test]
async fn related_records_can_be_embedded() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    sandbox.brainstem().set_knobs(|knobs| knobs.nested_include = true);
    let query = "include[]=strain.species.*&include[]=procedures.*";
    let answer = caller.get(&format!("{SUBJECTS}{SUBJECT_WITH_130_PROCEDURES}/?{query}")).await;
    assert_eq!(keys(&answer.body), ["subject"]);
    let subject = &answer.body["subject"];
    assert!(subject["strain"]["species"]["name"].is_string());
    let procedures = subject["procedures"].as_array().unwrap();
    assert!(procedures.len() == 130 && procedures.iter().all(Value::is_object));
}

#[tokio::test]
async fn fields_are_selected() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let answer = caller.get(&format!("{SUBJECTS}?exclude[]=*&include[]=id&include[]=name")).await;
    assert!(answer.list("subjects").iter().all(|subject| keys(subject) == ["id", "name"]));
    let answer = caller.get(&format!("{SUBJECTS}?exclude[]=procedures")).await;
    assert!(answer.list("subjects").iter().all(|subject| subject.get("procedures").is_none()));
    for query in ["include[]=foo.*", "include[]=foo", "include[]=name.*", "include[]=strain.foo.*", "exclude[]=foo"] {
        let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
        assert!(answer.status == 400 && answer.body["detail"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn related_lists_are_not_paged() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let one = format!("{SUBJECTS}{SUBJECT_WITH_130_PROCEDURES}/");
    let answer = caller.get(&format!("{one}procedures/?limit=3")).await;
    assert_eq!((keys(&answer.body), answer.list("procedures").len()), (vec!["procedures"], 130));
    assert_eq!(keys(&caller.get(&format!("{one}strain/")).await.body), ["strain"]);
    assert_eq!(caller.get(&format!("{one}name/")).await.status, 404);
}

#[tokio::test]
async fn limits_are_cut_and_offsets_run_out() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    for (query, length) in [
        ("", 20),
        ("?limit=500", 100),
        ("?limit=0", 20),
        ("?limit=x", 20),
        ("?limit=30&offset=290", 10),
        ("?limit=30&offset=300", 0),
        ("?per_page=5&page=2", 20),
    ] {
        let answer = caller.get(&format!("{SUBJECTS}{query}")).await;
        assert_eq!((answer.status, answer.list("subjects").len()), (200, length), "{query}");
    }
    let host = sandbox.brainstem().url();
    let answer = caller.get(&format!("{SUBJECTS}?limit=500&offset=150&q=x")).await;
    assert_eq!(answer.body["next"], format!("{host}{SUBJECTS}?q=x&limit=100&offset=250"));
    assert_eq!(answer.body["previous"], format!("{host}{SUBJECTS}?q=x&limit=100&offset=50"));
}

#[tokio::test]
async fn totals_stand_where_a_knob_says() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    for (totals, pointer) in [
        (Totals::Count, "/count"),
        (Totals::MetaCount, "/meta/count"),
        (Totals::MetaTotalResults, "/meta/total_results"),
    ] {
        sandbox.brainstem().set_knobs(|knobs| knobs.totals = totals);
        let answer = caller.get(SUBJECTS).await;
        assert_eq!(answer.body.pointer(pointer), Some(&json!(300)), "{totals:?}");
    }
    sandbox.brainstem().set_knobs(|knobs| {
        knobs.totals = Totals::Nowhere;
        knobs.list_key = Some("results".to_owned());
    });
    assert_eq!(keys(&caller.get(SUBJECTS).await.body), ["results"]);
}

#[tokio::test]
async fn older_servers_count_pages() {
    let sandbox = start_legacy().await;
    let caller = Caller::legacy(&sandbox);
    // A loop that trusts `offset` would never end here.
    let first = caller.get(&format!("{SUBJECTS}?limit=7")).await;
    let again = caller.get(&format!("{SUBJECTS}?limit=7&offset=100")).await;
    assert_eq!((first.list("subjects").len(), &first.body), (20, &again.body));
    let last = caller.get(&format!("{SUBJECTS}?per_page=90&page=4")).await;
    let meta = json!({ "page": 4, "per_page": 90, "total_results": 300, "total_pages": 4 });
    assert_eq!((&last.body["meta"], last.list("subjects").len()), (&meta, 30));
    assert_eq!(caller.get(&format!("{SUBJECTS}?per_page=90&page=5")).await.status, 404);
    sandbox.brainstem().set_knobs(|knobs| knobs.paging = Paging::LimitOffset);
    assert_eq!(caller.get(&format!("{SUBJECTS}?limit=7")).await.list("subjects").len(), 7);
}

#[tokio::test]
async fn older_servers_have_other_names() {
    let sandbox = start_legacy().await;
    let caller = Caller::legacy(&sandbox);
    let query = "per_page=50&include[]=actions.*&include[]=subjectstatechanges.*";
    let answer = caller.get(&format!("{SUBJECTS}?{query}")).await;
    assert!(answer.list("actions").iter().all(|action| action["description"].is_string()));
    assert!(answer.list("subject_state_changes").len() > 2);
    for (path, key) in [("action", "actions"), ("subjectstatechange", "subject_state_changes")] {
        let list = caller.get(&format!("/api/private/modules/{path}/")).await;
        let one = caller.get(&format!("/api/private/modules/{path}/{}/", list.ids(key)[0])).await;
        assert_eq!(keys(&one.body), [&key[..key.len() - 1]]);
    }
    for path in ["procedure", "subjectlog"] {
        assert_eq!(caller.get(&format!("/api/private/modules/{path}/")).await.status, 404);
    }
    let subjects = sandbox.brainstem().records("subjects");
    let has = |kind: fn(&Value) -> bool| subjects.iter().any(|subject| kind(&subject["extra_fields"]));
    let listed = |fields: &Value| fields.get(0).is_some_and(|field| field["name"].is_string());
    assert!(has(listed) && has(Value::is_object) && has(Value::is_null));
    assert!(subjects.iter().any(|subject| subject["source"] == "Charles River"));
    assert!(subjects.iter().all(|subject| subject.get("status").is_none()));
}
