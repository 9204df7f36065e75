//! The gateway under load, over real sockets, beside a server of fixed bytes and a stock async-graphql server.
//!
//! `cargo bench --profile dist --bench load` runs everything and prints tables; `-- warm`, `-- cold`, `-- growth`, `-- soak` or
//! `-- replicas` (which needs redis-server) runs a part, `-- --quick` all with short times. `UPDATE_DOCS=1` writes tables and plots into docs/performance.md.
//!
//! The server under test is a process of its own on a core of its own. The load and the upstreams, which are the sandbox,
//! run in this process on another.

mod client;
mod cold;
mod cores;
mod fixed;
mod generator;
mod growth;
mod machine;
mod plot;
mod process;
mod queries;
mod replicas;
#[path = "../common/report.rs"]
mod report;
mod servers;
mod soak;
mod stock;
mod targets;
mod units;
mod upstreams;
mod warm;

use std::{env, future::Future, io::Write as _, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};

use self::{cores::Core, plot::Plot, report::Report, targets::Targets};

/// What runs, and how long.
struct Bench {
    report: Report,
    /// Of one measurement.
    time: Duration,
    /// Queries of a measurement that sends one after the other.
    repeats: u32,
    is_quick: bool,
    parts: Vec<&'static str>,
}

const PARTS: [&str; 5] = ["cold", "warm", "growth", "soak", "replicas"];

impl Bench {
    fn new(arguments: &[String]) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        let mut is_quick = false;
        for argument in arguments.iter().filter(|argument| *argument != "--bench") {
            match PARTS.iter().find(|part| *part == argument) {
                Some(part) => parts.push(*part),
                None if argument == "--quick" => is_quick = true,
                None => bail!("`{argument}` is unknown: expected --quick, {}", PARTS.join(", ")),
            }
        }
        if parts.is_empty() {
            parts = PARTS.to_vec();
        }
        Ok(Self {
            report: Report { is_written: env::var_os("UPDATE_DOCS").is_some() },
            time: if is_quick { Duration::from_millis(400) } else { Duration::from_secs(2) },
            repeats: if is_quick { 5 } else { 40 },
            is_quick,
            parts,
        })
    }

    /// The sizes to measure: short runs leave out the largest.
    fn sizes(&self, all: &[u32]) -> Vec<u32> {
        let mut sizes: Vec<u32> = all.iter().map(|size| if self.is_quick { (*size).min(300) } else { *size }).collect();
        sizes.dedup();
        sizes
    }

    /// Rounds of the load under which memory is watched.
    fn rounds(&self) -> u32 {
        if self.is_quick { 2 } else { 8 }
    }

    fn plot(&self, plot: &Plot) -> anyhow::Result<()> {
        if self.report.is_written { plot.draw() } else { Ok(()) }
    }

    async fn run(&self) -> anyhow::Result<()> {
        self.report.text("machine", "Machine", &machine::described())?;
        let mut targets = Targets::new();
        if self.parts.contains(&"cold") {
            cold::alone(self, &mut targets).await?;
            cold::together(self, &mut targets).await?;
            cold::sustained(self).await?;
        }
        if self.parts.contains(&"warm") {
            warm::measure(self, &mut targets).await?;
            warm::memory(self, &mut targets).await?;
        }
        if self.parts.contains(&"growth") {
            growth::measure(self).await?;
        }
        if self.parts.contains(&"soak") {
            soak::measure(self).await?;
        }
        if self.parts.contains(&"replicas") {
            replicas::measure(self).await?;
        }
        targets.report(self.report)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match in_runtime(servers::serve(&arguments)) {
        Ok(Some(served)) => served,
        Ok(None) => measure(&arguments),
        Err(error) => Err(error),
    };
    done.map_or_else(
        |error| {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn measure(arguments: &[String]) -> anyhow::Result<()> {
    // Only `cargo bench` says so; `cargo test --all-targets` runs this, too.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let bench = Bench::new(arguments)?;
    Core::Load.run(|| in_runtime(until_stopped(bench.run())))?
}

/// Ends the servers, too, when it is told to stop: they end with the future that started them.
async fn until_stopped(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        () = terminated() => bail!("terminated"),
    }
}

/// Until SIGTERM, where there is one.
async fn terminated() {
    #[cfg(unix)]
    if let Ok(mut signal) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        signal.recv().await;
        return;
    }
    std::future::pending::<()>().await;
}

/// One thread: a server under test has one core, and so has the load.
fn in_runtime<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("the asynchronous runtime could not be started")?.block_on(work))
}
