//! The integration tests: one binary, one module a feature.
#![expect(clippy::unwrap_used, reason = "Clippy knows test functions, but not their helpers")]

mod access;
mod answers;
mod brainstem;
mod config;
mod cookbook;
mod differential;
mod endings;
mod events;
mod federation;
mod fields;
mod flavours;
mod forward;
mod haut_ai;
mod http;
mod input;
mod lists;
mod nodes;
mod partial;
mod playground;
mod process;
mod relations;
mod resilience;
mod sandbox;
mod schema;
mod scope;
mod sdl;
mod seeds;
mod spec;
mod transport;
mod util;
mod walk;
mod writes;
