//! Instruction counts: each hot path runs under callgrind, which counts nothing outside of [`counted`].

use std::{
    env,
    process::{Command, Output},
};

use anyhow::{Context as _, ensure};

use crate::{
    hot::{self, Hot},
    report::{Report, Table, number, progress},
};

/// The argument that makes this program run one path so often.
pub(crate) const ITERATE: &str = "--iterate";
const TIMES: u32 = 20;
/// [`counted`], as callgrind finds it among the functions.
const COUNTED: &str = "--toggle-collect=*counts::counted*";
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
        let each = instructions(name)? / u64::from(TIMES);
        ensure!(each > 0, "nothing was counted: this program was built without the names of its functions");
        table.row([(*name).to_owned(), number(u32::try_from(each).map_or(f64::INFINITY, f64::from))]);
    }
    report.table("instructions", "Instructions of the hot paths, by callgrind", &table)
}

/// Runs a path so often. Nothing else is counted, so that it must stay a function.
#[inline(never)]
pub(crate) fn counted(run: fn(&Hot), hot: &Hot, times: u32) {
    for _ in 0..times {
        run(hot);
    }
}

/// Instructions of a path that runs [`TIMES`] times.
fn instructions(name: &str) -> anyhow::Result<u64> {
    let program = env::current_exe().context("this program does not know where it is")?;
    let mut command = Command::new("timeout");
    command.args([PATIENCE, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.args(["--collect-atstart=no", COUNTED]);
    command.arg(program).args([ITERATE, name, &TIMES.to_string()]);
    let Output { status, stderr, .. } = command.output().context("valgrind could not be started")?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "valgrind failed on `{name}`: {said}");
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.with_context(|| format!("valgrind did not say how many instructions `{name}` took: {said}"))
}
