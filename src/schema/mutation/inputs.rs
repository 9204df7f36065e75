//! What mutations take. Every field is nullable: what is required is told by `userErrors`, together with all else that is
//! wrong.

use async_graphql::{ID, InputObject, MaybeUndefined, OneofObject};
use jiff::civil;

use crate::{
    domain::{
        DatasetId, NodeId,
        write::{AnimalInput, Change, FieldError, FieldErrorCode, PersonInput},
    },
    schema::{
        scalars::{Date, Json},
        subject::{Sex, SubjectStatus},
    },
};

/// A new subject: exactly one of the sources.
#[derive(OneofObject)]
pub enum SubjectCreateInput {
    /// A person in Haut.AI.
    HautAi(HautAiSubjectCreateInput),
    /// An animal in BrainSTEM.
    BrainStem(Box<BrainStemSubjectInput>),
}

/// Changes of a subject: exactly one of the sources, the one that the subject belongs to.
#[derive(OneofObject)]
pub enum SubjectUpdateInput {
    /// A person in Haut.AI.
    HautAi(HautAiSubjectUpdateInput),
    /// An animal in BrainSTEM.
    BrainStem(Box<BrainStemSubjectInput>),
}

/// A new person in Haut.AI. Null is the same as left out.
#[derive(InputObject)]
pub struct HautAiSubjectCreateInput {
    /// Required: the `id` of the dataset that the person belongs to.
    dataset_id: MaybeUndefined<ID>,
    /// Required: 1 to 512 characters, not blank. Need not be unique.
    #[graphql(tag = "pii")]
    name: MaybeUndefined<String>,
    /// Biological sex. Haut.AI's dictionary must have an entry for it: the first such is taken. Not beside
    /// `biologicalSexId`.
    sex: MaybeUndefined<Sex>,
    /// The `id` of an entry of `biologicalSexes`. Not beside `sex`.
    biological_sex_id: MaybeUndefined<ID>,
    /// Day of birth.
    #[graphql(tag = "pii")]
    birth_date: MaybeUndefined<Date>,
    /// Any JSON.
    #[graphql(tag = "pii")]
    metadata: MaybeUndefined<Json>,
}

/// Changes of a person in Haut.AI: left out stays, null clears.
#[derive(InputObject)]
pub struct HautAiSubjectUpdateInput {
    /// 1 to 512 characters, not blank. Can't be cleared.
    #[graphql(tag = "pii")]
    name: MaybeUndefined<String>,
    /// Biological sex. Haut.AI's dictionary must have an entry for it: the first such is taken. Not beside
    /// `biologicalSexId`.
    sex: MaybeUndefined<Sex>,
    /// The `id` of an entry of `biologicalSexes`. Not beside `sex`.
    biological_sex_id: MaybeUndefined<ID>,
    /// Day of birth.
    #[graphql(tag = "pii")]
    birth_date: MaybeUndefined<Date>,
    /// Any JSON. Replaces all that is there.
    #[graphql(tag = "pii")]
    metadata: MaybeUndefined<Json>,
}

