//! The replicas of this gateway, from the caches' side: what one of them read the others find, and what one of them changes the
//! others forget.
//!
//! What is shared is fresh and current, or it is not there: what is stale stays with whoever has it.

use std::{any::Any, collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Moment, Purge, Sources, Touched,
    freshness::{Freshness, Time},
    viewer::Part,
    writes::Stores,
};
use crate::{
    config::Config,
    domain::Source,
    events::Event,
    replicas::{Fill, Heed, Link, Name, Replicas, Told, Untold, Versions},
};

/// What can be written down for another replica, and read there.
pub trait Portable: Serialize + DeserializeOwned + Send + Sync + 'static {}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Portable for T {}

/// One gateway among its replicas; clones share it.
#[derive(Clone)]
pub(super) struct Fleet {
    replicas: Arc<Replicas>,
    /// What all of them have to have in common to be of use to each other.
    space: Arc<[u8]>,
}

/// What replicas tell each other.
#[derive(Deserialize, Serialize)]
enum Tiding {
    /// A write, or many of one answer.
    Written {
        touched: Touched,
        is_known: bool,
        events: Vec<Event>,
    },
    Purged(Purge),
}

impl Fleet {
    /// `None`: there are no others.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let haut_ai = config.haut_ai.as_ref();
        let brainstem = config.brainstem.as_ref();
        let servers = (haut_ai.map(|source| &source.url), brainstem.map(|source| &source.url));
        let replicas = Replicas::new(config.redis.as_ref()?, format!("{servers:?}").as_bytes());
        // What decides how an upstream's answer becomes a record, a list or an answer of ours.
        let haut_ai = haut_ai.map(|source| {
            (source.company_id, &source.dataset_ids, &source.biological_sexes_path, source.q_covers_name)
        });
        let brainstem = brainstem.map(|source| (source.portal, source.generation));
        let limits = (config.limits.max_scan, config.limits.max_gather);
        let space = format!("{} {haut_ai:?} {brainstem:?} {limits:?}", env!("CARGO_PKG_VERSION"));
        Some(Self { replicas, space: space.into_bytes().into() })
    }

    pub(super) fn replicas(&self) -> &Arc<Replicas> {
        &self.replicas
    }

    fn name(&self, level: &str, key: &[u8]) -> Name {
        self.replicas.name(&[&self.space, level.as_bytes(), key])
    }

    /// What other replicas keep under these keys, and how old it is; in the order of the keys.
    pub(super) async fn look_up<V: Portable>(
        &self,
        level: &'static str,
        keys: impl Iterator<Item = Vec<u8>>,
    ) -> Vec<Option<(V, Freshness)>> {
        let names: Vec<Name> = keys.map(|key| self.name(level, &key)).collect();
        let found = self.replicas.look_up(level, &names).await;
        let now = Time::now();
        let read = |found: crate::replicas::Found| {
            let freshness = Freshness { read: now.before(found.age), fresh_until: now + found.left, is_stale: false };
            rmp_serde::from_slice(&found.value).ok().map(|value| (value, freshness))
        };
        found.into_iter().map(|found| found.and_then(read)).collect()
    }

    /// Lets the others have what was read under these versions.
    pub(super) fn share(
        &self,
        level: &'static str,
        key: &[u8],
        parts: u8,
        (versions, freshness): (Versions, Freshness),
        bytes: usize,
        value: impl FnOnce() -> Option<Vec<u8>> + Send + 'static,
    ) {
        self.replicas.keep(Fill {
            name: self.name(level, key),
            parts,
            versions,
            read: freshness.read.instant(),
            fresh_until: freshness.fresh_until.instant(),
            bytes,
            value: Box::new(value),
        });
    }

    fn tell(&self, parts: u8, tiding: &Tiding, untold: Untold) -> Told {
        self.replicas.tell(parts, &rmp_serde::to_vec_named(tiding).unwrap_or_default(), untold)
    }
}

