//! What somebody writes by hand with stock async-graphql: `SimpleObject`s, its `DataLoader` and a cache of records by moka,
//! over the same upstreams. Ids are the upstreams' own. Knows nothing of the gateway.

mod loaders;
mod records;

use std::{net::SocketAddr, sync::Arc};

use async_graphql::{
    ComplexObject, Context, EmptyMutation, EmptySubscription, Object, Result, Schema, SimpleObject,
    dataloader::DataLoader,
    runtime::{TokioSpawner, TokioTimer},
};
use async_graphql_axum::GraphQL;
use axum::{Router, routing::post_service};
use tokio::net::TcpListener;

use self::{
    loaders::{AnimalKey, Loader, ProcedureKey, ProjectKey},
    records::{Animal, Person, Procedure, Project, Upstreams},
};

/// Where the upstreams are, and whether what they said is kept.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) haut_ai: String,
    pub(crate) brainstem: String,
    pub(crate) is_caching: bool,
}

/// Serves `/graphql`.
pub(crate) async fn serve(address: SocketAddr, options: Options) -> anyhow::Result<()> {
    let upstreams = Arc::new(Upstreams::new(options)?);
    let loader = Loader(Arc::clone(&upstreams));
    let loader = DataLoader::new(loader, TokioSpawner::current(), TokioTimer::default());
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).data(upstreams).data(loader).finish();
    let router = Router::new().route("/graphql", post_service(GraphQL::new(schema)));
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}

struct Query;

#[derive(SimpleObject)]
struct Animals {
    nodes: Vec<Arc<Animal>>,
}

#[derive(SimpleObject)]
struct People {
    nodes: Vec<Arc<Person>>,
}

#[derive(SimpleObject)]
struct Somebody {
    id: String,
    name: String,
    sex: Option<String>,
    birth_date: Option<String>,
}

#[derive(SimpleObject)]
struct Everybody {
    nodes: Vec<Somebody>,
}

#[derive(SimpleObject)]
struct Procedures {
    nodes: Vec<Arc<Procedure>>,
}

#[Object]
impl Query {
    async fn animals(&self, ctx: &Context<'_>, first: usize) -> Result<Animals> {
        let page = ctx.data::<Arc<Upstreams>>()?.animals(0, first).await?;
        Ok(Animals { nodes: page.records.clone() })
    }

    async fn people(&self, ctx: &Context<'_>, first: usize) -> Result<People> {
        let page = ctx.data::<Arc<Upstreams>>()?.people(0, 1, first).await?;
        Ok(People { nodes: page.records.clone() })
    }

    /// Both sources have to be read to their ends before anything is known about the order.
    async fn everybody(&self, ctx: &Context<'_>, first: usize) -> Result<Everybody> {
        let (animals, people) = ctx.data::<Arc<Upstreams>>()?.everybody().await?;
        let animals = animals.iter().map(|animal| Somebody {
            id: animal.id.clone(),
            name: animal.name.clone(),
            sex: animal.sex.clone(),
            birth_date: animal.birth_date.clone(),
        });
        let people = people.iter().map(|person| Somebody {
            id: person.id.clone(),
            name: person.name.clone(),
            sex: person.biological_sex.as_ref().and_then(|sex| sex.tech_name.clone()),
            birth_date: person.birth_date.clone(),
        });
        let mut nodes: Vec<Somebody> = animals.chain(people).collect();
        nodes.sort_by_cached_key(|somebody| somebody.name.to_lowercase());
        nodes.truncate(first);
        Ok(Everybody { nodes })
    }
}

#[ComplexObject]
impl Animal {
    async fn projects(&self, ctx: &Context<'_>) -> Result<Vec<Arc<Project>>> {
        let keys: Vec<_> = self.project_ids.iter().cloned().map(ProjectKey).collect();
        let mut found = ctx.data::<DataLoader<Loader>>()?.load_many(keys.iter().cloned()).await?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }

    async fn procedures(&self, ctx: &Context<'_>) -> Result<Procedures> {
        let keys: Vec<_> = self.procedure_ids.iter().take(PAGE).cloned().map(ProcedureKey).collect();
        let mut found = ctx.data::<DataLoader<Loader>>()?.load_many(keys.iter().cloned()).await?;
        Ok(Procedures { nodes: keys.iter().filter_map(|key| found.remove(key)).collect() })
    }
}

/// As many procedures as the gateway gives when it is not told how many.
const PAGE: usize = 20;

#[ComplexObject]
impl Procedure {
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Arc<Animal>>> {
        Ok(ctx.data::<DataLoader<Loader>>()?.load_one(AnimalKey(self.subject_id.clone())).await?)
    }
}
