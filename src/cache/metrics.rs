//! What the caches count: look-ups by outcome, flights, what went, and what is there. No key, credential or record is a
//! label.

use std::sync::atomic::AtomicU64;

use moka::notification::RemovalCause;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::Key;
use crate::domain::Source;

/// Counters of all levels: `answers` whole answers, `pages` stretches of lists, `records` what stands in them, `documents` the
/// queries that clients registered.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    lookups: Family<Outcome, Counter>,
    flights: Family<Level, Counter>,
    failed: Family<Level, Counter>,
    evictions: Family<Cause, Counter>,
    entries: Family<Level, Gauge<u64, AtomicU64>>,
    bytes: Family<Level, Gauge<u64, AtomicU64>>,
    joined: Family<OfSource, Counter>,
    batches: Family<Label, Histogram, fn() -> Histogram>,
}

/// The bounds of the buckets for the ids of one read: 50 at most are asked for at once.
const IDS: [f64; 7] = [1.0, 2.0, 5.0, 10.0, 20.0, 35.0, 50.0];

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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfSource {
    level: &'static str,
    source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    source: &'static str,
}

impl Default for CacheMetrics {
    fn default() -> Self {
        Self {
            lookups: Family::default(),
            flights: Family::default(),
            failed: Family::default(),
            evictions: Family::default(),
            entries: Family::default(),
            bytes: Family::default(),
            joined: Family::default(),
            batches: Family::new_with_constructor(|| Histogram::new(IDS)),
        }
    }
}

/// One level's counters.
#[derive(Clone, Debug)]
pub(crate) struct LevelCounts {
    /// What the level is called.
    pub(super) level: &'static str,
    pub(crate) hit: Counter,
    /// Served although no longer fresh, and read anew beside that.
    pub(super) stale: Counter,
    pub(crate) missed: Counter,
    /// Waited for a flight that was on its way.
    pub(super) joined: Counter,
    /// Stood in for what could not be read.
    pub(super) stood_in: Counter,
    pub(super) flights: Counter,
    pub(super) failed: Counter,
    expired: Counter,
    crowded_out: Counter,
    /// Of Haut.AI and of BrainSTEM.
    of_sources: [SourceCounts; 2],
}

/// What is counted of one level for a source by itself.
#[derive(Clone, Debug)]
struct SourceCounts {
    joined: Counter,
    ids: Histogram,
}

impl LevelCounts {
    /// Counts keys that wait for flights that were on their way.
    pub(super) fn joined<'a, K: Key>(&self, keys: impl Iterator<Item = &'a K>) {
        for key in keys {
            self.joined.inc();
            self.of(key.source()).joined.inc();
        }
    }

    /// Counts a read that was begun for so many keys of a source.
    pub(super) fn begun(&self, source: Source, keys: usize) {
        self.flights.inc();
        self.of(source).ids.observe(u32::try_from(keys).unwrap_or(u32::MAX).into());
    }

    fn of(&self, source: Source) -> &SourceCounts {
        let [haut_ai, brainstem] = &self.of_sources;
        match source {
            Source::HautAi => haut_ai,
            Source::BrainStem => brainstem,
        }
    }

    pub(crate) fn removed(&self, cause: RemovalCause) {
        match cause {
            RemovalCause::Expired => self.expired.inc(),
            RemovalCause::Size => self.crowded_out.inc(),
            // A write or purge threw it out, or it was read anew.
            RemovalCause::Explicit | RemovalCause::Replaced => 0,
        };
    }
}

impl CacheMetrics {
    /// The counters of a level that knows no sources.
    pub(crate) fn level(&self, level: &'static str) -> LevelCounts {
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
            of_sources: std::array::from_fn(|_| SourceCounts { joined: Counter::default(), ids: Histogram::new([]) }),
        }
    }

    /// The counters of a level whose keys are of one source each; `in_batches`: one read may be for many.
    pub(super) fn level_of_sources(&self, level: &'static str, in_batches: bool) -> LevelCounts {
        let of_sources = [Source::HautAi, Source::BrainStem].map(|source| {
            let source = source.code();
            let ids = || self.batches.get_or_create_owned(&Label { source });
            SourceCounts {
                joined: self.joined.get_or_create_owned(&OfSource { level, source }),
                ids: if in_batches { ids() } else { Histogram::new([]) },
            }
        });
        LevelCounts { of_sources, ..self.level(level) }
    }

    /// Notes what a level holds now: entries and bytes.
    pub(crate) fn set_size(&self, level: &'static str, (entries, bytes): (u64, u64)) {
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
        cache.register("joined", "Keys that waited for a read under way, by source", self.joined.clone());
        cache.register("batch_ids", "Ids that one read of records was for", self.batches.clone());
    }
}
