//! `Procedure`, `SubjectStateChange` and `SubjectLog`.

use futures::FutureExt as _;

use super::super::{
    Record,
    plan::{Selected, Step},
};
use crate::{
    domain::{NodeId, Source, SubjectId},
    schema::{
        license::License,
        log::{SubjectLog, SubjectLogEntry},
        procedure::{Procedure, SubjectStateChange},
        subject::{Subject, SubjectSource},
        taxonomy::BrainRegion,
    },
};

impl Record for Procedure {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Procedure(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "type" => |it, out| out.put(&it.0.kind),
            "notes" => |it, out| out.put(&it.0.notes),
            "subject" => return field.one(|it| it.0.subject, |all, keys| all.animals.load_each(keys).boxed(), Subject),
            "subjectId" => |it, out| out.put(&it.0.subject.map(|id| NodeId::from(SubjectId::BrainStem(id)))),
            "dateTime" => |it, out| out.put(&it.0.date_time.value),
            "rawDateTime" => |it, out| out.put(&it.0.date_time.raw),
            "brainRegion" => {
                return field.one(
                    |it| it.0.brain_region,
                    |all, keys| all.brain_regions.load_each(keys).boxed(),
                    BrainRegion,
                );
            }
            "brainRegionId" => |it, out| out.put(&it.0.brain_region.map(NodeId::BrainRegion)),
            "licenses" => {
                return field.many(
                    |it| Some(&it.0.licenses),
                    |all, keys| all.licenses.load_each(keys).boxed(),
                    License,
                );
            }
            "licenseIds" => |it, out| out.ids(&it.0.licenses, NodeId::License),
            "details" => |it, out| out.put(&it.0.details),
            "typeSchemaVersion" => |it, out| out.put(&it.0.type_schema_version),
            "coordinatesSystem" => |it, out| out.put(&it.0.coordinates_system),
            "coordinatesDetails" => |it, out| out.put(&it.0.coordinates_details),
            "coordinatesSchemaVersion" => |it, out| out.put(&it.0.coordinates_schema_version),
            "consumableStockSourceId" => |it, out| out.put(&it.0.consumable_stock),
            "equipmentSourceIds" => |it, out| out.put(&it.0.equipment),
            "createdAt" => |it, out| out.put(&it.0.created_at.value),
            "rawCreatedAt" => |it, out| out.put(&it.0.created_at.raw),
            "updatedAt" => |it, out| out.put(&it.0.updated_at.value),
            "rawUpdatedAt" => |it, out| out.put(&it.0.updated_at.raw),
            _ => return None,
        }))
    }
}

impl Record for SubjectStateChange {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::StateChange(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "type" => |it, out| out.put(&it.0.kind),
            "description" => |it, out| out.put(&it.0.description),
            "subject" => return field.one(|it| it.0.subject, |all, keys| all.animals.load_each(keys).boxed(), Subject),
            "subjectId" => |it, out| out.put(&it.0.subject.map(|id| NodeId::from(SubjectId::BrainStem(id)))),
            "dateTime" => |it, out| out.put(&it.0.date_time.value),
            "rawDateTime" => |it, out| out.put(&it.0.date_time.raw),
            "brainRegion" => {
                return field.one(
                    |it| it.0.brain_region,
                    |all, keys| all.brain_regions.load_each(keys).boxed(),
                    BrainRegion,
                );
            }
            "brainRegionId" => |it, out| out.put(&it.0.brain_region.map(NodeId::BrainRegion)),
            "details" => |it, out| out.put(&it.0.details),
            "coordinatesSystem" => |it, out| out.put(&it.0.coordinates_system),
            "coordinatesDetails" => |it, out| out.put(&it.0.coordinates_details),
            _ => return None,
        }))
    }
}

impl Record for SubjectLog {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::SubjectLog(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "type" => |it, out| out.put(&it.0.kind),
            "description" => |it, out| out.put(&it.0.description),
            "subject" => return field.one(|it| it.0.subject, |all, keys| all.animals.load_each(keys).boxed(), Subject),
            "subjectId" => |it, out| out.put(&it.0.subject.map(|id| NodeId::from(SubjectId::BrainStem(id)))),
            "entries" => return field.all_made(Self::all_entries),
            _ => return None,
        }))
    }
}

impl Record for SubjectLogEntry {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "dateTime" => |it, out| out.put(&it.entry().date_time.value),
            "rawDateTime" => |it, out| out.put(&it.entry().date_time.raw),
            "startDateTime" => |it, out| out.put(&it.entry().start_date_time.value),
            "rawStartDateTime" => |it, out| out.put(&it.entry().start_date_time.raw),
            "endDateTime" => |it, out| out.put(&it.entry().end_date_time.value),
            "rawEndDateTime" => |it, out| out.put(&it.entry().end_date_time.raw),
            "notes" => |it, out| out.put(&it.entry().notes),
            "details" => |it, out| out.put(&it.entry().details),
            _ => return None,
        }))
    }
}
