//! What a caller is told of how an answer was made, where it asks and its scope allows: `extensions.gateway` and
//! `Server-Timing`. It is put into a copy of the answer, so that what is kept for others never has it.

use std::{fmt::Write as _, time::Duration};

use async_graphql::indexmap::IndexMap;
use axum::http::{HeaderName, HeaderValue};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::account::Cache;
use crate::{schema::execution::Cost, trail::Trail};

/// Asks for them (`include`).
pub(super) const DETAILS: HeaderName = HeaderName::from_static("x-gateway-details");

pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// How one answer was made.
#[derive(Debug, Default)]
pub(super) struct Details {
    /// From the head of the request until now.
    pub(super) total: Duration,
    /// `None`: it was not executed.
    pub(super) cache: Option<Cache>,
    /// How long ago its oldest part was asked for.
    pub(super) age: Option<Duration>,
    pub(super) cost: Option<Cost>,
    /// What was asked for it; `None`: nothing.
    pub(super) trail: Option<Trail>,
}

impl Details {
    /// The value of `Server-Timing`.
    pub(super) fn timing(&self) -> Option<HeaderValue> {
        let upstream = self.trail.as_ref().map(Trail::time).unwrap_or_default();
        let mut text = format!("total;dur={}, upstream;dur={}", milliseconds(self.total), milliseconds(upstream));
        if let Some(cache) = self.cache {
            let _ = write!(text, ", cache;desc=\"{}\"", cache.name());
        }
        HeaderValue::try_from(text).ok()
    }

    /// The answer with what is told in its `extensions`; itself where it is no object.
    pub(super) fn within(&self, answer: &str) -> String {
        let told = || {
            let mut members: IndexMap<String, Box<RawValue>> = serde_json::from_str(answer).ok()?;
            let extensions = members.get("extensions").map(|extensions| serde_json::from_str(extensions.get()));
            let mut extensions: IndexMap<String, Box<RawValue>> = extensions.transpose().ok()?.unwrap_or_default();
            extensions.insert("gateway".to_owned(), to_raw_value(&self.told()).ok()?);
            members.insert("extensions".to_owned(), to_raw_value(&extensions).ok()?);
            serde_json::to_string(&members).ok()
        };
        told().unwrap_or_else(|| answer.to_owned())
    }

    fn told(&self) -> Value {
        let trail = self.trail.as_ref();
        let asked = trail.map(Trail::asked).unwrap_or_default();
        let sources: serde_json::Map<_, _> = asked
            .into_iter()
            .map(|asked| {
                let told = json!({"requests": asked.requests, "upstreamMs": milliseconds(asked.time)});
                (asked.source.code().to_owned(), told)
            })
            .collect();
        json!({
            "cache": self.cache.map(Cache::name),
            "ageSeconds": self.age.map(|age| age.as_secs()),
            "requests": trail.map_or(0, Trail::requests),
            "totalMs": milliseconds(self.total),
            "upstreamMs": milliseconds(trail.map(Trail::time).unwrap_or_default()),
            "cost": self.cost.map(|cost| json!({"estimated": cost.estimated, "limit": cost.limit})),
            "sources": sources,
        })
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_stays_what_it_was_beside_what_is_told() {
        let answer = r#"{"errors":[{"a":1}],"data":null,"extensions":{"stale":[1.0,12345678901234567890123]}}"#;
        let told = Details { cache: Some(Cache::Miss), ..Details::default() }.within(answer);
        let start = &answer[..answer.len() - 2];
        assert!(told.starts_with(&format!("{start},\"gateway\":{{\"cache\":\"miss\",")), "{told}");
        assert!(serde_json::from_str::<Value>(&told).unwrap()["extensions"]["gateway"]["cost"].is_null());
    }
}
