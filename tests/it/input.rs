//! Bad input: which error, where, in which words; siblings stand and no upstream is asked.

use serde_json::{Value, json};
use subject_gateway::{
    domain::{
        Id, NodeId, SubjectFilter, SubjectId, SubjectOrder,
        cursor::{self, Fingerprint},
    },
    sandbox::SUBJECT_WITH_130_PROCEDURES,
};
use uuid::Uuid;

use crate::util::TestApp;

const BAD: &str = "BAD_USER_INPUT";
const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";

/// A resolver refused the argument: one error at the field, which is null; the field beside it stands.
async fn refused(app: &TestApp, field: &str, variables: Value, words: &[&str]) {
    let name = field.split(['(', ' ']).next().unwrap();
    let declared = declarations(&variables);
    let query = format!("query{declared} {{ {field} sources {{ source }} }}");
    let shown: String = format!("{field} {variables}").chars().take(200).collect();
    let answer = app.query_with(&query, variables).await;
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!([name]))], "{shown}: {:#}", answer.0);
    assert_eq!(answer.0["data"], json!({name: null, "sources": [{"source": "HAUT_AI"}, {"source": "BRAINSTEM"}]}));
    let message = answer.errors()[0]["message"].as_str().unwrap().to_owned();
    assert!(words.iter().all(|words| message.contains(words)), "{shown}: {message}");
    assert!(message.len() < 400, "{message}");
    assert_eq!(answer.errors()[0]["extensions"]["retryable"], false);
}

/// `($id: ID!, …)` for the variables given: `after` and the like are texts.
fn declarations(variables: &Value) -> String {
    let names = variables.as_object().unwrap().keys();
    let of_type = |name: &str| match name {
        "id" => "ID!",
        "ids" => "[ID!]!",
        "by" => "SubjectBy!",
        "first" => "Int",
        "filter" => "SubjectFilter",
        _ => "String",
    };
    let declared: Vec<_> = names.map(|name| format!("${name}: {}", of_type(name))).collect();
    if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) }
}

/// The request as a whole is refused: no data.
async fn rejected(app: &TestApp, query: &str, variables: Value, code: &str, words: &[&str]) {
    let answer = app.query_with(query, variables).await;
    assert!(answer.0["data"].is_null(), "{query}: {:#}", answer.0);
    let errors = answer.errors();
    assert_eq!(errors[0]["extensions"]["code"], code, "{query}: {errors:#?}");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(words.iter().all(|words| message.contains(words)), "{query}: {message}");
    assert!(message.len() < 1_000, "{message}");
}

fn assert_nothing_asked(app: &TestApp) {
    let logs = [app.haut_ai().take_log(), app.brainstem().take_log()].concat();
    assert!(logs.is_empty(), "{logs:#?}");
}

fn subject(uuid: &str) -> String {
    NodeId::from(SubjectId::BrainStem(Id::new(Uuid::try_parse(uuid).unwrap()))).to_string()
}

