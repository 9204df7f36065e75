//! The sandbox keeps to the upstreams' documentation: every trap that a client can step into is there.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod conditions;
mod documents;
mod filters;
mod haut_ai;
mod knobs;
mod portals;
mod records;
mod sideloading;
mod util;
mod writes;
