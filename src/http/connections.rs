//! Connections that stay: how many there may be, and how they hear that the gateway ends.

use std::sync::Arc;

use axum::{extract::Request, http::StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::answer::{Refusal, code};

/// Places for connections that stay; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
}

impl Connections {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)) }
    }

    /// A place, held for as long as the connection lives; `None`: there is none left.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// For one who found no place.
    pub(super) fn full() -> Refusal {
        let message = "This gateway has as many open subscriptions as it allows: try again later.";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code::OVERLOADED, message)
    }
}

/// Hears of the gateway's end. Held by a connection, it also lets the end wait for that connection.
#[derive(Clone, Debug)]
pub(super) struct Ending(Option<watch::Receiver<()>>);

impl Ending {
    pub(super) fn new(end: watch::Receiver<()>) -> Self {
        Self(Some(end))
    }

    /// The one of a request's connection. A request that came without one has no end to wait for.
    pub(super) fn of(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or(Self(None))
    }

    /// Waits for the end to begin.
    pub(super) async fn begun(&mut self) {
        match &mut self.0 {
            // An error: whoever would tell is gone already.
            Some(end) => {
                let _ = end.changed().await;
            }
            None => std::future::pending().await,
        }
    }
}
