//! One stored record as it should be merged, and whether it passes a filter.

use std::{cmp::Ordering, collections::HashMap};

use jiff::{Timestamp, civil::Date};
use serde_json::{Value, json};
use subject_gateway::{
    domain::{DatasetId, Id, NodeId},
    sandbox::COMPANY_ID,
};
use uuid::Uuid;

pub(super) const HAUT_AI: &str = "HAUT_AI";
pub(super) const BRAINSTEM: &str = "BRAINSTEM";

/// A record as it should be merged; ids of other records are global.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) source: &'static str,
    pub(super) source_id: String,
    pub(super) name: String,
    /// Decides between equals.
    pub(super) ids: Vec<Uuid>,
    dataset: Option<String>,
    identifier: String,
    description: String,
    sex: Option<&'static str>,
    status: Option<&'static str>,
    pub(super) birth_date: Option<Date>,
    pub(super) created_at: Option<Timestamp>,
    tags: Vec<String>,
    projects: Vec<String>,
    strain: Option<String>,
    species: Option<String>,
    has_procedures: bool,
}

pub(super) fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

pub(super) fn project_id(id: &str) -> String {
    NodeId::Project(Id::new(uuid(id))).to_string()
}

pub(super) fn strain_id(id: &str) -> String {
    NodeId::Strain(Id::new(uuid(id))).to_string()
}

pub(super) fn species_id(id: &str) -> String {
    NodeId::Species(Id::new(uuid(id))).to_string()
}

pub(super) fn dataset_id(company: &str, dataset: &str) -> String {
    NodeId::Dataset(DatasetId { company: uuid(company), dataset: uuid(dataset) }).to_string()
}

pub(super) fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or("")
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// `YYYY-MM-DD`; a midnight behind it says nothing.
fn date(text: &str) -> Option<Date> {
    let (day, time) = text.split_at_checked(10)?;
    matches!(time, "" | "T00:00:00Z").then(|| day.parse().ok())?
}

impl Record {
    pub(super) fn by_source(&self, other: &Self) -> Ordering {
        let rank = |record: &Self| record.source != HAUT_AI;
        rank(self).cmp(&rank(other)).then_with(|| self.ids.cmp(&other.ids))
    }

    pub(super) fn passes(&self, filter: &Value) -> bool {
        let fields = filter.as_object().into_iter().flatten();
        fields.filter(|(_, value)| !value.is_null()).all(|(field, value)| self.passes_one(field, value))
    }

    fn passes_one(&self, field: &str, value: &Value) -> bool {
        let listed =
            |own: &[&str]| value.as_array().unwrap().iter().any(|value| own.contains(&value.as_str().unwrap()));
        let all = |own: &[String]| listed(&own.iter().map(String::as_str).collect::<Vec<_>>());
        let one = |own: &Option<String>| own.as_deref().is_some_and(|own| listed(&[own]));
        let is_animal = self.source == BRAINSTEM;
        match field {
            "sources" => listed(&[self.source]),
            "name" => value.as_object().unwrap().iter().all(|(how, value)| self.is_named(how, value)),
            "search" => self.is_found(value.as_str().unwrap()),
            "sex" => self.sex.is_some_and(|sex| listed(&[sex])),
            "birthDate" => ["from", "to"].into_iter().all(|end| {
                let Some(bound) = value[end].as_str() else { return true };
                let bound = date(bound).unwrap();
                self.birth_date.is_some_and(|born| if end == "from" { born >= bound } else { born <= bound })
            }),
            "status" => is_animal && self.status.is_some_and(|status| listed(&[status])),
            "projectId" => all(&self.projects),
            "strainId" => one(&self.strain),
            "speciesId" => one(&self.species),
            "tag" => all(&self.tags),
            "datasetId" => one(&self.dataset),
            "hasProcedures" => is_animal && json!(self.has_procedures) == *value,
            field => panic!("no filter {field}"),
        }
    }

    fn is_named(&self, how: &str, value: &Value) -> bool {
        let lower = self.name.to_lowercase();
        match (how, value) {
            (_, Value::Null) => true,
            ("eq", name) => *name == self.name,
            ("in", names) => names.as_array().unwrap().contains(&json!(self.name)),
            ("contains", part) => lower.contains(&part.as_str().unwrap().to_lowercase()),
            ("startsWith", part) => lower.starts_with(&part.as_str().unwrap().to_lowercase()),
            (how, _) => panic!("no {how}"),
        }
    }

