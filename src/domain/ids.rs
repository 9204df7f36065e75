//! Identifiers: typed UUIDs inside, opaque global ids outside.
//!
//! A global id is the URL-safe base64 (no padding) of a versioned tuple: one byte of version, one of type, one of
//! source, then the UUIDs that are needed to fetch the record again, 16 bytes each. Reading accepts exactly what
//! writing produces, so that one record has one id.

use std::{cmp::Ordering, fmt, hash, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    BiologicalSex, BrainRegion, Breeding, Cohort, License, Procedure, Project, Source, Species, StateChange, Strain,
    Subject, SubjectLog, Supplier,
};

/// An upstream's UUID of a `T`; a loader's key.
#[derive(Deserialize, Serialize)]
#[serde(transparent, bound = "")]
pub struct Id<T> {
    uuid: Uuid,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    pub const fn new(uuid: Uuid) -> Self {
        Self { uuid, of: PhantomData }
    }

    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}

/// All that is needed to fetch a Haut.AI subject again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct HautAiSubjectId {
    pub company: Uuid,
    pub dataset: Uuid,
    pub subject: Uuid,
}

impl HautAiSubjectId {
    /// The dataset that the subject belongs to.
    pub fn dataset_id(self) -> DatasetId {
        DatasetId { company: self.company, dataset: self.dataset }
    }
}

/// A Haut.AI dataset and the company that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct DatasetId {
    pub company: Uuid,
    pub dataset: Uuid,
}

/// A subject of either source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum SubjectId {
    HautAi(HautAiSubjectId),
    BrainStem(Id<Subject>),
}

impl SubjectId {
    /// Who has the subject.
    pub fn source(self) -> Source {
        match self {
            Self::HautAi(_) => Source::HautAi,
            Self::BrainStem(_) => Source::BrainStem,
        }
    }

    /// The upstream's own UUID of the subject.
    pub fn source_id(self) -> Uuid {
        match self {
            Self::HautAi(id) => id.subject,
            Self::BrainStem(id) => id.uuid(),
        }
    }
}

/// Whatever has a global id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum NodeId {
    Subject(SubjectId),
    Project(Id<Project>),
    Procedure(Id<Procedure>),
    SubjectLog(Id<SubjectLog>),
    StateChange(Id<StateChange>),
    Strain(Id<Strain>),
    Species(Id<Species>),
    Supplier(Id<Supplier>),
    License(Id<License>),
    Breeding(Id<Breeding>),
    Cohort(Id<Cohort>),
    BrainRegion(Id<BrainRegion>),
    BiologicalSex(Id<BiologicalSex>),
    Dataset(DatasetId),
}

/// The text is not a global id that this gateway wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedId;

const VERSION: u8 = 1;
/// Bytes of the longest tuple.
const LONGEST: usize = 3 + 3 * 16;
const HAUT_AI: u8 = 1;
const BRAINSTEM: u8 = 2;

impl NodeId {
    /// Who has it.
    pub fn source(self) -> Source {
        match self {
            Self::Subject(id) => id.source(),
            Self::BiologicalSex(_) | Self::Dataset(_) => Source::HautAi,
            _ => Source::BrainStem,
        }
    }

    /// All GraphQL types whose objects have global ids.
    pub const TYPE_NAMES: &[&str] = &[
        "Subject",
        "Project",
        "Procedure",
        "SubjectLog",
        "SubjectStateChange",
        "Strain",
        "Species",
        "Supplier",
        "License",
        "Breeding",
        "Cohort",
        "BrainRegion",
        "BiologicalSex",
        "Dataset",
    ];

