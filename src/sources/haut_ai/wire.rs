//! Haut.AI's JSON as it is. Never leaves this source.

use serde::Deserialize;
use serde_json::Value;

use crate::{
    domain::{
        BiologicalSex, Company, Dataset, DatasetId, Dated, HautAiSubjectId, Id, Subject, SubjectId,
        subject::{HautAiOwn, Own, SexReference},
    },
    sources::wire::{AnyJson, Reference, Text},
};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireSubject {
    id: Reference,
    name: Text,
    birth_date: Text,
    biological_sex: Reference,
    meta: AnyJson,
    author_id: Text,
    creation_time: Text,
    company: Reference,
    dataset: Reference,
    promote_image_id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireSex {
    id: Reference,
    name: Text,
    tech_name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireDataset {
    id: Reference,
    name: Text,
}

/// `None`: without a readable id.
pub(super) fn subject(wire: WireSubject, within: DatasetId) -> Option<Subject> {
    let Reference::Id(subject) = wire.id else {
        return None;
    };
    let biological_sex = sex_reference(wire.biological_sex);
    let sex = match &biological_sex {
        Some(SexReference::Whole(entry)) => Some(entry.sex()),
        Some(SexReference::Odd(_)) => Some(crate::domain::Sex::Unknown),
        // The dictionary knows.
        Some(SexReference::Bare(_)) | None => None,
    };
    Some(Subject {
        id: SubjectId::HautAi(HautAiSubjectId { company: within.company, dataset: within.dataset, subject }),
        name: wire.name.0.unwrap_or_default(),
        identifier: None,
        description: None,
        sex,
        birth_date: Dated::date(wire.birth_date.0),
        death_date: Dated::default(),
        status: None,
        strain: None,
        genotype: None,
        genetic_line: None,
        tags: Vec::new(),
        metadata: wire.meta.0,
        created_at: Dated::date_time(wire.creation_time.0),
        projects: Vec::new(),
        procedures: Vec::new(),
        logs: Vec::new(),
        licenses: Vec::new(),
        supplier: None,
        breeding: None,
        own: Own::HautAi(HautAiOwn {
            biological_sex,
            author_id: wire.author_id.0,
            promote_image_id: wire.promote_image_id.0,
            company: Company { source_id: within.company, name: name_of(&wire.company) },
            dataset: Dataset { id: within, name: name_of(&wire.dataset) },
        }),
    })
}

/// `None`: without a readable id.
pub(super) fn biological_sex(wire: WireSex) -> Option<BiologicalSex> {
    let Reference::Id(id) = wire.id else {
        return None;
    };
    Some(BiologicalSex { id: Id::new(id), name: wire.name.0, tech_name: wire.tech_name.0 })
}

/// `None`: without a readable id.
pub(super) fn dataset(wire: WireDataset, company: uuid::Uuid) -> Option<Dataset> {
    let Reference::Id(dataset) = wire.id else {
        return None;
    };
    Some(Dataset { id: DatasetId { company, dataset }, name: wire.name.0 })
}

fn sex_reference(reference: Reference) -> Option<SexReference> {
    Some(match reference {
        Reference::Nothing => return None,
        Reference::Id(id) => SexReference::Bare(Id::new(id)),
        Reference::Odd(text) => SexReference::Odd(text),
        Reference::Embedded(value) => {
            let text = value.to_string();
            match serde_json::from_value(value).ok().and_then(biological_sex) {
                Some(entry) if entry.name.is_none() && entry.tech_name.is_none() => SexReference::Bare(entry.id),
                Some(entry) => SexReference::Whole(entry),
                None => SexReference::Odd(text),
            }
        }
    })
}

/// The name in an embedded `{"id", "name"}`.
fn name_of(reference: &Reference) -> Option<String> {
    match reference {
        Reference::Embedded(Value::Object(fields)) => {
            fields.get("name")?.as_str().filter(|name| !name.is_empty()).map(str::to_owned)
        }
        _ => None,
    }
}
