//! One GraphQL schema over two REST APIs that describe research subjects:
//! Haut.AI (people whose skin is imaged) and BrainSTEM (laboratory animals).
//!
//! Modules in reading order, as a request passes them:
//! `http` → `schema` → `loaders` → `cache` → `sources`, with `domain` below all of them; `events` goes the other way, from
//! writes to those who listen.

pub mod access;
pub mod app;
pub mod cache;
pub mod config;
pub mod domain;
pub mod events;
mod held;
pub mod http;
pub mod listing;
pub mod loaders;
pub mod outgoing;
pub mod replicas;
pub mod sandbox;
pub mod schema;
pub mod sources;
pub mod spans;
pub mod telemetry;
pub mod trail;
