//! Where a subject came from, and what permits work with it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Dated, Id};

/// A BrainSTEM licence for animal work.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct License {
    pub id: Id<Self>,
    pub name: String,
    pub kind: Option<String>,
    pub status: Option<String>,
    pub description: Option<String>,
    pub country: Option<String>,
    pub license_number: Option<String>,
    pub valid_from: Dated<Date>,
    pub valid_until: Dated<Date>,
    pub is_public: Option<bool>,
}

/// A BrainSTEM supplier of animals.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Supplier {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
    pub website: Option<String>,
}
