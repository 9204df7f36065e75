//! What is counted of changed settings. Knows none of them.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// How often the configuration was to be reloaded, and what became of it.
pub(in crate::http) struct Reloads {
    all: Family<Outcome, Counter>,
    /// 1 from one that failed until one succeeds: what is in the files is not what is in effect.
    failed: Gauge<u64, AtomicU64>,
}

impl Reloads {
    pub(in crate::http) fn new() -> Self {
        let all = Family::<Outcome, Counter>::default();
        // So that the first that fails is an increase.
        for outcome in ["ok", "failed"] {
            drop(all.get_or_create(&Outcome { outcome }));
        }
        Self { all, failed: Gauge::default() }
    }

    pub(in crate::http) fn count(&self, is_ok: bool) {
        self.all.get_or_create(&Outcome { outcome: if is_ok { "ok" } else { "failed" } }).inc();
        self.failed.set(u64::from(!is_ok));
    }

    pub(in crate::http) fn register(&self, registry: &mut Registry) {
        registry.register("reloads", "Reloads of the configuration, by how they ended", self.all.clone());
        registry.register("reload_failed", "Whether the last reload of the configuration failed", self.failed.clone());
    }
}
