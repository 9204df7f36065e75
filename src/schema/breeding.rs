//! `Breeding`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    context::{RequestContext, global_id, related},
    error::Result,
    project::Project,
    scalars::Date,
    subject::{Subject, SubjectSource},
};
use crate::domain::{self, NodeId, Source, SubjectId};

/// Two parents and their litter.
pub struct Breeding(pub Arc<domain::Breeding>);

/// Two parents and their litter.
#[Object]
impl Breeding {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Breeding(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the breeding.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The project that the breeding belongs to.
    async fn project(&self, ctx: &Context<'_>) -> Option<Result<Project>> {
        related(&RequestContext::of(ctx).loaders.projects, self.0.project, Project).await
    }

    /// Id of the project. Costs nothing.
    async fn project_id(&self) -> Option<ID> {
        self.0.project.map(|id| global_id(NodeId::Project(id)))
    }

    /// The mother. Null where she is not known or may not be seen.
    async fn mother(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        related(&RequestContext::of(ctx).loaders.animals, self.0.mother, Subject).await
    }

    /// Id of the mother. Costs nothing.
    async fn mother_id(&self) -> Option<ID> {
        self.0.mother.map(|id| global_id(SubjectId::BrainStem(id)))
    }

    /// The father. Null where he is not known or may not be seen.
    async fn father(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        related(&RequestContext::of(ctx).loaders.animals, self.0.father, Subject).await
    }

    /// Id of the father. Costs nothing.
    async fn father_id(&self) -> Option<ID> {
        self.0.father.map(|id| global_id(SubjectId::BrainStem(id)))
    }

    /// Tags.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// Day of birth of the litter. Null: not given, or not readable as a date.
    async fn birth_date(&self) -> Option<Date> {
        self.0.birth_date.value.map(Date::Day)
    }

    /// Day of birth of the litter, as BrainSTEM writes it.
    async fn raw_birth_date(&self) -> Option<&str> {
        self.0.birth_date.raw.as_deref()
    }

    /// Day on which the breeding began. Null: not given, or not readable as a date.
    async fn start_date(&self) -> Option<Date> {
        self.0.start_date.value.map(Date::Day)
    }

    /// Day on which the breeding began, as BrainSTEM writes it.
    async fn raw_start_date(&self) -> Option<&str> {
        self.0.start_date.raw.as_deref()
    }

    /// Day on which the breeding ended. Null: not given, or not readable as a date.
    async fn end_date(&self) -> Option<Date> {
        self.0.end_date.value.map(Date::Day)
    }

    /// Day on which the breeding ended, as BrainSTEM writes it.
    async fn raw_end_date(&self) -> Option<&str> {
        self.0.end_date.raw.as_deref()
    }

    /// Day on which the litter was weaned. Null: not given, or not readable as a date.
    async fn weaning_date(&self) -> Option<Date> {
        self.0.weaning_date.value.map(Date::Day)
    }

    /// Day on which the litter was weaned, as BrainSTEM writes it.
    async fn raw_weaning_date(&self) -> Option<&str> {
        self.0.weaning_date.raw.as_deref()
    }

    /// Animals in the litter.
    async fn litter_size(&self) -> Option<i64> {
        self.0.litter_size
    }

    /// The genotype that was hoped for.
    async fn expected_genotype(&self) -> Option<&str> {
        self.0.expected_genotype.as_deref()
    }
}
