//! The hot paths in one process, without sockets of callers: how long each takes, and how many instructions.
//!
//! `cargo bench --bench inside` times them by criterion, and compares with its last run. `-- --counts` counts the
//! instructions of each with valgrind, which gives the same numbers however busy the machine is; `UPDATE_DOCS=1` writes
//! that table into docs/performance.md.

mod counts;
mod hot;
#[path = "../common/report.rs"]
mod report;

use std::{env, io::Write as _, process::ExitCode};

use criterion::Criterion;

use self::{hot::Hot, report::Report};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [counts::ITERATE, name, times] => iterate(name, times),
        arguments if arguments.contains(&"--counts") => {
            counts::measure(Report { is_written: env::var_os("UPDATE_DOCS").is_some() })
        }
        // Only `cargo bench` says so; `cargo test --all-targets` runs this, too.
        arguments if arguments.contains(&"--bench") => time(),
        _ => Ok(()),
    };
    done.map_or_else(
        |error| {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn time() -> anyhow::Result<()> {
    let hot = Hot::new()?;
    let mut criterion = Criterion::default().configure_from_args();
    for (name, run) in hot::ALL {
        criterion.bench_function(name, |bencher| bencher.iter(|| run(&hot)));
    }
    criterion.final_summary();
    Ok(())
}

/// Runs one of them so often and does nothing else, for valgrind to count.
fn iterate(name: &str, times: &str) -> anyhow::Result<()> {
    let hot = Hot::new()?;
    let (_, run) = hot::named(name)?;
    // What is made at first use is there afterwards.
    run(&hot);
    counts::counted(*run, &hot, times.parse()?);
    Ok(())
}
