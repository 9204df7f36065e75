//! moka in front of single flights: what was read lately is served again, and what is being read is waited for.
//!
//! A [`Store`] knows keys and answers, not where answers come from. A batch is one flight for many keys: each key's
//! [`Answer`] waits for its own part of it. Whoever waits drives the flight; when nobody waits any more, it is dropped.
//! Failures are not kept; "not there" is, briefly. What was read before a write was answered is neither kept nor joined
//! after it ([`Generations`]).

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    fmt,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use moka::{Expiry, policy::EvictionPolicy};

use crate::sources::{
    SourceError,
    paging::{Page, Weighed},
};

pub mod brainstem;
pub mod gathered;
mod generations;
pub mod haut_ai;
mod keys;
pub mod purge;
pub mod sources;
pub mod writes;

pub use brainstem::CachedBrainStem;
pub use gathered::{Gathered, Gathering};
pub use generations::{Generations, Moment};
pub use haut_ai::CachedHautAi;
pub use keys::{Key, ListKind, PageKey, RecordKey, Touched};
pub use purge::Purge;
pub use sources::{Checked, Sources};

use generations::Now;

/// A record or a page of any type. A key's kind says which.
type AnyRecord = Arc<dyn Any + Send + Sync>;
/// What a flight brings for each of its keys.
type Landed<K> = Arc<HashMap<K, Result<Option<AnyRecord>, SourceError>>>;
type Flight<K> = Shared<BoxFuture<'static, Landed<K>>>;

/// What a fetch brings: an answer for each key that it was given; one that it left out is not there.
pub type Fetched<K, V> = HashMap<K, Result<Option<Weighed<V>>, SourceError>>;
/// A fetch, begun when it is first polled.
pub type Fetch<K, V> = BoxFuture<'static, Fetched<K, V>>;

/// Bytes counted for what a key and the store's own bookkeeping take.
const OVERHEAD: u32 = 256;

/// Answers by key, of any type.
pub struct Store<K> {
    kept: moka::sync::Cache<K, Kept>,
    flights: Mutex<HashMap<K, Airborne<K>>>,
    numbers: AtomicU64,
    generations: Arc<Generations>,
}

#[derive(Clone)]
struct Kept {
    /// `None`: it is not there.
    record: Option<AnyRecord>,
    bytes: u32,
}

struct Airborne<K> {
    number: u64,
    began: Moment,
    flight: WeakShared<BoxFuture<'static, Landed<K>>>,
}

struct Lifetimes {
    fresh: Duration,
    absent: Duration,
}

impl<K> Expiry<K, Kept> for Lifetimes {
    fn expire_after_create(&self, _: &K, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(if kept.record.is_some() { self.fresh } else { self.absent })
    }

    fn expire_after_update(&self, key: &K, kept: &Kept, at: Instant, _: Option<Duration>) -> Option<Duration> {
        self.expire_after_create(key, kept, at)
    }
}

/// One key's answer: here already, or the part of a flight that will bring it.
pub enum Answer<K, V> {
    Ready(Result<Option<Arc<V>>, SourceError>),
    Flying { key: K, flight: Flight<K> },
}

impl<K: Clone, V> Clone for Answer<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Ready(answer) => Self::Ready(answer.clone()),
            Self::Flying { key, flight } => Self::Flying { key: key.clone(), flight: flight.clone() },
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

impl<K: Hash + Eq, V: Send + Sync + 'static> Answer<K, V> {
    /// Waits for the flight, where there is one.
    pub async fn get(self) -> Result<Option<Arc<V>>, SourceError> {
        match self {
            Self::Ready(answer) => answer,
            Self::Flying { key, flight } => {
                flight.await.get(&key).cloned().unwrap_or(Ok(None)).map(|record| record.and_then(typed))
            }
        }
    }
}

/// A key is only ever given records of one type.
fn typed<V: Send + Sync + 'static>(record: AnyRecord) -> Option<Arc<V>> {
    let typed = record.downcast().ok();
    debug_assert!(typed.is_some(), "a key was used for records of two types");
    typed
}

