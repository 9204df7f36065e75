//! What routers ask of a subgraph.

mod entities;
mod requests;
mod subgraph;
