//! `Subject`, merged, and what only one of its sources has.
//!
//! What can tell who somebody is carries the tag `pii`, by which federation's contracts leave it out of a variant of the
//! graph. So do the inputs that could be used to guess it.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};

use super::{
    biological_sex::{BiologicalSex, Company, Dataset},
    breeding::Breeding,
    connection::{Connection, Paging, of_filtered_ids, of_ids},
    context::{RequestContext, global_id, related, related_all},
    error::Result,
    license::{License, Supplier},
    log::SubjectLog,
    procedure::Procedure,
    project::Project,
    scalars::{Date, DateTime, Duration, Json},
    taxonomy::{Species, Strain},
};
use crate::domain::{self, NodeId, age::age, cursor::Fingerprint, subject::SexReference};

mod own;

pub use own::{BrainStemSubject, HautAiSubject};

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::Source")]
pub enum SubjectSource {
    /// Haut.AI: people whose skin is imaged.
    HautAi,
    /// BrainSTEM: laboratory animals.
    #[graphql(name = "BRAINSTEM")]
    BrainStem,
}

/// Biological sex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::Sex")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Neither female nor male, as the source puts it.
    Other,
    /// The source says that it does not know, or says something that this schema has no word for: `rawSex` has its own.
    Unknown,
}

/// Where an animal is in its life in the laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "SubjectStatus", remote = "crate::domain::Status")]
pub enum SubjectStatus {
    /// Not there yet.
    Planned,
    /// In use.
    Active,
    /// Not in use.
    Inactive,
    /// Given to another laboratory.
    Transferred,
    /// Dead. A date of death may still be missing.
    Deceased,
    /// The source says that it does not know, or says something that this schema has no word for: `rawStatus` has its own.
    Unknown,
}

/// A research or study subject: a person in Haut.AI, an animal in BrainSTEM.
pub struct Subject(pub Arc<domain::Subject>);

impl Subject {
    /// What the cursors of such a list of the subject's belong to.
    pub(super) fn list(&self, field: &str, kind: Option<&String>) -> Fingerprint {
        let id = NodeId::Subject(self.0.id).to_string();
        Fingerprint::of(&(field, &id, kind.map_or("", |kind| kind)))
    }
}

/// A research or study subject: a person in Haut.AI, an animal in BrainSTEM.
#[Object]
impl Subject {
    /// Opaque and global; all that is needed to fetch the subject again by `node`, `nodes` or `subject`.
    pub(super) async fn id(&self) -> ID {
        global_id(self.0.id)
    }

    /// Which of the two systems holds the record.
    async fn source(&self) -> SubjectSource {
        self.0.source().into()
    }

    /// The source's own UUID of the subject.
    async fn source_id(&self) -> ID {
        ID(self.0.source_id().to_string())
    }

    /// What the source calls the subject. Unique in BrainSTEM, not in Haut.AI. Empty should the source omit it.
    #[graphql(tag = "pii")]
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// An outside identifier, such as an ear tag or an RFID. BrainSTEM only.
    #[graphql(tag = "pii")]
    async fn identifier(&self) -> Option<&str> {
        self.0.identifier.as_deref()
    }

    /// Free text. BrainSTEM only.
    #[graphql(tag = "pii")]
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Biological sex in the merged vocabulary. Null: not given.
    async fn sex(&self, ctx: &Context<'_>) -> Option<Result<Sex>> {
        if let Some(sex) = self.0.sex {
            return Some(Ok(sex.into()));
        }
        // Given by an id alone. One that the dictionary lacks is still a sex that was given.
        self.0.haut_ai()?.biological_sex.as_ref()?;
        let entry = self.biological_sex_entry(ctx).await;
        Some(entry.map(|entry| entry.map_or(Sex::Unknown, |entry| entry.sex().into())))
    }

    /// The entry of Haut.AI's dictionary of biological sexes. Null for animals and where none is given.
    async fn biological_sex(&self, ctx: &Context<'_>) -> Option<Result<BiologicalSex>> {
        let entry = self.biological_sex_entry(ctx).await.transpose()?;
        Some(entry.map(BiologicalSex))
    }

    /// Day of birth. Null: not given, or not readable as a date; `rawBirthDate` has the source's own text.
    #[graphql(tag = "pii")]
    async fn birth_date(&self) -> Option<Date> {
        self.0.birth_date.value.map(Date::Day)
    }

