//! The two upstreams: one typed client each, and what both share.
//!
//! Turns wire types into the domain's. Knows neither GraphQL nor callers.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::Source;

pub mod brainstem;
mod client;
mod credential;
pub mod haut_ai;
#[cfg(test)]
mod odd;
pub mod paging;
mod resolver;
mod wire;
pub mod write;

pub use client::UpstreamMetrics;
pub(crate) use credential::ByCredential;
pub use credential::{Credential, CredentialId, Denied, MAX_CREDENTIAL, Malformed, header_of};

/// A source did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", of.title())]
pub struct SourceError {
    pub of: Source,
    pub fault: Fault,
}

impl SourceError {
    /// Whether the next request will fare no better.
    pub fn is_of_the_whole_source(&self) -> bool {
        matches!(
            self.fault,
            Fault::RateLimited { .. }
                | Fault::Unready { .. }
                | Fault::Paused { .. }
                | Fault::TooManyRequests { .. }
                | Fault::Unreachable(_)
                | Fault::Refused { status: 401, .. }
                | Fault::Denied(Denied::Missing | Denied::Unknown)
        )
    }

    /// Whether it is about the credential that the caller brought, and no fault of the source.
    pub fn is_denial(&self) -> bool {
        matches!(self.fault, Fault::Denied(_))
    }

    /// Whether there is no such list at all: a dataset was deleted meanwhile, or is wrongly configured.
    pub fn is_absence(&self) -> bool {
        self.fault == Fault::Status(404)
    }
}

/// What went wrong. The texts are for the operator's log; none holds anything of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no whole answer within the time limit")]
    Timeout,
    #[error("{0}")]
    Unreachable(&'static str),
    #[error("it answered {status}: it, or a proxy before it, is not ready")]
    Unready { status: u16, retry_after: Option<Duration> },
    #[error("it failed too often lately and is not asked for a while")]
    Paused { retry_after: Duration },
    #[error("the operation needs more than {limit} requests to the sources")]
    TooManyRequests { limit: u64 },
    #[error("it answered 429: too many requests")]
    RateLimited { retry_after: Option<Duration> },
    #[error("{why} (status {status})")]
    Refused { status: u16, why: &'static str },
    /// As [`Refused`](Self::Refused), of the caller's own credential rather than the gateway's.
    #[error("{0}")]
    Denied(Denied),
    #[error("it answered 409: a write that conflicts with another")]
    Conflict,
    #[error("it answered {0}, which this request should not get")]
    Status(u16),
    #[error("its answer can't be used: {0}")]
    Invalid(&'static str),
    #[error("the gateway failed while it read the answer")]
    Panicked,
}

impl Fault {
    /// Whether the source is out of order, rather than that it refused: what it said before may stand in for its answer.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Timeout
            | Self::Unreachable(_)
            | Self::Unready { .. }
            | Self::Paused { .. }
            | Self::RateLimited { .. }
            | Self::Invalid(_) => true,
            Self::Status(status) => *status >= 500,
            Self::Refused { .. } | Self::Denied(_) | Self::Conflict | Self::TooManyRequests { .. } | Self::Panicked => {
                false
            }
        }
    }
}

/// Status and body of an answer, sorted: the body of a success, `None` for "not there", or the fault.
fn accept(answer: client::Answer) -> Result<Option<bytes::Bytes>, Fault> {
    let retry_after = answer.retry_after;
    match answer.status.as_u16() {
        200..=299 => Ok(Some(answer.body)),
        300..=399 => Err(Fault::Invalid("it redirects, which the gateway never follows; check the URL")),
        401 => Err(Fault::Refused { status: 401, why: "the configured credential is missing, invalid or expired" }),
        403 => Err(Fault::Refused { status: 403, why: "the configured credential may not do this" }),
        404 => Ok(None),
        429 => Err(Fault::RateLimited { retry_after }),
        status @ (502..=504) => Err(Fault::Unready { status, retry_after }),
        status => Err(Fault::Status(status)),
    }
}

/// Answers from so many bytes on take long enough to decode that other requests would wait for their thread.
const LARGE: usize = 128 << 10;

/// Decodes a body, a large one on a thread for such work. Where nobody waits any more, it is decoded for nothing, and nothing
/// comes of it.
async fn decode<T, E>(body: bytes::Bytes, decode: impl FnOnce(&[u8]) -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<&'static str> + Send + 'static,
{
    if body.len() < LARGE {
        return decode(&body);
    }
    let decoded = tokio::task::spawn_blocking(move || decode(&body)).await;
    decoded.unwrap_or_else(|_| Err("it could not be decoded".into()))
}

/// Reads a body as every kind of answer of either source. For fuzz targets, which have no server: it must not panic.
pub fn read_anything(body: &[u8]) {
    brainstem::read_anything(body);
    haut_ai::read_anything(body);
}

/// Whether a list's page lies behind its last one. Django REST framework tells that from a list that is not there by its
/// words alone.
fn is_past_the_end(answer: &client::Answer) -> bool {
    #[derive(Deserialize)]
    struct Message {
        detail: String,
    }
    let says = |message: Message| message.detail.starts_with("Invalid page");
    answer.status.as_u16() == 404 && serde_json::from_slice(&answer.body).is_ok_and(says)
}

/// What recent requests to a source showed; never asks anything itself.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Seen>);

/// A source's last success and last failure.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub success_at: Option<Timestamp>,
    /// How long that read took, with all the requests that it needed.
    pub success_took: Option<Duration>,
    pub failure: Option<(Timestamp, Fault)>,
}

impl Traffic {
    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// As [`watch`](Self::watch), of a write: that the source refuses this one says nothing against the source.
    async fn watch_write<T>(&self, write: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        let outcome = self.watch(async {
            match write.await {
                Err(error) if matches!(error.fault, Fault::Conflict | Fault::Status(400..=499)) => Ok(Err(error)),
                outcome => outcome.map(Ok),
            }
        });
        outcome.await.and_then(|outcome| outcome)
    }

    /// Notes how a read of the source ends. One that nobody waits for any more, or that was not sent, shows nothing.
    async fn watch<T>(&self, read: impl Future<Output = Result<T, SourceError>>) -> Result<T, SourceError> {
        let started = Instant::now();
        let outcome = read.await;
        let (now, mut seen) = (Timestamp::now(), self.lock());
        match &outcome {
            Ok(_) => {
                seen.success_at = Some(now);
                seen.success_took = Some(started.elapsed());
            }
            // Nothing was asked; or it says something of the caller alone.
            Err(SourceError { fault: Fault::Paused { .. } | Fault::Denied(_), .. }) => {}
            Err(error) => seen.failure = Some((now, error.fault.clone())),
        }
        drop(seen);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
