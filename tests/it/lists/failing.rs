//! A source that fails: the other's records come, and its own come later.

use serde_json::{Value, json};
use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind, Upstream};

use super::{
    ask::{List, Page, fail, ids, recover, sorted},
    data::{Dice, add_animals, add_people, fill},
    record::{BRAINSTEM, HAUT_AI},
    whole::Whole,
};
use crate::util::TestApp;

const SIZE: usize = 7;
const UNAVAILABLE: &str = "UPSTREAM_UNAVAILABLE";

/// A walk that goes on through failures, in either direction.
struct Walk<'a> {
    app: &'a TestApp,
    list: &'a List,
    back: bool,
    cursor: Value,
    seen: Vec<String>,
}

impl Walk<'_> {
    async fn page(&mut self) -> (Page, bool) {
        let (size, from) = if self.back { ("last", "before") } else { ("first", "after") };
        let page = self.list.try_page(self.app, json!({size: SIZE, from: self.cursor})).await;
        let (goes_on, next) = if self.back { (page.has_previous, &page.start) } else { (page.has_next, &page.end) };
        if page.ids.is_empty() && goes_on {
            assert!(!page.errors.is_empty(), "a page that brings nothing says why");
            assert_eq!(*next, self.cursor, "an empty page stays where it is");
        }
        self.cursor = next.clone();
        if self.back {
            self.seen.splice(0..0, page.ids.iter().cloned());
        } else {
            self.seen.extend(page.ids.iter().cloned());
        }
        (page, goes_on)
    }

    /// Until nothing is left but what fails.
    async fn through(&mut self, failing: &str) {
        let mut bare = 0;
        for _ in 0..40 {
            let (page, goes_on) = self.page().await;
            assert!(goes_on, "{failing} has more, once it is back");
            if page.errors.is_empty() {
                assert_eq!(page.ids.len(), SIZE, "a short page says why");
                continue;
            }
            assert_eq!(page.codes(), [(UNAVAILABLE, failing)]);
            assert_eq!(page.errors[0]["extensions"]["retryAfter"], 7);
            assert!(!page.errors[0]["message"].as_str().unwrap().contains("secret"));
            assert_eq!(page.source(failing), ("FAILING", Some(UNAVAILABLE)));
            bare += usize::from(page.ids.is_empty());
            if bare == 2 {
                return;
            }
        }
        panic!("{:?} does not come to what fails", self.list);
    }

    async fn finish(&mut self) {
        for _ in 0..40 {
            let (page, goes_on) = self.page().await;
            assert!(page.errors.is_empty(), "{:#?}", page.errors);
            if !goes_on {
                return;
            }
        }
        panic!("{:?} does not end", self.list);
    }
}

fn upstream<'a>(app: &'a TestApp, source: &str) -> &'a Upstream {
    if source == HAUT_AI { app.haut_ai() } else { app.brainstem() }
}

async fn app() -> TestApp {
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").set("LIMITS_UPSTREAM_PAUSE_MS", "0").build().await;
    fill(&app, &mut Dice::new(77), false);
    add_people(&app, 25);
    add_animals(&app, 25);
    app
}

/// The source fails from this page on and is back later; each record comes once, and those of one source in order.
async fn fails_from(page: usize, failing: &str, back: bool) {
    let app = app().await;
    let whole = Whole::of(&app);
    for order in [None, Some("NAME"), Some("BIRTH_DATE"), Some("CREATED_AT")] {
        for direction in ["ASC", "DESC"] {
            let order = order.map_or(Value::Null, |field| json!({"field": field, "direction": direction}));
            let list = List { filter: Value::Null, order };
            let mut walk = Walk { app: &app, list: &list, back, cursor: Value::Null, seen: Vec::new() };
            for _ in 0..page {
                walk.page().await;
            }
            let before = walk.seen.clone();
            fail(upstream(&app, failing));
            walk.through(failing).await;
            let stored = whole.list(&json!({"sources": [failing]}), &list.order);
            let (own, all) = (ids(&stored), ids(&whole.list(&Value::Null, &list.order)));
            let of = |seen: &[String], own: &[String]| {
                seen.iter().filter(|id| own.contains(id)).cloned().collect::<Vec<_>>()
            };
            let other: Vec<_> = all.iter().filter(|id| !own.contains(id)).cloned().collect();
            assert_eq!(of(&walk.seen, &own).len(), of(&before, &own).len(), "{list:?}: {failing} failed");
            assert_eq!(of(&walk.seen, &other), other, "{list:?}: the other one's records came");
            recover(upstream(&app, failing));
            walk.finish().await;
            assert_eq!(of(&walk.seen, &own), own, "{list:?}: what was left for later came");
            assert_eq!(sorted(walk.seen), sorted(all), "{list:?}");
        }
    }
}

