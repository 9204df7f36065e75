//! Between socket and record: what goes wrong there, and what callers see of it.

pub(crate) mod double;