#[tokio::test]
async fn malformed_ids() {
    let app = TestApp::new().await;
    let good = subject(SUBJECT_WITH_130_PROCEDURES);
    let cut = good[..good.len() - 1].to_owned();
    let (padded, plus, swapped) = (format!("{good}="), good.replace('-', "+") + "+", good.to_lowercase());
    let long = "A".repeat(100_000);
    let odd = ["", " ", "x", "null", "1", "🐭🐭", "../../etc/passwd", "a\u{0}b", SUBJECT_WITH_130_PROCEDURES];
    for id in odd.into_iter().chain([cut, padded, plus, swapped, long].iter().map(String::as_str)) {
        let expected = ["`id`", "expected"];
        refused(&app, "node(id: $id) { id }", json!({"id": id}), &expected).await;
        refused(&app, "project(id: $id) { id }", json!({"id": id}), &expected).await;
        refused(&app, "procedure(id: $id) { id }", json!({"id": id}), &expected).await;
        refused(&app, "subject(by: $by) { id }", json!({"by": {"id": id}}), &["`by.id`", "expected"]).await;
        if Uuid::try_parse(id).is_err() {
            let expected = ["`by.brainStem`", "UUID"];
            refused(&app, "subject(by: $by) { id }", json!({"by": {"brainStem": id}}), &expected).await;
            let by = json!({"hautAi": {"subjectId": id}});
            refused(&app, "subject(by: $by) { id }", json!({"by": by}), &["`by.hautAi.subjectId`", "UUID"]).await;
            let by = json!({"hautAi": {"datasetId": id, "subjectId": SUBJECT_WITH_130_PROCEDURES}});
            refused(&app, "subject(by: $by) { id }", json!({"by": by}), &["`by.hautAi.datasetId`", "UUID"]).await;
        }
    }
    // An id of another type.
    let words = ["`id`", "the id of a Subject", "expected the id of a Project"];
    refused(&app, "project(id: $id) { id }", json!({"id": good}), &words).await;
    refused(&app, "procedure(id: $id) { id }", json!({"id": good}), &["expected the id of a Procedure"]).await;
    let strain = NodeId::Strain(Id::new(Uuid::from_u128(1))).to_string();
    let words = ["`by.id`", "the id of a Strain", "expected the id of a Subject"];
    refused(&app, "subject(by: $by) { id }", json!({"by": {"id": strain}}), &words).await;
    refused(&app, "subject(by: $by) { id }", json!({"by": {"brainStemName": ""}}), &["`by.brainStemName`"]).await;
    assert_nothing_asked(&app);
    // A number is an ID, too, and only a malformed one here.
    refused(&app, "node(id: 5) { id }", json!({}), &["`id`"]).await;
    // A name is only a name.
    for name in [&"n".repeat(200), "a&limit=0#?%2B{}[]\"\\'\n", "🐭 two"] {
        let query = "query($by: SubjectBy!) { subject(by: $by) { id } }";
        let answer = app.query_with(query, json!({"by": {"brainStemName": name}})).await;
        assert!(answer.0["data"]["subject"].is_null(), "{name}");
        assert!(answer.errors().iter().all(|error| error["extensions"]["source"] == "BRAINSTEM"), "{:#}", answer.0);
    }
}

