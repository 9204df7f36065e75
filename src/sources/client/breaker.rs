//! A source that fails too often is not asked for a while: whoever asks is told so at once, rather than after a time limit,
//! and the source has peace to come back. Then one request at a time tries how it fares.
//!
//! Knows outcomes and times, not requests. Crates do the counting as well; but those there are let many in for a trial, can't
//! say how long a pause still is, and count nothing that was given up half-way, as requests to a hanging source are.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::metrics::Counts;
use crate::{config, domain::Source};

/// Parts of the window. The oldest goes as a whole.
const PARTS: u32 = 10;

pub(super) struct Breaker {
    source: Source,
    /// A request that was given up after this time counts as a failure: whoever waited has no more patience than that.
    patience: Duration,
    counts: Counts,
    state: Mutex<State>,
}

/// A request that was let through. Dropped without a word, it was given up.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    began: Instant,
    ticket: Ticket,
    is_told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    /// The number of pauses before it.
    after: u64,
    is_trial: bool,
}

struct State {
    config: config::Breaker,
    window: Window,
    /// Failures since the last success.
    in_a_row: u32,
    /// How often it paused: what was sent before says nothing about the time after.
    pauses: u64,
    paused: Option<Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    /// A request is on its way to try how the source fares.
    on_trial: bool,
}

/// Requests of the last time, part by part.
struct Window {
    parts: [Part; PARTS as usize],
    part: Duration,
    began: Instant,
    at: usize,
}

#[derive(Clone, Copy, Default)]
struct Part {
    requests: u32,
    failures: u32,
}

impl Breaker {
    pub(super) fn new(source: Source, config: &config::Breaker, time_limit: Duration, counts: Counts) -> Self {
        let state = Mutex::new(State::new(config.clone(), Instant::now()));
        Self { source, patience: time_limit / 2, counts, state }
    }

    /// Says whether a request would be let through, or how long the source is not asked for.
    pub(super) fn check(&self) -> Result<(), Duration> {
        self.lock().check(Instant::now()).inspect_err(|_| _ = self.counts.refused.inc())
    }

