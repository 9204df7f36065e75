//! Servers that do not tell how many records a list has.

use subject_gateway::sandbox::Totals;

use super::{animals, values};
use crate::util::TestApp;

/// For each request of a query: from which record on, how many, and whether anything is to come along.
async fn asked(app: &TestApp, query: &str) -> Vec<(u64, u64, bool)> {
    app.query(query).await.data();
    let log = app.brainstem().take_log();
    let number = |request, parameter| values(request, parameter).concat().parse().unwrap();
    log.iter()
        .map(|request| (number(request, "offset"), number(request, "limit"), !values(request, "include[]").is_empty()))
        .collect()
}

#[tokio::test]
async fn one_record_more_tells_whether_something_follows_once_it_is_known_that_nothing_else_does() {
    let app = animals().build().await;
    let subjects = |first: u32| {
        format!("{{ subjects(first: {first}) {{ nodes {{ projects {{ name }} }} pageInfo {{ hasNextPage }} }} }}")
    };
    app.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    // A look by itself, at one record, for which nothing comes along.
    assert_eq!(asked(&app, &subjects(3)).await, [(0, 3, true), (3, 1, false)]);
    assert_eq!(asked(&app, &subjects(4)).await, [(0, 5, true)]);
    // A page that is not full says nothing about the next one.
    assert_eq!(asked(&app, "{ projects(first: 100) { nodes { name } } }").await, [(0, 100, false)]);
    assert_eq!(asked(&app, &subjects(5)).await, [(0, 6, true)]);
    // No page is longer than this.
    assert_eq!(asked(&app, &subjects(100)).await, [(0, 100, true), (100, 1, false)]);
    app.brainstem().set_knobs(|knobs| knobs.totals = Totals::Count);
    assert_eq!(asked(&app, &subjects(6)).await, [(0, 7, true)]);
    assert_eq!(asked(&app, &subjects(8)).await, [(0, 8, true)]);
}

#[tokio::test]
async fn a_total_that_the_server_does_not_tell_is_null_and_reads_no_list() {
    let app = animals().build().await;
    app.brainstem().set_knobs(|knobs| knobs.totals = Totals::Nowhere);
    let answer = app.query("{ subjects(first: 0) { totalCount } }").await;
    assert!(answer.data()["subjects"]["totalCount"].is_null());
    let log = app.brainstem().take_log();
    assert!(log.iter().all(|request| values(request, "limit").concat().parse::<u64>().unwrap() <= 2), "{log:#?}");
}
