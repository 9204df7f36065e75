//! The sexes that subjects carried, by who was shown them: a second source beside the dictionary.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Shared, sex_key};
use crate::{
    cache::Moment,
    domain::{BiologicalSex, Id, Subject, subject::SexReference},
    sources::CredentialId,
};

/// Sexes remembered from the records that one credential was shown: far more than a dictionary has.
const MAX_TAUGHT: usize = 100;

pub(in crate::cache) type Sexes = HashMap<Id<BiologicalSex>, Arc<BiologicalSex>>;

impl Shared {
    /// Keeps the sexes that subjects carry: nobody has to ask the dictionary for them.
    pub(super) fn learn<'a>(
        &self,
        began: Moment,
        credential: CredentialId,
        subjects: impl IntoIterator<Item = &'a Subject>,
    ) {
        let taught = self.taught.of(credential);
        let mut taught = lock(&taught);
        for subject in subjects {
            let Some(SexReference::Whole(entry)) = subject.haut_ai().and_then(|own| own.biological_sex.as_ref()) else {
                continue;
            };
            // Asked while nobody can forget: a purge counts first, and then forgets.
            if !self.stores.records.is_current(began, &sex_key(credential, entry.id)) {
                return;
            }
            let known = taught.get(&entry.id);
            let is_new = known.is_none_or(|known| **known != *entry);
            if is_new && (known.is_some() || taught.len() < MAX_TAUGHT) {
                taught.insert(entry.id, Arc::new(entry.clone()));
            }
        }
    }

    /// Forgets what subjects taught: a dictionary may have changed.
    pub(in crate::cache) fn forget_taught(&self) {
        for taught in self.taught.all() {
            lock(&taught).clear();
        }
    }
}

pub(super) fn lock(taught: &Mutex<Sexes>) -> MutexGuard<'_, Sexes> {
    // Nothing can panic while it is held.
    taught.lock().unwrap_or_else(PoisonError::into_inner)
}
