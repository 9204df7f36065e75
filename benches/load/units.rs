//! How quantities are written in the tables.

use std::time::Duration;

/// Milliseconds.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

/// MiB.
pub(crate) fn mib(kib: u32) -> String {
    format!("{:.1}", f64::from(kib) / 1024.0)
}

/// Per cent, of a part of 1.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}
