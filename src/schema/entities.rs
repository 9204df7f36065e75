//! Federation: every node is an entity that a router fetches by its `id`.

use async_graphql::{Context, ID, Object};

use super::{
    biological_sex::{BiologicalSex, Dataset},
    breeding::Breeding,
    context::{add_error, node_id},
    license::{License, Supplier},
    log::SubjectLog,
    node::{self, Node},
    procedure::{Procedure, SubjectStateChange},
    project::{Cohort, Project},
    subject::Subject,
    taxonomy::{BrainRegion, Species, Strain},
};

/// The entity resolvers of `_entities`; no field of the schema.
#[derive(Default)]
pub struct Entities;

/// Null in place of what is not there, may not be seen, or failed: one entity must not take the others along.
async fn find(ctx: &Context<'_>, id: &ID) -> Option<Node> {
    let found = match node_id("id", id) {
        Ok(id) => node::load(ctx, id).await,
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| {
        add_error(ctx, error);
        None
    })
}

#[Object]
impl Entities {
    #[graphql(entity)]
    async fn find_subject(&self, ctx: &Context<'_>, id: ID) -> Option<Subject> {
        match find(ctx, &id).await? {
            Node::Subject(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_project(&self, ctx: &Context<'_>, id: ID) -> Option<Project> {
        match find(ctx, &id).await? {
            Node::Project(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_procedure(&self, ctx: &Context<'_>, id: ID) -> Option<Procedure> {
        match find(ctx, &id).await? {
            Node::Procedure(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_subject_log(&self, ctx: &Context<'_>, id: ID) -> Option<SubjectLog> {
        match find(ctx, &id).await? {
            Node::SubjectLog(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_subject_state_change(&self, ctx: &Context<'_>, id: ID) -> Option<SubjectStateChange> {
        match find(ctx, &id).await? {
            Node::SubjectStateChange(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_strain(&self, ctx: &Context<'_>, id: ID) -> Option<Strain> {
        match find(ctx, &id).await? {
            Node::Strain(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_species(&self, ctx: &Context<'_>, id: ID) -> Option<Species> {
        match find(ctx, &id).await? {
            Node::Species(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_supplier(&self, ctx: &Context<'_>, id: ID) -> Option<Supplier> {
        match find(ctx, &id).await? {
            Node::Supplier(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_license(&self, ctx: &Context<'_>, id: ID) -> Option<License> {
        match find(ctx, &id).await? {
            Node::License(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_breeding(&self, ctx: &Context<'_>, id: ID) -> Option<Breeding> {
        match find(ctx, &id).await? {
            Node::Breeding(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_cohort(&self, ctx: &Context<'_>, id: ID) -> Option<Cohort> {
        match find(ctx, &id).await? {
            Node::Cohort(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_brain_region(&self, ctx: &Context<'_>, id: ID) -> Option<BrainRegion> {
        match find(ctx, &id).await? {
            Node::BrainRegion(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_biological_sex(&self, ctx: &Context<'_>, id: ID) -> Option<BiologicalSex> {
        match find(ctx, &id).await? {
            Node::BiologicalSex(found) => Some(found),
            _ => None,
        }
    }

    #[graphql(entity)]
    async fn find_dataset(&self, ctx: &Context<'_>, id: ID) -> Option<Dataset> {
        match find(ctx, &id).await? {
            Node::Dataset(found) => Some(found),
            _ => None,
        }
    }
}
