//! Hearing what others changed: all in the same order, by one stream that each reads to its end. Reading waits for what comes next,
//! and what comes is also the sign that Redis is there.

use std::{
    collections::HashMap,
    convert::Infallible,
    time::{Duration, Instant},
};

use redis::{
    RedisResult, Value,
    streams::{StreamId, StreamRangeReply, StreamReadReply},
};
use tokio::{task::yield_now, time::sleep};
use tracing::{info, warn};

use super::{
    LONGEST_PAUSE, Line, Link, PATIENCE, Replicas, SHORTEST_PAUSE, Versions, described, scripts,
    versions::{new_epoch, text, told_of, versions},
};

/// How long a read waits for something to happen; then it shows that nothing did.
const HEARTBEAT: Duration = Duration::from_millis(400);
/// How long after that the answer may take to come. In all, so long nobody notices that Redis is gone.
const SLACK: Duration = Duration::from_millis(400);
/// What happened so long ago may still matter to a replica that begins: a write may be carried out late.
const MATTERS_FOR_MS: u64 = 60_000;
/// Entries of the stream that are read at once.
const AT_ONCE: usize = 1_000;
/// A connection that holds for so long was a good one.
const HELD: Duration = Duration::from_secs(5);

const UNREADABLE: &str = "what another replica changed can't be read, so that everything is forgotten each time: \
                          REDIS_ENCRYPTION_KEY and the program's version have to be the same on all";

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

/// Up to where changes were heeded.
pub(super) struct Position {
    versions: Versions,
    /// The last entry of the stream.
    last: String,
    /// How often in a row the versions were further on without a change that says so.
    behind: u32,
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
                let (mut is_whole, mut is_all) = (true, false);
                // To the end of the stream: what can't be read there must not be met again and again.
                while is_whole && !is_all {
                    let entries = self.next(ear, &at.last, Duration::ZERO).await?;
                    is_all = entries.len() < AT_ONCE;
                    is_whole = self.heed_all(entries, heed, &mut at).await;
                }
                // More may have come in the meantime.
                if is_whole && now.may_become(at.versions) {
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
                    self.told_of_unreadable.tell(|| warn!("{UNREADABLE}"));
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
    pub(super) fn what(&self, entry: &HashMap<String, Value>) -> Option<Vec<u8>> {
        let sealed: Vec<u8> = redis::from_redis_value(entry.get("what")?.clone()).ok()?;
        self.seal.open(self.keys.changes.as_bytes(), &sealed)
    }
}
