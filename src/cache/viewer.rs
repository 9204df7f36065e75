//! Who reads, and what the answer to one request was made of.
//!
//! Every read of the caches goes through a [`Viewer`], and leaves in its [`Provenance`] how old what it got is. What is
//! read within a flight has a provenance of its own, which goes on to all who wait for the flight. A viewer also counts what
//! its operation asks of the sources.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::freshness::{Freshness, Time};
use crate::{
    domain::Source,
    sources::{Credential, Fault},
};

/// Whose eyes a request reads one source with.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// With what the source is asked, and whose eyes what it answers is kept for.
    pub credential: Credential,
    pub(super) provenance: Arc<Provenance>,
    requests: Arc<Requests>,
    is_within_a_flight: bool,
}

/// How many requests one operation began. Those that it only waits for are another's.
#[derive(Debug)]
pub struct Requests {
    begun: AtomicU64,
    limit: u64,
}

impl Requests {
    /// At most so many.
    pub fn new(limit: u64) -> Self {
        Self { begun: AtomicU64::new(0), limit }
    }
}

impl Viewer {
    pub fn new(credential: Credential, provenance: &Arc<Provenance>, requests: &Arc<Requests>) -> Self {
        let (provenance, requests) = (Arc::clone(provenance), Arc::clone(requests));
        Self { credential, provenance, requests, is_within_a_flight: false }
    }

    /// Counts a request that is about to begin. What goes on within a flight is counted and not refused: others may wait for
    /// it, and it has bounds of its own.
    pub(super) fn begin_request(&self) -> Result<(), Fault> {
        let Requests { begun, limit } = &*self.requests;
        let before = begun.fetch_add(1, Ordering::Relaxed);
        if before < *limit || self.is_within_a_flight { Ok(()) } else { Err(Fault::TooManyRequests { limit: *limit }) }
    }

    /// Counts one of the many requests of a flight, which was itself counted as one when it began.
    pub(super) fn note_request(&self) {
        self.requests.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// The same for what a flight reads on its way, for all who wait for it.
    pub(super) fn within_a_flight(&self) -> Self {
        let provenance = Provenance { not_before: self.provenance.not_before, ..Provenance::default() };
        Self {
            credential: self.credential.clone(),
            provenance: Arc::new(provenance),
            requests: Arc::clone(&self.requests),
            is_within_a_flight: true,
        }
    }
}

/// What the answer to a request was made of, as far as it has come.
#[derive(Debug)]
pub struct Provenance {
    /// What was asked for before then does not do.
    not_before: Option<Time>,
    /// When the oldest part was asked for.
    read: AtomicU64,
    fresh_until: AtomicU64,
    /// Bits of [`Part`].
    parts: AtomicU8,
    is_unrepeatable: AtomicBool,
    /// By source: when the oldest part was asked for that stands in for one that could not be read.
    stale: [AtomicU64; 2],
}

impl Default for Provenance {
    fn default() -> Self {
        let never = || AtomicU64::new(Time::NEVER.0);
        Self {
            not_before: None,
            read: never(),
            fresh_until: never(),
            parts: AtomicU8::new(0),
            is_unrepeatable: AtomicBool::new(false),
            stale: [never(), never()],
        }
    }
}

/// What an answer may be made of, as far as it matters for what makes it old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) source: Source,
    /// Whether no write of a subject changes it.
    pub(super) is_steady: bool,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [
        Self { source: Source::HautAi, is_steady: false },
        Self { source: Source::HautAi, is_steady: true },
        Self { source: Source::BrainStem, is_steady: false },
        Self { source: Source::BrainStem, is_steady: true },
    ];

    pub(super) fn bit(self) -> u8 {
        1 << (2 * place(self.source) + usize::from(self.is_steady))
    }
}

fn place(source: Source) -> usize {
    match source {
        Source::HautAi => 0,
        Source::BrainStem => 1,
    }
}

