//! `CoerceVariableValues` (section 6.1.2): what was given for the variables is checked against their types before
//! anything runs. An error names the variable, the path within it and what was expected; each thing that is wrong is told.
//!
//! Only shapes are looked at. What a custom scalar such as `Date` takes is for its own parser to say, and whether a name is
//! too long for whom it is written to.

use std::fmt::Write as _;

use apollo_compiler::{
    Name,
    ast::{Type, VariableDefinition},
    executable::Operation,
    schema::{EnumType, ExtendedType, InputObjectType},
};
use async_graphql::{Number, Pos, ServerError, Value as ConstValue, Variables};

use super::{
    Specification,
    errors::{MAX_ERRORS, refusal},
    positions::Positions,
    values::constant,
};
use crate::schema::code;

/// Characters of a value that are quoted.
const MAX_QUOTED: usize = 40;
/// Names that are listed where one of them was expected.
const MAX_LISTED: usize = 20;

/// Values that are being read.
pub(super) struct Reading<'a> {
    specification: &'a Specification,
    /// In a document a text is no enum's value; in JSON it is.
    in_document: bool,
    /// Where the value stands, or its variable is declared.
    pub(super) at: Pos,
    /// `$filter.sources[1]`
    pub(super) path: String,
    pub(super) wrong: Vec<ServerError>,
}

