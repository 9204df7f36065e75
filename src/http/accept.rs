//! Which of the two GraphQL media types a caller gets, and whether compressed. Pure: knows header values only.

use axum::http::{
    HeaderMap, HeaderName,
    header::{ACCEPT, ACCEPT_ENCODING},
};
use serde::{Deserialize, Serialize};

/// How an answer is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub(super) enum Format {
    /// `application/graphql-response+json`: the status says how the request fared.
    GraphQlResponse,
    /// `application/json`: a well-formed request gets 200, whatever is wrong with its query.
    Json,
}

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::GraphQlResponse => GRAPHQL_RESPONSE,
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// The format to answer in; `None`: the caller accepts neither.
///
/// The newer type is for those who name it. Wildcards get `application/json`, which every client reads, unless they
/// refuse just that.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<Format> {
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return Some(Format::Json);
    }
    let newer = quality(&ranges, GRAPHQL_RESPONSE);
    let json = quality(&ranges, JSON);
    let named = ranges.iter().any(|(name, _)| name == GRAPHQL_RESPONSE);
    if newer > 0.0 && (json <= 0.0 || (named && newer >= json)) {
        Some(Format::GraphQlResponse)
    } else {
        (json > 0.0).then_some(Format::Json)
    }
}

/// Whether server-sent events are accepted; who says nothing accepts anything.
pub(super) fn accepts_event_stream(headers: &HeaderMap) -> bool {
    let ranges = ranges(headers);
    ranges.is_empty() || quality(&ranges, EVENT_STREAM) > 0.0
}

/// Whether a compressed answer is taken, and not liked less than a plain one.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let codings = weighted(headers, &ACCEPT_ENCODING);
    let weight = |wanted: &str| codings.iter().find(|(name, _)| name == wanted).map(|(_, weight)| *weight);
    let gzip = weight("gzip").or_else(|| weight("*")).unwrap_or(0.0);
    gzip > 0.0 && gzip >= weight("identity").unwrap_or(0.0)
}

fn ranges(headers: &HeaderMap) -> Vec<(String, f32)> {
    weighted(headers, &ACCEPT)
}

/// The names that a header lists, each with its weight.
fn weighted(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, f32)> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(range).collect()
}

/// A name with its weight. Parameters other than `q` don't matter: both types are JSON in UTF-8.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // A weight that can't be read counts as none given.
    let weight = weight.and_then(|weight| weight.parse().ok()).unwrap_or(1.0_f32);
    Some((name, weight.clamp(0.0, 1.0)))
}

/// A type's weight: what the most specific range that covers it says.
fn quality(ranges: &[(String, f32)], media_type: &str) -> f32 {
    let weight = |wanted: &str| {
        let weights = ranges.iter().filter(|(name, _)| name == wanted).map(|(_, weight)| *weight);
        weights.reduce(f32::max)
    };
    let group = media_type.split('/').next().map(|group| format!("{group}/*")).unwrap_or_default();
    weight(media_type).or_else(|| weight(&group)).or_else(|| weight("*/*")).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};

    use super::{Format, negotiate};

    #[test]
    fn the_newer_type_is_for_those_who_name_it() {
        let newer = Some(Format::GraphQlResponse);
        let json = Some(Format::Json);
        let table = [
            ("", json),
            ("*/*", json),
            ("application/*", json),
            ("application/json", json),
            ("application/json; charset=utf-8", json),
            ("APPLICATION/JSON", json),
            ("application/graphql-response+json", newer),
            ("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", newer),
            ("application/json, application/graphql-response+json", newer),
            ("application/graphql-response+json;q=0.5, application/json", json),
            ("application/graphql-response+json;q=0.9, application/json;q=0.8", newer),
            ("application/graphql-response+json;q=0, application/json", json),
            ("application/json;q=0, */*", newer),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", json),
            ("multipart/mixed;deferSpec=20220824,application/json", json),
            ("application/json;q=x", json),
            ("text/html", None),
            ("application/json;q=0", None),
            ("*/*;q=0", None),
        ];
        for (accept, format) in table {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(negotiate(&headers), format, "{accept}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), json);
    }
}
