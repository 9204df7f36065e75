//! How much is let in: operations at the same time, and how often one caller may ask. Knows nothing of what is asked.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ahash::RandomState;
use arc_swap::ArcSwapOption;
use axum::http::StatusCode;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    state::keyed::DashMapStateStore,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    answer::{Refusal, code},
    places::Places,
};
use crate::{
    access::Identity,
    config::Limits,
    replicas::{Name, Replicas, Unavailable},
};

/// The part of an address of IPv6 that one customer usually has to himself.
const NETWORK: u128 = u128::MAX << 64;

/// What is let in.
pub(super) struct Load {
    places: Places,
    /// Whether there is a rate: to know it without asking for it.
    is_bounded: AtomicBool,
    rate: ArcSwapOption<Rate>,
    /// Those whom callers may ask as well; `None`: each is counted here alone.
    replicas: Option<Arc<Replicas>>,
}

/// How often each caller may ask.
struct Rate {
    per_second: NonZeroU32,
    burst: NonZeroU32,
    callers: RateLimiter<Who, DashMapStateStore<Who, RandomState>, DefaultClock>,
}

impl Rate {
    fn of(limits: &Limits) -> Option<Arc<Self>> {
        let (per_second, burst) = (NonZeroU32::new(limits.rate)?, limits.burst);
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let callers = RateLimiter::dashmap_with_hasher(quota, RandomState::new());
        Some(Arc::new(Self { per_second, burst, callers }))
    }
}

/// Why a caller is refused.
enum TooMany {
    For(Duration),
    /// More than may ever come at once.
    AtOnce,
}

impl Rate {
    fn count_here(&self, who: &Who, operations: NonZeroU32) -> Result<(), TooMany> {
        match self.callers.check_key_n(who, operations) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(until)) => Err(TooMany::For(until.wait_time_from(self.callers.clock().now()))),
            Err(_) => Err(TooMany::AtOnce),
        }
    }

    /// Where the others can't be asked, each replica counts by itself.
    async fn count_everywhere(&self, replicas: &Replicas, who: &Who, operations: NonZeroU32) -> Result<(), TooMany> {
        if operations > self.burst {
            return Err(TooMany::AtOnce);
        }
        let between = Duration::from_secs(1) / self.per_second.get();
        match replicas.take(who.name(replicas), between, self.burst.get(), operations.get()).await {
            Ok(None) => Ok(()),
            Ok(Some(wait)) => Err(TooMany::For(wait)),
            Err(Unavailable) => self.count_here(who, operations),
        }
    }
}

/// Who is counted as one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    Known(Identity),
    From(IpAddr),
}

impl Who {
    fn of(identity: Option<Identity>, peer: IpAddr) -> Self {
        match identity {
            Some(identity) => Self::Known(identity),
            None => Self::From(match peer.to_canonical() {
                IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
                address @ IpAddr::V4(_) => address,
            }),
        }
    }
}

impl Who {
    fn name(&self, replicas: &Replicas) -> Name {
        match self {
            Self::Known(identity) => replicas.name(&[b"caller", &identity.to_bytes()]),
            Self::From(IpAddr::V4(address)) => replicas.name(&[b"address", &address.octets()]),
            Self::From(IpAddr::V6(address)) => replicas.name(&[b"address", &address.octets()]),
        }
    }
}

impl Load {
    pub(super) fn new(limits: &Limits, replicas: Option<Arc<Replicas>>) -> Self {
        let rate = Rate::of(limits);
        let is_bounded = rate.is_some().into();
        Self { places: Places::new(limits.operations), is_bounded, rate: ArcSwapOption::from(rate), replicas }
    }

    /// From now on these limits hold. Callers who asked too often are not remembered over another rate.
    pub(super) fn hold_to(&self, limits: &Limits) {
        self.places.resize(limits.operations);
        let terms = |rate: &Rate| (rate.per_second, rate.burst);
        let rate = Rate::of(limits);
        if self.rate.load().as_deref().map(terms) != rate.as_deref().map(terms) {
            let is_bounded = rate.is_some();
            self.rate.store(rate);
            self.is_bounded.store(is_bounded, Ordering::Relaxed);
        }
    }

    /// The places for operations that are being executed.
    pub(super) fn places(&self) -> &Arc<Semaphore> {
        self.places.free()
    }

    /// A place for one operation; an error where all are taken.
    pub(super) fn enter(&self) -> Result<SemaphorePermit<'_>, Refusal> {
        let message = "This gateway executes as many operations as it allows: try again later.";
        self.places.free().try_acquire().map_err(|_| Refusal::overloaded(message, 1))
    }

    /// Counts so many operations of a caller, by its address where nobody knows who it is, on all replicas together where they can
    /// be asked; an error where there were too many lately.
    pub(super) async fn count(
        &self,
        who: Option<Identity>,
        peer: IpAddr,
        operations: NonZeroU32,
    ) -> Result<(), Refusal> {
        if !self.is_bounded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(rate) = self.rate.load_full() else { return Ok(()) };
        let who = Who::of(who, peer);
        let counted = match &self.replicas {
            Some(replicas) => rate.count_everywhere(replicas, &who, operations).await,
            None => rate.count_here(&who, operations),
        };
        let (seconds, more) = match counted {
            Ok(()) => return Ok(()),
            Err(TooMany::For(wait)) => (u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1), ""),
            Err(TooMany::AtOnce) => (1, " and fewer in one body"),
        };
        let message = format!("Too many requests: expected at most {} a second{more}.", rate.per_second);
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, message);
        Err(Refusal { retry_after: Some(seconds), ..refusal })
    }

    /// Forgets callers who have not asked lately.
    pub(super) fn forget(&self) {
        if let Some(rate) = &*self.rate.load() {
            rate.callers.retain_recent();
            rate.callers.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_name_is_told_apart_by_network() {
        let of = |address: &str| Who::of(None, address.parse().unwrap());
        assert!(of("192.0.2.1") != of("192.0.2.2"));
        assert!(of("192.0.2.1") == of("::ffff:192.0.2.1"));
        assert!(of("2001:db8:1:2::3") == of("2001:db8:1:2:4:5:6:7"));
        assert!(of("2001:db8:1:2::3") != of("2001:db8:1:3::3"));
    }
}
