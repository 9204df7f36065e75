//! BrainSTEM's JSON as it is, of both generations. Never leaves this source.

use serde::Deserialize;

use crate::sources::wire::{AnyJson, Flag, Reference, References, Text, Texts, Whole};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the upstream's")]
pub(super) struct Subject {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) description: Text,
    pub(super) projects: References,
    pub(super) licenses: References,
    pub(super) strain: Reference,
    pub(super) sex: Text,
    pub(super) genetic_line: Text,
    pub(super) genotype: Text,
    pub(super) subject_identifier: Text,
    pub(super) supplier: Reference,
    pub(super) breeding: Reference,
    pub(super) birth_date: Text,
    pub(super) death_date: Text,
    pub(super) status: Text,
    pub(super) extra_fields: AnyJson,
    pub(super) procedures: References,
    pub(super) subjectlogs: References,
    pub(super) name_used_in_storage: Text,
    pub(super) tags: Texts,
    /// Before the renaming: procedures.
    pub(super) actions: References,
    /// Before the renaming.
    pub(super) subjectstatechanges: References,
    /// Before the renaming: the supplier as a text.
    pub(super) source: Text,
    /// Before the renaming: the name used in storage.
    pub(super) name_used_in_repository: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Project {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) description: Text,
    pub(super) sessions: References,
    pub(super) subjects: References,
    pub(super) publications: References,
    pub(super) collections: References,
    pub(super) cohorts: References,
    pub(super) extra_fields: AnyJson,
    pub(super) is_public: Flag,
    pub(super) tags: Texts,
}

/// A procedure; before the renaming an action or a subject's state change.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Procedure {
    pub(super) id: Reference,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) notes: Text,
    pub(super) subject: Reference,
    pub(super) date_time: Text,
    pub(super) consumablestock: Reference,
    pub(super) equipment: References,
    pub(super) brain_region: Reference,
    pub(super) licenses: References,
    pub(super) details: AnyJson,
    pub(super) type_schema_version: Text,
    pub(super) coordinates_system: Text,
    pub(super) coordinates_details: AnyJson,
    pub(super) coordinates_schema_version: Text,
    pub(super) created_at: Text,
    pub(super) updated_at: Text,
    /// Before the renaming: the notes.
    pub(super) description: Text,
    /// Before the renaming: the consumable.
    pub(super) consumable: Reference,
    /// Before the renaming: the equipment.
    pub(super) hardwaredevice: References,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SubjectLog {
    pub(super) id: Reference,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) description: Text,
    pub(super) subject: Reference,
    pub(super) entries: AnyJson,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogEntry {
    pub(super) date_time: Text,
    pub(super) start_date_time: Text,
    pub(super) end_date_time: Text,
    pub(super) notes: Text,
    pub(super) details: AnyJson,
}

/// A strain or a species.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Taxon {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) description: Text,
    pub(super) species: Reference,
    pub(super) rrid: Text,
    pub(super) rrid_url: Text,
    pub(super) external_identifiers: AnyJson,
}

/// A brain region or a supplier.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) description: Text,
    pub(super) website: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are the upstream's")]
pub(super) struct License {
    pub(super) id: Reference,
    pub(super) name: Text,
    #[serde(rename = "type")]
    pub(super) kind: Text,
    pub(super) status: Text,
    pub(super) description: Text,
    pub(super) country: Text,
    pub(super) license_number: Text,
    pub(super) valid_from: Text,
    pub(super) valid_until: Text,
    pub(super) is_public: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Breeding {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) project: Reference,
    pub(super) mother: Reference,
    pub(super) father: Reference,
    pub(super) description: Text,
    pub(super) tags: Texts,
    pub(super) birth_date: Text,
    pub(super) start_date: Text,
    pub(super) end_date: Text,
    pub(super) weaning_date: Text,
    pub(super) litter_size: Whole,
    pub(super) expected_genotype: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cohort {
    pub(super) id: Reference,
    pub(super) name: Text,
    pub(super) description: Text,
    pub(super) project: Reference,
    pub(super) subjects: References,
    pub(super) tags: Texts,
}
