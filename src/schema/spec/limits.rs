//! What a document and its variables may hold: each bound, its code and its words, and what is counted of those who pass it.
//!
//! What depends on the text alone is checked when a document is read, before anything recurses into it; `spec/collect.rs` counts
//! the fields of an operation, and `spec/cost.rs` says what they cost.

use std::collections::HashMap;

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::{self, Definition},
    executable::{Selection, SelectionSet},
};
use apollo_parser::{Lexer, TokenKind};
use async_graphql::{Pos, ServerError, Value as ConstValue, Variables};

use super::errors::refusal;
use crate::{config::DocumentLimits, schema::code};

/// Operations of a document times its selections: validation walks through the fragments anew for every operation.
const MAX_WALKED: usize = 100_000;

/// The fields of introspection that make an answer many times as long.
const INTROSPECTED_LISTS: [&str; 4] = ["fields", "inputFields", "interfaces", "possibleTypes"];

/// A bound that a request can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    DocumentBytes,
    Tokens,
    /// Of whatever stands within each other in the text: the parser's own bound.
    Nesting,
    Depth,
    IntrospectionDepth,
    Aliases,
    Directives,
    Operations,
    RootFields,
    Fields,
    /// Of variables, each wherever it is used.
    Values,
    VariablesBytes,
    VariablesDepth,
    Cost,
}

impl Limit {
    pub(super) const ALL: [Self; 14] = [
        Self::DocumentBytes,
        Self::Tokens,
        Self::Nesting,
        Self::Depth,
        Self::IntrospectionDepth,
        Self::Aliases,
        Self::Directives,
        Self::Operations,
        Self::RootFields,
        Self::Fields,
        Self::Values,
        Self::VariablesBytes,
        Self::VariablesDepth,
        Self::Cost,
    ];

    /// As the metrics call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DocumentBytes => "document_bytes",
            Self::Tokens => "tokens",
            Self::Nesting => "nesting",
            Self::Depth => "depth",
            Self::IntrospectionDepth => "introspection_depth",
            Self::Aliases => "aliases",
            Self::Directives => "directives",
            Self::Operations => "operations",
            Self::RootFields => "root_fields",
            Self::Fields => "fields",
            Self::Values => "values",
            Self::VariablesBytes => "variables_bytes",
            Self::VariablesDepth => "variables_depth",
            Self::Cost => "cost",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Nesting | Self::Depth | Self::IntrospectionDepth | Self::VariablesDepth => code::QUERY_TOO_DEEP,
            _ => code::QUERY_TOO_COMPLEX,
        }
    }
}

/// Why a request is not executed.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) errors: Vec<ServerError>,
    /// The bound that it passes, if that is why.
    pub(super) limit: Option<Limit>,
}

impl Refused {
    /// The request passes a bound; the words say what was found, what was expected and where that is set.
    pub(super) fn past(limit: Limit, message: impl Into<String>, at: Option<Pos>) -> Self {
        Self { errors: vec![refusal(limit.code(), message, at)], limit: Some(limit) }
    }
}

impl From<Vec<ServerError>> for Refused {
    fn from(errors: Vec<ServerError>) -> Self {
        Self { errors, limit: None }
    }
}

impl From<ServerError> for Refused {
    fn from(error: ServerError) -> Self {
        vec![error].into()
    }
}

/// Refuses a text that is too long, or holds too much, before it is parsed.
pub(super) fn check_text(text: &str, limits: &DocumentLimits) -> Result<(), Refused> {
    if text.len() > limits.bytes {
        let (found, most) = (text.len(), limits.bytes);
        let message =
            format!("The query has {found} bytes: expected at most {most}, the gateway's LIMITS_DOCUMENT_BYTES.");
        return Err(Refused::past(Limit::DocumentBytes, message, None));
    }
    // No more are looked at than it takes. What is no token counts as one.
    let most = limits.tokens;
    let passes = Lexer::new(text).filter(is_counted).nth(most).is_some();
    if passes {
        let message = format!(
            "The query has more than {most} names, signs and values: expected at most so many, the gateway's LIMITS_TOKENS. Ask in \
             several requests, and give values as variables."
        );
        return Err(Refused::past(Limit::Tokens, message, None));
    }
    Ok(())
}

fn is_counted(token: &Result<apollo_parser::Token<'_>, apollo_parser::Error>) -> bool {
    let is_ignored =
        |kind| matches!(kind, TokenKind::Whitespace | TokenKind::Comment | TokenKind::Comma | TokenKind::Eof);
    !token.as_ref().is_ok_and(|token| is_ignored(token.kind()))
}

