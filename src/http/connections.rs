//! Connections: whose they are, how many may stay, and how they hear that the gateway ends.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{answer::Refusal, places::Places};

/// Places for connections that stay; clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    places: Places,
    /// For those who have yet to say who they are: as many more, so that they keep nobody out who did.
    strangers: Places,
}

impl Connections {
    pub(super) fn new(places: usize) -> Self {
        Self { places: Places::new(places), strangers: Places::new(places) }
    }

    /// From now on there are so many places, and as many more for strangers.
    pub(super) fn resize(&self, places: usize) {
        self.places.resize(places);
        self.strangers.resize(places);
    }

    /// A place, held for as long as the connection lives; `None`: there is none left.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.places.free()).try_acquire_owned().ok()
    }

    /// As [`enter`](Self::enter), for one who has yet to say who it is.
    pub(super) fn enter_as_stranger(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(self.strangers.free()).try_acquire_owned().ok()
    }

    /// For one who found no place.
    pub(super) fn full() -> Refusal {
        Refusal::overloaded("This gateway has as many open subscriptions as it allows: try again later.", 5)
    }
}

/// What a request's connection is.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The address at its other end, which may be a proxy's.
    pub(super) peer: IpAddr,
    pub(super) ending: Ending,
}

impl Connection {
    /// For a request that came over no socket.
    pub(super) const NONE: Self = Self { peer: IpAddr::V4(Ipv4Addr::LOCALHOST), ending: Ending(None) };
}

/// Hears of the gateway's end. Held by a connection, it also lets the end wait for that connection.
#[derive(Clone, Debug)]
pub(super) struct Ending(Option<watch::Receiver<()>>);

impl Ending {
    pub(super) fn new(end: watch::Receiver<()>) -> Self {
        Self(Some(end))
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
