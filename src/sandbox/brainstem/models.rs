//! What BrainSTEM keeps: models, their fields and relations, in both generations. Pure tables.

mod tables;

/// Before or after the renaming of 2025.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Generation {
    Current,
    Legacy,
}

/// One model, served at `/api/{portal}/{app}/{name}/`.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) app: &'static str,
    /// The plural: the key of lists, and of the table in the store.
    pub(super) list: &'static str,
    /// The key of one record.
    pub(super) singular: &'static str,
    /// A new record waits for an approval and comes under `{singular}_approval`.
    pub(super) approval: bool,
    pub(super) fields: &'static [Field],
}

impl Model {
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        let name = if name == "pk" { "id" } else { name };
        self.fields.iter().find(|field| field.name == name)
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    /// At most this many characters; 0: any number.
    Text(usize),
    Choice(&'static [&'static str]),
    Date,
    DateTime,
    Integer,
    Bool,
    Json,
    /// An object whose keys are names and whose values are texts or numbers; of old a list of `{name, value}` too.
    ExtraFields {
        listed: bool,
    },
    Tags,
    /// An id of another model, given by its plural.
    One(&'static str),
    /// Ids of another model.
    Many(&'static str),
}

impl Kind {
    /// The plural of the related model.
    pub(super) fn related(self) -> Option<&'static str> {
        match self {
            Self::One(list) | Self::Many(list) => Some(list),
            _ => None,
        }
    }
}

/// What a new record holds in a field that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    Absent,
    Null,
    EmptyText,
    EmptyList,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) unique: bool,
    pub(super) read_only: bool,
    pub(super) unsent: Unsent,
}

impl Generation {
    pub(super) fn models(self) -> &'static [Model] {
        match self {
            Self::Current => tables::CURRENT,
            Self::Legacy => tables::LEGACY,
        }
    }

    /// The model with a plural.
    pub(super) fn model_of(self, list: &str) -> Option<&'static Model> {
        self.models().iter().find(|model| model.list == list)
    }

    /// The scheme of the `Authorization` header.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::Current => "Bearer",
            Self::Legacy => "Token",
        }
    }
}