/// What stands in a document, each thing once.
#[derive(Default)]
struct Counts {
    operations: usize,
    selections: usize,
    aliases: usize,
    directives: usize,
}

/// Refuses a document that was parsed and holds too much, before it is validated.
pub(super) fn check_parts(document: &ast::Document, limits: &DocumentLimits) -> Result<(), Refused> {
    let counts = Counts::of(document);
    let Counts { operations, selections, .. } = counts;
    if operations > 1 && operations.saturating_mul(selections) > MAX_WALKED {
        let message = format!(
            "The document has {operations} operations and {selections} selections: expected at most {MAX_WALKED} as their product."
        );
        return Err(Refused::past(Limit::Operations, message, None));
    }
    for (limit, found, most, what, key) in [
        (Limit::Aliases, counts.aliases, limits.aliases, "aliases", "LIMITS_ALIASES"),
        (Limit::Directives, counts.directives, limits.directives, "directives", "LIMITS_DIRECTIVES"),
    ] {
        if found > most {
            let message = format!("The query has {found} {what}: expected at most {most}, the gateway's {key}.");
            return Err(Refused::past(limit, message, None));
        }
    }
    Ok(())
}

impl Counts {
    fn of(document: &ast::Document) -> Self {
        let mut counts = Self::default();
        for definition in &document.definitions {
            match definition {
                Definition::OperationDefinition(operation) => {
                    counts.operations += 1;
                    counts.selections += operation.variables.len();
                    counts.directives += operation.directives.len();
                    counts.directives += operation.variables.iter().map(|one| one.directives.len()).sum::<usize>();
                    counts.add(&operation.selection_set);
                }
                Definition::FragmentDefinition(fragment) => {
                    counts.directives += fragment.directives.len();
                    counts.add(&fragment.selection_set);
                }
                _ => {}
            }
        }
        counts
    }

    /// Adds what stands at all levels; the parser bounds those.
    fn add(&mut self, set: &[ast::Selection]) {
        for selection in set {
            self.selections += 1;
            match selection {
                ast::Selection::Field(field) => {
                    self.directives += field.directives.len();
                    self.aliases += usize::from(field.alias.is_some());
                    self.add(field.selection_set.as_deref().unwrap_or_default());
                }
                ast::Selection::InlineFragment(fragment) => {
                    self.directives += fragment.directives.len();
                    self.add(&fragment.selection_set);
                }
                ast::Selection::FragmentSpread(spread) => self.directives += spread.directives.len(),
            }
        }
    }
}

/// Refuses a valid document that is too deep. Validation bounds how far its fragments lead.
pub(super) fn check_depth(document: &ExecutableDocument, limits: &DocumentLimits) -> Result<(), Refused> {
    let mut depths = Depths { document, known: HashMap::new() };
    let deepest = document.operations.iter().map(|operation| depths.of(&operation.selection_set));
    let Levels { fields, lists } = deepest.fold(Levels::default(), Levels::or);
    if fields > limits.depth {
        let most = limits.depth;
        let message = format!(
            "The query has {fields} levels of fields: expected at most {most}, the gateway's LIMITS_DEPTH. Ask for what lies \
             deeper by its ids."
        );
        return Err(Refused::past(Limit::Depth, message, None));
    }
    if lists > limits.introspection_depth {
        let most = limits.introspection_depth;
        let message = format!(
            "The introspection has {lists} of {} within each other: expected at most {most}, the gateway's \
             LIMITS_INTROSPECTION_DEPTH.",
            INTROSPECTED_LISTS.map(|name| format!("`{name}`")).join(", "),
        );
        return Err(Refused::past(Limit::IntrospectionDepth, message, None));
    }
    Ok(())
}

/// How deep selections are.
#[derive(Clone, Copy, Default)]
struct Levels {
    fields: usize,
    /// Of [`INTROSPECTED_LISTS`].
    lists: usize,
}

impl Levels {
    fn or(self, other: Self) -> Self {
        Self { fields: self.fields.max(other.fields), lists: self.lists.max(other.lists) }
    }
}

struct Depths<'a> {
    document: &'a ExecutableDocument,
    /// Of fragments: none is looked at twice.
    known: HashMap<&'a Name, Levels>,
}

