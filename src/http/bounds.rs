//! What one request or WebSocket is held to, as it is configured now. Plain numbers: they are read for every request, and none depends on
//! another.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use crate::config::Limits;

pub(super) struct Bounds {
    deadline: Time,
    body_bytes: AtomicUsize,
    body: Time,
    batch: AtomicUsize,
    max_operations: AtomicUsize,
    init: Time,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            deadline: Time::new(limits.deadline),
            body_bytes: limits.body_bytes.into(),
            body: Time::new(limits.body),
            batch: limits.batch.into(),
            max_operations: limits.subscriptions.into(),
            init: Time::new(limits.init),
        }
    }

    /// From now on these hold.
    pub(super) fn hold_to(&self, limits: &Limits) {
        self.deadline.set(limits.deadline);
        self.body_bytes.store(limits.body_bytes, Relaxed);
        self.body.set(limits.body);
        self.batch.store(limits.batch, Relaxed);
        self.max_operations.store(limits.subscriptions, Relaxed);
        self.init.set(limits.init);
    }

    /// A request's time.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline.get()
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body_bytes.load(Relaxed)
    }

    /// How long a body may take to arrive.
    pub(super) fn body(&self) -> Duration {
        self.body.get().min(self.deadline())
    }

    /// Requests in one body; 0: batching is off.
    pub(super) fn batch(&self) -> usize {
        self.batch.load(Relaxed)
    }

    /// Operations at the same time on one WebSocket.
    pub(super) fn max_operations(&self) -> usize {
        self.max_operations.load(Relaxed)
    }

    /// How long a new WebSocket may take for its `connection_init`.
    pub(super) fn init(&self) -> Duration {
        self.init.get()
    }
}

/// In nanoseconds: more than 500 years.
struct Time(AtomicU64);

impl Time {
    fn new(time: Duration) -> Self {
        Self(nanoseconds(time).into())
    }

    fn set(&self, time: Duration) {
        self.0.store(nanoseconds(time), Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Relaxed))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
