//! The store: batches, failures, dropped flights, bounds.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Context, Waker},
};

use futures::{channel::oneshot, executor::block_on, future::join_all};

use super::*;
use crate::{
    cache::{Requests, metrics::CacheMetrics},
    config::Lifetime,
    domain::Source,
    sources::{Credential, CredentialId, Fault},
};

mod suspicion;

const LONG: Duration = Duration::from_secs(3_600);

/// Numbers are records of BrainSTEM that any of its writes touches, but for the largest, which none does.
impl Key for u64 {
    fn source(&self) -> Source {
        Source::BrainStem
    }

    fn is_steady(&self) -> bool {
        *self == STEADY
    }

    fn identity(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
}

const STEADY: u64 = u64::MAX;

fn store(max_bytes: u64, fresh: Duration) -> Arc<Store<u64>> {
    store_with(max_bytes, lifetimes(fresh, Duration::ZERO, Duration::ZERO), LONG)
}

fn store_with(max_bytes: u64, lifetimes: Lifetimes, wary_for: Duration) -> Arc<Store<u64>> {
    let generations = Arc::new(Generations::new(wary_for));
    Store::new(max_bytes, lifetimes, &generations, Share::default(), CacheMetrics::default().level("records"))
}

/// The same for all kinds of answers.
pub(in crate::cache) fn lifetimes(fresh: Duration, stale: Duration, stale_if_error: Duration) -> Lifetimes {
    let lifetime = Lifetime { fresh, stale, stale_if_error };
    Lifetimes { written: lifetime, steady: lifetime, absent: fresh }
}

fn viewer() -> Viewer {
    viewer_with(&Arc::default())
}

fn viewer_with(provenance: &Arc<Provenance>) -> Viewer {
    let requests = Arc::new(Requests::new(u64::MAX));
    Viewer::new(Credential::own(CredentialId::of(Source::BrainStem, &["test"])), provenance, &requests)
}

impl<K: Key> Store<K> {
    /// An answer that is at hand without waiting.
    #[expect(clippy::option_option, reason = "the inner one says that it is not there")]
    pub(in crate::cache) fn kept_now<V: Portable>(&self, key: &K) -> Option<Option<Arc<V>>> {
        match self.look(&self.generations.now(), key, &Provenance::default()) {
            Look::Fresh(record) => Some(record.and_then(typed)),
            Look::Stale(record) => Some(typed(record)),
            Look::Nothing => None,
        }
    }

    /// What there is an answer for.
    pub(in crate::cache) fn kept_keys(&self) -> Vec<K> {
        self.kept.iter().map(|(key, _)| K::clone(&key)).collect()
    }

    /// The answer for one key, for somebody who asks nothing else.
    fn one<V: Portable>(
        self: &Arc<Self>,
        key: &K,
        fetch: impl Future<Output = Result<Option<Weighed<V>>, SourceError>> + Send + 'static,
    ) -> Answer<K, V> {
        self.answer(&viewer(), key, |_| fetch)
    }
}

fn weighed(value: u64) -> Weighed<u64> {
    Weighed { record: Arc::new(value), bytes: 100 }
}

fn failure() -> SourceError {
    SourceError { of: Source::BrainStem, fault: Fault::Timeout }
}

/// Chunks of two; answers ten times the key, except that odd keys are not there.
fn in_chunks(missing: &[u64], fetched: &Arc<AtomicUsize>) -> Vec<(Vec<u64>, Fetch<u64, u64>)> {
    let chunk = |keys: &[u64]| {
        let (keys, fetched) = (keys.to_vec(), Arc::clone(fetched));
        let answers = keys.clone();
        let fetch = async move {
            fetched.fetch_add(1, Ordering::SeqCst);
            answers.into_iter().filter(|key| key % 2 == 0).map(|key| (key, Ok(Some(weighed(key * 10))))).collect()
        };
        (keys, fetch.boxed())
    };
    missing.chunks(2).map(chunk).collect()
}

#[test]
fn a_panic_reaches_all_who_wait_as_an_error_and_the_next_read_begins_anew() {
    let store = store(1 << 20, LONG);
    let (send, receive) = oneshot::channel::<()>();
    let first = store.answer(&viewer(), &1, |_| async move {
        let _ = receive.await;
        panic!("for the test")
    });
    let second = store.answer(&viewer(), &1, |_| async { unreachable!("it is being read") });
    let end = async { drop(send) };
    let (first, second, ()) = block_on(async { futures::join!(first.get(), second.get(), end) });
    let failed: Result<Option<Arc<u64>>, _> = Err(SourceError { of: Source::BrainStem, fault: Fault::Panicked });
    assert_eq!((first, second), (failed.clone(), failed));
    let again = store.answer(&viewer(), &1, |_| async { Ok(Some(Weighed { record: Arc::new(7_u64), bytes: 1 })) });
    assert_eq!(block_on(again.get()), Ok(Some(Arc::new(7))));
}

#[test]
fn a_batch_answers_key_by_key_and_is_kept() {
    let store = store(1 << 20, LONG);
    let fetched = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let answers = store.answers::<u64>(&viewer(), &[4, 3, 2, 4], |mut missing, _| {
            missing.sort_unstable();
            in_chunks(&missing, &fetched)
        });
        let got = block_on(join_all(answers.into_iter().map(Answer::get)));
        let got: Vec<_> = got.into_iter().map(|answer| answer.unwrap().map(|value| *value)).collect();
        assert_eq!(got, [Some(40), None, Some(20), Some(40)]);
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 2, "two chunks, once");
    assert!(store.flights().is_empty());
}

