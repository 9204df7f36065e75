//! The apps `taxonomies`, `resources` and `personal_attributes`.

use super::{Endpoint, Model, Related, endpoint, filled, own_id};
use crate::{
    config::Generation,
    domain::{BrainRegion, Dated, Id, License, NodeId, Species, Strain, Supplier},
    sources::{brainstem::wire, paging::Weighed, wire::record},
};

impl Model for Strain {
    const NAME: &'static str = "strain";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Strain;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("taxonomies", "strain", "strains", "strain"))
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Taxon = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            description: wire.description.0,
            species: related.id_of(&wire.species),
            rrid: wire.rrid.0,
            rrid_url: wire.rrid_url.0,
            external_identifiers: filled(wire.external_identifiers),
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.strains
    }
}

impl Model for Species {
    const NAME: &'static str = "species";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Species;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("taxonomies", "species", "species", "species"))
    }

    fn from_json(json: &str, _: &mut Related) -> Option<Self> {
        let wire: wire::Taxon = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            description: wire.description.0,
            rrid: wire.rrid.0,
            rrid_url: wire.rrid_url.0,
            external_identifiers: filled(wire.external_identifiers),
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.species
    }
}

impl Model for BrainRegion {
    const NAME: &'static str = "brainregion";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::BrainRegion;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        // The list key is inferred; `answer` takes another one as well.
        Some(endpoint("taxonomies", "brainregion", "brain_regions", "brain_region"))
    }

    fn from_json(json: &str, _: &mut Related) -> Option<Self> {
        let wire: wire::Named = record(json).ok()?;
        Some(Self { id: own_id(&wire.id)?, name: wire.name.0.unwrap_or_default(), description: wire.description.0 })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.brain_regions
    }
}

impl Model for Supplier {
    const NAME: &'static str = "supplier";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Supplier;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("resources", "supplier", "suppliers", "supplier"))
    }

    fn from_json(json: &str, _: &mut Related) -> Option<Self> {
        let wire: wire::Named = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            description: wire.description.0,
            website: wire.website.0,
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.suppliers
    }
}

impl Model for License {
    const NAME: &'static str = "license";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::License;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("personal_attributes", "license", "licenses", "license"))
    }

    fn from_json(json: &str, _: &mut Related) -> Option<Self> {
        let wire: wire::License = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            kind: wire.kind.0,
            status: wire.status.0,
            description: wire.description.0,
            country: wire.country.0,
            license_number: wire.license_number.0,
            valid_from: Dated::date(wire.valid_from.0),
            valid_until: Dated::date(wire.valid_until.0),
            is_public: wire.is_public.0,
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.licenses
    }
}
