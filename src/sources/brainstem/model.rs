//! What BrainSTEM serves one by one: where it stands, and how its wire form becomes the domain's.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::{answer::read, sideload::Learnt};
use crate::{
    config::Generation,
    domain::{
        BrainRegion, Breeding, Cohort, Id, License, NodeId, Procedure, Project, Species, StateChange, Strain, Subject,
        SubjectLog, Supplier,
    },
    sources::{
        paging::Weighed,
        wire::{AnyJson, Reference, References},
    },
};

mod modules;
mod resources;
mod stem;

/// Where records of a kind stand on the server, and under which keys in its answers.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    pub(super) app: &'static str,
    pub(super) model: &'static str,
    pub(super) list_key: &'static str,
    pub(super) record_key: &'static str,
}

const fn endpoint(
    app: &'static str,
    model: &'static str,
    list_key: &'static str,
    record_key: &'static str,
) -> Endpoint {
    Endpoint { app, model, list_key, record_key }
}

/// A kind of record that BrainSTEM serves one by one.
pub trait Model: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// For logs.
    const NAME: &'static str;
    /// The order of lists; by id at last, so that pages neither overlap nor leave gaps.
    const SORT: &'static [&'static str] = &["name", "id"];
    /// Its global id.
    const NODE: fn(Id<Self>) -> NodeId;

    /// `None`: servers of this generation have no such records.
    fn endpoint(generation: Generation) -> Option<Endpoint>;

    /// Reads a record. `None`: it has no readable id. Records that came embedded in place of their ids go to `related`.
    fn from_json(json: &str, related: &mut Related) -> Option<Self>;

    fn id(&self) -> Id<Self>;

    /// How many records it refers to, by the upstream's fields that hold lists.
    fn sizes(&self) -> Vec<(&'static str, usize)> {
        Vec::new()
    }

    /// Where related records of this kind are gathered.
    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>>;
}

/// Records that came along with others.
#[derive(Debug, Default)]
pub struct Related {
    pub subjects: Vec<Weighed<Subject>>,
    pub projects: Vec<Weighed<Project>>,
    pub procedures: Vec<Weighed<Procedure>>,
    pub logs: Vec<Weighed<SubjectLog>>,
    pub state_changes: Vec<Weighed<StateChange>>,
    pub strains: Vec<Weighed<Strain>>,
    pub species: Vec<Weighed<Species>>,
    pub suppliers: Vec<Weighed<Supplier>>,
    pub licenses: Vec<Weighed<License>>,
    pub breedings: Vec<Weighed<Breeding>>,
    pub cohorts: Vec<Weighed<Cohort>>,
    pub brain_regions: Vec<Weighed<BrainRegion>>,
}

impl Related {
    const KEYS: [&'static str; 13] = [
        "subjects",
        "projects",
        "procedures",
        "actions",
        "subject_logs",
        "subject_state_changes",
        "strains",
        "species",
        "suppliers",
        "licenses",
        "breedings",
        "cohorts",
        "brain_regions",
    ];

    /// Whether a list under this key is one of related records. Those of the request's own kind have a `+` before it.
    pub(super) fn knows(key: &str) -> bool {
        key.starts_with('+') || Self::KEYS.contains(&key)
    }

    /// Takes in the list that stood under `key`; anything else is passed over.
    pub(super) fn absorb(&mut self, key: &str, json: &str) {
        match key.trim_start_matches('+') {
            "subjects" => self.read::<Subject>(json),
            "projects" => self.read::<Project>(json),
            "procedures" | "actions" => self.read::<Procedure>(json),
            "subject_logs" | "subjectlogs" => self.read::<SubjectLog>(json),
            "subject_state_changes" | "subjectstatechanges" => self.read::<StateChange>(json),
            "strains" => self.read::<Strain>(json),
            "species" => self.read::<Species>(json),
            "suppliers" => self.read::<Supplier>(json),
            "licenses" => self.read::<License>(json),
            "breedings" => self.read::<Breeding>(json),
            "cohorts" => self.read::<Cohort>(json),
            "brain_regions" | "brainregions" => self.read::<BrainRegion>(json),
            _ => {}
        }
    }

    fn read<T: Model>(&mut self, json: &str) {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        for item in items {
            if let Some(record) = read::<T>(item.get(), self) {
                T::among(self).push(record);
            }
        }
    }

    /// Takes the sizes of the records' own relations into account.
    pub(super) fn measured_by(&self, learnt: &Learnt) {
        fn records<T>(items: &[Weighed<T>]) -> impl Iterator<Item = &T> {
            items.iter().map(|item| &*item.record)
        }
        learnt.measure(records(&self.subjects));
        learnt.measure(records(&self.projects));
        learnt.measure(records(&self.procedures));
        learnt.measure(records(&self.cohorts));
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.subjects.append(&mut other.subjects);
        self.projects.append(&mut other.projects);
        self.procedures.append(&mut other.procedures);
        self.logs.append(&mut other.logs);
        self.state_changes.append(&mut other.state_changes);
        self.strains.append(&mut other.strains);
        self.species.append(&mut other.species);
        self.suppliers.append(&mut other.suppliers);
        self.licenses.append(&mut other.licenses);
        self.breedings.append(&mut other.breedings);
        self.cohorts.append(&mut other.cohorts);
        self.brain_regions.append(&mut other.brain_regions);
    }

    /// The id that a field refers to; a record embedded in its place is kept.
    fn id_of<T: Model>(&mut self, reference: &Reference) -> Option<Id<T>> {
        match reference {
            Reference::Id(id) => Some(Id::new(*id)),
            // With an id and a name it stands for the record and is not the whole of it.
            Reference::Embedded(value) if value.as_object().is_none_or(|fields| fields.len() <= 2) => {
                reference.uuid().map(Id::new)
            }
            Reference::Embedded(value) => {
                let record = read::<T>(&value.to_string(), self)?;
                let id = record.record.id();
                T::among(self).push(record);
                Some(id)
            }
            Reference::Nothing => None,
            Reference::Odd(_) => {
                tracing::warn!(source = "BRAINSTEM", to = T::NAME, "a reference that is no UUID was left out");
                None
            }
        }
    }

    fn ids_of<T: Model>(&mut self, references: &References) -> Vec<Id<T>> {
        references.0.iter().filter_map(|reference| self.id_of(reference)).collect()
    }
}

/// Both generations' fields hold the same thing: whichever is there.
fn either<'a>(today: &'a References, before: &'a References) -> &'a References {
    if today.0.is_empty() { before } else { today }
}

fn own_id<T>(id: &Reference) -> Option<Id<T>> {
    match id {
        Reference::Id(uuid) => Some(Id::new(*uuid)),
        _ => None,
    }
}

/// Ids of records that the gateway does not serve, as they came.
fn foreign_ids(references: &References) -> Vec<String> {
    references.0.iter().filter_map(Reference::text).collect()
}

/// An empty object says nothing.
fn filled(AnyJson(value): AnyJson) -> Option<serde_json::Value> {
    value.filter(|value| !value.as_object().is_some_and(serde_json::Map::is_empty))
}
