//! What the writes of both sources share: whether one was carried out, how it ended, and what may be in it.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde_json::Value;

use super::{Fault, accept, client::Answer};
use crate::domain::{Source, write::FieldError};

pub(super) mod fields;
pub(super) mod refusal;

use refusal::field_errors;

/// Whether a write may have been carried out. Noted by those who send, asked for by those who have to know although the
/// sending was cut short.
#[derive(Debug, Default)]
pub struct Attempt(AtomicBool);

impl Attempt {
    /// Sending begins.
    pub(crate) fn sent(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// The server said that it refuses, or was never reached.
    pub(crate) fn not_executed(&self) {
        self.0.store(false, Ordering::Release);
    }

    pub fn may_be_executed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// How a write ended of which the outcome is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<T> {
    Done(T),
    /// There is no such record, or it may not be seen.
    NotThere,
    /// What was given is refused: nothing has changed.
    Rejected(Vec<FieldError>),
}

impl<T> Written<T> {
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Done(done) => Written::Done(map(done)),
            Self::NotThere => Written::NotThere,
            Self::Rejected(errors) => Written::Rejected(errors),
        }
    }
}

/// An answer to a write, sorted by its status.
pub(super) enum Reply {
    Done(Bytes),
    NotThere,
    /// With what is wrong, in the server's words.
    Refused(Bytes),
}

/// Sorts an answer, and notes where it says for certain that the write was not carried out. A server that failed may
/// have carried it out before.
pub(super) fn reply(answer: Answer, attempt: &Attempt) -> Result<Reply, Fault> {
    let status = answer.status.as_u16();
    if !matches!(status, 200..=299 | 404 | 500..) {
        attempt.not_executed();
    }
    match status {
        400 => Ok(Reply::Refused(answer.body)),
        409 => Err(Fault::Conflict),
        _ => Ok(accept(answer)?.map_or(Reply::NotThere, Reply::Done)),
    }
}

/// The reply to a write without a body. A server may refuse a deletion that would take other records with it.
pub(super) fn without_body(of: Source, reply: Reply) -> Written<Bytes> {
    match reply {
        Reply::Done(body) => Written::Done(body),
        Reply::NotThere => Written::NotThere,
        Reply::Refused(body) => Written::Rejected(field_errors(of, &body, &Value::Null, |_| None)),
    }
}
