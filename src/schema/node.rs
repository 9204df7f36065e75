//! `Node`: whatever can be fetched again by its global id.

use async_graphql::{Context, ID, Interface, Object};
use futures::future::join_all;

use super::{
    biological_sex::{BiologicalSex, Dataset},
    breeding::Breeding,
    context::{RequestContext, may_read, node_id},
    error::{Error, Result},
    license::{License, Supplier},
    log::SubjectLog,
    procedure::{Procedure, SubjectStateChange},
    project::{Cohort, Project},
    spec::{NODES, Specification},
    subject::Subject,
    taxonomy::{BrainRegion, Species, Strain},
};
use crate::domain::{self, DatasetId, NodeId, Source};

/// Ids in one `nodes`.
const MAX_NODES: usize = 100;

/// Whatever can be fetched again by its id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and global."))]
pub enum Node {
    Subject(Subject),
    Project(Project),
    Procedure(Procedure),
    SubjectLog(SubjectLog),
    SubjectStateChange(SubjectStateChange),
    Strain(Strain),
    Species(Species),
    Supplier(Supplier),
    License(License),
    Breeding(Breeding),
    Cohort(Cohort),
    BrainRegion(BrainRegion),
    BiologicalSex(BiologicalSex),
    Dataset(Dataset),
}

/// The fields of `Query` by which Relay fetches again.
#[derive(Default)]
pub struct Nodes;

#[Object]
impl Nodes {
    /// Any object by its id. Null: it is not there, may not be seen, or lies outside of what this gateway serves.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An `id` that this gateway returned.")] id: ID,
    ) -> Option<Result<Node>> {
        if let Err(refusal) = may_read(ctx) {
            return Some(Err(refusal));
        }
        match node_id("id", &id) {
            Ok(id) => load(ctx, id).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Many objects by their ids, in the order of the ids, with null in place of what is not there.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 `id`s that this gateway returned.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node>>>> {
        may_read(ctx)?;
        load_all(ctx, &ids).await
    }
}

/// The object behind an id; `None`: not there, not to be seen, or outside of what the gateway serves.
pub(super) async fn load(ctx: &Context<'_>, id: NodeId) -> Result<Option<Node>> {
    let loaders = &RequestContext::of(ctx).loaders;
    Ok(match id {
        NodeId::Subject(id) => loaders.subjects.load(id).await?.map(|record| Subject(record).into()),
        NodeId::Project(id) => loaders.projects.load(id).await?.map(|record| Project(record).into()),
        NodeId::Procedure(id) => loaders.procedures.load(id).await?.map(|record| Procedure(record).into()),
        NodeId::SubjectLog(id) => loaders.logs.load(id).await?.map(|record| SubjectLog(record).into()),
        NodeId::StateChange(id) => {
            loaders.state_changes.load(id).await?.map(|record| SubjectStateChange(record).into())
        }
        NodeId::Strain(id) => loaders.strains.load(id).await?.map(|record| Strain(record).into()),
        NodeId::Species(id) => loaders.species.load(id).await?.map(|record| Species(record).into()),
        NodeId::Supplier(id) => loaders.suppliers.load(id).await?.map(|record| Supplier(record).into()),
        NodeId::License(id) => loaders.licenses.load(id).await?.map(|record| License(record).into()),
        NodeId::Breeding(id) => loaders.breedings.load(id).await?.map(|record| Breeding(record).into()),
        NodeId::Cohort(id) => loaders.cohorts.load(id).await?.map(|record| Cohort(record).into()),
        NodeId::BrainRegion(id) => loaders.brain_regions.load(id).await?.map(|record| BrainRegion(record).into()),
        NodeId::BiologicalSex(id) => {
            loaders.biological_sexes.load(id).await?.map(|record| BiologicalSex(record).into())
        }
        NodeId::Dataset(id) => dataset(ctx, id).await?.map(|record| Dataset(record).into()),
    })
}

/// The datasets come in one list, so that nothing has to be batched.
async fn dataset(ctx: &Context<'_>, id: DatasetId) -> Result<Option<domain::Dataset>> {
    let request = RequestContext::of(ctx);
    let Some((source, viewer)) = request.sources.haut_ai.as_ref().zip(request.viewers.haut_ai.as_ref()) else {
        return Ok(None);
    };
    let found = async {
        if !source.source().covers(id).await? {
            return Ok(None);
        }
        Ok(source.datasets(viewer).await?.iter().find(|dataset| dataset.id == id).cloned())
    };
    Ok(request.deadline.bound(Source::HautAi, found).await?)
}

/// One object an id, in their order.
async fn load_all(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Result<Node>>>> {
    if ids.len() > MAX_NODES {
        ctx.data_unchecked::<Specification>().metrics().of(NODES).inc();
        return Err(Error::BadUserInput(format!("`ids` has {} ids: expected at most {MAX_NODES}.", ids.len())));
    }
    let load = |(at, id)| async move {
        match node_id(&format!("ids[{at}]"), id) {
            Ok(id) => load(ctx, id).await.transpose(),
            Err(error) => Some(Err(error)),
        }
    };
    Ok(join_all(ids.iter().enumerate().map(load)).await)
}
