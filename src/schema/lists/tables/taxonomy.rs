//! `Strain`, `Species` and `BrainRegion`.

use futures::FutureExt as _;

use super::super::{
    Record,
    plan::{Selected, Step},
};
use crate::{
    domain::{NodeId, Source},
    schema::{
        subject::SubjectSource,
        taxonomy::{BrainRegion, Species, Strain},
    },
};

impl Record for Strain {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Strain(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "species" => return field.one(|it| it.0.species, |all, keys| all.species.load_each(keys).boxed(), Species),
            "speciesId" => |it, out| out.put(&it.0.species.map(NodeId::Species)),
            "rrid" => |it, out| out.put(&it.0.rrid),
            "rridUrl" => |it, out| out.put(&it.0.rrid_url),
            "externalIdentifiers" => |it, out| out.put(&it.0.external_identifiers),
            _ => return None,
        }))
    }
}

impl Record for Species {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Species(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "rrid" => |it, out| out.put(&it.0.rrid),
            "rridUrl" => |it, out| out.put(&it.0.rrid_url),
            "externalIdentifiers" => |it, out| out.put(&it.0.external_identifiers),
            _ => return None,
        }))
    }
}

impl Record for BrainRegion {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::BrainRegion(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            _ => return None,
        }))
    }
}
