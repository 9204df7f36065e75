//! Telling others what changed here: one change after the other, by a queue, since a change may come from something that is being dropped.
//! A change that was not told yet keeps this replica from what lies in Redis.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tracing::warn;

use super::{
    LONGEST_PAUSE, PATIENCE, Replicas, SHORTEST_PAUSE, scripts,
    versions::{new_epoch, versions},
};

/// How often deleting what a change made old may fail before it is left to expire.
const MOST_FAILURES: usize = 10;

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

    /// Tells the others that parts changed (as bits), now or as soon as Redis is there. `what` is for their [`Heed`](super::Heed).
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
}
