//! A Redis of a test's own, and replicas over one sandbox.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use redis::{FromRedisValue, aio::MultiplexedConnection};
use serde_json::{Value, json};
use subject_gateway::{app::App, config::Config};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

pub(crate) use crate::util::eventually;
use crate::util::{Builder, TestApp};

pub(crate) const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const OTHER_KEY: &str = "eHl6NDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjA=";

/// A `redis-server`, which ends with the test.
pub(crate) struct Redis {
    process: Child,
    pub(crate) port: u16,
    options: Vec<String>,
    directory: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(options: &[&str]) -> Self {
        let port = free_port();
        let directory = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let process = launch(port, &directory, &options);
        let redis = Self { process, port, options, directory };
        redis.ready().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn ready(&self) {
        eventually(async || self.connect().await).await;
    }

    async fn connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut line = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("PING").query_async::<String>(&mut line).await.ok()?;
        Some(line)
    }

    /// Asks it something.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut line = self.connect().await.expect("it answers");
        let mut asked = redis::cmd(command[0]);
        command[1..].iter().for_each(|word| {
            asked.arg(word);
        });
        asked.query_async(&mut line).await.unwrap()
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]).await;
        keys.sort();
        keys
    }

    /// All that lies there, as whoever reads the machine's memory would find it.
    pub(crate) async fn dump(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for key in self.keys().await {
            all.extend(key.as_bytes());
            let kind: String = self.ask(&["TYPE", &key]).await;
            match kind.as_str() {
                "string" => all.extend(self.ask::<Vec<u8>>(&["GET", &key]).await),
                "stream" => all.extend(bytes_of(self.ask(&["XRANGE", &key, "-", "+"]).await)),
                "hash" => all.extend(bytes_of(self.ask(&["HGETALL", &key]).await)),
                _ => all.extend(bytes_of(self.ask(&["SMEMBERS", &key]).await)),
            }
        }
        all
    }

    /// The values that depend on what is written.
    pub(crate) async fn values(&self) -> Vec<String> {
        self.keys().await.into_iter().filter(|key| key.contains(":value:")).collect()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Another one in its place, with nothing in it.
    pub(crate) async fn again(&mut self) {
        self.process = launch(self.port, &self.directory, &self.options);
        self.ready().await;
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// It no longer answers, and its connections stay.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bytes_of(value: redis::Value) -> Vec<u8> {
    use redis::Value;
    match value {
        Value::BulkString(bytes) => bytes,
        Value::SimpleString(text) => text.into_bytes(),
        Value::Array(values) | Value::Set(values) => values.into_iter().flat_map(bytes_of).collect(),
        Value::Map(pairs) => {
            pairs.into_iter().flat_map(|(key, value)| [bytes_of(key), bytes_of(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn launch(port: u16, directory: &TempDir, options: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &port.to_string()])
        .args(options);
    let command = command.current_dir(directory).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is there; on Debian: apt-get install redis-server")
}

/// One of the replicas.
pub(crate) struct Replica {
    pub(crate) app: Arc<App>,
    keeping_up: JoinHandle<()>,
}

impl Replica {
    pub(crate) fn of(config: &Config) -> Self {
        let app = Arc::new(App::new(config).unwrap());
        let keeping_up = tokio::spawn({
            let app = Arc::clone(&app);
            async move { app.keep_up().await }
        });
        Self { app, keeping_up }
    }

    pub(crate) async fn post(&self, body: &Value) -> Value {
        let body = self.send("/graphql", body).await.1;
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) async fn query(&self, query: &str) -> Value {
        let answer = self.post(&json!({"query": query})).await;
        assert!(answer.get("errors").is_none(), "{answer:#}");
        answer
    }

    pub(crate) async fn send(&self, path: &str, body: &Value) -> (u16, Vec<u8>) {
        let request = Request::post(path).header(header::HOST, "localhost");
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
        self.exchange(request.unwrap()).await
    }

    /// With headers; gives the answer's text.
    pub(crate) async fn send_with(&self, path: &str, body: &Value, headers: &[(&str, String)]) -> String {
        let mut request = Request::post(path).header(header::HOST, "localhost");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
        String::from_utf8(self.exchange(request.unwrap()).await.1).unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).header(header::HOST, "localhost").body(Body::empty()).unwrap();
        let (status, body) = self.exchange(request).await;
        (status, String::from_utf8(body).unwrap())
    }

    async fn exchange(&self, request: Request<Body>) -> (u16, Vec<u8>) {
        let response = self.app.front().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec())
    }

    /// A metric of Redis.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics").await;
        let prefix = format!("subject_gateway_redis_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    fn is_connected(&self) -> bool {
        self.app.sources().replicas().unwrap().is_connected()
    }

    pub(crate) async fn connected(&self) {
        eventually(async || self.is_connected().then_some(())).await;
    }

    pub(crate) async fn cut_off(&self) {
        eventually(async || (!self.is_connected()).then_some(())).await;
    }

    /// Waits until what it wants to share lies in Redis, or does not.
    pub(crate) async fn shared(&self, at_least: u64) {
        eventually(async || (self.metric("fills_total{outcome=\"kept\"}").await >= at_least).then_some(())).await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.keeping_up.abort();
    }
}

/// Replicas over one sandbox and one Redis.
pub(crate) struct Fleet {
    pub(crate) redis: Redis,
    /// Has the sandbox; is no replica itself.
    pub(crate) upstreams: TestApp,
    pub(crate) replicas: Vec<Replica>,
}

impl Fleet {
    /// Replicas that keep what they read for longer than any test takes.
    pub(crate) async fn of(replicas: usize) -> Self {
        Self::with(replicas, |builder| builder).await
    }

    pub(crate) async fn with(replicas: usize, change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::over(Redis::start().await, replicas, change).await
    }

    pub(crate) async fn over(redis: Redis, replicas: usize, change: impl FnOnce(Builder) -> Builder) -> Self {
        let long = "600000";
        let builder = TestApp::builder().set("REDIS_URL", redis.url()).set("REDIS_ENCRYPTION_KEY", KEY);
        let builder = builder.set("CACHE_FRESH_MS", long).set("CACHE_LISTS_FRESH_MS", long);
        // Tests don't take a busy machine for a slow Redis.
        let upstreams = change(builder.set("REDIS_TIMEOUT_MS", "5000")).build().await;
        let mut fleet = Self { redis, upstreams, replicas: Vec::new() };
        for _ in 0..replicas {
            fleet.join().await;
        }
        fleet
    }

    /// One more.
    pub(crate) async fn join(&mut self) -> usize {
        let replica = Replica::of(self.upstreams.config());
        replica.connected().await;
        self.replicas.push(replica);
        self.replicas.len() - 1
    }

    /// Until nothing more comes to Redis from any of them.
    pub(crate) async fn settled(&self) {
        let mut before = None;
        eventually(async || {
            let mut now = 0;
            for replica in &self.replicas {
                now += replica.metric("fills_total{outcome=\"kept\"}").await;
            }
            let is_over = now > 0 && before == Some(now);
            before = Some(now);
            tokio::time::sleep(Duration::from_millis(50)).await;
            is_over.then_some(())
        })
        .await;
    }

    /// How many requests came to both sources since it was last asked.
    pub(crate) fn requests(&self) -> usize {
        let count = self.upstreams.haut_ai().log().len() + self.upstreams.brainstem().log().len();
        self.upstreams.clear_logs();
        count
    }
}
