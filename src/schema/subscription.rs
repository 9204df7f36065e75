//! `Subscription`: what happens to subjects, as it happens. `streaming.rs` decides what is told to whom; here it gets its
//! shape.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
};

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject, Subscription};
use futures::stream::{self, Stream};

use super::{
    context::{global_id, id_of, may_read},
    error::{Error, Result},
    scalars::DateTime,
    subject::{Subject, SubjectSource},
};
use crate::{
    domain::{self, NodeId, Source, SubjectId},
    events::{Changed, Event},
};

/// Subjects that one subscription may name.
const MAX_IDS: usize = 1_000;

/// How a subject changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "SubjectChangeKind")]
pub enum Kind {
    /// It is new.
    Created,
    /// Something about it may be different now.
    Updated,
    /// It is gone.
    Deleted,
    /// Its photos or its metadata were removed; the subject is still there.
    Cleared,
}

/// Something that happened to a subject.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub struct SubjectChange {
    /// What happened.
    kind: Kind,
    /// The subject's `id`, also when it is gone.
    id: ID,
    /// When the gateway heard of it.
    at: DateTime,
    #[graphql(skip)]
    subject: Found,
}

/// The subject as this subscriber sees it; `None`: it is gone.
pub(super) type Found = Option<Result<Arc<domain::Subject>>>;

impl SubjectChange {
    pub(super) fn new(kind: Kind, id: SubjectId, subject: Found, event: &Event) -> Self {
        Self { kind, id: global_id(id), at: DateTime::Instant(event.at), subject }
    }
}

#[ComplexObject]
impl SubjectChange {
    /// The subject as it is now. Null when it is gone.
    async fn subject(&self) -> Option<Result<Subject>> {
        self.subject.clone().map(|found| found.map(Subject))
    }
}

/// What a subscriber asked to be told of.
#[derive(Debug)]
pub(super) struct Interest {
    ids: Option<HashSet<SubjectId>>,
    sources: Option<HashSet<Source>>,
}

impl Interest {
    fn read(ids: Option<&[ID]>, sources: Option<Vec<SubjectSource>>) -> Result<Self> {
        let ids = ids.map(read_ids).transpose()?;
        Ok(Self { ids, sources: sources.map(|sources| sources.into_iter().map(Into::into).collect()) })
    }

    /// The subjects of the event that the subscriber asked for.
    pub(super) fn within(&self, event: &Event) -> Vec<SubjectId> {
        let ids: Vec<SubjectId> = match (&event.changed, &self.ids) {
            (Changed::These(changed), None) => changed.clone(),
            (Changed::These(changed), Some(ids)) => changed.iter().filter(|id| ids.contains(id)).copied().collect(),
            (Changed::AnyOf { known, .. }, None) => known.clone(),
            (Changed::AnyOf { source, .. }, Some(ids)) => {
                ids.iter().filter(|id| id.source() == *source).copied().collect()
            }
        };
        let is_asked_for = |id: &SubjectId| self.sources.as_ref().is_none_or(|sources| sources.contains(&id.source()));
        ids.into_iter().filter(is_asked_for).collect()
    }
}

fn read_ids(ids: &[ID]) -> Result<HashSet<SubjectId>> {
    if ids.len() > MAX_IDS {
        return Err(Error::BadUserInput(format!("`ids` has {} ids: expected at most {MAX_IDS}.", ids.len())));
    }
    let of = |node| {
        if let NodeId::Subject(id) = node { Some(id) } else { None }
    };
    ids.iter().enumerate().map(|(at, id)| id_of(&format!("ids[{at}]"), id, "Subject", of)).collect()
}

/// Why the operation is executed: put it into the request's data.
pub(super) enum Occasion {
    /// The subscription begins: what it asks for is wanted.
    Beginning(Arc<OnceLock<Interest>>),
    /// Something happened.
    Change(SubjectChange),
}

/// The root of all subscriptions, over WebSocket (`/graphql/ws`) and server-sent events (`/graphql/stream`).
pub struct Subscription;

/// The root of all subscriptions, over WebSocket (`/graphql/ws`) and server-sent events (`/graphql/stream`).
#[expect(clippy::unused_async, reason = "the macro awaits every field")]
#[Subscription]
impl Subscription {
    /// Subjects that are created, changed or deleted through this gateway, as it happens, and those that an operator says have
    /// changed. What changes in Haut.AI or BrainSTEM without this gateway is not noticed. Nothing is kept for those who were
    /// away: after connecting again, read anew what you show. A subscriber that can't keep up is cut off with
    /// the error `OVERLOADED`.
    async fn subject_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only these subjects: at most 1000 `id`s. Left out or null: all.")] ids: Option<Vec<ID>>,
        #[graphql(desc = "Only subjects of these sources. Left out or null: of both.")] sources: Option<
            Vec<SubjectSource>,
        >,
    ) -> Result<impl Stream<Item = SubjectChange>> {
        may_read(ctx)?;
        let change = match ctx.data_unchecked::<Occasion>() {
            Occasion::Beginning(interest) => {
                // Validation lets one root field through.
                let _ = interest.set(Interest::read(ids.as_deref(), sources)?);
                None
            }
            Occasion::Change(change) => Some(change.clone()),
        };
        Ok(stream::iter(change))
    }
}
