//! Counting what is there at the moment, by holding something for as long as it is. Knows nothing of what that is.

use prometheus_client::metrics::gauge::Gauge;

/// One more on a gauge, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Gauge);

impl Held {
    pub(crate) fn on(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}
