//! `SubjectLog`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    context::{RequestContext, global_id, related},
    error::Result,
    scalars::{DateTime, Json},
    subject::{Subject, SubjectSource},
};
use crate::domain::{self, NodeId, Source, SubjectId};

/// What was noted about an animal over time, such as its weight. Who keeps the log is not served: that is another person.
pub struct SubjectLog(pub Arc<domain::SubjectLog>);

impl SubjectLog {
    /// The entries, in the log's order.
    pub(super) fn all_entries(&self) -> Vec<SubjectLogEntry> {
        (0..self.0.entries.len()).map(|at| SubjectLogEntry { log: Arc::clone(&self.0), at }).collect()
    }
}

/// What was noted about an animal over time, such as its weight. Who keeps the log is not served: that is another person.
#[Object]
impl SubjectLog {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::SubjectLog(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the log.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The type, in BrainSTEM's words, such as `Weighing`.
    #[graphql(name = "type")]
    async fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The animal that the log is about. Null where it may not be seen.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        related(&RequestContext::of(ctx).loaders.animals, self.0.subject, Subject).await
    }

    /// Id of the animal. Costs nothing.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.map(|id| global_id(SubjectId::BrainStem(id)))
    }

    /// The entries, in the log's order. They are part of the record and cost nothing.
    async fn entries(&self) -> Vec<SubjectLogEntry> {
        self.all_entries()
    }
}

/// One entry of a log: at a moment, or from one to another.
pub struct SubjectLogEntry {
    log: Arc<domain::SubjectLog>,
    at: usize,
}

impl SubjectLogEntry {
    pub(super) fn entry(&self) -> &domain::LogEntry {
        &self.log.entries[self.at]
    }
}

/// One entry of a log: at a moment, or from one to another.
#[Object]
impl SubjectLogEntry {
    /// The moment. Null for an entry with a start and an end, and where the text is not readable as an instant.
    async fn date_time(&self) -> Option<DateTime> {
        self.entry().date_time.value.map(DateTime::Instant)
    }

    /// The moment, as BrainSTEM writes it.
    async fn raw_date_time(&self) -> Option<&str> {
        self.entry().date_time.raw.as_deref()
    }

    /// The start. Null for an entry at a moment, and where the text is not readable as an instant.
    async fn start_date_time(&self) -> Option<DateTime> {
        self.entry().start_date_time.value.map(DateTime::Instant)
    }

    /// The start, as BrainSTEM writes it.
    async fn raw_start_date_time(&self) -> Option<&str> {
        self.entry().start_date_time.raw.as_deref()
    }

    /// The end. Null for an entry at a moment, and where the text is not readable as an instant.
    async fn end_date_time(&self) -> Option<DateTime> {
        self.entry().end_date_time.value.map(DateTime::Instant)
    }

    /// The end, as BrainSTEM writes it.
    async fn raw_end_date_time(&self) -> Option<&str> {
        self.entry().end_date_time.raw.as_deref()
    }

    /// Free text.
    async fn notes(&self) -> Option<&str> {
        self.entry().notes.as_deref()
    }

    /// What the log's type asks for, such as a weight.
    async fn details(&self) -> Option<Json> {
        self.entry().details.clone().map(Json)
    }
}
