//! `filter{…}` parameters: parsing, and whether a record passes.

use std::{cmp::Ordering, collections::HashSet};

use jiff::civil::Date;
use regex::Regex;
use serde_json::Value;
use uuid::Uuid;

use super::{
    super::{Collation, exchange::Answer, store::Store},
    models::{Generation, Kind, Model},
    path::Path,
    sort::compare_text,
};

const OPERATORS: &[&str] = &[
    "in",
    "any",
    "all",
    "icontains",
    "contains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "iexact",
    "regex",
    "range",
    "gt",
    "gte",
    "lt",
    "lte",
    "isnull",
    "year",
    "month",
    "day",
    "eq",
];

/// One filter; a record must pass all of them.
#[derive(Debug)]
pub(super) struct Filter {
    negated: bool,
    path: Path,
    test: Test,
}

#[derive(Debug)]
enum Test {
    OneOf(HashSet<String>),
    Text(TextTest, String),
    Regex(Regex),
    /// Bounds, each with the orders of value and bound that pass.
    Bounds(Vec<(String, &'static [Ordering])>),
    IsNull(bool),
    /// Where the part stands in an ISO date, and its number.
    DatePart(std::ops::Range<usize>, i64),
}

#[derive(Clone, Copy, Debug)]
enum TextTest {
    Contains,
    IgnoreCaseContains,
    StartsWith,
    IgnoreCaseStartsWith,
    EndsWith,
    IgnoreCaseEndsWith,
    IgnoreCaseEquals,
}

/// All filters of a query; other parameters are none of its business.
pub(super) fn parse(
    generation: Generation,
    model: &'static Model,
    pairs: &[(String, String)],
) -> Result<Vec<Filter>, Answer> {
    let mut specs: Vec<(&str, Vec<&str>)> = Vec::new();
    for (key, value) in pairs {
        let spec = key.strip_prefix("filter{").and_then(|key| key.strip_suffix('}'));
        let Some(spec) = spec else { continue };
        match specs.iter_mut().find(|(known, _)| *known == spec) {
            Some((_, values)) => values.push(value),
            None => specs.push((spec, vec![value])),
        }
    }
    specs.into_iter().map(|(spec, values)| Filter::parse(generation, model, spec, &values)).collect()
}

impl Filter {
    fn parse(generation: Generation, model: &'static Model, spec: &str, values: &[&str]) -> Result<Self, Answer> {
        let (negated, spec) = match spec.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, spec),
        };
        let mut terms: Vec<&str> = spec.split('.').collect();
        let operator = terms.pop_if(|last| OPERATORS.contains(last) && spec.contains('.'));
        let path = Path::resolve(generation, model, &terms)
            .map_err(|term| Answer::list_error(&format!("Invalid filter field: {term}")))?;
        let test = Test::parse(operator.unwrap_or("eq"), path.leaf.kind, values)?;
        Ok(Self { negated, path, test })
    }

    pub(super) fn passes(&self, store: &Store, record: &Value, collation: Collation) -> bool {
        let values = self.path.values(store, record);
        let met = match &self.test {
            Test::IsNull(expected) => values.is_empty() == *expected,
            test => values.into_iter().any(|value| test.meets(value, self.path.leaf.kind, collation)),
        };
        met != self.negated
    }

    /// The only ids that can pass, where that is what it says.
    pub(super) fn ids(&self) -> Option<&HashSet<String>> {
        match &self.test {
            Test::OneOf(ids) if self.path.is_id() && !self.negated => Some(ids),
            _ => None,
        }
    }
}

