//! The two upstreams.

use std::{sync::Arc, time::Duration};

use crate::config::Config;

/// The configured upstreams, with their caches.
pub struct Sources {}

/// What `subject-gateway check` learnt of one source.
pub struct Checked {
    /// `Haut.AI` or `BrainSTEM`.
    pub source: &'static str,
    /// What answered, in words for the operator (no personal data), or what was wrong and what to do about it.
    pub outcome: Result<String, String>,
    pub took: Duration,
}

impl Sources {
    /// Prepares the clients; makes no request.
    pub fn new(_config: &Config) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {}))
    }

    /// Reaches every configured source once, side by side.
    pub async fn check(&self) -> Vec<Checked> {
        Vec::new()
    }
}
