//! `Procedure` and `SubjectStateChange`.

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::{
    context::{RequestContext, global_id, related, related_all},
    error::Result,
    license::License,
    scalars::{DateTime, Json},
    subject::{Subject, SubjectSource},
    taxonomy::BrainRegion,
};
use crate::domain::{self, NodeId, Source, SubjectId};

/// What was done to an animal: an implant, an injection, a recording. On servers from before the 2025 renaming, an action.
pub struct Procedure(pub Arc<domain::Procedure>);

/// What was done to an animal: an implant, an injection, a recording. On servers from before the 2025 renaming, an action.
#[Object]
impl Procedure {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::Procedure(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the procedure.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The type, in BrainSTEM's words, such as `Craniotomy`.
    #[graphql(name = "type")]
    async fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// Free text.
    async fn notes(&self) -> Option<&str> {
        self.0.notes.as_deref()
    }

    /// The animal that it was done to. Null where it may not be seen.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        related(&RequestContext::of(ctx).loaders.animals, self.0.subject, Subject).await
    }

    /// Id of the animal. Costs nothing.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.map(|id| global_id(SubjectId::BrainStem(id)))
    }

    /// When it was done. Null: not given, or not readable as an instant; `rawDateTime` has the source's own text.
    async fn date_time(&self) -> Option<DateTime> {
        self.0.date_time.value.map(DateTime::Instant)
    }

    /// When it was done, as BrainSTEM writes it.
    async fn raw_date_time(&self) -> Option<&str> {
        self.0.date_time.raw.as_deref()
    }

    /// Where in the brain it was done.
    async fn brain_region(&self, ctx: &Context<'_>) -> Option<Result<BrainRegion>> {
        related(&RequestContext::of(ctx).loaders.brain_regions, self.0.brain_region, BrainRegion).await
    }

    /// Id of the brain region. Costs nothing.
    async fn brain_region_id(&self) -> Option<ID> {
        self.0.brain_region.map(|id| global_id(NodeId::BrainRegion(id)))
    }

    /// The licences that permit it. Those that may not be seen are left out.
    async fn licenses(&self, ctx: &Context<'_>) -> Option<Result<Vec<License>>> {
        Some(related_all(&RequestContext::of(ctx).loaders.licenses, &self.0.licenses, License).await)
    }

    /// Ids of all licences that the record lists, also of those that may not be seen. Costs nothing.
    async fn license_ids(&self) -> Vec<ID> {
        self.0.licenses.iter().map(|id| global_id(NodeId::License(*id))).collect()
    }

    /// What the type asks for, such as a target depth. Which keys there are depends on `type` and `typeSchemaVersion`.
    async fn details(&self) -> Option<Json> {
        self.0.details.clone().map(Json)
    }

    /// Version of the schema that `details` follow.
    async fn type_schema_version(&self) -> Option<&str> {
        self.0.type_schema_version.as_deref()
    }

    /// The system that `coordinatesDetails` are given in.
    async fn coordinates_system(&self) -> Option<&str> {
        self.0.coordinates_system.as_deref()
    }

    /// Coordinates, as their system asks for.
    async fn coordinates_details(&self) -> Option<Json> {
        self.0.coordinates_details.clone().map(Json)
    }

    /// Version of the schema that `coordinatesDetails` follow.
    async fn coordinates_schema_version(&self) -> Option<&str> {
        self.0.coordinates_schema_version.as_deref()
    }

    /// BrainSTEM's own UUID of the consumable that was used, which this gateway does not serve.
    async fn consumable_stock_source_id(&self) -> Option<ID> {
        self.0.consumable_stock.clone().map(ID)
    }

    /// BrainSTEM's own UUIDs of the equipment that was used, which this gateway does not serve.
    async fn equipment_source_ids(&self) -> Vec<ID> {
        self.0.equipment.iter().cloned().map(ID).collect()
    }

    /// When the record was made.
    async fn created_at(&self) -> Option<DateTime> {
        self.0.created_at.value.map(DateTime::Instant)
    }

    /// When the record was made, as BrainSTEM writes it.
    async fn raw_created_at(&self) -> Option<&str> {
        self.0.created_at.raw.as_deref()
    }

    /// When the record was last changed.
    async fn updated_at(&self) -> Option<DateTime> {
        self.0.updated_at.value.map(DateTime::Instant)
    }

    /// When the record was last changed, as BrainSTEM writes it.
    async fn raw_updated_at(&self) -> Option<&str> {
        self.0.updated_at.raw.as_deref()
    }
}

/// A change of an animal's state (death, slicing, craniotomy), as BrainSTEM servers from before the 2025 renaming record it.
pub struct SubjectStateChange(pub Arc<domain::StateChange>);

/// A change of an animal's state (death, slicing, craniotomy), as BrainSTEM servers from before the 2025 renaming record it.
#[Object]
impl SubjectStateChange {
    /// Opaque and global.
    pub(super) async fn id(&self) -> ID {
        global_id(NodeId::StateChange(self.0.id))
    }

    /// Always `BRAINSTEM`.
    async fn source(&self) -> SubjectSource {
        Source::BrainStem.into()
    }

    /// BrainSTEM's own UUID of the state change.
    async fn source_id(&self) -> ID {
        ID(self.0.id.uuid().to_string())
    }

    /// The type, in BrainSTEM's words, such as `Death`.
    #[graphql(name = "type")]
    async fn kind(&self) -> Option<&str> {
        self.0.kind.as_deref()
    }

    /// Free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The animal that it happened to. Null where it may not be seen.
    async fn subject(&self, ctx: &Context<'_>) -> Option<Result<Subject>> {
        related(&RequestContext::of(ctx).loaders.animals, self.0.subject, Subject).await
    }

    /// Id of the animal. Costs nothing.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.map(|id| global_id(SubjectId::BrainStem(id)))
    }

    /// When it happened. Null: not given, or not readable as an instant; `rawDateTime` has the source's own text.
    async fn date_time(&self) -> Option<DateTime> {
        self.0.date_time.value.map(DateTime::Instant)
    }

    /// When it happened, as BrainSTEM writes it.
    async fn raw_date_time(&self) -> Option<&str> {
        self.0.date_time.raw.as_deref()
    }

    /// Where in the brain it happened.
    async fn brain_region(&self, ctx: &Context<'_>) -> Option<Result<BrainRegion>> {
        related(&RequestContext::of(ctx).loaders.brain_regions, self.0.brain_region, BrainRegion).await
    }

    /// Id of the brain region. Costs nothing.
    async fn brain_region_id(&self) -> Option<ID> {
        self.0.brain_region.map(|id| global_id(NodeId::BrainRegion(id)))
    }

    /// What the type asks for. Which keys there are depends on `type`.
    async fn details(&self) -> Option<Json> {
        self.0.details.clone().map(Json)
    }

    /// The system that `coordinatesDetails` are given in.
    async fn coordinates_system(&self) -> Option<&str> {
        self.0.coordinates_system.as_deref()
    }

    /// Coordinates, as their system asks for.
    async fn coordinates_details(&self) -> Option<Json> {
        self.0.coordinates_details.clone().map(Json)
    }
}