#[tokio::test]
async fn people_that_fail_at_the_start_come_later() {
    fails_from(0, HAUT_AI, false).await;
    fails_from(0, HAUT_AI, true).await;
}

#[tokio::test]
async fn people_that_fail_amid_a_walk_come_later() {
    fails_from(2, HAUT_AI, false).await;
    fails_from(2, HAUT_AI, true).await;
}

#[tokio::test]
async fn animals_that_fail_at_the_start_come_later() {
    fails_from(0, BRAINSTEM, false).await;
    fails_from(0, BRAINSTEM, true).await;
}

#[tokio::test]
async fn animals_that_fail_amid_a_walk_come_later() {
    fails_from(2, BRAINSTEM, false).await;
    fails_from(2, BRAINSTEM, true).await;
}

#[tokio::test]
async fn with_both_down_a_page_stays_where_it_is() {
    let app = app().await;
    for list in [List::default(), List::ordered("NAME", "ASC"), List::ordered("BIRTH_DATE", "DESC")] {
        for back in [false, true] {
            let mut walk = Walk { app: &app, list: &list, back, cursor: Value::Null, seen: Vec::new() };
            for _ in 0..2 {
                let before = walk.seen.len();
                fail(app.haut_ai());
                fail(app.brainstem());
                let (page, goes_on) = walk.page().await;
                assert!(goes_on && walk.seen.len() == before, "{list:?} {back}");
                let failing: Vec<_> = page.codes();
                assert!(failing.contains(&(UNAVAILABLE, HAUT_AI)) || failing.contains(&(UNAVAILABLE, BRAINSTEM)));
                assert!(failing.iter().all(|(code, _)| *code == UNAVAILABLE), "{failing:?}");
                recover(app.haut_ai());
                recover(app.brainstem());
                walk.page().await;
            }
            walk.finish().await;
            assert_eq!(walk.seen, ids(&Whole::of(&app).list(&Value::Null, &list.order)), "{list:?} {back}");
        }
    }
}

