//! Whole answers: the same request again gets the same bytes, and the same request at the same time waits for them.
//!
//! Knows neither GraphQL nor HTTP: a request is a key, an answer a value. An answer is served for as long as the first of
//! its parts is fresh, and not any more once a write or purge was answered that can change one of them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ahash::RandomState;
use futures::{
    FutureExt as _,
    future::{BoxFuture, WeakShared},
};
use moka::{Expiry, policy::EvictionPolicy};

use super::{
    Generations, Portable, Provenance,
    fleet::Fleet,
    generations::{Beginning, Now},
    metrics::{CacheMetrics, LevelCounts},
    viewer::Part,
};
use crate::replicas::Link;

/// What it is called among replicas.
const LEVEL: &str = "answers";

/// Bytes counted for the store's own bookkeeping.
const OVERHEAD: u32 = 512;

/// What is the same on all replicas.
pub trait Identity {
    /// What tells it from all others.
    fn identity(&self) -> Vec<u8>;
}

/// What takes memory.
pub trait Weight {
    /// Bytes, beside those of the type itself.
    fn bytes(&self) -> usize;
}

/// What an answer was made of, and when.
#[derive(Debug)]
pub struct Whole<V> {
    pub value: V,
    pub provenance: Arc<Provenance>,
    began: Beginning,
}

/// Answers by request.
pub struct Answers<K, V> {
    kept: moka::sync::Cache<K, Arc<Whole<V>>, RandomState>,
    flights: Mutex<HashMap<K, Airborne<V>>>,
    numbers: AtomicU64,
    generations: Arc<Generations>,
    fleet: Option<Fleet>,
    counts: LevelCounts,
}

struct Airborne<V> {
    number: u64,
    began: Beginning,
    flight: WeakShared<BoxFuture<'static, Arc<Whole<V>>>>,
}

/// An answer goes when its first part does.
struct WithItsParts;

impl<K, V> Expiry<K, Arc<Whole<V>>> for WithItsParts {
    fn expire_after_create(&self, _: &K, whole: &Arc<Whole<V>>, _: Instant) -> Option<Duration> {
        Some(whole.provenance.fresh_for())
    }

    fn expire_after_update(
        &self,
        key: &K,
        whole: &Arc<Whole<V>>,
        at: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, whole, at)
    }
}

impl<V> Whole<V> {
    /// An answer that is nobody else's.
    pub fn apart(value: V, provenance: Arc<Provenance>) -> Self {
        Self { value, provenance, began: Beginning::default() }
    }

    /// Whether no write or purge that can change it was answered since it began, nor may come at any time.
    fn holds(&self, now: &Now<'_>) -> bool {
        now.trusts(self.provenance.freshness().read)
            && Part::ALL.into_iter().all(|part| !self.provenance.has(part) || now.holds(part, self.began))
    }
}

