//! Requests evenly spaced in time, for an upstream that allows so many a second.

use std::time::Duration;

use tokio::{
    sync::Mutex,
    time::{Interval, MissedTickBehavior, interval},
};

/// Lets requests through one after the other, in the order in which they came.
pub(super) struct Pace(Option<Mutex<Interval>>);

impl Pace {
    /// At most so many requests a second; zero: any number. To be called within a runtime, where there is a bound.
    pub(super) fn new(a_second: u32) -> Self {
        let period = (a_second > 0).then(|| Duration::from_secs(1) / a_second);
        Self(period.map(|period| {
            let mut interval = interval(period);
            // Time without requests is not made up for.
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            Mutex::new(interval)
        }))
    }

    pub(super) async fn wait(&self) {
        if let Self(Some(interval)) = self {
            interval.lock().await.tick().await;
        }
    }
}
