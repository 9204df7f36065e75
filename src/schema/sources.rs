//! `sources`: what recent traffic showed.

use std::time::Duration;

use async_graphql::{Enum, SimpleObject};
use jiff::Timestamp;

use super::{context::RequestContext, error::fault_code, scalars::DateTime, subject::SubjectSource};
use crate::{
    cache::{CachedBrainStem, CachedHautAi},
    domain::Source,
    sources::Seen,
};

/// How a source fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SourceState {
    /// Nothing was asked of it yet.
    Unknown,
    /// Its last answer was a good one.
    Available,
    /// Its last answer was a failure, or did not come.
    Failing,
    /// The gateway runs without it: its subjects are absent, its fields null.
    NotConfigured,
}

/// How a source fares, by what recent traffic showed.
#[derive(SimpleObject)]
pub struct SourceStatus {
    /// Which source.
    source: SubjectSource,
    /// How it fares.
    status: SourceState,
    /// When it last gave a good answer.
    last_success_at: Option<DateTime>,
    /// How long that answer took, in milliseconds.
    last_success_took_ms: Option<u64>,
    /// When it last failed.
    last_failure_at: Option<DateTime>,
    /// How it failed: a code as in `errors[].extensions.code`.
    last_failure_code: Option<&'static str>,
    /// Until when the gateway does not ask it, because it failed too often: what needs it fails at once, or is served as it was
    /// before. Null: it is asked.
    paused_until: Option<DateTime>,
}

pub(super) fn statuses(request: &RequestContext) -> Vec<SourceStatus> {
    request.provenance.mark_unrepeatable();
    let haut_ai = request.sources.haut_ai.as_ref().map(CachedHautAi::source);
    let brainstem = request.sources.brainstem.as_ref().map(CachedBrainStem::source);
    let haut_ai = haut_ai.map(|source| (source.traffic().seen(), source.paused_for()));
    let brainstem = brainstem.map(|source| (source.traffic().seen(), source.paused_for()));
    vec![status(Source::HautAi, haut_ai), status(Source::BrainStem, brainstem)]
}

fn status(source: Source, configured: Option<(Seen, Option<Duration>)>) -> SourceStatus {
    let (seen, paused_for) = configured.unzip();
    let status = seen.as_ref().map_or(SourceState::NotConfigured, state);
    let seen = seen.unwrap_or_default();
    SourceStatus {
        source: source.into(),
        status,
        last_success_at: seen.success_at.map(DateTime::Instant),
        last_success_took_ms: seen.success_took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        last_failure_at: seen.failure.as_ref().map(|(at, _)| DateTime::Instant(*at)),
        last_failure_code: seen.failure.as_ref().map(|(_, fault)| fault_code(fault)),
        paused_until: paused_for.flatten().map(|left| DateTime::Instant(Timestamp::now() + left)),
    }
}

fn state(seen: &Seen) -> SourceState {
    match (seen.success_at, &seen.failure) {
        (None, None) => SourceState::Unknown,
        (Some(success), Some((failure, _))) if success > *failure => SourceState::Available,
        (Some(_), None) => SourceState::Available,
        (_, Some(_)) => SourceState::Failing,
    }
}
