//! Gets the issuer's keys: beside `sources/client.rs` the one place that sends with reqwest. No caller's text is in what it sends, and
//! nothing of the answer in what it says of it.

use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use reqwest::{Client, StatusCode, header::ACCEPT};
use tokio::time::timeout;
use url::Url;

use crate::outgoing;

/// All of it, from connecting to the last byte.
const TIME: Duration = Duration::from_secs(5);

/// The largest set that is read, decompressed.
const LARGEST: usize = 256 * 1_024;

/// Where the issuer publishes its keys.
pub(super) struct Jwks {
    client: Client,
    url: Url,
    time: Duration,
}

impl Jwks {
    /// # Errors
    ///
    /// For an https URL on a machine without root certificates.
    pub(super) fn new(url: &Url) -> anyhow::Result<Self> {
        // Asked every few minutes: no connection is worth keeping.
        let client = outgoing::builder(url, None)?.pool_max_idle_per_host(0);
        Ok(Self { client: outgoing::build(client).context("JWT_JWKS_URL")?, url: url.clone(), time: TIME })
    }

    /// The set's text, or what is wrong.
    pub(super) async fn get(&self) -> Result<Bytes, String> {
        timeout(self.time, self.exchange()).await.unwrap_or_else(|_| Err("the answer took too long".into()))
    }

    async fn exchange(&self) -> Result<Bytes, String> {
        let request = self.client.get(self.url.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(|error| {
            let words = if error.is_connect() { "no connection could be made" } else { "the connection broke" };
            words.to_owned()
        })?;
        match response.status() {
            StatusCode::OK => {}
            status if status.is_redirection() => {
                return Err(format!("the answer is a redirect ({}), and none is followed", status.as_u16()));
            }
            status => return Err(format!("the answer has the status {}", status.as_u16())),
        }
        let mut body = BytesMut::new();
        loop {
            let chunk = response.chunk().await.map_err(|_| "the answer broke off")?;
            let Some(chunk) = chunk else {
                return Ok(body.freeze());
            };
            if body.len() + chunk.len() > LARGEST {
                return Err(format!("the answer is larger than {} KiB", LARGEST / 1_024));
            }
            body.extend_from_slice(&chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_hangs_is_not_waited_for() {
        // It takes connections and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/keys", listener.local_addr().unwrap())).unwrap();
        let mut jwks = Jwks::new(&url).unwrap();
        jwks.time = Duration::from_millis(10);
        assert_eq!(jwks.get().await, Err("the answer took too long".to_owned()));
        drop(listener);
        jwks.time = TIME;
        assert_eq!(jwks.get().await, Err("no connection could be made".to_owned()));
    }
}
