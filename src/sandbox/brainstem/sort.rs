//! `sort[]` parameters.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    super::{Collation, Knobs, exchange::Answer, store::Store},
    models::{Generation, Kind, Model},
    path::Path,
};

/// One criterion; later ones decide between equals.
pub(super) struct Criterion {
    path: Path,
    descending: bool,
}

/// All criteria of a query.
pub(super) fn parse(
    generation: Generation,
    model: &'static Model,
    pairs: &[(String, String)],
) -> Result<Vec<Criterion>, Answer> {
    let given = pairs.iter().filter(|(key, _)| key == "sort[]");
    given
        .map(|(_, value)| {
            let (descending, name) = match value.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, value.as_str()),
            };
            let terms: Vec<&str> = name.split('.').collect();
            let path = Path::resolve(generation, model, &terms)
                .map_err(|term| Answer::list_error(&format!("Invalid filter field: {term}")))?;
            Ok(Criterion { path, descending })
        })
        .collect()
}

/// Orders the records. One that has several values of a criterion comes once for each, as joined rows do.
pub(super) fn apply<'a>(
    criteria: &[Criterion],
    store: &'a Store,
    records: Vec<&'a Value>,
    knobs: &Knobs,
) -> Vec<&'a Value> {
    if criteria.is_empty() {
        return records;
    }
    let mut rows: Vec<(Vec<Option<&Value>>, &Value)> = Vec::with_capacity(records.len());
    for record in records {
        let mut keys: Vec<Vec<Option<&Value>>> = vec![Vec::new()];
        for criterion in criteria {
            let values = criterion.path.values(store, record);
            let values: Vec<Option<&Value>> =
                if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() };
            keys = keys
                .iter()
                .flat_map(|key| {
                    let longer = |value: &Option<_>| [key.as_slice(), &[*value]].concat();
                    values.iter().map(longer).collect::<Vec<_>>()
                })
                .collect();
        }
        rows.extend(keys.into_iter().map(|key| (key, record)));
    }
    rows.sort_by(|(left, _), (right, _)| {
        let pairs = left.iter().zip(right).zip(criteria);
        pairs.fold(Ordering::Equal, |order, ((left, right), criterion)| {
            order.then_with(|| criterion.compare(*left, *right, knobs))
        })
    });
    rows.into_iter().map(|(_, record)| record).collect()
}

impl Criterion {
    fn compare(&self, left: Option<&Value>, right: Option<&Value>, knobs: &Knobs) -> Ordering {
        let order = match (left, right) {
            (Some(left), Some(right)) => self.compare_values(left, right, knobs.collation),
            (None, None) => Ordering::Equal,
            (None, Some(_)) if knobs.nulls_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if knobs.nulls_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        };
        if self.descending { order.reverse() } else { order }
    }

    fn compare_values(&self, left: &Value, right: &Value, collation: Collation) -> Ordering {
        let numbers = left.as_f64().zip(right.as_f64());
        if let Some((left, right)) = numbers {
            return left.total_cmp(&right);
        }
        let (left, right) = (left.as_str().unwrap_or(""), right.as_str().unwrap_or(""));
        match self.path.leaf.kind {
            Kind::Text(_) | Kind::Choice(_) => compare_text(left, right, collation),
            _ => left.cmp(right),
        }
    }
}

/// The order of two texts in a database with this collation.
pub(super) fn compare_text(left: &str, right: &str, collation: Collation) -> Ordering {
    match collation {
        Collation::CodePoint => left.cmp(right),
        Collation::IgnoreCase => left.to_lowercase().cmp(&right.to_lowercase()),
        Collation::Reversed => right.cmp(left),
    }
}
