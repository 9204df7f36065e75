//! `Query`: look-ups and lists.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, MergedObject, Object, OneofObject};
use futures::future::join_all;

use super::{
    biological_sex::{BiologicalSex, Dataset},
    connection::{BrainStemList, Connection, Paging, of_list},
    context::{RequestContext, id_of, may_read, related, upstream_id},
    error::{Error, Result},
    federation::Federation,
    filter::{
        MAX_SEARCH, ProcedureFilter, ProcedureOrder, ProjectFilter, ProjectOrder, SubjectFilter, SubjectLogFilter,
        SubjectOrder, within,
    },
    license::Supplier,
    log::SubjectLog,
    node::Nodes,
    procedure::Procedure,
    project::Project,
    sources::{SourceStatus, statuses},
    subject::Subject,
    subjects::{self, SubjectConnection},
    taxonomy::{Species, Strain},
};
use crate::{
    domain::{self, DatasetId, HautAiSubjectId, Id, NodeId, Source, SubjectId, cursor::Fingerprint},
    sources::brainstem::{ListQuery, Model, Pushdown},
};

/// One way to name a subject.
#[derive(OneofObject)]
pub enum SubjectBy {
    /// By the `id` that this gateway gave it.
    Id(ID),
    /// By Haut.AI's own ids.
    HautAi(HautAiSubjectBy),
    /// By BrainSTEM's own UUID.
    BrainStem(ID),
    /// By its name in BrainSTEM, where names are unique. Exact, also in upper and lower case.
    #[graphql(tag = "pii")]
    BrainStemName(String),
}

/// Haut.AI's own ids of a subject.
#[derive(InputObject)]
pub struct HautAiSubjectBy {
    /// Haut.AI's UUID of the dataset. Left out: every dataset that the gateway serves is asked.
    dataset_id: Option<ID>,
    /// Haut.AI's UUID of the subject.
    subject_id: ID,
}

/// The root of all reads.
#[derive(Default, MergedObject)]
pub struct Query(Nodes, Fields, Federation);

// Clients are not shown what is for routers.
/// The root of all reads.
#[derive(Default, MergedObject)]
#[graphql(name = "Query")]
pub(super) struct ClientQuery(Nodes, Fields);

// Every subgraph that serves Relay has `node` and `nodes`; two that have the same field don't compose.
/// The root of all reads.
#[derive(Default, MergedObject)]
#[graphql(name = "Query")]
pub(super) struct SubgraphQuery(Fields);

/// Look-ups and lists.
#[derive(Default)]
pub struct Fields;

