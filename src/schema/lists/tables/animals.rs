//! What BrainSTEM keeps around animals: `Project`, `Cohort`, `License`, `Supplier` and `Breeding`.

use futures::FutureExt as _;

use super::super::{
    Record,
    plan::{Selected, Step},
};
use crate::{
    domain::{NodeId, Source, SubjectId},
    schema::{
        breeding::Breeding,
        license::{License, Supplier},
        project::{Cohort, Project},
        subject::{Subject, SubjectSource},
    },
};

impl Record for Project {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Project(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "subjectIds" => |it, out| out.ids(&it.0.subjects, |id| SubjectId::BrainStem(id).into()),
            "cohorts" => {
                return field.page(
                    |it| Some(&it.0.cohorts),
                    Self::cohort_list,
                    |all, keys| all.cohorts.load_each(keys).boxed(),
                    Cohort,
                );
            }
            "cohortIds" => |it, out| out.ids(&it.0.cohorts, NodeId::Cohort),
            "sessionSourceIds" => |it, out| out.put(&it.0.sessions),
            "publicationSourceIds" => |it, out| out.put(&it.0.publications),
            "collectionSourceIds" => |it, out| out.put(&it.0.collections),
            "metadata" => |it, out| out.put(&it.0.metadata),
            "isPublic" => |it, out| out.put(&it.0.is_public),
            "tags" => |it, out| out.put(&it.0.tags),
            _ => return None,
        }))
    }
}

impl Record for Cohort {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Cohort(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "project" => {
                return field.one(|it| it.0.project, |all, keys| all.projects.load_each(keys).boxed(), Project);
            }
            "projectId" => |it, out| out.put(&it.0.project.map(NodeId::Project)),
            "subjectIds" => |it, out| out.ids(&it.0.subjects, |id| SubjectId::BrainStem(id).into()),
            "tags" => |it, out| out.put(&it.0.tags),
            _ => return None,
        }))
    }
}

impl Record for License {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::License(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "type" => |it, out| out.put(&it.0.kind),
            "status" => |it, out| out.put(&it.0.status),
            "description" => |it, out| out.put(&it.0.description),
            "country" => |it, out| out.put(&it.0.country),
            "licenseNumber" => |it, out| out.put(&it.0.license_number),
            "validFrom" => |it, out| out.put(&it.0.valid_from.value),
            "rawValidFrom" => |it, out| out.put(&it.0.valid_from.raw),
            "validUntil" => |it, out| out.put(&it.0.valid_until.value),
            "rawValidUntil" => |it, out| out.put(&it.0.valid_until.raw),
            "isPublic" => |it, out| out.put(&it.0.is_public),
            _ => return None,
        }))
    }
}

impl Record for Supplier {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Supplier(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "website" => |it, out| out.put(&it.0.website),
            _ => return None,
        }))
    }
}

impl Record for Breeding {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Breeding(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::BrainStem)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "description" => |it, out| out.put(&it.0.description),
            "project" => {
                return field.one(|it| it.0.project, |all, keys| all.projects.load_each(keys).boxed(), Project);
            }
            "projectId" => |it, out| out.put(&it.0.project.map(NodeId::Project)),
            "mother" => return field.one(|it| it.0.mother, |all, keys| all.animals.load_each(keys).boxed(), Subject),
            "motherId" => |it, out| out.put(&it.0.mother.map(|id| NodeId::from(SubjectId::BrainStem(id)))),
            "father" => return field.one(|it| it.0.father, |all, keys| all.animals.load_each(keys).boxed(), Subject),
            "fatherId" => |it, out| out.put(&it.0.father.map(|id| NodeId::from(SubjectId::BrainStem(id)))),
            "tags" => |it, out| out.put(&it.0.tags),
            "birthDate" => |it, out| out.put(&it.0.birth_date.value),
            "rawBirthDate" => |it, out| out.put(&it.0.birth_date.raw),
            "startDate" => |it, out| out.put(&it.0.start_date.value),
            "rawStartDate" => |it, out| out.put(&it.0.start_date.raw),
            "endDate" => |it, out| out.put(&it.0.end_date.value),
            "rawEndDate" => |it, out| out.put(&it.0.end_date.raw),
            "weaningDate" => |it, out| out.put(&it.0.weaning_date.value),
            "rawWeaningDate" => |it, out| out.put(&it.0.weaning_date.raw),
            "litterSize" => |it, out| out.put(&it.0.litter_size),
            "expectedGenotype" => |it, out| out.put(&it.0.expected_genotype),
            _ => return None,
        }))
    }
}
