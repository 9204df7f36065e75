//! The GraphQL schema. Knows async-graphql, not HTTP.

use std::{sync::Arc, time::Instant};

use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

use crate::sources::Sources;

pub type GatewaySchema = Schema<Query, EmptyMutation, EmptySubscription>;

pub struct Query;

#[Object]
impl Query {
    async fn placeholder(&self) -> bool {
        true
    }
}

/// Builds the executable schema.
pub fn build(introspection: bool) -> GatewaySchema {
    let builder = Schema::build(Query, EmptyMutation, EmptySubscription);
    if introspection { builder.finish() } else { builder.disable_introspection().finish() }
}

/// The schema's SDL; with `federation`, as a router composes it.
pub fn sdl(_federation: bool) -> String {
    build(true).sdl()
}

/// What one request carries through its resolvers: put it into the request's data.
pub struct RequestContext {}

impl RequestContext {
    pub fn new(_sources: &Arc<Sources>, _deadline: Instant) -> Self {
        Self {}
    }
}
