//! What a list ought to hold: all stored records, filtered and sorted by brute force.

use std::{cmp::Ordering, collections::HashMap};

use icu_collator::{CollatorBorrowed, CollatorPreferences, options::CollatorOptions};
use serde_json::{Value, json};
use subject_gateway::sandbox::{COMPANY_ID, Collation, Totals};

use super::record::{BRAINSTEM, HAUT_AI, Record, animal, person, sex_of_entry, text};
use crate::util::TestApp;

/// Filters that only one source knows, and so exclude the other.
const OF_ANIMALS: [&str; 6] = ["projectId", "strainId", "speciesId", "tag", "status", "hasProcedures"];
const OF_PEOPLE: [&str; 1] = ["datasetId"];
/// Filters that the gateway applies, by source.
const HERE_OF_PEOPLE: [&str; 3] = ["name", "sex", "birthDate"];
const HERE_OF_ANIMALS: [&str; 2] = ["tag", "search"];

/// All records in the order of an unordered list.
pub(super) struct Whole {
    pub(super) records: Vec<Record>,
    legacy: bool,
    counts: bool,
}

/// What a total may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    Exact(usize),
    Null,
    /// The contract leaves open who applies the filter.
    Either(usize),
}

impl Total {
    pub(super) fn check(self, told: &Value, about: &str) {
        let fits = match self {
            Self::Exact(count) => *told == json!(count),
            Self::Null => told.is_null(),
            Self::Either(count) => told.is_null() || *told == json!(count),
        };
        assert!(fits, "{about}: {self:?}, but told was {told}");
    }
}

impl Whole {
    pub(super) fn of(app: &TestApp) -> Self {
        let (mut collation, mut counts) = (Collation::CodePoint, true);
        app.brainstem().set_knobs(|knobs| (collation, counts) = (knobs.collation, knobs.totals != Totals::Nowhere));
        let datasets =
            app.haut_ai().records("datasets").into_iter().filter(|dataset| dataset["company_id"] == COMPANY_ID);
        let sexes: HashMap<String, &'static str> = app
            .haut_ai()
            .records("biological_sexes")
            .iter()
            .map(|sex| (text(sex, "id").to_owned(), sex_of_entry(sex)))
            .collect();
        let stored = app.haut_ai().records("subjects");
        let people = datasets.flat_map(|dataset| {
            let within: Vec<_> = stored
                .iter()
                .filter(|person| person["dataset"]["id"] == dataset["id"])
                .map(|one| person(one, &sexes))
                .collect();
            within
        });
        let mut records: Vec<Record> = people.collect();
        let species: HashMap<String, String> = app
            .brainstem()
            .records("strains")
            .iter()
            .map(|strain| (text(strain, "id").to_owned(), text(strain, "species").to_owned()))
            .collect();
        let mut animals: Vec<Record> =
            app.brainstem().records("subjects").iter().map(|one| animal(one, &species)).collect();
        animals.sort_by(|left, right| in_database(left, right, collation).then_with(|| left.ids.cmp(&right.ids)));
        records.extend(animals);
        Self { records, legacy: false, counts }
    }

    /// BrainSTEM is a server from before the renaming.
    pub(super) fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// The list under a filter and an order.
    pub(super) fn list(&self, filter: &Value, order: &Value) -> Vec<&Record> {
        let mut list: Vec<&Record> = self.records.iter().filter(|record| record.passes(filter)).collect();
        let descending = order["direction"] == "DESC";
        let name = CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default()).unwrap();
        match order["field"].as_str() {
            None => {}
            Some("NAME") => list.sort_by(|left, right| {
                let by_name = name.compare(&left.name, &right.name);
                (if descending { by_name.reverse() } else { by_name }).then_with(|| left.by_source(right))
            }),
            Some("BIRTH_DATE") => list.sort_by(|left, right| {
                nulls_last(left.birth_date, right.birth_date, descending).then_with(|| left.by_source(right))
            }),
            Some("CREATED_AT") => list.sort_by(|left, right| {
                nulls_last(left.created_at, right.created_at, descending).then_with(|| left.by_source(right))
            }),
            Some(field) => panic!("no field {field}"),
        }
        list
    }

    /// The sources that the filter leaves.
    pub(super) fn sources(filter: &Value) -> Vec<&'static str> {
        let has = |fields: &[&str]| fields.iter().any(|field| !filter[*field].is_null());
        let selected =
            |source: &str| filter["sources"].as_array().is_none_or(|sources| sources.contains(&json!(source)));
        let mut left = Vec::new();
        if selected(HAUT_AI) && !has(&OF_ANIMALS) {
            left.push(HAUT_AI);
        }
        if selected(BRAINSTEM) && !has(&OF_PEOPLE) {
            left.push(BRAINSTEM);
        }
        left
    }

    /// How many records of a source the gateway should tell. In an order it may know what it gathered.
    pub(super) fn total_of(&self, source: &str, filter: &Value, is_ordered: bool) -> Total {
        let is_given = |field: &str| match &filter[field] {
            Value::Object(within) => !within.is_empty(),
            value => !value.is_null(),
        };
        let here = if source == HAUT_AI {
            HERE_OF_PEOPLE.iter().any(|field| is_given(field))
        } else {
            let status_here = self.legacy && !filter["status"].is_null();
            !self.counts || status_here || HERE_OF_ANIMALS.iter().any(|field| is_given(field))
        };
        let open = ["sex", "status"].iter().any(|field| {
            let values = filter[*field].as_array();
            values.is_some_and(|values| values.iter().any(|value| value == "UNKNOWN" || value == "OTHER"))
        });
        let has_empty =
            |filter: &Value| filter.as_object().is_some_and(|fields| fields.values().any(|value| *value == json!([])));
        let has_empty = has_empty(filter) || has_empty(&filter["name"]);
        let many = filter["name"]["in"].as_array().is_some_and(|names| names.len() > 10);
        let count = self.list(filter, &Value::Null).iter().filter(|record| record.source == source).count();
        if has_empty || (here && is_ordered) || (source == BRAINSTEM && !here && (open || many)) {
            Total::Either(count)
        } else if here {
            Total::Null
        } else {
            Total::Exact(count)
        }
    }

    /// What `totalCount` of the whole list should be.
    pub(super) fn total(&self, filter: &Value, is_ordered: bool) -> Total {
        let add = |sum: Total, next: Total| match (sum, next) {
            (Total::Null, _) | (_, Total::Null) => Total::Null,
            (Total::Exact(left), Total::Exact(right)) => Total::Exact(left + right),
            (Total::Exact(left) | Total::Either(left), Total::Exact(right) | Total::Either(right)) => {
                Total::Either(left + right)
            }
        };
        Self::sources(filter)
            .into_iter()
            .map(|source| self.total_of(source, filter, is_ordered))
            .fold(Total::Exact(0), add)
    }
}

fn nulls_last<T: Ord>(left: Option<T>, right: Option<T>, descending: bool) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) if descending => right.cmp(&left),
        (Some(left), Some(right)) => left.cmp(&right),
        (left, right) => left.is_none().cmp(&right.is_none()),
    }
}

fn in_database(left: &Record, right: &Record, collation: Collation) -> Ordering {
    let (left, right) = (&left.name, &right.name);
    match collation {
        Collation::CodePoint => left.cmp(right),
        Collation::IgnoreCase => left.to_lowercase().cmp(&right.to_lowercase()),
        Collation::Reversed => right.cmp(left),
    }
}
