//! moka in front of single flights: what was read lately is served again, and what is being read is waited for.
//!
//! A [`Store`] keeps records or pages, [`Answers`](answers::Answers) keep whole answers; both know keys, not where what they
//! keep comes from. The sources behind them are [`CachedHautAi`] and [`CachedBrainStem`].

use std::sync::Arc;

use crate::sources::paging::{Page, Weighed};

pub mod answers;
pub mod brainstem;
mod fleet;
mod freshness;
pub mod gathered;
mod generations;
pub mod haut_ai;
mod keys;
pub mod metrics;
pub mod purge;
pub mod sources;
mod store;
mod viewer;
pub mod writes;

pub use brainstem::CachedBrainStem;
pub use fleet::Portable;
pub use gathered::{Gathered, Gathering};
pub use generations::{Generations, Moment};
pub use haut_ai::CachedHautAi;
pub use keys::{Key, ListKind, PageKey, RecordKey, Touched};
pub(crate) use metrics::{CacheMetrics, LevelCounts};
pub use purge::Purge;
pub use sources::{Checked, Sources};
pub use store::{Answer, Fetch, Fetched, Fetches, Store};
pub use viewer::{Provenance, Requests, StalePart, Viewer};

use freshness::Lifetimes;

/// A page weighs what its records weigh.
fn weigh_page<T>(page: Page<T>) -> Weighed<Page<T>> {
    let bytes = page.items.iter().flatten().fold(0u32, |sum, item| sum.saturating_add(item.bytes));
    Weighed { record: Arc::new(page), bytes }
}