impl Test {
    /// All operators but `in` and `range` read the first value only.
    fn parse(operator: &str, kind: Kind, values: &[&str]) -> Result<Self, Answer> {
        use Ordering::{Equal, Greater, Less};
        let first = values.first().copied().unwrap_or("");
        let text = |test| Ok(Self::Text(test, first.to_owned()));
        let bound = |passing: &'static [Ordering]| Ok(Self::Bounds(vec![(normalize(kind, first)?, passing)]));
        let date_part = |place| match first.parse() {
            Ok(number) => Ok(Self::DatePart(place, number)),
            Err(_) => Err(not_a_number(first)),
        };
        match operator {
            "in" => {
                let values = values.iter().map(|value| normalize(kind, value));
                Ok(Self::OneOf(values.collect::<Result<_, _>>()?))
            }
            "contains" => text(TextTest::Contains),
            "icontains" => text(TextTest::IgnoreCaseContains),
            "startswith" => text(TextTest::StartsWith),
            "istartswith" => text(TextTest::IgnoreCaseStartsWith),
            "endswith" => text(TextTest::EndsWith),
            "iendswith" => text(TextTest::IgnoreCaseEndsWith),
            "iexact" => text(TextTest::IgnoreCaseEquals),
            "regex" => Regex::new(first).map(Self::Regex).map_err(|_| Answer::html_status(500)),
            "range" => match values {
                [low, high, ..] => Ok(Self::Bounds(vec![
                    (normalize(kind, low)?, &[Greater, Equal]),
                    (normalize(kind, high)?, &[Less, Equal]),
                ])),
                _ => Err(Answer::html_status(500)),
            },
            "gt" => bound(&[Greater]),
            "gte" => bound(&[Greater, Equal]),
            "lt" => bound(&[Less]),
            "lte" => bound(&[Less, Equal]),
            "isnull" => Ok(Self::IsNull(!matches!(first, "" | "0" | "false" | "False"))),
            "year" => date_part(0..4),
            "month" => date_part(5..7),
            "day" => date_part(8..10),
            _ => Ok(Self::OneOf(HashSet::from([normalize(kind, first)?]))),
        }
    }

    fn meets(&self, value: &Value, kind: Kind, collation: Collation) -> bool {
        let Some(value) = plain(value) else {
            return false;
        };
        match self {
            Self::OneOf(expected) => expected.contains(&value),
            Self::Text(test, expected) => test.meets(&value, expected),
            Self::Regex(regex) => regex.is_match(&value),
            Self::Bounds(bounds) => bounds.iter().all(|(bound, passing)| {
                let order = compare(&value, bound, kind, collation);
                order.is_some_and(|order| passing.contains(&order))
            }),
            Self::DatePart(place, number) => {
                let part = value.get(place.clone()).and_then(|part| part.parse().ok());
                part == Some(*number)
            }
            Self::IsNull(_) => false,
        }
    }
}

impl TextTest {
    fn meets(self, value: &str, expected: &str) -> bool {
        let (lower, expected_lower) = (value.to_lowercase(), expected.to_lowercase());
        match self {
            Self::Contains => value.contains(expected),
            Self::IgnoreCaseContains => lower.contains(&expected_lower),
            Self::StartsWith => value.starts_with(expected),
            Self::IgnoreCaseStartsWith => lower.starts_with(&expected_lower),
            Self::EndsWith => value.ends_with(expected),
            Self::IgnoreCaseEndsWith => lower.ends_with(&expected_lower),
            Self::IgnoreCaseEquals => lower == expected_lower,
        }
    }
}

/// A stored value as the text that filters compare.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value of the query as the field's type would print it, or the answer that refuses it.
fn normalize(kind: Kind, given: &str) -> Result<String, Answer> {
    match kind {
        Kind::Id | Kind::One(_) | Kind::Many(_) => Uuid::parse_str(given)
            .map(|id| id.to_string())
            .map_err(|_| Answer::list_error(&format!("“{given}” is not a valid UUID."))),
        Kind::Date if given.parse::<Date>().is_err() => Err(Answer::list_error(&format!(
            "“{given}” value has an invalid date format. It must be in YYYY-MM-DD format."
        ))),
        Kind::DateTime if given.get(..10).is_none_or(|date| date.parse::<Date>().is_err()) => {
            Err(Answer::list_error(&format!("“{given}” value has an invalid format.")))
        }
        Kind::Integer => match given.parse::<i64>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(not_a_number(given)),
        },
        Kind::Bool => match given {
            "true" | "True" | "1" => Ok("true".to_owned()),
            "false" | "False" | "0" => Ok("false".to_owned()),
            _ => Err(Answer::list_error(&format!("“{given}” value must be either True or False."))),
        },
        _ => Ok(given.to_owned()),
    }
}

fn not_a_number(given: &str) -> Answer {
    Answer::list_error(&format!("Expected a number but got '{given}'."))
}

/// Dates that can't be read are neither before nor after another.
fn compare(value: &str, bound: &str, kind: Kind, collation: Collation) -> Option<Ordering> {
    match kind {
        Kind::Date => {
            value.parse::<Date>().ok()?;
            Some(value.cmp(bound))
        }
        Kind::Integer => value.parse::<i64>().ok()?.partial_cmp(&bound.parse().ok()?),
        Kind::Text(_) | Kind::Choice(_) => Some(compare_text(value, bound, collation)),
        _ => Some(value.cmp(bound)),
    }
}
