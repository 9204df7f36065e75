//! One source's side of a merge: its next subject that passes, and how far the walk has come there.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{
    Walk,
    parts::Direction,
    stream::{Step, Stream},
};
use crate::{
    cache::{CachedBrainStem, CachedHautAi, Viewer},
    domain::{Source, Subject, cursor::Border},
    loaders::{Deadline, LoadError},
    sources::paging::MAX_PAGE,
};

/// How a source fared on one page.
#[derive(Clone, Debug)]
pub enum Reading {
    /// The gateway runs without it.
    NotConfigured,
    /// This page did not need it.
    NotAsked,
    Answered,
    Failed(LoadError),
}

/// A configured source and whose eyes it is read with.
#[derive(Clone, Copy)]
pub(super) enum Access<'a> {
    People(&'a CachedHautAi, &'a Viewer),
    Animals(&'a CachedBrainStem, &'a Viewer),
}

pub(super) struct Side<'w, 'a> {
    pub(super) source: Source,
    walk: &'w Walk<'a>,
    direction: Direction,
    /// How far the walk has come in the source's list.
    border: Border,
    is_first_page: bool,
    state: State<'a>,
    /// What is read; `None` before the first look.
    stream: Option<Stream<'a>>,
    /// The next one, looked at and not taken.
    head: Option<Step>,
    /// How many records the page may still examine, of both sources together.
    budget: &'w AtomicU64,
}

enum State<'a> {
    /// The filter excludes the source.
    Excluded,
    NotConfigured,
    Open(Access<'a>),
    Ended,
    Failed(LoadError),
}

/// What a side gave to the page.
pub(super) struct Taken {
    /// `None`: it could not be read.
    pub(super) subject: Option<Arc<Subject>>,
    /// The border right behind it.
    pub(super) behind: Border,
}

impl<'w, 'a> Side<'w, 'a> {
    /// `access`: `None` where the source is not configured.
    pub(super) fn new(
        source: Source,
        access: Option<Access<'a>>,
        walk: &'w Walk<'a>,
        (direction, from): (Direction, &Border),
        budget: &'w AtomicU64,
    ) -> Self {
        let last = last_border(direction);
        let is_first_page = *from == last_border(direction.opposite());
        let (state, border) = match access {
            _ if !walk.filter.concerns(source) => (State::Excluded, last),
            None => (State::NotConfigured, last),
            Some(_) if *from == last => (State::Ended, last),
            Some(access) => (State::Open(access), from.clone()),
        };
        Self { source, walk, direction, border, is_first_page, state, stream: None, head: None, budget }
    }

    /// Looks for the next subject that passes, unless one is at hand. Where there is none, the side has ended or failed,
    /// or the page may examine no more records.
    pub(super) async fn advance(&mut self, want: u64, deadline: Deadline) {
        if let State::Open(access) = self.state
            && !self.has_advanced()
            // Apart: it is large, and most subjects are at hand.
            && let Err(error) = Box::pin(self.look(access, want, deadline)).await
        {
            self.state = State::Failed(error);
        }
    }

    /// Whether nothing has to be waited for: the next subject is at hand, or there is none to look for.
    fn has_advanced(&mut self) -> bool {
        if !self.is_open() || self.head.is_some() {
            return true;
        }
        let Some(stream) = self.stream.as_mut() else { return false };
        if draw(self.budget).is_none() {
            return false;
        }
        self.head = stream.next_ready();
        if self.head.is_none() {
            self.budget.fetch_add(1, Ordering::Relaxed);
        }
        self.head.is_some()
    }

    /// Whether the next subject is there without waiting.
    pub(super) fn is_at_hand(&mut self) -> bool {
        self.has_advanced() && self.head.is_some()
    }

    async fn look(&mut self, access: Access<'a>, want: u64, deadline: Deadline) -> Result<(), LoadError> {
        let from = (self.direction, &self.border);
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(Stream::open(self.walk, access, from, deadline).await?),
        };
        // Where many records may not pass, a few at a time would be many requests.
        let want = if stream.is_exact() { want } else { MAX_PAGE };
        // Taken before the wait: both sides may draw on it at once.
        while let Some(left) = draw(self.budget) {
            let next = stream.next(want.min(left)).await;
            if !matches!(next, Ok(Some(_))) {
                self.budget.fetch_add(1, Ordering::Relaxed);
            }
            let step = match next {
                Ok(Some(step)) => step,
                Ok(None) => {
                    self.state = State::Ended;
                    self.border = last_border(self.direction);
                    return Ok(());
                }
                Err(error) => {
                    // Datasets without a match count as passed, or a walk over many of them would always begin anew.
                    self.border = stream.border().unwrap_or_else(|| self.border.clone());
                    return Err(error);
                }
            };
            let passes = match &step.subject {
                Some(subject) => stream.passes(subject).await?,
                None => true,
            };
            if passes {
                self.head = Some(step);
                return Ok(());
            }
            self.border = step.passed(self.direction);
        }
        Ok(())
    }

    /// Takes the one at hand.
    pub(super) fn take(&mut self) -> Option<Taken> {
        let step = self.head.take()?;
        self.border = step.passed(self.direction);
        Some(Taken { subject: step.subject, behind: step.behind })
    }

    pub(super) fn head(&self) -> Option<&Step> {
        self.head.as_ref()
    }

    pub(super) fn border(&self) -> &Border {
        &self.border
    }

    /// Whether something is left, now or for later.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_open() || self.is_left_for_later()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether it failed in a way that may pass. A list that is too long to be sorted stays so, and so does one that the
    /// caller shows no credential for.
    pub(super) fn is_left_for_later(&self) -> bool {
        matches!(&self.state, State::Failed(error) if !error.is_lasting())
    }

    /// Whether a further subject is known to be there without asking.
    pub(super) fn has_more_for_certain(&self) -> bool {
        let certain = |stream: &Stream<'_>| stream.is_exact() && stream.has_more_for_certain();
        self.head.is_some() || (self.is_open() && self.stream.as_ref().is_some_and(certain))
    }

    /// What the list is known to lack, records that could not be read and datasets that are gone: of a list that was
    /// gathered told once, with its first page.
    pub(super) fn lacks(&self) -> (u64, Vec<LoadError>) {
        match &self.stream {
            Some(Stream::Sorted(_)) if !self.is_first_page => (0, Vec::new()),
            stream => stream.as_ref().map(Stream::lacks).unwrap_or_default(),
        }
    }

    /// How the source fared; `None`: the filter excludes it.
    pub(super) fn reading(&self) -> Option<Reading> {
        Some(match &self.state {
            State::Excluded => return None,
            State::NotConfigured => Reading::NotConfigured,
            State::Failed(error) => Reading::Failed(error.clone()),
            State::Open(_) | State::Ended if self.stream.is_none() => Reading::NotAsked,
            State::Open(_) | State::Ended => Reading::Answered,
        })
    }
}

/// Draws one record of what may be examined; gives how many there were. `None`: none.
fn draw(budget: &AtomicU64) -> Option<u64> {
    budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).ok()
}

/// Where a side has nothing left.
fn last_border(direction: Direction) -> Border {
    match direction {
        Direction::Forwards => Border::End,
        Direction::Backwards => Border::Start,
    }
}
