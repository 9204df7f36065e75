//! Reads after writes: which answers are from before a write.
//!
//! Every source has a generation, which goes up when a write was answered. A read notes the [`Moment`] at which it began;
//! what it brings is kept, and others join it, only while no write has been answered since. What was kept before is swept
//! out by the writer itself. Where nobody knows whether or when a write is carried out, what it may touch is not kept at
//! all for a while.

use std::{
    sync::{PoisonError, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};

use super::{Key, Touched, freshness::Time, viewer::Part};
use crate::domain::Source;

/// How far every source has been written, for all stores together.
#[derive(Debug)]
pub struct Generations {
    sources: RwLock<BySource>,
    /// How long after a write of unknown outcome what it may have touched is not kept.
    wary_for: Duration,
}

#[derive(Debug, Default)]
struct BySource {
    haut_ai: Written,
    brainstem: Written,
}

#[derive(Debug, Default)]
struct Written {
    since: Since,
    /// What writes of unknown outcome may still change, and until when that is to be expected.
    suspected: Option<(Touched, Instant)>,
    /// How often what a write or purge touched has been swept out, to the end.
    swept: Since,
}

/// When a read began, as far as writes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    haut_ai: Mark,
    brainstem: Mark,
    pub(super) at: Time,
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

impl Written {
    fn mark(&self) -> Mark {
        Mark { since: self.since, swept: self.swept }
    }

    /// One suspicion a source: an older one that still holds is extended with the new one.
    fn suspect(&mut self, touched: &Touched, wary_for: Duration) {
        let now = Instant::now();
        let mut all = touched.clone();
        if let Some((older, until)) = self.suspected.take()
            && now < until
        {
            all.subjects = all.subjects.and(older.subjects);
        }
        self.suspected = Some((all, now + wary_for));
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
        Moment { haut_ai: self.sources.haut_ai.mark(), brainstem: self.sources.brainstem.mark(), at: self.at }
    }

    pub(super) fn beginning(&self) -> Beginning {
        Beginning { haut_ai: self.sources.haut_ai.swept, brainstem: self.sources.brainstem.swept }
    }

    /// Whether a whole answer that has such a part, and began then, shows nothing older than what a write or purge left.
    pub(super) fn holds(&self, part: Part, began: Beginning) -> bool {
        let (written, began) = match part.source {
            Source::HautAi => (&self.sources.haut_ai, began.haut_ai),
            Source::BrainStem => (&self.sources.brainstem, began.brainstem),
        };
        if part.is_steady {
            return written.swept.purges == began.purges;
        }
        let is_suspected = written.suspected.as_ref().is_some_and(|(_, until)| Instant::now() < *until);
        written.swept.writes == began.writes && !is_suspected
    }

    /// Whether no write or purge that can change this answer was answered since then.
    pub(super) fn is_current(&self, key: &impl Key, began: Moment) -> bool {
        let (now, began) = match key.source() {
            Source::HautAi => (self.sources.haut_ai.mark(), began.haut_ai),
            Source::BrainStem => (self.sources.brainstem.mark(), began.brainstem),
        };
        let purges = |mark: Mark| (mark.since.purges, mark.swept.purges);
        if key.is_steady() { purges(now) == purges(began) } else { now == began }
    }

    /// Whether a write of unknown outcome may change this answer at any time.
    pub(super) fn is_suspect(&self, key: &impl Key) -> bool {
        let written = match key.source() {
            Source::HautAi => &self.sources.haut_ai,
            Source::BrainStem => &self.sources.brainstem,
        };
        let suspected = written.suspected.as_ref();
        suspected.is_some_and(|(touched, until)| Instant::now() < *until && key.is_touched(touched))
    }
}
