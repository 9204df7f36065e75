//! The store: batches, failures, dropped flights, bounds.

use std::{
    sync::atomic::AtomicUsize,
    task::{Context, Waker},
};

use futures::{channel::oneshot, executor::block_on, future::join_all};

use super::*;
use crate::{domain::Source, sources::Fault};

const LONG: Duration = Duration::from_secs(3_600);

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
    let store = Store::new(1 << 20, LONG, LONG);
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
    let store = Store::new(1 << 20, LONG, LONG);
    let first = store.answer::<u64>(&1, async { Err(failure()) });
    let joined = store.answer::<u64>(&1, async { panic!("it is flying already") });
    assert_eq!(block_on(first.get()), Err(failure()));
    assert_eq!(block_on(joined.get()), Err(failure()));
    let again = store.answer::<u64>(&1, async { Ok(Some(weighed(7))) });
    assert_eq!(block_on(again.get()).unwrap().as_deref(), Some(&7));
}

#[test]
fn a_dropped_leader_hands_over() {
    let store = Store::new(1 << 20, LONG, LONG);
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
    let store = Store::new(1 << 20, LONG, LONG);
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
    let store = Store::new(1 << 20, Duration::ZERO, Duration::ZERO);
    let first = store.answer::<u64>(&1, async { Ok(Some(weighed(1))) });
    block_on(first.get()).unwrap();
    let second = store.answer::<u64>(&1, async { Ok(Some(weighed(2))) });
    assert_eq!(block_on(second.get()).unwrap().as_deref(), Some(&2));
}

#[test]
fn bytes_are_bounded() {
    let store = Store::new(10_000, LONG, LONG);
    for key in 0..1_000u64 {
        store.keep(key, &weighed(key));
    }
    assert!(store.weight() <= 10_000, "{}", store.weight());
}
