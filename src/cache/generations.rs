//! Reads after writes: which answers are from before a write.
//!
//! Every source has a generation, which goes up when a write was answered. A read notes the [`Moment`] at which it began;
//! what it brings is kept, and others join it, only while no write has been answered since. What was kept before is swept
//! out by the writer itself. Where nobody knows whether or when a write is carried out, what it may touch is not kept for a
//! while, and nothing that was asked for in that while ever is, whenever it comes.

use std::{
    sync::{PoisonError, RwLock, RwLockReadGuard},
    time::Duration,
};

use super::{Key, Touched, freshness::Time, viewer::Part};
use crate::{domain::Source, replicas::Link};

/// How long what was read is served while other replicas are not heard: they may have written since.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// How far every source has been written, for all stores together.
#[derive(Debug)]
pub struct Generations {
    sources: RwLock<BySource>,
    /// How long after a write of unknown outcome nothing that it may have touched is asked for to be kept.
    wary_for: Duration,
}

#[derive(Debug, Default)]
struct BySource {
    haut_ai: Written,
    brainstem: Written,
    /// Whether other replicas' writes and purges are counted here, too.
    link: Link,
}

#[derive(Debug, Default)]
struct Written {
    since: Since,
    suspicion: Option<Suspicion>,
    /// How often what a write or purge touched has been swept out, to the end.
    swept: Since,
}

/// What writes of unknown outcome may still change. Stays when it is over: what was asked for under it may come later.
#[derive(Debug)]
struct Suspicion {
    touched: Touched,
    until: Time,
}

impl Suspicion {
    /// Whether it may change this answer after it was asked for at that time.
    fn is_about(&self, key: &impl Key, asked: Time) -> bool {
        asked < self.until && key.is_touched(&self.touched)
    }
}

/// When a read began, as far as writes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    haut_ai: Mark,
    brainstem: Mark,
    pub(super) at: Time,
    /// How far other replicas had been heard.
    pub(super) link: Link,
}

/// How far a source was written, and how far that was swept out: in between, what is read may be made from what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    since: Since,
    swept: Since,
}

/// When a whole answer began to be made, as far as writes go: what it is made from may have been kept before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    haut_ai: Since,
    brainstem: Since,
    pub(super) at: Time,
    pub(super) link: Link,
}

/// How often a source has been written and purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Since {
    /// Counts purges, too.
    writes: u64,
    purges: u64,
}

impl Generations {
    pub fn new(wary_for: Duration) -> Self {
        Self { sources: RwLock::default(), wary_for }
    }

    /// The state of things, which holds still until this is dropped: no write is answered in between.
    pub(super) fn now(&self) -> Now<'_> {
        // Nothing can panic while it is held.
        let sources = self.sources.read().unwrap_or_else(PoisonError::into_inner);
        Now { sources, at: Time::now() }
    }

    /// A write was answered, or nobody will ever know: whatever is read so far is from before it.
    pub(super) fn advance(&self, touched: &Touched, is_known: bool) {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let written = match touched.source {
            Source::HautAi => &mut sources.haut_ai,
            Source::BrainStem => &mut sources.brainstem,
        };
        written.since.writes += 1;
        written.since.purges += u64::from(touched.is_purge);
        if !is_known {
            written.suspect(touched, self.wary_for);
        }
    }

    /// Notes how far other replicas have been heard.
    pub(super) fn stand(&self, link: Link) {
        self.sources.write().unwrap_or_else(PoisonError::into_inner).link = link;
    }

    /// What a write or purge touched is thrown out of the stores: no whole answer that began before now may be served
    /// from now on, since it may have been made from that.
    pub(super) fn settle(&self, touched: &Touched) {
        let mut sources = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let swept = match touched.source {
            Source::HautAi => &mut sources.haut_ai.swept,
            Source::BrainStem => &mut sources.brainstem.swept,
        };
        swept.writes += 1;
        swept.purges += u64::from(touched.is_purge);
    }
}

