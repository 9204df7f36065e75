//! Replicas over one Redis: how soon one sees what another wrote, with Redis and without, and what sharing saves and costs.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use redis::{Client, FromRedisValue, aio::MultiplexedConnection};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    Bench,
    client::Connection,
    cold::FAR,
    process::{Process, free_address},
    queries::{Q1, Request},
    report::{Table, number, progress},
    servers::{self, WARM},
    units::millis,
    upstreams::Upstreams,
};

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PATH: &str = "/graphql";
/// How long a replica may take to be connected, or to share what it read.
const SETTLES: Duration = Duration::from_millis(300);
/// Longer than a replica without Redis serves what it kept.
const PATIENCE: Duration = Duration::from_secs(10);

/// A `redis-server`; ends with its owner.
struct Redis {
    child: Child,
    url: String,
}

impl Redis {
    async fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new("redis-server");
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &address.port().to_string(),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            command.spawn().context("redis-server could not be started; on Debian: apt-get install redis-server")?;
        let redis = Self { child, url: format!("redis://{address}") };
        let began = Instant::now();
        while redis.connect().await.is_err() {
            ensure!(began.elapsed() < PATIENCE, "redis-server does not answer");
            sleep(Duration::from_millis(5)).await;
        }
        Ok(redis)
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        Client::open(self.url.as_str())?.get_multiplexed_async_connection().await
    }

    async fn ask<T: FromRedisValue>(&self, command: &[&str]) -> anyhow::Result<T> {
        let mut asked = redis::cmd(command[0]);
        for word in &command[1..] {
            asked.arg(word);
        }
        Ok(asked.query_async(&mut self.connect().await?).await?)
    }

    /// A number of `INFO`.
    async fn info(&self, name: &str) -> anyhow::Result<f64> {
        let info: String = self.ask(&["INFO", "everything"]).await?;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.with_context(|| format!("INFO has no {name}"))?.trim().parse()?)
    }

    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        ensure!(sent.success(), "the signal could not be sent");
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One replica, and a connection to it.
struct Replica {
    process: Process,
    connection: Connection,
}

impl Replica {
    async fn start(upstreams: &Upstreams, redis: Option<&Redis>) -> anyhow::Result<Self> {
        let mut variables = WARM.to_vec();
        if let Some(redis) = redis {
            variables.extend([("REDIS_URL", redis.url.as_str()), ("REDIS_ENCRYPTION_KEY", KEY)]);
        }
        let process = servers::gateway(upstreams, &variables).await?;
        let connection = Connection::open(process.address).await?;
        Ok(Self { process, connection })
    }

    async fn ask(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut request = Request::post(path, body);
        Ok(serde_json::from_slice(self.connection.exchange(request.numbered(0)).await?)?)
    }

    async fn read(&mut self, id: &str) -> anyhow::Result<String> {
        let query = format!("{{ node(id: \"{id}\") {{ ... on Subject {{ description }} }} }}");
        let answer = self.ask(PATH, &json!({ "query": query })).await?;
        Ok(answer["data"]["node"]["description"].as_str().unwrap_or_default().to_owned())
    }

    async fn write(&mut self, id: &str, text: &str) -> anyhow::Result<()> {
        let query = "mutation($id: ID!, $text: String!) { \
            subjectUpdate(id: $id, input: {brainStem: {description: $text}}) { userErrors { code } } }";
        let answer = self.ask(PATH, &json!({"query": query, "variables": {"id": id, "text": text}})).await?;
        ensure!(answer.get("errors").is_none(), "the write failed: {answer}");
        Ok(())
    }

    /// How long from now until it serves this.
    async fn until(&mut self, id: &str, text: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        while self.read(id).await? != text {
            ensure!(began.elapsed() < PATIENCE, "it is never seen");
        }
        Ok(began.elapsed())
    }
}

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<()> {
    staleness(bench).await?;
    sharing(bench).await
}

