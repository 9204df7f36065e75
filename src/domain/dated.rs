//! Dates as the upstreams write them, and as the gateway reads them.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// A date as its source wrote it. What can't be read stays visible as text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dated<T> {
    /// `None`: not given, or unreadable.
    pub value: Option<T>,
    /// The source's text; `None`: not given.
    pub raw: Option<String>,
}

impl<T> Default for Dated<T> {
    fn default() -> Self {
        Self { value: None, raw: None }
    }
}

impl Dated<Date> {
    pub fn date(raw: Option<String>) -> Self {
        Self { value: raw.as_deref().and_then(parse_date), raw }
    }
}

impl Dated<Timestamp> {
    pub fn date_time(raw: Option<String>) -> Self {
        Self { value: raw.as_deref().and_then(parse_date_time), raw }
    }
}

/// `YYYY-MM-DD`. A midnight behind it is dropped, because frameworks append one to a date; any other time of day is a
/// date-time and no date.
pub fn parse_date(text: &str) -> Option<Date> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let shaped = date.len() == 10
        && date.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let midnight = matches!(time.trim_end_matches(['Z', '0', ':', '.', '+']), "");
    if shaped && midnight { date.parse().ok() } else { None }
}

/// RFC 3339 with an offset. Without one the instant is not known, and none is invented.
pub fn parse_date_time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates() {
        for (text, expected) in [
            ("2023-03-22", Some(date(2023, 3, 22))),
            ("2024-02-29", Some(date(2024, 2, 29))),
            ("0001-01-01", Some(date(1, 1, 1))),
            ("9999-12-31", Some(date(9999, 12, 31))),
            ("2023-03-22T00:00:00Z", Some(date(2023, 3, 22))),
            ("2023-03-22 00:00:00+00:00", Some(date(2023, 3, 22))),
            ("2023-03-22T10:00:00Z", None),
            ("2023-02-29", None),
            ("22.03.2023", None),
            ("2023-3-2", None),
            ("20230322", None),
            ("+002023-03-22", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(parse_date(text), expected, "{text:?}");
        }
    }

    #[test]
    fn date_times_need_an_offset() {
        assert!(parse_date_time("2025-10-08T20:00:33.223Z").is_some());
        assert!(parse_date_time("2025-10-08T20:00:33+02:00").is_some());
        assert!(parse_date_time("2025-10-08T20:00:33").is_none());
        assert!(parse_date_time("2025-10-08").is_none());
    }
}
