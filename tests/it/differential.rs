//! Lists as `schema::lists` writes them are the lists that async-graphql's own executor gives: the same bytes, the same
//! errors, and no more requests, for generated documents over both sources, where relations fail and records are odd. And none of
//! them brings more objects than it is estimated to cost.
//!
//! One thing could differ and is legal: where several fields of a list fail that can't be null, the list is told the first
//! of their errors by order, and async-graphql's the first in time. The specification lets what is under way beside such a
//! field be given up, and so leaves open which error is told. No field of these lists that can't be null can fail.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use apollo_compiler::Schema;
use async_graphql::Request;
use proptest::{
    collection::vec,
    prelude::{Strategy as _, any},
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};
use subject_gateway::{
    access::Scopes,
    cache::Sources,
    config::CostMode,
    loaders::Credentials,
    sandbox::{Fault, FaultKind},
    schema::{
        self, GatewaySchema, RequestContext,
        execution::{Outcome, prepare},
        lists::{StockLists, to_json},
    },
};

use crate::util::{Builder, TestApp};
use documents::{Document, World, document};
use objects::objects;

mod documents;
mod objects;

/// What a reader is given: `data` as it is written, and the errors in an order of their own.
#[derive(Debug, PartialEq)]
struct Told {
    data: String,
    errors: Vec<String>,
    cost: u64,
}

async fn told(schema: &GatewaySchema, sources: &Arc<Sources>, document: &str, is_stock: bool) -> Option<Told> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let context =
        RequestContext::new(sources, Scopes::all(), &Credentials::of_service(sources), &Arc::default(), deadline);
    let request = Request::new(document);
    let request = if is_stock { request.data(StockLists) } else { request };
    let mut prepared = prepare(schema, request, true).ok()?;
    let cost = prepared.tell_cost()?.estimated;
    let Ok(Outcome::Executed(response)) = prepared.execute(schema, context).await else { return None };
    assert_eq!(to_json(&response), serde_json::to_string(&*response).unwrap());
    let mut errors: Vec<_> = response.errors.iter().map(|error| serde_json::to_string(error).unwrap()).collect();
    errors.sort_unstable();
    Some(Told { data: serde_json::to_string(&response.data).unwrap(), errors, cost })
}

/// Runs the document in both ways, each over caches of its own, first empty and then full.
async fn compare(
    app: &TestApp,
    schema: &GatewaySchema,
    world: &World,
    document: &Document,
) -> Result<(), TestCaseError> {
    let requests = || app.brainstem().take_log().len() + app.haut_ai().take_log().len();
    let Document { text: document, has_race } = document;
    let (stock, listed) = (app.cold(), app.cold());
    requests();
    let expected = told(schema, &stock, document, true).await;
    let stock_requests = requests();
    let got = told(schema, &listed, document, false).await;
    let listed_requests = requests();
    // A few documents ask for too much, and some for what can't be merged.
    let (Some(expected), Some(got)) = (expected, got) else { return Ok(()) };
    proptest::prop_assert_eq!(&got, &expected);
    let objects = objects(world, document, &serde_json::from_str(&got.data).unwrap());
    proptest::prop_assert!(objects <= got.cost, "{objects} objects, estimated to be at most {}", got.cost);
    // What goes wrong first ends what is under way beside it, and what comes to one relation at two depths may or may not
    // meet there. A level that was not asked for as one would cost far more.
    let is_certain = !has_race && expected.errors.is_empty();
    let limit = stock_requests + stock_requests / 4 + 2;
    proptest::prop_assert!(!is_certain || listed_requests <= limit, "{listed_requests} requests, not {stock_requests}");
    let again = told(schema, &listed, document, false).await;
    proptest::prop_assert_eq!(again, Some(expected));
    Ok(())
}

/// Of the ways in which relations fail.
const NO_FAULT: u8 = u8::MAX;

