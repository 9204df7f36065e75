//! Requests evenly spaced in time, for an upstream that allows so many a second.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval},
};

/// Lets requests through one after the other, in the order in which they came.
pub(super) struct Pace {
    /// `None`: as they come.
    period: Option<Duration>,
    /// Begun by the first request: a clock needs a runtime.
    clock: Mutex<Option<Interval>>,
}

impl Pace {
    /// At most so many requests a second; zero: any number.
    pub(super) fn new(a_second: u32) -> Self {
        let period = (a_second > 0).then(|| Duration::from_secs(1) / a_second);
        Self { period, clock: Mutex::default() }
    }

    pub(super) async fn wait(&self) {
        let Some(period) = self.period else { return };
        let mut clock = self.clock.lock().await;
        clock.get_or_insert_with(|| spaced(period)).tick().await;
    }
}

fn spaced(period: Duration) -> Interval {
    let mut clock = interval(period);
    // Time without requests is not made up for.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}