impl Specification {
    /// The values of the operation's variables, with defaults in place of what was not given. Others are dropped.
    pub(super) fn coerce_variables(
        &self,
        operation: &Operation,
        mut given: Variables,
        positions: &Positions,
    ) -> Result<Variables, Vec<ServerError>> {
        let mut coerced = Variables::default();
        let mut reading = Reading::new(self, false);
        for variable in &operation.variables {
            reading.path = format!("${}", variable.name);
            reading.at = positions.of_span(variable.location());
            let value = given.remove(variable.name.as_str());
            if let Some(value) = reading.variable(variable, value) {
                coerced.insert(async_graphql::Name::new(&variable.name), value);
            }
        }
        if reading.wrong.is_empty() { Ok(coerced) } else { Err(reading.wrong) }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(specification: &'a Specification, in_document: bool) -> Self {
        Self { specification, in_document, at: Pos::default(), path: String::new(), wrong: Vec::new() }
    }

    /// `None`: it has no value, which is not the same as null.
    fn variable(&mut self, variable: &VariableDefinition, given: Option<ConstValue>) -> Option<ConstValue> {
        match (given, &variable.default_value) {
            (None, Some(default)) => constant(default),
            (None | Some(ConstValue::Null), _) if variable.ty.is_non_null() => {
                self.refuse(&format!("has no value: expected one of type `{}` in `variables`", variable.ty));
                None
            }
            (value, _) => value.map(|value| self.value(value, &variable.ty)),
        }
    }

    /// The value as its type takes it. One that it can't take is noted and comes back in any shape.
    pub(super) fn value(&mut self, value: ConstValue, ty: &Type) -> ConstValue {
        if self.wrong.len() >= MAX_ERRORS {
            return value;
        }
        match (value, ty) {
            // Any value, of the right type.
            (value @ ConstValue::Binary(_), _) => value,
            (ConstValue::Null, _) => {
                if ty.is_non_null() {
                    self.refuse(&format!("is null: expected a value of type `{ty}`"));
                }
                ConstValue::Null
            }
            (ConstValue::List(items), Type::List(item) | Type::NonNullList(item)) => {
                let items = items.into_iter().enumerate();
                ConstValue::List(items.map(|(at, value)| self.within(&format!("[{at}]"), value, item)).collect())
            }
            // One value stands for a list of it.
            (value, Type::List(item) | Type::NonNullList(item)) => ConstValue::List(vec![self.value(value, item)]),
            (value, Type::Named(name) | Type::NonNullNamed(name)) => self.named(value, name),
        }
    }

    fn within(&mut self, step: &str, value: ConstValue, ty: &Type) -> ConstValue {
        let length = self.path.len();
        self.path.push_str(step);
        let value = self.value(value, ty);
        self.path.truncate(length);
        value
    }

    fn named(&mut self, value: ConstValue, name: &Name) -> ConstValue {
        match self.specification.schema.types.get(name) {
            Some(ExtendedType::Enum(ty)) => self.enum_value(value, ty),
            Some(ExtendedType::InputObject(ty)) => self.input_object(value, ty),
            _ => self.scalar(value, name),
        }
    }

    fn scalar(&mut self, value: ConstValue, name: &str) -> ConstValue {
        match (name, value) {
            ("Int", ConstValue::Number(number)) => {
                if let Some(number) = whole(&number) {
                    return ConstValue::from(number);
                }
                let range = format!("a whole number from {} to {}", i32::MIN, i32::MAX);
                self.mismatch(ConstValue::Number(number), "Int", &range)
            }
            ("ID", ConstValue::Number(number)) if !number.is_f64() => ConstValue::String(number.to_string()),
            ("Float", value @ ConstValue::Number(_))
            | ("String" | "ID", value @ ConstValue::String(_))
            | ("Boolean", value @ ConstValue::Boolean(_)) => value,
            ("Int", value) => self.mismatch(value, name, "a whole number"),
            ("Float", value) => self.mismatch(value, name, "a number"),
            ("ID", value) => self.mismatch(value, name, "a text or a whole number"),
            ("String", value) => self.mismatch(value, name, "a text"),
            ("Boolean", value) => self.mismatch(value, name, "true or false"),
            (_, value) => value,
        }
    }

    fn enum_value(&mut self, value: ConstValue, ty: &EnumType) -> ConstValue {
        let is_one = match &value {
            ConstValue::String(name) => !self.in_document && ty.values.contains_key(name.as_str()),
            ConstValue::Enum(name) => ty.values.contains_key(name.as_str()),
            _ => false,
        };
        if is_one {
            return value;
        }
        let expected = format!("one of {}", listed(ty.values.keys()));
        self.mismatch(value, &ty.name, &expected)
    }

    fn input_object(&mut self, value: ConstValue, ty: &InputObjectType) -> ConstValue {
        let ConstValue::Object(mut fields) = value else {
            let expected = format!("an object with {}", listed(ty.fields.keys()));
            return self.mismatch(value, &ty.name, &expected);
        };
        for unknown in fields.keys().filter(|name| !ty.fields.contains_key(name.as_str())) {
            let expected = listed(ty.fields.keys());
            let unknown = word(unknown).map_or("a field".to_owned(), |name| format!("`{name}`"));
            self.refuse(&format!("has {unknown}, which `{}` has not: expected {expected}", ty.name));
        }
        if ty.is_one_of() && (fields.len() != 1 || fields.values().any(|value| *value == ConstValue::Null)) {
            let expected = listed(ty.fields.keys());
            self.refuse(&format!("has not exactly one field with a value: expected one of {expected} (`{}`)", ty.name));
            return ConstValue::Object(fields);
        }
        for (name, field) in &ty.fields {
            match fields.get_mut(name.as_str()) {
                Some(value) => *value = self.within(&format!(".{name}"), std::mem::take(value), &field.ty),
                None if field.is_required() => {
                    self.refuse(&format!("has no `{name}`: expected one of type `{}`", field.ty));
                }
                None => {}
            }
        }
        ConstValue::Object(fields)
    }

    fn is_enum(&self, ty: &str) -> bool {
        matches!(self.specification.schema.types.get(ty), Some(ExtendedType::Enum(_)))
    }

    fn mismatch(&mut self, value: ConstValue, ty: &str, expected: &str) -> ConstValue {
        let got = match &value {
            ConstValue::Number(number) => format!("the number {number}"),
            ConstValue::String(text) if self.is_enum(ty) => {
                word(text).map_or("a text".to_owned(), |name| format!("the text \"{name}\""))
            }
            // Nobody says of people in a number or a word of GraphQL what must not be told.
            ConstValue::String(_) => "a text".to_owned(),
            ConstValue::Enum(name) => format!("the name {}", quoted(name)),
            ConstValue::Boolean(value) => value.to_string(),
            ConstValue::List(_) => "a list".to_owned(),
            ConstValue::Object(_) => "an object".to_owned(),
            ConstValue::Null | ConstValue::Binary(_) => "something else".to_owned(),
        };
        self.refuse(&format!("can't be {got}: expected {expected} (`{ty}`)"));
        value
    }

    fn refuse(&mut self, what: &str) {
        if self.wrong.len() < MAX_ERRORS {
            self.wrong.push(refusal(code::BAD_USER_INPUT, format!("`{}` {what}.", self.path), Some(self.at)));
        }
    }
}

/// JSON does not tell `5.0` from `5`.
#[expect(clippy::cast_possible_truncation, reason = "it is within the limits and whole")]
fn whole(number: &Number) -> Option<i32> {
    match number.as_i64() {
        Some(number) => i32::try_from(number).ok(),
        None => number
            .as_f64()
            .filter(|number| number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(number))
            .map(|number| number as i32),
    }
}

/// A text that may be a misspelt name of the schema's. Any other is content, which has no place in a message.
fn word(text: &str) -> Option<String> {
    Name::new(text).ok().map(|_| quoted(text))
}

/// The beginning of a text of any length.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

fn listed<'a>(names: impl Iterator<Item = &'a Name>) -> String {
    let mut list = String::new();
    for (at, name) in names.enumerate() {
        if at == MAX_LISTED {
            list.push_str(" or others");
            break;
        }
        let _ = write!(list, "{}{name}", if at == 0 { "" } else { ", " });
    }
    list
}
