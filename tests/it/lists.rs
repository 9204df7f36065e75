//! The merged list of subjects: filters, orders, pages, limits and failures, compared with brute force over what the
//! upstreams hold.

mod ask;
mod bad_input;
mod changing;
mod data;
mod failing;
mod filters;
mod limits;
mod others;
mod record;
mod requests;
mod scan;
mod walks;
mod whole;
