//! Federation: what routers ask of a subgraph. Every node is an entity that they fetch by its `id`.
//!
//! async-graphql brings `_entities` and `_service` of its own. Its `_entities` fails as a whole where one entity does, and
//! tells neither which nor where; its `_service` prints an older version of federation. Hence both are fields of ours.

use async_graphql::{Any, Context, ID, Object, SimpleObject, Union, Value};
use futures::future::join_all;

use super::{
    biological_sex::{BiologicalSex, Dataset},
    breeding::Breeding,
    context::{id_of, may_read},
    error::{Error, Result},
    license::{License, Supplier},
    log::SubjectLog,
    node::{self, Node},
    procedure::{Procedure, SubjectStateChange},
    project::{Cohort, Project},
    spec::{ENTITIES, Specification},
    subject::Subject,
    taxonomy::{BrainRegion, Species, Strain},
};
use crate::domain::NodeId;

mod sdl;

pub(super) use sdl::subgraph_sdl;

/// `LIMITS_MAX_ENTITIES`, in the schema's data.
pub(super) struct MaxEntities(pub(super) u64);

/// The fields of `Query` that only routers use.
#[derive(Default)]
pub struct Federation;

#[Object]
impl Federation {
    /// For routers: the objects that the representations stand for, in their order, with null in place of what is not there.
    #[graphql(name = "_entities")]
    async fn entities(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Each with `__typename` and `id`.")] representations: Vec<Any>,
    ) -> Result<Vec<Option<Result<Entity>>>> {
        may_read(ctx)?;
        let (count, MaxEntities(limit)) = (representations.len(), ctx.data_unchecked());
        if count as u64 > *limit {
            ctx.data_unchecked::<Specification>().metrics().of(ENTITIES).inc();
            let message = format!("`representations` has {count} entities: expected at most {limit}.");
            return Err(Error::BadUserInput(message));
        }
        let load = |(at, Any(representation))| async move {
            let id = match read(&format!("representations[{at}]"), &representation) {
                Ok(id) => id,
                Err(error) => return Some(Err(error)),
            };
            Some(node::load(ctx, id).await.transpose()?.map(Entity::from))
        };
        Ok(join_all(representations.into_iter().enumerate().map(load)).await)
    }

    /// For routers: this subgraph.
    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service { sdl: subgraph_sdl() }
    }
}

/// A subgraph, as routers compose it.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
pub struct Service {
    /// Its schema.
    sdl: &'static str,
}

/// Reads a representation; what it has beside `__typename` and `id` is of no use here.
fn read(argument: &str, representation: &Value) -> Result<NodeId> {
    let refused = |why: &str| Err(Error::BadUserInput(format!("`{argument}{why}")));
    let Value::Object(fields) = representation else {
        return refused("` is not an object: expected one with `__typename` and `id`.");
    };
    let Some(Value::String(expected)) = fields.get("__typename") else {
        return refused(".__typename` is missing or not a text: expected the name of an entity of this subgraph.");
    };
    let Some(Value::String(id)) = fields.get("id") else {
        return refused(".id` is missing or not a text: expected the `id` of an object that this gateway returned.");
    };
    if !NodeId::TYPE_NAMES.contains(&expected.as_str()) {
        let names = NodeId::TYPE_NAMES.join(", ");
        return refused(&format!(".__typename` is no entity of this subgraph: expected one of {names}."));
    }
    let of = |node: NodeId| (node.type_name() == expected).then_some(node);
    id_of(&format!("{argument}.id"), &ID::from(id), expected, of)
}

/// Whatever a router can fetch by its id.
#[derive(Union)]
#[graphql(name = "_Entity")]
pub enum Entity {
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

impl From<Node> for Entity {
    fn from(node: Node) -> Self {
        match node {
            Node::Subject(it) => it.into(),
            Node::Project(it) => it.into(),
            Node::Procedure(it) => it.into(),
            Node::SubjectLog(it) => it.into(),
            Node::SubjectStateChange(it) => it.into(),
            Node::Strain(it) => it.into(),
            Node::Species(it) => it.into(),
            Node::Supplier(it) => it.into(),
            Node::License(it) => it.into(),
            Node::Breeding(it) => it.into(),
            Node::Cohort(it) => it.into(),
            Node::BrainRegion(it) => it.into(),
            Node::BiologicalSex(it) => it.into(),
            Node::Dataset(it) => it.into(),
        }
    }
}