    /// Lets a request through, or says how long the source is not asked for.
    pub(super) fn admit(&self) -> Result<Pass<'_>, Duration> {
        let began = Instant::now();
        let ticket = self.lock().admit(began).inspect_err(|_| _ = self.counts.refused.inc())?;
        Ok(Pass { breaker: self, began, ticket, is_told: false })
    }

    /// For how long the source is not asked; `None`: it is.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        let left = self.lock().paused?.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn succeeded(&self, ticket: Ticket) {
        let is_back = self.lock().succeeded(ticket, Instant::now());
        if is_back {
            self.counts.paused.set(0);
            tracing::info!(source = self.source.code(), "a source answers again");
        }
    }

    fn failed(&self, ticket: Ticket) {
        let (seen, pause) = {
            let mut state = self.lock();
            (state.failed(ticket, Instant::now()), state.config.pause)
        };
        if let Some(Part { requests, failures }) = seen {
            self.counts.paused.set(1);
            self.counts.pauses.inc();
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                source = self.source.code(),
                requests,
                failures,
                pause_ms,
                "a source fails: it is not asked"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The source answered, be it with a refusal.
    pub(super) fn answered(mut self) {
        self.is_told = true;
        self.breaker.counts.answered.inc();
        self.breaker.succeeded(self.ticket);
    }

    /// The source answered, in a way that says nothing of how it fares.
    pub(super) fn answered_oddly(mut self) {
        self.is_told = true;
        self.breaker.counts.answered.inc();
        self.breaker.lock().given_up(self.ticket);
    }

    /// The source's time limit was over first. Where others failed before, it counts however little of it was left: most of it
    /// may have gone by waiting for those.
    pub(super) fn ran_out(self) {
        if self.breaker.lock().in_a_row > 0 {
            self.failed();
        }
    }

    /// No answer came in time, or one that says that the source is broken.
    pub(super) fn failed(mut self) {
        self.is_told = true;
        self.breaker.counts.failed.inc();
        self.breaker.failed(self.ticket);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_told {
            return;
        }
        if self.began.elapsed() >= self.breaker.patience {
            self.breaker.counts.failed.inc();
            self.breaker.failed(self.ticket);
        } else {
            self.breaker.counts.abandoned.inc();
            self.breaker.lock().given_up(self.ticket);
        }
    }
}

impl State {
    fn new(config: config::Breaker, now: Instant) -> Self {
        let window = Window::new(config.window, now);
        Self { config, window, in_a_row: 0, pauses: 0, paused: None }
    }

    fn check(&self, now: Instant) -> Result<(), Duration> {
        match &self.paused {
            Some(pause) if pause.on_trial || now < pause.until => Err(pause.until.saturating_duration_since(now)),
            _ => Ok(()),
        }
    }

    fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        self.check(now)?;
        let is_trial = self.paused.as_mut().map(|pause| pause.on_trial = true).is_some();
        Ok(Ticket { after: self.pauses, is_trial })
    }

    /// Whether the source is back.
    fn succeeded(&mut self, ticket: Ticket, now: Instant) -> bool {
        if ticket.after != self.pauses {
            return false;
        }
        self.in_a_row = 0;
        if ticket.is_trial {
            self.paused = None;
            self.window = Window::new(self.config.window, now);
        }
        self.window.count(now, 0);
        ticket.is_trial
    }

    /// What was seen of the source, where it is not to be asked from now on.
    fn failed(&mut self, ticket: Ticket, now: Instant) -> Option<Part> {
        if ticket.after != self.pauses {
            return None;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let seen = self.window.count(now, 1);
        let is_bad = seen.requests >= self.config.minimum && seen.share() >= u64::from(self.config.percent);
        let is_down = is_bad || self.in_a_row >= self.config.minimum;
        if !ticket.is_trial && (!is_down || self.config.pause.is_zero()) {
            return None;
        }
        self.pauses += 1;
        self.paused = Some(Pause { until: now + self.config.pause, on_trial: false });
        Some(seen)
    }

    fn given_up(&mut self, ticket: Ticket) {
        if ticket.is_trial
            && let Some(pause) = &mut self.paused
        {
            pause.on_trial = false;
        }
    }
}

impl Window {
    fn new(length: Duration, now: Instant) -> Self {
        Self { parts: [Part::default(); PARTS as usize], part: length / PARTS, began: now, at: 0 }
    }

    /// Counts one request; gives all that are in the window.
    fn count(&mut self, now: Instant, failures: u32) -> Part {
        self.advance(now);
        let part = &mut self.parts[self.at];
        part.requests = part.requests.saturating_add(1);
        part.failures = part.failures.saturating_add(failures);
        self.parts.iter().fold(Part::default(), |sum, part| Part {
            requests: sum.requests.saturating_add(part.requests),
            failures: sum.failures.saturating_add(part.failures),
        })
    }

    fn advance(&mut self, now: Instant) {
        let length = self.part * PARTS;
        if now.saturating_duration_since(self.began) >= length * 2 {
            *self = Self::new(length, now);
        }
        while now.saturating_duration_since(self.began) >= self.part {
            self.began += self.part;
            self.at = (self.at + 1) % self.parts.len();
            self.parts[self.at] = Part::default();
        }
    }
}

impl Part {
    /// Of failures, in percent.
    fn share(self) -> u64 {
        u64::from(self.failures) * 100 / u64::from(self.requests.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::UpstreamMetrics;

    const SECOND: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_secs(5);

    /// Ten seconds, at least ten requests, 60 %.
    fn state() -> (State, Instant) {
        let config = config::Breaker { percent: 60, minimum: 10, window: 10 * SECOND, pause: PAUSE };
        let now = Instant::now();
        (State::new(config, now), now)
    }

    /// Requests that end at once: `true` answered. Whether the source is paused after them.
    fn ended(state: &mut State, now: Instant, outcomes: impl IntoIterator<Item = bool>) -> bool {
        for answered in outcomes {
            let ticket = state.admit(now).unwrap();
            if answered {
                state.succeeded(ticket, now);
            } else {
                state.failed(ticket, now);
            }
        }
        state.paused.is_some()
    }

    #[test]
    fn what_ran_out_of_time_behind_others_that_failed_counts() {
        let config = config::Breaker { percent: 60, minimum: 2, window: 10 * SECOND, pause: PAUSE };
        let breaker =
            Breaker::new(Source::BrainStem, &config, 10 * SECOND, UpstreamMetrics::default().of(Source::BrainStem));
        breaker.admit().unwrap().ran_out();
        breaker.admit().unwrap().ran_out();
        assert_eq!(breaker.paused_for(), None, "nothing is known of the source");
        breaker.admit().unwrap().failed();
        breaker.admit().unwrap().ran_out();
        assert!(breaker.paused_for().is_some());
    }

    #[test]
    fn an_odd_answer_is_no_failure_and_ends_no_pause() {
        let config = config::Breaker { percent: 60, minimum: 2, window: 10 * SECOND, pause: Duration::from_nanos(1) };
        let breaker =
            Breaker::new(Source::BrainStem, &config, 10 * SECOND, UpstreamMetrics::default().of(Source::BrainStem));
        for _ in 0..10 {
            breaker.admit().unwrap().answered_oddly();
        }
        assert!(breaker.lock().paused.is_none());
        breaker.admit().unwrap().failed();
        breaker.admit().unwrap().failed();
        let trial = loop {
            if let Ok(pass) = breaker.admit() {
                break pass;
            }
        };
        trial.answered_oddly();
        assert!(breaker.lock().paused.is_some_and(|pause| !pause.on_trial), "another one is to try");
    }

    #[test]
    fn a_share_of_failures_pauses_from_a_minimum_of_requests_on() {
        // Two of three: never ten in a row.
        let two_of_three = |number: u32| number % 3 == 2;
        let (mut few, now) = state();
        assert!(!ended(&mut few, now, (0..9).map(two_of_three)));
        let (mut enough, now) = state();
        assert!(ended(&mut enough, now, (1..=10).map(two_of_three)));
        // Each second one.
        let (mut half, now) = state();
        assert!(!ended(&mut half, now, (0..1_000).map(|number| number % 2 == 0)));
    }

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let (mut state, now) = state();
        assert!(!ended(&mut state, now, [false; 9]));
        assert!(!ended(&mut state, now, [true]));
        for second in 11..100 {
            // One failure and one answer a second: half of it.
            assert!(!ended(&mut state, now + second * SECOND, [false, true]), "{second}");
        }
        assert_eq!(state.window.count(now + 1_000 * SECOND, 0).requests, 1);
    }

    #[test]
    fn failures_in_a_row_pause_whatever_was_before_and_however_long_they_took() {
        let (mut busy, now) = state();
        assert!(!ended(&mut busy, now, [true; 1_000]));
        assert!(!ended(&mut busy, now, [false; 9]));
        assert!(ended(&mut busy, now, [false]));
        let (mut idle, now) = state();
        let paused =
            (0..10).map(|number| ended(&mut idle, now + number * 60 * SECOND, [false])).filter(|paused| *paused);
        assert_eq!(paused.count(), 1);
    }

    #[test]
    fn after_the_pause_one_at_a_time_tries() {
        let (mut state, now) = state();
        let before = state.admit(now).unwrap();
        assert!(ended(&mut state, now, [false; 10]));
        assert_eq!(state.admit(now + SECOND).unwrap_err(), 4 * SECOND);
        let later = now + PAUSE;
        let trial = state.admit(later).unwrap();
        assert_eq!(state.admit(later).unwrap_err(), Duration::ZERO);
        // From before the pause.
        assert!(!state.succeeded(before, later) && state.paused.is_some());
        state.given_up(trial);
        let trial = state.admit(later).unwrap();
        assert!(state.failed(trial, later).is_some());
        assert_eq!(state.admit(later + SECOND).unwrap_err(), 4 * SECOND);
        let trial = state.admit(later + PAUSE).unwrap();
        assert!(state.succeeded(trial, later + PAUSE));
        // As new; and one from before the pauses that ends only now says nothing.
        assert!(state.failed(before, later + PAUSE).is_none());
        assert!(!ended(&mut state, later + PAUSE, [false; 8]));
        assert!(ended(&mut state, later + PAUSE, [false]));
    }

    #[test]
    fn a_pause_of_no_time_is_none() {
        let (mut state, now) = state();
        state.config.pause = Duration::ZERO;
        assert!(!ended(&mut state, now, [false; 1_000]));
    }
}
