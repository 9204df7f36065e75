//! What the GraphQL specification (September 2025) asks of a request before it runs, and where async-graphql 8.0.0-rc.5
//! departs from it. Knows no resolver and no transport.
//!
//! A request is parsed and validated by apollo-compiler against the schema that async-graphql prints; its variables are
//! coerced, and what is selected is collected, here; only then async-graphql executes it, without rules of its own
//! (`ValidationMode::Fast`). Valid documents are kept, so that most requests are neither parsed nor validated.
//!
//! Cured this way, each with a test in `tests/it/spec`:
//!
//! - *Syntax* (section 2). async-graphql's parser refuses `\u{1F600}` and surrogate pairs, blanks within types (`[ ID! ]`),
//!   directives behind a variable's default value, and descriptions on operations; it accepts `query () {…}`, `[00]` and a
//!   directive before a default value.
//! - *Validation* (section 5). async-graphql does not notice fields that can't be merged once they stand in different
//!   fragments or below a field, accepts a text for an enum, an input field given twice, and a nullable
//!   variable for a field of a `@oneOf` input, refuses `query($all: Boolean!) { __typename @include(if: $all) }`,
//!   and says some things several times.
//! - *Variables* (section 6.1.2). async-graphql looks at them where they are used, while it executes: a wrong one nulls
//!   what is around it. Here the request is refused first: `spec/variables.rs`.
//! - *`CollectFields`* (section 6.3.2). async-graphql resolves a field once for each place where it stands, and takes an
//!   `if` that can't be read for false: `spec/collect.rs`.
//! - *Introspection that is off*. async-graphql answers null: `spec/collect.rs` refuses.
//!
//! What apollo-compiler 2.0.0-beta.2 gets wrong in turn, cured in `spec/syntax.rs`: it takes an argument or input field
//! without a colon (`first 5`) and drops it, takes a selection of nothing (`{ sources {} }`, which is of the specification of 2026),
//! does not notice an input field given twice, and takes a variable whose default value is null for one that has one.
//!
//! Departures that stay:
//!
//! - A variable that may be null, and is, where its default value made it fit a place that takes no null, fails the
//!   request and not only that field.
//! - The `locations` of an error in a field that stands in several places have the first of them.
//! - Introspection tells null and no empty list for the interfaces of an interface, and has `Float`, which nothing here is
//!   of. It is async-graphql's own.
//! - A subscription's field may stand at the root once, not twice under one name.
//! - A custom scalar that can't be read fails the field it was given to, by name, and not the request: dates are content.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use anyhow::anyhow;
use apollo_compiler::{
    ExecutableDocument, Name, Schema, ast, executable::Operation, parser::Parser, schema::ExtendedType,
    validation::Valid,
};
use async_graphql::{Request, ServerError, parser::types::OperationType};
use moka::sync::Cache;

use super::code;
use errors::refusal;
use positions::Positions;

mod collect;
mod errors;
mod literals;
mod positions;
mod syntax;
mod values;
mod variables;

/// Levels of nesting, of selections and of values, that are parsed. async-graphql executes fewer.
const MAX_NESTING: usize = 128;
/// Operations of a document times its selections.
const MAX_WALKED: usize = 100_000;
/// Bytes of all documents that are kept, as text. What is made of a text takes some twenty times as much.
const MAX_KEPT: u64 = 1024 * 1024;
/// Bytes of the longest document that is kept.
const LONGEST_KEPT: usize = 32 * 1024;

/// The rules for requests: the schema as the specification sees it. Built once.
pub struct Specification {
    schema: Valid<Schema>,
    /// Every type that has fields or members, with the object types that it can be.
    possible: HashMap<Name, HashSet<Name>>,
    introspection: bool,
    /// Valid documents by their text: clients send the same ones again and again, and reading one takes longer than all
    /// that is left to do here.
    documents: Cache<String, Arc<Document>>,
}

/// A document that was validated.
struct Document {
    executable: Valid<ExecutableDocument>,
    positions: Positions,
}

