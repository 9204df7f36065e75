//! Litters and groups.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Dated, Id, Project, Subject};

/// A BrainSTEM breeding: two parents and their litter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Breeding {
    pub id: Id<Self>,
    pub name: String,
    pub project: Option<Id<Project>>,
    pub mother: Option<Id<Subject>>,
    pub father: Option<Id<Subject>>,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub birth_date: Dated<Date>,
    pub start_date: Dated<Date>,
    pub end_date: Dated<Date>,
    pub weaning_date: Dated<Date>,
    pub litter_size: Option<i64>,
    pub expected_genotype: Option<String>,
}

/// A BrainSTEM cohort: a named group of a project's subjects.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Cohort {
    pub id: Id<Self>,
    pub name: String,
    pub description: Option<String>,
    pub project: Option<Id<Project>>,
    pub subjects: Vec<Id<Subject>>,
    pub tags: Vec<String>,
}