    /// The GraphQL type that the id belongs to.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Subject(_) => "Subject",
            Self::Project(_) => "Project",
            Self::Procedure(_) => "Procedure",
            Self::SubjectLog(_) => "SubjectLog",
            Self::StateChange(_) => "SubjectStateChange",
            Self::Strain(_) => "Strain",
            Self::Species(_) => "Species",
            Self::Supplier(_) => "Supplier",
            Self::License(_) => "License",
            Self::Breeding(_) => "Breeding",
            Self::Cohort(_) => "Cohort",
            Self::BrainRegion(_) => "BrainRegion",
            Self::BiologicalSex(_) => "BiologicalSex",
            Self::Dataset(_) => "Dataset",
        }
    }

    /// Type, source and UUIDs: the tuple that stands in the text.
    fn parts(&self) -> (u8, u8, [Option<Uuid>; 3]) {
        let one = |id| [Some(id), None, None];
        match *self {
            Self::Subject(SubjectId::HautAi(id)) => {
                (1, HAUT_AI, [Some(id.company), Some(id.dataset), Some(id.subject)])
            }
            Self::Subject(SubjectId::BrainStem(id)) => (1, BRAINSTEM, one(id.uuid())),
            Self::Project(id) => (2, BRAINSTEM, one(id.uuid())),
            Self::Procedure(id) => (3, BRAINSTEM, one(id.uuid())),
            Self::SubjectLog(id) => (4, BRAINSTEM, one(id.uuid())),
            Self::StateChange(id) => (5, BRAINSTEM, one(id.uuid())),
            Self::Strain(id) => (6, BRAINSTEM, one(id.uuid())),
            Self::Species(id) => (7, BRAINSTEM, one(id.uuid())),
            Self::Supplier(id) => (8, BRAINSTEM, one(id.uuid())),
            Self::License(id) => (9, BRAINSTEM, one(id.uuid())),
            Self::Breeding(id) => (10, BRAINSTEM, one(id.uuid())),
            Self::Cohort(id) => (11, BRAINSTEM, one(id.uuid())),
            Self::BrainRegion(id) => (12, BRAINSTEM, one(id.uuid())),
            Self::BiologicalSex(id) => (13, HAUT_AI, one(id.uuid())),
            Self::Dataset(id) => (14, HAUT_AI, [Some(id.company), Some(id.dataset), None]),
        }
    }

    /// Hands over the global id. A list has hundreds of them: nothing is allocated.
    pub fn with_text<R>(&self, take: impl FnOnce(&str) -> R) -> R {
        let (kind, source, uuids) = self.parts();
        let mut tuple = [VERSION; LONGEST];
        (tuple[1], tuple[2]) = (kind, source);
        let mut length = 3;
        for uuid in uuids.iter().flatten() {
            tuple[length..length + 16].copy_from_slice(uuid.as_bytes());
            length += 16;
        }
        let mut text = [0; LONGEST.div_ceil(3) * 4];
        let length = URL_SAFE_NO_PAD.encode_slice(&tuple[..length], &mut text).expect("there is room for the longest");
        take(std::str::from_utf8(&text[..length]).expect("base64 is ASCII"))
    }

    /// Reads a global id.
    pub fn decode(text: &str) -> Result<Self, MalformedId> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedId)?;
        let [VERSION, kind, source, uuids @ ..] = bytes.as_slice() else {
            return Err(MalformedId);
        };
        let (uuids, rest) = uuids.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(MalformedId);
        }
        let uuids: Vec<Uuid> = uuids.iter().map(|bytes| Uuid::from_bytes(*bytes)).collect();
        Ok(match (kind, *source, uuids.as_slice()) {
            (1, HAUT_AI, &[company, dataset, subject]) => {
                Self::Subject(SubjectId::HautAi(HautAiSubjectId { company, dataset, subject }))
            }
            (1, BRAINSTEM, &[id]) => Self::Subject(SubjectId::BrainStem(Id::new(id))),
            (2, BRAINSTEM, &[id]) => Self::Project(Id::new(id)),
            (3, BRAINSTEM, &[id]) => Self::Procedure(Id::new(id)),
            (4, BRAINSTEM, &[id]) => Self::SubjectLog(Id::new(id)),
            (5, BRAINSTEM, &[id]) => Self::StateChange(Id::new(id)),
            (6, BRAINSTEM, &[id]) => Self::Strain(Id::new(id)),
            (7, BRAINSTEM, &[id]) => Self::Species(Id::new(id)),
            (8, BRAINSTEM, &[id]) => Self::Supplier(Id::new(id)),
            (9, BRAINSTEM, &[id]) => Self::License(Id::new(id)),
            (10, BRAINSTEM, &[id]) => Self::Breeding(Id::new(id)),
            (11, BRAINSTEM, &[id]) => Self::Cohort(Id::new(id)),
            (12, BRAINSTEM, &[id]) => Self::BrainRegion(Id::new(id)),
            (13, HAUT_AI, &[id]) => Self::BiologicalSex(Id::new(id)),
            (14, HAUT_AI, &[company, dataset]) => Self::Dataset(DatasetId { company, dataset }),
            _ => return Err(MalformedId),
        })
    }
}

impl fmt::Display for NodeId {
    /// The global id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl From<SubjectId> for NodeId {
    fn from(id: SubjectId) -> Self {
        Self::Subject(id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_node() -> impl Strategy<Value = NodeId> {
        (0..15u8, any::<[u128; 3]>()).prop_map(|(kind, numbers)| {
            let [a, b, c] = numbers.map(Uuid::from_u128);
            match kind {
                0 => SubjectId::HautAi(HautAiSubjectId { company: a, dataset: b, subject: c }).into(),
                1 => SubjectId::BrainStem(Id::new(a)).into(),
                2 => NodeId::Project(Id::new(a)),
                3 => NodeId::Procedure(Id::new(a)),
                4 => NodeId::SubjectLog(Id::new(a)),
                5 => NodeId::StateChange(Id::new(a)),
                6 => NodeId::Strain(Id::new(a)),
                7 => NodeId::Species(Id::new(a)),
                8 => NodeId::Supplier(Id::new(a)),
                9 => NodeId::License(Id::new(a)),
                10 => NodeId::Breeding(Id::new(a)),
                11 => NodeId::Cohort(Id::new(a)),
                12 => NodeId::BrainRegion(Id::new(a)),
                13 => NodeId::BiologicalSex(Id::new(a)),
                _ => NodeId::Dataset(DatasetId { company: a, dataset: b }),
            }
        })
    }

    proptest! {
        #[test]
        fn a_global_id_reads_back(id in any_node()) {
            prop_assert_eq!(NodeId::decode(&id.to_string()), Ok(id));
        }

        #[test]
        fn whatever_is_read_is_written_the_same(text in "[A-Za-z0-9_=-]{0,90}") {
            if let Ok(id) = NodeId::decode(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn odd_text_is_refused_without_a_panic(text in any::<String>()) {
            let _ = NodeId::decode(&text);
        }

        #[test]
        fn cut_or_longer_ids_are_refused(id in any_node(), cut in 1..20usize) {
            let text = id.to_string();
            prop_assert_eq!(NodeId::decode(&text[..text.len() - cut]), Err(MalformedId));
            let longer = format!("{text}AAAA");
            prop_assert_eq!(NodeId::decode(&longer), Err(MalformedId));
        }
    }
}
