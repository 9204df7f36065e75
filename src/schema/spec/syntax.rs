//! What apollo-compiler's parser lets pass and the specification does not.

use std::collections::HashSet;

use apollo_compiler::ast::{self, Definition, Value};
use apollo_parser::{Lexer, Token, TokenKind};
use async_graphql::ServerError;

use super::{errors::refusal, positions::Positions};
use crate::schema::code;

/// What a bracket that is still open holds.
enum Open<'a> {
    Selections,
    Variables,
    /// Names with values; those of an object so far.
    Fields(HashSet<&'a str>),
    Values,
}

/// Looks for selections of nothing, for arguments and input fields without a colon, and for input fields given twice. The
/// document was parsed before: its brackets match.
pub(super) fn check(query: &str) -> Result<(), Vec<ServerError>> {
    let matters = |token: &Token<'_>| {
        !matches!(token.kind(), TokenKind::Whitespace | TokenKind::Comment | TokenKind::Comma | TokenKind::Eof)
    };
    let mut tokens = Lexer::new(query).filter_map(Result::ok).filter(matters).peekable();
    let mut open = Vec::new();
    // Whether a name may follow that needs a colon behind it.
    let mut at_field = false;
    while let Some(token) = tokens.next() {
        let next = tokens.peek();
        let followed_by = |kind| next.is_some_and(|next| next.kind() == kind);
        let is_value = matches!(open.last(), Some(Open::Fields(_) | Open::Values | Open::Variables));
        match token.kind() {
            TokenKind::LCurly if is_value => open.push(Open::Fields(HashSet::new())),
            TokenKind::LCurly if followed_by(TokenKind::RCurly) => {
                return Err(syntax_error(query, token.index(), "expected at least one selection, got }"));
            }
            TokenKind::LCurly => open.push(Open::Selections),
            TokenKind::LParen if followed_by(TokenKind::Dollar) || followed_by(TokenKind::StringValue) => {
                open.push(Open::Variables);
            }
            TokenKind::LParen => open.push(Open::Fields(HashSet::new())),
            TokenKind::LBracket => open.push(Open::Values),
            TokenKind::RCurly | TokenKind::RParen | TokenKind::RBracket => {
                open.pop();
            }
            TokenKind::Name if at_field && !followed_by(TokenKind::Colon) => {
                return Err(syntax_error(query, token.index(), &format!("expected : after {}", token.data())));
            }
            TokenKind::Name if at_field => {
                if let Some(Open::Fields(names)) = open.last_mut()
                    && !names.insert(token.data())
                {
                    let message = format!("`{}` is given twice: expected each name once.", token.data());
                    let at = Positions::of(query).at(token.index());
                    return Err(vec![refusal(code::GRAPHQL_VALIDATION_FAILED, message, Some(at))]);
                }
            }
            _ => {}
        }
        // Behind an opening bracket and behind a value, which ends with anything but a colon or a dollar.
        let is_before_value =
            matches!(token.kind(), TokenKind::Colon | TokenKind::Dollar) || at_field && token.kind() == TokenKind::Name;
        at_field = matches!(open.last(), Some(Open::Fields(_))) && !is_before_value;
    }
    Ok(())
}

fn syntax_error(query: &str, at: usize, what: &str) -> Vec<ServerError> {
    let at = Positions::of(query).at(at);
    vec![refusal(code::GRAPHQL_PARSE_FAILED, format!("Syntax error: {what}."), Some(at))]
}

/// A default value of null does not make a variable fit where null does not (section 5.8.5), so it is validated without.
/// It then has no value where none is given, which differs from null only where a default value of the schema stands in.
pub(super) fn drop_null_defaults(document: &mut ast::Document) {
    let is_null = |variable: &ast::VariableDefinition| {
        variable.default_value.as_ref().is_some_and(|value| matches!(**value, Value::Null))
            && !variable.ty.is_non_null()
    };
    for definition in &mut document.definitions {
        if let Definition::OperationDefinition(operation) = definition
            && operation.variables.iter().any(|variable| is_null(variable))
        {
            for variable in operation.make_mut().variables.iter_mut().filter(|variable| is_null(variable)) {
                variable.make_mut().default_value = None;
            }
        }
    }
}
