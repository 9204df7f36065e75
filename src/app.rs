//! From a [`Config`] to what is served: shared by `main`, tests and benches.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;

use crate::{
    access::Checked,
    cache::Sources,
    config::Config,
    http::{self, Front, Readiness},
};

/// The gateway without its socket.
pub struct App {
    service: Arc<http::Service>,
    sources: Arc<Sources>,
    readiness: Readiness,
}

impl App {
    /// Puts the parts together; makes no request. An error names what of the configuration is not usable.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let sources = Sources::new(config).context("the sources could not be prepared")?;
        let readiness = Readiness::default();
        let service = Arc::new(http::Service::new(config, Arc::clone(&sources), readiness.clone())?);
        Ok(Self { service, sources, readiness })
    }

    /// Everything the gateway serves.
    pub fn front(&self) -> Front {
        http::front(&self.service)
    }

    /// What is served at `METRICS_LISTEN`, for a listener on loopback or beyond.
    pub fn apart(&self, is_on_loopback: bool) -> Router {
        http::apart(&self.service, is_on_loopback)
    }

    /// Notices what changes while the gateway runs, such as the file of API keys or what other replicas write, for as long as it is
    /// awaited; it does not end.
    pub async fn keep_up(&self) {
        tokio::join!(self.service.keep_up(), self.sources.keep_up());
    }

    /// Waits until other replicas know what was changed here, for as long as it may take; [`keep_up`](Self::keep_up) has to go on.
    pub async fn all_told(&self) {
        self.sources.all_told().await;
    }

    /// Takes over what of a configuration can change while the gateway runs: keys, the manifest, limits
    /// ([`Key::is_live`](crate::config::keys::Key::is_live)). What is being answered goes on as it began. Needs the asynchronous
    /// runtime.
    ///
    /// # Errors
    ///
    /// Names what is not usable; nothing has changed then.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        self.service.reload(config)
    }

    /// Counts, for the metrics, that the configuration was to be taken over anew: whether that went well, from reading it on.
    pub fn reloaded(&self, is_ok: bool) {
        self.service.reloaded(is_ok);
    }

    /// Reaches for what callers are checked by, once; `None`: there is nothing to be reached.
    pub async fn check_access(&self) -> Option<Checked> {
        self.service.access().check().await
    }

    /// The upstreams.
    pub fn sources(&self) -> &Arc<Sources> {
        &self.sources
    }

    /// Whether the gateway wants requests; for whoever shuts it down.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
