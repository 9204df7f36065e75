//! What is counted of the talk with the upstreams. Nothing of a request is a label.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use reqwest::StatusCode;

use crate::domain::Source;

/// Counters of both sources.
#[derive(Clone, Debug)]
pub struct UpstreamMetrics {
    requests: Family<Outcome, Counter>,
    retries: Family<Label, Counter>,
    refused_retries: Family<Label, Counter>,
    pauses: Family<Label, Counter>,
    refused: Family<Label, Counter>,
    paused: Family<Label, Gauge<u64, AtomicU64>>,
    responses: Family<Status, Counter>,
    durations: Family<Label, Histogram, fn() -> Histogram>,
    bytes: Family<Label, Counter>,
    in_flight: Family<Label, Gauge>,
}

/// The bounds of the buckets in seconds: from a server beside this one to the longest that one is waited for by default.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    source: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    source: &'static str,
    status: &'static str,
}

impl Default for UpstreamMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            retries: Family::default(),
            refused_retries: Family::default(),
            pauses: Family::default(),
            refused: Family::default(),
            paused: Family::default(),
            responses: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            bytes: Family::default(),
            in_flight: Family::default(),
        }
    }
}

/// One source's counters.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) answered: Counter,
    pub(super) failed: Counter,
    pub(super) abandoned: Counter,
    pub(super) retries: Counter,
    /// For which the budget had nothing left.
    pub(super) refused_retries: Counter,
    pub(super) pauses: Counter,
    /// Not sent, because the source was not to be asked.
    pub(super) refused: Counter,
    /// 1 while it is not to be asked.
    pub(super) paused: Gauge<u64, AtomicU64>,
    /// By class of status.
    responses: [Counter; CLASSES.len()],
    /// Of each try, with its answer's body.
    pub(super) duration: Histogram,
    /// Of answers' bodies, decompressed.
    pub(super) bytes: Counter,
    pub(super) in_flight: Gauge,
}

impl Counts {
    /// Counts an answer.
    pub(super) fn answered_with(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.responses[class].inc();
    }
}

impl UpstreamMetrics {
    pub(super) fn of(&self, source: Source) -> Counts {
        let source = source.code();
        let label = Label { source };
        let requests = |outcome| self.requests.get_or_create(&Outcome { source, outcome }).clone();
        Counts {
            answered: requests("answered"),
            failed: requests("failed"),
            abandoned: requests("abandoned"),
            retries: self.retries.get_or_create(&label).clone(),
            refused_retries: self.refused_retries.get_or_create(&label).clone(),
            pauses: self.pauses.get_or_create(&label).clone(),
            refused: self.refused.get_or_create(&label).clone(),
            paused: self.paused.get_or_create(&label).clone(),
            responses: CLASSES.map(|status| self.responses.get_or_create_owned(&Status { source, status })),
            duration: self.durations.get_or_create_owned(&label),
            bytes: self.bytes.get_or_create_owned(&label),
            in_flight: self.in_flight.get_or_create_owned(&label),
        }
    }

    /// Makes them part of what is served.
    pub fn register(&self, registry: &mut Registry) {
        let upstream = registry.sub_registry_with_prefix("upstream");
        upstream.register("requests", "Requests that were sent, by how they ended", self.requests.clone());
        upstream.register("retries", "Reads that were sent again", self.retries.clone());
        let refused_retries = "Retries that were left out, because there had been too many";
        upstream.register("refused_retries", refused_retries, self.refused_retries.clone());
        upstream.register("pauses", "How often a source failed too often to be asked further", self.pauses.clone());
        let refused = "Requests that were not sent, because the source was not asked at the time";
        upstream.register("refused", refused, self.refused.clone());
        upstream.register("paused", "Whether a source is not asked at the moment", self.paused.clone());
        upstream.register("responses", "Answers, by class of status", self.responses.clone());
        let durations = "How long tries took, to the end of the answer's body or the failure";
        upstream.register_with_unit("request_duration", durations, Unit::Seconds, self.durations.clone());
        let bytes = "Bytes of answers' bodies, decompressed";
        upstream.register_with_unit("response", bytes, Unit::Bytes, self.bytes.clone());
        upstream.register("requests_in_flight", "Requests that wait for their answer", self.in_flight.clone());
    }
}
