//! What is counted of the talk with Redis. No key, credential or record is a label.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Seconds: from what a local network takes to three times what a request waits for.
const BUCKETS: [f64; 10] = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.15, 0.5];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Looked {
    what: &'static str,
    outcome: &'static str,
}

/// Counters of the talk with Redis.
#[derive(Debug)]
pub(super) struct Metrics {
    commands: Family<Outcome, Counter>,
    pub(super) answered: Counter,
    pub(super) failed: Counter,
    pub(super) timed_out: Counter,
    /// Left out, because there is no connection, or there were too many time-outs lately.
    pub(super) skipped: Counter,
    pub(super) seconds: Histogram,
    lookups: Family<Looked, Counter>,
    fills: Family<Outcome, Counter>,
    pub(super) kept: Counter,
    /// From before a change that Redis knew of.
    pub(super) refused: Counter,
    /// Could not be sent, or found no room to wait.
    pub(super) dropped: Counter,
    changes: Family<Outcome, Counter>,
    pub(super) told: Counter,
    pub(super) heard: Counter,
    /// Something may have been missed, so that everything was forgotten.
    pub(super) lost: Counter,
    /// 1 while changes are heard of.
    pub(super) connected: Gauge<u64, AtomicU64>,
}

impl Metrics {
    pub(super) fn new() -> Arc<Self> {
        let commands = Family::<Outcome, Counter>::default();
        let fills = Family::<Outcome, Counter>::default();
        let changes = Family::<Outcome, Counter>::default();
        let of = |family: &Family<Outcome, Counter>, outcome| family.get_or_create(&Outcome { outcome }).clone();
        Arc::new(Self {
            answered: of(&commands, "answered"),
            failed: of(&commands, "failed"),
            timed_out: of(&commands, "timed_out"),
            skipped: of(&commands, "skipped"),
            commands,
            seconds: Histogram::new(BUCKETS),
            lookups: Family::default(),
            kept: of(&fills, "kept"),
            refused: of(&fills, "refused"),
            dropped: of(&fills, "dropped"),
            fills,
            told: of(&changes, "told"),
            heard: of(&changes, "heard"),
            lost: of(&changes, "lost"),
            changes,
            connected: Gauge::default(),
        })
    }

    pub(super) fn looked_up(&self, what: &'static str, found: usize, asked: usize) {
        let count = |outcome, count: usize| {
            self.lookups.get_or_create(&Looked { what, outcome }).inc_by(count as u64);
        };
        count("hit", found);
        count("miss", asked - found);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let redis = registry.sub_registry_with_prefix("redis");
        redis.register("commands", "What was asked of Redis, by how it ended", self.commands.clone());
        redis.register("command_seconds", "How long Redis took to answer", self.seconds.clone());
        redis.register(
            "lookups",
            "Values looked for in Redis, by what they are and whether they were there",
            self.lookups.clone(),
        );
        redis.register("fills", "Values brought to Redis, by how that ended", self.fills.clone());
        redis.register(
            "changes",
            "Changes told to other replicas and heard of; `lost`: all was forgotten",
            self.changes.clone(),
        );
        redis.register("connected", "Whether changes by other replicas are heard of", self.connected.clone());
    }
}
