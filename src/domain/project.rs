//! Projects.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cohort, Id, Subject};

/// A BrainSTEM project. Its users and groups are left out: they are other people's e-mail addresses.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Project {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
    pub subjects: Vec<Id<Subject>>,
    pub cohorts: Vec<Id<Cohort>>,
    /// UUIDs of sessions, which the gateway does not serve.
    pub sessions: Vec<String>,
    /// UUIDs of publications, which the gateway does not serve.
    pub publications: Vec<String>,
    /// UUIDs of collections, which the gateway does not serve.
    pub collections: Vec<String>,
    pub metadata: Option<Value>,
    pub is_public: Option<bool>,
    pub tags: Vec<String>,
}
