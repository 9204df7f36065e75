//! The GraphQL schema: one file a type. Knows async-graphql, not HTTP.
//!
//! A nullable field that can fail returns `Option<Result<T, Error>>`: a failure is then null in its place and an error
//! beside it, and its siblings stand. Descriptions are written for the frontend developer who reads them in the playground.

use async_graphql::{EmptySubscription, SDLExportOptions, Schema, SchemaBuilder, ValidationMode};

pub mod biological_sex;
pub mod breeding;
pub mod connection;
pub mod context;
pub mod entities;
pub mod error;
pub mod execution;
pub mod filter;
pub mod license;
pub mod log;
pub mod mutation;
pub mod node;
pub mod procedure;
pub mod project;
pub mod query;
pub mod scalars;
pub mod sources;
pub mod spec;
pub mod subject;
pub mod subjects;
pub mod taxonomy;

pub use context::{RequestContext, Scope};
pub use error::code;
pub use mutation::Mutation;
pub use query::Query;
use spec::Specification;

/// The executable schema.
pub type GatewaySchema = Schema<Query, Mutation, EmptySubscription>;

/// Builds the executable schema. It holds no state: a request brings its [`RequestContext`].
pub fn build(introspection: bool) -> GatewaySchema {
    let specification = Specification::new(&sdl(false), introspection).expect("a test reads the schema");
    // What is executed was validated before, by better rules.
    builder().validation_mode(ValidationMode::Fast).data(specification).finish()
}

fn builder() -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation, EmptySubscription)
}

/// The schema's SDL; with `federation`, as a router composes it.
pub fn sdl(federation: bool) -> String {
    let options = SDLExportOptions::new().include_specified_by().use_space_ident();
    let options = if federation { options.federation() } else { options };
    builder().finish().sdl_with_options(options)
}
