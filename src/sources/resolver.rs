//! The addresses of an upstream's name, looked up by the system and kept for a short time.
//!
//! The system knows its hosts file, its search domains and what a container changes about them; but it is asked anew for
//! every connection, and an upstream's connections are short-lived. Knows nothing of requests.

use std::{
    io,
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
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    kept: Arc<Mutex<Option<Kept>>>,
    patience: Duration,
}

#[derive(Debug)]
struct Kept {
    name: String,
    addresses: Vec<SocketAddr>,
    /// `None`: no connection could be made to them.
    looked_up: Option<Instant>,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { kept: Arc::default(), patience: PATIENCE }
    }
}

impl Resolver {
    /// Looks the name up again before the next connection: no connection could be made.
    pub(super) async fn doubt(&self) {
        if let Some(kept) = &mut *self.kept.lock().await {
            kept.looked_up = None;
        }
    }

    /// Who comes while a look-up is under way waits for it. Where it fails or takes long, the addresses from before are
    /// still given.
    async fn addresses(
        &self,
        name: &str,
        look_up: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut kept = self.kept.lock().await;
        let known = kept.as_ref().filter(|kept| kept.name == name);
        if let Some(known) = known.filter(|known| known.looked_up.is_some_and(|at| at.elapsed() < FRESH)) {
            return Ok(known.addresses.clone());
        }
        let found = match known {
            Some(_) => tokio::time::timeout(self.patience, look_up).await.unwrap_or_else(|late| Err(late.into())),
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

async fn by_the_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str(), by_the_system(name.as_str())).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn elsewhere() -> SocketAddr {
        "192.0.2.1:0".parse().unwrap()
    }

    /// One that knows where the name leads, and doubts it.
    async fn doubting(name: &str, patience: Duration) -> Resolver {
        let resolver = Resolver { patience, ..Resolver::default() };
        let known = async { Ok(vec![elsewhere()]) };
        assert_eq!(resolver.addresses(name, known).await.unwrap(), [elsewhere()]);
        assert_eq!(resolver.addresses(name, async { panic!("it is known") }).await.unwrap(), [elsewhere()]);
        resolver.doubt().await;
        resolver
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_and_again_when_its_addresses_are_in_doubt() {
        let resolver = doubting("localhost", PATIENCE).await;
        let found = resolver.addresses("localhost", by_the_system("localhost")).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        let kept = resolver.clone().addresses("localhost", async { panic!("it is known") }).await.unwrap();
        assert_eq!(kept, found);
    }

    #[tokio::test]
    async fn a_look_up_that_fails_or_takes_long_leaves_what_is_known() {
        let resolver = doubting("name", PATIENCE).await;
        let failed = resolver.addresses("name", ready(Err(io::ErrorKind::NotFound.into())));
        assert_eq!(failed.await.unwrap(), [elsewhere()]);
        let resolver = doubting("name", Duration::ZERO).await;
        let hanging = resolver.addresses("name", pending());
        let given = tokio::time::timeout(Duration::from_secs(60), hanging).await.expect("it waits for ever");
        assert_eq!(given.unwrap(), [elsewhere()]);
        let waiting = resolver.addresses("name", async { panic!("it is not tried anew by all who wait") });
        assert_eq!(waiting.await.unwrap(), [elsewhere()]);
        // Where nothing is known there is nothing to fall back on.
        let slow = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            Ok(Vec::new())
        };
        assert_eq!(resolver.addresses("another", slow).await.unwrap(), []);
        let failed = resolver.addresses("a third", ready(Err(io::ErrorKind::NotFound.into())));
        assert_eq!(failed.await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
