//! BrainSTEM's client end to end: portals, pages, batches, shapes. Sideloading is in `sideload`, older servers in `legacy`.

mod counts;
mod legacy;
mod sideload;

use serde_json::{Value, json};
use subject_gateway::sandbox::{
    BRAINSTEM_TOKEN, Fault, FaultKind, LoggedRequest, Paging, SUBJECT_WITH_130_PROCEDURES, Totals,
};

use crate::{
    transport::double::Double,
    util::{Builder, TestApp, to_path},
};

fn animals() -> Builder {
    TestApp::builder().without_haut_ai()
}

/// A gateway whose BrainSTEM is a double.
async fn over(upstream: &Double) -> TestApp {
    animals().set("BRAINSTEM_URL", &upstream.url).build().await
}

/// The values of a query's parameter.
fn values(request: &LoggedRequest, parameter: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(request.query.as_bytes());
    pairs.filter(|(name, _)| name == parameter).map(|(_, value)| value.into_owned()).collect()
}

fn stored_ids(app: &TestApp, model: &str) -> Vec<String> {
    let mut ids: Vec<_> =
        app.brainstem().records(model).iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Pages of a connection until the last: the upstream ids of its nodes. `field` takes `$first` and `$after`.
async fn walk(app: &TestApp, field: &str, first: u64) -> Vec<String> {
    let query = format!(
        "query($first: Int, $after: String) {{ {field} {{ nodes {{ sourceId }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    let name = field.split('(').next().unwrap();
    walk_query(app, &query, &format!("/{name}"), first).await
}

async fn walk_query(app: &TestApp, query: &str, pointer: &str, first: u64) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    for _ in 0..1_000 {
        let answer = app.query_with(query, json!({"first": first, "after": after})).await;
        let page = answer.data().pointer(pointer).unwrap();
        ids.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["sourceId"].as_str().unwrap().to_owned()));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
    }
    panic!("the walk does not end");
}

/// All procedures of the subject with 130.
async fn procedures_of_one(app: &TestApp, arguments: &str) -> Vec<String> {
    let query = format!(
        "query($first: Int, $after: String) {{ subject(by: {{brainStem: \"{SUBJECT_WITH_130_PROCEDURES}\"}}) {{ \
         procedures(first: $first, after: $after{arguments}) {{ nodes {{ sourceId }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
    );
    let mut ids = walk_query(app, &query, "/subject/procedures", 100).await;
    ids.sort();
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test]
async fn each_portal_has_its_paths_and_the_public_one_is_shown_no_token() {
    for (portal, token, expected) in
        [("private", Some(BRAINSTEM_TOKEN), true), ("public", None, false), ("public", Some(BRAINSTEM_TOKEN), false)]
    {
        let builder =
            animals().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", portal).set("BRAINSTEM_SIDELOAD", "false");
        let builder = if let Some(token) = token { builder.set("BRAINSTEM_TOKEN", token) } else { builder };
        let app = builder.build().await;
        app.query("{ subjects(first: 5) { nodes { name strain { name } projects { name } } } }").await.data();
        let log = app.brainstem().take_log();
        assert!(log.len() >= 2);
        for request in &log {
            assert!(request.path.starts_with(&format!("/api/{portal}/")) && request.path.ends_with('/'));
            let bearer = format!("Bearer {BRAINSTEM_TOKEN}");
            assert_eq!(request.authorization, expected.then_some(bearer), "{portal}");
        }
    }
}

