//! `Project` and `Cohort`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    connection::{Connection, Paging, of_ids},
    context::{RequestContext, global_id, related},
    error::Result,
    filter::{SubjectFilter, SubjectOrder},
    scalars::Json,
    subject::SubjectSource,
    subjects::{SubjectConnection, of_project, of_subject_ids},
};
use crate::domain::{self, NodeId, Source, SubjectId, cursor::Fingerprint};

/// A BrainSTEM project. Its users and groups are not served: they are other people's e-mail addresses.
pub struct Project(pub Arc<domain::Project>);

impl Project {
    /// What the cursors of its cohorts belong to.
    pub(super) fn cohort_list(&self) -> Fingerprint {
        Fingerprint::of(&("cohorts", &NodeId::Project(self.0.id).to_string()))
    }
}

/// A BrainSTEM project. Its users and groups are not served: they are other people's e-mail addresses.
#[expect(clippy::too_many_arguments, reason = "every list of the schema has the same ones")]
#[Object]
impl Project {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Project(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the project.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name, unique in BrainSTEM.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The project's animals, as its record lists them: those that may not be seen are left out of the page, and `totalCount`
    /// counts the ids. With `filter` or `orderBy`, the animals that BrainSTEM finds for the project, as in `subjects`.
    async fn subjects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these animals.")] filter: Option<SubjectFilter>,
        #[graphql(desc = "Another order.")] order_by: Option<SubjectOrder>,
    ) -> Option<Result<SubjectConnection>> {
        Some(of_project(ctx, &self.0, Paging { first, after, last, before }, filter, order_by).await)
    }

    /// Ids of all subjects that the record lists, also of those that may not be seen. Costs nothing.
    async fn subject_ids(&self) -> Vec<ID> {
        self.0.subjects.iter().map(|id| global_id(SubjectId::BrainStem(*id))).collect()
    }

    /// Named groups of the project's animals.
    async fn cohorts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
    ) -> Option<Result<Connection<Cohort>>> {
        let list = self.cohort_list();
        let relation = &RequestContext::of(ctx).loaders.cohorts;
        Some(of_ids(ctx, relation, &self.0.cohorts, list, Paging { first, after, last, before }, Cohort).await)
    }

    /// Ids of all cohorts that the record lists, also of those that may not be seen. Costs nothing.
    async fn cohort_ids(&self) -> Vec<ID> {
        self.0.cohorts.iter().map(|id| global_id(NodeId::Cohort(*id))).collect()
    }

    /// BrainSTEM's own UUIDs of the project's sessions, which this gateway does not serve.
    async fn session_source_ids(&self) -> Vec<ID> {
        self.0.sessions.iter().cloned().map(ID).collect()
    }

    /// BrainSTEM's own UUIDs of the project's publications, which this gateway does not serve.
    async fn publication_source_ids(&self) -> Vec<ID> {
        self.0.publications.iter().cloned().map(ID).collect()
    }

    /// BrainSTEM's own UUIDs of the project's collections, which this gateway does not serve.
    async fn collection_source_ids(&self) -> Vec<ID> {
        self.0.collections.iter().cloned().map(ID).collect()
    }

    /// What the project's members added: BrainSTEM's `extra_fields`, always as an object. Null: nothing was added.
    #[graphql(tag = "pii")]
    async fn metadata(&self) -> Option<Json> {
        self.0.metadata.clone().map(Json)
    }

    /// Whether BrainSTEM's public portal shows the project.
    async fn is_public(&self) -> Option<bool> {
        self.0.is_public
    }

    /// Tags.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }
}

/// A BrainSTEM cohort: a named group of a project's animals.
pub struct Cohort(pub Arc<domain::Cohort>);

/// A BrainSTEM cohort: a named group of a project's animals.
#[Object]
impl Cohort {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Cohort(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the cohort.
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

    /// The project that the cohort belongs to.
    async fn project(&self, ctx: &Context<'_>) -> Option<Result<Project>> {
        related(&RequestContext::of(ctx).loaders.projects, self.0.project, Project).await
    }

    /// Id of the project. Costs nothing.
    async fn project_id(&self) -> Option<ID> {
        self.0.project.map(|id| global_id(NodeId::Project(id)))
    }

    /// The cohort's animals. Those that may not be seen are left out of the page; `totalCount` counts the ids that the
    /// record lists.
    async fn subjects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
    ) -> Option<Result<SubjectConnection>> {
        let owner = NodeId::Cohort(self.0.id);
        Some(of_subject_ids(ctx, owner, &self.0.subjects, Paging { first, after, last, before }).await)
    }

    /// Ids of all subjects that the record lists, also of those that may not be seen. Costs nothing.
    async fn subject_ids(&self) -> Vec<ID> {
        self.0.subjects.iter().map(|id| global_id(SubjectId::BrainStem(*id))).collect()
    }

    /// Tags.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }
}
