//! JSON as it is written, and the errors that come up meanwhile. Knows no type of the schema.

use std::{fmt::Write as _, ops::Range};

use async_graphql::{
    EnumType, Name, PathSegment, Pos, QueryPathNode, QueryPathSegment, ServerError, Value, indexmap::IndexMap,
};
use async_graphql_value::RAW_VALUE_TOKEN;
use jiff::{Timestamp, civil::Date, fmt::temporal::DateTimePrinter};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::{Id, NodeId},
    schema::error::Error,
};

const PRINTER: DateTimePrinter = DateTimePrinter::new();

/// An answer's text in the making.
#[derive(Default)]
pub struct Out {
    json: String,
    pub(super) errors: Vec<ServerError>,
}

impl Out {
    /// With room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { json: String::with_capacity(bytes), errors: Vec::new() }
    }

    /// What was written. The errors are the caller's to take first.
    pub(super) fn into_text(self) -> String {
        self.json
    }

    /// Writes what no one has written by hand here.
    pub(super) fn serialize(&mut self, value: &impl Serialize) {
        // Nothing here fails to be written, or has other keys than texts.
        if let Ok(json) = serde_json::to_string(value) {
            self.verbatim(&json);
        }
    }

    /// Writes a value.
    pub(in crate::schema) fn put(&mut self, value: &(impl Put + ?Sized)) {
        value.put(self);
    }

    /// Writes the name that the schema has for one of an enum's values.
    pub(in crate::schema) fn name<T: EnumType>(&mut self, value: T) {
        if let Some(item) = T::items().iter().find(|item| item.value == value) {
            self.plain(item.name);
        }
    }

    /// Writes such a name, or null.
    pub(in crate::schema) fn name_or_null(&mut self, value: Option<impl EnumType>) {
        match value {
            Some(value) => self.name(value),
            None => self.null(),
        }
    }

    /// Writes global ids.
    pub(in crate::schema) fn ids<T>(&mut self, ids: &[Id<T>], node: fn(Id<T>) -> NodeId) {
        self.list(ids, |_, id, out| out.put(&node(*id)));
    }

    /// JSON that needs nothing done to it.
    pub(super) fn verbatim(&mut self, json: &str) {
        self.json.push_str(json);
    }

    pub(super) fn null(&mut self) {
        self.verbatim("null");
    }

    /// Writes a list by what writes one of its items.
    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(usize, T, &mut Self)) {
        self.json.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.json.push(',');
            }
            each(at, item, self);
        }
        self.json.push(']');
    }

    /// Where the next byte goes, and how many errors there are: equal marks, equal errors.
    pub(super) fn mark(&self) -> (usize, usize) {
        (self.json.len(), self.errors.len())
    }

    /// Writes once more what stands there already.
    pub(super) fn again(&mut self, written: Range<usize>) {
        self.json.extend_from_within(written);
    }

    /// A field that has no value, and why.
    pub(super) fn failed(&mut self, error: Error, pos: Pos, path: &QueryPathNode<'_>) {
        let error = async_graphql::Error::from(error).into_server_error(pos);
        self.errors.push(error.with_path(written(path)));
        self.null();
    }

    /// Text that JSON writes as it is, but for the quotes.
    fn plain(&mut self, text: &str) {
        self.json.push('"');
        self.json.push_str(text);
        self.json.push('"');
    }
}

/// JSON that is put out as it stands, without being looked at once more.
pub(in crate::schema) fn raw(json: String) -> Value {
    Value::Object(IndexMap::from([(Name::new(RAW_VALUE_TOKEN), Value::String(json))]))
}

/// Bytes of what is put out as it stands, wherever it is in a value.
pub(super) fn written_before(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(written_before).sum(),
        Value::Object(fields) => match raw_within(fields) {
            Some(json) => json.len(),
            None => fields.values().map(written_before).sum(),
        },
        _ => 0,
    }
}

fn raw_within(fields: &IndexMap<Name, Value>) -> Option<&str> {
    match fields.first() {
        Some((name, Value::String(json))) if fields.len() == 1 && name == RAW_VALUE_TOKEN => Some(json),
        _ => None,
    }
}

/// A path as errors have it.
fn written(path: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let segment = |node: &QueryPathNode<'_>| match node.segment {
        QueryPathSegment::Index(at) => PathSegment::Index(at),
        QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
    };
    let mut path: Vec<_> = std::iter::once(path).chain(path.parents()).map(segment).collect();
    path.reverse();
    path
}

