//! What is counted of requests before they run: the bounds that they passed, and what they were estimated to cost. Nothing of a
//! request is a label.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use super::limits::Limit;

/// The bounds of the histogram's buckets, about three to a power of ten.
const COSTS: [f64; 11] =
    [10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0, 100_000.0, 300_000.0, 1_000_000.0];

/// Bounds that a request passes while it is executed.
const WHILE_EXECUTED: [&str; 6] = [NODES, ENTITIES, GATHER, UPSTREAM_REQUESTS, OVERLOAD, EVENTS];
/// Of the ids that `nodes` takes.
pub(in crate::schema) const NODES: &str = "nodes";
/// Of the representations that `_entities` takes.
pub(in crate::schema) const ENTITIES: &str = "entities";
/// Of the records that a list is gathered from to be sorted.
pub(in crate::schema) const GATHER: &str = "gather";
/// Of the reads that an operation begins.
pub(in crate::schema) const UPSTREAM_REQUESTS: &str = "upstream_requests";
/// Of the operations that are executed at the same time.
pub(in crate::schema) const OVERLOAD: &str = "overload";
/// Of the events that a subscriber has not taken.
pub(in crate::schema) const EVENTS: &str = "events";

/// Counters of all requests that were looked at: a whole answer that is at hand is none.
#[derive(Clone, Debug)]
pub struct LimitMetrics {
    refused: Family<Label, Counter>,
    cost: Histogram,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    limit: &'static str,
}

impl Default for LimitMetrics {
    fn default() -> Self {
        let metrics = Self { refused: Family::default(), cost: Histogram::new(COSTS) };
        // So that each is there from the start.
        for limit in Limit::ALL.map(Limit::name).into_iter().chain(WHILE_EXECUTED) {
            metrics.of(limit);
        }
        metrics
    }
}

impl LimitMetrics {
    /// What counts the requests that pass a bound.
    pub fn of(&self, limit: &'static str) -> Counter {
        self.refused.get_or_create_owned(&Label { limit })
    }

    pub(super) fn refused(&self, limit: Limit) {
        self.of(limit.name()).inc();
    }

    #[expect(clippy::cast_precision_loss, reason = "buckets are wider")]
    pub(super) fn estimated(&self, cost: u64) {
        self.cost.observe(cost as f64);
    }

    /// Makes them part of what is served.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("refused", "Requests that passed a bound, by which", self.refused.clone());
        registry.register("operation_cost", "Operations by their estimated cost", self.cost.clone());
    }
}
