//! What is counted of the talk with the upstreams. Nothing of a request is a label.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::domain::Source;

/// Counters of both sources.
#[derive(Clone, Debug, Default)]
pub struct UpstreamMetrics {
    requests: Family<Outcome, Counter>,
    retries: Family<Label, Counter>,
    refused_retries: Family<Label, Counter>,
    pauses: Family<Label, Counter>,
    refused: Family<Label, Counter>,
    paused: Family<Label, Gauge<u64, AtomicU64>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    source: &'static str,
    outcome: &'static str,
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
    }
}