/// A record of any type as others can read it, where it is of this type.
pub(super) fn pack<V: Portable>(record: Option<&(dyn Any + Send + Sync)>, bytes: u32) -> Option<Vec<u8>> {
    let record: Option<&V> = match record {
        Some(record) => Some(record.downcast_ref()?),
        None => None,
    };
    // With the names of fields: another build may have others.
    rmp_serde::to_vec_named(&record.map(|record| (bytes, record))).ok()
}

/// Bits of what a write or purge makes old.
fn parts_of(touched: &Touched) -> u8 {
    let part = |is_steady| Part { source: touched.source, is_steady }.bit();
    if touched.is_purge { part(false) | part(true) } else { part(false) }
}

impl Stores {
    /// To be held from before a change is counted here until it is told: what others keep may be from before it.
    pub(super) fn untold(&self) -> Option<Untold> {
        self.fleet.as_ref().map(|fleet| fleet.replicas.untold())
    }

    /// Tells the others of a write.
    pub(super) fn tell_written(
        &self,
        touched: &Touched,
        is_known: bool,
        events: Vec<Event>,
        untold: Option<Untold>,
    ) -> Told {
        let (Some(fleet), Some(untold)) = (&self.fleet, untold) else { return Told::nobody() };
        fleet.tell(parts_of(touched), &Tiding::Written { touched: touched.clone(), is_known, events }, untold)
    }

    /// Tells the others what is to be forgotten.
    pub(super) fn tell_purged(&self, purge: &Purge, untold: Option<Untold>) -> Told {
        let (Some(fleet), Some(untold)) = (&self.fleet, untold) else { return Told::nobody() };
        let parts =
            purge.sources().into_iter().map(|source| parts_of(&Touched::purge(source, super::keys::Subjects::All)));
        fleet.tell(parts.fold(0, std::ops::BitOr::bitor), &Tiding::Purged(purge.clone()), untold)
    }
}

/// The moment's versions, where others may have what is read from then on.
pub(super) fn versions_of(began: Moment) -> Option<Versions> {
    match began.link {
        Link::At(versions) => Some(versions),
        Link::Alone | Link::Cut => None,
    }
}

impl Heed for Sources {
    fn heed(&self, what: &[u8], is_past: bool) -> bool {
        match rmp_serde::from_slice(what) {
            Ok(Tiding::Written { touched, is_known, events }) => {
                self.stores.records.advance(&touched, is_known);
                self.stores.sweep(&touched);
                // Those who listen now began later.
                for event in events.into_iter().filter(|_| !is_past) {
                    self.stores.events.publish(event);
                }
                true
            }
            Ok(Tiding::Purged(purge)) => {
                if !is_past {
                    self.purge_here(&purge);
                }
                true
            }
            Err(_) => false,
        }
    }

    fn forget_everything(&self) {
        for source in [Source::HautAi, Source::BrainStem] {
            // Those who listen may have missed something, too.
            self.purge_here(&Purge::Source(source));
        }
    }

    fn stand(&self, link: Link) {
        self.generations.stand(link);
    }
}

impl Sources {
    /// Hears of what other replicas change, for as long as it is awaited; does not end where there are others.
    pub async fn keep_up(self: &Arc<Self>) {
        match &self.stores.fleet {
            Some(fleet) => fleet.replicas.keep_up(self).await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the others were told of everything; what keeps up has to go on meanwhile.
    pub async fn all_told(&self) {
        if let Some(fleet) = &self.stores.fleet {
            fleet.replicas.all_told().await;
        }
    }

    /// The replicas of this gateway; `None`: there are no others.
    pub fn replicas(&self) -> Option<&Arc<Replicas>> {
        self.stores.fleet.as_ref().map(Fleet::replicas)
    }
}

/// What was found for every key, or nothing at all: what one request brings it brings for all of its keys.
pub(super) fn all<K, T>(keys: &[K], found: Vec<Option<T>>) -> Option<HashMap<K, T>>
where
    K: Clone + Eq + std::hash::Hash,
{
    keys.iter().zip(found).map(|(key, found)| Some((key.clone(), found?))).collect()
}
