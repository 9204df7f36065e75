//! An upstream that fails: what is sent again, when it is no longer asked, and what callers get meanwhile.

mod bounds;
mod breaker;
mod faults;
mod retries;

use subject_gateway::sandbox::{Fault, FaultKind, Upstream};

use crate::util::{Answer, Builder, TestApp, eventually};

/// Only BrainSTEM, and nothing kept.
fn uncached() -> Builder {
    TestApp::builder().without_haut_ai().set("CACHE_FRESH_MS", "0")
}

/// A list of which every size is another read.
async fn ask(app: &TestApp, first: usize) -> Answer {
    app.query(&format!("{{ projects(first: {first}) {{ nodes {{ name }} }} }}")).await
}

fn status(status: u16, retry_after: Option<&str>) -> FaultKind {
    let header = retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_owned()));
    FaultKind::Status(status, "{}".to_owned(), header.into_iter().collect())
}

fn fail(upstream: &Upstream, fault: Fault) {
    upstream.set_knobs(|knobs| knobs.faults = vec![fault]);
}

fn recover(upstream: &Upstream) {
    upstream.set_knobs(|knobs| knobs.faults.clear());
}

/// The code of an answer's only error; `None`: it has none.
fn code(answer: &Answer) -> Option<String> {
    let codes = answer.codes();
    assert!(codes.len() <= 1, "{codes:?}");
    codes.into_iter().next().map(|(code, _)| code)
}