/// An animal in BrainSTEM. For a new one, null is the same as left out; for one that is there, left out stays and null
/// clears.
#[derive(InputObject)]
pub struct BrainStemSubjectInput {
    /// Required for a new animal: 1 to 100 characters, not blank, unique in BrainSTEM. Can't be cleared.
    #[graphql(tag = "pii")]
    name: MaybeUndefined<String>,
    /// Free text.
    #[graphql(tag = "pii")]
    description: MaybeUndefined<String>,
    /// Required for a new animal: the `id`s of at least one project. Replaces all that are there. Can't be cleared.
    project_ids: MaybeUndefined<Vec<ID>>,
    /// Required for a new animal: the `id` of its strain. Can't be cleared.
    strain_id: MaybeUndefined<ID>,
    /// Required for a new animal: `FEMALE`, `MALE` or `UNKNOWN`. BrainSTEM has no `OTHER`. Can't be cleared.
    sex: MaybeUndefined<Sex>,
    /// Day of birth.
    #[graphql(tag = "pii")]
    birth_date: MaybeUndefined<Date>,
    /// Day of death, not before the day of birth.
    #[graphql(tag = "pii")]
    death_date: MaybeUndefined<Date>,
    /// Where the animal is in its life in the laboratory. Can't be cleared. Not on servers from before the 2025 renaming.
    status: MaybeUndefined<SubjectStatus>,
    /// At most 200 characters. Not on servers from before the 2025 renaming.
    genotype: MaybeUndefined<String>,
    /// At most 100 characters.
    genetic_line: MaybeUndefined<String>,
    /// Outside identifier, such as an ear tag or an RFID: at most 100 characters.
    #[graphql(tag = "pii")]
    identifier: MaybeUndefined<String>,
    /// The `id` of a supplier. Not on servers from before the 2025 renaming, which take `supplierText`.
    supplier_id: MaybeUndefined<ID>,
    /// The `id` of the breeding that the animal comes from. Not on servers from before the 2025 renaming.
    breeding_id: MaybeUndefined<ID>,
    /// The `id`s of licences. Replaces all that are there. Not on servers from before the 2025 renaming.
    license_ids: MaybeUndefined<Vec<ID>>,
    /// The name that the animal's files are stored under, where it is another one: at most 200 characters.
    #[graphql(tag = "pii")]
    name_used_in_storage: MaybeUndefined<String>,
    /// Texts that are not blank. Replaces all that are there.
    tags: MaybeUndefined<Vec<String>>,
    /// The supplier as a text. Only on servers from before the 2025 renaming.
    supplier_text: MaybeUndefined<String>,
    /// An object. Keys are a letter and then letters, digits and underscores; values are texts or numbers. Replaces all that
    /// is there.
    #[graphql(tag = "pii")]
    metadata: MaybeUndefined<Json>,
}

/// An input, and what could not be read of it.
pub(super) struct Read<I> {
    pub(super) input: I,
    pub(super) wrong: Vec<FieldError>,
}

impl HautAiSubjectCreateInput {
    /// The dataset is `None` where `wrong` says why.
    pub(super) fn read(self) -> Read<(Option<DatasetId>, PersonInput)> {
        let dataset = |node| if let NodeId::Dataset(id) = node { Some(id) } else { None };
        let mut reader = Reader::default();
        let dataset = match self.dataset_id {
            MaybeUndefined::Value(id) => {
                reader.id("datasetId", MaybeUndefined::Value(id), "Dataset", dataset).new_value().copied()
            }
            MaybeUndefined::Null | MaybeUndefined::Undefined => {
                let message = "`datasetId` is required: expected the `id` of one of `datasets`.";
                reader.wrong.push(FieldError::of("datasetId", FieldErrorCode::Required, message));
                None
            }
        };
        let rest = HautAiSubjectUpdateInput {
            name: self.name,
            sex: self.sex,
            biological_sex_id: self.biological_sex_id,
            birth_date: self.birth_date,
            metadata: self.metadata,
        };
        let rest = rest.read_with(&mut reader);
        Read { input: (dataset, rest), wrong: reader.wrong }
    }
}

impl HautAiSubjectUpdateInput {
    pub(super) fn read(self) -> Read<PersonInput> {
        let mut reader = Reader::default();
        Read { input: self.read_with(&mut reader), wrong: reader.wrong }
    }

    fn read_with(self, reader: &mut Reader) -> PersonInput {
        let sex_entry = |node| if let NodeId::BiologicalSex(id) = node { Some(id) } else { None };
        PersonInput {
            name: change(self.name),
            birth_date: reader.day("birthDate", self.birth_date),
            biological_sex: reader.id("biologicalSexId", self.biological_sex_id, "BiologicalSex", sex_entry),
            sex: change(self.sex).map(Into::into),
            metadata: change(self.metadata).map(|Json(value)| value),
        }
    }
}