    /// Day of death. Null: not given, or not readable as a date; `rawDeathDate` has the source's own text. BrainSTEM only.
    #[graphql(tag = "pii")]
    async fn death_date(&self) -> Option<Date> {
        self.0.death_date.value.map(Date::Day)
    }

    /// Age as an ISO 8601 duration: whole days for an animal (`P90D`), whole years for a person (`P34Y`). Counted to the
    /// day of death, or else to today in UTC. Null without a birth date and before it.
    #[graphql(tag = "pii")]
    async fn age(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Count to this day instead of today. The age does not grow after the day of death.")]
        at: Option<Date>,
    ) -> Option<Result<Duration>> {
        let at = match at.map(|at| at.given_as("at")).transpose() {
            Ok(at) => at.unwrap_or_else(|| RequestContext::of(ctx).today()),
            Err(error) => return Some(Err(error)),
        };
        age(&self.0, at).map(|age| Ok(Duration(age)))
    }

    /// Where the animal is in its life in the laboratory. BrainSTEM only.
    async fn status(&self) -> Option<SubjectStatus> {
        self.0.status.map(Into::into)
    }

    /// The species, which BrainSTEM knows through the strain. Null for people.
    async fn species(&self, ctx: &Context<'_>) -> Option<Result<Species>> {
        let loaders = &RequestContext::of(ctx).loaders;
        let strain = match loaders.strains.load(self.0.strain?).await.transpose()? {
            Ok(strain) => strain,
            Err(error) => return Some(Err(error.into())),
        };
        related(&loaders.species, strain.species, Species).await
    }

    /// The strain. BrainSTEM only.
    async fn strain(&self, ctx: &Context<'_>) -> Option<Result<Strain>> {
        related(&RequestContext::of(ctx).loaders.strains, self.0.strain, Strain).await
    }

    /// The genotype. BrainSTEM only.
    async fn genotype(&self) -> Option<&str> {
        self.0.genotype.as_deref()
    }

    /// The genetic line. BrainSTEM only.
    async fn genetic_line(&self) -> Option<&str> {
        self.0.genetic_line.as_deref()
    }

    /// Tags. Empty for people.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// What the users of the source added: Haut.AI's `meta`, which can be any JSON; BrainSTEM's `extra_fields`, always as
    /// an object. Null: nothing was added.
    #[graphql(tag = "pii")]
    async fn metadata(&self) -> Option<Json> {
        self.0.metadata.clone().map(Json)
    }

    /// When the record was made. Haut.AI only.
    async fn created_at(&self) -> Option<DateTime> {
        self.0.created_at.value.map(DateTime::Instant)
    }

    /// The projects that the animal belongs to. Those that may not be seen are left out. Null for people.
    async fn projects(&self, ctx: &Context<'_>) -> Option<Result<Vec<Project>>> {
        self.0.brainstem()?;
        Some(related_all(&RequestContext::of(ctx).loaders.projects, &self.0.projects, Project).await)
    }