#[tokio::test]
async fn page_sizes_and_cursors() {
    let app = TestApp::new().await;
    let lists = ["subjects", "projects", "procedures", "strains", "species", "suppliers"];
    let query = "{ subjects(first: 1) { pageInfo { endCursor } } projects(first: 1) { pageInfo { endCursor } } \
        mice: strains(first: 1, search: \"e\") { pageInfo { endCursor } } \
        animals: subjects(first: 1, filter: {sources: [BRAINSTEM]}) { \
            pageInfo { endCursor } nodes { procedures(first: 1) { pageInfo { endCursor } } } } }";
    let answer = app.query(query).await;
    let cursor = |pointer: &str| answer.data().pointer(pointer).unwrap().clone();
    let (subjects, projects) = (cursor("/subjects/pageInfo/endCursor"), cursor("/projects/pageInfo/endCursor"));
    let (mice, animals) = (cursor("/mice/pageInfo/endCursor"), cursor("/animals/pageInfo/endCursor"));
    let nested = cursor("/animals/nodes/0/procedures/pageInfo/endCursor");
    app.clear_logs();
    for list in lists {
        for first in [-1, 101, i32::MAX, i32::MIN] {
            let field = format!("{list}(first: $first) {{ nodes {{ id }} }}");
            refused(&app, &field, json!({"first": first}), &["`first`", "from 0 to 100"]).await;
        }
        let long = "A".repeat(100_000);
        for after in ["", " ", "x", "🐭", "AQEB", &long, &subject(SUBJECT_WITH_130_PROCEDURES)] {
            let field = format!("{list}(after: $after) {{ nodes {{ id }} }}");
            refused(&app, &field, json!({"after": after}), &["`after`", "expected"]).await;
        }
    }
    let field = "subjects(after: $after, filter: $filter) { nodes { id } }";
    for (after, filter) in [
        (&projects, json!(null)),
        (&nested, json!(null)),
        (&subjects, json!({"sources": ["HAUT_AI"]})),
        (&animals, json!(null)),
        (&animals, json!({"sources": ["HAUT_AI"]})),
    ] {
        let variables = json!({"after": after, "filter": filter});
        refused(&app, field, variables, &["`after`", "another list", "same filter"]).await;
    }
    let field = "strains(after: $after) { nodes { id } }";
    refused(&app, field, json!({"after": mice}), &["`after`", "another list"]).await;
    refused(&app, field, json!({"after": subjects}), &["`after`", "another list"]).await;
    // Of an older shape: the right list, but a position that is none of today's.
    let list = Fingerprint::of(&("subjects", SubjectFilter::default(), None::<SubjectOrder>));
    let older = cursor::encode(list, &3);
    refused(&app, "subjects(after: $after) { nodes { id } }", json!({"after": older}), &["`after`"]).await;
    assert_nothing_asked(&app);
    // A filter that says nothing is none, in any order and however often.
    let query = "query($after: String) { subjects(first: 1, after: $after) { nodes { id } } \
        asked: subjects(first: 1, after: $after, filter: {}) { nodes { id } } \
        both: subjects(first: 1, after: $after, filter: {sources: [BRAINSTEM, HAUT_AI, BRAINSTEM]}) { nodes { id } } }";
    let answer = app.query_with(query, json!({"after": subjects})).await;
    let data = answer.data();
    assert_eq!((&data["asked"], &data["both"]), (&data["subjects"], &data["subjects"]));
    // Null is what leaving it out is.
    let answer = app.query("{ subjects(first: null, after: null, filter: null) { nodes { id } } }").await;
    assert_eq!(answer.data()["subjects"]["nodes"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn lists_within_records_and_dates() {
    let app = TestApp::new().await;
    let by = format!("subject(by: {{brainStem: \"{SUBJECT_WITH_130_PROCEDURES}\"}})");
    let query = format!(
        "query($day: Date) {{ {by} {{ name young: age(at: \"2023-02-30\") odd: age(at: \"x\") number: age(at: 5) \
         empty: age(at: \"\") time: age(at: \"2023-02-03T00:00:00Z\") list: age(at: [1]) given: age(at: $day) \
         fine: age(at: \"2025-06-30\") now: age(at: null) \
         procedures(first: 101) {{ totalCount }} more: procedures(first: 2, after: \"x\") {{ totalCount }} \
         logs(first: -1) {{ totalCount }} projects {{ name subjects(first: 200) {{ totalCount }} }} \
         brainStem {{ rawSex stateChanges(first: 1000) {{ totalCount }} }} }} }}"
    );
    let answer = app.query_with(&query, json!({"day": "29.02.2024"})).await;
    let subject = &answer.0["data"]["subject"];
    for field in ["young", "odd", "number", "empty", "time", "list", "given", "procedures", "more", "logs"] {
        assert!(subject[field].is_null(), "{field}");
        let error = answer.errors().into_iter().find(|error| error["path"] == json!(["subject", field]));
        let error = error.unwrap_or_else(|| panic!("no error at {field}: {:#}", answer.0));
        assert_eq!(error["extensions"]["code"], BAD);
        let argument = match field {
            "procedures" | "logs" => "`first`",
            "more" => "`after`",
            _ => "`at` is not a date: expected YYYY-MM-DD",
        };
        assert!(error["message"].as_str().unwrap().contains(argument), "{error}");
    }
    assert!(subject["name"].is_string() && subject["brainStem"]["rawSex"].is_string(), "{subject}");
    assert!(subject["fine"].is_string() && subject["now"].is_string(), "{subject}");
    assert!(subject["projects"][0]["name"].is_string() && subject["projects"][0]["subjects"].is_null(), "{subject}");
    let paths: Vec<_> = answer.codes().into_iter().map(|(_, path)| path).collect();
    assert!(paths.contains(&json!(["subject", "projects", 0, "subjects"])), "{paths:?}");
    assert!(paths.contains(&json!(["subject", "brainStem", "stateChanges"])), "{paths:?}");
    assert_eq!(paths.len(), 11 + subject["projects"].as_array().unwrap().len());
}

#[tokio::test]
async fn many_ids_at_once() {
    let app = TestApp::new().await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } sources { source } }";
    let answer = app.query_with(query, json!({"ids": []})).await;
    assert_eq!(answer.data()["nodes"], json!([]));
    let ids = vec![subject(SUBJECT_WITH_130_PROCEDURES); 101];
    let answer = app.query_with(query, json!({"ids": ids})).await;
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!(["nodes"]))]);
    let message = answer.errors()[0]["message"].to_string();
    assert!(message.contains("`ids` has 101 ids: expected at most 100"), "{message}");
    assert_nothing_asked(&app);

    let answer = app.query_with(query, json!({"ids": ids[..100]})).await;
    assert_eq!(answer.data()["nodes"], json!(ids[..100].iter().map(|id| json!({"id": id})).collect::<Vec<_>>()));
    assert_eq!(app.brainstem().take_log().len(), 1, "one id, however often");

    let absent = subject("0cdaf69d-0000-4000-8000-000000000000");
    let answer = app.query_with(query, json!({"ids": [ids[0], "🐭", absent, ids[0]]})).await;
    assert_eq!(answer.codes(), [(BAD.to_owned(), json!(["nodes", 1]))]);
    assert!(answer.errors()[0]["message"].as_str().unwrap().contains("`ids[1]`"));
    assert_eq!(answer.0["data"]["nodes"], json!([{"id": ids[0]}, null, null, {"id": ids[0]}]));
    assert_eq!(answer.0["data"]["sources"].as_array().unwrap().len(), 2);
}

