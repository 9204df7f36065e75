//! Values that replicas share: kept with the versions that they were read under, and found by whoever is no further behind.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use redis::{RedisResult, Value};
use serde::{Deserialize, Serialize};
use tokio::task::yield_now;

use super::{Name, PATIENCE, Replicas, Unavailable, Versions, scripts, versions::versions};

/// Bytes of the longest value that is brought to Redis.
const LONGEST: usize = 4 << 20;
/// Values, and bytes of them, that are brought there at once.
const MOST_AT_ONCE: usize = 256;
const MOST_BYTES_AT_ONCE: usize = 8 << 20;
/// Bytes of values that wait to be brought there.
const MOST_WAITING_BYTES: usize = 64 << 20;

/// A value to be kept for others.
pub struct Fill {
    pub name: Name,
    /// Bits of the kinds of part that it depends on.
    pub parts: u8,
    /// How far things had changed when it began to be read.
    pub versions: Versions,
    /// When its oldest part was asked for.
    pub read: Instant,
    /// Until when it is kept.
    pub fresh_until: Instant,
    /// About so many bytes, until then.
    pub bytes: usize,
    /// Makes its bytes; `None`: it is not to be shared.
    pub value: Box<dyn FnOnce() -> Option<Vec<u8>> + Send>,
}

/// A value that was kept by one of the replicas.
#[derive(Debug)]
pub struct Found {
    pub value: Vec<u8>,
    /// How long ago its oldest part was asked for. By no clock that machines would have to agree on.
    pub age: Duration,
    /// How long it is good for.
    pub left: Duration,
}

/// What stands before a value.
#[derive(Deserialize, Serialize)]
struct Head {
    parts: u8,
    versions: Versions,
    age_ms: u64,
    left_ms: u64,
}

impl Replicas {
    /// The values among these that are there and not from before a change. `what` they are is for the metrics.
    pub async fn look_up(&self, what: &'static str, names: &[Name]) -> Vec<Option<Found>> {
        // What is there may be from before something that this replica changed.
        if self.untold.load(Ordering::SeqCst) > 0 {
            return names.iter().map(|_| None).collect();
        }
        let keys: Vec<String> = names.iter().map(|name| self.key(*name)).collect();
        let mut script = scripts::LOOK_UP.prepare_invoke();
        script.key(&self.keys.versions).key(&keys);
        let found = self.ask(async |line| script.invoke_async::<Vec<Value>>(line).await).await;
        let found = found.and_then(|found| self.read(&keys, found).map_err(|_| Unavailable));
        let found = found.unwrap_or_else(|_| names.iter().map(|_| None).collect());
        self.metrics.looked_up(what, found.iter().flatten().count(), names.len());
        found
    }

    fn read(&self, keys: &[String], found: Vec<Value>) -> RedisResult<Vec<Option<Found>>> {
        let mut found = found.into_iter();
        let now = versions(found.next().unwrap_or_default())?;
        let read = |(key, value): (&String, Value)| {
            let (sealed, left_ms): (Vec<u8>, u64) = redis::from_redis_value(value).ok()?;
            self.open(key, &sealed, now, left_ms)
        };
        Ok(keys.iter().zip(found.chain(std::iter::repeat(Value::Nil))).map(read).collect())
    }

    fn open(&self, key: &str, sealed: &[u8], now: Versions, left_ms: u64) -> Option<Found> {
        let opened = self.seal.open(key.as_bytes(), sealed)?;
        let mut rest = opened.as_slice();
        let head: Head = rmp_serde::from_read(&mut rest).ok()?;
        let passed = head.left_ms.saturating_sub(left_ms);
        head.versions.hold(head.parts, now).then(|| Found {
            value: rest.to_vec(),
            age: Duration::from_millis(head.age_ms.saturating_add(passed)),
            left: Duration::from_millis(left_ms),
        })
    }

