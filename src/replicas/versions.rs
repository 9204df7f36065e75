//! How far things had changed, as Redis counts it.

use std::collections::HashMap;

use redis::{RedisResult, Value};
use serde::{Deserialize, Serialize};

/// How far things had changed, in the eyes of Redis: of each of four kinds of part, how often. Another epoch is another Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Versions {
    pub(super) epoch: u64,
    pub(super) counts: [u64; 4],
}

/// A field of an entry of the stream.
pub(super) fn text(entry: &HashMap<String, Value>, field: &str) -> Option<String> {
    redis::from_redis_value(entry.get(field)?.clone()).ok()
}

/// Never one that was before: whoever remembers it has to notice that its Redis is another one.
pub(super) fn new_epoch() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// The versions after a change, and the parts that it changed.
pub(super) fn told_of(entry: &HashMap<String, Value>) -> Option<(Versions, Vec<usize>)> {
    let number = |field| text(entry, field)?.parse().ok();
    let counts = [number("0")?, number("1")?, number("2")?, number("3")?];
    let parts = text(entry, "parts")?.bytes().map(|digit| usize::from(digit.wrapping_sub(b'0'))).collect();
    Some((Versions { epoch: number("e")?, counts }, parts))
}

/// As `HMGET` of `e`, `0`, `1`, `2`, `3` answers. What is not there is nothing yet.
pub(super) fn versions(answer: Value) -> RedisResult<Versions> {
    let [epoch, counts @ ..]: [Option<u64>; 5] = redis::from_redis_value(answer)?;
    Ok(Versions { epoch: epoch.unwrap_or_default(), counts: counts.map(Option::unwrap_or_default) })
}

impl Versions {
    /// Whether what depends on these parts and was read under these versions still holds under those.
    pub(super) fn hold(&self, parts: u8, now: Self) -> bool {
        let is_same = |part: usize| parts & (1 << part) == 0 || self.counts[part] == now.counts[part];
        self.epoch == now.epoch && (0..4).all(is_same)
    }

    /// Whether those can come after these.
    pub(super) fn may_become(&self, later: Self) -> bool {
        self.epoch == later.epoch && self.counts.iter().zip(later.counts).all(|(count, later)| *count <= later)
    }

    pub(super) fn after(mut self, parts: &[usize]) -> Self {
        for part in parts {
            if let Some(count) = self.counts.get_mut(*part) {
                *count += 1;
            }
        }
        self
    }
}
