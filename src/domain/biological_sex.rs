//! Haut.AI's dictionary of sexes, its datasets and companies.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DatasetId, Id, Sex};

/// An entry of Haut.AI's dictionary of biological sexes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct BiologicalSex {
    pub id: Id<Self>,
    pub name: Option<String>,
    pub tech_name: Option<String>,
}

impl BiologicalSex {
    /// The entry in the merged enum, by its technical name or else by its name; a word of the dictionary that the gateway
    /// does not know is `Unknown`.
    pub fn sex(&self) -> Sex {
        sex_from_name(self.tech_name.as_deref().or(self.name.as_deref()).unwrap_or_default())
    }

    /// Whether the entry is what to write for this sex. For `Unknown` only one that says so: a word that the gateway does
    /// not know says something else.
    pub fn stands_for(&self, sex: Sex) -> bool {
        let word = self.tech_name.as_deref().or(self.name.as_deref()).unwrap_or_default().to_lowercase();
        let says_unknown =
            || matches!(word.as_str(), "unknown" | "u" | "undefined" | "unspecified" | "not specified" | "not known");
        self.sex() == sex && (sex != Sex::Unknown || says_unknown())
    }
}

/// The technical name is documented as a word, not which words there are.
pub fn sex_from_name(name: &str) -> Sex {
    match name.to_lowercase().as_str() {
        "female" | "f" | "woman" => Sex::Female,
        "male" | "m" | "man" => Sex::Male,
        "other" | "o" | "intersex" => Sex::Other,
        _ => Sex::Unknown,
    }
}

/// A dataset: the part of a company's records that a subject belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dataset {
    pub id: DatasetId,
    pub name: Option<String>,
}

/// A company, the tenant of Haut.AI.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Company {
    pub source_id: Uuid,
    pub name: Option<String>,
}