#[test]
fn a_failure_reaches_all_who_wait_and_is_not_kept() {
    let store = store(1 << 20, LONG);
    let first = store.one::<u64>(&1, async { Err(failure()) });
    let joined = store.one::<u64>(&1, async { panic!("it is flying already") });
    assert_eq!(block_on(first.get()), Err(failure()));
    assert_eq!(block_on(joined.get()), Err(failure()));
    let again = store.one::<u64>(&1, async { Ok(Some(weighed(7))) });
    assert_eq!(block_on(again.get()).unwrap().as_deref(), Some(&7));
}

#[test]
fn a_dropped_leader_hands_over() {
    let store = store(1 << 20, LONG);
    let (send, receive) = oneshot::channel();
    let leader = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    let joined = store.one::<u64>(&1, async { panic!("it is flying already") });
    let mut leader = leader.get().boxed();
    assert!(leader.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(leader);
    send.send(7).unwrap();
    assert_eq!(block_on(joined.get()).unwrap().as_deref(), Some(&7));
}

#[test]
fn a_flight_that_nobody_waits_for_is_dropped_and_forgotten() {
    let store = store(1 << 20, LONG);
    let (send, receive) = oneshot::channel::<u64>();
    let abandoned = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    drop(abandoned);
    assert!(send.is_canceled());
    assert!(store.flights().is_empty());
    let again = store.one::<u64>(&1, async { Ok(Some(weighed(8))) });
    assert_eq!(block_on(again.get()).unwrap().as_deref(), Some(&8));
}

#[test]
fn no_time_to_live_keeps_nothing() {
    let store = store(1 << 20, Duration::ZERO);
    let first = store.one::<u64>(&1, async { Ok(Some(weighed(1))) });
    block_on(first.get()).unwrap();
    let second = store.one::<u64>(&1, async { Ok(Some(weighed(2))) });
    assert_eq!(block_on(second.get()).unwrap().as_deref(), Some(&2));
}

#[test]
fn bytes_are_bounded() {
    let store = store(10_000, LONG);
    for key in 0..1_000u64 {
        store.keep(store.moment(), key, &weighed(key));
    }
    assert!(store.size().1 <= 10_000, "{:?}", store.size());
}

/// What every write does at its end.
fn write(store: &Store<u64>, source: Source, is_known: bool) {
    let touched = Touched::new(source, []);
    store.advance(&touched, is_known);
    store.sweep(&touched);
}

#[test]
fn a_flight_from_before_a_write_is_neither_joined_nor_kept_after_it() {
    let store = store(1 << 20, LONG);
    let ((send_old, old), (send_new, new)) = (oneshot::channel(), oneshot::channel());
    let before = store.one::<u64>(&1, async { Ok(Some(weighed(old.await.unwrap()))) });
    let steady = store.one::<u64>(&STEADY, async { Ok(Some(weighed(0))) });
    write(&store, Source::BrainStem, true);
    let after = store.one::<u64>(&1, async { Ok(Some(weighed(new.await.unwrap()))) });
    send_old.send(1).unwrap();
    assert_eq!(block_on(before.get()).unwrap().as_deref(), Some(&1), "who waited already is answered");
    assert_eq!(store.kept_now::<u64>(&1), None, "nothing from before the write is kept");
    let joined = store.one::<u64>(&1, async { panic!("the landing of the old flight took the new one down") });
    send_new.send(2).unwrap();
    assert_eq!(block_on(after.get()).unwrap().as_deref(), Some(&2));
    assert_eq!(block_on(joined.get()).unwrap().as_deref(), Some(&2));
    assert_eq!(store.kept_now::<u64>(&1).unwrap().as_deref(), Some(&2));
    block_on(steady.get()).unwrap();
    assert!(store.kept_now::<u64>(&STEADY).is_some(), "no write changes it");
    assert!(store.flights().is_empty());
}

#[test]
fn what_a_fetch_keeps_on_the_way_is_from_before_the_write_as_well() {
    let store = store(1 << 20, LONG);
    let (write_at, half_way) = oneshot::channel::<()>();
    let inner = Arc::clone(&store);
    let fetch = async move {
        let began = inner.moment();
        half_way.await.unwrap();
        inner.keep(began, 2, &weighed(2));
        inner.keep_beside(began, &viewer(), 3, &weighed(3));
        inner.keep(began, STEADY, &weighed(4));
        Ok(Some(weighed(1)))
    };
    let mut flight = store.one::<u64>(&1, fetch).get().boxed();
    assert!(flight.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    write(&store, Source::BrainStem, true);
    write_at.send(()).unwrap();
    block_on(flight).unwrap();
    let kept: Vec<u64> = store.kept.iter().map(|(key, _)| *key).collect();
    assert_eq!(kept, [STEADY]);
}

#[test]
fn a_write_leaves_the_other_source_alone() {
    let store = store(1 << 20, LONG);
    let flight = store.one::<u64>(&1, async { Ok(Some(weighed(1))) });
    store.keep(store.moment(), 2, &weighed(2));
    write(&store, Source::HautAi, false);
    block_on(flight.get()).unwrap();
    assert_eq!((store.kept_now::<u64>(&1).is_some(), store.kept_now::<u64>(&2).is_some()), (true, true));
    write(&store, Source::BrainStem, true);
    assert_eq!((store.kept_now::<u64>(&1), store.kept_now::<u64>(&2)), (None, None));
}

/// Fresh for no time that a test would notice, and still served after that, or in reserve only.
fn aged(stale: Duration, stale_if_error: Duration) -> Arc<Store<u64>> {
    let store = store_with(1 << 20, lifetimes(LONG, stale, stale_if_error), LONG);
    let began = store.moment();
    let freshness = Freshness { read: began.at, fresh_until: began.at, is_stale: false };
    store.insert(began, 1, Kept::of(&weighed(1), freshness), None);
    while store.lifetimes.state(Time::now(), false, true, freshness) == State::Fresh {
        std::hint::spin_loop();
    }
    store
}

#[tokio::test]
async fn what_is_no_longer_fresh_is_served_and_read_anew_once() {
    let store = aged(LONG, Duration::ZERO);
    let (send, receive) = oneshot::channel();
    let served = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    assert_eq!(served.get().await.unwrap().as_deref(), Some(&1), "nobody waits");
    let again = store.one::<u64>(&1, async { panic!("it is being read anew already") });
    assert_eq!(again.get().await.unwrap().as_deref(), Some(&1));
    send.send(2).unwrap();
    while store.kept_now::<u64>(&1).unwrap().as_deref() != Some(&2) {
        tokio::task::yield_now().await;
    }
    let fresh = store.one::<u64>(&1, async { panic!("it is fresh") });
    assert_eq!(fresh.get().await.unwrap().as_deref(), Some(&2));
}

#[tokio::test]
async fn what_was_kept_stands_in_for_what_cannot_be_read_and_says_so() {
    let store = aged(Duration::ZERO, LONG);
    let viewer = viewer();
    let answer = store.answer::<u64, _>(&viewer, &1, |_| async { Err(failure()) });
    assert_eq!(answer.get().await.unwrap().as_deref(), Some(&1));
    assert_eq!(viewer.provenance.stale()[0].source, Source::BrainStem);
    assert!(!viewer.provenance.is_repeatable());
    let refused = Fault::Refused { status: 401, why: "the token was revoked" };
    let refused = SourceError { of: Source::BrainStem, fault: refused };
    let failing = refused.clone();
    assert_eq!(store.one::<u64>(&1, async { Err(failing) }).get().await, Err(refused), "it may not be seen any more");
    write(&store, Source::BrainStem, true);
    assert_eq!(store.one::<u64>(&1, async { Err(failure()) }).get().await, Err(failure()), "a write swept it out");
}

#[tokio::test]
async fn who_wants_fresh_data_is_served_nothing_that_was_read_before() {
    let store = store(1 << 20, LONG);
    let (send, receive) = oneshot::channel();
    let flying = store.one::<u64>(&2, async { Ok(Some(weighed(receive.await.unwrap()))) });
    store.keep(store.moment(), 1, &weighed(1));
    let fresh = viewer_with(&Arc::new(Provenance::fresh_only()));
    for (key, expected) in [(1, 10), (2, 20)] {
        let read = store.answer::<u64, _>(&fresh, &key, |_| async move { Ok(Some(weighed(expected))) });
        assert_eq!(read.get().await.unwrap().as_deref(), Some(&expected));
        let again = store.answer::<u64, _>(&fresh, &key, |_| async { panic!("it was read for this request") });
        assert_eq!(again.get().await.unwrap().as_deref(), Some(&expected));
    }
    send.send(2).unwrap();
    assert_eq!(flying.get().await.unwrap().as_deref(), Some(&2));
    assert_eq!(store.kept_now::<u64>(&2).unwrap().as_deref(), Some(&20), "what was read later stays");
}

#[tokio::test]
async fn what_is_made_from_something_old_is_as_old_as_that() {
    let store = aged(LONG, Duration::ZERO);
    let viewer = viewer();
    let inner = Arc::clone(&store);
    let outer = store.answer::<u64, _>(&viewer, &2, |within| {
        let within = within.clone();
        async move {
            let part = inner.answer::<u64, _>(&within, &1, |_| async { Ok(Some(weighed(5))) });
            Ok(part.get().await?.map(|part| weighed(*part)))
        }
    });
    assert_eq!(outer.get().await.unwrap().as_deref(), Some(&1));
    assert!(viewer.provenance.fresh_for().is_zero());
}

#[test]
fn a_read_that_began_before_a_sweep_was_over_is_not_for_those_who_come_after_it() {
    let store = store(1 << 20, LONG);
    let touched = Touched::new(Source::BrainStem, []);
    store.advance(&touched, true);
    // It may be made from what is not swept out yet.
    let (send, receive) = oneshot::channel();
    let within = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    store.sweep(&touched);
    store.settle(&touched);
    let after = store.one::<u64>(&1, async { Ok(Some(weighed(2))) });
    assert_eq!(block_on(after.get()).unwrap().as_deref(), Some(&2));
    send.send(1).unwrap();
    assert_eq!(block_on(within.get()).unwrap().as_deref(), Some(&1));
    assert_eq!(store.kept_now::<u64>(&1).unwrap().as_deref(), Some(&2));
}

#[tokio::test]
async fn what_is_not_there_any_more_stays_in_no_reserve() {
    let mut lifetimes = lifetimes(LONG, Duration::ZERO, LONG);
    lifetimes.absent = Duration::ZERO;
    let store = store_with(1 << 20, lifetimes, LONG);
    store.keep(store.moment(), 1, &weighed(1));
    let fresh = viewer_with(&Arc::new(Provenance::fresh_only()));
    assert_eq!(store.answer::<u64, _>(&fresh, &1, |_| async { Ok(None) }).get().await, Ok(None));
    assert_eq!(store.one::<u64>(&1, async { Err(failure()) }).get().await, Err(failure()));
}

#[tokio::test]
async fn who_wants_fresh_data_joins_nobody_who_takes_what_is_kept() {
    let store = store(1 << 20, LONG);
    let fresh = viewer_with(&Arc::new(Provenance::fresh_only()));
    let (_send, receive) = oneshot::channel();
    let _flying = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    let read = store.answer::<u64, _>(&fresh, &1, |_| async { Ok(Some(weighed(2))) });
    assert_eq!(read.get().await.unwrap().as_deref(), Some(&2));
}

#[test]
fn a_refresh_that_lets_go_of_a_flight_last_does_not_wait_for_itself() {
    const ROUNDS: usize = 8_000;
    let store = store(1 << 20, LONG);
    let (refreshing, ended) = (Arc::clone(&store), Arc::new(AtomicUsize::new(0)));
    let (so_far, (begin, rounds), (over, is_over)) = (Arc::clone(&ended), mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || {
        while rounds.recv().is_ok() {
            // Takes hold of the flight, and lets go of it, again and again under one lock.
            refreshing.refresh::<u64>(&viewer(), vec![1; 100], |_, _| Vec::new());
            ended.fetch_add(1, Ordering::SeqCst);
        }
        over.send(()).unwrap();
    });
    std::thread::spawn(move || {
        for round in 0..ROUNDS {
            let abandoned = store.one::<u64>(&1, std::future::pending());
            begin.send(()).unwrap();
            while store.flights.try_lock().is_ok() && so_far.load(Ordering::SeqCst) == round {
                std::hint::spin_loop();
            }
            // At some time in the midst of that nobody else waits for it any more.
            (0..20 * (round % 100)).for_each(|_| std::hint::spin_loop());
            drop(abandoned);
        }
    });
    // Where it waits for itself, it does so for ever.
    is_over.recv_timeout(Duration::from_secs(60)).expect("a refresh waits for the lock that it holds");
}
