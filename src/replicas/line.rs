//! Connections to Redis: to one server, or to a Cluster, whichever answers.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
};
use secrecy::{ExposeSecret as _, SecretString};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection that many may use at the same time; clones share it.
#[derive(Clone)]
pub(super) enum Line {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Line {
    /// Connects to the first of these servers that answers, and to its Cluster where it is part of one. `patience` is how long one
    /// answer may take.
    pub(super) async fn open(urls: &[SecretString], patience: Duration) -> RedisResult<Self> {
        let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no server is named"));
        for url in urls {
            match Self::open_one(url, patience).await {
                Ok((line, false)) => return Ok(Self::One(line)),
                Ok((_, true)) => return Self::open_cluster(urls, patience).await,
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether it is part of a Cluster, too.
    async fn open_one(url: &SecretString, patience: Duration) -> RedisResult<(MultiplexedConnection, bool)> {
        // The same that all of this process uses.
        rustls::crypto::ring::default_provider().install_default().ok();
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(patience));
        let client = Client::open(url.expose_secret())?;
        let mut line = client.get_multiplexed_async_connection_with_config(&config).await?;
        // Who may not ask is taken to be on a server that is alone.
        let info: String = redis::cmd("INFO").arg("cluster").query_async(&mut line).await.unwrap_or_default();
        Ok((line, info.contains("cluster_enabled:1")))
    }

    async fn open_cluster(urls: &[SecretString], patience: Duration) -> RedisResult<Self> {
        let nodes = urls.iter().map(SecretString::expose_secret);
        let client =
            ClusterClient::builder(nodes).connection_timeout(CONNECT).response_timeout(patience).retries(1).build()?;
        Ok(Self::Cluster(client.get_async_connection().await?))
    }
}

impl ConnectionLike for Line {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(line) => line.req_packed_command(command),
            Self::Cluster(line) => line.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(line) => line.req_packed_commands(pipeline, offset, count),
            Self::Cluster(line) => line.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(line) => line.get_db(),
            Self::Cluster(line) => line.get_db(),
        }
    }
}