/// What of an answer stands in for what could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalePart {
    pub source: Source,
    /// How long ago its oldest part was asked for.
    pub age: Duration,
}

impl Provenance {
    /// Of a request that wants nothing that was read before it.
    pub fn fresh_only() -> Self {
        Self { not_before: Some(Time::now()), ..Self::default() }
    }

    /// The answer is this one request's and nobody else's: another one right after it would get another.
    pub fn mark_unrepeatable(&self) {
        self.is_unrepeatable.store(true, Ordering::Relaxed);
    }

    /// The answer is good for so long only.
    pub fn good_for(&self, time: Duration) {
        lower(&self.fresh_until, Time::now() + time);
    }

    pub(super) fn note(&self, part: Part, freshness: Freshness) {
        let bit = part.bit();
        if self.parts.load(Ordering::Relaxed) & bit == 0 {
            self.parts.fetch_or(bit, Ordering::Relaxed);
        }
        lower(&self.read, freshness.read);
        lower(&self.fresh_until, freshness.fresh_until);
        if freshness.is_stale {
            lower(&self.stale[place(part.source)], freshness.read);
        }
    }

    /// Whether something that was asked for then does for this request.
    pub(super) fn takes(&self, read: Time) -> bool {
        self.not_before.is_none_or(|not_before| read >= not_before)
    }

    /// How old the whole is; `None`: it was made of nothing.
    pub(super) fn freshness(&self) -> Freshness {
        let is_stale = self.stale.iter().any(|read| read.load(Ordering::Relaxed) != Time::NEVER.0);
        Freshness {
            read: Time(self.read.load(Ordering::Relaxed)),
            fresh_until: Time(self.fresh_until.load(Ordering::Relaxed)),
            is_stale,
        }
    }

    /// Whether the request takes part in what another one began: that may be made from whatever does for the other one.
    pub(super) fn takes_flights_of(&self, other: &Self) -> bool {
        self.not_before.is_none_or(|mine| other.not_before.is_some_and(|theirs| theirs >= mine))
    }

    /// Whether anything will do that is fresh, whenever it was read.
    pub(super) fn takes_anything_fresh(&self) -> bool {
        self.not_before.is_none()
    }

    /// Bits of all it was made of.
    pub(super) fn parts(&self) -> u8 {
        self.parts.load(Ordering::Relaxed)
    }

    pub(super) fn has(&self, part: Part) -> bool {
        self.parts() & part.bit() != 0
    }

    /// Whether it may be given to somebody else who asks the same.
    pub(super) fn is_repeatable(&self) -> bool {
        !self.is_unrepeatable.load(Ordering::Relaxed) && !self.freshness().is_stale
    }

    /// Whether nothing but this source had a part in it, and it had.
    pub fn is_only_of(&self, source: Source) -> bool {
        let parts = || Part::ALL.into_iter().filter(|part| self.has(*part));
        parts().next().is_some() && parts().all(|part| part.source == source)
    }

    /// How long ago the oldest part was asked for; `None`: nothing was.
    pub fn age(&self) -> Option<Duration> {
        let read = self.freshness().read;
        (read != Time::NEVER).then(|| read.age())
    }

    /// For how long nothing in it has to be read anew.
    pub fn fresh_for(&self) -> Duration {
        self.freshness().fresh_until.since(Time::now())
    }

    /// What stands in for what could not be read.
    pub fn stale(&self) -> Vec<StalePart> {
        let part = |source: Source| {
            let read = Time(self.stale[place(source)].load(Ordering::Relaxed));
            (read != Time::NEVER).then(|| StalePart { source, age: read.age() })
        };
        [Source::HautAi, Source::BrainStem].into_iter().filter_map(part).collect()
    }
}

/// Lowers a time; most of what a request reads is no older than what it read before.
fn lower(time: &AtomicU64, to: Time) {
    if to.0 < time.load(Ordering::Relaxed) {
        time.fetch_min(to.0, Ordering::Relaxed);
    }
}
