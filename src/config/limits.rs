//! What bounds one caller's requests. What bounds the talk with the upstreams is in `upstream`.

use std::{num::NonZeroU32, time::Duration};

use super::Upstream;

/// Bounds on what one caller can ask for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// `LIMITS_DEADLINE_MS`, default 30,000: a request's time; what is not there by then is an error beside what is.
    pub deadline: Duration,
    /// `LIMITS_BODY_BYTES`, default 1,048,576: a request's body.
    pub body_bytes: usize,
    /// `LIMITS_BODY_MS`, default 10,000: how long a request's body may take to arrive.
    pub body: Duration,
    /// `LIMITS_HEAD_MS`, default 75,000: how long a connection may take for a request's head, or wait for the next one. Above
    /// the 60 s for which load balancers commonly keep a connection, so that theirs is the side that closes.
    pub head: Duration,
    /// `LIMITS_SOCKETS`, default 10,000: connections at the same time, WebSockets apart.
    pub sockets: usize,
    /// `LIMITS_OPERATIONS`, default 500: queries and mutations that are executed at the same time.
    pub operations: usize,
    /// `LIMITS_RATE`, default 0: requests a second of one caller; 0 is no bound.
    pub rate: u32,
    /// `LIMITS_BURST`, default 100: requests of one caller that may come at once before `rate` counts.
    pub burst: NonZeroU32,
    /// `LIMITS_CONNECTIONS`, default 1,000: WebSockets and streams of events at the same time.
    pub connections: usize,
    /// `LIMITS_SUBSCRIPTIONS`, default 100: operations at the same time on one WebSocket.
    pub subscriptions: usize,
    /// `LIMITS_INIT_MS`, default 3,000: how long a new WebSocket may take for its `connection_init`.
    pub init: Duration,
    /// `LIMITS_BATCH`, default 0: requests in one body; 0 turns batching off.
    pub batch: usize,
    pub documents: DocumentLimits,
    pub cost: CostLimit,
    pub upstream: Upstream,
    /// `LIMITS_MAX_SCAN`, default 1,000: records that one page of a list may examine where the gateway itself filters.
    pub max_scan: u64,
    /// `LIMITS_MAX_GATHER`, default 10,000: records of one source that a list may read to be sorted.
    pub max_gather: u64,
    /// `LIMITS_MAX_ENTITIES`, default 1,000: entities that a router may ask for in one `_entities`.
    pub max_entities: u64,
}

/// Bounds on a document and its variables, whoever sends or keeps it and by whatever transport it is asked for. All but those of
/// `root_fields`, `fields` and the variables depend on the text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// `LIMITS_DOCUMENT_BYTES`, default 65,536: the text.
    pub bytes: usize,
    /// `LIMITS_TOKENS`, default 10,000: names, signs and values of the text.
    pub tokens: usize,
    /// `LIMITS_DEPTH`, default 32: levels of fields, through fragments.
    pub depth: usize,
    /// `LIMITS_INTROSPECTION_DEPTH`, default 2: lists of introspection within each other.
    pub introspection_depth: usize,
    /// `LIMITS_ALIASES`, default 200.
    pub aliases: usize,
    /// `LIMITS_DIRECTIVES`, default 200.
    pub directives: usize,
    /// `LIMITS_ROOT_FIELDS`, default 100: those of the operation that are not skipped.
    pub root_fields: usize,
    /// `LIMITS_FIELDS`, default 20,000: fields, fragments and values of the operation, each wherever it is used.
    pub fields: usize,
    /// `LIMITS_VARIABLES_BYTES`, default 524,288: the variables' values as JSON.
    pub variables_bytes: usize,
    /// `LIMITS_VARIABLES_DEPTH`, default 32: lists and objects within each other in the value of one variable.
    pub variables_depth: usize,
}

/// What an operation may cost, by `@cost` and `@listSize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostLimit {
    /// `LIMITS_COST`, default `enforce`.
    pub mode: CostMode,
    /// `LIMITS_MAX_COST`, default 50,000.
    pub max: u64,
}

/// What the estimated cost of an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostMode {
    /// It is not estimated.
    Off,
    /// It is counted and told to who asks.
    Measure,
    /// As well, and operations that cost too much are refused.
    Enforce,
}