/// Makes what relations lead to fail, in one of several ways.
fn spoil(app: &TestApp, how: u8) {
    let status = |status| FaultKind::Status(status, String::new(), Vec::new());
    let faults = match how {
        0 => vec![Fault::new(status(500)).on_path("/project/")],
        1 => vec![Fault::new(status(503)).on_path("/procedure/"), Fault::new(status(404)).on_path("/action/")],
        2 => vec![Fault::new(FaultKind::Malformed).on_path("/strain/")],
        3 => vec![Fault::new(FaultKind::Reset).on_path("/species/"), Fault::new(status(500)).on_path("/license/")],
        4 => vec![Fault::new(status(500)).on_path("/breeding/"), Fault::new(status(500)).on_path("/cohort/")],
        5 => vec![Fault::new(status(500)).on_path("/brainregion/"), Fault::new(status(500)).on_path("/dicts/")],
        6 => vec![Fault::new(status(500)).on_path("/subjectlog/"), Fault::new(status(500)).on_query("id.in")],
        _ => Vec::new(),
    };
    app.brainstem().set_knobs(|knobs| knobs.faults.clone_from(&faults));
    app.haut_ai().set_knobs(|knobs| knobs.faults = faults);
}

/// Ids of records of every type that has lists.
async fn ids(app: &TestApp) -> Vec<String> {
    let answer = app
        .query(
            "{ subjects(first: 4, filter: {sources: [HAUT_AI]}) { nodes { id dataset { id } } }
               animals: subjects(first: 30, filter: {sources: [BRAINSTEM]}) { nodes {
                 id projects { id cohorts { nodes { id } } } procedures(first: 2) { nodes { id } }
                 logs(first: 2) { nodes { id } } strain { id species { id } } supplier { id } breeding { id }
                 licenses { id } } } }",
        )
        .await;
    let mut ids = Vec::new();
    gather(answer.data(), &mut ids);
    ids
}

fn gather(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, ids)),
        Value::Object(fields) => {
            ids.extend(fields.get("id").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| gather(value, ids));
        }
        _ => {}
    }
}

/// Records that others refer to and that are not there, odd shapes of metadata, and sexes given by an id alone.
fn make_odd(app: &TestApp) {
    let id_of = |record: &Value| record["id"].as_str().unwrap().to_owned();
    for model in ["project", "procedure", "subjectlog", "strain", "license", "supplier"] {
        for record in app.brainstem().records(model).iter().skip(1).step_by(7) {
            app.brainstem().remove(model, &id_of(record));
        }
    }
    let posing = json!([{"name": "$serde_json::private::RawValue", "value": "\"posing\""}]);
    let mut animals = app.brainstem().records("subject");
    animals.sort_by_key(|animal| animal["name"].to_string());
    for (at, animal) in animals.iter().enumerate().take(12) {
        app.brainstem().change("subject", &id_of(animal), |animal| match at % 3 {
            0 => animal["extra_fields"] = posing.clone(),
            1 => animal["extra_fields"] = json!({"deep": [{"a": 1e300, "b": "\u{2028}\u{0}\"\\/"}], "": null}),
            _ => animal["description"] = json!("\u{7f}\u{1}\n\r\t\u{8}\u{c} \" \\ \u{1F600} </script>"),
        });
    }
}

async fn documents_agree(app: TestApp, cases: u32) {
    make_odd(&app);
    let mut limits = app.limits();
    limits.cost.mode = CostMode::Measure;
    let schema = schema::build(true, &limits);
    let sdl = Schema::parse_and_validate(schema::sdl(false), "schema.graphql").unwrap();
    let world = Arc::new(World { schema: sdl, ids: ids(&app).await });
    let runtime = tokio::runtime::Handle::current();
    let drawn = tokio::task::spawn_blocking(move || {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let tapes = (0..24u8, vec(any::<u8>(), 20..600)).prop_map({
            let world = Arc::clone(&world);
            move |(how, tape)| (how, document(&world, &tape))
        });
        TestRunner::new(config).run(&tapes, |(how, document)| {
            spoil(&app, if document.has_race { NO_FAULT } else { how });
            runtime.block_on(compare(&app, &schema, &world, &document))
        })
    });
    if let Err(wrong) = drawn.await.unwrap() {
        panic!("{wrong}");
    }
}

/// How many documents each test draws; `PROPTEST_CASES` of them where it is set.
fn cases() -> u32 {
    let default = Config::default().cases;
    if default == 256 { 60 } else { default }
}

/// A source that is always asked: whether it is left alone for a while depends on the time that failures take.
fn unpaused() -> Builder {
    TestApp::builder().set("LIMITS_UPSTREAM_PAUSE_MS", "0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_what_async_graphql_makes_of_them() {
    documents_agree(unpaused().build().await, cases()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_sideloaded_records_are_the_same() {
    documents_agree(unpaused().set("BRAINSTEM_SIDELOAD", "true").build().await, cases()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_over_an_older_server_are_the_same() {
    documents_agree(unpaused().legacy().build().await, cases()).await;
}