#[expect(clippy::too_many_arguments, reason = "every list of the schema has the same ones")]
#[Object]
impl Fields {
    /// One subject. Null: it is not there, may not be seen, or lies outside of what this gateway serves.
    async fn subject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Exactly one way to name it.")] by: SubjectBy,
    ) -> Option<Result<Subject>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        subject_by(ctx, by).await.transpose()
    }

    /// All subjects that pass the filter. Without `orderBy`: Haut.AI's people dataset by dataset, then BrainSTEM's animals as
    /// BrainSTEM sorts their names. Where one source fails, the other's subjects come with an error beside them that says which
    /// and why; the failed one's own are left for later pages. A page may be short or empty although `hasNextPage` is true, where
    /// few records pass a filter that a source can't apply: go on with `endCursor`.
    async fn subjects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these subjects.")] filter: Option<SubjectFilter>,
        #[graphql(desc = "One order over both sources.")] order_by: Option<SubjectOrder>,
    ) -> Option<Result<SubjectConnection>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        Some(subjects::merged(ctx, Paging { first, after, last, before }, filter, order_by).await)
    }

    /// One BrainSTEM project.
    async fn project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a project.")] id: ID,
    ) -> Option<Result<Project>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let of = |node| {
            if let NodeId::Project(id) = node { Some(id) } else { None }
        };
        let id = match id_of("id", &id, "Project", of) {
            Ok(id) => id,
            Err(error) => return Some(Err(error)),
        };
        related(&RequestContext::of(ctx).loaders.projects, Some(id), Project).await
    }

    /// BrainSTEM's projects by name. Null where BrainSTEM is not configured.
    async fn projects(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these projects.")] filter: Option<ProjectFilter>,
        #[graphql(desc = "Another order.")] order_by: Option<ProjectOrder>,
    ) -> Option<Result<Connection<Project>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let list = match filter.unwrap_or_default().list(order_by) {
            Ok(list) => list,
            Err(error) => return Some(Err(error)),
        };
        of_list(ctx, list, Paging { first, after, last, before }, Project).await.transpose()
    }

    /// One BrainSTEM procedure.
    async fn procedure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The `id` of a procedure.")] id: ID,
    ) -> Option<Result<Procedure>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let of = |node| {
            if let NodeId::Procedure(id) = node { Some(id) } else { None }
        };
        let id = match id_of("id", &id, "Procedure", of) {
            Ok(id) => id,
            Err(error) => return Some(Err(error)),
        };
        related(&RequestContext::of(ctx).loaders.procedures, Some(id), Procedure).await
    }

    /// BrainSTEM's procedures by date. Null where BrainSTEM is not configured.
    async fn procedures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these procedures.")] filter: Option<ProcedureFilter>,
        #[graphql(desc = "Another order.")] order_by: Option<ProcedureOrder>,
    ) -> Option<Result<Connection<Procedure>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let list = match filter.unwrap_or_default().list(order_by) {
            Ok(list) => list,
            Err(error) => return Some(Err(error)),
        };
        of_list(ctx, list, Paging { first, after, last, before }, Procedure).await.transpose()
    }

    /// BrainSTEM's logs about subjects, by id. Null where BrainSTEM is not configured, and on servers from before its 2025
    /// renaming, which have none.
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only these logs.")] filter: Option<SubjectLogFilter>,
    ) -> Option<Result<Connection<SubjectLog>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let list = match filter.unwrap_or_default().list() {
            Ok(list) => list,
            Err(error) => return Some(Err(error)),
        };
        of_list(ctx, list, Paging { first, after, last, before }, SubjectLog).await.transpose()
    }

    /// Haut.AI's dictionary of biological sexes, for forms. Where Haut.AI serves none: the sexes that its subjects were seen
    /// to have. Null where Haut.AI is not configured.
    async fn biological_sexes(&self, ctx: &Context<'_>) -> Option<Result<Vec<BiologicalSex>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let request = RequestContext::of(ctx);
        let (source, viewer) = request.sources.haut_ai.as_ref().zip(request.viewers.haut_ai.as_ref())?;
        let sexes = request.deadline.bound(Source::HautAi, source.all_biological_sexes(viewer)).await;
        Some(sexes.map(|sexes| sexes.into_iter().map(BiologicalSex).collect()).map_err(Into::into))
    }

    /// The Haut.AI datasets that this gateway serves. Null where Haut.AI is not configured.
    async fn datasets(&self, ctx: &Context<'_>) -> Option<Result<Vec<Dataset>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        let request = RequestContext::of(ctx);
        let (source, viewer) = request.sources.haut_ai.as_ref().zip(request.viewers.haut_ai.as_ref())?;
        let datasets = request.deadline.bound(Source::HautAi, source.datasets(viewer)).await;
        Some(datasets.map(|datasets| datasets.iter().cloned().map(Dataset).collect()).map_err(Into::into))
    }

    /// BrainSTEM's strains by name, for forms and filters. Null where BrainSTEM is not configured.
    async fn strains(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those whose name contains this, in upper or lower case.")] search: Option<String>,
    ) -> Option<Result<Connection<Strain>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        searched(ctx, "strains", Paging { first, after, last, before }, search, Strain).await
    }

    /// BrainSTEM's species by name, for forms and filters. Null where BrainSTEM is not configured.
    async fn species(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those whose name contains this, in upper or lower case.")] search: Option<String>,
    ) -> Option<Result<Connection<Species>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        searched(ctx, "species", Paging { first, after, last, before }, search, Species).await
    }

    /// BrainSTEM's suppliers by name, for forms and filters. Null where BrainSTEM is not configured.
    async fn suppliers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those whose name contains this, in upper or lower case.")] search: Option<String>,
    ) -> Option<Result<Connection<Supplier>>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        searched(ctx, "suppliers", Paging { first, after, last, before }, search, Supplier).await
    }

    /// How the two sources fare, by what recent traffic showed. Asks nothing of them and never fails.
    async fn sources(&self, ctx: &Context<'_>) -> Vec<SourceStatus> {
        statuses(RequestContext::of(ctx))
    }
}

