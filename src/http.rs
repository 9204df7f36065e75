//! Routes and layers. Knows axum and status codes.
pub mod playground;
