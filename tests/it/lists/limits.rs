//! How many records a source may have for the gateway to sort them.

use serde_json::{Value, json};

use super::{
    ask::{List, ids},
    data::{add_animals, add_people},
    record::{BRAINSTEM, HAUT_AI},
    whole::Whole,
};
use crate::util::TestApp;

const LIMIT: usize = 100;

async fn app(people: usize, animals: usize) -> TestApp {
    let app = TestApp::builder().empty().set("LIMITS_MAX_GATHER", LIMIT.to_string()).build().await;
    add_people(&app, people);
    add_animals(&app, animals);
    app
}

/// Only one source is too large; the message says what helps.
async fn too_large(app: &TestApp, list: &List, source: &str) {
    for paging in [json!({"first": 5}), json!({"last": 5})] {
        let answer = list.ask(app, paging.clone()).await;
        let errors = answer.errors();
        assert_eq!(errors.len(), 1, "{list:?} {paging}: {:#}", answer.0);
        let extensions = &errors[0]["extensions"];
        assert_eq!(extensions["code"], "RESULT_TOO_LARGE", "{list:?} {paging}");
        assert_eq!((&extensions["source"], &extensions["retryable"]), (&json!(source), &json!(false)));
        let message = errors[0]["message"].as_str().unwrap();
        assert!(message.contains("filter") && message.contains("100"), "{message}");
    }
}

#[tokio::test]
async fn what_is_too_large_to_be_sorted_says_so() {
    let app = app(LIMIT + 1, LIMIT + 1).await;
    let only = |source: &str, field: &str| List {
        filter: json!({"sources": [source]}),
        order: json!({"field": field, "direction": "DESC"}),
    };
    too_large(&app, &only(HAUT_AI, "NAME"), HAUT_AI).await;
    too_large(&app, &only(HAUT_AI, "BIRTH_DATE"), HAUT_AI).await;
    too_large(&app, &only(HAUT_AI, "CREATED_AT"), HAUT_AI).await;
    too_large(&app, &only(BRAINSTEM, "NAME"), BRAINSTEM).await;
    // BrainSTEM sorts dates itself, however many there are.
    let animals = only(BRAINSTEM, "BIRTH_DATE");
    assert_eq!(animals.all(&app, 20).await, ids(&Whole::of(&app).list(&animals.filter, &animals.order)));
    // Without an order nothing is gathered.
    assert_eq!(List::default().all(&app, 100).await.len(), 2 * (LIMIT + 1));
}

#[tokio::test]
async fn as_many_as_the_limit_are_sorted() {
    let app = app(LIMIT, LIMIT).await;
    let list = List::ordered("NAME", "DESC");
    assert_eq!(list.all(&app, 30).await, ids(&Whole::of(&app).list(&Value::Null, &list.order)));
}

#[tokio::test]
async fn a_filter_helps() {
    let app = app(2 * LIMIT, 2 * LIMIT).await;
    for filter in [
        json!({"name": {"startsWith": "p0"}, "sources": ["HAUT_AI"]}),
        json!({"search": "p1", "sources": ["HAUT_AI"]}),
        json!({"name": {"contains": "A1"}}),
        json!({"name": {"in": ["a000", "a199"]}, "sources": ["BRAINSTEM"]}),
    ] {
        for direction in ["ASC", "DESC"] {
            let list = List { filter: filter.clone(), order: json!({"field": "NAME", "direction": direction}) };
            let expected = ids(&Whole::of(&app).list(&list.filter, &list.order));
            assert!(!expected.is_empty() && expected.len() <= LIMIT);
            assert_eq!(list.all(&app, 30).await, expected, "{list:?}");
        }
    }
}

/// The source that can be sorted comes, the other is named.
#[tokio::test]
async fn the_other_source_is_still_listed() {
    let app = app(LIMIT + 1, 12).await;
    let list = List::ordered("NAME", "ASC");
    let page = list.try_page(&app, json!({"first": 5})).await;
    assert_eq!(page.codes(), [("RESULT_TOO_LARGE", HAUT_AI)]);
    assert_eq!(page.source(HAUT_AI), ("FAILING", Some("RESULT_TOO_LARGE")));
    assert_eq!(page.source(BRAINSTEM), ("AVAILABLE", None));
    let whole = Whole::of(&app);
    let only = json!({"sources": ["BRAINSTEM"]});
    assert_eq!(page.ids, ids(&whole.list(&only, &list.order))[..5]);
}