#[tokio::test]
async fn totals_are_read_wherever_they_stand() {
    const QUERY: &str = "{ projects(first: 2) { totalCount nodes { name } pageInfo { hasNextPage } } }";
    let mut answers = Vec::new();
    for totals in [Totals::Count, Totals::MetaCount, Totals::MetaTotalResults, Totals::Nowhere] {
        for paging in [Paging::LimitOffset, Paging::PagePerPage] {
            let app = animals().build().await;
            app.brainstem().set_knobs(|knobs| (knobs.totals, knobs.paging) = (totals, paging));
            let mut answer = app.query(QUERY).await.data()["projects"].clone();
            let total = answer["totalCount"].take();
            let expected =
                if totals == Totals::Nowhere { Value::Null } else { json!(stored_ids(&app, "projects").len()) };
            assert_eq!(total, expected, "{totals:?} {paging:?}");
            answers.push(answer);
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!(answers[0]["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn every_record_comes_once_however_the_server_pages() {
    for paging in [Paging::LimitOffset, Paging::PagePerPage] {
        for totals in [Totals::Count, Totals::MetaCount, Totals::MetaTotalResults, Totals::Nowhere] {
            // A page that is cut by a server that tells nothing looks like the last one.
            let caps: &[usize] = if totals == Totals::Nowhere { &[100] } else { &[100, 20, 7] };
            for cap in caps {
                let app = animals().build().await;
                app.brainstem().set_knobs(|knobs| {
                    (knobs.totals, knobs.paging, knobs.page_cap) = (totals, paging, *cap);
                });
                let ids = walk(&app, "subjects(first: $first, after: $after)", 100).await;
                assert_eq!(sorted(ids), stored_ids(&app, "subjects"), "{totals:?} {paging:?} {cap}");
            }
        }
    }
}

#[tokio::test]
async fn a_hundred_and_thirty_procedures_come_whole_from_any_server() {
    for (paging, totals, cap) in [
        (Paging::LimitOffset, Totals::Count, 100),
        (Paging::LimitOffset, Totals::MetaCount, 20),
        (Paging::PagePerPage, Totals::MetaTotalResults, 20),
        (Paging::PagePerPage, Totals::MetaCount, 3),
    ] {
        let app = animals().build().await;
        app.brainstem().set_knobs(|knobs| (knobs.totals, knobs.paging, knobs.page_cap) = (totals, paging, cap));
        let subjects = app.brainstem().records("procedures");
        let own = subjects.iter().filter(|procedure| procedure["subject"] == SUBJECT_WITH_130_PROCEDURES);
        let expected: Vec<String> = sorted(own.clone().map(|own| own["id"].as_str().unwrap().to_owned()).collect());
        assert_eq!(expected.len(), 130);
        assert_eq!(procedures_of_one(&app, "").await, expected, "{paging:?} {totals:?} {cap}");
        let kind = own.clone().next().unwrap()["type"].as_str().unwrap().to_owned();
        let of_kind = own.filter(|own| own["type"] == kind).map(|own| own["id"].as_str().unwrap().to_owned());
        let typed = procedures_of_one(&app, &format!(", type: \"{kind}\"")).await;
        assert_eq!(typed, sorted(of_kind.collect()));
    }
}

#[tokio::test]
async fn every_loop_over_pages_ends() {
    let record = |n: usize| json!({"id": format!("00000000-0000-4000-8000-{n:012}"), "name": format!("{n}")});
    let records = move |count: usize| (0..count).map(record).collect::<Vec<_>>();
    let some = "{ projects(first: 100) { nodes { name } pageInfo { hasNextPage } } }";
    for (meta, count) in [
        (json!({"count": 1_000_000_000}), 20),
        (json!({"count": 1_000_000_000}), 1),
        (json!({"count": 1_000_000_000}), 0),
        (json!({"next": "http://elsewhere.example/"}), 20),
        (json!({"meta": {"page": 1, "per_page": 20, "total_results": 1_000_000_000}}), 20),
        (json!({"meta": {"page": i64::MAX, "per_page": i64::MAX, "count": 5}}), 20),
        (json!({}), 100),
        (json!({}), 250),
    ] {
        let body = move |meta: &Value| {
            let mut body = meta.clone();
            body["projects"] = records(count).into();
            body
        };
        let given = meta.clone();
        let upstream = Double::json(move |_| body(&given)).await;
        let app = over(&upstream).await;
        app.query(some).await;
        assert!(upstream.requests().len() <= 102, "{meta} {count}: {}", upstream.requests().len());
        app.query("{ nodes(ids: []) { id } projects(first: 1) { totalCount } }").await;
    }
}

#[tokio::test]
async fn a_server_without_pages_is_walked_to_its_end() {
    let record = |n: usize| json!({"id": format!("00000000-0000-4000-8000-{n:012}"), "name": format!("{n}")});
    let all: Vec<Value> = (0..250).map(record).collect();
    let upstream = Double::json(move |_| json!({ "projects": all })).await;
    let app = over(&upstream).await;
    let ids = walk(&app, "projects(first: $first, after: $after)", 60).await;
    assert_eq!((ids.len(), sorted(ids.clone()) == ids), (250, true));
}

#[tokio::test]
async fn batches_are_at_most_fifty_ids_of_a_repeated_parameter() {
    let app = animals().build().await;
    procedures_of_one(&app, "").await;
    let log = app.brainstem().take_log();
    let batches = to_path(&log, "/procedure/");
    let sizes: Vec<usize> = batches.iter().map(|batch| values(batch, "filter{id.in}").len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 130);
    assert!(sizes.iter().all(|size| (1..=50).contains(size)), "{sizes:?}");
    for batch in batches {
        let line = format!("GET {}?{} HTTP/1.1\r\n", batch.path, batch.query);
        assert!(line.len() <= 4_094, "{}", line.len());
        let limit: usize = values(batch, "limit")[0].parse().unwrap();
        assert!(limit >= values(batch, "filter{id.in}").len());
        assert!(values(batch, "filter{id.in}").iter().all(|id| !id.contains(',')));
    }
}

#[tokio::test]
async fn a_long_base_path_makes_the_batches_smaller() {
    let ids: Vec<String> = (0..120).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let listed = ids.clone();
    let upstream = Double::json(move |target| {
        let asked = url::form_urlencoded::parse(target.split_once('?').map_or("", |(_, query)| query).as_bytes());
        let asked = asked.filter(|(name, _)| name == "filter{id.in}").map(|(_, id)| json!({"id": id}));
        let procedures: Vec<Value> = asked.collect();
        if target.contains("/subject/") {
            json!({"subject": {"id": listed[0], "name": "s", "procedures": listed}})
        } else {
            json!({"count": procedures.len(), "procedures": procedures})
        }
    })
    .await;
    let url = format!("{}/{}", upstream.url, "deep/".repeat(500));
    let app = animals().set("BRAINSTEM_URL", url).build().await;
    let query =
        format!("{{ subject(by: {{brainStem: \"{}\"}}) {{ procedures(first: 100) {{ nodes {{ id }} }} }} }}", ids[0]);
    let answer = app.query(&query).await;
    assert_eq!(answer.data()["subject"]["procedures"]["nodes"].as_array().unwrap().len(), 100);
    for target in upstream.requests() {
        assert!(target.starts_with("/deep/deep/") && target.len() + "GET  HTTP/1.1\r\n".len() <= 4_094);
    }
}

#[tokio::test]
async fn what_a_batch_leaves_out_is_not_there() {
    let app = animals().build().await;
    let nodes = "{ subjects(first: 40) { nodes { id } } }";
    let ids: Vec<Value> = app.query(nodes).await.data()["subjects"]["nodes"].as_array().unwrap().clone();
    let ids: Vec<Value> = ids.into_iter().map(|node| node["id"].clone()).collect();
    let app = animals().build().await;
    let gone = app.query("{ subjects(first: 2) { nodes { sourceId } } }").await;
    let gone = gone.data()["subjects"]["nodes"][1]["sourceId"].as_str().unwrap().to_owned();
    let app = animals().build().await;
    app.brainstem().remove("subjects", &gone);
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let answer = app.query_with(query, json!({ "ids": ids })).await;
    let nodes = answer.data()["nodes"].as_array().unwrap();
    assert_eq!((&nodes[1], nodes.iter().filter(|node| node.is_object()).count()), (&Value::Null, 39));
    assert_eq!(app.brainstem().take_log().len(), 1);
    app.query_with(query, json!({"ids": []})).await.data();
    assert_eq!(app.brainstem().take_log().len(), 0, "an empty batch would give everything");

    // Related records that may not be seen are left out; their ids stay.
    let subject = &app.brainstem().records("subjects")[0];
    let project = subject["projects"][0].as_str().unwrap();
    app.brainstem().remove("projects", project);
    let by = format!("{{ subject(by: {{brainStem: {}}}) {{ projectIds projects {{ sourceId }} }} }}", subject["id"]);
    let answer = app.query(&by).await;
    let left = &answer.data()["subject"];
    assert_eq!(left["projects"].as_array().unwrap().len() + 1, left["projectIds"].as_array().unwrap().len());
}

#[tokio::test]
async fn a_batch_whose_filter_is_ignored_is_an_error_and_not_an_absence() {
    let ids: Vec<String> = (0..3).map(|n| format!("00000000-0000-4000-8000-{n:012}")).collect();
    let upstream = Double::json(move |target| {
        let foreign: Vec<Value> = (0..20).map(|n| json!({"id": format!("11111111-0000-4000-8000-{n:012}")})).collect();
        if target.contains("/subject/") {
            json!({"subject": {"id": ids[0], "name": "s", "projects": ids}})
        } else {
            json!({"count": 300, "projects": foreign})
        }
    })
    .await;
    let app = over(&upstream).await;
    let by = "{ subject(by: {brainStem: \"00000000-0000-4000-8000-000000000000\"}) { name projects { id } } }";
    let answer = app.query(by).await;
    assert_eq!(answer.codes(), [("UPSTREAM_INVALID_RESPONSE".to_owned(), json!(["subject", "projects"]))]);
    assert_eq!(answer.0["data"]["subject"]["name"], "s");
}

#[tokio::test]
async fn the_list_is_found_wherever_it_stands() {
    const QUERY: &str =
        "{ subjects(first: 20) { nodes { name projects { name } strain { name } breeding { mother { name } } } } }";
    let plain = animals().build().await.query(QUERY).await;
    for sideload in ["true", "false"] {
        for (key, primary_last) in [(None, true), (Some("animals"), false), (Some("results"), true)] {
            let app = animals().set("BRAINSTEM_SIDELOAD", sideload).build().await;
            app.brainstem().set_knobs(|knobs| {
                knobs.list_key = key.map(str::to_owned);
                knobs.primary_last = primary_last;
            });
            assert_eq!(app.query(QUERY).await.0, plain.0, "{key:?}");
        }
    }
}

#[tokio::test]
async fn one_record_may_be_bare_or_wrapped_in_any_word() {
    let id = "0cdaf69d-63cf-429f-b549-fc0cc163d046";
    let record = json!({"id": id, "name": "one", "projects": [id], "extra_fields": {"a": 1}});
    let by = format!("{{ subject(by: {{brainStem: \"{id}\"}}) {{ name metadata projectIds }} }}");
    let mut answers = Vec::new();
    for body in [json!({"subject": record}), json!({"animal": record}), record.clone()] {
        let upstream = Double::json(move |_| body.clone()).await;
        answers.push(over(&upstream).await.query(&by).await.data()["subject"].clone());
    }
    assert_eq!(answers[0]["name"], "one");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

    let other = json!({"subject": {"id": "00000000-0000-4000-8000-000000000000", "name": "another"}});
    let upstream = Double::json(move |_| other.clone()).await;
    let answer = over(&upstream).await.query(&by).await;
    assert_eq!(answer.codes(), [("UPSTREAM_INVALID_RESPONSE".to_owned(), json!(["subject"]))]);
}

#[tokio::test]
async fn a_record_without_a_readable_id_is_reported_and_the_others_come() {
    let good = |n: usize| {
        json!({"id": format!("00000000-0000-4000-8000-{n:012}"), "name": format!("{n}"), "sex": {"odd": 1},
        "birth_date": ["odd"], "tags": 5, "projects": "odd", "extra_fields": "odd"})
    };
    let records = json!([good(0), {"name": "no id"}, 5, good(1), {"id": "odd"}, null]);
    let upstream = Double::json(move |_| json!({"count": 6, "subjects": records})).await;
    let answer = over(&upstream).await.query("{ subjects { nodes { name sex birthDate projectIds } } }").await;
    assert_eq!(answer.codes(), [("UPSTREAM_INVALID_RESPONSE".to_owned(), json!(["subjects"]))]);
    assert_eq!(answer.errors()[0]["extensions"]["source"], "BRAINSTEM");
    let node = |name: &str| json!({"name": name, "sex": "UNKNOWN", "birthDate": null, "projectIds": []});
    assert_eq!(answer.0["data"]["subjects"]["nodes"], json!([node("0"), node("1")]));
}

#[tokio::test]
async fn a_list_that_the_server_does_not_have_is_not_an_empty_one() {
    let app = animals().build().await;
    let missing = Fault::new(FaultKind::Html(404)).on_path("/project/");
    app.brainstem().set_knobs(|knobs| knobs.faults.push(missing));
    let answer = app.query("{ projects { nodes { name } } }").await;
    assert_eq!(answer.codes(), [("UPSTREAM_ERROR".to_owned(), json!(["projects"]))]);
}