impl BrainStemSubjectInput {
    pub(super) fn read(self) -> Read<AnimalInput> {
        let project = |node| if let NodeId::Project(id) = node { Some(id) } else { None };
        let strain = |node| if let NodeId::Strain(id) = node { Some(id) } else { None };
        let supplier = |node| if let NodeId::Supplier(id) = node { Some(id) } else { None };
        let breeding = |node| if let NodeId::Breeding(id) = node { Some(id) } else { None };
        let license = |node| if let NodeId::License(id) = node { Some(id) } else { None };
        let mut reader = Reader::default();
        let input = AnimalInput {
            name: change(self.name),
            description: change(self.description),
            projects: reader.ids("projectIds", self.project_ids, "Project", project),
            strain: reader.id("strainId", self.strain_id, "Strain", strain),
            sex: change(self.sex).map(Into::into),
            birth_date: reader.day("birthDate", self.birth_date),
            death_date: reader.day("deathDate", self.death_date),
            status: change(self.status).map(Into::into),
            genotype: change(self.genotype),
            genetic_line: change(self.genetic_line),
            identifier: change(self.identifier),
            supplier: reader.id("supplierId", self.supplier_id, "Supplier", supplier),
            breeding: reader.id("breedingId", self.breeding_id, "Breeding", breeding),
            licenses: reader.ids("licenseIds", self.license_ids, "License", license),
            name_used_in_storage: change(self.name_used_in_storage),
            tags: change(self.tags),
            metadata: change(self.metadata).map(|Json(value)| value),
            supplier_text: change(self.supplier_text),
        };
        Read { input, wrong: reader.wrong }
    }
}

/// Reads fields that may be unreadable, and gathers those that are. Such a field counts as left out.
#[derive(Default)]
struct Reader {
    wrong: Vec<FieldError>,
}

impl Reader {
    fn id<T>(
        &mut self,
        field: &str,
        given: MaybeUndefined<ID>,
        expected: &str,
        of: impl Fn(NodeId) -> Option<T>,
    ) -> Change<T> {
        match change(given) {
            Change::Leave => Change::Leave,
            Change::Clear => Change::Clear,
            Change::To(id) => {
                if let Some(id) = NodeId::decode(&id).ok().and_then(of) {
                    return Change::To(id);
                }
                let message = no_id(field, expected);
                self.wrong.push(FieldError::of(field, FieldErrorCode::Invalid, message));
                Change::Leave
            }
        }
    }

    fn ids<T>(
        &mut self,
        field: &str,
        given: MaybeUndefined<Vec<ID>>,
        expected: &str,
        of: impl Fn(NodeId) -> Option<T>,
    ) -> Change<Vec<T>> {
        change(given).map(|ids| {
            let mut read = Vec::with_capacity(ids.len());
            for (at, id) in ids.iter().enumerate() {
                if let Some(id) = NodeId::decode(id).ok().and_then(&of) {
                    read.push(id);
                } else {
                    let message = no_id(&format!("{field}.{at}"), expected);
                    self.wrong.push(FieldError::within(field, at.to_string(), FieldErrorCode::Invalid, message));
                }
            }
            read
        })
    }

    fn day(&mut self, field: &str, given: MaybeUndefined<Date>) -> Change<civil::Date> {
        match change(given) {
            Change::Leave => Change::Leave,
            Change::Clear => Change::Clear,
            Change::To(Date::Day(day)) => Change::To(day),
            Change::To(Date::Unreadable) => {
                let message = format!("`{field}` is not a date: expected YYYY-MM-DD, such as \"2024-02-29\".");
                self.wrong.push(FieldError::of(field, FieldErrorCode::Invalid, message));
                Change::Leave
            }
        }
    }
}

fn no_id(field: &str, expected: &str) -> String {
    format!("`{field}` is not the id of a {expected}: expected the `id` of one that this gateway returned.")
}

fn change<T>(given: MaybeUndefined<T>) -> Change<T> {
    match given {
        MaybeUndefined::Undefined => Change::Leave,
        MaybeUndefined::Null => Change::Clear,
        MaybeUndefined::Value(value) => Change::To(value),
    }
}