/// How long after a write was answered by one replica another one serves it.
async fn staleness(bench: &Bench) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let redis = Redis::start().await?;
    let mut writer = Replica::start(&upstreams, Some(&redis)).await?;
    let mut reader = Replica::start(&upstreams, Some(&redis)).await?;
    let first = json!({"query": "{ subjects(first: 1, filter: {sources: [BRAINSTEM]}) { nodes { id } } }"});
    let listed = reader.ask(PATH, &first).await?;
    let id = listed["data"]["subjects"]["nodes"][0]["id"].as_str().context("there is no subject")?;
    let mut table =
        Table::new(&["a write is seen through another replica", "writes", "median ms", "p99 ms", "longest ms"]);
    for (how, times) in [("Redis answers", 500), ("Redis hangs", 5), ("Redis has ended", 1)] {
        progress(&format!("replicas, {how}"));
        let mut taken = Vec::new();
        for number in 0..if bench.is_quick { times.min(3) } else { times } {
            if how == "Redis answers" {
                sleep(Duration::from_millis(2)).await;
            } else {
                redis.signal("-CONT")?;
                // Both hear again, and have what was.
                sleep(SETTLES * 10).await;
            }
            reader.read(id).await?;
            match how {
                "Redis hangs" => redis.signal("-STOP")?,
                "Redis has ended" => redis.signal("-KILL")?,
                _ => {}
            }
            let text = format!("{how} {number}");
            writer.write(id, &text).await?;
            taken.push(reader.until(id, &text).await?);
        }
        taken.sort_unstable();
        let at = |percent: usize| millis(taken[(taken.len() * percent / 100).min(taken.len() - 1)]);
        table.row([how.to_owned(), taken.len().to_string(), at(50), at(99), at(100)]);
    }
    bench.report.table("staleness", "How soon a replica sees what was written through another", &table)
}

/// What a cold Q1 takes by itself, and where another replica has read it.
async fn sharing(bench: &Bench) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let mut table = Table::new(&[
        "Q1, upstream 50 ms",
        "median ms",
        "upstream requests",
        "CPU µs of the replica",
        "commands of Redis",
        "values in Redis",
        "KiB in Redis",
    ]);
    let redis = Redis::start().await?;
    upstreams.set_latency(FAR);
    let ways: [(&str, bool, bool); 4] = [
        ("cold, no Redis", false, true),
        ("cold, brought to Redis", true, true),
        ("the same again, through another replica", true, false),
        ("another document of the same records, through another replica", true, false),
    ];
    for (name, with_redis, is_cold) in ways {
        progress(&format!("replicas, {name}"));
        let (mut taken, mut requests, mut commands, mut processor) = (Vec::new(), 0, 0.0, Duration::ZERO);
        let (mut values, mut bytes) = (0.0, 0.0);
        let rounds = bench.repeats.min(20);
        for _ in 0..rounds {
            let redis = Some(&redis).filter(|_| with_redis);
            if let Some(redis) = redis {
                let _: () = redis.ask(&["FLUSHALL"]).await?;
            }
            let mut asked = Replica::start(&upstreams, redis).await?;
            sleep(SETTLES).await;
            let empty = match redis {
                Some(redis) => redis.info("used_memory_dataset").await?,
                None => 0.0,
            };
            if !is_cold {
                let mut first = Replica::start(&upstreams, redis).await?;
                sleep(SETTLES).await;
                first.ask(PATH, &Q1.identical()).await?;
                sleep(SETTLES).await;
            }
            // Connections to the upstreams are open, as they are under load.
            asked.ask(PATH, &json!({"query": "{ datasets { id } projects(first: 1) { nodes { id } } }"})).await?;
            upstreams.take_log();
            let body = if name.starts_with("another") { renamed(&Q1.identical()) } else { Q1.identical() };
            let before = match redis {
                Some(redis) => redis.info("total_commands_processed").await?,
                None => 0.0,
            };
            let used = asked.process.processor_time();
            let began = Instant::now();
            asked.ask(PATH, &body).await?;
            taken.push(began.elapsed());
            requests += upstreams.count();
            if let Some(redis) = redis {
                sleep(SETTLES).await;
                commands += redis.info("total_commands_processed").await? - before;
                values += redis.ask::<f64>(&["DBSIZE"]).await?;
                bytes += redis.info("used_memory_dataset").await? - empty;
            }
            processor += asked.process.processor_time().saturating_sub(used);
        }
        taken.sort_unstable();
        let each = |sum: f64| number((sum / f64::from(rounds)).round());
        table.row([
            name.to_owned(),
            millis(taken[taken.len() / 2]),
            each(f64::from(requests)),
            each(processor.as_secs_f64() * 1e6),
            each(commands),
            each(values),
            each(bytes / 1024.0),
        ]);
    }
    upstreams.set_latency(Duration::ZERO);
    bench.report.table("sharing", "What sharing saves and costs", &table)
}

fn renamed(body: &Value) -> Value {
    let query = body["query"].as_str().unwrap_or_default().replacen("query Q1", "query Another", 1);
    json!({ "query": query })
}
