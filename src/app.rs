//! From a [`Config`](crate::config::Config) to a router: shared by `main`, tests and benches.
