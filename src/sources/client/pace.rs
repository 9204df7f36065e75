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

    /// Waits for the next turn. Whoever `is_wanted` refuses when its turn is near takes none.
    pub(super) async fn wait<E>(&self, is_wanted: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let Some(period) = self.period else { return Ok(()) };
        let mut clock = self.clock.lock().await;
        is_wanted()?;
        clock.get_or_insert_with(|| spaced(period)).tick().await;
        Ok(())
    }
}

fn spaced(period: Duration) -> Interval {
    let mut clock = interval(period);
    // Time without requests is not made up for.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_is_not_wanted_takes_no_turn() {
        let pace = Pace::new(1);
        assert_eq!(pace.wait(|| Ok::<_, ()>(())).await, Ok(()));
        for _ in 0..100 {
            assert_eq!(pace.wait(|| Err(())).now_or_never(), Some(Err(())));
        }
        assert_eq!(pace.wait(|| Ok::<_, ()>(())).now_or_never(), None);
    }
}