/// Whatever it is, the error, the list's sources and the time to come back agree.
#[tokio::test]
async fn every_kind_of_failure_is_told_as_data_too() {
    for (kind, code) in [
        (FaultKind::Html(500), "UPSTREAM_ERROR"),
        (FaultKind::Reset, UNAVAILABLE),
        (FaultKind::Malformed, "UPSTREAM_INVALID_RESPONSE"),
        (FaultKind::Status(429, "{}".to_owned(), vec![("retry-after".to_owned(), "3".to_owned())]), "RATE_LIMITED"),
    ] {
        for source in [HAUT_AI, BRAINSTEM] {
            for order in [Value::Null, json!({"field": "NAME"})] {
                let app = TestApp::new().await;
                upstream(&app, source).set_knobs(|knobs| knobs.faults.push(Fault::new(kind.clone())));
                let list = List { filter: json!({"sources": [source]}), order };
                let page = list.try_page(&app, json!({"first": 5})).await;
                assert_eq!(page.codes(), [(code, source)], "{kind:?} {list:?}");
                assert_eq!(page.source(source), ("FAILING", Some(code)), "{kind:?} {list:?}");
                assert!(page.ids.is_empty() && page.has_next && page.end.is_null(), "{kind:?} {list:?}");
                // What may pass says when to come back.
                let extensions = &page.errors[0]["extensions"];
                assert!(
                    extensions["retryable"] == false || extensions["retryAfter"].is_u64(),
                    "{kind:?}: {extensions}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_sources_tell_what_the_page_needed() {
    let app = TestApp::new().await;
    let page = List::default().page(&app, json!({"first": 5})).await;
    assert_eq!((page.source(HAUT_AI), page.source(BRAINSTEM)), (("AVAILABLE", None), ("UNKNOWN", None)));
    let page = List::default().page(&app, json!({"last": 5})).await;
    assert_eq!((page.source(HAUT_AI).1, page.source(BRAINSTEM)), (None, ("AVAILABLE", None)));
    let page = List::ordered("NAME", "ASC").page(&app, json!({"first": 5})).await;
    assert_eq!((page.source(HAUT_AI), page.source(BRAINSTEM)), (("AVAILABLE", None), ("AVAILABLE", None)));

    let app = TestApp::new().await;
    fail(app.brainstem());
    let page = List::default().page(&app, json!({"first": 5})).await;
    assert_eq!((page.source(HAUT_AI), page.source(BRAINSTEM)), (("AVAILABLE", None), ("UNKNOWN", None)));
    // What a filter excludes fails nobody.
    let page = List::filtered(json!({"sources": ["HAUT_AI"], "sex": ["MALE"]})).page(&app, json!({"first": 5})).await;
    assert_eq!(page.sources.len(), 1);

    for (app, gone, left) in [
        (TestApp::builder().without_brainstem().build().await, BRAINSTEM, 217),
        (TestApp::builder().without_haut_ai().build().await, HAUT_AI, 300),
    ] {
        for list in [List::default(), List::ordered("NAME", "ASC"), List::ordered("BIRTH_DATE", "ASC")] {
            let page = list.page(&app, json!({"first": 5})).await;
            assert_eq!((page.source(gone), page.ids.len()), (("NOT_CONFIGURED", None), 5), "{list:?}");
            assert_eq!(list.totals(&app).await["totalCount"], left, "{list:?}");
        }
        let page = List::filtered(json!({"sources": [gone]})).page(&app, json!({"first": 5})).await;
        assert!(page.ids.is_empty() && !page.has_next && page.source(gone).0 == "NOT_CONFIGURED");
    }
}

#[tokio::test]
async fn totals_are_told_of_the_source_that_answers() {
    for (failing, other, count) in [(HAUT_AI, BRAINSTEM, 300), (BRAINSTEM, HAUT_AI, 217)] {
        let app = TestApp::new().await;
        fail(upstream(&app, failing));
        let query = "{ list: subjects(first: 3) { totalCount sources { source totalCount } nodes { source } } }";
        let answer = app.query(query).await;
        let list = &answer.0["data"]["list"];
        assert_eq!(list["totalCount"], Value::Null);
        for one in list["sources"].as_array().unwrap() {
            let expected = if one["source"] == other { json!(count) } else { Value::Null };
            assert_eq!(one["totalCount"], expected, "{one}");
        }
        assert_eq!(list["nodes"].as_array().unwrap().len(), 3);
        assert!(!answer.errors().is_empty());
        for error in answer.errors() {
            assert_eq!(
                (&error["extensions"]["source"], &error["extensions"]["code"]),
                (&json!(failing), &json!(UNAVAILABLE))
            );
        }
    }
}

#[tokio::test]
async fn half_a_gathered_source_is_none() {
    let app = TestApp::builder().empty().set("CACHE_FRESH_MS", "0").build().await;
    add_people(&app, 230);
    add_animals(&app, 12);
    app.haut_ai().set_knobs(|knobs| knobs.faults.push(Fault::new(FaultKind::Html(500)).on_query("page=2")));
    let list = List::ordered("NAME", "ASC");
    let page = list.try_page(&app, json!({"first": 10})).await;
    assert_eq!(page.codes(), [("UPSTREAM_ERROR", HAUT_AI)]);
    let whole = Whole::of(&app);
    let animals = ids(&whole.list(&json!({"sources": ["BRAINSTEM"]}), &list.order));
    assert_eq!(page.ids, animals[..10]);
    recover(app.haut_ai());
    let mut seen = page.ids.clone();
    let mut after = page.end;
    loop {
        let page = list.page(&app, json!({"first": 100, "after": after})).await;
        seen.extend(page.ids);
        if !page.has_next {
            break;
        }
        after = page.end;
    }
    assert_eq!(sorted(seen), sorted(ids(&whole.list(&Value::Null, &Value::Null))));
}

/// While it is fresh it needs nobody.
#[tokio::test]
async fn a_sorted_list_that_is_kept_outlives_its_sources() {
    let app =
        TestApp::builder().set("CACHE_FRESH_MS", "600000").set("HAUT_AI_DATASET_IDS", DATASET_IDS[1]).build().await;
    let list = List::ordered("NAME", "DESC");
    let first = list.page(&app, json!({"first": 50})).await;
    fail(app.haut_ai());
    fail(app.brainstem());
    let mut seen = first.ids.clone();
    let mut after = first.end;
    loop {
        let page = list.page(&app, json!({"first": 50, "after": after})).await;
        seen.extend(page.ids);
        if !page.has_next {
            break;
        }
        after = page.end;
    }
    assert_eq!(seen.len(), 37 + 300);
    assert!(app.haut_ai().take_log().iter().chain(&app.brainstem().take_log()).all(|request| request.status != 503));
}
