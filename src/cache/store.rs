//! Answers by key: kept, or on their way.
//!
//! A [`Store`] knows keys and answers, not where answers come from. A batch is one flight for many keys: each key's
//! [`Answer`] waits for its own part of it. Whoever waits drives the flight; when nobody waits any more, it is dropped.
//! Failures are not kept; "not there" is, briefly. What was read before a write was answered is neither kept nor joined
//! after it ([`Generations`]). What is no longer fresh is served for a while longer and read anew beside that, and stands
//! in for longer where it can't be read ([`freshness`](super::freshness)). How old it all is goes into the [`Provenance`]
//! of who asked.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::{Duration, Instant},
};

use ahash::RandomState;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use moka::{Expiry, policy::EvictionPolicy};

use super::{
    Generations, Key, Moment, Portable, Provenance, Touched, Viewer,
    fleet::{Fleet, pack, versions_of},
    freshness::{Freshness, Lifetimes, State, Time},
    generations::Now,
    metrics::LevelCounts,
    viewer::Part,
};
use crate::{
    sources::{SourceError, paging::Weighed},
    spans::Links,
    trail,
};

mod answer;
mod flights;

pub use answer::Answer;
use flights::{Airborne, flying};

/// A record or a page of any type. A key's kind says which.
type AnyRecord = Arc<dyn Any + Send + Sync>;
/// What a flight brings for each of its keys, and how old all of it is.
type Landed<K> = Arc<(HashMap<K, Result<Option<AnyRecord>, SourceError>>, Freshness)>;
type Flight<K> = Shared<BoxFuture<'static, Landed<K>>>;

/// What a fetch brings: an answer for each key that it was given; one that it left out is not there.
pub type Fetched<K, V> = HashMap<K, Result<Option<Weighed<V>>, SourceError>>;
/// A fetch, begun when it is first polled.
pub type Fetch<K, V> = BoxFuture<'static, Fetched<K, V>>;
/// Fetches, each with the keys that it brings.
pub type Fetches<K, V> = Vec<(Vec<K>, Fetch<K, V>)>;

/// Bytes counted for what a key and the store's own bookkeeping take.
const OVERHEAD: u32 = 256;

/// Answers by key, of any type.
pub struct Store<K> {
    kept: moka::sync::Cache<K, Kept, RandomState>,
    flights: Mutex<HashMap<K, Airborne<K>>>,
    numbers: AtomicU64,
    generations: Arc<Generations>,
    lifetimes: Lifetimes,
    share: Share,
    counts: LevelCounts,
}

/// With whom a store shares, and what it is called there.
#[derive(Clone, Default)]
pub(in crate::cache) struct Share {
    /// `None`: with nobody.
    pub(in crate::cache) fleet: Option<Fleet>,
    pub(in crate::cache) level: &'static str,
}

/// How a record of some type is written down for others.
type Pack = fn(Option<&(dyn Any + Send + Sync)>, u32) -> Option<Vec<u8>>;

#[derive(Clone)]
struct Kept {
    /// `None`: it is not there.
    record: Option<AnyRecord>,
    bytes: u32,
    freshness: Freshness,
}

/// When what is kept goes.
struct Leaving(Lifetimes);

impl<K: Key> Expiry<K, Kept> for Leaving {
    fn expire_after_create(&self, key: &K, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(self.0.kept_for(key.is_steady(), kept.record.is_some(), kept.freshness))
    }

    fn expire_after_update(&self, key: &K, kept: &Kept, at: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, kept, at)
    }
}

/// A key is only ever given records of one type.
fn typed<V: Send + Sync + 'static>(record: AnyRecord) -> Option<Arc<V>> {
    let typed = record.downcast().ok();
    debug_assert!(typed.is_some(), "a key was used for records of two types");
    typed
}

fn part_of(key: &impl Key) -> Part {
    Part { source: key.source(), is_steady: key.is_steady() }
}

