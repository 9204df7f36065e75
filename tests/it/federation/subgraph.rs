//! The subgraph's SDL.
