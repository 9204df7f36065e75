//! Instruction counts: each hot path runs under callgrind twice, a few times and some times more. What the second run has
//! more, divided by how much more often, is the path's own count; the start of the process falls out.

use std::{
    env,
    process::{Command, Output},
};

use anyhow::{Context as _, ensure};

use crate::{
    hot,
    report::{Report, Table, number, progress},
};

/// The argument that makes this program run one path so often.
pub(crate) const ITERATE: &str = "--iterate";
const FEW: u32 = 4;
const MORE: u32 = 24;
/// Seconds for one run under valgrind.
const PATIENCE: &str = "300";

pub(crate) fn measure(report: Report) -> anyhow::Result<()> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        progress("skipped: instruction counts need valgrind, which is not installed");
        return Ok(());
    }
    let mut table = Table::new(&["hot path", "instructions"]);
    for (name, _) in hot::ALL {
        progress(name);
        let (few, more) = (instructions(name, FEW)?, instructions(name, MORE)?);
        let each = more.saturating_sub(few) / u64::from(MORE - FEW);
        // Below 2⁵³ nothing is lost.
        table.row([(*name).to_owned(), number(u32::try_from(each).map_or(f64::INFINITY, f64::from))]);
    }
    report.table("instructions", "Instructions of the hot paths, by callgrind", &table)
}

/// Instructions of a whole process that runs a path so often.
fn instructions(name: &str, times: u32) -> anyhow::Result<u64> {
    let program = env::current_exe().context("this program does not know where it is")?;
    let mut command = Command::new("timeout");
    command.args([PATIENCE, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program).args([ITERATE, name, &times.to_string()]);
    let Output { status, stderr, .. } = command.output().context("valgrind could not be started")?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "valgrind failed on `{name}`: {said}");
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.with_context(|| format!("valgrind did not say how many instructions `{name}` took: {said}"))
}
