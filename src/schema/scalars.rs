//! Custom scalars, each with the specification that defines it. What stands above the `impl` is the schema's description.

use async_graphql::{InputValueResult, Scalar, ScalarType, Value};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::{
    error::{Error, Result},
    lists::out::raw,
};
use crate::domain::dated::{parse_date, parse_date_time};

/// The first year of the sources, which are written in Python.
const FIRST_YEAR: i16 = 1;

/// A day without a time or a zone, as `YYYY-MM-DD`.
#[derive(Clone, Debug)]
pub enum Date {
    Day(civil::Date),
    /// Input that is none. Refused by the field that it was given to, which can name its argument.
    Unreadable,
}

/// A day without a time or a zone, as `YYYY-MM-DD`.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#section-5.6")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Ok(Self::Unreadable);
        };
        let day = parse_date(&text).filter(|_| text.len() == 10);
        Ok(day.map_or(Self::Unreadable, Self::Day))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Day(day) => Value::String(day.to_string()),
            Self::Unreadable => Value::Null,
        }
    }
}

impl Date {
    /// The day; an error names the argument.
    pub(super) fn given_as(&self, argument: &str) -> Result<civil::Date> {
        match self {
            Self::Day(day) if day.year() >= FIRST_YEAR => Ok(*day),
            _ => Err(Error::BadUserInput(format!(
                "`{argument}` is not a date: expected YYYY-MM-DD, such as \"2024-02-29\"."
            ))),
        }
    }
}

/// An instant, as RFC 3339 writes it, in UTC.
#[derive(Clone, Debug)]
pub enum DateTime {
    Instant(Timestamp),
    /// Input that is none. Refused by the field that it was given to, which can name its argument.
    Unreadable,
}

/// An instant, as RFC 3339 writes it, in UTC.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = value else {
            return Ok(Self::Unreadable);
        };
        Ok(parse_date_time(&text).map_or(Self::Unreadable, Self::Instant))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Instant(instant) => Value::String(instant.to_string()),
            Self::Unreadable => Value::Null,
        }
    }
}

impl DateTime {
    /// The instant; an error names the argument.
    pub(super) fn given_as(&self, argument: &str) -> Result<Timestamp> {
        match self {
            Self::Instant(instant) if instant.to_zoned(TimeZone::UTC).year() >= FIRST_YEAR => Ok(*instant),
            _ => Err(Error::BadUserInput(format!(
                "`{argument}` is not a date-time: expected RFC 3339 with an offset, such as \"2024-02-29T12:00:00Z\"."
            ))),
        }
    }
}

/// A duration, as ISO 8601 writes it: `P34Y` is 34 years, `P90D` is 90 days.
#[derive(Clone, Debug)]
pub struct Duration(pub String);

/// A duration, as ISO 8601 writes it: `P34Y` is 34 years, `P90D` is 90 days.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339#appendix-A")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err("expected an ISO 8601 duration".into()),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Any JSON value, as the source holds it.
#[derive(Clone, Debug)]
pub struct Json(pub serde_json::Value);

/// Any JSON value, as the source holds it.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        // As text, whatever it holds: within a tree of values an object could pass for JSON that is put out unseen, as lists
        // are.
        raw(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn no_json_of_others_is_put_out_unseen() {
        let posing = |text: &str| {
            let fields = [(async_graphql_value::RAW_VALUE_TOKEN.to_owned(), text.into())];
            serde_json::Value::Object(Map::from_iter(fields))
        };
        for posing in [posing("[1"), posing("1}, {"), json!([posing("[1]")]), json!({"a": posing("\"b\"")})] {
            let written = serde_json::to_string(&Json(posing.clone()).to_value()).unwrap();
            assert_eq!(written, posing.to_string());
        }
    }
}
