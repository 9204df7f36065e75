//! The integration tests: one binary, one module a feature.
#![expect(clippy::unwrap_used, reason = "Clippy knows test functions, but not their helpers")]

mod brainstem;
mod config;
mod haut_ai;
mod http;
mod playground;
mod process;
mod relations;
mod sandbox;
mod sdl;
mod transport;
mod util;
