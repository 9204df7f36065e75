//! The table itself, a file for each kind of key.

mod cache;
mod gateway;
mod limits;
mod metrics;
mod redis;
mod sources;

use std::sync::LazyLock;

use super::{Fallback, Key, Kind, Section};

const fn value(section: Section, name: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Key {
    Key { section, name, kind, fallback: Fallback::Value(value), help }
}

const fn unset(section: Section, name: &'static str, kind: Kind, words: &'static str, help: &'static str) -> Key {
    Key { section, name, kind, fallback: Fallback::Nothing(words), help }
}

const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Count { min, max, unit: "bytes" }
}

const ONE_REQUEST: Kind = Kind::Millis { min: 1, max: 600_000 };
const PERCENT: Kind = Kind::Count { min: 0, max: 100, unit: "percent" };
const KEPT_FOR: Kind = Kind::Millis { min: 0, max: 86_400_000 };

/// Every key there is, in the order of the documentation.
pub static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [gateway::KEYS, sources::KEYS, cache::KEYS, redis::KEYS, limits::KEYS, metrics::KEYS].concat());