impl<K, V> Answers<K, V>
where
    K: Hash + Eq + Clone + Weight + Identity + Send + Sync + 'static,
    V: Weight + Portable,
{
    /// Keeps at most `max_bytes`. Zero keeps nothing.
    pub(super) fn new(
        max_bytes: u64,
        generations: &Arc<Generations>,
        fleet: Option<Fleet>,
        counts: LevelCounts,
    ) -> Arc<Self> {
        let evicted = counts.clone();
        let bytes = |key: &K, whole: &Arc<Whole<V>>| {
            let bytes = key.bytes() + whole.value.bytes() + size_of::<K>() + size_of::<Whole<V>>();
            u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(OVERHEAD)
        };
        let kept = moka::sync::Cache::builder()
            .max_capacity(max_bytes)
            .weigher(bytes)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(WithItsParts)
            .eviction_listener(move |_, _, cause| evicted.removed(cause))
            // A key is a whole request; the default hasher takes several times as long for it.
            .build_with_hasher(RandomState::new());
        let generations = Arc::clone(generations);
        Arc::new(Self { kept, flights: Mutex::default(), numbers: AtomicU64::new(0), generations, fleet, counts })
    }

    /// An answer that is at hand without waiting.
    pub fn at_hand(&self, key: &K) -> Option<Arc<Whole<V>>> {
        let whole = self.kept.get(key)?;
        if !whole.holds(&self.generations.now()) {
            self.kept.invalidate(key);
            return None;
        }
        self.counts.hit.inc();
        Some(whole)
    }

    /// The answer of the same request that is being made, or else of `make`, to which `provenance` belongs. It is kept where
    /// `keep` says so of the value, and what it was made of lets it. Whoever waits drives it; one that goes away hands over.
    /// Where the time of whoever came first was over (`is_late`), the others go on by themselves. `adopt` completes what another
    /// replica made.
    pub async fn answer(
        self: &Arc<Self>,
        key: K,
        provenance: Arc<Provenance>,
        make: BoxFuture<'static, V>,
        adopt: impl FnOnce(V) -> V + Send + 'static,
        keep: fn(&V) -> bool,
        is_late: fn(&V) -> bool,
    ) -> Arc<Whole<V>> {
        let (flight, mine) = {
            let mut flights = self.flights();
            let now = self.generations.now();
            let is_current = |airborne: &&Airborne<V>| {
                Part::ALL.into_iter().all(|part| now.holds(part, airborne.began)) && now.trusts(airborne.began.at)
            };
            let flying = flights.get(&key).filter(is_current).filter(|_| provenance.takes_anything_fresh());
            if let Some(flight) = flying.and_then(|airborne| airborne.flight.upgrade()) {
                self.counts.joined.inc();
                (flight, Some((make, provenance)))
            } else {
                self.counts.missed.inc();
                self.counts.flights.inc();
                let (number, began) = (self.numbers.fetch_add(1, Ordering::Relaxed), now.beginning());
                let landing = Landing { answers: Arc::clone(self), key: key.clone(), number };
                let flight = async move {
                    let found = landing.answers.found(&landing.key, &provenance, began).await;
                    let is_found = found.is_some();
                    let value = match found {
                        Some(value) => adopt(value),
                        None => make.await,
                    };
                    let whole = Arc::new(Whole { value, provenance, began });
                    if keep(&whole.value) {
                        let is_kept = landing.answers.keep(&landing.key, &whole);
                        if is_kept && !is_found {
                            landing.answers.share(&landing.key, &whole);
                        }
                    } else {
                        landing.answers.counts.failed.inc();
                    }
                    // Kept first, then taken out of the air, then told to those who wait.
                    drop(landing);
                    whole
                };
                let flight = flight.boxed().shared();
                if let Some(flight) = flight.downgrade() {
                    flights.insert(key, Airborne { number, began, flight });
                }
                (flight, None)
            }
        };
        let whole = flight.await;
        match mine {
            // The other one's time was over first.
            Some((make, provenance)) if is_late(&whole.value) => Arc::new(Whole::apart(make.await, provenance)),
            _ => whole,
        }
    }

    /// Counts an answer anew that has become larger.
    pub fn weigh_again(&self, key: &K, whole: &Arc<Whole<V>>) {
        if self.kept.get(key).is_some_and(|kept| Arc::ptr_eq(&kept, whole)) {
            self.keep(key, whole);
        }
    }

    /// What another replica has, of which the provenance then tells.
    async fn found(&self, key: &K, provenance: &Provenance, began: Beginning) -> Option<V> {
        let fleet = self.fleet.as_ref().filter(|_| provenance.takes_anything_fresh())?;
        let found = fleet.look_up::<(u8, V)>(LEVEL, std::iter::once(key.identity())).await;
        let ((parts, value), freshness) = found.into_iter().next()??;
        let parts = || Part::ALL.into_iter().filter(|part| parts & part.bit() != 0);
        let now = self.generations.now();
        if !parts().all(|part| now.holds(part, began)) {
            return None;
        }
        parts().for_each(|part| provenance.note(part, freshness));
        Some(value)
    }

    /// Lets the others have it.
    fn share(&self, key: &K, whole: &Arc<Whole<V>>) {
        let (Some(fleet), Link::At(versions)) = (&self.fleet, whole.began.link) else { return };
        let (parts, freshness) = (whole.provenance.parts(), whole.provenance.freshness());
        // What is made of nothing costs nothing to make.
        if parts != 0 {
            let whole = Arc::clone(whole);
            let bytes = whole.value.bytes();
            let value = move || rmp_serde::to_vec_named(&(parts, &whole.value)).ok();
            fleet.share(LEVEL, &key.identity(), parts, (versions, freshness), bytes, value);
        }
    }

    /// Whether it did.
    fn keep(&self, key: &K, whole: &Arc<Whole<V>>) -> bool {
        if !whole.provenance.is_repeatable() || whole.provenance.fresh_for().is_zero() {
            return false;
        }
        // Held while it goes in: a write that is answered meanwhile waits, and then makes it unreachable.
        let now = self.generations.now();
        let holds = whole.holds(&now);
        if holds {
            self.kept.insert(key.clone(), Arc::clone(whole));
        }
        holds
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<K, Airborne<V>>> {
        // A panic while it was held left at worst a flight that is not joined.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how much is kept now.
    pub fn measure(&self, metrics: &CacheMetrics) {
        self.kept.run_pending_tasks();
        metrics.set_size("answers", (self.kept.entry_count(), self.kept.weighted_size()));
    }
}

/// Takes a request out of the air when its answer lands, and as well when nobody waits for it any more.
struct Landing<K: Hash + Eq, V> {
    answers: Arc<Answers<K, V>>,
    key: K,
    number: u64,
}

impl<K: Hash + Eq, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut flights = self.answers.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.get(&self.key).is_some_and(|airborne| airborne.number == self.number) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{channel::oneshot, executor::block_on, future::join};

    use super::*;
    use crate::{
        cache::{
            Touched,
            freshness::{Freshness, Time},
            metrics::CacheMetrics,
        },
        domain::Source,
    };

    impl Weight for u8 {
        fn bytes(&self) -> usize {
            0
        }
    }

    impl Identity for u8 {
        fn identity(&self) -> Vec<u8> {
            vec![*self]
        }
    }

    impl Weight for String {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    const HOUR: Duration = Duration::from_secs(3_600);
    const LATE: &str = "late";

    fn answers(max_bytes: u64) -> (Arc<Answers<u8, String>>, Arc<Generations>) {
        let generations = Arc::new(Generations::new(HOUR));
        (Answers::new(max_bytes, &generations, None, CacheMetrics::default().level("answers")), generations)
    }

    /// Of something of BrainSTEM's.
    fn made(is_steady: bool) -> Arc<Provenance> {
        let provenance = Provenance::default();
        let part = Part { source: Source::BrainStem, is_steady };
        provenance.note(part, Freshness { read: Time::now(), fresh_until: Time::now() + HOUR, is_stale: false });
        Arc::new(provenance)
    }

    async fn ask(
        answers: &Arc<Answers<u8, String>>,
        of: Arc<Provenance>,
        make: impl Future<Output = &'static str> + Send + 'static,
    ) -> String {
        let make = make.map(str::to_owned).boxed();
        answers.answer(1, of, make, |value| value, |value| value != LATE, |value| value == LATE).await.value.clone()
    }

    #[test]
    fn an_answer_is_served_until_a_sweep_that_may_have_changed_it() {
        for (is_steady, source, is_purge, goes) in [
            (false, Source::BrainStem, false, true),
            (false, Source::HautAi, false, false),
            (true, Source::BrainStem, false, false),
            (true, Source::BrainStem, true, true),
        ] {
            let (answers, generations) = answers(1 << 20);
            assert_eq!(block_on(ask(&answers, made(is_steady), async { "old" })), "old");
            let touched = Touched { is_purge, ..Touched::new(source, []) };
            generations.advance(&touched, true);
            assert!(answers.at_hand(&1).is_some(), "the write is not answered yet");
            generations.settle(&touched);
            assert_eq!(answers.at_hand(&1).is_none(), goes, "{is_steady} {source:?} {is_purge}");
        }
    }

    #[test]
    fn one_that_began_before_a_sweep_was_over_is_neither_kept_nor_joined() {
        let (answers, generations) = answers(1 << 20);
        let touched = Touched::new(Source::BrainStem, []);
        let (send, receive) = oneshot::channel();
        let before = ask(&answers, made(false), async { receive.await.unwrap() });
        let after = async {
            generations.advance(&touched, true);
            generations.settle(&touched);
            let after = ask(&answers, made(false), async { "new" }).await;
            send.send("old").unwrap();
            after
        };
        assert_eq!(block_on(join(before, after)), ("old".to_owned(), "new".to_owned()));
        assert_eq!(answers.at_hand(&1).unwrap().value, "new");
    }

    #[test]
    fn under_suspicion_nothing_is_served_or_kept() {
        let (answers, generations) = answers(1 << 20);
        block_on(ask(&answers, made(false), async { "old" }));
        generations.advance(&Touched::new(Source::BrainStem, []), false);
        assert!(answers.at_hand(&1).is_none());
        block_on(ask(&answers, made(false), async { "new" }));
        assert!(answers.at_hand(&1).is_none());
    }

    #[test]
    fn one_that_began_under_suspicion_is_neither_kept_nor_joined_when_it_comes_later() {
        let (answers, generations) = answers(1 << 20);
        let touched = Touched::new(Source::BrainStem, []);
        generations.advance(&touched, false);
        generations.settle(&touched);
        let (send, receive) = oneshot::channel();
        let early = ask(&answers, made(false), async { receive.await.unwrap() });
        let late = async {
            generations.end_suspicion();
            let late = ask(&answers, made(false), async { "new" }).now_or_never();
            send.send("old").unwrap();
            late
        };
        assert_eq!(block_on(join(early, late)), ("old".to_owned(), Some("new".to_owned())));
        assert_eq!(answers.at_hand(&1).unwrap().value, "new");
    }

    #[test]
    fn who_has_more_time_than_the_first_one_goes_on_alone() {
        let (answers, _) = answers(1 << 20);
        let (send, receive) = oneshot::channel();
        let first = ask(&answers, made(false), async { receive.await.unwrap() });
        let second = ask(&answers, made(false), async { "in time" });
        let end = async { send.send(LATE).unwrap() };
        assert_eq!(block_on(join(join(first, second), end)).0, (LATE.to_owned(), "in time".to_owned()));
    }

    #[test]
    fn bytes_are_bounded() {
        let (answers, _) = answers(10_000);
        for key in 0..u8::MAX {
            let make = async { "some text".to_owned() }.boxed();
            block_on(answers.answer(key, made(false), make, |value| value, |_| true, |_| false));
        }
        answers.kept.run_pending_tasks();
        assert!(answers.kept.weighted_size() <= 10_000, "{}", answers.kept.weighted_size());
    }
}
