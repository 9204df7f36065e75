//! What one operation leaves behind while it runs: what it asked of the sources, for its log line and for callers who may
//! know. It goes along with the work as a task's local value, since everything would have to pass it on and nothing depends on
//! it. Knows neither who asks nor what for.

use std::{
    iter::successors,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::futures::TaskLocalFuture;

use opentelemetry::{KeyValue, trace::SpanKind};

use crate::{
    domain::Source,
    spans::{Link, Links, Place},
};

tokio::task_local! {
    static CURRENT: Trail;
}

/// The trail of one operation. Clones share it.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Trail {
    counts: Arc<Counts>,
    /// Within which span it goes on.
    pub place: Place,
    /// The span around that one, which does not end before.
    _around: Place,
}

#[derive(Debug, Default)]
struct Counts {
    /// What this is a part of.
    whole: Option<Arc<Self>>,
    /// By source.
    sent: [AtomicU32; 2],
    /// By source, and of both together.
    periods: Mutex<[Period; 3]>,
    has_joined: AtomicBool,
    has_stale: AtomicBool,
}

/// The time in which there was something on its way, however much.
#[derive(Debug, Default)]
struct Period {
    on_their_way: u32,
    since: Option<Instant>,
    before: Duration,
}

impl Period {
    fn begin(&mut self, now: Instant) {
        self.on_their_way += 1;
        self.since.get_or_insert(now);
    }

    fn end(&mut self, now: Instant) {
        self.on_their_way = self.on_their_way.saturating_sub(1);
        if self.on_their_way == 0
            && let Some(since) = self.since.take()
        {
            self.before += now.saturating_duration_since(since);
        }
    }

    fn so_far(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

fn place(source: Source) -> usize {
    match source {
        Source::HautAi => 0,
        Source::BrainStem => 1,
    }
}

const BOTH: usize = 2;

/// What was asked of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub source: Source,
    /// Requests that were sent, each try counted.
    pub requests: u32,
    /// The time in which at least one was on its way.
    pub time: Duration,
}

impl Trail {
    /// One for a part of the operation: what the part leaves is on both.
    pub fn part(&self) -> Self {
        let counts = Counts { whole: Some(Arc::clone(&self.counts)), ..Counts::default() };
        Self { counts: Arc::new(counts), place: self.place.clone(), _around: Place::default() }
    }

    /// One that begins within this span.
    pub fn at(place: Place) -> Self {
        Self { place, ..Self::default() }
    }

    /// For reads that begin together: so many flights for so many keys.
    pub fn batch(self, level: &'static str, keys: usize, flights: usize) -> Self {
        if flights < 2 {
            return self;
        }
        let place = self.place.begin(SpanKind::Internal, "batch", || {
            vec![
                KeyValue::new("subject_gateway.level", level),
                KeyValue::new("subject_gateway.keys", count(keys)),
                KeyValue::new("subject_gateway.flights", count(flights)),
            ]
        });
        Self { place, ..self }
    }

    /// For one read for so many keys.
    pub fn flight(&self, level: &'static str, source: Option<Source>, keys: usize) -> Self {
        let place = self.place.begin(SpanKind::Internal, "flight", || {
            let source = source.map(|source| KeyValue::new("subject_gateway.source", source.code()));
            let level = KeyValue::new("subject_gateway.level", level);
            source.into_iter().chain([level, KeyValue::new("subject_gateway.keys", count(keys))]).collect()
        });
        Self { counts: Arc::clone(&self.counts), place, _around: self.place.clone() }
    }

    /// What others refer to it by.
    pub fn link(&self) -> Link {
        self.place.link()
    }

    /// Its own counts and those of what it is a part of.
    fn each(&self) -> impl Iterator<Item = &Counts> {
        successors(Some(&*self.counts), |counts| counts.whole.as_deref())
    }

    /// Has this work leave its trail here, and whatever it begins.
    pub fn follow<F: Future>(&self, work: F) -> TaskLocalFuture<Self, F> {
        CURRENT.scope(self.clone(), work)
    }

