//! The merged subject.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    BiologicalSex, Breeding, Company, Dataset, Dated, Id, License, Procedure, Project, StateChange, Strain, SubjectId,
    SubjectLog, Supplier,
};

/// Where a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Source {
    HautAi,
    BrainStem,
}

impl Source {
    /// The name for readers.
    pub const fn title(self) -> &'static str {
        match self {
            Self::HautAi => "Haut.AI",
            Self::BrainStem => "BrainSTEM",
        }
    }

    /// The name in the schema's enum, in `extensions.source` and in logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::HautAi => "HAUT_AI",
            Self::BrainStem => "BRAINSTEM",
        }
    }
}

/// Biological sex. `Unknown`: the source says that it does not know, or says something that the gateway has no word for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Sex {
    Female,
    Male,
    Other,
    Unknown,
}

/// Where an animal is in its life in the laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub enum Status {
    Planned,
    Active,
    Inactive,
    Transferred,
    Deceased,
    Unknown,
}

/// A research or study subject: a person in Haut.AI, an animal in BrainSTEM.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Subject {
    pub id: SubjectId,
    /// `""` should the source ever omit it.
    pub name: String,
    /// Outside identifier: ear tag, RFID.
    pub identifier: Option<String>,
    pub description: Option<String>,
    pub sex: Option<Sex>,
    pub birth_date: Dated<Date>,
    pub death_date: Dated<Date>,
    pub status: Option<Status>,
    pub strain: Option<Id<Strain>>,
    pub genotype: Option<String>,
    pub genetic_line: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Option<Value>,
    pub created_at: Dated<Timestamp>,
    pub projects: Vec<Id<Project>>,
    pub procedures: Vec<Id<Procedure>>,
    pub logs: Vec<Id<SubjectLog>>,
    pub licenses: Vec<Id<License>>,
    pub supplier: Option<Id<Supplier>>,
    pub breeding: Option<Id<Breeding>>,
    pub own: Own,
}

/// What only one of the sources has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Own {
    HautAi(HautAiOwn),
    BrainStem(BrainStemOwn),
}

/// What only Haut.AI has.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct HautAiOwn {
    pub biological_sex: Option<SexReference>,
    pub author_id: Option<String>,
    pub promote_image_id: Option<String>,
    pub company: Company,
    pub dataset: Dataset,
}

/// How a Haut.AI record tells the biological sex.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum SexReference {
    /// With name: nothing has to be looked up.
    Whole(BiologicalSex),
    /// By id alone: the dictionary knows the rest.
    Bare(Id<BiologicalSex>),
    /// Neither an object with an id nor an id.
    Odd(String),
}

/// What only BrainSTEM has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct BrainStemOwn {
    pub name_used_in_storage: Option<String>,
    /// Before the renaming, the supplier was a text called `source`.
    pub supplier_text: Option<String>,
    pub raw_sex: Option<String>,
    pub raw_status: Option<String>,
    /// Before the renaming, some of what logs hold now.
    pub state_changes: Vec<Id<StateChange>>,
}

impl Subject {
    pub fn source(&self) -> Source {
        match self.own {
            Own::HautAi(_) => Source::HautAi,
            Own::BrainStem(_) => Source::BrainStem,
        }
    }

    pub fn source_id(&self) -> Uuid {
        self.id.source_id()
    }

    /// What only Haut.AI has.
    pub fn haut_ai(&self) -> Option<&HautAiOwn> {
        match &self.own {
            Own::HautAi(own) => Some(own),
            Own::BrainStem(_) => None,
        }
    }

    /// What only BrainSTEM has.
    pub fn brainstem(&self) -> Option<&BrainStemOwn> {
        match &self.own {
            Own::BrainStem(own) => Some(own),
            Own::HautAi(_) => None,
        }
    }
}

/// BrainSTEM's one-letter code. Not given: `None`; a code that it adds later: `Unknown`.
pub fn sex_from_code(code: Option<&str>) -> Option<Sex> {
    Some(match code?.to_ascii_uppercase().as_str() {
        "F" => Sex::Female,
        "M" => Sex::Male,
        "O" => Sex::Other,
        _ => Sex::Unknown,
    })
}

