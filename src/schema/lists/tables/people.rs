//! What Haut.AI keeps around people: `BiologicalSex`, `Dataset` and `Company`.

use super::super::{
    Record,
    plan::{Selected, Step},
};
use crate::{
    domain::{NodeId, Source},
    schema::{
        biological_sex::{BiologicalSex, Company, Dataset},
        subject::{Sex, SubjectSource},
    },
};

impl Record for BiologicalSex {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::BiologicalSex(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::HautAi)),
            "sourceId" => |it, out| out.put(&it.0.id.uuid()),
            "name" => |it, out| out.put(&it.0.name),
            "techName" => |it, out| out.put(&it.0.tech_name),
            "sex" => |it, out| out.name(Sex::from(it.0.sex())),
            _ => return None,
        }))
    }
}

impl Record for Dataset {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "id" => |it, out| out.put(&NodeId::Dataset(it.0.id)),
            "source" => |_, out| out.name(SubjectSource::from(Source::HautAi)),
            "sourceId" => |it, out| out.put(&it.0.id.dataset),
            "name" => |it, out| out.put(&it.0.name),
            "companySourceId" => |it, out| out.put(&it.0.id.company),
            _ => return None,
        }))
    }
}

impl Record for Company {
    fn step(field: Selected<'_>) -> Option<Step<'_, Self>> {
        Some(Step::Plain(match field.name() {
            "sourceId" => |it, out| out.put(&it.0.source_id),
            "name" => |it, out| out.put(&it.0.name),
            _ => return None,
        }))
    }
}
