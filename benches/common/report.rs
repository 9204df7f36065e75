//! Tables: printed as they are made, and written into docs/performance.md between their markers where that is asked for.

use std::{fmt::Write as _, fs, io::Write as _};

use anyhow::Context as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");

/// A table of texts.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// As Markdown, its columns as wide as their widest cells; numbers, which is all but the first column, to the right.
    fn markdown(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([self.columns[column].chars().count(), 2]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::from("|");
            for (column, (cell, width)) in cells.zip(&widths).enumerate() {
                let _ = if column == 0 { write!(line, " {cell:<width$} |") } else { write!(line, " {cell:>width$} |") };
            }
            line + "\n"
        };
        let mut text = line(&mut self.columns.iter().copied());
        for (column, width) in widths.iter().enumerate() {
            let dashes = "-".repeat(width - usize::from(column > 0));
            text.push_str(if column == 0 { "| " } else { " " });
            text.push_str(&dashes);
            text.push_str(if column == 0 { " |" } else { ": |" });
        }
        text.push('\n');
        for row in &self.rows {
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }
}

/// Where tables go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    /// Into docs/performance.md, too.
    pub(crate) is_written: bool,
}

impl Report {
    pub(crate) fn table(self, name: &str, title: &str, table: &Table) -> anyhow::Result<()> {
        self.text(name, title, &table.markdown())
    }

    /// A paragraph or table with the name that its markers have.
    pub(crate) fn text(self, name: &str, title: &str, text: &str) -> anyhow::Result<()> {
        writeln!(std::io::stdout(), "\n{title}\n\n{}", text.trim_end())?;
        if !self.is_written {
            return Ok(());
        }
        let page = fs::read_to_string(PAGE).context("docs/performance.md cannot be read")?;
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
        let (before, rest) = page.split_once(&open).with_context(|| format!("docs/performance.md has no {open}"))?;
        let (_, after) = rest.split_once(&close).with_context(|| format!("docs/performance.md has no {close}"))?;
        fs::write(PAGE, format!("{before}{open}\n{}\n\n{close}{after}", text.trim_end()))?;
        Ok(())
    }
}

/// What goes on, for whoever waits.
pub(crate) fn progress(what: &str) {
    let _ = writeln!(std::io::stderr(), "    {what}");
}

/// A number with so many digits as say something; a whole one, such as a count, without decimals.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value.fract().abs() < f64::EPSILON => thousands(value),
        value if value >= 1000.0 => thousands(value),
        value if value >= 99.95 => format!("{value:.0}"),
        value if value >= 9.995 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
