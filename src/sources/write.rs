//! What the writes of both sources share: whether one was carried out, and how it ended.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::write::FieldError;

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
