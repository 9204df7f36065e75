//! Section 6.1.2 and 6.4.1: how values of variables and arguments are read.

use serde_json::{Value, json};

use super::{BAD, app, data, message, none, refusals};
use crate::util::TestApp;

const FILTER: &str = "query($v: SubjectFilter) { subjects(filter: $v) { totalCount } }";
const BY: &str = "query($v: SubjectBy!) { subject(by: $v) { id } }";
const FIRST: &str = "query($v: Int) { subjects(first: $v) { totalCount } }";
const ID: &str = "query($v: ID!) { node(id: $v) { id } }";
const IDS: &str = "query($v: [ID!]!) { nodes(ids: $v) { id } }";
const AFTER: &str = "query($v: String) { subjects(after: $v) { totalCount } }";
const IF: &str = "query($v: Boolean!) { t: __typename @include(if: $v) }";
const ORDER: &str = "query($v: SubjectOrder) { subjects(orderBy: $v) { totalCount } }";
const CREATE: &str = "mutation($v: SubjectCreateInput!) { subjectCreate(input: $v) { userErrors { code } } }";

#[tokio::test]
async fn values_of_the_right_shape_are_taken() {
    let app = app().await;
    for (query, value) in [
        (FIRST, json!(0)),
        (FIRST, json!(null)),
        (FIRST, json!(5.0)),
        (FIRST, json!(i32::MAX)),
        (ID, json!("x")),
        (ID, json!(5)),
        (ID, json!(u64::MAX)),
        (ID, json!(-5)),
        (IDS, json!([])),
        (IDS, json!(["x", 5])),
        // One stands for a list of it.
        (IDS, json!("x")),
        (FILTER, json!(null)),
        (FILTER, json!({})),
        (FILTER, json!({"sources": "HAUT_AI", "name": {"in": "x"}})),
        (FILTER, json!({"sources": ["HAUT_AI"], "name": null, "hasProcedures": false})),
        (BY, json!({"id": "x"})),
        (BY, json!({"hautAi": {"subjectId": 5, "datasetId": null}})),
        (ORDER, json!({"field": "NAME"})),
        (ORDER, json!({"field": "NAME", "direction": "DESC"})),
        (AFTER, json!("")),
        (IF, json!(false)),
        // Content: user errors.
        (CREATE, json!({"brainStem": {"name": "", "metadata": [1, {"a": null}], "birthDate": "no day"}})),
    ] {
        let answer = app.query_with(query, json!({"v": value})).await;
        assert_eq!(refusals(&answer), Vec::<String>::new(), "{query} {value}: {:#}", answer.0);
    }
}

#[tokio::test]
async fn values_of_the_wrong_shape_are_refused_before_anything_runs() {
    let app = TestApp::new().await;
    app.clear_logs();
    let long = "x".repeat(10_000);
    let sex = "FEMALE, MALE, OTHER, UNKNOWN";
    for (query, value, expected) in [
        (FIRST, json!("5"), "`$v` can't be a text: expected a whole number (`Int`).".to_owned()),
        (FIRST, json!(1.5), "`$v` can't be the number 1.5: expected a whole number from -2147483648 to 2147483647 (`Int`).".into()),
        (FIRST, json!(2_147_483_648_i64), "`$v` can't be the number 2147483648: expected a whole number from -2147483648 to 2147483647 (`Int`).".into()),
        (FIRST, json!(true), "`$v` can't be true: expected a whole number (`Int`).".into()),
        (FIRST, json!([5]), "`$v` can't be a list: expected a whole number (`Int`).".into()),
        (ID, json!(1.5), "`$v` can't be the number 1.5: expected a text or a whole number (`ID`).".into()),
        (ID, json!({"x": 1}), "`$v` can't be an object: expected a text or a whole number (`ID`).".into()),
        (ID, json!(null), "`$v` has no value: expected one of type `ID!` in `variables`.".into()),
        (IDS, json!(["x", null]), "`$v[1]` is null: expected a value of type `ID!`.".into()),
        (IDS, json!([["x"]]), "`$v[0]` can't be a list: expected a text or a whole number (`ID`).".into()),
        (AFTER, json!(5), "`$v` can't be the number 5: expected a text (`String`).".into()),
        (IF, json!("true"), "`$v` can't be a text: expected true or false (`Boolean`).".into()),
        (IF, json!(1), "`$v` can't be the number 1: expected true or false (`Boolean`).".into()),
        (FILTER, json!({"nope": 1, "sex": "FEMALE"}), "`$v` has `nope`, which `SubjectFilter` has not: expected sources, name, search, \
            sex, birthDate, status, projectId, strainId, speciesId, tag, datasetId, hasProcedures.".into()),
        (FILTER, json!({"sex": ["FEMALE", "female"]}), format!("`$v.sex[1]` can't be the text \"female\": expected one of {sex} (`Sex`).")),
        (FILTER, json!({"sex": [1]}), format!("`$v.sex[0]` can't be the number 1: expected one of {sex} (`Sex`).")),
        (FILTER, json!({"sex": long}), format!("`$v.sex` can't be the text \"{}…\": expected one of {sex} (`Sex`).", &long[..40])),
        (FILTER, json!({"name": "x"}), "`$v.name` can't be a text: expected an object with eq, contains, startsWith, in (`NameFilter`).".into()),
        (FILTER, json!({"name": {"in": ["x", 5]}}), "`$v.name.in[1]` can't be the number 5: expected a text (`String`).".into()),
        (ORDER, json!({}), "`$v` has no `field`: expected one of type `SubjectOrderField!`.".into()),
        (ORDER, json!({"field": "NAME", "direction": null}), "`$v.direction` is null: expected a value of type `OrderDirection!`.".into()),
        (BY, json!({}), "`$v` has not exactly one field with a value: expected one of id, hautAi, brainStem, brainStemName (`SubjectBy`).".into()),
        (BY, json!({"id": "x", "brainStem": null}), "`$v` has not exactly one field with a value: expected one of id, hautAi, brainStem, \
            brainStemName (`SubjectBy`).".into()),
        (BY, json!({"id": null}), "`$v` has not exactly one field with a value: expected one of id, hautAi, brainStem, brainStemName (`SubjectBy`).".into()),
        (BY, json!({"hautAi": {"datasetId": "x"}}), "`$v.hautAi` has no `subjectId`: expected one of type `ID!`.".into()),
        (CREATE, json!({"brainStem": {"sex": "CAT"}}), format!("`$v.brainStem.sex` can't be the text \"CAT\": expected one of {sex} (`Sex`).")),
        (CREATE, json!({"brainStem": {"name": 5}}), "`$v.brainStem.name` can't be the number 5: expected a text (`String`).".into()),
    ] {
        let answer = app.query_with(query, json!({"v": value})).await;
        assert_eq!(refusals(&answer), [BAD], "{query} {value}: {:#}", answer.0);
        let error = &answer.0["errors"][0];
        assert_eq!(error["message"], expected.as_str(), "{query} {value}");
        assert_eq!(error["locations"][0]["line"], 1);
    }
    assert!(app.haut_ai().take_log().is_empty() && app.brainstem().take_log().is_empty());
}