/// What a look into the store finds for a key.
enum Look {
    Fresh(Option<AnyRecord>),
    /// To be served once more, and to be read anew beside it.
    Stale(AnyRecord),
    Nothing,
}

impl<K: Key> Store<K> {
    /// Keeps at most `max_bytes`. Zero keeps nothing.
    pub(in crate::cache) fn new(
        max_bytes: u64,
        lifetimes: Lifetimes,
        generations: &Arc<Generations>,
        share: Share,
        counts: LevelCounts,
    ) -> Arc<Self> {
        let evicted = counts.clone();
        let kept = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &K, kept: &Kept| kept.bytes.saturating_add(key.bytes()))
            // The newest is what the rest of a query asks for next; the default policy may not let it in.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Leaving(lifetimes.clone()))
            .eviction_listener(move |_, _, cause| evicted.removed(cause))
            // A level looks up hundreds of keys, and the default hasher takes a quarter of a look.
            .build_with_hasher(RandomState::new());
        let generations = Arc::clone(generations);
        Arc::new(Self {
            kept,
            flights: Mutex::default(),
            numbers: AtomicU64::new(0),
            generations,
            lifetimes,
            share,
            counts,
        })
    }

    /// To be noted before the first request of a read that [`keep`](Self::keep)s something.
    pub fn moment(&self) -> Moment {
        self.generations.now().moment()
    }

    /// Whether no write or purge that can change this answer was answered since then.
    pub(in crate::cache) fn is_current(&self, began: Moment, key: &K) -> bool {
        self.generations.now().is_current(key, began)
    }

    /// What is at hand for one who may be served it.
    fn look(&self, now: &Now<'_>, key: &K, provenance: &Provenance) -> Look {
        if now.is_suspect(key) {
            return Look::Nothing;
        }
        let Some(kept) = self.kept.get(key).filter(|kept| provenance.takes(kept.freshness.read)) else {
            return Look::Nothing;
        };
        if !now.trusts(kept.freshness.read) {
            return Look::Nothing;
        }
        let is_there = kept.record.is_some();
        match (self.lifetimes.state(now.at, key.is_steady(), is_there, kept.freshness), kept.record) {
            (State::Fresh, record) => {
                provenance.note(part_of(key), kept.freshness);
                Look::Fresh(record)
            }
            (State::Revalidating, Some(record)) if now.trusts_stale() => {
                provenance.note(part_of(key), kept.freshness);
                Look::Stale(record)
            }
            _ => Look::Nothing,
        }
    }

    /// What stands in for an answer that could not be read.
    fn in_reserve(&self, key: &K, error: &SourceError, provenance: &Provenance) -> Option<AnyRecord> {
        let now = self.generations.now();
        if !error.fault.is_outage() || now.is_suspect(key) || !now.trusts_stale() {
            return None;
        }
        drop(now);
        let kept = self.kept.get(key).filter(|kept| provenance.takes(kept.freshness.read))?;
        let over = Time::now().since(kept.freshness.fresh_until);
        let record = kept.record.filter(|_| over <= self.lifetimes.of(key.is_steady()).stale_if_error)?;
        provenance.note(part_of(key), Freshness { is_stale: true, ..kept.freshness });
        self.counts.stood_in.inc();
        trail::note_stale();
        Some(record)
    }

    /// Keeps a record that was read from then on.
    pub fn keep<V: Portable>(&self, began: Moment, key: K, record: &Weighed<V>) {
        let freshness = Freshness::of(began.at, self.lifetimes.of(key.is_steady()).fresh);
        self.insert(began, key, Kept::of(record, freshness), Some(pack::<V>));
    }

    /// Keeps a record that came along with an answer for this viewer, unless one is kept already that will do: what comes along
    /// may be less than the whole.
    pub fn keep_beside<V: Portable>(&self, began: Moment, viewer: &Viewer, key: K, record: &Weighed<V>) {
        let will_do = |kept: Kept| {
            let now = self.generations.now();
            let state = self.lifetimes.state(now.at, key.is_steady(), true, kept.freshness);
            let is_fresh = state == State::Fresh && now.trusts(kept.freshness.read);
            kept.record.is_some() && is_fresh && viewer.provenance.takes(kept.freshness.read)
        };
        if !self.kept.get(&key).is_some_and(will_do) {
            self.keep(began, key, record);
        }
    }

    /// `pack`: the others may have it, too.
    fn insert(&self, began: Moment, key: K, kept: Kept, pack: Option<Pack>) {
        let keep_for = self.lifetimes.kept_for(key.is_steady(), kept.record.is_some(), kept.freshness);
        let is_kept = !keep_for.is_zero() && !self.lifetimes.of(key.is_steady()).fresh.is_zero();
        if kept.freshness.is_stale {
            return;
        }
        // Held while it goes in: a write that is answered meanwhile waits, and then sweeps it out.
        let now = self.generations.now();
        let is_newest = || self.kept.get(&key).is_none_or(|other| other.freshness.read <= kept.freshness.read);
        if now.is_current(&key, began) && is_newest() {
            if is_kept {
                if let Some(pack) = pack {
                    self.share(began, &key, &kept, pack);
                }
                self.kept.insert(key, kept);
            } else {
                // What is older must not stay, least of all when it is not there any more.
                self.kept.invalidate(&key);
            }
        }
    }

    fn share(&self, began: Moment, key: &K, kept: &Kept, pack: Pack) {
        if let (Some(fleet), Some(versions)) = (&self.share.fleet, versions_of(began)) {
            let (record, bytes) = (kept.record.clone(), kept.bytes);
            let value = move || pack(record.as_deref(), bytes);
            fleet.share(
                self.share.level,
                &key.identity(),
                part_of(key).bit(),
                (versions, kept.freshness),
                bytes as usize,
                value,
            );
        }
    }

    /// A write was answered, or nobody will know: what was read so far, for any store of these generations, is old.
    pub(in crate::cache) fn advance(&self, touched: &Touched, is_known: bool) {
        self.generations.advance(touched, is_known);
    }

    /// Throws out what a write touched, whoever it was kept for; gives the keys.
    pub(in crate::cache) fn sweep(&self, touched: &Touched) -> Vec<K> {
        let swept: Vec<K> =
            self.kept.iter().filter(|(key, _)| key.is_touched(touched)).map(|(key, _)| K::clone(&key)).collect();
        for key in &swept {
            self.kept.invalidate(key);
        }
        // What is out of date lies there until somebody looks after it, and so do the remains of what was thrown out.
        self.kept.run_pending_tasks();
        swept
    }

    /// What a write or purge touched is gone from every store of these generations.
    pub(in crate::cache) fn settle(&self, touched: &Touched) {
        self.generations.settle(touched);
    }

    /// The answers among them that are at hand and fresh, in the order of the keys.
    pub fn at_hand<V: Send + Sync + 'static>(&self, viewer: &Viewer, keys: &[K]) -> Vec<Option<Answer<K, V>>> {
        let now = self.generations.now();
        let look = |key: &K| match self.look(&now, key, &viewer.provenance) {
            Look::Fresh(record) => Some(Answer::Ready(Ok(record.and_then(typed)))),
            Look::Stale(_) | Look::Nothing => None,
        };
        let answers: Vec<_> = keys.iter().map(look).collect();
        self.counts.hit.inc_by(answers.iter().flatten().count() as u64);
        answers
    }

    /// An answer for every key, in their order: kept, joined, or from the flights that `fetch` cuts the missing keys into.
    /// What has to be read anew although it is served once more is fetched by itself, and nobody waits for it.
    pub fn answers<V: Portable>(
        self: &Arc<Self>,
        viewer: &Viewer,
        keys: &[K],
        mut fetch: impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) -> Vec<Answer<K, V>> {
        let provenance = &viewer.provenance;
        let mut stale = Vec::new();
        let mut missing = HashMap::new();
        let (mut joined, mut links) = (Vec::new(), Links::default());
        let mut look = |now: &Now<'_>, key: &K| match self.look(now, key, provenance) {
            Look::Fresh(record) => Some(Answer::Ready(Ok(record.and_then(typed)))),
            Look::Stale(record) => {
                stale.push(key.clone());
                Some(Answer::Ready(Ok(typed(record))))
            }
            Look::Nothing => None,
        };
        let now = self.generations.now();
        let mut answers: Vec<Option<Answer<K, V>>> = keys.iter().map(|key| look(&now, key)).collect();
        drop(now);
        if answers.iter().any(Option::is_none) {
            // Held while looking again, so that between a miss and its flight no other flight can land unseen.
            let mut flights = self.flights();
            let now = self.generations.now();
            let began = now.moment();
            for (key, answer) in keys.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
                if let Some((flight, link)) = flying(&flights, &now, key, provenance) {
                    joined.push(key);
                    links.note(link);
                    *answer = Some(self.awaited(key, flight, provenance));
                    continue;
                }
                *answer = look(&now, key);
                if answer.is_none() {
                    missing.insert(key.clone(), None);
                }
            }
            // A fetch may note its moment, and two locks on one thread might wait for a writer between them.
            drop(now);
            if !missing.is_empty() {
                self.counts.missed.inc_by(missing.len() as u64);
                let wanted = missing.keys().cloned().collect();
                for (key, flight) in self.launch(&mut flights, began, viewer, wanted, &mut fetch) {
                    missing.insert(key, Some(flight));
                }
            }
        }
        self.counts.joined(joined.iter().copied());
        if !joined.is_empty() {
            trail::note_joined(&links);
        }
        let hits = keys.len() - missing.len() - joined.len() - stale.len();
        self.counts.hit.inc_by(hits as u64);
        if !stale.is_empty() {
            self.refresh(viewer, stale, fetch);
        }
        let answer = |(key, answer): (&K, Option<Answer<K, V>>)| match (answer, missing.get(key)) {
            (Some(answer), _) => answer,
            (None, Some(Some(flight))) => self.awaited(key, flight.clone(), provenance),
            (None, _) => Answer::Ready(Ok(None)),
        };
        keys.iter().zip(answers).map(answer).collect()
    }

    /// The answer for one key.
    pub fn answer<V: Portable, F>(
        self: &Arc<Self>,
        viewer: &Viewer,
        key: &K,
        fetch: impl FnOnce(&Viewer) -> F,
    ) -> Answer<K, V>
    where
        F: Future<Output = Result<Option<Weighed<V>>, SourceError>> + Send + 'static,
    {
        let mut fetch = Some(fetch);
        let one = |keys: Vec<K>, viewer: &Viewer| match (keys.first().cloned(), fetch.take()) {
            (Some(key), Some(fetch)) => {
                let fetch = fetch(viewer).map(|fetched| HashMap::from([(key, fetched)]));
                vec![(keys, fetch.boxed())]
            }
            _ => Vec::new(),
        };
        self.answers(viewer, std::slice::from_ref(key), one).pop().unwrap_or(Answer::Ready(Ok(None)))
    }

    /// Entries and bytes that are kept now.
    pub(in crate::cache) fn size(&self) -> (u64, u64) {
        self.kept.run_pending_tasks();
        (self.kept.entry_count(), self.kept.weighted_size())
    }
}

impl Kept {
    fn of<V: Send + Sync + 'static>(record: &Weighed<V>, freshness: Freshness) -> Self {
        let bytes = record.bytes.saturating_add(OVERHEAD);
        Self { record: Some(Arc::clone(&record.record) as AnyRecord), bytes, freshness }
    }
}

#[cfg(test)]
pub(super) mod tests;