impl<K: Key> Store<K> {
    /// Keeps at most `max_bytes`, each answer for `fresh`, and "not there" for `absent`. Zero keeps nothing.
    pub fn new(max_bytes: u64, fresh: Duration, absent: Duration, generations: &Arc<Generations>) -> Arc<Self> {
        let kept = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &K, kept: &Kept| kept.bytes.saturating_add(key.bytes()))
            // The newest is what the rest of a query asks for next; the default policy may not let it in.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetimes { fresh, absent })
            .build();
        let generations = Arc::clone(generations);
        Arc::new(Self { kept, flights: Mutex::default(), numbers: AtomicU64::new(0), generations })
    }

    /// To be noted before the first request of a read that [`keep`](Self::keep)s something.
    pub fn moment(&self) -> Moment {
        self.generations.now().moment()
    }

    /// An answer that is at hand without waiting.
    pub fn at_hand<V: Send + Sync + 'static>(&self, key: &K) -> Option<Option<Arc<V>>> {
        self.at_hand_now(&self.generations.now(), key)
    }

    #[expect(clippy::option_option, reason = "the inner one says that it is not there")]
    fn at_hand_now<V: Send + Sync + 'static>(&self, now: &Now<'_>, key: &K) -> Option<Option<Arc<V>>> {
        if now.is_suspect(key) {
            return None;
        }
        self.kept.get(key).map(|kept| kept.record.and_then(typed))
    }

    /// Keeps a record that was read from then on.
    pub fn keep<V: Send + Sync + 'static>(&self, began: Moment, key: K, record: &Weighed<V>) {
        let bytes = record.bytes.saturating_add(OVERHEAD);
        self.insert(began, key, Kept { record: Some(Arc::clone(&record.record) as AnyRecord), bytes });
    }

    /// Keeps a record that came along with another answer, unless one is kept already: what comes along may be less than
    /// the whole.
    pub fn keep_beside<V: Send + Sync + 'static>(&self, began: Moment, key: K, record: &Weighed<V>) {
        if self.kept.get(&key).is_none_or(|kept| kept.record.is_none()) {
            self.keep(began, key, record);
        }
    }

    fn insert(&self, began: Moment, key: K, kept: Kept) {
        // Held while it goes in: a write that is answered meanwhile waits, and then sweeps it out.
        let now = self.generations.now();
        if now.is_current(&key, began) && !now.is_suspect(&key) {
            self.kept.insert(key, kept);
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

    /// An answer for every key: kept, joined, or from the flights that `fetch` cuts the missing keys into.
    pub fn answers<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = K>,
        fetch: impl FnOnce(Vec<K>) -> Vec<(Vec<K>, Fetch<K, V>)>,
    ) -> HashMap<K, Answer<K, V>> {
        let mut answers = HashMap::new();
        let mut missing = Vec::new();
        // Held while looking, so that between a miss and its flight no other flight can land unseen.
        let mut flights = self.flights();
        let now = self.generations.now();
        let began = now.moment();
        for key in keys.into_iter().collect::<HashSet<_>>() {
            // One from before a write, or from before one that may still come, goes on for those who wait for it; a new
            // one takes its place here.
            let flight =
                flights.get(&key).filter(|airborne| now.is_current(&key, airborne.began) && !now.is_suspect(&key));
            if let Some(flight) = flight.and_then(|airborne| airborne.flight.upgrade()) {
                answers.insert(key.clone(), Answer::Flying { key, flight });
            } else if let Some(record) = self.at_hand_now(&now, &key) {
                answers.insert(key, Answer::Ready(Ok(record)));
            } else {
                missing.push(key);
            }
        }
        // A fetch may note its moment, and two locks on one thread might wait for a writer between them.
        drop(now);
        if missing.is_empty() {
            return answers;
        }
        for (keys, fetch) in fetch(missing) {
            if keys.is_empty() {
                // Nobody would wait for it, and it must not land here, where the lock is held.
                continue;
            }
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let flight = self.flight(number, began, keys.clone(), fetch);
            for key in keys {
                if let Some(flight) = flight.downgrade() {
                    flights.insert(key.clone(), Airborne { number, began, flight });
                }
                answers.insert(key.clone(), Answer::Flying { key, flight: flight.clone() });
            }
        }
        answers
    }

    /// The answer for one key.
    pub fn answer<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        key: &K,
        fetch: impl Future<Output = Result<Option<Weighed<V>>, SourceError>> + Send + 'static,
    ) -> Answer<K, V> {
        if let Some(record) = self.at_hand(key) {
            return Answer::Ready(Ok(record));
        }
        let one = |missing: Vec<K>| match missing.into_iter().next() {
            Some(key) => {
                let keys = vec![key.clone()];
                vec![(keys, fetch.map(|fetched| HashMap::from([(key, fetched)])).boxed())]
            }
            None => Vec::new(),
        };
        self.answers([key.clone()], one).remove(key).unwrap_or(Answer::Ready(Ok(None)))
    }

    fn flight<V: Send + Sync + 'static>(
        self: &Arc<Self>,
        number: u64,
        began: Moment,
        keys: Vec<K>,
        fetch: Fetch<K, V>,
    ) -> Flight<K> {
        let landing = Landing { store: Arc::clone(self), number, keys };
        let flight = async move {
            let mut fetched = fetch.await;
            if let Some(error) = fetched.values().find_map(|answer| answer.as_ref().err()) {
                tracing::warn!(source = error.of.code(), fault = %error.fault, "a read failed");
            }
            let mut landed = HashMap::with_capacity(landing.keys.len());
            for key in &landing.keys {
                let answer = fetched.remove(key).unwrap_or(Ok(None));
                match &answer {
                    Ok(Some(record)) => landing.store.keep(began, key.clone(), record),
                    Ok(None) => landing.store.insert(began, key.clone(), Kept { record: None, bytes: OVERHEAD }),
                    Err(_) => {}
                }
                landed.insert(key.clone(), answer.map(|record| record.map(|record| record.record as AnyRecord)));
            }
            // Kept first, then taken out of the air, then told to those who wait: nobody finds neither.
            drop(landing);
            Arc::new(landed)
        };
        flight.boxed().shared()
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<K, Airborne<K>>> {
        // A panic while it was held left at worst a flight that is not joined.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes kept now, for a test of the bound.
    #[cfg(test)]
    fn weight(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.weighted_size()
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
