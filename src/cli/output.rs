//! The one place that writes to standard output.

use std::io::{ErrorKind, Write as _, stdout};

use anyhow::Context as _;

/// Prints a text and a line end. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("standard output is not writable"),
        _ => Ok(()),
    }
}
