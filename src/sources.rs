//! The two upstreams: one typed client each, and what both share.
//!
//! Turns wire types into the domain's. Knows neither GraphQL nor callers.

use std::{fmt, sync::Mutex, time::Duration};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::domain::Source;

pub mod brainstem;
mod client;
pub mod haut_ai;
#[cfg(test)]
mod odd;
pub mod paging;
mod wire;

/// A source did not give what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", of.title())]
pub struct SourceError {
    pub of: Source,
    pub fault: Fault,
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
    #[error("it answered 429: too many requests")]
    RateLimited { retry_after: Option<Duration> },
    #[error("{why} (status {status})")]
    Refused { status: u16, why: &'static str },
    #[error("it answered {0}, which this request should not get")]
    Status(u16),
    #[error("its answer can't be used: {0}")]
    Invalid(&'static str),
}

/// Whose eyes a record was read with: a digest of the upstream credential. Part of every cache, flight and batch key, so
/// that what one credential was shown is never shown to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialId([u8; 16]);

impl CredentialId {
    fn of(source: Source, secrets: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(source.code());
        for secret in secrets {
            hash.update((secret.len() as u64).to_be_bytes());
            hash.update(secret);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl fmt::Debug for CredentialId {
    /// A digest of a secret has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(..)")
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

/// What recent requests to a source showed; never asks anything itself.
#[derive(Debug, Default)]
pub struct Traffic(Mutex<Seen>);

/// A source's last success and last failure.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub success_at: Option<Timestamp>,
    /// From sending to the last byte of that success.
    pub success_took: Option<Duration>,
    pub failure: Option<(Timestamp, Fault)>,
}

impl Traffic {
    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn record(&self, outcome: &Result<client::Answer, SourceError>, took: Duration) {
        let fault = match outcome {
            Ok(answer) => match answer.status.as_u16() {
                300..=399 | 401 | 403 | 429 | 500..=599 => Some(Fault::Status(answer.status.as_u16())),
                _ => None,
            },
            Err(error) => Some(error.fault.clone()),
        };
        let mut seen = self.lock();
        match fault {
            Some(fault) => seen.failure = Some((Timestamp::now(), fault)),
            None => {
                seen.success_at = Some(Timestamp::now());
                seen.success_took = Some(took);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
