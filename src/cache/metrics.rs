//! What the caches count: look-ups by outcome, flights, what went, and what is there. No key, credential or record is a
//! label.

use std::sync::atomic::AtomicU64;

use moka::notification::RemovalCause;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Counters of all levels: `answers` whole answers, `pages` stretches of lists, `records` what stands in them.
#[derive(Clone, Debug, Default)]
pub struct CacheMetrics {
    lookups: Family<Outcome, Counter>,
    flights: Family<Level, Counter>,
    failed: Family<Level, Counter>,
    evictions: Family<Cause, Counter>,
    entries: Family<Level, Gauge<u64, AtomicU64>>,
    bytes: Family<Level, Gauge<u64, AtomicU64>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Level {
    level: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    level: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Cause {
    level: &'static str,
    cause: &'static str,
}

/// One level's counters.
#[derive(Clone, Debug)]
pub(super) struct LevelCounts {
    /// What the level is called.
    pub(super) level: &'static str,
    pub(super) hit: Counter,
    /// Served although no longer fresh, and read anew beside that.
    pub(super) stale: Counter,
    pub(super) missed: Counter,
    /// Waited for a flight that was on its way.
    pub(super) joined: Counter,
    /// Stood in for what could not be read.
    pub(super) stood_in: Counter,
    pub(super) flights: Counter,
    pub(super) failed: Counter,
    expired: Counter,
    crowded_out: Counter,
}

impl LevelCounts {
    pub(super) fn removed(&self, cause: RemovalCause) {
        match cause {
            RemovalCause::Expired => self.expired.inc(),
            RemovalCause::Size => self.crowded_out.inc(),
            // A write or purge threw it out, or it was read anew.
            RemovalCause::Explicit | RemovalCause::Replaced => 0,
        };
    }
}

impl CacheMetrics {
    pub(super) fn level(&self, level: &'static str) -> LevelCounts {
        let outcome = |outcome| self.lookups.get_or_create(&Outcome { level, outcome }).clone();
        let evicted = |cause| self.evictions.get_or_create(&Cause { level, cause }).clone();
        LevelCounts {
            level,
            hit: outcome("hit"),
            stale: outcome("stale"),
            missed: outcome("miss"),
            joined: outcome("joined"),
            stood_in: outcome("stale_if_error"),
            flights: self.flights.get_or_create(&Level { level }).clone(),
            failed: self.failed.get_or_create(&Level { level }).clone(),
            expired: evicted("expired"),
            crowded_out: evicted("size"),
        }
    }

    /// Notes what a level holds now.
    pub(super) fn set_size(&self, level: &'static str, (entries, bytes): (u64, u64)) {
        self.entries.get_or_create(&Level { level }).set(entries);
        self.bytes.get_or_create(&Level { level }).set(bytes);
    }

    /// Makes them part of what is served.
    pub fn register(&self, registry: &mut Registry) {
        let cache = registry.sub_registry_with_prefix("cache");
        cache.register("lookups", "Look-ups of keys, by what they found", self.lookups.clone());
        cache.register("flights", "Reads that were begun, each for one key or many", self.flights.clone());
        cache.register("failed_flights", "Reads that failed for one of their keys or more", self.failed.clone());
        cache.register("evictions", "Entries that went for lack of room or by age", self.evictions.clone());
        cache.register("entries", "Entries that are kept", self.entries.clone());
        cache.register("bytes", "Bytes that kept entries are counted with", self.bytes.clone());
    }
}
