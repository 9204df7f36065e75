//! From an input to a body: field by field by a table, with all that is wrong at once.

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::{
    Source,
    write::{Change, FieldError, FieldErrorCode, Purpose},
};

/// One field of an input `I`, for a server of kind `S`.
pub(in crate::sources) struct Field<I: 'static, S: 'static> {
    /// Its name in the input.
    pub(in crate::sources) input: &'static str,
    /// What a client is told to give, behind "expected".
    pub(in crate::sources) expected: &'static str,
    pub(in crate::sources) clear: Clear,
    /// Its value for the server, or what is wrong with it.
    pub(in crate::sources) read: fn(&I, S) -> Change<Checked>,
}

pub(in crate::sources) type Checked = Result<Value, Vec<Wrong>>;

/// What null does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources) enum Clear {
    /// It is refused: the field is required, also on creation.
    Required,
    /// It is refused: the server has no way to clear the field.
    Never,
    Null,
    EmptyText,
    EmptyList,
    EmptyObject,
}

impl Clear {
    fn value(self) -> Option<Value> {
        match self {
            Self::Required | Self::Never => None,
            Self::Null => Some(Value::Null),
            Self::EmptyText => Some(json!("")),
            Self::EmptyList => Some(json!([])),
            Self::EmptyObject => Some(json!({})),
        }
    }
}

/// What is wrong with a value, or with one part of it.
#[derive(Debug)]
pub(in crate::sources) struct Wrong {
    code: FieldErrorCode,
    part: Option<String>,
}

impl Wrong {
    pub(in crate::sources) fn whole(code: FieldErrorCode) -> Vec<Self> {
        vec![Self { code, part: None }]
    }

    pub(in crate::sources) fn part(part: &impl ToString, code: FieldErrorCode) -> Self {
        Self { code, part: Some(part.to_string()) }
    }
}

/// Fills a body. `name` gives a field's name on the server; `None`: the server has no such field.
pub(in crate::sources) fn fill<'a, I: 'static, S: Copy + 'static>(
    of: Source,
    fields: impl IntoIterator<Item = (&'a Field<I, S>, Option<&'static str>)>,
    input: &I,
    server: S,
    purpose: Purpose,
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut body = Map::new();
    let mut errors = Vec::new();
    for (field, name) in fields {
        let change = (field.read)(input, server);
        let Some(name) = name else {
            if !change.is_left() {
                let message =
                    format!("This {} server has no `{}`: expected it to be left out.", of.title(), field.input);
                errors.push(FieldError::of(field.input, FieldErrorCode::NotSupported, message));
            }
            continue;
        };
        match (change, field.clear.value()) {
            (Change::Leave, _) if purpose == Purpose::Create && field.clear == Clear::Required => {
                errors.push(field.error(FieldErrorCode::Required));
            }
            (Change::Leave, _) => {}
            (Change::Clear, Some(cleared)) => _ = body.insert(name.to_owned(), cleared),
            (Change::Clear, None) if field.clear == Clear::Required => {
                errors.push(field.error(FieldErrorCode::Required));
            }
            (Change::Clear, None) => {
                let message =
                    format!("`{}` can't be cleared in {}: expected {}.", field.input, of.title(), field.expected);
                errors.push(FieldError::of(field.input, FieldErrorCode::NotSupported, message));
            }
            (Change::To(Ok(value)), _) => _ = body.insert(name.to_owned(), value),
            (Change::To(Err(wrong)), _) => errors.extend(wrong.into_iter().map(|wrong| field.error_at(wrong))),
        }
    }
    if errors.is_empty() { Ok(body) } else { Err(errors) }
}

impl<I, S> Field<I, S> {
    fn error(&self, code: FieldErrorCode) -> FieldError {
        FieldError::of(self.input, code, message(self.input, code, self.expected))
    }

    fn error_at(&self, wrong: Wrong) -> FieldError {
        let Some(part) = wrong.part else {
            return self.error(wrong.code);
        };
        let message = message(&format!("{}.{part}", self.input), wrong.code, self.expected);
        FieldError::within(self.input, part, wrong.code, message)
    }
}

/// What is wrong with a field, in words for the client.
pub(in crate::sources) fn message(field: &str, code: FieldErrorCode, expected: &str) -> String {
    let what = match code {
        FieldErrorCode::Required => "is required",
        FieldErrorCode::TooLong => "is too long",
        FieldErrorCode::Invalid => "is not valid",
        FieldErrorCode::NotUnique => "is taken",
        FieldErrorCode::NotFound => "names what is not there, or may not be seen",
        FieldErrorCode::NotSupported => "can't be that",
    };
    format!("`{field}` {what}: expected {expected}.")
}

/// A text of at most so many characters, counted as the servers do, who trim it.
pub(in crate::sources) fn text(text: &str, most: usize) -> Checked {
    if text.trim().chars().count() > most {
        return Err(Wrong::whole(FieldErrorCode::TooLong));
    }
    Ok(json!(text))
}

/// A text that must not be blank.
pub(in crate::sources) fn name(name: &str, most: usize) -> Checked {
    if name.trim().is_empty() {
        return Err(Wrong::whole(FieldErrorCode::Required));
    }
    text(name, most)
}

pub(in crate::sources) fn day(day: Date) -> Value {
    json!(day.to_string())
}

pub(in crate::sources) fn id(id: Uuid) -> Value {
    json!(id.to_string())
}

pub(in crate::sources) fn ids(ids: impl IntoIterator<Item = Uuid>) -> Value {
    ids.into_iter().map(id).collect()
}
