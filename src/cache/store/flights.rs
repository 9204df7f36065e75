//! Reads that are on their way: begun, joined, landed.

use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
};

use futures::{
    FutureExt as _,
    future::{self, BoxFuture, WeakShared, join_all},
};

use super::{Answer, AnyRecord, Fetch, Fetched, Fetches, Flight, Kept, Landed, OVERHEAD, Store};
use crate::{
    cache::{
        Key, Moment, Portable, Provenance, Viewer,
        fleet::{all, pack},
        freshness::Freshness,
        generations::Now,
    },
    sources::{Fault, SourceError, paging::Weighed},
    spans::Link,
    trail::{self, Trail},
};

/// What another replica has for a key.
struct Found<V> {
    /// `None`: it is not there.
    record: Option<Weighed<V>>,
    freshness: Freshness,
}

/// A flight, as those who may join it find it.
pub(super) struct Airborne<K> {
    number: u64,
    began: Moment,
    /// Whose it was first.
    provenance: Arc<Provenance>,
    link: Link,
    flight: WeakShared<BoxFuture<'static, Landed<K>>>,
}

/// A flight that may be joined. One from before a write, or from before one that may still come, goes on for those who
/// wait for it; a new one takes its place here.
pub(super) fn flying<'a, K: Key>(
    flights: &'a HashMap<K, Airborne<K>>,
    now: &Now<'_>,
    key: &K,
    provenance: &Provenance,
) -> Option<(Flight<K>, &'a Link)> {
    let airborne = flights.get(key)?;
    let may_be_joined = now.is_current(key, airborne.began)
        && now.trusts(airborne.began.at)
        && provenance.takes_flights_of(&airborne.provenance);
    airborne.flight.upgrade().filter(|_| may_be_joined).map(|flight| (flight, &airborne.link))
}

impl<K: Key> Store<K> {
    pub(super) fn awaited<V>(
        self: &Arc<Self>,
        key: &K,
        flight: Flight<K>,
        provenance: &Arc<Provenance>,
    ) -> Answer<K, V> {
        Answer::Flying { key: key.clone(), flight, store: Arc::clone(self), provenance: Arc::clone(provenance) }
    }

