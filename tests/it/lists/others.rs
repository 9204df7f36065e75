//! The lists that BrainSTEM alone serves, and those of the ids that a record lists: filtered, ordered, both ways.

use serde_json::{Value, json};
use subject_gateway::sandbox::{Collation, SUBJECT_WITH_130_PROCEDURES, Totals};

use crate::util::{TestApp, to_path};

/// Which records pass a filter.
type Passes<'a> = Box<dyn Fn(&Value) -> bool + 'a>;

/// Walks a list and gives the sources' ids in the list's own order. `{field}` stands for the paging.
async fn walk(app: &TestApp, query: &str, pointer: &str, size: usize, backwards: bool, about: &Value) -> Vec<String> {
    let paging = if backwards { "last: $size, before: $cursor" } else { "first: $size, after: $cursor" };
    let query = query.replace("{paging}", paging);
    let (mut pages, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut variables = about.clone();
        variables["size"] = json!(size);
        variables["cursor"] = cursor;
        let answer = app.query_with(&query, variables).await;
        let page = answer.data().pointer(pointer).unwrap();
        let ids: Vec<String> = page["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| edge["node"]["sourceId"].as_str().unwrap().to_owned())
            .collect();
        let info = &page["pageInfo"];
        let (more, next, other_way) = if backwards {
            (&info["hasPreviousPage"], &info["startCursor"], &info["hasNextPage"])
        } else {
            (&info["hasNextPage"], &info["endCursor"], &info["hasPreviousPage"])
        };
        assert_eq!(*other_way, !pages.is_empty());
        pages.push(ids);
        if *more == false {
            break;
        }
        assert!(pages.len() < 500, "it does not end");
        cursor = next.clone();
    }
    if backwards {
        pages.reverse();
    }
    pages.concat()
}

async fn both_ways(app: &TestApp, query: &str, pointer: &str, about: Value, expected: &[String]) {
    for (size, backwards) in [(7, false), (7, true), (100, false), (100, true)] {
        let got = walk(app, query, pointer, size, backwards, &about).await;
        assert_eq!(got, expected, "{about}, {size} a page, backwards: {backwards}");
    }
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

fn ids(records: &[&Value]) -> Vec<String> {
    records.iter().map(|record| text(record, "id").to_owned()).collect()
}

/// The gateway's ids of objects by those of BrainSTEM.
async fn global_ids(app: &TestApp, list: &str) -> impl Fn(&str) -> Value {
    let query = format!("{{ {list}(first: 100) {{ nodes {{ id sourceId }} }} }}");
    let nodes = app.query(&query).await.data()[list]["nodes"].clone();
    move |source_id| {
        let nodes = nodes.as_array().unwrap();
        nodes.iter().find(|node| node["sourceId"] == source_id).map(|node| node["id"].clone()).unwrap()
    }
}

async fn global_subject(app: &TestApp, id: &str) -> Value {
    app.query(&format!("{{ subject(by: {{brainStem: \"{id}\"}}) {{ id }} }}")).await.data()["subject"]["id"].clone()
}

const PROCEDURES: &str = "query($size: Int, $cursor: String, $filter: ProcedureFilter, $orderBy: ProcedureOrder) { \
    list: procedures({paging}, filter: $filter, orderBy: $orderBy) { edges { node { sourceId } } \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

#[tokio::test]
async fn procedures_by_time_stand_with_the_undated_last_on_any_server() {
    for (collation, nulls_first) in [(Collation::CodePoint, false), (Collation::Reversed, true)] {
        let app = TestApp::new().await;
        app.brainstem().set_knobs(|knobs| (knobs.collation, knobs.nulls_first) = (collation, nulls_first));
        let subject = global_subject(&app, SUBJECT_WITH_130_PROCEDURES).await;
        let records = app.brainstem().records("procedures");
        let mut own: Vec<&Value> =
            records.iter().filter(|record| text(record, "subject") == SUBJECT_WITH_130_PROCEDURES).collect();
        for descending in [false, true] {
            own.sort_by(|left, right| {
                let (one, other) = (text(left, "date_time"), text(right, "date_time"));
                let by_time = if descending { other.cmp(one) } else { one.cmp(other) };
                let undated_last = one.is_empty().cmp(&other.is_empty());
                undated_last.then(by_time).then_with(|| text(left, "id").cmp(text(right, "id")))
            });
            let direction = if descending { "DESC" } else { "ASC" };
            let about = json!({
                "filter": {"subjectId": [subject]}, "orderBy": {"field": "DATE_TIME", "direction": direction},
            });
            // A text collation orders no times; the sandbox stores them as text.
            if collation == Collation::CodePoint {
                both_ways(&app, PROCEDURES, "/list", about, &ids(&own)).await;
            } else {
                let got = walk(&app, PROCEDURES, "/list", 50, false, &about).await;
                let undated = own.iter().filter(|record| record["date_time"].is_null()).count();
                assert_eq!(got.len(), own.len());
                assert_eq!(got[got.len() - undated..], ids(&own)[own.len() - undated..]);
            }
        }
    }
}

#[tokio::test]
async fn procedures_pass_all_filters_that_are_given() {
    let app = TestApp::new().await;
    let records = app.brainstem().records("procedures");
    let kind = text(&records[0], "type");
    let regions = app.brainstem().records("brain_regions");
    let region = text(records.iter().find(|record| !record["brain_region"].is_null()).unwrap(), "brain_region");
    let region_id = {
        let region = uuid::Uuid::parse_str(region).unwrap();
        json!(subject_gateway::domain::NodeId::BrainRegion(subject_gateway::domain::Id::new(region)).to_string())
    };
    assert!(regions.iter().any(|known| text(known, "id") == region));
    let mut times: Vec<&str> =
        records.iter().map(|record| text(record, "date_time")).filter(|time| !time.is_empty()).collect();
    times.sort_unstable();
    let (from, to) = (times[times.len() / 4], times[times.len() / 2]);
    let person = app.query("{ subjects(first: 1, filter: {sources: [HAUT_AI]}) { nodes { id } } }").await;
    let person = &person.data()["subjects"]["nodes"][0]["id"];
    let cases: Vec<(Value, Passes<'_>)> = vec![
        (json!({"type": kind}), Box::new(|record| text(record, "type") == kind)),
        (json!({"type": []}), Box::new(|_| false)),
        (json!({"subjectId": [person]}), Box::new(|_| false)),
        (json!({"brainRegionId": [region_id]}), Box::new(|record| text(record, "brain_region") == region)),
        (
            json!({"dateTime": {"from": from, "to": to}, "type": [kind, "none such"]}),
            Box::new(|record| (from..=to).contains(&text(record, "date_time")) && text(record, "type") == kind),
        ),
    ];
    for (filter, passes) in cases {
        let mut expected: Vec<String> = ids(&records.iter().filter(|record| passes(record)).collect::<Vec<_>>());
        let about = json!({"filter": filter, "orderBy": null});
        let mut got = walk(&app, PROCEDURES, "/list", 100, false, &about).await;
        let mut back = walk(&app, PROCEDURES, "/list", 100, true, &about).await;
        let query = "query($filter: ProcedureFilter) { procedures(first: 1, filter: $filter) { totalCount } \
            sorted: procedures(first: 1, filter: $filter, orderBy: {field: DATE_TIME}) { totalCount } }";
        let counts = app.query_with(query, json!({"filter": filter})).await;
        assert_eq!(counts.data()["procedures"]["totalCount"], expected.len(), "{filter}");
        assert_eq!(counts.data()["sorted"]["totalCount"], expected.len(), "{filter}");
        for ids in [&mut expected, &mut got, &mut back] {
            ids.sort_unstable();
        }
        assert_eq!((&got, &back), (&expected, &expected), "{filter}");
    }
}

#[tokio::test]
async fn projects_and_logs_are_filtered_by_brainstem() {
    let app = TestApp::new().await;
    let projects = app.brainstem().records("projects");
    let subject = global_subject(&app, SUBJECT_WITH_130_PROCEDURES).await;
    let name = text(&projects[0], "name");
    let holds =
        |project: &Value| project["subjects"].as_array().unwrap().iter().any(|id| id == SUBJECT_WITH_130_PROCEDURES);
    let query = "query($filter: ProjectFilter) { projects(first: 100, filter: $filter, orderBy: {field: NAME, direction: DESC}) \
        { totalCount nodes { name sourceId } } }";
    let cases: Vec<(Value, Passes<'_>)> = vec![
        (json!(null), Box::new(|_| true)),
        (json!({"subjectId": [subject]}), Box::new(holds)),
        (json!({"isPublic": true}), Box::new(|project| project["is_public"] == true)),
        (json!({"isPublic": false}), Box::new(|project| project["is_public"] == false)),
        (json!({"name": {"eq": name}}), Box::new(|project| text(project, "name") == name)),
        (
            json!({"name": {"startsWith": name[..3].to_uppercase()}}),
            Box::new(|project| text(project, "name").to_lowercase().starts_with(&name[..3].to_lowercase())),
        ),
        (json!({"name": {"in": [name, "x"], "contains": "no such"}}), Box::new(|_| false)),
    ];
    for (filter, passes) in cases {
        let mut expected: Vec<&Value> = projects.iter().filter(|project| passes(project)).collect();
        expected.sort_by(|left, right| text(right, "name").cmp(text(left, "name")));
        let answer = app.query_with(query, json!({"filter": filter})).await;
        let list = &answer.data()["projects"];
        let got: Vec<&Value> = list["nodes"].as_array().unwrap().iter().map(|node| &node["sourceId"]).collect();
        assert_eq!(got, expected.iter().map(|project| &project["id"]).collect::<Vec<_>>(), "{filter}");
        assert_eq!(list["totalCount"], expected.len());
    }
    let logs = app.brainstem().records("subject_logs");
    let (kind, about) = (text(&logs[0], "type"), text(&logs[0], "subject"));
    let query = "query($size: Int, $cursor: String, $filter: SubjectLogFilter) { list: logs({paging}, filter: $filter) { \
        edges { node { sourceId } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let filter = json!({"type": kind, "subjectId": global_subject(&app, about).await});
    let mut expected =
        ids(&logs.iter().filter(|log| text(log, "type") == kind && text(log, "subject") == about).collect::<Vec<_>>());
    let mut got = walk(&app, query, "/list", 2, true, &json!({"filter": filter})).await;
    expected.sort_unstable();
    got.sort_unstable();
    assert!(!expected.is_empty());
    assert_eq!(got, expected);
}

/// Lists of ids that a record carries.
#[tokio::test]
async fn what_a_record_lists_is_paged_both_ways() {
    let app = TestApp::new().await;
    let records = app.brainstem().records("subjects");
    let subject = records.iter().find(|record| text(record, "id") == SUBJECT_WITH_130_PROCEDURES).unwrap();
    let listed: Vec<String> =
        subject["procedures"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    let query = format!(
        "query($size: Int, $cursor: String, $type: String) {{ subject(by: {{brainStem: \"{SUBJECT_WITH_130_PROCEDURES}\"}}) {{ \
         procedures({{paging}}, type: $type) {{ edges {{ node {{ sourceId }} }} \
         pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    both_ways(&app, &query, "/subject/procedures", json!({}), &listed).await;
    let procedures = app.brainstem().records("procedures");
    let of = |id: &String| procedures.iter().find(|procedure| text(procedure, "id") == id).unwrap();
    let kind = text(of(&listed[0]), "type");
    let of_kind: Vec<String> = listed.iter().filter(|id| text(of(id), "type") == kind).cloned().collect();
    assert!(of_kind.len() > 7 && of_kind.len() < listed.len());
    both_ways(&app, &query, "/subject/procedures", json!({"type": kind}), &of_kind).await;
}

#[tokio::test]
async fn a_project_lists_its_animals_filtered_and_ordered() {
    let app = TestApp::new().await;
    let projects = app.brainstem().records("projects");
    let project = projects.iter().max_by_key(|project| project["subjects"].as_array().unwrap().len()).unwrap();
    let id = global_ids(&app, "projects").await(text(project, "id"));
    let subjects = app.brainstem().records("subjects");
    let mut expected: Vec<&Value> = subjects
        .iter()
        .filter(|subject| subject["projects"].as_array().unwrap().contains(&project["id"]) && subject["sex"] == "F")
        .collect();
    expected.sort_by_key(|subject| {
        std::cmp::Reverse((text(subject, "birth_date"), std::cmp::Reverse(text(subject, "id"))))
    });
    let query = "query($size: Int, $cursor: String, $id: ID!) { project(id: $id) { subjects({paging}, filter: {sex: FEMALE}, \
        orderBy: {field: BIRTH_DATE, direction: DESC}) { edges { node { sourceId } } \
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }";
    both_ways(&app, query, "/project/subjects", json!({"id": id}), &ids(&expected)).await;
    app.clear_logs();
    let counted = "query($id: ID!) { project(id: $id) { subjects(first: 1, filter: {sex: FEMALE}) { totalCount \
        sources { source status totalCount } } plain: subjects(first: 1) { sources { source status totalCount } } } }";
    let answer = app.query_with(counted, json!({"id": id})).await;
    let count = expected.len();
    let list = &answer.data()["project"]["subjects"];
    assert_eq!(list["totalCount"], count);
    assert_eq!(list["sources"], json!([{"source": "BRAINSTEM", "status": "AVAILABLE", "totalCount": count}]));
    let all = project["subjects"].as_array().unwrap().len();
    let plain = json!([{"source": "BRAINSTEM", "status": "AVAILABLE", "totalCount": all}]);
    assert_eq!(answer.data()["project"]["plain"]["sources"], plain);
    assert!(app.haut_ai().log().is_empty());
    // A filter that names another project contradicts the one that is asked.
    let other = projects.iter().find(|other| other["id"] != project["id"]).unwrap();
    let other = global_ids(&app, "projects").await(text(other, "id"));
    let query =
        "query($id: ID!, $other: ID!) { project(id: $id) { subjects(filter: {projectId: [$other]}) { totalCount } } }";
    let answer = app.query_with(query, json!({"id": id, "other": other})).await;
    assert_eq!(answer.codes()[0].0, "BAD_USER_INPUT");
}

/// A server that counts nothing is asked where its list ends.
#[tokio::test]
async fn the_end_of_an_uncounted_list_is_found_in_few_requests() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").build().await;
    app.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    let total = app.brainstem().records("procedures").len();
    let answer =
        app.query("{ procedures(last: 3) { totalCount nodes { sourceId } pageInfo { hasPreviousPage } } }").await;
    let list = &answer.data()["procedures"];
    assert_eq!(list["nodes"].as_array().unwrap().len(), 3);
    assert_eq!((&list["totalCount"], &list["pageInfo"]["hasPreviousPage"]), (&Value::Null, &json!(true)));
    let log = app.brainstem().take_log();
    let asked = to_path(&log, "/modules/procedure/").len();
    let bits = usize::BITS as usize - total.leading_zeros() as usize;
    assert!(asked <= 2 * bits + 6, "{asked} requests for a list of {total}");
}
