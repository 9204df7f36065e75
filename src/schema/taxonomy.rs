//! `Strain`, `Species` and `BrainRegion`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    context::{RequestContext, global_id, related},
    error::Result,
    scalars::Json,
    subject::SubjectSource,
};
use crate::domain::{self, NodeId, Source};

/// A strain of animals.
pub struct Strain(pub Arc<domain::Strain>);

/// A strain of animals.
#[Object]
impl Strain {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Strain(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the strain.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name, such as `C57BL/6J`.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The species that the strain belongs to.
    async fn species(&self, ctx: &Context<'_>) -> Option<Result<Species>> {
        related(&RequestContext::of(ctx).loaders.species, self.0.species, Species).await
    }

    /// Id of the species. Costs nothing.
    async fn species_id(&self) -> Option<ID> {
        self.0.species.map(|id| global_id(NodeId::Species(id)))
    }

    /// Research Resource Identifier.
    async fn rrid(&self) -> Option<&str> {
        self.0.rrid.as_deref()
    }

    /// A page about the Research Resource Identifier.
    async fn rrid_url(&self) -> Option<&str> {
        self.0.rrid_url.as_deref()
    }

    /// The strain's names in other registries.
    async fn external_identifiers(&self) -> Option<Json> {
        self.0.external_identifiers.clone().map(Json)
    }
}

/// A species.
pub struct Species(pub Arc<domain::Species>);

/// A species.
#[Object]
impl Species {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Species(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the species.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The name, which may be a common one, such as `Mouse`.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Free text; often the Latin name.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Research Resource Identifier.
    async fn rrid(&self) -> Option<&str> {
        self.0.rrid.as_deref()
    }

    /// A page about the Research Resource Identifier.
    async fn rrid_url(&self) -> Option<&str> {
        self.0.rrid_url.as_deref()
    }

    /// The species' names in other registries, such as the NCBI taxonomy.
    async fn external_identifiers(&self) -> Option<Json> {
        self.0.external_identifiers.clone().map(Json)
    }
}

/// A region of the brain.
pub struct BrainRegion(pub Arc<domain::BrainRegion>);

/// A region of the brain.
#[Object]
impl BrainRegion {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::BrainRegion(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the region.
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
}