    /// Reads what was served although it is no longer fresh, unless that is being done. Nobody waits for it.
    pub(super) fn refresh<V: Portable>(
        self: &Arc<Self>,
        viewer: &Viewer,
        mut stale: Vec<K>,
        mut fetch: impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) {
        self.counts.stale.inc_by(stale.len() as u64);
        trail::note_stale();
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
    pub(super) fn launch<V: Portable>(
        self: &Arc<Self>,
        flights: &mut HashMap<K, Airborne<K>>,
        began: Moment,
        viewer: &Viewer,
        wanted: Vec<K>,
        fetch: &mut impl FnMut(Vec<K>, &Viewer) -> Fetches<K, V>,
    ) -> Vec<(K, Flight<K>)> {
        let within = viewer.within_a_flight();
        let mut launched = Vec::with_capacity(wanted.len());
        let keys = wanted.len();
        let fetches = fetch(wanted, &within);
        let trail = Trail::current().batch(self.counts.level, keys, fetches.len());
        for (keys, fetch) in fetches {
            if keys.is_empty() {
                // Nobody would wait for it, and it must not land here, where the lock is held.
                continue;
            }
            if let Err(fault) = viewer.begin_request() {
                launched.extend(refused(keys, &fault));
                continue;
            }
            if let Some(first) = keys.first() {
                self.counts.begun(first.source(), keys.len());
            }
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let trail = trail.flight(self.counts.level, keys.first().map(Key::source), keys.len());
            let link = trail.link();
            let flight = self.flight(number, began, keys.clone(), fetch, within.clone(), &trail);
            for key in keys {
                if let Some(flight) = flight.downgrade() {
                    let provenance = Arc::clone(&viewer.provenance);
                    let link = link.clone();
                    flights.insert(key.clone(), Airborne { number, began, provenance, link, flight });
                }
                launched.push((key, flight.clone()));
            }
        }
        launched
    }

    fn flight<V: Portable>(
        self: &Arc<Self>,
        number: u64,
        began: Moment,
        keys: Vec<K>,
        fetch: Fetch<K, V>,
        within: Viewer,
        trail: &Trail,
    ) -> Flight<K> {
        let landing = Landing { store: Arc::clone(self), number, keys };
        let of = trail.place.clone();
        let flight = async move {
            let mut found = landing.store.found::<V>(&landing.keys, &within).await.unwrap_or_default();
            let mut fetched = if found.is_empty() {
                // Whoever drove it alone would hear of it, and the others wait in vain.
                AssertUnwindSafe(fetch).catch_unwind().await.unwrap_or_else(|_| panicked(&landing.keys))
            } else {
                Fetched::new()
            };
            if let Some(error) = fetched.values().find_map(|answer| answer.as_ref().err()) {
                landing.store.counts.failed.inc();
                of.fail();
                tell(error);
            }
            let lifetimes = &landing.store.lifetimes;
            let made_of = within.provenance.freshness();
            let age = |fresh| Freshness::of(began.at, fresh).and(made_of);
            let mut landed = HashMap::with_capacity(landing.keys.len());
            let mut oldest = made_of;
            for key in &landing.keys {
                if let Some(Found { record, freshness }) = found.remove(key) {
                    oldest = oldest.and(freshness);
                    let bytes = record.as_ref().map_or(OVERHEAD, |record| record.bytes);
                    let record = record.map(|record| record.record as AnyRecord);
                    landing.store.insert(began, key.clone(), Kept { record: record.clone(), bytes, freshness }, None);
                    landed.insert(key.clone(), Ok(record));
                    continue;
                }
                let answer = fetched.remove(key).unwrap_or(Ok(None));
                let kept = match &answer {
                    Ok(Some(record)) => Some(Kept::of(record, age(lifetimes.of(key.is_steady()).fresh))),
                    Ok(None) => Some(Kept { record: None, bytes: OVERHEAD, freshness: age(lifetimes.absent) }),
                    Err(_) => None,
                };
                if let Some(kept) = kept {
                    oldest = oldest.and(kept.freshness);
                    landing.store.insert(began, key.clone(), kept, Some(pack::<V>));
                }
                landed.insert(key.clone(), answer.map(|record| record.map(|record| record.record as AnyRecord)));
            }
            // Kept first, then taken out of the air, then told to those who wait: nobody finds neither.
            drop(landing);
            of.end();
            Arc::new((landed, oldest))
        };
        // Whoever drives it, it was begun for one.
        trail.follow(flight).boxed().shared()
    }

    /// What other replicas have for all of the keys; `None`: the upstream has to be asked.
    async fn found<V: Portable>(&self, keys: &[K], within: &Viewer) -> Option<HashMap<K, Found<V>>> {
        let fleet = self.share.fleet.as_ref()?;
        let may_be_asked = |now: &Now<'_>| keys.iter().all(|key| !now.is_suspect(key));
        if !within.provenance.takes_anything_fresh() || !may_be_asked(&self.generations.now()) {
            return None;
        }
        let found = fleet.look_up::<Option<(u32, V)>>(self.share.level, keys.iter().map(Key::identity)).await;
        let found = found.into_iter().map(|found| {
            found.map(|(record, freshness)| Found {
                record: record.map(|(bytes, record)| Weighed { record: Arc::new(record), bytes }),
                freshness,
            })
        });
        let found = all(keys, found.collect())?;
        // A write of unknown outcome may have been told of meanwhile.
        may_be_asked(&self.generations.now()).then_some(found)
    }

    pub(super) fn flights(&self) -> MutexGuard<'_, HashMap<K, Airborne<K>>> {
        // A panic while it was held left at worst a flight that is not joined.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The panic hook has written down where it was.
fn panicked<K: Key, V>(keys: &[K]) -> Fetched<K, V> {
    keys.iter().map(|key| (key.clone(), Err(SourceError { of: key.source(), fault: Fault::Panicked }))).collect()
}

/// What was not begun, for the one who asked: nobody can join it.
fn refused<K: Key>(keys: Vec<K>, fault: &Fault) -> Vec<(K, Flight<K>)> {
    let error = |key: &K| Err(SourceError { of: key.source(), fault: fault.clone() });
    let landed: HashMap<_, _> = keys.iter().map(|key| (key.clone(), error(key))).collect();
    let landed = Arc::new((landed, Provenance::default().freshness()));
    let flight = future::ready(landed).boxed().shared();
    keys.into_iter().map(|key| (key, flight.clone())).collect()
}

/// Why the source is not asked was told when that began; what is wrong with a caller's credential is told to the caller.
fn tell(error: &SourceError) {
    if matches!(error.fault, Fault::Paused { .. } | Fault::Denied(_)) {
        tracing::debug!(source = error.of.code(), fault = %error.fault, "a read failed");
    } else {
        tracing::warn!(source = error.of.code(), fault = %error.fault, "a read failed");
    }
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
