//! The app `modules`: what was done to a subject and noted about it.

use super::{Endpoint, Model, Related, either, endpoint, filled, foreign_ids, own_id};
use crate::{
    config::Generation,
    domain::{Dated, Id, LogEntry, NodeId, Procedure, StateChange, SubjectLog},
    sources::{
        brainstem::wire,
        paging::Weighed,
        wire::{AnyJson, record},
    },
};

impl Model for Procedure {
    const NAME: &'static str = "procedure";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Procedure;
    /// Procedures have no name.
    const SORT: &'static [&'static str] = &["date_time", "id"];

    fn endpoint(generation: Generation) -> Option<Endpoint> {
        Some(match generation {
            Generation::Current => endpoint("modules", "procedure", "procedures", "procedure"),
            Generation::Legacy => endpoint("modules", "action", "actions", "action"),
        })
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Procedure = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            kind: wire.kind.0,
            notes: wire.notes.0.or(wire.description.0),
            subject: related.id_of(&wire.subject),
            date_time: Dated::date_time(wire.date_time.0),
            brain_region: related.id_of(&wire.brain_region),
            licenses: related.ids_of(&wire.licenses),
            details: filled(wire.details),
            type_schema_version: wire.type_schema_version.0,
            coordinates_system: wire.coordinates_system.0,
            coordinates_details: filled(wire.coordinates_details),
            coordinates_schema_version: wire.coordinates_schema_version.0,
            consumable_stock: wire.consumablestock.text().or(wire.consumable.text()),
            equipment: foreign_ids(either(&wire.equipment, &wire.hardwaredevice)),
            created_at: Dated::date_time(wire.created_at.0),
            updated_at: Dated::date_time(wire.updated_at.0),
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("licenses", self.licenses.len())]
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.procedures
    }
}

impl Model for StateChange {
    const NAME: &'static str = "subjectstatechange";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::StateChange;
    const SORT: &'static [&'static str] = &["date_time", "id"];

    fn endpoint(generation: Generation) -> Option<Endpoint> {
        match generation {
            Generation::Current => None,
            Generation::Legacy => {
                Some(endpoint("modules", "subjectstatechange", "subject_state_changes", "subject_state_change"))
            }
        }
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Procedure = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            kind: wire.kind.0,
            description: wire.description.0.or(wire.notes.0),
            subject: related.id_of(&wire.subject),
            date_time: Dated::date_time(wire.date_time.0),
            brain_region: related.id_of(&wire.brain_region),
            details: filled(wire.details),
            coordinates_system: wire.coordinates_system.0,
            coordinates_details: filled(wire.coordinates_details),
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.state_changes
    }
}

impl Model for SubjectLog {
    const NAME: &'static str = "subjectlog";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::SubjectLog;
    const SORT: &'static [&'static str] = &["id"];

    fn endpoint(generation: Generation) -> Option<Endpoint> {
        match generation {
            Generation::Current => Some(endpoint("modules", "subjectlog", "subject_logs", "subject_log")),
            Generation::Legacy => None,
        }
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::SubjectLog = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            kind: wire.kind.0,
            description: wire.description.0,
            subject: related.id_of(&wire.subject),
            entries: log_entries(wire.entries),
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.logs
    }
}

/// An entry that is no object keeps its content as the entry's details.
fn log_entries(AnyJson(entries): AnyJson) -> Vec<LogEntry> {
    let entries = match entries {
        Some(serde_json::Value::Array(entries)) => entries,
        other => Vec::from_iter(other),
    };
    let entry = |json: serde_json::Value| match serde_json::from_value::<wire::LogEntry>(json.clone()) {
        Ok(entry) => LogEntry {
            date_time: Dated::date_time(entry.date_time.0),
            start_date_time: Dated::date_time(entry.start_date_time.0),
            end_date_time: Dated::date_time(entry.end_date_time.0),
            notes: entry.notes.0,
            details: filled(entry.details),
        },
        Err(_) => LogEntry { details: Some(json), ..LogEntry::default() },
    };
    entries.into_iter().map(entry).collect()
}
