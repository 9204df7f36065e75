//! What one key's reader holds.

use std::{fmt, sync::Arc};

use super::{Flight, Store, part_of, typed};
use crate::{
    cache::{Key, Provenance},
    sources::SourceError,
};

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
