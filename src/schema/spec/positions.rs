//! From offsets within a document to lines and columns, both from 1.

use apollo_compiler::parser::SourceSpan;
use async_graphql::Pos;

pub(super) struct Positions {
    /// Where each line begins.
    lines: Vec<usize>,
    /// Where the bytes are that begin no character; empty in ASCII.
    within: Vec<usize>,
}

impl Positions {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let ends_line = |(at, byte): (usize, &u8)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let ends = bytes.iter().enumerate().filter(|line| ends_line(*line)).map(|(at, _)| at + 1);
        let within = if text.is_ascii() {
            Vec::new()
        } else {
            (0..bytes.len()).filter(|at| !text.is_char_boundary(*at)).collect()
        };
        Self { lines: std::iter::once(0).chain(ends).collect(), within }
    }

    pub(super) fn at(&self, offset: usize) -> Pos {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines[line - 1];
        let before = |offset: usize| self.within.partition_point(|at| *at < offset);
        Pos { line, column: offset - start - (before(offset) - before(start)) + 1 }
    }

    /// Where something begins; what was not parsed has no place.
    pub(super) fn of_span(&self, span: Option<SourceSpan>) -> Pos {
        span.map(|span| self.at(span.offset())).unwrap_or_default()
    }
}
