//! What answers are kept under, and which of them a write of a subject makes old.

use std::{collections::HashSet, hash::Hash};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{Id, NodeId, Source, SubjectId},
    sources::{CredentialId, brainstem::Model},
};

/// What a store keeps answers under.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    /// Where the answer comes from.
    fn source(&self) -> Source;

    /// Whether no write of a subject changes the answer, so that only a purge makes it old: taxonomies, datasets,
    /// dictionaries.
    fn is_steady(&self) -> bool;

    /// Whether a write or purge changed the answer, or may have, whoever it was read for.
    fn is_touched(&self, by: &Touched) -> bool {
        by.reaches(self)
    }

    /// What tells it from every other key, in bytes that are the same on all replicas.
    fn identity(&self) -> Vec<u8>;

    /// What the key takes beside its own size.
    fn bytes(&self) -> u32 {
        0
    }
}

/// What a write or a purge changes, or may change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Touched {
    pub source: Source,
    /// What stands around them, and every list, is touched in any case.
    pub subjects: Subjects,
    /// Whether what no write changes is touched, too.
    pub is_purge: bool,
}

/// Which subjects of a source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Subjects {
    These(HashSet<SubjectId>),
    All,
}

impl Touched {
    /// By a write of these subjects.
    pub fn new(source: Source, subjects: impl IntoIterator<Item = SubjectId>) -> Self {
        Self { source, subjects: Subjects::These(subjects.into_iter().collect()), is_purge: false }
    }

    /// By somebody who knows that these changed without this gateway.
    pub fn purge(source: Source, subjects: Subjects) -> Self {
        Self { source, subjects, is_purge: true }
    }

    /// Whether it is about answers of this kind at all.
    fn reaches(&self, key: &impl Key) -> bool {
        key.source() == self.source && (self.is_purge || !key.is_steady())
    }
}

impl Subjects {
    /// Those that are known by id.
    pub fn named(&self) -> Vec<SubjectId> {
        match self {
            Self::These(subjects) => subjects.iter().copied().collect(),
            Self::All => Vec::new(),
        }
    }

    fn contain(&self, id: SubjectId) -> bool {
        match self {
            Self::These(subjects) => subjects.contains(&id),
            Self::All => true,
        }
    }

    /// All of either.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        match (self, others) {
            (Self::These(mut these), Self::These(others)) => {
                these.extend(others);
                Self::These(these)
            }
            _ => Self::All,
        }
    }
}

/// Identity of a kept record: whose eyes read it, and which it is.
pub type RecordKey = (CredentialId, NodeId);

impl Key for RecordKey {
    fn source(&self) -> Source {
        self.1.source()
    }

    fn is_steady(&self) -> bool {
        is_steady(self.1)
    }

    // Which of what stands around a subject refer to it only the server knows: a project gains it, a procedure goes with
    // it.
    fn is_touched(&self, by: &Touched) -> bool {
        by.reaches(self) && if let NodeId::Subject(id) = self.1 { by.subjects.contain(id) } else { true }
    }

    fn identity(&self) -> Vec<u8> {
        identity(self)
    }
}

/// Identity of a kept page: whose eyes read it, what is on it, and from which URL and which stretch of the list it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct PageKey {
    pub credential: CredentialId,
    pub list: ListKind,
    pub stretch: String,
}

/// What a list lists, as far as writes go. A subject may enter or leave any list, and move all that stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ListKind {
    /// Subjects, or records that change along with them.
    Written(Source),
    /// Records that no write of a subject changes: taxonomies, datasets, dictionaries.
    Steady(Source),
}

impl ListKind {
    /// BrainSTEM's list of such records.
    pub fn of<T: Model>() -> Self {
        // A node's kind alone decides.
        let is_steady = is_steady(T::NODE(Id::new(uuid::Uuid::nil())));
        if is_steady { Self::Steady(Source::BrainStem) } else { Self::Written(Source::BrainStem) }
    }
}

impl Key for PageKey {
    fn source(&self) -> Source {
        match self.list {
            ListKind::Written(source) | ListKind::Steady(source) => source,
        }
    }

    fn is_steady(&self) -> bool {
        matches!(self.list, ListKind::Steady(_))
    }

    fn identity(&self) -> Vec<u8> {
        identity(self)
    }

    fn bytes(&self) -> u32 {
        u32::try_from(self.stretch.len()).unwrap_or(u32::MAX)
    }
}

fn identity(key: &impl Serialize) -> Vec<u8> {
    // Memory takes what is written to it.
    rmp_serde::to_vec(key).unwrap_or_default()
}

/// Whether no write of a subject changes a record of this kind.
fn is_steady(node: NodeId) -> bool {
    match node {
        NodeId::Subject(_)
        | NodeId::Project(_)
        | NodeId::Procedure(_)
        | NodeId::SubjectLog(_)
        | NodeId::StateChange(_)
        | NodeId::Breeding(_)
        | NodeId::Cohort(_) => false,
        NodeId::Strain(_)
        | NodeId::Species(_)
        | NodeId::Supplier(_)
        | NodeId::License(_)
        | NodeId::BrainRegion(_)
        | NodeId::BiologicalSex(_)
        | NodeId::Dataset(_) => true,
    }
}
