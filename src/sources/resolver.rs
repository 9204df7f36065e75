//! The addresses of an upstream's name, looked up by the system and kept for a short time.
//!
//! The system knows its hosts file, its search domains and what a container changes about them; but it is asked anew for
//! every connection, and an upstream's connections are short-lived. Knows nothing of requests.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Mutex;

/// The system does not tell how long an answer holds good.
const FRESH: Duration = Duration::from_secs(30);

/// What a look-up may take where addresses from before are known.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps the addresses of one name: a source has one. Copies share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolver(Arc<Mutex<Option<Kept>>>);

#[derive(Debug)]
struct Kept {
    name: String,
    addresses: Vec<SocketAddr>,
    /// `None`: no connection could be made to them.
    looked_up: Option<Instant>,
}

impl Resolver {
    /// Looks the name up again before the next connection: no connection could be made.
    pub(super) async fn doubt(&self) {
        if let Some(kept) = &mut *self.0.lock().await {
            kept.looked_up = None;
        }
    }

    /// Who comes while a look-up is under way waits for it. Where it fails, the addresses from before are still given.
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<SocketAddr>> {
        let mut kept = self.0.lock().await;
        let known = kept.as_ref().filter(|kept| kept.name == name);
        if let Some(known) = known.filter(|known| known.looked_up.is_some_and(|at| at.elapsed() < FRESH)) {
            return Ok(known.addresses.clone());
        }
        let look_up = async { Ok::<Vec<_>, std::io::Error>(tokio::net::lookup_host((name, 0)).await?.collect()) };
        let found = match known {
            Some(_) => tokio::time::timeout(PATIENCE, look_up).await.unwrap_or_else(|late| Err(late.into())),
            None => look_up.await,
        };
        let addresses = match (found, known) {
            (Ok(found), _) => found,
            // Not tried anew by everybody who waits here.
            (Err(_), Some(known)) => known.addresses.clone(),
            (Err(error), None) => return Err(error),
        };
        *kept = Some(Kept { name: name.to_owned(), addresses: addresses.clone(), looked_up: Some(Instant::now()) });
        Ok(addresses)
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_again_when_its_addresses_are_in_doubt() {
        let resolver = Resolver::default();
        let elsewhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let kept = Kept { name: "localhost".to_owned(), addresses: vec![elsewhere], looked_up: Some(Instant::now()) };
        *resolver.0.lock().await = Some(kept);
        assert_eq!(resolver.addresses("localhost").await.unwrap(), [elsewhere]);
        resolver.doubt().await;
        let found = resolver.addresses("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert_eq!(resolver.clone().0.lock().await.as_ref().unwrap().addresses, found);
    }
}
