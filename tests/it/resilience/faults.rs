//! The table of faults in docs/operations.md, row by row: what callers are told, that it takes a bounded time and amount of
//! memory, and that the source is asked again when it is back.

use std::time::Duration;

use subject_gateway::sandbox::{DATASET_IDS, Fault, FaultKind, Upstream};

use super::{eventually, fail, recover, status};
use crate::util::{Answer, TestApp};

/// One after the other: more than it takes for a pause.
const READS: usize = 8;
/// Past it something hangs; each row takes a second or so.
const BOUND: Duration = Duration::from_secs(60);

struct Row {
    name: &'static str,
    fault: Fault,
    /// `None`: callers see nothing of it.
    code: Option<&'static str>,
    /// Whether the source is no longer asked after some of them: `UPSTREAM_UNAVAILABLE`.
    pauses: bool,
}

fn table() -> Vec<Row> {
    let row = |name, what, code, pauses| Row { name, fault: Fault::new(what), code: Some(code), pauses };
    let shape = |body: &str| FaultKind::Status(200, body.to_owned(), Vec::new());
    vec![
        row("hung", FaultKind::Hang, "UPSTREAM_TIMEOUT", true),
        row("one byte a second", FaultKind::SlowBytes(Duration::from_secs(1)), "UPSTREAM_TIMEOUT", true),
        row("resetting", FaultKind::Reset, "UPSTREAM_UNAVAILABLE", true),
        row("truncated", FaultKind::Truncate, "UPSTREAM_UNAVAILABLE", true),
        row("503", status(503, None), "UPSTREAM_UNAVAILABLE", true),
        row("500", status(500, None), "UPSTREAM_ERROR", false),
        row("501", status(501, None), "UPSTREAM_ERROR", true),
        row("HTML", FaultKind::Html(200), "UPSTREAM_INVALID_RESPONSE", false),
        row("200 MB", FaultKind::HugeBody(200_000_000), "UPSTREAM_INVALID_RESPONSE", false),
        row("not JSON", FaultKind::Malformed, "UPSTREAM_INVALID_RESPONSE", false),
        row("a text", shape("\"a text\""), "UPSTREAM_INVALID_RESPONSE", false),
        row("an object of another kind", shape("{\"results\": {\"id\": 5}}"), "UPSTREAM_INVALID_RESPONSE", false),
        row("redirecting", FaultKind::Redirect("/elsewhere/".to_owned()), "UPSTREAM_INVALID_RESPONSE", false),
        row("429", status(429, None), "RATE_LIMITED", false),
        Row {
            name: "each second request fails",
            fault: Fault::new(status(503, None)).every(2),
            code: None,
            pauses: false,
        },
    ]
}

async fn animals(app: &TestApp, first: usize) -> Answer {
    super::ask(app, first).await
}

async fn people(app: &TestApp, first: usize) -> Answer {
    app.query(&format!("{{ subjects(first: {first}, filter: {{sources: [HAUT_AI]}}) {{ nodes {{ name }} }} }}")).await
}

async fn check(row: &Row, app: &TestApp, upstream: &Upstream, ask: impl AsyncFn(&TestApp, usize) -> Answer) {
    fail(upstream, row.fault.clone());
    for read in 1..=READS {
        let answer = ask(app, read).await;
        let codes: Vec<_> = answer.codes().into_iter().map(|(code, _)| code).collect();
        let is_paused = row.pauses && read > 1 && codes == ["UPSTREAM_UNAVAILABLE"];
        assert!(is_paused || codes == Vec::from_iter(row.code), "{}, read {read}: {codes:?}", row.name);
    }
    let requests = upstream.take_log().len();
    // Each read, and where each second one fails a retry each but for the first; fewer than reads where the source is paused.
    let expected = if row.code.is_none() { 2 * READS - 1 } else { READS };
    let expected = if row.pauses { 2..=READS - 1 } else { expected..=expected };
    assert!(expected.contains(&requests), "{}: {requests} requests", row.name);
    recover(upstream);
    eventually(async || ask(app, 3).await.codes().is_empty().then_some(())).await;
    upstream.clear_log();
}

#[tokio::test]
async fn each_fault_has_a_code_and_an_end() {
    let app = TestApp::builder().set("CACHE_FRESH_MS", "0").set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]);
    let app = app.set("HAUT_AI_TIMEOUT_MS", "300").set("BRAINSTEM_TIMEOUT_MS", "300");
    let app = app.set("LIMITS_UPSTREAM_BYTES", "200000").set("LIMITS_UPSTREAM_FAILURE_MINIMUM", "3");
    let app = app.set("LIMITS_UPSTREAM_PAUSE_MS", "100").build().await;
    for row in table() {
        let of_brainstem = check(&row, &app, app.brainstem(), animals);
        let of_haut_ai = check(&row, &app, app.haut_ai(), people);
        let both = tokio::time::timeout(BOUND, async { tokio::join!(of_brainstem, of_haut_ai) }).await;
        assert!(both.is_ok(), "{} has no end", row.name);
    }
    for upstream in [app.brainstem(), app.haut_ai()] {
        // What was on its way when the gateway hung up, and not 200 MB a read.
        let sent = upstream.huge_bytes_sent();
        assert!(sent > 0 && sent < 10_000_000 * READS as u64, "{sent}");
    }
}
