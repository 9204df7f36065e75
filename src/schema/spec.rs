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
use arc_swap::ArcSwap;
use async_graphql::{
    Positioned, Request, ServerError, Variables,
    parser::types::{self as executed, DocumentOperations, OperationType},
};
use moka::sync::Cache;

use super::code;
use crate::config::{CostLimit, CostMode, DocumentLimits, Limits};
use cost::Costs;
use errors::refusal;
use limits::Refused;
use positions::Positions;
use variables::quoted;

mod collect;
mod cost;
mod errors;
mod limits;
mod literals;
mod metrics;
mod positions;
mod syntax;
mod values;
mod variables;

pub use self::{cost::Cost, metrics::LimitMetrics};
pub(super) use metrics::{ENTITIES, EVENTS, GATHER, NODES, OVERLOAD, UPSTREAM_REQUESTS};

/// Levels of nesting, of selections and of values, that are parsed.
const MAX_NESTING: usize = 128;
/// Operations that are named where one of them was expected.
const MAX_NAMED: usize = 10;
/// Bytes of all documents that are kept, as text. What is made of a text takes some twenty times as much.
const MAX_KEPT: u64 = 1024 * 1024;
/// Bytes of the longest document that is kept.
const LONGEST_KEPT: usize = 32 * 1024;

/// The rules for requests: the schema as the specification sees it, built once, and the bounds of now.
pub struct Specification {
    schema: Valid<Schema>,
    /// Every type that has fields or members, with the object types that it can be.
    possible: HashMap<Name, HashSet<Name>>,
    introspection: bool,
    costs: Costs,
    bounds: ArcSwap<Bounds>,
    metrics: LimitMetrics,
}

/// What a request is held to. A request is prepared under those that it began with.
struct Bounds {
    limits: DocumentLimits,
    cost: CostLimit,
    /// Valid documents by their text: clients send the same ones again and again, and reading one takes longer than all
    /// that is left to do here. They go with the bounds that they were found to be within.
    documents: Cache<String, Arc<Document>>,
}

impl Bounds {
    fn of(limits: &Limits) -> Self {
        let documents = Cache::builder().weigher(|text: &String, _| u32::try_from(text.len()).unwrap_or(u32::MAX));
        let documents = documents.max_capacity(MAX_KEPT).build();
        Self { limits: limits.documents, cost: limits.cost, documents }
    }
}

/// A document that was validated.
struct Document {
    executable: Valid<ExecutableDocument>,
    positions: Positions,
}

/// A request that is ready to be executed.
pub(super) struct Ready {
    pub(super) ty: OperationType,
    pub(super) request: Request,
    /// As the document has it.
    pub(super) name: Option<Name>,
    /// `None`: it is not estimated. A subscription's is of each of its events.
    pub(super) cost: Option<Cost>,
}

