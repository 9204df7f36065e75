//! What the gateway is to reach, beside what it reached in this run.

use std::time::Duration;

use crate::{
    report::{Report, Table, number},
    units::{mib, millis},
    warm::Measured,
};

/// One row for each target.
#[derive(Debug)]
pub(crate) struct Targets(Table);

impl Targets {
    pub(crate) fn new() -> Self {
        Self(Table::new(&["target", "wanted", "measured", "reached"]))
    }

    fn add(&mut self, target: &str, wanted: &str, measured: String, is_reached: bool) {
        let reached = if is_reached { "yes" } else { "no" };
        self.0.row([target.to_owned(), wanted.to_owned(), measured, reached.to_owned()]);
    }

    /// Q1 warm, asked in one of the ways.
    pub(crate) fn warm(&mut self, way: &str, measured: &Measured) {
        let (of_fixed, times) = (measured.of_fixed(), measured.times_fixed());
        match way {
            "gateway, the same again" => {
                self.add("Q1 the same again: requests/s, of fixed bytes", "≥ 0.8", number(of_fixed), of_fixed >= 0.8);
                self.add("Q1 the same again: CPU, × fixed bytes", "≤ 1.25", number(times), times <= 1.25);
            }
            "gateway, other variables" | "gateway, other documents" => {
                let way = way.trim_start_matches("gateway, ");
                let target = format!("Q1 from entities ({way}): CPU µs a request, best of its turns");
                self.add(&target, "≤ 300", number(measured.least_us), measured.least_us <= 300.0);
            }
            _ => {}
        }
    }

    /// Q1 cold with a far upstream: its round trips, and what the gateway adds to them.
    pub(crate) fn cold(&mut self, round_trips: usize, added: Duration) {
        self.add("Q1 cold: round trips", "1", round_trips.to_string(), round_trips <= 1);
        let is_reached = added <= Duration::from_millis(5);
        self.add("Q1 cold, upstream 50 ms: added ms", "≤ 5", millis(added), is_reached);
    }

    /// Requests upstream for many queries at once, in multiples of what one makes.
    pub(crate) fn together(&mut self, cache: &str, latency: Duration, identical: f64, different: f64) {
        let of = |target: &str| format!("{target}, upstream {} ms, {cache}: requests, × one's", latency.as_millis());
        self.add(&of("500 identical cold queries at once"), "≤ 1", number(identical), identical <= 1.0);
        self.add(&of("50 different ones at once"), "≤ 50", number(different), different <= 50.0);
    }

    /// Memory after each round of a load, in KiB: flat once it has been through everything.
    pub(crate) fn memory(&mut self, resident: &[u32]) {
        let (first, second) = resident.split_at(resident.len() / 2);
        let most = |half: &[u32]| half.iter().copied().max().unwrap_or_default();
        let (before, after) = (most(first), most(second));
        let measured = format!("{} → {}", mib(before), mib(after));
        let is_flat = f64::from(after) <= f64::from(before) * 1.05;
        self.add("memory, first half of the load → second, MiB", "+ 5 % at most", measured, is_flat);
    }

    pub(crate) fn report(&self, report: Report) -> anyhow::Result<()> {
        report.table("targets", "Targets", &self.0)
    }
}
