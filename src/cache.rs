//! moka in front of single flights: what was read lately is served again, and what is being read is waited for.
//!
//! A [`Store`] knows keys and answers, not where answers come from. A batch is one flight for many keys: each key's
//! [`Answer`] waits for its own part of it. Whoever waits drives the flight; when nobody waits any more, it is dropped.
//! Failures are not kept; "not there" is, briefly. What was read before a write was answered is neither kept nor joined
//! after it ([`Generations`]). What is no longer fresh is served for a while longer and read anew beside that, and stands
//! in for longer where it can't be read ([`freshness`]). How old it all is goes into the [`Provenance`] of who asked.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared, join_all},
};
use moka::{Expiry, policy::EvictionPolicy};

use crate::sources::{
    SourceError,
    paging::{Page, Weighed},
};

pub mod answers;
pub mod brainstem;
mod freshness;
pub mod gathered;
mod generations;
pub mod haut_ai;
mod keys;
pub mod metrics;
pub mod purge;
pub mod sources;
mod viewer;
pub mod writes;

pub use brainstem::CachedBrainStem;
pub use gathered::{Gathered, Gathering};
pub use generations::{Generations, Moment};
pub use haut_ai::CachedHautAi;
pub use keys::{Key, ListKind, PageKey, RecordKey, Touched};
pub use purge::Purge;
pub use sources::{Checked, Sources};
pub use viewer::{Provenance, StalePart, Viewer};

use freshness::{Freshness, Lifetimes, State, Time};
use generations::Now;
use metrics::LevelCounts;
use viewer::Part;

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
    kept: moka::sync::Cache<K, Kept>,
    flights: Mutex<HashMap<K, Airborne<K>>>,
    numbers: AtomicU64,
    generations: Arc<Generations>,
    lifetimes: Lifetimes,
    counts: LevelCounts,
}

#[derive(Clone)]
struct Kept {
    /// `None`: it is not there.
    record: Option<AnyRecord>,
    bytes: u32,
    freshness: Freshness,
}

struct Airborne<K> {
    number: u64,
    began: Moment,
    /// Whose it was first.
    provenance: Arc<Provenance>,
    flight: WeakShared<BoxFuture<'static, Landed<K>>>,
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

/// One key's answer: here already, or the part of a flight that will bring it.
pub enum Answer<K, V> {
    Ready(Result<Option<Arc<V>>, SourceError>),
    Flying {
        key: K,
        flight: Flight<K>,
        /// Has what was kept before, should the flight fail.
        store: Arc<Store<K>>,
        provenance: Arc<Provenance>,
    },
}

impl<K: Clone, V> Clone for Answer<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(answer) => Self::Ready(answer.clone()),
            Self::Flying { key, flight, store, provenance } => Self::Flying {
                key: key.clone(),
                flight: flight.clone(),
                store: Arc::clone(store),
                provenance: Arc::clone(provenance),
            },
        }
    }
}