#[tokio::test]
async fn everything_that_is_wrong_is_told() {
    let app = app().await;
    let query = "query($a: Int, $b: SubjectFilter, $c: ID!) { subjects(first: $a, filter: $b) { totalCount } node(id: $c) { id } }";
    let answer = app.query_with(query, json!({"a": "x", "b": {"sex": ["x", "MALE", "y"], "search": 5}})).await;
    let told: Vec<_> =
        answer.0["errors"].as_array().unwrap().iter().map(|error| error["message"].as_str().unwrap()).collect();
    for (message, begins) in told.iter().zip(["`$a` ", "`$b.search` ", "`$b.sex[0]` ", "`$b.sex[2]` ", "`$c` "]) {
        assert!(message.starts_with(begins), "{told:#?}");
    }
    assert_eq!(told.len(), 5);
    // Not without end.
    let answer = app.query_with(IDS, json!({"v": vec![Value::Null; 1_000]})).await;
    assert_eq!(answer.errors().len(), 50);
}

#[tokio::test]
async fn what_is_not_given_has_its_default_and_null_is_null() {
    let app = TestApp::new().await;
    let names = |found: &Value| -> Vec<String> {
        let nodes = found["subjects"]["nodes"].as_array().unwrap();
        nodes.iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect()
    };
    let query = "query($d: OrderDirection, $f: Int = 3) { subjects(first: $f, orderBy: {field: NAME, direction: $d}) { nodes { name } } }";
    let up = names(&data(&app, query, none()).await);
    let down = names(&data(&app, query, json!({"d": "DESC"})).await);
    assert_eq!((up.len(), down.len()), (3, 3));
    assert_ne!(up, down);
    assert_eq!(names(&data(&app, query, json!({"d": "ASC"})).await), up);
    // `first: null` is what leaving it out is: 20.
    assert_eq!(names(&data(&app, query, json!({"f": null})).await).len(), 20);
    let told = message(&app, query, json!({"d": null}), BAD).await;
    assert!(told.contains("`$d` is null") && told.contains("OrderDirection!"), "{told}");
    // A default value of its own makes a variable fit, and has to be there.
    let query = "query($ids: [ID!] = []) { nodes(ids: $ids) { id } }";
    assert_eq!(data(&app, query, none()).await, json!({"nodes": []}));
    let told = message(&app, query, json!({"ids": null}), BAD).await;
    assert!(told.contains("`$ids` is null"), "{told}");
    // In an object what is not given is left out; in a list it is null.
    let query = "query($s: String, $t: String) { subjects(first: 1, filter: {search: $s, name: {contains: $t}}) { nodes { name } } }";
    assert_eq!(data(&app, query, none()).await["subjects"]["nodes"].as_array().unwrap().len(), 1);
    let query = "query($x: String) { _entities(representations: [{__typename: \"Subject\", id: \"x\", more: [$x]}]) { __typename } }";
    let answer = app.query(query).await;
    assert_eq!(answer.0["data"], json!({"_entities": [null]}));
    // The schema's default stands where a variable has no value.
    let query = "query($all: Boolean) { __type(name: \"Query\") { fields(includeDeprecated: $all) { name } } }";
    assert!(!data(&app, query, none()).await["__type"]["fields"].as_array().unwrap().is_empty());
}
