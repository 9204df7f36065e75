//! Word of what changed, from replica to replica: told once, heard by all in the same order, by one stream that each reads to its
//! end. Reading waits for what comes next, and what comes is also the sign that Redis is there.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    RedisResult, Value,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{Line, Link, PATIENCE, Replicas, Versions, described, scripts};

/// How long a read waits for something to happen; then it shows that nothing did.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// How long after that the answer may take to come. In all, so long nobody notices that Redis is gone.
const SLACK: Duration = Duration::from_millis(400);
/// What happened so long ago may still matter to a replica that begins: a write may be carried out late.
const MATTERS_FOR_MS: u64 = 60_000;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often deleting what a change made old may fail before it is left to expire.
const MOST_FAILURES: usize = 10;
/// Entries of the stream that are read at once.
const AT_ONCE: usize = 1_000;
/// A connection that holds for so long was a good one.
const HELD: Duration = Duration::from_secs(5);

/// Who wants to know what others changed.
pub trait Heed: Send + Sync + 'static {
    /// Another replica told this, just now or, where it is `past`, before this one was there. Gives whether it could be understood; else
    /// everything is to be forgotten.
    fn heed(&self, what: &[u8], is_past: bool) -> bool;

    /// Anything may have changed.
    fn forget_everything(&self);

    /// How far everything has been heard of.
    fn stand(&self, link: Link);
}

/// A change to be told.
pub(super) struct Tiding {
    parts: u8,
    what: Vec<u8>,
    told: oneshot::Sender<()>,
    /// Goes when it is.
    untold: Untold,
}

/// A change of this replica's that Redis does not know of yet: what lies there may be from before it. It has to be there before anybody can
/// read what the change left.
pub struct Untold(Arc<AtomicUsize>);

impl Untold {
    pub(super) fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Changes to be told, in their order.
pub(super) struct Tidings {
    waiting: mpsc::Receiver<Tiding>,
    /// The one that is being told. It stays here until it is, also where telling is taken up anew.
    first: Option<Tiding>,
}

impl Tidings {
    pub(super) fn of(waiting: mpsc::Receiver<Tiding>) -> Self {
        Self { waiting, first: None }
    }
}

/// Up to where changes were heeded.
pub(super) struct Position {
    versions: Versions,
    /// The last entry of the stream.
    last: String,
    /// How often in a row the versions were further on without a change that says so.
    behind: u32,
}

/// Resolves when a change was told.
pub struct Told {
    told: Option<oneshot::Receiver<()>>,
    patience: Duration,
}

impl Told {
    /// There is nobody to be told.
    pub fn nobody() -> Self {
        Self { told: None, patience: Duration::ZERO }
    }

    /// Waits until Redis knows, so that no replica is served by it from before the change, or until it is clear that this takes too
    /// long: then they hear of it later.
    pub async fn wait(self) {
        if let Some(told) = self.told {
            let _ = timeout(self.patience, told).await;
        }
    }
}

/// Why changes are no longer heard of.
enum Lost {
    Failed(redis::RedisError),
    /// The stream is not the one that it was.
    Gap,
}

impl From<redis::RedisError> for Lost {
    fn from(error: redis::RedisError) -> Self {
        Self::Failed(error)
    }
}

impl Replicas {
    /// Something is about to change here. Until it was told, nothing is found in Redis.
    pub fn untold(&self) -> Untold {
        Untold::one_more(&self.untold)
    }

    /// Waits until everything was told.
    pub async fn all_told(&self) {
        while self.untold.load(Ordering::SeqCst) > 0 {
            sleep(SHORTEST_PAUSE).await;
        }
    }

    /// Tells the others that parts changed (as bits), now or as soon as Redis is there. `what` is for their [`Heed`].
    pub fn tell(&self, parts: u8, what: &[u8], untold: Untold) -> Told {
        let (told, receiver) = oneshot::channel();
        let what = self.seal.seal(self.keys.changes.as_bytes(), what).unwrap_or_default();
        if let Err(unsent) = self.tidings.0.try_send(Tiding { parts, what, told, untold }) {
            self.too_many.lock().unwrap_or_else(PoisonError::into_inner).push(unsent.into_inner().untold);
            return Told::nobody();
        }
        match self.line() {
            Some(_) => Told { told: Some(receiver), patience: self.timeout },
            None => Told::nobody(),
        }
    }

    pub(super) async fn tell_all(&self) {
        let mut tidings = self.tidings.1.lock().await;
        loop {
            if tidings.first.is_none() {
                // It does not end: `self` has the other end.
                tidings.first = tidings.waiting.recv().await;
            }
            let Some(Tiding { parts, what, .. }) = &tidings.first else { return };
            self.tell_one(*parts, what).await;
            let too_many = std::mem::take(&mut *self.too_many.lock().unwrap_or_else(PoisonError::into_inner));
            if !too_many.is_empty() {
                // Nobody can read it: all forget everything.
                self.tell_one(0b1111, &[]).await;
            }
            if let Some(Tiding { told, .. }) = tidings.first.take() {
                // Nobody may wait any more.
                let _ = told.send(());
            }
        }
    }

