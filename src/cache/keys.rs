//! What answers are kept under, and which of them a write of a subject makes old.

use std::{collections::HashSet, hash::Hash};

use crate::{
    domain::{Id, NodeId, Source, SubjectId},
    sources::{CredentialId, brainstem::Model},
};

/// What a store keeps answers under.
pub trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    /// The source whose writes can change the answer; `None`: no write does.
    fn written_by(&self) -> Option<Source>;

    /// Whether a write changed the answer, or may have, whoever it was read for.
    fn is_touched(&self, by: &Touched) -> bool;

    /// What the key takes beside its own size.
    fn bytes(&self) -> u32 {
        0
    }
}

/// What a write changes, or may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    pub source: Source,
    /// The subjects that are written. What stands around them, and every list, is touched in any case.
    pub subjects: HashSet<SubjectId>,
}

impl Touched {
    pub fn new(source: Source, subjects: impl IntoIterator<Item = SubjectId>) -> Self {
        Self { source, subjects: subjects.into_iter().collect() }
    }
}

/// Identity of a kept record: whose eyes read it, and which it is.
pub type RecordKey = (CredentialId, NodeId);

impl Key for RecordKey {
    fn written_by(&self) -> Option<Source> {
        written_by(self.1)
    }

    fn is_touched(&self, by: &Touched) -> bool {
        match self.1 {
            NodeId::Subject(id) => by.subjects.contains(&id),
            // Which of them refer to the subject only the server knows: a project gains it, a procedure goes with it.
            around => written_by(around) == Some(by.source),
        }
    }
}

/// Identity of a kept page: whose eyes read it, what is on it, and from which URL and which stretch of the list it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageKey {
    pub credential: CredentialId,
    pub list: ListKind,
    pub stretch: String,
}

/// What a list lists, as far as writes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    /// Subjects, or records that change along with them.
    Written(Source),
    /// Records that no write of a subject changes: taxonomies, datasets, dictionaries.
    Steady,
}

impl ListKind {
    /// BrainSTEM's list of such records.
    pub fn of<T: Model>() -> Self {
        // A node's kind alone decides.
        written_by(T::NODE(Id::new(uuid::Uuid::nil()))).map_or(Self::Steady, Self::Written)
    }
}

impl Key for PageKey {
    fn written_by(&self) -> Option<Source> {
        match self.list {
            ListKind::Written(source) => Some(source),
            ListKind::Steady => None,
        }
    }

    fn bytes(&self) -> u32 {
        u32::try_from(self.stretch.len()).unwrap_or(u32::MAX)
    }

    /// A subject may enter or leave any list, and move all that stands behind it.
    fn is_touched(&self, by: &Touched) -> bool {
        self.written_by() == Some(by.source)
    }
}

/// Whose writes of a subject can change a record of this kind.
fn written_by(node: NodeId) -> Option<Source> {
    match node {
        NodeId::Subject(SubjectId::HautAi(_)) => Some(Source::HautAi),
        NodeId::Subject(SubjectId::BrainStem(_))
        | NodeId::Project(_)
        | NodeId::Procedure(_)
        | NodeId::SubjectLog(_)
        | NodeId::StateChange(_)
        | NodeId::Breeding(_)
        | NodeId::Cohort(_) => Some(Source::BrainStem),
        NodeId::Strain(_)
        | NodeId::Species(_)
        | NodeId::Supplier(_)
        | NodeId::License(_)
        | NodeId::BrainRegion(_)
        | NodeId::BiologicalSex(_)
        | NodeId::Dataset(_) => None,
    }
}
