//! What a write asks for, and what can be wrong with it.

use jiff::civil::Date;
use serde_json::Value;

use super::{BiologicalSex, Breeding, Id, License, Project, Sex, Status, Strain, Supplier};

/// What a write does to one field.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Change<T> {
    /// It stays as it is.
    #[default]
    Leave,
    Clear,
    To(T),
}

impl<T> Change<T> {
    pub fn is_left(&self) -> bool {
        matches!(self, Self::Leave)
    }

    pub fn as_ref(&self) -> Change<&T> {
        match self {
            Self::Leave => Change::Leave,
            Self::Clear => Change::Clear,
            Self::To(value) => Change::To(value),
        }
    }

    /// The new value.
    pub fn new_value(&self) -> Option<&T> {
        match self {
            Self::To(value) => Some(value),
            Self::Leave | Self::Clear => None,
        }
    }

    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Self::Leave => Change::Leave,
            Self::Clear => Change::Clear,
            Self::To(value) => Change::To(map(value)),
        }
    }

    /// A new record has nothing to clear.
    fn of_new(&mut self) {
        if matches!(self, Self::Clear) {
            *self = Self::Leave;
        }
    }
}

/// Whether a record is made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Create,
    Update,
}

/// What to write about a person in Haut.AI.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersonInput {
    pub name: Change<String>,
    pub birth_date: Change<Date>,
    pub biological_sex: Change<Id<BiologicalSex>>,
    /// In place of `biological_sex`: looked up in the dictionary.
    pub sex: Change<Sex>,
    pub metadata: Change<Value>,
}

impl PersonInput {
    /// The same for a new record, where null says nothing.
    #[must_use]
    pub fn of_new(mut self) -> Self {
        self.name.of_new();
        self.birth_date.of_new();
        self.biological_sex.of_new();
        self.sex.of_new();
        self.metadata.of_new();
        self
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What to write about an animal in BrainSTEM.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnimalInput {
    pub name: Change<String>,
    pub description: Change<String>,
    pub projects: Change<Vec<Id<Project>>>,
    pub strain: Change<Id<Strain>>,
    pub sex: Change<Sex>,
    pub birth_date: Change<Date>,
    pub death_date: Change<Date>,
    pub status: Change<Status>,
    pub genotype: Change<String>,
    pub genetic_line: Change<String>,
    pub identifier: Change<String>,
    pub supplier: Change<Id<Supplier>>,
    pub breeding: Change<Id<Breeding>>,
    pub licenses: Change<Vec<Id<License>>>,
    pub name_used_in_storage: Change<String>,
    pub tags: Change<Vec<String>>,
    pub metadata: Change<Value>,
    /// Before the renaming, in place of `supplier`.
    pub supplier_text: Change<String>,
}

impl AnimalInput {
    /// The same for a new record, where null says nothing.
    #[must_use]
    pub fn of_new(mut self) -> Self {
        self.name.of_new();
        self.description.of_new();
        self.projects.of_new();
        self.strain.of_new();
        self.sex.of_new();
        self.birth_date.of_new();
        self.death_date.of_new();
        self.status.of_new();
        self.genotype.of_new();
        self.genetic_line.of_new();
        self.identifier.of_new();
        self.supplier.of_new();
        self.breeding.of_new();
        self.licenses.of_new();
        self.name_used_in_storage.of_new();
        self.tags.of_new();
        self.metadata.of_new();
        self.supplier_text.of_new();
        self
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is wrong with one part of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub code: FieldErrorCode,
    /// The names of the input's fields, from the outermost; empty: it is not about one field.
    pub path: Vec<String>,
    /// For the client: says what was expected, and quotes no upstream.
    pub message: String,
}

impl FieldError {
    /// About a field as a whole.
    pub fn of(field: &str, code: FieldErrorCode, message: impl Into<String>) -> Self {
        Self { code, path: vec![field.to_owned()], message: message.into() }
    }

    /// About a part of a field.
    pub fn within(field: &str, part: String, code: FieldErrorCode, message: impl Into<String>) -> Self {
        Self { code, path: vec![field.to_owned(), part], message: message.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldErrorCode {
    Required,
    TooLong,
    Invalid,
    NotUnique,
    NotFound,
    NotSupported,
}
