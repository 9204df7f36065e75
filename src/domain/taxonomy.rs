//! What a subject is, and where in the brain something was done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Id;

/// A BrainSTEM strain.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Strain {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
    pub species: Option<Id<Species>>,
    pub rrid: Option<String>,
    pub rrid_url: Option<String>,
    pub external_identifiers: Option<Value>,
}

/// A BrainSTEM species. The name may be a common one; the description often holds the Latin one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Species {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
    pub rrid: Option<String>,
    pub rrid_url: Option<String>,
    pub external_identifiers: Option<Value>,
}

/// A BrainSTEM brain region.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct BrainRegion {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
}
