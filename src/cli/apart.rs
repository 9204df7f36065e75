//! The listener of `METRICS_LISTEN`: there from the start to the very end, so that a shutdown can be watched.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use subject_gateway::{
    app::App,
    config::Config,
    http::server::{self, Terms},
};
use tokio::{net::TcpListener, sync::oneshot};
use tracing::info;

use super::serve::not_listening;

/// Connections at the same time: a few that scrape and probe.
const SOCKETS: usize = 64;

/// How long what is being written may take at the end.
const GRACE: Duration = Duration::from_secs(1);

/// Serves the metrics, where they have a listener, for as long as `serving` takes and a moment longer.
pub(super) async fn beside<T>(
    config: &Config,
    app: &App,
    serving: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let Some(address) = config.metrics.listen else { return serving.await };
    let (listener, address) = listen(address).await?;
    info!(%address, "the metrics are served apart");
    let (stopping, stop) = oneshot::channel::<()>();
    let terms = Terms { head: config.limits.head, sockets: SOCKETS, grace: GRACE, ..Terms::default() };
    let routes = app.apart(address.ip().is_loopback());
    let apart = tokio::spawn(server::serve(listener, routes, async { drop(stop.await) }, terms));
    let served = serving.await;
    drop(stopping);
    apart.await.context("the listener of the metrics failed")?;
    served
}

async fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| not_listening(&address.to_string(), "--metrics-listen", &error))?;
    let address = listener.local_addr().context("the socket has no address")?;
    Ok((listener, address))
}