impl Specification {
    /// Reads the schema's SDL. An error says what is wrong with it.
    pub fn new(sdl: &str, introspection: bool, limits: &Limits) -> anyhow::Result<Self> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|invalid| anyhow!("the schema breaks the specification: {}", invalid.errors))?;
        let possible = possible_types(&schema);
        let names_of = |name: &str| possible.get(name).into_iter().flatten().map(Name::to_string).collect();
        Ok(Self {
            costs: Costs::of(&schema, names_of, limits.max_entities),
            schema,
            possible,
            introspection,
            bounds: ArcSwap::from_pointee(Bounds::of(limits)),
            metrics: LimitMetrics::default(),
        })
    }

    /// From now on documents, variables and costs are held to these limits; what was found to be within others is looked at
    /// again. `max_entities` stays as it was.
    pub fn hold_to(&self, limits: &Limits) {
        let bounds = self.bounds.load();
        if (bounds.limits, bounds.cost) != (limits.documents, limits.cost) {
            self.bounds.store(Arc::new(Bounds::of(limits)));
        }
    }

    /// What is counted of requests that were prepared.
    pub fn metrics(&self) -> &LimitMetrics {
        &self.metrics
    }

    /// Makes a request ready to be executed: parsed, valid, its variables coerced, nothing in it but what is to be
    /// executed, and all of it within the limits. The errors are request errors: the answer has no `data`.
    pub(super) fn prepare(&self, request: Request) -> Result<Ready, Vec<ServerError>> {
        self.ready(request).map_err(|refused| {
            if let Some(limit) = refused.limit {
                self.metrics.refused(limit);
            }
            refused.errors
        })
    }

    fn ready(&self, mut request: Request) -> Result<Ready, Refused> {
        let bounds = self.bounds.load();
        let document = match bounds.documents.get(&request.query) {
            Some(document) => document,
            None => self.read(&request.query, &bounds)?,
        };
        let Document { executable, positions } = &*document;
        let operation = selected(executable, request.operation_name.as_deref())?;
        limits::check_variables(&request.variables, &bounds.limits)?;
        request.variables = self.coerce_variables(operation, request.variables, positions)?;
        let collected = self.collect(executable, operation, &request.variables, positions, &bounds.limits)?;
        let cost = self.estimate(operation, &collected, &request.variables, bounds.cost)?;
        // It is the only one that is left.
        request.operation_name = None;
        request.set_parsed_query(executed::ExecutableDocument {
            operations: DocumentOperations::Single(collected),
            fragments: HashMap::new(),
        });
        Ok(Ready { ty: collect::operation_type(operation), request, name: operation.name.clone(), cost })
    }

    fn estimate(
        &self,
        operation: &Operation,
        collected: &Positioned<executed::OperationDefinition>,
        variables: &Variables,
        limit: CostLimit,
    ) -> Result<Option<Cost>, Refused> {
        if limit.mode == CostMode::Off {
            return Ok(None);
        }
        let (estimated, most) =
            self.costs.estimate(operation.object_type(), &collected.node.selection_set.node, variables);
        self.metrics.estimated(estimated);
        let cost = Cost { estimated, limit: limit.max };
        if limit.mode == CostMode::Enforce && estimated > cost.limit {
            return Err(cost::too_much(cost, most));
        }
        Ok(Some(cost))
    }

    /// The first thing that is wrong with a document, be it syntax or that it does not fit the schema; `None`: it is sound.
    pub fn first_error(&self, document: &str) -> Option<String> {
        self.read(document, &self.bounds.load()).err()?.errors.into_iter().next().map(|error| error.message)
    }

    /// Parses and validates a document, and keeps it where it is valid and of usual length.
    fn read(&self, query: &str, Bounds { limits, documents, .. }: &Bounds) -> Result<Arc<Document>, Refused> {
        limits::check_text(query, limits)?;
        let mut document = parse(query)?;
        limits::check_parts(&document, limits)?;
        syntax::drop_null_defaults(&mut document);
        let positions = Positions::of(query);
        let executable = document.to_executable_validate(&self.schema).map_err(|wrong| {
            errors::of_validation(self, &wrong.errors, || self.wrong_values(&wrong.partial, &positions))
        })?;
        limits::check_depth(&executable, limits)?;
        let document = Arc::new(Document { executable, positions });
        if query.len() <= LONGEST_KEPT {
            documents.insert(query.to_owned(), Arc::clone(&document));
        }
        Ok(document)
    }
}

/// Why a text is no GraphQL document; `None`: it is one.
pub fn syntax_error(text: &str) -> Option<String> {
    parse(text).err()?.errors.into_iter().next().map(|error| error.message)
}

/// The names of the operations in a document, if it is one.
pub fn operation_names(text: &str) -> Vec<String> {
    let name = |definition: &ast::Definition| definition.as_operation_definition()?.name.as_ref().map(Name::to_string);
    parse(text).map(|document| document.definitions.iter().filter_map(name).collect()).unwrap_or_default()
}

/// Whether a text is a GraphQL document of a size that this gateway reads.
pub fn is_readable(text: &str, limits: &DocumentLimits) -> bool {
    limits::check_text(text, limits).is_ok() && parse(text).is_ok()
}

fn parse(query: &str) -> Result<ast::Document, Refused> {
    let parsed = Parser::new().recursion_limit(MAX_NESTING).parse_ast(query, "request");
    let document = parsed.map_err(|wrong| errors::of_syntax(&wrong.errors))?;
    syntax::check(query)?;
    Ok(document)
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
            let some: Vec<String> = operations.named.keys().take(MAX_NAMED).map(|name| quoted(name)).collect();
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