    /// Brings a value to Redis, when there is time. Nobody waits for it, and it may be dropped.
    pub fn keep(&self, fill: Fill) {
        let bytes = fill.bytes;
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        if waiting > MOST_WAITING_BYTES || !self.is_asked() || self.fills.0.try_send(fill).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.metrics.dropped.inc();
        }
    }

    pub(super) async fn fill_all(&self) {
        let mut waiting = self.fills.1.lock().await;
        let mut fills = Vec::new();
        loop {
            waiting.recv_many(&mut fills, MOST_AT_ONCE).await;
            let bytes = fills.iter().map(|fill| fill.bytes).sum();
            self.fill(fills.drain(..)).await;
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    async fn fill(&self, fills: impl Iterator<Item = Fill>) {
        let mut fills = fills.peekable();
        while let Some(first) = fills.peek() {
            let epoch = first.versions.epoch;
            let (mut bytes, mut asked) = (0, 0);
            let mut script = scripts::FILL.prepare_invoke();
            script.key(&self.keys.versions).arg(epoch).arg(&self.keys.index);
            let fits = |fill: &Fill, bytes: usize| fill.versions.epoch == epoch && bytes < MOST_BYTES_AT_ONCE;
            while let Some(fill) = fills.next_if(|fill| fits(fill, bytes)) {
                let (parts, counts, key) = (fill.parts, fill.versions.counts, self.key(fill.name));
                let left = fill.fresh_until.saturating_duration_since(Instant::now());
                // Each may be a long list.
                yield_now().await;
                let is_wanted = !left.is_zero() && self.is_asked();
                let Some(sealed) = is_wanted.then(|| self.sealed(&key, fill, left)).flatten() else {
                    self.metrics.dropped.inc();
                    continue;
                };
                script.key(&key);
                for (part, count) in counts.into_iter().enumerate() {
                    let depends = parts & (1 << part) != 0;
                    script.arg(if depends { count.to_string() } else { String::new() });
                }
                script.arg(millis(left).max(1)).arg(&sealed);
                bytes += sealed.len();
                asked += 1;
            }
            if asked == 0 {
                continue;
            }
            match self.ask_for(PATIENCE, async |line| script.invoke_async::<u64>(line).await).await {
                Ok(kept) => {
                    self.metrics.kept.inc_by(kept);
                    self.metrics.refused.inc_by(asked - kept);
                }
                Err(Unavailable) => {
                    self.metrics.dropped.inc_by(asked);
                }
            }
        }
    }

    fn sealed(&self, key: &str, fill: Fill, left: Duration) -> Option<Vec<u8>> {
        let (age_ms, left_ms) = (millis(fill.read.elapsed()), millis(left));
        let head = Head { parts: fill.parts, versions: fill.versions, age_ms, left_ms };
        let mut bytes = rmp_serde::to_vec(&head).ok()?;
        bytes.extend((fill.value)()?);
        let sealed = self.seal.seal(key.as_bytes(), &bytes)?;
        (sealed.len() <= LONGEST).then_some(sealed)
    }

    fn key(&self, name: Name) -> String {
        format!("{}{}", self.keys.value, name.in_words())
    }

    /// What is kept of something that no change of a record makes old.
    pub async fn get(&self, what: &'static str, name: Name) -> Option<Vec<u8>> {
        let key = self.other(what, name);
        let sealed =
            self.ask(async |line| redis::cmd("GET").arg(&key).query_async::<Option<Vec<u8>>>(line).await).await;
        let found = sealed.ok().flatten().and_then(|sealed| self.seal.open(key.as_bytes(), &sealed));
        self.metrics.looked_up(what, usize::from(found.is_some()), 1);
        found
    }

    /// Keeps such a thing for a while. Where it can't, it is not kept.
    pub async fn set(&self, what: &'static str, name: Name, value: &[u8], keep_for: Duration) {
        let key = self.other(what, name);
        let Some(sealed) = self.seal.seal(key.as_bytes(), value).filter(|sealed| sealed.len() <= LONGEST) else {
            return;
        };
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(sealed).arg("PX").arg(millis(keep_for).max(1));
        match self.ask(async |line| set.query_async::<()>(line).await).await {
            Ok(()) => self.metrics.kept.inc(),
            Err(Unavailable) => self.metrics.dropped.inc(),
        };
    }

    /// Whether this replica is the only one who may do something now; for at most that long.
    ///
    /// # Errors
    ///
    /// Nobody knows.
    pub async fn claim(&self, what: &'static str, name: Name, keep_for: Duration) -> Result<bool, Unavailable> {
        let mut set = redis::cmd("SET");
        set.arg(self.other(what, name)).arg(self.me).arg("NX").arg("PX").arg(millis(keep_for).max(1));
        let done = self.ask(async |line| set.query_async::<Option<String>>(line).await).await?;
        Ok(done.is_some())
    }

    /// Ends a claim of this replica's.
    pub async fn release(&self, what: &'static str, name: Name) {
        let mut script = scripts::RELEASE.prepare_invoke();
        script.key(self.other(what, name)).arg(self.me);
        // It ends by itself.
        let _ = self.ask(async |line| script.invoke_async::<()>(line).await).await;
    }

    /// Lets somebody ask so many times, who may do so once in `between` and `burst` times at once; gives how long to wait where that is too
    /// often. More than `burst` are never granted.
    ///
    /// # Errors
    ///
    /// Nobody knows.
    pub async fn take(
        &self,
        name: Name,
        between: Duration,
        burst: u32,
        wanted: u32,
    ) -> Result<Option<Duration>, Unavailable> {
        let mut script = scripts::TAKE.prepare_invoke();
        let between = u64::try_from(between.as_micros()).unwrap_or(u64::MAX).max(1);
        script.key(self.other("rate", name)).arg(between).arg(burst).arg(wanted);
        let wait = self.ask(async |line| script.invoke_async::<u64>(line).await).await?;
        Ok((wait > 0).then(|| Duration::from_micros(wait)))
    }

    fn other(&self, what: &str, name: Name) -> String {
        format!("{}{what}:{}", self.keys.other, name.in_words())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