    /// The same for work that waits for nothing.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Where the work that calls this leaves its trail; one that nobody reads where it is nobody's.
    pub fn current() -> Self {
        CURRENT.try_with(Self::clone).unwrap_or_default()
    }

    /// Requests that were sent to the sources, each try counted.
    pub fn requests(&self) -> u32 {
        self.counts.sent.iter().map(|sent| sent.load(Ordering::Relaxed)).fold(0, u32::saturating_add)
    }

    /// The sources that were asked.
    pub fn asked(&self) -> Vec<Asked> {
        let periods = self.counts.periods();
        let of = |source| {
            let requests = self.counts.sent[place(source)].load(Ordering::Relaxed);
            Asked { source, requests, time: periods[place(source)].so_far() }
        };
        [Source::HautAi, Source::BrainStem].map(of).into_iter().filter(|asked| asked.requests > 0).collect()
    }

    /// The time in which at least one request was on its way, to whichever source.
    pub fn time(&self) -> Duration {
        self.counts.periods()[BOTH].so_far()
    }

    /// Whether it waited for what another operation had begun to read.
    pub fn has_joined(&self) -> bool {
        self.counts.has_joined.load(Ordering::Relaxed)
    }

    /// Whether it was given something past its time.
    pub fn has_stale(&self) -> bool {
        self.counts.has_stale.load(Ordering::Relaxed)
    }
}

impl Counts {
    fn periods(&self) -> MutexGuard<'_, [Period; 3]> {
        // Nothing panics while it is held.
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that the current operation waits for what another one had begun to read.
pub fn note_joined(links: &Links) {
    let _ = CURRENT.try_with(|trail| links.are_of(&trail.place));
    note(|counts| &counts.has_joined);
}

/// Notes that the current operation is given something past its time.
pub fn note_stale() {
    note(|counts| &counts.has_stale);
}

fn note(what: impl Fn(&Counts) -> &AtomicBool) {
    // Of what goes on without an operation nobody asks.
    let _ = CURRENT.try_with(|trail| trail.each().for_each(|counts| what(counts).store(true, Ordering::Relaxed)));
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A request that is on its way to a source, until this is dropped.
#[derive(Debug)]
pub struct Sending {
    trail: Trail,
    source: Source,
    pub place: Place,
}

impl Sending {
    /// One request, or one try of it, begins.
    pub fn begin(source: Source) -> Self {
        let trail = Trail::current();
        let now = Instant::now();
        for counts in trail.each() {
            counts.sent[place(source)].fetch_add(1, Ordering::Relaxed);
            let mut periods = counts.periods();
            periods[place(source)].begin(now);
            periods[BOTH].begin(now);
        }
        let place = trail
            .place
            .begin(SpanKind::Client, source.code(), || vec![KeyValue::new("subject_gateway.source", source.code())]);
        Self { trail, source, place }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.place.end();
        let now = Instant::now();
        for counts in self.trail.each() {
            let mut periods = counts.periods();
            periods[place(self.source)].end(now);
            periods[BOTH].end(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_counts_once_and_each_source_by_itself() {
        let trail = Trail::default();
        let sending = trail.enter(|| [Source::BrainStem, Source::BrainStem, Source::HautAi].map(Sending::begin));
        let mut period = Period::default();
        let start = Instant::now();
        for (at, is_end) in [(0, false), (10, false), (20, true), (30, true), (50, false), (60, true)] {
            let now = start + Duration::from_millis(at);
            if is_end { period.end(now) } else { period.begin(now) }
        }
        assert_eq!(period.so_far(), Duration::from_millis(40));
        drop(sending);
        drop(Sending::begin(Source::HautAi));
        let asked: Vec<_> = trail.asked().into_iter().map(|asked| (asked.source, asked.requests)).collect();
        assert_eq!(asked, [(Source::HautAi, 1), (Source::BrainStem, 2)]);
        let part = trail.part();
        drop(part.enter(|| Sending::begin(Source::HautAi)));
        part.enter(note_stale);
        assert_eq!((trail.requests(), part.requests(), trail.has_stale(), trail.has_joined()), (4, 1, true, false));
    }
}