    fn is_found(&self, search: &str) -> bool {
        if self.source == HAUT_AI {
            return terms(search).iter().all(|term| self.name.to_lowercase().contains(term));
        }
        let fields = [&self.name, &self.identifier, &self.description].map(|field| field.to_lowercase());
        search.split_whitespace().all(|word| fields.iter().any(|field| field.contains(&word.to_lowercase())))
    }
}

/// What Haut.AI looks for: words, and phrases in quotes.
fn terms(search: &str) -> Vec<String> {
    let mut terms = Vec::new();
    let mut rest = search.trim_start().to_lowercase();
    while let Some(first) = rest.chars().next() {
        let phrase = rest.strip_prefix(['"', '\'']).and_then(|rest| rest.split_once(first));
        let (term, behind) = phrase.unwrap_or_else(|| rest.split_once(char::is_whitespace).unwrap_or((&rest, "")));
        terms.extend((!term.is_empty()).then(|| term.to_owned()));
        rest = behind.trim_start().to_owned();
    }
    terms
}

pub(super) fn sex_of_entry(entry: &Value) -> &'static str {
    let word = entry["tech_name"].as_str().or(entry["name"].as_str()).unwrap_or("").to_lowercase();
    match word.as_str() {
        "female" => "FEMALE",
        "male" => "MALE",
        "other" => "OTHER",
        _ => "UNKNOWN",
    }
}

pub(super) fn person(stored: &Value, sexes: &HashMap<String, &'static str>) -> Record {
    let (id, dataset) = (text(stored, "id"), text(&stored["dataset"], "id"));
    let sex = match &stored["biological_sex"] {
        Value::Null => None,
        Value::String(id) => Some(*sexes.get(id).unwrap_or(&"UNKNOWN")),
        entry => Some(sex_of_entry(entry)),
    };
    Record {
        source: HAUT_AI,
        source_id: id.to_owned(),
        name: text(stored, "name").to_owned(),
        ids: vec![uuid(COMPANY_ID), uuid(dataset), uuid(id)],
        dataset: Some(dataset_id(COMPANY_ID, dataset)),
        identifier: String::new(),
        description: String::new(),
        sex,
        status: None,
        birth_date: date(text(stored, "birth_date")),
        created_at: text(stored, "creation_time").parse().ok(),
        tags: Vec::new(),
        projects: Vec::new(),
        strain: None,
        species: None,
        has_procedures: false,
    }
}

pub(super) fn animal(stored: &Value, species: &HashMap<String, String>) -> Record {
    let id = text(stored, "id");
    let strain = stored["strain"].as_str();
    let species = strain.and_then(|strain| species.get(strain)).filter(|id| !id.is_empty());
    Record {
        source: BRAINSTEM,
        source_id: id.to_owned(),
        name: text(stored, "name").to_owned(),
        ids: vec![uuid(id)],
        dataset: None,
        identifier: text(stored, "subject_identifier").to_owned(),
        description: text(stored, "description").to_owned(),
        sex: match text(stored, "sex") {
            "" => None,
            "F" => Some("FEMALE"),
            "M" => Some("MALE"),
            _ => Some("UNKNOWN"),
        },
        status: match text(stored, "status") {
            "" => None,
            "planned" => Some("PLANNED"),
            "active" => Some("ACTIVE"),
            "inactive" => Some("INACTIVE"),
            "transferred" => Some("TRANSFERRED"),
            "deceased" => Some("DECEASED"),
            _ => Some("UNKNOWN"),
        },
        birth_date: date(text(stored, "birth_date")),
        created_at: None,
        tags: texts(&stored["tags"]),
        projects: texts(&stored["projects"]).iter().map(|id| project_id(id)).collect(),
        strain: strain.map(strain_id),
        species: species.map(|id| species_id(id)),
        has_procedures: ["procedures", "actions"].iter().any(|field| !texts(&stored[*field]).is_empty()),
    }
}
