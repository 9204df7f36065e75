//! When a read that failed is sent again, and after which pause.
//!
//! Only what passes by itself is worth a retry: no connection, a broken one, a server that says it is not ready. All reads of
//! a source share a budget, a share of their number: a source that is going down is not asked several times over. Does not
//! send.

use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tower::{
    retry::{
        backoff::{Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _},
        budget::{Budget as _, TpsBudget},
    },
    util::rng::HasherRng,
};

use super::{Answer, metrics::Counts};
use crate::{
    config,
    sources::{Fault, SourceError},
};

/// For how long a read counts for the budget.
const COUNTED_FOR: Duration = Duration::from_secs(10);
/// Retries a second that there may be at any rate: with little traffic a share of it is nothing.
const AT_ANY_RATE: u32 = 1;
/// How much longer a pause may be by chance, as a share of it.
const JITTER: f64 = 1.0;

/// What all reads of a source share.
pub(super) struct Retries {
    config: config::Retries,
    budget: TpsBudget,
}

/// One read's retries.
pub(super) struct Tries<'a> {
    retries: &'a Retries,
    left: u64,
    backoff: Option<ExponentialBackoff>,
}

impl Retries {
    pub(super) fn new(config: &config::Retries) -> Self {
        let budget = TpsBudget::new(COUNTED_FOR, AT_ANY_RATE, f32::from(config.percent) / 100.0);
        Self { config: config.clone(), budget }
    }

    /// A read begins.
    pub(super) fn begin(&self) -> Tries<'_> {
        let left = if self.config.percent == 0 { 0 } else { self.config.tries - 1 };
        Tries { retries: self, left, backoff: None }
    }
}

impl Tries<'_> {
    /// The read was sent: it counts for the budget.
    pub(super) fn was_sent(&self) {
        self.retries.budget.deposit();
    }

    /// The pause after which the read is sent again; `None`: this is how it ends. A retry that could not begin before
    /// `deadline` is none.
    pub(super) fn pause(
        &mut self,
        outcome: &Result<Answer, SourceError>,
        deadline: Instant,
        counts: &Counts,
    ) -> Option<Sleep> {
        let asked_for = worth_a_retry(outcome)?;
        self.left = self.left.checked_sub(1)?;
        if asked_for > self.retries.config.longest_wait {
            return None;
        }
        let backoff = match &mut self.backoff {
            Some(backoff) => backoff,
            none => none.insert(backoff(&self.retries.config)?),
        };
        let pause = backoff.next_backoff();
        // A jitter on top of what the source asks for: it asks all for the same.
        let until = pause.deadline() + asked_for;
        if until >= deadline {
            return None;
        }
        if !self.retries.budget.withdraw() {
            counts.refused_retries.inc();
            return None;
        }
        counts.retries.inc();
        Some(tokio::time::sleep_until(until))
    }
}

/// Whether the next try may fare better: after which time the source asks for it, zero where it names none.
fn worth_a_retry(outcome: &Result<Answer, SourceError>) -> Option<Duration> {
    match outcome {
        Ok(answer) => match answer.status.as_u16() {
            502..=504 => Some(answer.retry_after.unwrap_or_default()),
            // Asking again without being told when is what it complains of.
            429 => answer.retry_after,
            _ => None,
        },
        Err(error) => matches!(error.fault, Fault::Unreachable(_)).then_some(Duration::ZERO),
    }
}

/// With chance of its own: copies of one would all pause for the same times.
fn backoff(config: &config::Retries) -> Option<ExponentialBackoff> {
    let longest = config.longest_wait.max(config.backoff);
    let maker = ExponentialBackoffMaker::new(config.backoff, longest, JITTER, HasherRng::new());
    maker.ok().map(|mut maker| maker.make_backoff())
}