/// What can be written as JSON, in the way that the schema's scalars are.
pub(in crate::schema) trait Put {
    fn put(&self, out: &mut Out);
}

impl<T: Put + ?Sized> Put for &T {
    fn put(&self, out: &mut Out) {
        (**self).put(out);
    }
}

impl<T: Put> Put for Option<T> {
    fn put(&self, out: &mut Out) {
        match self {
            Some(value) => value.put(out),
            None => out.null(),
        }
    }
}

impl<T: Put> Put for [T] {
    fn put(&self, out: &mut Out) {
        out.list(self, |_, item, out| item.put(out));
    }
}

impl<T: Put> Put for Vec<T> {
    fn put(&self, out: &mut Out) {
        self.as_slice().put(out);
    }
}

impl Put for str {
    fn put(&self, out: &mut Out) {
        // To the end in any case: without a way out, many bytes are looked at in one go.
        let is_special = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
        if self.bytes().fold(false, |found, byte| found | is_special(byte)) {
            out.serialize(&self);
        } else {
            out.plain(self);
        }
    }
}

impl Put for String {
    fn put(&self, out: &mut Out) {
        self.as_str().put(out);
    }
}

impl Put for bool {
    fn put(&self, out: &mut Out) {
        out.verbatim(if *self { "true" } else { "false" });
    }
}

impl Put for i64 {
    fn put(&self, out: &mut Out) {
        let _ = write!(out.json, "{self}");
    }
}

impl Put for u64 {
    fn put(&self, out: &mut Out) {
        let _ = write!(out.json, "{self}");
    }
}

impl Put for Date {
    fn put(&self, out: &mut Out) {
        out.json.push('"');
        // Writing into memory does not fail.
        let _ = PRINTER.print_date(self, &mut out.json);
        out.json.push('"');
    }
}

impl Put for Timestamp {
    fn put(&self, out: &mut Out) {
        out.json.push('"');
        let _ = PRINTER.print_timestamp(self, &mut out.json);
        out.json.push('"');
    }
}

impl Put for Uuid {
    fn put(&self, out: &mut Out) {
        out.plain(self.hyphenated().encode_lower(&mut Self::encode_buffer()));
    }
}

impl Put for NodeId {
    fn put(&self, out: &mut Out) {
        self.with_text(|text| out.plain(text));
    }
}

impl Put for serde_json::Value {
    fn put(&self, out: &mut Out) {
        out.serialize(self);
    }
}

/// What a stock resolver gave.
impl Put for Value {
    fn put(&self, out: &mut Out) {
        match self {
            Self::List(items) => items.put(out),
            Self::Object(fields) => match raw_within(fields) {
                Some(json) => out.verbatim(json),
                None => out.fields(fields),
            },
            leaf => out.serialize(leaf),
        }
    }
}

impl Out {
    fn fields(&mut self, fields: &IndexMap<Name, Value>) {
        self.json.push('{');
        for (at, (name, value)) in fields.iter().enumerate() {
            if at > 0 {
                self.json.push(',');
            }
            self.put(name.as_str());
            self.json.push(':');
            value.put(self);
        }
        self.json.push('}');
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, ToSpan as _, civil::date};
    use proptest::prelude::*;

    use super::*;

    fn written(value: &(impl Put + ?Sized)) -> String {
        let mut out = Out::default();
        out.put(value);
        out.into_text()
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_does(text in any::<String>(), plain in "[ -~]{0,20}") {
            prop_assert_eq!(written(text.as_str()), serde_json::to_string(&text).unwrap());
            prop_assert_eq!(written(plain.as_str()), serde_json::to_string(&plain).unwrap());
        }

        #[test]
        fn days_instants_and_uuids_are_written_as_they_display(
            days in 0..3_000_000_i32,
            instant in any::<(i32, i32)>(),
            uuid in any::<u128>(),
        ) {
            let day = date(-1000, 1, 1).checked_add(days.days()).unwrap();
            prop_assert_eq!(written(&day), format!("\"{day}\""));
            let (seconds, nanoseconds) = instant;
            let since = SignedDuration::new(i64::from(seconds) * 30, nanoseconds % 1_000_000_000);
            let instant = Timestamp::from_duration(since).unwrap();
            prop_assert_eq!(written(&instant), format!("\"{instant}\""));
            let uuid = Uuid::from_u128(uuid);
            prop_assert_eq!(written(&uuid), format!("\"{uuid}\""));
        }
    }
}
