//! What only one of its sources has of a subject.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, ID, SimpleObject};

use super::Subject;
use crate::{
    domain::{self, Id, NodeId, cursor::Fingerprint, subject::SexReference},
    schema::{
        connection::{Connection, Paging, of_ids},
        context::{RequestContext, global_id},
        error::Result,
        procedure::SubjectStateChange,
    },
};

/// What only Haut.AI has of a subject.
#[derive(SimpleObject)]
pub struct HautAiSubject {
    /// Haut.AI's id of the user who made the record.
    #[graphql(tag = "pii")]
    pub(in crate::schema) author_id: Option<ID>,
    /// Haut.AI's id of the image that stands for the subject.
    #[graphql(tag = "pii")]
    pub(in crate::schema) promote_image_id: Option<ID>,
    /// The biological sex as Haut.AI writes it: the technical name, or else the name or the bare id.
    pub(in crate::schema) raw_sex: Option<String>,
    /// The birth date as Haut.AI writes it.
    #[graphql(tag = "pii")]
    pub(in crate::schema) raw_birth_date: Option<String>,
    /// The time of creation as Haut.AI writes it.
    pub(in crate::schema) raw_created_at: Option<String>,
}

impl HautAiSubject {
    /// `None`: it is an animal.
    pub(in crate::schema) fn of(subject: &domain::Subject) -> Option<Self> {
        let own = subject.haut_ai()?;
        Some(Self {
            author_id: own.author_id.clone().map(ID),
            promote_image_id: own.promote_image_id.clone().map(ID),
            raw_sex: own.biological_sex.as_ref().map(raw_sex),
            raw_birth_date: subject.birth_date.raw.clone(),
            raw_created_at: subject.created_at.raw.clone(),
        })
    }
}

/// What only BrainSTEM has of a subject.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct BrainStemSubject {
    /// The name that the animal's files are stored under, where it is another one.
    #[graphql(tag = "pii")]
    pub(in crate::schema) name_used_in_storage: Option<String>,
    /// The supplier as a text: servers from before the 2025 renaming.
    pub(in crate::schema) supplier_text: Option<String>,
    /// The sex as BrainSTEM writes it, such as `F`.
    pub(in crate::schema) raw_sex: Option<String>,
    /// The status as BrainSTEM writes it, such as `active`.
    pub(in crate::schema) raw_status: Option<String>,
    /// The birth date as BrainSTEM writes it.
    #[graphql(tag = "pii")]
    pub(in crate::schema) raw_birth_date: Option<String>,
    /// The death date as BrainSTEM writes it.
    #[graphql(tag = "pii")]
    pub(in crate::schema) raw_death_date: Option<String>,
    #[graphql(skip)]
    subject: Arc<domain::Subject>,
}

impl BrainStemSubject {
    /// `None`: it is a person.
    pub(in crate::schema) fn of(subject: &Arc<domain::Subject>) -> Option<Self> {
        let own = subject.brainstem()?;
        Some(Self {
            name_used_in_storage: own.name_used_in_storage.clone(),
            supplier_text: own.supplier_text.clone(),
            raw_sex: own.raw_sex.clone(),
            raw_status: own.raw_status.clone(),
            raw_birth_date: subject.birth_date.raw.clone(),
            raw_death_date: subject.death_date.raw.clone(),
            subject: Arc::clone(subject),
        })
    }

    pub(in crate::schema) fn changes(&self) -> &[Id<domain::StateChange>] {
        self.subject.brainstem().map(|own| own.state_changes.as_slice()).unwrap_or_default()
    }

    /// What the cursors of the state changes belong to.
    pub(in crate::schema) fn list(&self) -> Fingerprint {
        Subject(Arc::clone(&self.subject)).list("stateChanges", None)
    }
}

#[ComplexObject]
impl BrainStemSubject {
    /// Changes of the animal's state (death, slicing, craniotomy): servers from before the 2025 renaming, which kept them
    /// apart from procedures. Empty on today's.
    async fn state_changes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<SubjectStateChange>>> {
        let relation = &RequestContext::of(ctx).loaders.state_changes;
        let paging = Paging { first, after, last, before };
        Some(of_ids(ctx, relation, self.changes(), self.list(), paging, SubjectStateChange).await)
    }

    /// Ids of all state changes that the record lists. Costs nothing.
    async fn state_change_ids(&self) -> Vec<ID> {
        self.changes().iter().map(|id| global_id(NodeId::StateChange(*id))).collect()
    }
}

fn raw_sex(reference: &SexReference) -> String {
    match reference {
        SexReference::Whole(entry) => entry.tech_name.clone().or_else(|| entry.name.clone()).unwrap_or_default(),
        SexReference::Bare(id) => id.uuid().to_string(),
        SexReference::Odd(text) => text.clone(),
    }
}