    /// What was done to the animal: implants, recordings, injections. Procedures that may not be seen are left out of
    /// the page. `totalCount` counts the ids that the record lists; with `type`, the procedures of that type that could be
    /// loaded. Null for people.
    async fn procedures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(name = "type", desc = "Only procedures of exactly this type.")] kind: Option<String>,
    ) -> Option<Result<Connection<Procedure>>> {
        self.0.brainstem()?;
        let (relation, ids) = (&RequestContext::of(ctx).loaders.procedures, &self.0.procedures);
        let (list, paging) = (self.list("procedures", kind.as_ref()), Paging { first, after, last, before });
        Some(match kind {
            None => of_ids(ctx, relation, ids, list, paging, Procedure).await,
            Some(kind) => {
                let is_kind = |procedure: &domain::Procedure| procedure.kind.as_ref() == Some(&kind);
                of_filtered_ids(relation, ids, list, paging, is_kind, Procedure).await
            }
        })
    }

    /// What was noted about the animal: weights, feeding, behaviour. Logs that may not be seen are left out of the page.
    /// `totalCount` counts the ids that the record lists; with `type`, the logs of that type that could be loaded. Null for
    /// people.
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most, from the start or `after` on: 0 to 100; 20 without `last`.")] first: Option<
            i32,
        >,
        #[graphql(desc = "Go on behind this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, up to the end or `before`: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Go back from before this cursor.")] before: Option<String>,
        #[graphql(name = "type", desc = "Only logs of exactly this type.")] kind: Option<String>,
    ) -> Option<Result<Connection<SubjectLog>>> {
        self.0.brainstem()?;
        let (relation, ids) = (&RequestContext::of(ctx).loaders.logs, &self.0.logs);
        let (list, paging) = (self.list("logs", kind.as_ref()), Paging { first, after, last, before });
        Some(match kind {
            None => of_ids(ctx, relation, ids, list, paging, SubjectLog).await,
            Some(kind) => {
                let is_kind = |log: &domain::SubjectLog| log.kind.as_ref() == Some(&kind);
                of_filtered_ids(relation, ids, list, paging, is_kind, SubjectLog).await
            }
        })
    }

    /// The licences that permit work with the animal. Those that may not be seen are left out. Null for people.
    async fn licenses(&self, ctx: &Context<'_>) -> Option<Result<Vec<License>>> {
        self.0.brainstem()?;
        Some(related_all(&RequestContext::of(ctx).loaders.licenses, &self.0.licenses, License).await)
    }

    /// Where the animal was bought. BrainSTEM only; older servers have `brainStem { supplierText }` instead.
    async fn supplier(&self, ctx: &Context<'_>) -> Option<Result<Supplier>> {
        related(&RequestContext::of(ctx).loaders.suppliers, self.0.supplier, Supplier).await
    }

    /// The breeding that the animal comes from, with its mother and father. BrainSTEM only.
    async fn breeding(&self, ctx: &Context<'_>) -> Option<Result<Breeding>> {
        related(&RequestContext::of(ctx).loaders.breedings, self.0.breeding, Breeding).await
    }

    /// Ids of all projects that the record lists, also of those that may not be seen. Costs nothing.
    async fn project_ids(&self) -> Vec<ID> {
        self.0.projects.iter().map(|id| global_id(NodeId::Project(*id))).collect()
    }

    /// Ids of all procedures that the record lists, also of those that may not be seen. Costs nothing.
    async fn procedure_ids(&self) -> Vec<ID> {
        self.0.procedures.iter().map(|id| global_id(NodeId::Procedure(*id))).collect()
    }

    /// Ids of all logs that the record lists, also of those that may not be seen. Costs nothing.
    async fn log_ids(&self) -> Vec<ID> {
        self.0.logs.iter().map(|id| global_id(NodeId::SubjectLog(*id))).collect()
    }

    /// Ids of all licences that the record lists, also of those that may not be seen. Costs nothing.
    async fn license_ids(&self) -> Vec<ID> {
        self.0.licenses.iter().map(|id| global_id(NodeId::License(*id))).collect()
    }

    /// Id of the strain. Costs nothing.
    async fn strain_id(&self) -> Option<ID> {
        self.0.strain.map(|id| global_id(NodeId::Strain(id)))
    }

    /// Id of the supplier. Costs nothing.
    async fn supplier_id(&self) -> Option<ID> {
        self.0.supplier.map(|id| global_id(NodeId::Supplier(id)))
    }

    /// Id of the breeding. Costs nothing.
    async fn breeding_id(&self) -> Option<ID> {
        self.0.breeding.map(|id| global_id(NodeId::Breeding(id)))
    }

    /// The Haut.AI dataset that the person belongs to. Null for animals.
    async fn dataset(&self) -> Option<Dataset> {
        Dataset::of(&self.0)
    }

    /// The Haut.AI company that the person belongs to. Null for animals.
    async fn company(&self) -> Option<Company> {
        Company::of(&self.0)
    }

    /// What only Haut.AI has. Null for animals.
    async fn haut_ai(&self) -> Option<HautAiSubject> {
        HautAiSubject::of(&self.0)
    }

    /// What only BrainSTEM has. Null for people.
    async fn brain_stem(&self) -> Option<BrainStemSubject> {
        BrainStemSubject::of(&self.0)
    }
}

impl Subject {
    /// The record's own entry, or for a bare id the dictionary's, by loader.
    async fn biological_sex_entry(&self, ctx: &Context<'_>) -> Result<Option<Arc<domain::BiologicalSex>>> {
        match self.0.haut_ai().and_then(|own| own.biological_sex.as_ref()) {
            Some(SexReference::Whole(entry)) => Ok(Some(Arc::new(entry.clone()))),
            Some(SexReference::Bare(id)) => Ok(RequestContext::of(ctx).loaders.biological_sexes.load(*id).await?),
            Some(SexReference::Odd(_)) | None => Ok(None),
        }
    }
}