/// A list whose names can be searched.
async fn searched<T: Model, G>(
    ctx: &Context<'_>,
    field: &str,
    paging: Paging,
    search: Option<String>,
    wrap: fn(Arc<T>) -> G,
) -> Option<Result<Connection<G>>> {
    let mut search = search.filter(|search| !search.is_empty());
    if let Some(search) = &search
        && let Err(error) = within("search", search, MAX_SEARCH)
    {
        return Some(Err(error));
    }
    let fingerprint = Fingerprint::of(&(field, search.as_deref().unwrap_or_default()));
    let mut push = Pushdown::default();
    push.text(&mut search, "filter{name.icontains}");
    of_list(ctx, BrainStemList::of(fingerprint, push.query()), paging, wrap).await.transpose()
}

async fn subject_by(ctx: &Context<'_>, by: SubjectBy) -> Result<Option<Subject>> {
    match by {
        SubjectBy::Id(id) => {
            let of = |node| {
                if let NodeId::Subject(id) = node { Some(id) } else { None }
            };
            subjects::load(ctx, id_of("by.id", &id, "Subject", of)?).await
        }
        SubjectBy::BrainStem(id) => {
            subjects::load(ctx, SubjectId::BrainStem(Id::new(upstream_id("by.brainStem", &id)?))).await
        }
        SubjectBy::BrainStemName(name) => subject_by_name(ctx, name).await,
        SubjectBy::HautAi(by) => subject_by_haut_ai(ctx, &by).await,
    }
}

async fn subject_by_haut_ai(ctx: &Context<'_>, by: &HautAiSubjectBy) -> Result<Option<Subject>> {
    let request = RequestContext::of(ctx);
    let subject = upstream_id("by.hautAi.subjectId", &by.subject_id)?;
    let dataset = by.dataset_id.as_ref().map(|id| upstream_id("by.hautAi.datasetId", id)).transpose()?;
    let Some((source, viewer)) = request.sources.haut_ai.as_ref().zip(request.viewers.haut_ai.as_ref()) else {
        return Ok(None);
    };
    let datasets = async {
        match dataset {
            Some(dataset) => Ok(vec![DatasetId { company: source.source().company().await?, dataset }]),
            None => source.dataset_ids(viewer).await,
        }
    };
    let datasets = request.deadline.bound(Source::HautAi, datasets).await?;
    let load = |DatasetId { company, dataset }| {
        subjects::load(ctx, SubjectId::HautAi(HautAiSubjectId { company, dataset, subject }))
    };
    let found = join_all(datasets.into_iter().map(load)).await;
    // One dataset that has it counts more than another that failed.
    let (found, failed): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    match found.into_iter().flatten().flatten().next() {
        Some(subject) => Ok(Some(subject)),
        None => failed.into_iter().next().unwrap_or(Ok(None)),
    }
}

async fn subject_by_name(ctx: &Context<'_>, name: String) -> Result<Option<Subject>> {
    let request = RequestContext::of(ctx);
    if name.is_empty() {
        return Err(Error::BadUserInput("`by.brainStemName` is empty: expected a subject's name.".to_owned()));
    }
    within("by.brainStemName", &name, MAX_SEARCH)?;
    let Some((source, viewer)) = request.sources.brainstem.as_ref().zip(request.viewers.brainstem.as_ref()) else {
        return Ok(None);
    };
    let query = ListQuery { filters: vec![("filter{name}", name.clone())], ..ListQuery::default() };
    let window = source.window::<domain::Subject>(viewer, &query, 0, 1);
    let window = request.deadline.bound(Source::BrainStem, window).await?;
    let found = window.items.into_iter().map(|(_, item)| item.record).find(|subject| subject.name == name);
    Ok(found.map(Subject))
}
