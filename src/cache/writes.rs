//! A write from the caches' side: it is watched until its outcome is known, and what it touched is swept out before
//! whoever asked for it is told.

use std::{sync::Arc, time::Instant};

use super::{PageKey, RecordKey, Store, Touched};
use crate::{
    domain::Source,
    sources::{
        Fault, SourceError,
        write::{Attempt, Written},
    },
};

mod brainstem;
mod haut_ai;

/// A write that was not carried out, or nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// For certain not carried out.
    Failed(SourceError),
    /// For certain not carried out: the request's time was over before it was sent.
    Late(Source),
    /// It was sent, and whether it was carried out cannot be told.
    Unknown(SourceError),
}

impl WriteError {
    pub fn source(&self) -> Source {
        match self {
            Self::Failed(error) | Self::Unknown(error) => error.of,
            Self::Late(source) => *source,
        }
    }
}

/// When what a write touched is thrown out of the caches. From the write's end on nothing older is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Before the write is answered.
    AtOnce,
    /// By a [`SweepAtLast`] that covers many writes of one answer: each sweep looks at all that is kept.
    AtLast,
}

/// Throws out what many writes touched when it is dropped, after the last of them and however they ended.
pub struct SweepAtLast {
    what: Reach,
}

impl Drop for SweepAtLast {
    fn drop(&mut self) {
        self.what.sweep();
    }
}

/// What writes touch in both halves of the caches.
struct Reach {
    records: Arc<Store<RecordKey>>,
    pages: Arc<Store<PageKey>>,
    touched: Touched,
}

impl Reach {
    fn sweep(&self) {
        self.records.sweep(&self.touched);
        self.pages.sweep(&self.touched);
    }
}

/// Both halves of the caches.
#[derive(Clone, Copy)]
pub(super) struct Halves<'a> {
    pub(super) records: &'a Arc<Store<RecordKey>>,
    pub(super) pages: &'a Arc<Store<PageKey>>,
}

impl Halves<'_> {
    /// Lets a write happen within the deadline. Whatever way it ends, be it that nobody waits for it any longer, no read
    /// that begins afterwards is served from before it.
    pub(super) async fn write<T>(
        self,
        (touched, sweep): (Touched, Sweep),
        deadline: Instant,
        attempt: Arc<Attempt>,
        write: impl Future<Output = Result<Written<T>, SourceError>>,
    ) -> Result<Written<T>, WriteError> {
        let source = touched.source;
        if deadline <= Instant::now() {
            return Err(WriteError::Late(source));
        }
        let mut watch = self.watch(touched, sweep, Arc::clone(&attempt));
        let outcome = tokio::time::timeout_at(deadline.into(), write).await;
        let may_be_executed = attempt.may_be_executed();
        watch.is_known = matches!(outcome, Ok(Ok(_)));
        // Before the answer: it sweeps.
        drop(watch);
        if let Ok(Err(error)) = &outcome {
            tracing::warn!(source = source.code(), fault = %error.fault, may_be_executed, "a write failed");
        }
        match outcome {
            Ok(Ok(written)) => Ok(written),
            Ok(Err(error)) if may_be_executed => Err(WriteError::Unknown(error)),
            Ok(Err(error)) => Err(WriteError::Failed(error)),
            Err(_) if may_be_executed => {
                tracing::warn!(source = source.code(), "a request's time was over before its write had ended");
                Err(WriteError::Unknown(SourceError { of: source, fault: Fault::Timeout }))
            }
            Err(_) => Err(WriteError::Late(source)),
        }
    }

    fn watch(self, touched: Touched, sweep: Sweep, attempt: Arc<Attempt>) -> Watch {
        Watch { reach: self.reach(touched), sweep, attempt, is_known: false }
    }

    /// Sweeps once, when it is dropped.
    pub(super) fn sweep_at_last(self, touched: Touched) -> SweepAtLast {
        SweepAtLast { what: self.reach(touched) }
    }

    fn reach(self, touched: Touched) -> Reach {
        Reach { records: Arc::clone(self.records), pages: Arc::clone(self.pages), touched }
    }
}

/// A write on its way. Dropped before its outcome is known, it counts as one of which nobody knows.
struct Watch {
    reach: Reach,
    sweep: Sweep,
    attempt: Arc<Attempt>,
    is_known: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.attempt.may_be_executed() {
            return;
        }
        // First nothing older can be kept any longer, then what is kept goes.
        self.reach.records.advance(&self.reach.touched, self.is_known);
        if self.sweep == Sweep::AtOnce {
            self.reach.sweep();
        }
    }
}

#[cfg(test)]
mod tests;