impl Specification {
    /// Reads the schema's SDL. An error says what is wrong with it.
    pub fn new(sdl: &str, introspection: bool) -> anyhow::Result<Self> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|invalid| anyhow!("the schema breaks the specification: {}", invalid.errors))?;
        let possible = possible_types(&schema);
        let documents = Cache::builder().weigher(|text: &String, _| u32::try_from(text.len()).unwrap_or(u32::MAX));
        Ok(Self { schema, possible, introspection, documents: documents.max_capacity(MAX_KEPT).build() })
    }

    /// Makes a request ready to be executed: parsed, valid, its variables coerced, nothing in it but what is to be
    /// executed. The errors are request errors: the answer has no `data`.
    pub(super) fn prepare(&self, mut request: Request) -> Result<(OperationType, Request), Vec<ServerError>> {
        let document = match self.documents.get(&request.query) {
            Some(document) => document,
            None => self.read(&request.query)?,
        };
        let Document { executable, positions } = &*document;
        let operation = selected(executable, request.operation_name.as_deref())?;
        request.variables = self.coerce_variables(operation, request.variables, positions)?;
        let collected = self.collect(executable, operation, &request.variables, positions)?;
        // It is the only one that is left.
        request.operation_name = None;
        request.set_parsed_query(collected);
        Ok((collect::operation_type(operation), request))
    }

    /// The first thing that is wrong with a document, be it syntax or that it does not fit the schema; `None`: it is sound.
    pub fn first_error(&self, document: &str) -> Option<String> {
        self.read(document).err()?.into_iter().next().map(|error| error.message)
    }

    /// Parses and validates a document, and keeps it where it is valid and of usual length.
    fn read(&self, query: &str) -> Result<Arc<Document>, Vec<ServerError>> {
        let mut document = parse(query)?;
        syntax::drop_null_defaults(&mut document);
        let positions = Positions::of(query);
        let executable = document.to_executable_validate(&self.schema).map_err(|wrong| {
            errors::of_validation(self, &wrong.errors, || self.wrong_values(&wrong.partial, &positions))
        })?;
        let document = Arc::new(Document { executable, positions });
        if query.len() <= LONGEST_KEPT {
            self.documents.insert(query.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }
}

/// Why a text is no GraphQL document; `None`: it is one.
pub fn syntax_error(text: &str) -> Option<String> {
    parse(text).err()?.into_iter().next().map(|error| error.message)
}

fn parse(query: &str) -> Result<ast::Document, Vec<ServerError>> {
    let parsed = Parser::new().recursion_limit(MAX_NESTING).parse_ast(query, "request");
    let document = parsed.map_err(|wrong| errors::of_syntax(&wrong.errors))?;
    syntax::check(query)?;
    check_operations(&document)?;
    Ok(document)
}

/// The validation walks through the fragments anew for every operation.
fn check_operations(document: &ast::Document) -> Result<(), Vec<ServerError>> {
    let (mut operations, mut parts) = (0_usize, 0_usize);
    for definition in &document.definitions {
        parts += match definition {
            ast::Definition::OperationDefinition(operation) => {
                operations += 1;
                selections(&operation.selection_set) + operation.variables.len()
            }
            ast::Definition::FragmentDefinition(fragment) => selections(&fragment.selection_set),
            _ => 0,
        };
    }
    if operations > 1 && operations.saturating_mul(parts) > MAX_WALKED {
        let message = format!(
            "The document has {operations} operations and {parts} selections: expected at most {MAX_WALKED} as their product."
        );
        return Err(vec![refusal(code::QUERY_TOO_COMPLEX, message, None)]);
    }
    Ok(())
}

/// How many there are, at all levels; the parser bounds those.
fn selections(set: &[ast::Selection]) -> usize {
    let within = |selection: &ast::Selection| match selection {
        ast::Selection::Field(field) => selections(field.selection_set.as_deref().unwrap_or_default()),
        ast::Selection::InlineFragment(fragment) => selections(&fragment.selection_set),
        ast::Selection::FragmentSpread(_) => 0,
    };
    set.iter().map(|selection| 1 + within(selection)).sum()
}

/// The operation that is to run.
fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Result<&'a Operation, Vec<ServerError>> {
    let operations = &document.operations;
    let found = match name {
        Some(name) => operations.named.get(name),
        None if operations.len() == 1 => operations.iter().next(),
        None => None,
    };
    let wrong = || match name {
        _ if operations.is_empty() => "The document has no operation: expected a query or a mutation.".to_owned(),
        None => "The document has several operations: expected `operationName` to say which.".to_owned(),
        Some(_) if operations.named.is_empty() => {
            "`operationName` names an operation that is not there: the document's only one has no name.".to_owned()
        }
        Some(_) => {
            let some: Vec<&str> = operations.named.keys().take(10).map(Name::as_str).collect();
            format!("`operationName` names an operation that is not there: expected one of {}.", some.join(", "))
        }
    };
    match found {
        Some(operation) => Ok(operation),
        None => Err(vec![refusal(code::BAD_USER_INPUT, wrong(), None)]),
    }
}

fn possible_types(schema: &Schema) -> HashMap<Name, HashSet<Name>> {
    let implementers = schema.implementers_map();
    let of = |name: &Name, ty: &ExtendedType| match ty {
        ExtendedType::Object(_) => Some(HashSet::from([name.clone()])),
        ExtendedType::Interface(_) => {
            Some(implementers.get(name).map(|found| found.objects.iter().cloned().collect()).unwrap_or_default())
        }
        ExtendedType::Union(union) => Some(union.members.iter().map(|member| (**member).clone()).collect()),
        ExtendedType::Scalar(_) | ExtendedType::Enum(_) | ExtendedType::InputObject(_) => None,
    };
    schema.types.iter().filter_map(|(name, ty)| Some((name.clone(), of(name, ty)?))).collect()
}
