//! Whole lists of subjects, filtered and sorted here, and kept.
//!
//! An upstream's own collation is not known, so a list in the order of this gateway has to be read to its end first.

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Subject, SubjectFilter, SubjectOrder, cursor::Fingerprint, order::Rank},
    sources::{SourceError, paging::Weighed},
};

/// What reading a whole list brought.
#[derive(Deserialize, Serialize)]
pub enum Gathering {
    Sorted(Gathered),
    /// There are more subjects than may be read for one list.
    TooMany,
}

/// All subjects of a source that pass a filter, in order.
#[derive(Deserialize, Serialize)]
pub struct Gathered {
    pub subjects: Vec<(Rank, Arc<Subject>)>,
    /// Records that could not be read.
    pub unreadable: u64,
    /// Datasets that Haut.AI does not know.
    #[serde(with = "none_passed_over")]
    pub passed_over: Vec<SourceError>,
}

impl Gathered {
    /// Sorts subjects, each of them once: a list that changes while it is read may show one twice.
    pub(super) fn sorted(
        subjects: Vec<Weighed<Subject>>,
        unreadable: u64,
        passed_over: Vec<SourceError>,
        order: SubjectOrder,
    ) -> Weighed<Gathering> {
        let mut seen = HashSet::new();
        let mut bytes = 0u32;
        let mut ranked = Vec::with_capacity(subjects.len());
        for subject in subjects {
            if seen.insert(subject.record.id) {
                let rank = size_of::<Rank>() + subject.record.name.len();
                bytes = bytes.saturating_add(subject.bytes).saturating_add(u32::try_from(rank).unwrap_or(u32::MAX));
                ranked.push((order.rank(&subject.record), subject.record));
            }
        }
        ranked.sort_by(|(left, _), (right, _)| order.compare(left, right));
        Weighed { record: Arc::new(Gathering::Sorted(Self { subjects: ranked, unreadable, passed_over })), bytes }
    }
}

/// That a list is too long is kept as well: it takes a request to find out.
pub(super) fn too_many() -> Weighed<Gathering> {
    Weighed { record: Arc::new(Gathering::TooMany), bytes: 0 }
}

/// What makes one gathered list the same as another: the server's list, and what is done with it here.
pub(super) fn identity(list: &str, rest: &SubjectFilter, order: SubjectOrder, limit: u64) -> String {
    format!("{list}#{:?}#{limit}", Fingerprint::of(&(rest, order)))
}

/// A list that lacks something is for those alone who waited for it: the next replica may fare better.
mod none_passed_over {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, ser::Error as _};

    use crate::sources::SourceError;

    pub(super) fn serialize<S: Serializer>(passed_over: &[SourceError], serializer: S) -> Result<S::Ok, S::Error> {
        if passed_over.is_empty() { ().serialize(serializer) } else { Err(S::Error::custom("it lacks something")) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SourceError>, D::Error> {
        <()>::deserialize(deserializer).map(|()| Vec::new())
    }
}
