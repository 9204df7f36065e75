//! Servers from before the renaming.

use serde_json::{Value, json};
use subject_gateway::sandbox::{BRAINSTEM_TOKEN, Totals};

use super::{animals, over, procedures_of_one, sorted, stored_ids, values, walk};
use crate::{
    transport::double::Double,
    util::{Builder, to_path},
};

fn legacy() -> Builder {
    animals().legacy().set("BRAINSTEM_AUTH_SCHEME", "Token")
}

#[tokio::test]
async fn old_servers_are_shown_their_own_scheme_on_either_portal() {
    for portal in ["private", "super"] {
        let app = legacy().set("BRAINSTEM_PORTAL", portal).set("BRAINSTEM_SIDELOAD", "false").build().await;
        app.query("{ subjects(first: 2) { nodes { name strain { name } } } }").await.data();
        let log = app.brainstem().take_log();
        assert!(log.len() >= 2);
        for request in log {
            assert!(request.path.starts_with(&format!("/api/{portal}/")) && request.path.ends_with('/'));
            assert_eq!(request.authorization, Some(format!("Token {BRAINSTEM_TOKEN}")));
        }
    }
}

#[tokio::test]
async fn actions_are_procedures_and_state_changes_stand_apart() {
    let app = legacy().build().await;
    let stored = app.brainstem().records("subjects");
    let full = |subject: &&Value| {
        let some = |field: &str| subject[field].as_array().is_some_and(|ids| (1..=100).contains(&ids.len()));
        let has_source = subject["source"].as_str().is_some_and(|text| !text.is_empty());
        some("actions") && some("subjectstatechanges") && has_source
    };
    let subject = stored.iter().find(full).unwrap();
    let query = format!(
        "{{ subject(by: {{brainStem: {}}}) {{ procedures(first: 100) {{ nodes {{ sourceId type notes }} }} \
         logs {{ nodes {{ id }} }} supplier {{ name }} \
         brainStem {{ supplierText nameUsedInStorage stateChanges(first: 100) {{ nodes {{ sourceId type }} }} }} }} }}",
        subject["id"]
    );
    let answer = app.query(&query).await;
    let got = &answer.data()["subject"];
    let ids = |nodes: &Value| -> Value {
        nodes.as_array().unwrap().iter().map(|node| node["sourceId"].clone()).collect::<Vec<_>>().into()
    };
    assert_eq!(ids(&got["procedures"]["nodes"]), subject["actions"]);
    assert_eq!(ids(&got["brainStem"]["stateChanges"]["nodes"]), subject["subjectstatechanges"]);
    assert_eq!(got["brainStem"]["supplierText"], subject["source"]);
    let name = &subject["name_used_in_repository"];
    let expected = if name == "" { &Value::Null } else { name };
    assert_eq!(&got["brainStem"]["nameUsedInStorage"], expected);
    assert_eq!((&got["logs"]["nodes"], &got["supplier"]), (&json!([]), &Value::Null));

    let actions = app.brainstem().records("actions");
    for node in got["procedures"]["nodes"].as_array().unwrap() {
        let action = actions.iter().find(|action| action["id"] == node["sourceId"]).unwrap();
        assert_eq!(node["type"], action["type"]);
        assert_eq!(node["notes"].as_str().unwrap_or(""), action["description"].as_str().unwrap_or(""));
    }
    let log = app.brainstem().take_log();
    assert_eq!(to_path(&log, "/procedure/").len() + to_path(&log, "/subjectlog/").len(), 0);
    assert!(log.iter().any(|request| request.path.contains("/modules/action/")));
    assert!(log.iter().any(|request| request.path.contains("/modules/subjectstatechange/")));
}

#[tokio::test]
async fn extra_fields_are_one_object_whatever_shape_they_have() {
    let id = "00000000-0000-4000-8000-000000000001";
    let pairs = json!([{"name": "cage", "value": "A1"}, {"name": "weight", "value": 21.5}]);
    for (given, expected) in [
        (pairs, json!({"cage": "A1", "weight": 21.5})),
        (json!({"cage": "A1"}), json!({"cage": "A1"})),
        (json!([]), Value::Null),
        (json!({}), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let record = json!({"id": id, "name": "one", "extra_fields": given});
        let upstream = Double::json(move |_| json!({ "subject": record })).await;
        let query = format!("{{ subject(by: {{brainStem: \"{id}\"}}) {{ metadata }} }}");
        assert_eq!(over(&upstream).await.query(&query).await.data()["subject"]["metadata"], expected, "{given}");
    }
}

#[tokio::test]
async fn a_server_that_caps_its_pages_at_twenty_gives_everything() {
    for cap in [20, 100] {
        let app = legacy().build().await;
        app.brainstem().set_knobs(|knobs| knobs.page_cap = cap);
        assert_eq!(procedures_of_one(&app, "").await.len(), 130);
        let app = legacy().build().await;
        app.brainstem().set_knobs(|knobs| knobs.page_cap = cap);
        let ids = walk(&app, "subjects(first: $first, after: $after)", 100).await;
        assert_eq!(sorted(ids), stored_ids(&app, "subjects"));
        let ids = walk(&app, "procedures(first: $first, after: $after)", 77).await;
        assert_eq!(sorted(ids), stored_ids(&app, "actions"));
    }
}

#[tokio::test]
async fn both_ways_of_paging_are_always_asked_for_and_mean_the_same_stretch() {
    let app = legacy().build().await;
    app.brainstem().set_knobs(|knobs| knobs.page_cap = 20);
    walk(&app, "subjects(first: $first, after: $after)", 33).await;
    for request in to_path(&app.brainstem().take_log(), "/subject/") {
        let number = |name: &str| values(request, name)[0].parse::<u64>().unwrap();
        assert_eq!(number("limit"), number("per_page"));
        assert_eq!(number("offset"), (number("page") - 1) * number("per_page"));
    }
}

#[tokio::test]
async fn a_page_past_the_end_is_the_end() {
    let app = legacy().set("CACHE_FRESH_MS", "0").build().await;
    app.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    let first = "{ subjects(first: 100) { pageInfo { endCursor } } }";
    let cursor = app.query(first).await.data()["subjects"]["pageInfo"]["endCursor"].clone();
    for id in stored_ids(&app, "subjects").iter().skip(40) {
        app.brainstem().remove("subjects", id);
    }
    let rest =
        "query($after: String) { subjects(first: 100, after: $after) { nodes { id } pageInfo { hasNextPage } } }";
    let answer = app.query_with(rest, json!({ "after": cursor })).await;
    assert_eq!(answer.data()["subjects"], json!({"nodes": [], "pageInfo": {"hasNextPage": false}}));
}

#[tokio::test]
async fn a_gateway_that_does_not_know_the_cap_yet_goes_on_where_another_stopped() {
    let app = legacy().build().await;
    let query = "query($after: String) { subjects(first: 100, after: $after) { nodes { id } pageInfo { endCursor } } }";
    let first = app.query(query).await;
    let cursor = &first.data()["subjects"]["pageInfo"]["endCursor"];
    let second = app.query_with(query, json!({ "after": cursor })).await;
    for cap in [20, 60] {
        let other = legacy().build().await;
        other.brainstem().set_knobs(|knobs| knobs.page_cap = cap);
        let answer = other.query_with(query, json!({ "after": cursor })).await;
        assert_eq!(answer.data()["subjects"]["nodes"], second.data()["subjects"]["nodes"], "{cap}");
    }
}