    async fn tell_one(&self, parts: u8, what: &[u8]) {
        let parts: String = (0..4).filter(|part| parts & (1 << part) != 0).map(|part| part.to_string()).collect();
        let mut script = scripts::TELL.prepare_invoke();
        script.key(&self.keys.versions).key(&self.keys.changes);
        script.arg(new_epoch()).arg(&parts).arg(self.me).arg(what).arg(&self.keys.index);
        let (mut tries, mut pause) = (0, SHORTEST_PAUSE);
        let now = loop {
            // Also where nothing else is asked because Redis is slow: the others must know.
            if let Some(mut line) = self.line() {
                tries += 1;
                let told = timeout(PATIENCE, script.invoke_async::<Value>(&mut line)).await;
                if let Some(now) = told.ok().and_then(Result::ok).and_then(|now| versions(now).ok()) {
                    break now;
                }
                self.broken.notify_waiters();
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        };
        self.metrics.told.inc();
        for part in parts.bytes().map(|digit| usize::from(digit - b'0')) {
            // What was tried may have been done.
            for before in 1..=tries.min(now.counts[part]) {
                self.sweep(part, now.counts[part] - before).await;
            }
        }
    }

    /// Deletes what depended on this version of a part. None of it can be found any more: this makes it gone.
    async fn sweep(&self, part: usize, version: u64) {
        let mut script = scripts::SWEEP.prepare_invoke();
        script.key(format!("{}{part}:{version}", self.keys.index));
        let mut failures = 0;
        while failures < MOST_FAILURES {
            let swept = match self.line() {
                Some(mut line) => {
                    timeout(PATIENCE, script.invoke_async::<u64>(&mut line)).await.ok().and_then(Result::ok)
                }
                None => None,
            };
            match swept {
                Some(scripts::SWEPT_AT_ONCE) => {}
                Some(_) => return,
                None => {
                    failures += 1;
                    sleep(LONGEST_PAUSE).await;
                }
            }
        }
        warn!("Redis did not let go of values from before a change; nobody can find them, and they expire");
    }

    pub(super) async fn follow(&self, heed: &impl Heed) {
        let mut position = self.position.lock().await;
        let mut pause = SHORTEST_PAUSE;
        let mut was_told = false;
        loop {
            let mut since = None;
            let Err(lost) = self.follow_line(heed, &mut position, &mut since).await;
            self.set_line(None);
            self.metrics.connected.set(0);
            heed.stand(Link::Cut);
            if since.is_some_and(|since: Instant| since.elapsed() > HELD) {
                (pause, was_told) = (SHORTEST_PAUSE, false);
            }
            if !std::mem::replace(&mut was_told, true) {
                let why = match &lost {
                    Lost::Failed(error) => described(error),
                    Lost::Gap => "it is not the one that it was".to_owned(),
                };
                warn!(why, "Redis is lost: nothing is shared, and what is kept is served for a second only");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Heeds what comes by one connection, until it breaks. `since` when it has heard everything is noted.
    async fn follow_line(
        &self,
        heed: &impl Heed,
        position: &mut Option<Position>,
        since: &mut Option<Instant>,
    ) -> Result<Infallible, Lost> {
        let line = Line::open(&self.urls, PATIENCE).await?;
        let mut ear = Line::open(&self.urls, HEARTBEAT + SLACK).await?;
        let mut at = self.catch_up(&mut ear, heed, position.take()).await?;
        // Whatever broke before this line was there did not break it.
        let broken = self.broken.notified();
        tokio::pin!(broken);
        broken.as_mut().enable();
        self.set_line(Some(line));
        self.metrics.connected.set(1);
        heed.stand(Link::At(at.versions));
        *since = Some(Instant::now());
        info!("connected to Redis");
        let lost = loop {
            let lost = tokio::select! {
                heard = self.hear(&mut ear, heed, &mut at) => heard.err(),
                () = &mut broken => Some(Lost::Failed((redis::ErrorKind::Io, "a connection broke").into())),
            };
            if let Some(lost) = lost {
                break lost;
            }
        };
        *position = Some(at);
        Err(lost)
    }

    /// Waits for what comes next, or for the sign that nothing did, and heeds it.
    async fn hear(&self, ear: &mut Line, heed: &impl Heed, at: &mut Position) -> Result<(), Lost> {
        let entries = self.next(ear, &at.last, HEARTBEAT).await?;
        let (is_quiet, is_all) = (entries.is_empty(), entries.len() < AT_ONCE);
        if !self.heed_all(entries, heed, at).await {
            return Err(Lost::Gap);
        }
        let now: Value = self.asking_for_versions().query_async(ear).await?;
        let now = versions(now)?;
        // What came in between is read next, unless it is not there.
        at.behind = if is_quiet && now != at.versions { at.behind + 1 } else { 0 };
        if !at.versions.may_become(now) || at.behind > 1 {
            return Err(Lost::Gap);
        }
        if is_all {
            heed.stand(Link::At(at.versions));
        }
        Ok(())
    }

    /// From where this replica was to where things stand.
    async fn catch_up(&self, ear: &mut Line, heed: &impl Heed, position: Option<Position>) -> RedisResult<Position> {
        let (mut now, mut last, time) = self.stand(ear).await?;
        let is_new = position.is_none();
        if let Some(mut at) = position {
            if at.versions.may_become(now) {
                let mut is_whole = true;
                // More may have come in the meantime.
                while is_whole && !now.may_become(at.versions) {
                    let entries = self.next(ear, &at.last, Duration::ZERO).await?;
                    is_whole = !entries.is_empty() && self.heed_all(entries, heed, &mut at).await;
                }
                if is_whole {
                    return Ok(at);
                }
            } else if at.versions.epoch == now.epoch {
                // It forgot changes: what was kept since then may be from before them.
                let mut renew = scripts::RENEW.prepare_invoke();
                renew.key(&self.keys.versions).arg(now.epoch).arg(new_epoch());
                renew.invoke_async::<()>(ear).await?;
                (now, last, _) = self.stand(ear).await?;
            }
        }
        if !is_new {
            self.metrics.lost.inc();
        }
        heed.forget_everything();
        let since = time.saturating_sub(MATTERS_FOR_MS);
        let lately: StreamRangeReply =
            redis::cmd("XRANGE").arg(&self.keys.changes).arg(since).arg("+").query_async(ear).await?;
        for entry in lately.ids {
            if self.what(&entry.map).is_some_and(|what| !heed.heed(&what, true)) {
                heed.forget_everything();
            }
        }
        Ok(Position { versions: now, last, behind: 0 })
    }

    async fn stand(&self, ear: &mut Line) -> RedisResult<(Versions, String, u64)> {
        let mut script = scripts::STAND.prepare_invoke();
        script.key(&self.keys.versions).key(&self.keys.changes).arg(new_epoch());
        let (now, last, time): (Value, String, u64) = script.invoke_async(ear).await?;
        Ok((versions(now)?, last, time))
    }

    fn asking_for_versions(&self) -> redis::Cmd {
        let mut command = redis::cmd("HMGET");
        command.arg(&self.keys.versions).arg(&["e", "0", "1", "2", "3"]);
        command
    }

    /// What was told after that, once something was, or the time is over.
    async fn next(&self, ear: &mut Line, after: &str, wait: Duration) -> RedisResult<Vec<StreamId>> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(AT_ONCE);
        if !wait.is_zero() {
            read.arg("BLOCK").arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        read.arg("STREAMS").arg(&self.keys.changes).arg(after);
        let reply: Option<StreamReadReply> = read.query_async(ear).await?;
        Ok(reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect())
    }

    /// Heeds changes in their order; gives whether each followed upon the one before.
    async fn heed_all(&self, entries: Vec<StreamId>, heed: &impl Heed, at: &mut Position) -> bool {
        for entry in entries {
            let Some((then, parts)) = told_of(&entry.map) else { return false };
            if at.versions.after(&parts) != then {
                return false;
            }
            if !self.is_mine(&entry.map) {
                self.metrics.heard.inc();
                if !self.what(&entry.map).is_some_and(|what| heed.heed(&what, false)) {
                    self.metrics.lost.inc();
                    heed.forget_everything();
                }
            }
            *at = Position { versions: then, last: entry.id, behind: 0 };
            // Each looks at all that is kept.
            yield_now().await;
        }
        true
    }

    fn is_mine(&self, entry: &HashMap<String, Value>) -> bool {
        text(entry, "by").is_some_and(|by| by == self.me.to_string())
    }

    /// `None`: it was told with another key, or by another format.
    fn what(&self, entry: &HashMap<String, Value>) -> Option<Vec<u8>> {
        let sealed: Vec<u8> = redis::from_redis_value(entry.get("what")?.clone()).ok()?;
        self.seal.open(self.keys.changes.as_bytes(), &sealed)
    }
}

fn text(entry: &HashMap<String, Value>, field: &str) -> Option<String> {
    redis::from_redis_value(entry.get(field)?.clone()).ok()
}

/// Never one that was before: whoever remembers it has to notice that its Redis is another one.
pub(super) fn new_epoch() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// The versions after a change, and the parts that it changed.
fn told_of(entry: &HashMap<String, Value>) -> Option<(Versions, Vec<usize>)> {
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
    fn may_become(&self, later: Self) -> bool {
        self.epoch == later.epoch && self.counts.iter().zip(later.counts).all(|(count, later)| *count <= later)
    }

    fn after(mut self, parts: &[usize]) -> Self {
        for part in parts {
            if let Some(count) = self.counts.get_mut(*part) {
                *count += 1;
            }
        }
        self
    }
}
