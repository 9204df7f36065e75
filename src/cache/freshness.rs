//! How old answers are: when each was read, for how long it is fresh, and what it may still do for after that.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use crate::config::Lifetime;

/// An instant, in nanoseconds since a while before this process first asked: small enough to be lowered without a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) u64);

/// Some time before the first question, where the system's clock goes back so far: replicas may have read something before this
/// process began.
static FIRST: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(86_400)).unwrap_or(now)
});

impl Time {
    pub(super) const NEVER: Self = Self(u64::MAX);

    pub(super) fn now() -> Self {
        Self(nanos(FIRST.elapsed()))
    }

    /// How long ago it was; nothing for what is still to come.
    pub(super) fn age(self) -> Duration {
        Self::now().since(self)
    }

    /// The instant itself.
    pub(super) fn instant(self) -> Instant {
        FIRST.checked_add(Duration::from_nanos(self.0)).unwrap_or_else(Instant::now)
    }

    /// So long before; at the earliest when time began here.
    pub(super) fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }

    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(nanos(after)))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How old an answer is, and the oldest of what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the upstream was asked for its oldest part.
    pub(super) read: Time,
    pub(super) fresh_until: Time,
    /// Whether a part of it stands in for one that could not be read.
    pub(super) is_stale: bool,
}

impl Freshness {
    /// Of an answer that was asked for then and came just now.
    pub(super) fn of(read: Time, fresh: Duration) -> Self {
        Self { read, fresh_until: Time::now() + fresh, is_stale: false }
    }

    /// Of what was made from both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            read: self.read.min(other.read),
            fresh_until: self.fresh_until.min(other.fresh_until),
            is_stale: self.is_stale || other.is_stale,
        }
    }
}

/// How long a store's answers are good for.
#[derive(Clone, Debug)]
pub(super) struct Lifetimes {
    /// What changes as subjects do.
    pub(super) written: Lifetime,
    /// What no write of a subject changes.
    pub(super) steady: Lifetime,
    /// How long "not there" is.
    pub(super) absent: Duration,
}

/// What an answer may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    /// It is served once more while it is read anew.
    Revalidating,
    /// It stands in only for one that can't be read.
    InReserve,
}

impl Lifetimes {
    pub(super) fn of(&self, is_steady: bool) -> Lifetime {
        if is_steady { self.steady } else { self.written }
    }

    /// For how long an answer is kept from now on.
    pub(super) fn kept_for(&self, is_steady: bool, is_there: bool, freshness: Freshness) -> Duration {
        let fresh = freshness.fresh_until.since(Time::now());
        let lifetime = self.of(is_steady);
        if is_there { fresh.saturating_add(lifetime.stale.max(lifetime.stale_if_error)) } else { fresh }
    }

    pub(super) fn state(&self, now: Time, is_steady: bool, is_there: bool, freshness: Freshness) -> State {
        let over = now.since(freshness.fresh_until);
        if over.is_zero() {
            State::Fresh
        } else if is_there && over <= self.of(is_steady).stale {
            State::Revalidating
        } else {
            State::InReserve
        }
    }
}
