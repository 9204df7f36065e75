//! A write from the caches' side: it is watched until its outcome is known, and what it touched is swept out before
//! whoever asked for it is told, and before those who listen are.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use super::{PageKey, RecordKey, Store, Touched, fleet::Fleet};
use crate::{
    domain::{Source, SubjectId},
    events::{Change, Changed, Event, Events},
    replicas::{Told, Untold},
    sources::{
        CredentialId, Fault, SourceError,
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

/// When what a write touched is thrown out of the caches, and those who listen are told. From the write's end on nothing
/// older is kept in any case.
#[derive(Clone, Copy)]
pub enum Sweep<'a> {
    /// Before the write is answered.
    AtOnce,
    /// When this is dropped, which covers many writes of one answer: each sweep looks at all that is kept.
    AtLast(&'a SweepAtLast),
}

/// Throws out what many writes touched at its end, after the last of them and however they ended.
pub struct SweepAtLast {
    stores: Stores,
    touched: Touched,
    /// `None`: nothing was written.
    happened: Mutex<Option<Happened>>,
}

/// What many writes did.
#[derive(Default)]
struct Happened {
    /// Told afterwards: whoever hears of a change and reads must not find what was before it.
    events: Vec<Event>,
    /// Whether nobody knows of one of them whether it was carried out.
    is_doubtful: bool,
    untold: Option<Untold>,
}

impl SweepAtLast {
    /// Throws it out now, and waits until other replicas are told, or as long as it may take.
    pub async fn end(mut self) {
        self.end_here().wait().await;
    }

    fn end_here(&mut self) -> Told {
        let happened = self.happened.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Happened { events, is_doubtful, untold }) = happened else { return Told::nobody() };
        self.stores.finish(&self.touched, !is_doubtful, events, untold)
    }
}

impl Drop for SweepAtLast {
    fn drop(&mut self) {
        self.end_here();
    }
}

/// Both halves of the caches, and where events go in.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) records: Arc<Store<RecordKey>>,
    pub(super) pages: Arc<Store<PageKey>>,
    pub(super) events: Arc<Events>,
    /// `None`: there are no other replicas.
    pub(super) fleet: Option<Fleet>,
}

/// What a write is about to do.
pub(super) struct Plan<'a> {
    pub(super) change: Change,
    pub(super) touched: Touched,
    pub(super) sweep: Sweep<'a>,
    /// Whose write it is.
    pub(super) credential: CredentialId,
}

impl Stores {
    /// Throws out what was touched; gives the keys of the records among it.
    pub(super) fn sweep(&self, touched: &Touched) -> Vec<RecordKey> {
        self.pages.sweep(touched);
        let swept = self.records.sweep(touched);
        self.records.settle(touched);
        swept
    }

    /// Lets a write happen within the deadline. Whatever way it ends, be it that nobody waits for it any longer, no read
    /// that begins afterwards is served from before it. `affected` says which subjects a write that was carried out changed:
    /// those who listen are told.
    pub(super) async fn write<T>(
        &self,
        plan: Plan<'_>,
        deadline: Instant,
        attempt: Arc<Attempt>,
        write: impl Future<Output = Result<Written<T>, SourceError>>,
        affected: impl FnOnce(&T) -> Vec<SubjectId>,
    ) -> Result<Written<T>, WriteError> {
        let source = plan.touched.source;
        if deadline <= Instant::now() {
            return Err(WriteError::Late(source));
        }
        let mut watch = self.watch(plan, Arc::clone(&attempt));
        let outcome = tokio::time::timeout_at(deadline.into(), write).await;
        let may_be_executed = attempt.may_be_executed();
        watch.affected = match &outcome {
            Ok(Ok(Written::Done(done))) => Some(affected(done)),
            Ok(Ok(Written::NotThere | Written::Rejected(_))) => Some(Vec::new()),
            Ok(Err(_)) | Err(_) => None,
        };
        // Before the answer: it sweeps, here and everywhere.
        watch.end().wait().await;
        // What is wrong with a caller's credential is the caller's affair.
        if let Ok(Err(error)) = &outcome
            && !error.is_denial()
        {
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

    fn watch<'a>(&self, plan: Plan<'a>, attempt: Arc<Attempt>) -> Watch<'a> {
        Watch { stores: self.clone(), plan, attempt, affected: None, is_over: false }
    }

    /// Sweeps once, when it is dropped.
    pub(super) fn sweep_at_last(&self, touched: Touched) -> SweepAtLast {
        SweepAtLast { stores: self.clone(), touched, happened: Mutex::default() }
    }

    /// After writes were counted: what is kept of what they touched goes, and then all are told.
    fn finish(&self, touched: &Touched, is_known: bool, events: Vec<Event>, untold: Option<Untold>) -> Told {
        self.sweep(touched);
        for event in &events {
            self.events.publish(event.clone());
        }
        self.tell_written(touched, is_known, events, untold)
    }
}

/// A write on its way. Dropped before its outcome is known, it counts as one of which nobody knows.
struct Watch<'a> {
    stores: Stores,
    plan: Plan<'a>,
    attempt: Arc<Attempt>,
    /// The subjects that it changed, once that is known.
    affected: Option<Vec<SubjectId>>,
    is_over: bool,
}

impl Watch<'_> {
    /// What those who listen are told. A subject whose creation ended in the dark has no name to tell.
    fn event(&mut self) -> Option<Event> {
        let (change, subjects) = match self.affected.take() {
            Some(affected) => (self.plan.change, affected),
            None => (Change::Unknown, self.plan.touched.subjects.named()),
        };
        let event = || Event::now(change, Changed::These(subjects.clone()), Some(self.plan.credential));
        (!subjects.is_empty()).then(event)
    }
}

impl Watch<'_> {
    fn end(&mut self) -> Told {
        if std::mem::replace(&mut self.is_over, true) || !self.attempt.may_be_executed() {
            return Told::nobody();
        }
        // First nothing older can be kept any longer, then what is kept goes, then others are told.
        let is_known = self.affected.is_some();
        let untold = self.stores.untold();
        self.stores.records.advance(&self.plan.touched, is_known);
        let event = self.event();
        match self.plan.sweep {
            Sweep::AtOnce => self.stores.finish(&self.plan.touched, is_known, event.into_iter().collect(), untold),
            Sweep::AtLast(last) => {
                let mut happened = last.happened.lock().unwrap_or_else(PoisonError::into_inner);
                let happened = happened.get_or_insert_default();
                happened.events.extend(event);
                happened.is_doubtful |= !is_known;
                happened.untold = happened.untold.take().or(untold);
                Told::nobody()
            }
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
