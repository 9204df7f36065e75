//! Haut.AI's dictionary of sexes, its datasets and companies.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::{
    context::global_id,
    subject::{Sex, SubjectSource},
};
use crate::domain::{self, NodeId, Source};

/// An entry of Haut.AI's dictionary of biological sexes.
pub struct BiologicalSex(pub Arc<domain::BiologicalSex>);

/// An entry of Haut.AI's dictionary of biological sexes.
#[Object]
impl BiologicalSex {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::BiologicalSex(self.0.id))
    }

    /// Always `HAUT_AI`.
    async fn source(&self) -> SubjectSource {
        Source::HautAi.into()
    }

    /// Haut.AI's own UUID of the entry.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name for people.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The name for programs.
    async fn tech_name(&self) -> Option<&str> {
        self.0.tech_name.as_deref()
    }

    /// The entry in the merged vocabulary.
    async fn sex(&self) -> Sex {
        self.0.sex().into()
    }
}

/// A Haut.AI dataset: the part of a company's records that a subject belongs to.
pub struct Dataset(pub domain::Dataset);

impl Dataset {
    /// The one that a person belongs to; `None`: it is an animal.
    pub(super) fn of(subject: &domain::Subject) -> Option<Self> {
        Some(Self(subject.haut_ai()?.dataset.clone()))
    }
}

/// A Haut.AI dataset: the part of a company's records that a subject belongs to.
#[Object]
impl Dataset {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Dataset(self.0.id))
    }

    /// Always `HAUT_AI`.
    async fn source(&self) -> SubjectSource {
        Source::HautAi.into()
    }

    /// Haut.AI's own UUID of the dataset.
    async fn source_id(&self) -> ID {
        ID(self.0.id.dataset.to_string())
    }

    /// The name. Null where a subject's record leaves it out; `datasets` then has it.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Haut.AI's own UUID of the company that owns the dataset.
    async fn company_source_id(&self) -> ID {
        ID(self.0.id.company.to_string())
    }
}

/// A Haut.AI company: the tenant that owns datasets.
pub struct Company(pub domain::Company);

impl Company {
    /// The one that a person belongs to; `None`: it is an animal.
    pub(super) fn of(subject: &domain::Subject) -> Option<Self> {
        Some(Self(subject.haut_ai()?.company.clone()))
    }
}

/// A Haut.AI company: the tenant that owns datasets.
#[Object]
impl Company {
    /// Haut.AI's own UUID of the company. There is no global id: Haut.AI does not serve companies one by one.
    async fn source_id(&self) -> ID {
        ID(self.0.source_id.to_string())
    }

    /// The name.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }
}
