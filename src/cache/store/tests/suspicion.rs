//! The store after a write of which nobody knows whether or when it is carried out.

use super::*;

#[test]
fn after_an_unknown_outcome_nothing_it_may_touch_is_kept_for_a_while() {
    for (wary_for, is_kept) in [(LONG, false), (Duration::ZERO, true)] {
        let store = store_with(1 << 20, lifetimes(LONG, Duration::ZERO, Duration::ZERO), wary_for);
        write(&store, Source::BrainStem, false);
        // A write of which the outcome is known does not end the suspicion.
        write(&store, Source::BrainStem, true);
        let (send, receive) = oneshot::channel();
        let flight = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) });
        // The write may be carried out at any time, also between this read's start and the next one's.
        let joins = is_kept;
        let next = store.one::<u64>(&1, async move {
            if joins { panic!("it began before the write") } else { Ok(Some(weighed(2))) }
        });
        send.send(1).unwrap();
        assert_eq!(block_on(flight.get()).unwrap().as_deref(), Some(&1));
        assert_eq!(block_on(next.get()).unwrap().as_deref(), Some(if joins { &1 } else { &2 }));
        assert_eq!(store.kept_now::<u64>(&1).is_some(), is_kept);
        store.keep(store.moment(), STEADY, &weighed(1));
        assert!(store.kept_now::<u64>(&STEADY).is_some());
    }
}

#[test]
fn what_was_kept_before_a_suspicion_is_not_served_under_it() {
    let store = store(1 << 20, LONG);
    store.keep(store.moment(), 1, &weighed(1));
    // As another writer's advance, whose sweep is not there yet.
    store.advance(&Touched::new(Source::BrainStem, []), false);
    assert_eq!(store.kept_now::<u64>(&1), None);
}

#[test]
fn what_was_asked_for_under_a_suspicion_is_not_kept_when_it_comes_later() {
    let store = store(1 << 20, LONG);
    write(&store, Source::BrainStem, false);
    let ((send, receive), (half_way, rest)) = (oneshot::channel(), oneshot::channel::<()>());
    let (inner, beside) = (Arc::clone(&store), Arc::clone(&store));
    let mut early = store.one::<u64>(&1, async { Ok(Some(weighed(receive.await.unwrap()))) }).get().boxed();
    let on_its_way = async move {
        let began = inner.moment();
        rest.await.unwrap();
        inner.keep(began, 2, &weighed(2));
        beside.keep_beside(began, &viewer(), 3, &weighed(3));
        inner.keep(began, STEADY, &weighed(4));
        Ok(None)
    };
    let mut keeping = store.one::<u64>(&4, on_its_way).get().boxed();
    assert!(keeping.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(early.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    // The write may have been carried out at the last moment, after both were answered by the upstream.
    store.generations.end_suspicion();
    let late = store.one::<u64>(&1, async { Ok(Some(weighed(10))) });
    send.send(1).unwrap();
    half_way.send(()).unwrap();
    assert_eq!(block_on(early).unwrap().as_deref(), Some(&1), "who waited already is answered");
    block_on(keeping).unwrap();
    assert_eq!(store.kept_now::<u64>(&1), None);
    assert_eq!(block_on(late.get()).unwrap().as_deref(), Some(&10), "who comes later does not join it");
    let kept: HashMap<u64, Kept> = store.kept.iter().map(|(key, kept)| (*key, kept)).collect();
    assert_eq!(kept.len(), 2, "{:?}", kept.keys());
    assert!(kept.contains_key(&STEADY), "no write changes it");
    assert_eq!(store.kept_now::<u64>(&1).unwrap().as_deref(), Some(&10), "it was asked for afterwards");
}
