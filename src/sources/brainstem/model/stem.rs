//! The app `stem`: subjects, projects, breedings, cohorts.

use super::{Endpoint, Model, Related, either, endpoint, foreign_ids, own_id};
use crate::{
    config::Generation,
    domain::{
        Breeding, Cohort, Dated, Id, NodeId, Project, Subject, SubjectId,
        subject::{BrainStemOwn, Own, extra_fields, sex_from_code, status_from_word},
    },
    sources::{brainstem::wire, paging::Weighed, wire::record},
};

impl Model for Subject {
    const NAME: &'static str = "subject";
    const NODE: fn(Id<Self>) -> NodeId = |id| NodeId::Subject(SubjectId::BrainStem(id));

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("stem", "subject", "subjects", "subject"))
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Subject = record(json).ok()?;
        Some(Self {
            id: SubjectId::BrainStem(own_id(&wire.id)?),
            name: wire.name.0.unwrap_or_default(),
            identifier: wire.subject_identifier.0,
            description: wire.description.0,
            sex: sex_from_code(wire.sex.0.as_deref()),
            birth_date: Dated::date(wire.birth_date.0),
            death_date: Dated::date(wire.death_date.0),
            status: status_from_word(wire.status.0.as_deref()),
            strain: related.id_of(&wire.strain),
            genotype: wire.genotype.0,
            genetic_line: wire.genetic_line.0,
            tags: wire.tags.0,
            metadata: extra_fields(wire.extra_fields.0),
            created_at: Dated::default(),
            projects: related.ids_of(&wire.projects),
            procedures: related.ids_of(either(&wire.procedures, &wire.actions)),
            logs: related.ids_of(&wire.subjectlogs),
            licenses: related.ids_of(&wire.licenses),
            supplier: related.id_of(&wire.supplier),
            breeding: related.id_of(&wire.breeding),
            own: Own::BrainStem(BrainStemOwn {
                name_used_in_storage: wire.name_used_in_storage.0.or(wire.name_used_in_repository.0),
                supplier_text: wire.source.0,
                raw_sex: wire.sex.0,
                raw_status: wire.status.0,
                state_changes: related.ids_of(&wire.subjectstatechanges),
            }),
        })
    }

    fn id(&self) -> Id<Self> {
        Id::new(self.source_id())
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        let state_changes = self.brainstem().map_or(0, |own| own.state_changes.len());
        vec![
            ("projects", self.projects.len()),
            ("procedures", self.procedures.len()),
            ("actions", self.procedures.len()),
            ("subjectlogs", self.logs.len()),
            ("subjectstatechanges", state_changes),
            ("licenses", self.licenses.len()),
        ]
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.subjects
    }
}

impl Model for Project {
    const NAME: &'static str = "project";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Project;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("stem", "project", "projects", "project"))
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Project = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            description: wire.description.0,
            subjects: related.ids_of(&wire.subjects),
            cohorts: related.ids_of(&wire.cohorts),
            sessions: foreign_ids(&wire.sessions),
            publications: foreign_ids(&wire.publications),
            collections: foreign_ids(&wire.collections),
            metadata: extra_fields(wire.extra_fields.0),
            is_public: wire.is_public.0,
            tags: wire.tags.0,
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("subjects", self.subjects.len()), ("cohorts", self.cohorts.len())]
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.projects
    }
}

impl Model for Breeding {
    const NAME: &'static str = "breeding";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Breeding;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("stem", "breeding", "breedings", "breeding"))
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Breeding = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            project: related.id_of(&wire.project),
            mother: related.id_of(&wire.mother),
            father: related.id_of(&wire.father),
            description: wire.description.0,
            tags: wire.tags.0,
            birth_date: Dated::date(wire.birth_date.0),
            start_date: Dated::date(wire.start_date.0),
            end_date: Dated::date(wire.end_date.0),
            weaning_date: Dated::date(wire.weaning_date.0),
            litter_size: wire.litter_size.0,
            expected_genotype: wire.expected_genotype.0,
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.breedings
    }
}

impl Model for Cohort {
    const NAME: &'static str = "cohort";
    const NODE: fn(Id<Self>) -> NodeId = NodeId::Cohort;

    fn endpoint(_: Generation) -> Option<Endpoint> {
        Some(endpoint("stem", "cohort", "cohorts", "cohort"))
    }

    fn from_json(json: &str, related: &mut Related) -> Option<Self> {
        let wire: wire::Cohort = record(json).ok()?;
        Some(Self {
            id: own_id(&wire.id)?,
            name: wire.name.0.unwrap_or_default(),
            description: wire.description.0,
            project: related.id_of(&wire.project),
            subjects: related.ids_of(&wire.subjects),
            tags: wire.tags.0,
        })
    }

    fn id(&self) -> Id<Self> {
        self.id
    }

    fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("subjects", self.subjects.len())]
    }

    fn among(related: &mut Related) -> &mut Vec<Weighed<Self>> {
        &mut related.cohorts
    }
}
