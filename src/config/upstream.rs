//! What bounds the talk with the upstreams. The same for both; how long one request may take is each source's own.

use std::time::Duration;

/// Bounds on what one source is asked, and on what is read of its answers.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `LIMITS_UPSTREAM_BYTES`, default 33,554,432: one answer, decompressed.
    pub bytes: usize,
    /// `LIMITS_UPSTREAM_CONCURRENCY`, default 32: requests in flight.
    pub concurrency: usize,
    /// `LIMITS_UPSTREAM_RATE`, requests a second; 0, the default: as many as there are.
    pub rate: u32,
    /// `LIMITS_UPSTREAM_REQUESTS`, default 1,000: of both sources, that one operation may begin.
    pub requests: u64,
    /// `LIMITS_UPSTREAM_CONNECT_MS`, default 5,000: making a connection.
    pub connect: Duration,
    /// `LIMITS_UPSTREAM_IDLE_MS`, default 5,000: between two pieces of an answer's body.
    pub idle: Duration,
    pub retries: Retries,
    pub breaker: Breaker,
}

/// When a read that failed is sent again.
#[derive(Clone, Debug)]
pub struct Retries {
    /// `LIMITS_UPSTREAM_TRIES`, default 3: how often a read is sent at most; 1 turns retries off.
    pub tries: u64,
    /// `LIMITS_UPSTREAM_BACKOFF_MS`, default 100: the first pause; each is twice as long as the one before, and up to twice
    /// that by chance.
    pub backoff: Duration,
    /// `LIMITS_UPSTREAM_RETRY_WAIT_MS`, default 2,000: the longest pause, also where the source names one (`Retry-After`).
    pub longest_wait: Duration,
    /// `LIMITS_UPSTREAM_RETRY_PERCENT`, default 20: how many retries there may be for a hundred reads; 0 turns them off.
    pub percent: u8,
}

/// When a source that fails is no longer asked.
#[derive(Clone, Debug)]
pub struct Breaker {
    /// `LIMITS_UPSTREAM_FAILURE_PERCENT`, default 60: of the requests within the window.
    pub percent: u8,
    /// `LIMITS_UPSTREAM_FAILURE_MINIMUM`, default 10: requests within the window below which no share counts; and so many
    /// failures in a row are enough, however long they took.
    pub minimum: u32,
    /// `LIMITS_UPSTREAM_FAILURE_WINDOW_MS`, default 10,000.
    pub window: Duration,
    /// `LIMITS_UPSTREAM_PAUSE_MS`, default 5,000: until one request tries how the source fares; 0: it is always asked.
    pub pause: Duration,
}