/// What the specification lets a server refuse before anything runs, and what async-graphql notices only when it runs.
#[tokio::test]
async fn values_of_the_wrong_type() {
    let app = TestApp::new().await;
    for by in [
        "{}",
        "{id: null}",
        "{id: \"a\", brainStem: \"b\"}",
        "{id: \"a\", brainStem: null}",
        "{nope: 1}",
        "{hautAi: {}}",
        "{hautAi: {subjectId: null}}",
        "{brainStemName: 5}",
    ] {
        rejected(&app, &format!("{{ subject(by: {by}) {{ id }} }}"), json!({}), BAD, &["`by", "expected"]).await;
    }
    for by in [json!({}), json!({"id": null}), json!({"id": "a", "brainStem": "b"}), json!({"nope": 1})] {
        let query = "query($by: SubjectBy!) { subject(by: $by) { id } }";
        rejected(&app, query, json!({"by": by}), BAD, &["`$by", "expected"]).await;
    }
    let huge = "x".repeat(100_000);
    let by = |by: Value| json!({"by": by});
    let deep = (0..30).fold(json!("x"), |inner, _| json!([inner]));
    for (query, variables, code, words) in [
        ("{ subject(by: 5) { id } }", json!({}), BAD, ["`by`", "SubjectBy"]),
        ("query($by: SubjectBy!) { subject(by: $by) { id } }", by(json!("x")), BAD, ["`$by`", "SubjectBy"]),
        ("query($by: SubjectBy!) { subject(by: $by) { id } }", by(json!(huge)), BAD, ["`$by`", "SubjectBy"]),
        ("query($by: SubjectBy!) { subject(by: $by) { id } }", by(json!(null)), BAD, ["`$by`", "SubjectBy!"]),
        ("query($by: SubjectBy!) { subject(by: $by) { id } }", json!({}), BAD, ["`$by`", "SubjectBy!"]),
        ("query($by: ID) { subject(by: {id: $by}) { id } }", json!({}), INVALID, ["`$by`", "ID!"]),
        ("query($by: ID) { subject(by: {id: $by}) { id } }", by(json!("x")), INVALID, ["`$by`", "ID!"]),
        ("query($id: ID!) { node(id: $id) { id } }", json!({"id": deep}), BAD, ["`$id`", "ID"]),
        ("query($id: ID!) { node(id: $id) { id } }", json!({"id": {"x": 1}}), BAD, ["`$id`", "ID"]),
        ("query($id: ID) { node(id: $id) { id } }", json!({}), INVALID, ["`$id`", "ID!"]),
        ("{ node(id: 1.5) { id } }", json!({}), BAD, ["`id`", "ID"]),
        ("{ node(id: null) { id } }", json!({}), BAD, ["`id`", "ID"]),
        ("{ node { id } }", json!({}), INVALID, ["`id`", "ID!"]),
        ("{ subject(by: null) { id } }", json!({}), BAD, ["`by`", "SubjectBy!"]),
        ("{ node(id: $id) { id } }", json!({"id": "x"}), INVALID, ["$id", "not defined"]),
        ("{ nodes(ids: [null]) { id } }", json!({}), BAD, ["`ids[0]`", "ID"]),
        ("{ subjects(first: 2147483648) { totalCount } }", json!({}), BAD, ["`first`", "2147483647"]),
        (
            "query($n: Int) { subjects(first: $n) { totalCount } }",
            json!({"n": 1_000_000_000_000_i64}),
            BAD,
            ["`$n`", "Int"],
        ),
        ("query($n: Int) { subjects(first: $n) { totalCount } }", json!({"n": 1.5}), BAD, ["`$n`", "Int"]),
        ("query($n: Int) { subjects(first: $n) { totalCount } }", json!({"n": "5"}), BAD, ["`$n`", "Int"]),
        ("query($n: Int!) { subjects(first: $n) { totalCount } }", json!({"n": null}), BAD, ["`$n`", "Int!"]),
        ("query($n: Boolean!) { sources @skip(if: $n) { source } }", json!({}), BAD, ["`$n`", "Boolean!"]),
        ("{ subjects(after: 5) { totalCount } }", json!({}), BAD, ["`after`", "String"]),
        ("{ subjects(filter: {sources: [CATS]}) { totalCount } }", json!({}), BAD, ["`filter.sources[0]`", "HAUT_AI"]),
        ("{ subjects(filter: {sources: [null]}) { totalCount } }", json!({}), BAD, ["`filter.sources[0]`", "Source"]),
        ("{ subjects(filter: {nope: 1}) { totalCount } }", json!({}), BAD, ["filter", "nope"]),
    ] {
        rejected(&app, query, variables, code, &words).await;
    }
    // In a fragment of the second operation.
    let query = "query A { sources { source } } query B { ...F } fragment F on Query { ... { p: projects(first: 1e2) { \
        totalCount } subjects(first: 3000000000) { totalCount } } }";
    let body = app.query(query).await;
    assert_eq!(body.errors()[0]["extensions"]["code"], BAD, "{:#}", body.0);
    let query =
        "query($n: Int) { sources { source } ...F } fragment F on Query { ... { subjects(first: $n) { totalCount } } }";
    rejected(&app, query, json!({"n": 3_000_000_000_u64}), BAD, &["`$n`"]).await;
    // Variables that nobody asked for harm nobody.
    let answer = app.query_with("{ sources { source } }", json!({"deep": deep, "huge": huge})).await;
    assert_eq!(answer.data()["sources"].as_array().unwrap().len(), 2);
    assert_nothing_asked(&app);
}