#[cfg(test)]
impl Generations {
    /// Lets the time be over that writes of unknown outcome are given.
    pub(super) fn end_suspicion(&self) {
        let mut sources = self.sources.write().unwrap();
        // Later than what was asked for by now, and not later than what comes.
        let until = Time::now() + Duration::from_nanos(1);
        while Time::now() < until {
            std::hint::spin_loop();
        }
        let BySource { haut_ai, brainstem, .. } = &mut *sources;
        for suspicion in [haut_ai, brainstem].into_iter().filter_map(|written| written.suspicion.as_mut()) {
            suspicion.until = until;
        }
    }
}

impl Written {
    fn mark(&self) -> Mark {
        Mark { since: self.since, swept: self.swept }
    }

    /// One suspicion a source: an older one that still holds is extended with the new one. One that is over can go, since
    /// what was asked for under it is from before this write.
    fn suspect(&mut self, touched: &Touched, wary_for: Duration) {
        let now = Time::now();
        let mut touched = touched.clone();
        if let Some(older) = self.suspicion.take().filter(|older| now < older.until) {
            touched.subjects = touched.subjects.and(older.touched.subjects);
        }
        self.suspicion = Some(Suspicion { touched, until: now + wary_for });
    }
}

/// The generations as they are while this is held.
pub(super) struct Now<'a> {
    sources: RwLockReadGuard<'a, BySource>,
    /// When it was taken hold of. Asking the clock anew for each of hundreds of keys takes a good part of a look's time.
    pub(super) at: Time,
}

impl Now<'_> {
    pub(super) fn moment(&self) -> Moment {
        Moment {
            haut_ai: self.sources.haut_ai.mark(),
            brainstem: self.sources.brainstem.mark(),
            at: self.at,
            link: self.sources.link,
        }
    }

    pub(super) fn beginning(&self) -> Beginning {
        Beginning {
            haut_ai: self.sources.haut_ai.swept,
            brainstem: self.sources.brainstem.swept,
            at: self.at,
            link: self.sources.link,
        }
    }

    /// Whether something that was asked for then may be served at all: where other replicas are not heard, only for a moment.
    pub(super) fn trusts(&self, read: Time) -> bool {
        self.sources.link != Link::Cut || self.at.since(read) <= TRUSTED_FOR
    }

    /// Whether something may be served after its time.
    pub(super) fn trusts_stale(&self) -> bool {
        self.sources.link != Link::Cut
    }

    /// Whether a whole answer that has such a part, and began then, shows nothing older than what a write or purge left.
    pub(super) fn holds(&self, part: Part, began: Beginning) -> bool {
        let written = self.written(part.source);
        let swept = match part.source {
            Source::HautAi => began.haut_ai,
            Source::BrainStem => began.brainstem,
        };
        if part.is_steady {
            return written.swept.purges == swept.purges;
        }
        let is_suspect = written.suspicion.as_ref().is_some_and(|suspicion| began.at < suspicion.until);
        written.swept.writes == swept.writes && !is_suspect
    }

    /// Whether no write or purge that can change this answer was answered since then, and no write of unknown outcome can
    /// have changed it since.
    pub(super) fn is_current(&self, key: &impl Key, began: Moment) -> bool {
        let written = self.written(key.source());
        let then = match key.source() {
            Source::HautAi => began.haut_ai,
            Source::BrainStem => began.brainstem,
        };
        let now = written.mark();
        if key.is_steady() {
            let purges = |mark: Mark| (mark.since.purges, mark.swept.purges);
            return purges(now) == purges(then);
        }
        now == then && !written.suspicion.as_ref().is_some_and(|suspicion| suspicion.is_about(key, began.at))
    }

    /// Whether a write of unknown outcome may change this answer at any time.
    pub(super) fn is_suspect(&self, key: &impl Key) -> bool {
        let suspicion = self.written(key.source()).suspicion.as_ref();
        suspicion.is_some_and(|suspicion| suspicion.is_about(key, self.at))
    }

    fn written(&self, source: Source) -> &Written {
        match source {
            Source::HautAi => &self.sources.haut_ai,
            Source::BrainStem => &self.sources.brainstem,
        }
    }
}
