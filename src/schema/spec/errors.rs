//! How request errors are told.

use std::collections::HashSet;

use apollo_compiler::{
    Name,
    diagnostic::Diagnostic,
    schema::ExtendedType,
    validation::{DiagnosticData, DiagnosticList},
};
use async_graphql::{Pos, ServerError};

use super::{
    MAX_NESTING, Specification,
    limits::{Limit, Refused},
};
use crate::schema::{code, execution::coded};

/// Errors in one answer: more help nobody.
pub(super) const MAX_ERRORS: usize = 50;
/// Characters of a message: what is wrong may be quoted in it, and be of any length.
const MAX_MESSAGE: usize = 300;

/// How like a name must be to be taken for a slip of it, from 0 to 1.
const NEAR: f64 = 0.8;

/// apollo-compiler's names of signs.
const SIGNS: [(&str, &str); 7] = [
    ("L_CURLY", "{"),
    ("R_CURLY", "}"),
    ("L_PAREN", "("),
    ("R_PAREN", ")"),
    ("L_BRACK", "["),
    ("R_BRACK", "]"),
    ("EOF", "the end"),
];

/// The names by which apollo-compiler tells that a literal is not of the type of its place.
const ABOUT_VALUES: [&str; 7] = [
    "UnsupportedValueType",
    "IntCoercionError",
    "FloatCoercionError",
    "UndefinedEnumValue",
    "UndefinedInputValue",
    "OneOfInputObjectFieldCount",
    "RequiredField",
];

pub(super) fn refusal(code: &'static str, message: impl Into<String>, at: Option<Pos>) -> ServerError {
    coded(ServerError::new(message, at), code)
}

/// What is wrong with a document's syntax. Only the first is told: the rest follows from it.
pub(super) fn of_syntax(errors: &DiagnosticList) -> Refused {
    let Some(diagnostic) = errors.iter().next() else { return Vec::new().into() };
    let message = diagnostic.error.to_string();
    if message.contains("recursion limit") {
        let message =
            format!("The query has too many levels of selections and values: expected at most {MAX_NESTING}.");
        return Refused::past(Limit::Nesting, message, place(&diagnostic));
    }
    let signs = SIGNS.iter().fold(message, |message, (name, sign)| message.replace(name, sign));
    refusal(code::GRAPHQL_PARSE_FAILED, sentence(&signs), place(&diagnostic)).into()
}

/// What is wrong with a document that can be read, each thing once. What is wrong with its values, `values` tells better,
/// if it can.
pub(super) fn of_validation(
    specification: &Specification,
    errors: &DiagnosticList,
    values: impl FnOnce() -> Vec<ServerError>,
) -> Refused {
    let mut told = HashSet::new();
    let mut about_values = Vec::new();
    let mut wrong = Vec::new();
    let mut limit = None;
    for diagnostic in errors.iter() {
        let (at, message) = (place(&diagnostic), diagnostic.error.to_string());
        let is_enough = wrong.len() + about_values.len() == MAX_ERRORS;
        if is_enough || !told.insert((message.clone(), at.map(|at| (at.line, at.column)))) {
            continue;
        }
        let error = |code| refusal(code, sentence(&message), at);
        match diagnostic.error.unstable_error_name() {
            Some(name) if ABOUT_VALUES.contains(&name) => about_values.push(error(code::BAD_USER_INPUT)),
            Some("RequiredArgument") => about_values.push(error(code::GRAPHQL_VALIDATION_FAILED)),
            Some("RecursionLimitError" | "RecursionError") => {
                limit = Some(Limit::Nesting);
                wrong.push(error(code::QUERY_TOO_DEEP));
            }
            Some("UndefinedField") => {
                let hint = meant(specification, &message).map(|name| format!(" Did you mean `{name}`?"));
                let message = sentence(&message) + &hint.unwrap_or_default();
                wrong.push(refusal(code::GRAPHQL_VALIDATION_FAILED, message, at));
            }
            _ => wrong.push(error(code::GRAPHQL_VALIDATION_FAILED)),
        }
    }
    if !about_values.is_empty() {
        let values = values();
        wrong.extend(if values.is_empty() { about_values } else { values });
    }
    Refused { errors: wrong, limit }
}

fn place(diagnostic: &Diagnostic<'_, DiagnosticData>) -> Option<Pos> {
    diagnostic.line_column_range().map(|range| Pos { line: range.start.line, column: range.start.column })
}

/// The field whose name is nearest to one that a type has not; the message quotes the type and the name.
fn meant<'a>(specification: &'a Specification, message: &str) -> Option<&'a Name> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (ty, name) = (quoted.next()?, quoted.next()?);
    let fields = match specification.schema.types.get(ty)? {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(interface) => &interface.fields,
        _ => return None,
    };
    let near = |field: &'a Name| (strsim::jaro_winkler(field, name), field);
    let nearest = fields.keys().map(near).filter(|(nearness, _)| *nearness > NEAR);
    nearest.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, field)| field)
}

/// apollo-compiler begins in lower case.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let text: String = first.into_iter().chain(letters).take(MAX_MESSAGE).collect();
    let end = if message.chars().count() > MAX_MESSAGE { "…" } else { "." };
    format!("{}{end}", text.trim_end_matches('.'))
}
