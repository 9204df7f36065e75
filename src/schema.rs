//! The GraphQL schema: one file a type. Knows async-graphql, not HTTP.
//!
//! A nullable field that can fail returns `Option<Result<T, Error>>`: a failure is then null in its place and an error
//! beside it, and its siblings stand. Descriptions are written for the frontend developer who reads them in the playground.

use async_graphql::{ObjectType, SDLExportOptions, Schema, SchemaBuilder, ValidationMode};

use crate::config::Limits;

pub mod biological_sex;
pub mod breeding;
pub mod connection;
pub mod context;
pub mod cost;
pub mod error;
pub mod execution;
pub mod federation;
pub mod filter;
pub mod license;
pub mod lists;
pub mod log;
mod lookahead;
pub mod mutation;
pub mod node;
pub mod procedure;
pub mod project;
pub mod query;
pub mod scalars;
pub mod sources;
pub mod spec;
pub mod streaming;
pub mod subject;
pub mod subjects;
pub mod subscription;
pub mod taxonomy;

pub use context::RequestContext;
pub use error::code;
pub use mutation::Mutation;
pub use query::Query;
pub use spec::Specification;
pub use subscription::Subscription;

/// The most that `LIMITS_DEPTH` can be, now or after a reload.
const DEEPEST: usize = 100;

/// The executable schema.
pub type GatewaySchema = Schema<Query, Mutation, Subscription>;

/// Builds the executable schema: with introspection or without, for requests within the limits, which may be
/// changed ([`Specification::hold_to`]). Else it holds no state: a request brings its [`RequestContext`].
pub fn build(introspection: bool, limits: &Limits) -> GatewaySchema {
    let sdl = builder(Query::default()).finish().sdl_with_options(printing());
    let specification = Specification::new(&sdl, introspection, limits).expect("a test reads the schema");
    builder(Query::default())
        // What is executed was validated before, by better rules.
        .validation_mode(ValidationMode::Fast)
        // Whoever asks is told by the specification; what is written out has a condition at some levels besides.
        .limit_recursive_depth(2 * DEEPEST + 16)
        .data(specification)
        .data(federation::MaxEntities(limits.max_entities))
        .finish()
}

/// The rules for requests.
pub fn specification(schema: &GatewaySchema) -> &Specification {
    schema.data().expect("`build` puts it there")
}

/// The schema's SDL as clients are shown it; with `federation`, as a router composes it.
pub fn sdl(federation: bool) -> String {
    if federation {
        return federation::subgraph_sdl().to_owned();
    }
    builder(query::ClientQuery::default()).finish().sdl_with_options(printing())
}

fn printing() -> SDLExportOptions {
    SDLExportOptions::new().include_specified_by().use_space_ident()
}

/// A schema with this root of reads, and all else that every reader is shown.
fn builder<Q: ObjectType + 'static>(query: Q) -> SchemaBuilder<Q, Mutation, Subscription> {
    Schema::build(query, Mutation, Subscription)
}
