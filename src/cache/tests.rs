//! The store: batches, failures, dropped flights, bounds.

use std::{
    sync::atomic::AtomicUsize,
    task::{Context, Waker},
};

use futures::{channel::oneshot, executor::block_on, future::join_all};

use super::*;
use crate::{domain::Source, sources::Fault};

const LONG: Duration = Duration::from_secs(3_600);

/// Numbers are records of BrainSTEM that any of its writes touches, but for the largest, which none does.
impl Key for u64 {
    fn source(&self) -> Source {
        Source::BrainStem
    }

    fn is_steady(&self) -> bool {
        *self == STEADY
    }
}

const STEADY: u64 = u64::MAX;

fn store(max_bytes: u64, fresh: Duration) -> Arc<Store<u64>> {
    Store::new(max_bytes, fresh, fresh, &Arc::new(Generations::new(LONG)))
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
fn a_batch_answers_key_by_key_and_is_kept() {
    let store = store(1 << 20, LONG);
    let fetched = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let answers = store.answers::<u64>([2, 3, 4, 4], |missing| in_chunks(&missing, &fetched));
        let got = block_on(join_all(answers.into_iter().map(|(key, answer)| async move { (key, answer.get().await) })));
        let got: HashMap<_, _> =
            got.into_iter().map(|(key, answer)| (key, answer.unwrap().map(|value| *value))).collect();
        assert_eq!(got, HashMap::from([(2, Some(20)), (3, None), (4, Some(40))]));
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 2, "two chunks, once");
    assert!(store.flights().is_empty());
}

#[test]
fn a_failure_reaches_all_who_wait_and_is_not_kept() {
    let store = store(1 << 20, LONG);
    let first = store.answer::<u64>(&1, async { Err(failure()) });
    let joined = store.answer::<u64>(&1, async { panic!("it is flying already") });
    assert_eq!(block_on(first.get()), Err(failure()));
    assert_eq!(block_on(joined.get()), Err(failure()));
    let again = store.answer::<u64>(&1, async { Ok(Some(weighed(7))) });
    assert_eq!(block_on(again.get()).unwrap().as_deref(), Some(&7));
}

#[test]
fn a_dropped_leader_hands_over() {
    let store = store(1 << 20, LONG);
    let (send, receive) = oneshot::channel();
    let leader = store.answer::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    let joined = store.answer::<u64>(&1, async { panic!("it is flying already") });
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
    let abandoned = store.answer::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
    drop(abandoned);
    assert!(send.is_canceled());
    assert!(store.flights().is_empty());
    let again = store.answer::<u64>(&1, async { Ok(Some(weighed(8))) });
    assert_eq!(block_on(again.get()).unwrap().as_deref(), Some(&8));
}

#[test]
fn no_time_to_live_keeps_nothing() {
    let store = store(1 << 20, Duration::ZERO);
    let first = store.answer::<u64>(&1, async { Ok(Some(weighed(1))) });
    block_on(first.get()).unwrap();
    let second = store.answer::<u64>(&1, async { Ok(Some(weighed(2))) });
    assert_eq!(block_on(second.get()).unwrap().as_deref(), Some(&2));
}

#[test]
fn bytes_are_bounded() {
    let store = store(10_000, LONG);
    for key in 0..1_000u64 {
        store.keep(store.moment(), key, &weighed(key));
    }
    assert!(store.weight() <= 10_000, "{}", store.weight());
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
    let before = store.answer::<u64>(&1, async { Ok(Some(weighed(old.await.unwrap()))) });
    let steady = store.answer::<u64>(&STEADY, async { Ok(Some(weighed(0))) });
    write(&store, Source::BrainStem, true);
    let after = store.answer::<u64>(&1, async { Ok(Some(weighed(new.await.unwrap()))) });
    send_old.send(1).unwrap();
    assert_eq!(block_on(before.get()).unwrap().as_deref(), Some(&1), "who waited already is answered");
    assert_eq!(store.at_hand::<u64>(&1), None, "nothing from before the write is kept");
    let joined = store.answer::<u64>(&1, async { panic!("the landing of the old flight took the new one down") });
    send_new.send(2).unwrap();
    assert_eq!(block_on(after.get()).unwrap().as_deref(), Some(&2));
    assert_eq!(block_on(joined.get()).unwrap().as_deref(), Some(&2));
    assert_eq!(store.at_hand::<u64>(&1).unwrap().as_deref(), Some(&2));
    block_on(steady.get()).unwrap();
    assert!(store.at_hand::<u64>(&STEADY).is_some(), "no write changes it");
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
        inner.keep_beside(began, 3, &weighed(3));
        inner.keep(began, STEADY, &weighed(4));
        Ok(Some(weighed(1)))
    };
    let mut flight = store.answer::<u64>(&1, fetch).get().boxed();
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
    let flight = store.answer::<u64>(&1, async { Ok(Some(weighed(1))) });
    store.keep(store.moment(), 2, &weighed(2));
    write(&store, Source::HautAi, false);
    block_on(flight.get()).unwrap();
    assert_eq!((store.at_hand::<u64>(&1).is_some(), store.at_hand::<u64>(&2).is_some()), (true, true));
    write(&store, Source::BrainStem, true);
    assert_eq!((store.at_hand::<u64>(&1), store.at_hand::<u64>(&2)), (None, None));
}

#[test]
fn after_an_unknown_outcome_nothing_it_may_touch_is_kept_for_a_while() {
    for (wary_for, is_kept) in [(LONG, false), (Duration::ZERO, true)] {
        let store: Arc<Store<u64>> = Store::new(1 << 20, LONG, LONG, &Arc::new(Generations::new(wary_for)));
        write(&store, Source::BrainStem, false);
        // A write of which the outcome is known does not end the suspicion.
        write(&store, Source::BrainStem, true);
        let (send, receive) = oneshot::channel();
        let flight = store.answer::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
        // The write may be carried out at any time, also between this read's start and the next one's.
        let joins = is_kept;
        let next = store.answer::<u64>(&1, async move {
            if joins { panic!("it began before the write") } else { Ok(Some(weighed(2))) }
        });
        send.send(1).unwrap();
        assert_eq!(block_on(flight.get()).unwrap().as_deref(), Some(&1));
        assert_eq!(block_on(next.get()).unwrap().as_deref(), Some(if joins { &1 } else { &2 }));
        assert_eq!(store.at_hand::<u64>(&1).is_some(), is_kept);
        store.keep(store.moment(), STEADY, &weighed(1));
        assert!(store.at_hand::<u64>(&STEADY).is_some());
    }
}

#[test]
fn what_was_kept_before_a_suspicion_is_not_served_under_it() {
    let store = store(1 << 20, LONG);
    store.keep(store.moment(), 1, &weighed(1));
    // As another writer's advance, whose sweep is not there yet.
    store.advance(&Touched::new(Source::BrainStem, []), false);
    assert_eq!(store.at_hand::<u64>(&1), None);
}