/// BrainSTEM's status. Not given: `None`; one that it adds later: `Unknown`.
pub fn status_from_word(word: Option<&str>) -> Option<Status> {
    Some(match word?.to_ascii_lowercase().as_str() {
        "planned" => Status::Planned,
        "active" => Status::Active,
        "inactive" => Status::Inactive,
        "transferred" => Status::Transferred,
        "deceased" => Status::Deceased,
        _ => Status::Unknown,
    })
}

/// BrainSTEM's `extra_fields` as an object, whatever shape it came in: an object, a list of `{"name", "value"}`, a list
/// of objects, or (nothing is lost) anything else under the key `value`. Empty in any shape: `None`.
pub fn extra_fields(given: Option<Value>) -> Option<Value> {
    let fields = match given? {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::Object(fields) => fields,
        Value::Array(items) => items.into_iter().enumerate().flat_map(extra_field).collect(),
        other => std::iter::once(("value".to_owned(), other)).collect(),
    };
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// One item of the list shape: `{"name", "value"}`, or an object that is its own key and value, or something odd, which
/// stays under its position.
fn extra_field((position, item): (usize, Value)) -> Vec<(String, Value)> {
    match item {
        Value::Object(mut pair) if matches!(pair.get("name"), Some(Value::String(_))) && pair.contains_key("value") => {
            let value = pair.remove("value").unwrap_or_default();
            match pair.remove("name") {
                Some(Value::String(name)) => vec![(name, value)],
                _ => Vec::new(),
            }
        }
        Value::Object(fields) => fields.into_iter().collect(),
        other => vec![(position.to_string(), other)],
    }
}

/// A subject with nothing but its id, for tests.
#[cfg(test)]
pub(crate) fn bare(id: SubjectId) -> Subject {
    let own = match id {
        SubjectId::BrainStem(_) => Own::BrainStem(BrainStemOwn::default()),
        SubjectId::HautAi(id) => Own::HautAi(HautAiOwn {
            biological_sex: None,
            author_id: None,
            promote_image_id: None,
            company: Company { source_id: id.company, name: None },
            dataset: Dataset { id: id.dataset_id(), name: None },
        }),
    };
    Subject {
        id,
        name: String::new(),
        identifier: None,
        description: None,
        sex: None,
        birth_date: Dated::default(),
        death_date: Dated::default(),
        status: None,
        strain: None,
        genotype: None,
        genetic_line: None,
        tags: Vec::new(),
        metadata: None,
        created_at: Dated::default(),
        projects: Vec::new(),
        procedures: Vec::new(),
        logs: Vec::new(),
        licenses: Vec::new(),
        supplier: None,
        breeding: None,
        own,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sexes() {
        for (code, expected) in [
            (None, None),
            (Some("F"), Some(Sex::Female)),
            (Some("m"), Some(Sex::Male)),
            (Some("U"), Some(Sex::Unknown)),
            (Some("O"), Some(Sex::Other)),
            (Some("X"), Some(Sex::Unknown)),
        ] {
            assert_eq!(sex_from_code(code), expected, "{code:?}");
        }
    }

    #[test]
    fn statuses() {
        assert_eq!(status_from_word(None), None);
        assert_eq!(status_from_word(Some("deceased")), Some(Status::Deceased));
        assert_eq!(status_from_word(Some("hibernating")), Some(Status::Unknown));
    }

    #[test]
    fn extra_fields_of_every_shape() {
        for (given, expected) in [
            (json!(null), None),
            (json!({}), None),
            (json!([]), None),
            (json!(""), None),
            (json!({"a": 1}), Some(json!({"a": 1}))),
            (json!([{"name": "a", "value": 1}, {"name": "b", "value": null}]), Some(json!({"a": 1, "b": null}))),
            (json!([{"a": "x"}, {"b": 2}]), Some(json!({"a": "x", "b": 2}))),
            (json!([{"name": 5, "value": 1}]), Some(json!({"name": 5, "value": 1}))),
            (json!(["loose"]), Some(json!({"0": "loose"}))),
            (json!(7), Some(json!({"value": 7}))),
        ] {
            assert_eq!(extra_fields(Some(given.clone())), expected, "{given}");
        }
        assert_eq!(extra_fields(None), None);
    }
}