impl<K: fmt::Debug, V> fmt::Debug for Answer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(_) => f.write_str("Ready"),
            Self::Flying { key, .. } => f.debug_tuple("Flying").field(key).finish(),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Answer<K, V> {
    /// Waits for the flight, where there is one. Where it fails because the source is out of order, what was kept before
    /// stands in for a while.
    pub async fn get(self) -> Result<Option<Arc<V>>, SourceError> {
        let (key, flight, store, provenance) = match self {
            Self::Ready(answer) => return answer,
            Self::Flying { key, flight, store, provenance } => (key, flight, store, provenance),
        };
        let landed = flight.await;
        let (answers, freshness) = &*landed;
        match answers.get(&key).cloned().unwrap_or(Ok(None)) {
            Ok(record) => {
                provenance.note(part_of(&key), *freshness);
                Ok(record.and_then(typed))
            }
            Err(error) => match store.in_reserve(&key, &error, &provenance) {
                Some(record) => Ok(typed(record)),
                None => Err(error),
            },
        }
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
    fn new(max_bytes: u64, lifetimes: Lifetimes, generations: &Arc<Generations>, counts: LevelCounts) -> Arc<Self> {
        let evicted = counts.clone();
        let kept = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &K, kept: &Kept| kept.bytes.saturating_add(key.bytes()))
            // The newest is what the rest of a query asks for next; the default policy may not let it in.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Leaving(lifetimes.clone()))
            .eviction_listener(move |_, _, cause| evicted.removed(cause))
            .build();
        let generations = Arc::clone(generations);
        Arc::new(Self { kept, flights: Mutex::default(), numbers: AtomicU64::new(0), generations, lifetimes, counts })
    }

    /// To be noted before the first request of a read that [`keep`](Self::keep)s something.
    pub fn moment(&self) -> Moment {
        self.generations.now().moment()
    }

    /// Whether no write or purge that can change this answer was answered since then.
    fn is_current(&self, began: Moment, key: &K) -> bool {
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
        let is_there = kept.record.is_some();
        match (self.lifetimes.state(key.is_steady(), is_there, kept.freshness), kept.record) {
            (State::Fresh, record) => {
                provenance.note(part_of(key), kept.freshness);
                Look::Fresh(record)
            }
            (State::Revalidating, Some(record)) => {
                provenance.note(part_of(key), kept.freshness);
                Look::Stale(record)
            }
            _ => Look::Nothing,
        }
    }

    /// What stands in for an answer that could not be read.
    fn in_reserve(&self, key: &K, error: &SourceError, provenance: &Provenance) -> Option<AnyRecord> {
        if !error.fault.is_outage() || self.generations.now().is_suspect(key) {
            return None;
        }
        let kept = self.kept.get(key).filter(|kept| provenance.takes(kept.freshness.read))?;
        let over = Time::now().since(kept.freshness.fresh_until);
        let record = kept.record.filter(|_| over <= self.lifetimes.of(key.is_steady()).stale_if_error)?;
        provenance.note(part_of(key), Freshness { is_stale: true, ..kept.freshness });
        self.counts.stood_in.inc();
        Some(record)
    }

    /// Keeps a record that was read from then on.
    pub fn keep<V: Send + Sync + 'static>(&self, began: Moment, key: K, record: &Weighed<V>) {
        let freshness = Freshness::of(began.at, self.lifetimes.of(key.is_steady()).fresh);
        self.insert(began, key, Kept::of(record, freshness));
    }

    /// Keeps a record that came along with another answer, unless one is kept already: what comes along may be less than
    /// the whole.
    pub fn keep_beside<V: Send + Sync + 'static>(&self, began: Moment, key: K, record: &Weighed<V>) {
        let is_fresh = |kept: Kept| {
            let state = self.lifetimes.state(key.is_steady(), true, kept.freshness);
            kept.record.is_some() && state == State::Fresh
        };
        if !self.kept.get(&key).is_some_and(is_fresh) {
            self.keep(began, key, record);
        }
    }

    fn insert(&self, began: Moment, key: K, kept: Kept) {
        let keep_for = self.lifetimes.kept_for(key.is_steady(), kept.record.is_some(), kept.freshness);
        let is_kept = !keep_for.is_zero() && !self.lifetimes.of(key.is_steady()).fresh.is_zero();
        if kept.freshness.is_stale {
            return;
        }
        // Held while it goes in: a write that is answered meanwhile waits, and then sweeps it out.
        let now = self.generations.now();
        let is_newest = || self.kept.get(&key).is_none_or(|other| other.freshness.read <= kept.freshness.read);
        if now.is_current(&key, began) && !now.is_suspect(&key) && is_newest() {
            if is_kept {
                self.kept.insert(key, kept);
            } else {
                // What is older must not stay, least of all when it is not there any more.
                self.kept.invalidate(&key);
            }
        }
    }

    /// A write was answered, or nobody will know: what was read so far, for any store of these generations, is old.
    fn advance(&self, touched: &Touched, is_known: bool) {
        self.generations.advance(touched, is_known);
    }

    /// Throws out what a write touched, whoever it was kept for; gives the keys.
    fn sweep(&self, touched: &Touched) -> Vec<K> {
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
    fn settle(&self, touched: &Touched) {
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
    pub fn answers<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        viewer: &Viewer,
        keys: &[K],
        mut fetch: impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) -> Vec<Answer<K, V>> {
        let provenance = &viewer.provenance;
        let mut stale = Vec::new();
        let mut missing = HashMap::new();
        let mut joined = 0;
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
                if let Some(flight) = flying(&flights, &now, key, provenance) {
                    joined += 1;
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
        self.counts.joined.inc_by(joined as u64);
        let hits = keys.len() - missing.len() - joined - stale.len();
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
    pub fn answer<V: Send + Sync + 'static, F>(
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

    fn awaited<V>(self: &Arc<Self>, key: &K, flight: Flight<K>, provenance: &Arc<Provenance>) -> Answer<K, V> {
        Answer::Flying { key: key.clone(), flight, store: Arc::clone(self), provenance: Arc::clone(provenance) }
    }

    /// Reads what was served although it is no longer fresh, unless that is being done. Nobody waits for it.
    fn refresh<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        viewer: &Viewer,
        mut stale: Vec<K>,
        mut fetch: impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) {
        self.counts.stale.inc_by(stale.len() as u64);
        // Outlives the lock: the last who lets go of a flight takes it out of the air, which needs the lock.
        let mut airborne = Vec::new();
        let mut flights = self.flights();
        let now = self.generations.now();
        let began = now.moment();
        stale.retain(|key| match flying(&flights, &now, key, &viewer.provenance) {
            Some(flight) => {
                airborne.push(flight);
                false
            }
            None => true,
        });
        drop(now);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let wanted: HashSet<K> = stale.into_iter().collect();
        if wanted.is_empty() {
            return;
        }
        let launched = self.launch(&mut flights, began, viewer, wanted.into_iter().collect(), &mut fetch);
        drop(flights);
        // Bounded: each key flies once, and a source has a bounded number of requests, each with a time limit.
        runtime.spawn(join_all(launched.into_iter().map(|(_, flight)| flight)).map(drop));
    }

    /// Begins flights for keys; gives the flight of each.
    fn launch<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        flights: &mut HashMap<K, Airborne<K>>,
        began: Moment,
        viewer: &Viewer,
        wanted: Vec<K>,
        fetch: &mut impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) -> Vec<(K, Flight<K>)> {
        let within = viewer.within_a_flight();
        let mut launched = Vec::with_capacity(wanted.len());
        for (keys, fetch) in fetch(wanted, &within) {
            if keys.is_empty() {
                // Nobody would wait for it, and it must not land here, where the lock is held.
                continue;
            }
            self.counts.flights.inc();
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let flight = self.flight(number, began, keys.clone(), fetch, within.clone());
            for key in keys {
                if let Some(flight) = flight.downgrade() {
                    let provenance = Arc::clone(&viewer.provenance);
                    flights.insert(key.clone(), Airborne { number, began, provenance, flight });
                }
                launched.push((key, flight.clone()));
            }
        }
        launched
    }

    fn flight<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        number: u64,
        began: Moment,
        keys: Vec<K>,
        fetch: Fetch<K, V>,
        within: Viewer,
    ) -> Flight<K> {
        let landing = Landing { store: Arc::clone(self), number, keys };
        let flight = async move {
            let mut fetched = fetch.await;
            if let Some(error) = fetched.values().find_map(|answer| answer.as_ref().err()) {
                landing.store.counts.failed.inc();
                tracing::warn!(source = error.of.code(), fault = %error.fault, "a read failed");
            }
            let lifetimes = &landing.store.lifetimes;
            let made_of = within.provenance.freshness();
            let age = |fresh| Freshness::of(began.at, fresh).and(made_of);
            let mut landed = HashMap::with_capacity(landing.keys.len());
            let mut oldest = made_of;
            for key in &landing.keys {
                let answer = fetched.remove(key).unwrap_or(Ok(None));
                let kept = match &answer {
                    Ok(Some(record)) => Some(Kept::of(record, age(lifetimes.of(key.is_steady()).fresh))),
                    Ok(None) => Some(Kept { record: None, bytes: OVERHEAD, freshness: age(lifetimes.absent) }),
                    Err(_) => None,
                };
                if let Some(kept) = kept {
                    oldest = oldest.and(kept.freshness);
                    landing.store.insert(began, key.clone(), kept);
                }
                landed.insert(key.clone(), answer.map(|record| record.map(|record| record.record as AnyRecord)));
            }
            // Kept first, then taken out of the air, then told to those who wait: nobody finds neither.
            drop(landing);
            Arc::new((landed, oldest))
        };
        flight.boxed().shared()
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<K, Airborne<K>>> {
        // A panic while it was held left at worst a flight that is not joined.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries and bytes that are kept now.
    fn size(&self) -> (u64, u64) {
        self.kept.run_pending_tasks();
        (self.kept.entry_count(), self.kept.weighted_size())
    }
}

/// A flight that may be joined. One from before a write, or from before one that may still come, goes on for those who
/// wait for it; a new one takes its place here.
fn flying<K: Key>(
    flights: &HashMap<K, Airborne<K>>,
    now: &Now<'_>,
    key: &K,
    provenance: &Provenance,
) -> Option<Flight<K>> {
    let airborne = flights.get(key)?;
    let may_be_joined = now.is_current(key, airborne.began)
        && !now.is_suspect(key)
        && provenance.takes_flights_of(&airborne.provenance);
    if may_be_joined { airborne.flight.upgrade() } else { None }
}

impl Kept {
    fn of<V: Send + Sync + 'static>(record: &Weighed<V>, freshness: Freshness) -> Self {
        let bytes = record.bytes.saturating_add(OVERHEAD);
        Self { record: Some(Arc::clone(&record.record) as AnyRecord), bytes, freshness }
    }
}

/// A page weighs what its records weigh.
fn weigh_page<T>(page: Page<T>) -> Weighed<Page<T>> {
    let bytes = page.items.iter().flatten().fold(0u32, |sum, item| sum.saturating_add(item.bytes));
    Weighed { record: Arc::new(page), bytes }
}

/// Takes a flight's keys out of the air when it lands, and as well when it is dropped because nobody waits any more.
struct Landing<K: Key> {
    store: Arc<Store<K>>,
    number: u64,
    keys: Vec<K>,
}

impl<K: Key> Drop for Landing<K> {
    fn drop(&mut self) {
        let mut flights = self.store.flights();
        for key in &self.keys {
            // A key may be flying again under another number.
            if flights.get(key).is_some_and(|airborne| airborne.number == self.number) {
                flights.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