impl<'a> Depths<'a> {
    fn of(&mut self, set: &'a SelectionSet) -> Levels {
        let is_introspected = set.ty.starts_with("__");
        let mut deepest = Levels::default();
        for selection in &set.selections {
            deepest = deepest.or(match selection {
                Selection::Field(field) => {
                    let below = field.selection_set.as_ref().map(|set| self.of(set)).unwrap_or_default();
                    let is_list = is_introspected && INTROSPECTED_LISTS.contains(&field.name.as_str());
                    Levels { fields: below.fields + 1, lists: below.lists + usize::from(is_list) }
                }
                Selection::InlineFragment(fragment) => self.of(&fragment.selection_set),
                Selection::FragmentSpread(spread) => self.of_fragment(&spread.fragment_name),
            });
        }
        deepest
    }

    fn of_fragment(&mut self, name: &Name) -> Levels {
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else { return Levels::default() };
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let levels = self.of(&fragment.selection_set);
        self.known.insert(name, levels);
        levels
    }
}

/// Refuses variables that hold too much, before they are looked at otherwise.
pub(super) fn check_variables(variables: &Variables, limits: &DocumentLimits) -> Result<(), Refused> {
    let (most_bytes, most_levels) = (limits.variables_bytes, limits.variables_depth);
    // `{}`, and of each a name in quotes, a colon and a comma, which the last has not.
    let mut bytes = if variables.is_empty() { 2 } else { 1 };
    for (name, value) in variables.iter() {
        let Some(of_value) = bytes_of(value, most_levels) else {
            let message = format!(
                "The variables have lists and objects in more than {most_levels} levels: expected at most so many, the gateway's \
                 LIMITS_VARIABLES_DEPTH."
            );
            return Err(Refused::past(Limit::VariablesDepth, message, None));
        };
        bytes += name.len() + 4 + of_value;
    }
    if bytes > most_bytes {
        let message = format!(
            "The variables have {bytes} bytes: expected at most {most_bytes}, the gateway's LIMITS_VARIABLES_BYTES."
        );
        return Err(Refused::past(Limit::VariablesBytes, message, None));
    }
    Ok(())
}

/// The length of a value as JSON without blanks, escapes counted as what they stand for. `None`: it has more levels than these.
fn bytes_of(value: &ConstValue, levels: usize) -> Option<usize> {
    // Brackets, and a comma behind each item but the last.
    let around = |items: usize| items.max(1) + 1;
    Some(match value {
        ConstValue::Null => 4,
        ConstValue::Boolean(value) => {
            if *value {
                4
            } else {
                5
            }
        }
        ConstValue::Number(number) => number.to_string().len(),
        ConstValue::String(text) => text.len() + 2,
        ConstValue::Enum(name) => name.len() + 2,
        ConstValue::Binary(bytes) => bytes.len(),
        ConstValue::List(items) => {
            let levels = levels.checked_sub(1)?;
            let mut bytes = around(items.len());
            for item in items {
                bytes += bytes_of(item, levels)?;
            }
            bytes
        }
        ConstValue::Object(fields) => {
            let levels = levels.checked_sub(1)?;
            let mut bytes = around(fields.len());
            for (name, value) in fields {
                bytes += name.len() + 3 + bytes_of(value, levels)?;
            }
            bytes
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_as_long_as_they_are_written() {
        for value in [
            json!({}),
            json!({"a": 1}),
            json!({"ids": ["x", "yy", ""], "first": 12.5, "empty": [], "none": {}}),
            json!({"by": {"id": null, "deep": [[true], [false, {"a": -3, "b": "é"}]]}}),
        ] {
            let variables = Variables::from_json(value.clone());
            let object =
                ConstValue::Object(variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
            assert_eq!(bytes_of(&object, 9), Some(value.to_string().len()), "{value}");
            let length = value.to_string().len();
            let limits = |variables_bytes| DocumentLimits { variables_bytes, ..limits() };
            assert!(check_variables(&variables, &limits(length)).is_ok(), "{value}");
            assert!(check_variables(&variables, &limits(length - 1)).is_err(), "{value}");
        }
    }

    fn limits() -> DocumentLimits {
        crate::config::Config::from_variables([("BRAINSTEM_PORTAL", "public")]).unwrap().limits.documents
    }

    #[test]
    fn what_is_ignored_is_no_token() {
        let limits = |tokens| DocumentLimits { tokens, ..limits() };
        // Names, brackets, a text, a number and a sign that is none.
        let text = "# one\n{ a,, b(c: \"d e\", f: 1) @x } ?";
        assert!(check_text(text, &limits(15)).is_ok());
        assert!(check_text(text, &limits(14)).is_err());
    }
}
