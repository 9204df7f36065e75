//! What the replicas of one gateway share through Redis or Valkey: values that one of them read, and word of what changed.
//!
//! Knows bytes, names and versions, and nothing of what they stand for. A value is kept with the [`Versions`] that it was read
//! under, and Redis refuses it where something changed since. Whoever is told of a change has heard of all before it, or is told
//! to forget everything ([`Heed`]). Redis may be slow, full, gone or another one at any time: then it is as if nothing were
//! shared, and [`Link::Cut`] says that changes are not heard of.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use prometheus_client::registry::Registry;
use redis::{ErrorKind, RedisError, RedisResult, streams::StreamRangeReply};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{Mutex, Notify, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use crate::config;

mod changes;
mod line;
mod metrics;
mod scripts;
mod seal;
mod telling;
mod values;
mod versions;

pub use changes::Heed;
pub use telling::{Told, Untold};
pub use values::{Fill, Found};
pub use versions::Versions;

use changes::Position;
use line::Line;
use metrics::Metrics;
use seal::Seal;
use telling::{Tiding, Tidings};

/// The version of everything that lies in Redis: replicas that speak another one share nothing.
const FORMAT: &str = "sg1";

/// After so many time-outs in a row Redis is left alone.
const MOST_TIME_OUTS: u32 = 3;
/// For so long.
const PAUSE: Duration = Duration::from_secs(5);
/// How long what nobody waits for may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often the operator is told the same.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// Values that wait to be brought to Redis, and changes that wait to be told.
const MOST_WAITING: usize = 10_000;

/// Whether this replica hears of what others change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// There are no others.
    #[default]
    Alone,
    /// It does not: what it keeps may be out of date at any time.
    Cut,
    /// It has heard of everything up to here.
    At(Versions),
}

/// What lies in Redis under a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name([u8; 16]);

/// Redis has no answer now; why is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// The replicas of this gateway, itself among them.
pub struct Replicas {
    urls: Vec<SecretString>,
    timeout: Duration,
    seal: Seal,
    /// Whose changes are whose.
    me: u64,
    keys: Keys,
    line: RwLock<Option<Line>>,
    /// The line has to be opened anew.
    broken: Notify,
    time_outs: AtomicU32,
    /// Pauses in a row.
    pauses: AtomicU32,
    paused_until: RwLock<Option<Instant>>,
    fills: (mpsc::Sender<Fill>, Mutex<mpsc::Receiver<Fill>>),
    tidings: (mpsc::Sender<Tiding>, Mutex<Tidings>),
    /// Changes that are not told yet.
    untold: Arc<AtomicUsize>,
    /// More changed than could be noted: everything counts as changed.
    too_many: std::sync::Mutex<Vec<Untold>>,
    /// Bytes of values that wait to be brought to Redis.
    waiting_bytes: AtomicUsize,
    /// That Redis refuses something, such as that it is full.
    told_of_refusal: Seldom,
    told_of_unreadable: Seldom,
    position: Mutex<Option<Position>>,
    metrics: Arc<Metrics>,
}

/// Where things lie. Those in braces are in one slot of a Cluster.
struct Keys {
    versions: String,
    changes: String,
    /// The beginning of the names of indexes: which values depend on what.
    index: String,
    /// The beginning of the names of values that depend on versions.
    value: String,
    /// The beginning of the names of all else.
    other: String,
}

impl Replicas {
    /// Makes no connection. `fleet` tells those who share from those who happen to use the same Redis.
    pub fn new(config: &config::Redis, fleet: &[u8]) -> Arc<Self> {
        let fleet = URL_SAFE_NO_PAD.encode(&Sha256::digest(fleet)[..9]);
        let keys = Keys {
            versions: format!("{{{FORMAT}:{fleet}}}:versions"),
            changes: format!("{{{FORMAT}:{fleet}}}:changes"),
            index: format!("{{{FORMAT}:{fleet}}}:index:"),
            value: format!("{{{FORMAT}:{fleet}}}:value:"),
            other: format!("{FORMAT}:{fleet}:"),
        };
        let (fills, tidings) = (mpsc::channel(MOST_WAITING), mpsc::channel(MOST_WAITING));
        Arc::new(Self {
            urls: config.urls.clone(),
            timeout: config.timeout,
            seal: Seal::new(&config.key),
            me: uuid::Uuid::new_v4().as_u64_pair().0,
            keys,
            line: RwLock::default(),
            broken: Notify::new(),
            time_outs: AtomicU32::new(0),
            pauses: AtomicU32::new(0),
            paused_until: RwLock::default(),
            fills: (fills.0, Mutex::new(fills.1)),
            tidings: (tidings.0, Mutex::new(Tidings::of(tidings.1))),
            untold: Arc::default(),
            too_many: std::sync::Mutex::default(),
            waiting_bytes: AtomicUsize::new(0),
            told_of_refusal: Seldom::default(),
            told_of_unreadable: Seldom::default(),
            position: Mutex::default(),
            metrics: Metrics::new(),
        })
    }

    /// Keeps up with the others for as long as it is awaited; does not end. In tasks of its own: heeding and bringing take time.
    pub async fn keep_up(self: &Arc<Self>, heed: &Arc<impl Heed>) {
        loop {
            let mut tasks = JoinSet::new();
            let [following, telling, filling] = [(); 3].map(|()| Arc::clone(self));
            let heard = Arc::clone(heed);
            tasks.spawn(async move { following.follow(&*heard).await });
            tasks.spawn(async move { telling.tell_all().await });
            tasks.spawn(async move { filling.fill_all().await });
            // None of them ends, unless it panics; then what is kept can't be trusted.
            tasks.join_next().await;
            heed.stand(Link::Cut);
            error!("keeping up with other replicas broke off, and begins anew");
            tasks.shutdown().await;
            sleep(PATIENCE).await;
        }
    }

    /// A name that tells nothing, for what these parts say in this order.
    pub fn name(&self, parts: &[&[u8]]) -> Name {
        Name(self.seal.name(parts))
    }

    /// Reaches for Redis once, with a connection of its own; gives what answered, in words for the operator.
    ///
    /// # Errors
    ///
    /// Why not, in words for the operator.
    pub async fn check(&self) -> Result<String, String> {
        let words = |error: RedisError| described(&error);
        let mut line = Line::open(&self.urls, PATIENCE).await.map_err(words)?;
        // What every replica does first.
        let _: redis::Value = scripts::STAND
            .key(&self.keys.versions)
            .key(&self.keys.changes)
            .arg(versions::new_epoch())
            .invoke_async(&mut line)
            .await
            .map_err(words)?;
        let last: StreamRangeReply = redis::cmd("XREVRANGE")
            .arg(&self.keys.changes)
            .arg(&["+", "-", "COUNT", "1"])
            .query_async(&mut line)
            .await
            .map_err(words)?;
        let mut answers = "it answers".to_owned();
        if matches!(line, Line::Cluster(_)) {
            answers.push_str("; it is a Cluster");
        }
        if last.ids.iter().any(|entry| self.what(&entry.map).is_none()) {
            answers.push_str("; the last change was told there with another REDIS_ENCRYPTION_KEY");
        }
        Ok(answers)
    }

    /// Whether changes by others are heard of now.
    pub fn is_connected(&self) -> bool {
        self.line.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Makes what is counted part of what is served.
    pub fn register(&self, registry: &mut Registry) {
        self.metrics.register(registry);
    }

    /// Asks Redis something that somebody waits for.
    async fn ask<T>(&self, what: impl AsyncFnOnce(&mut Line) -> RedisResult<T>) -> Result<T, Unavailable> {
        self.ask_for(self.timeout, what).await
    }

    async fn ask_for<T>(
        &self,
        patience: Duration,
        what: impl AsyncFnOnce(&mut Line) -> RedisResult<T>,
    ) -> Result<T, Unavailable> {
        let Some(mut line) = self.line().filter(|_| self.is_asked()) else {
            self.metrics.skipped.inc();
            return Err(Unavailable);
        };
        let asked = Instant::now();
        let answer = timeout(patience, what(&mut line)).await;
        self.metrics.seconds.observe(asked.elapsed().as_secs_f64());
        match answer {
            Ok(Ok(answer)) => {
                self.time_outs.store(0, Ordering::Relaxed);
                self.pauses.store(0, Ordering::Relaxed);
                self.metrics.answered.inc();
                Ok(answer)
            }
            Ok(Err(error)) if error.is_timeout() => Err(self.timed_out()),
            Err(_) => Err(self.timed_out()),
            Ok(Err(error)) => {
                self.metrics.failed.inc();
                if error.is_unrecoverable_error() || error.is_io_error() {
                    self.broken.notify_waiters();
                } else {
                    self.told_of_refusal.tell(|| warn!(error = described(&error), "Redis refuses something"));
                }
                Err(Unavailable)
            }
        }
    }

    fn timed_out(&self) -> Unavailable {
        self.metrics.timed_out.inc();
        if self.time_outs.fetch_add(1, Ordering::Relaxed) + 1 == MOST_TIME_OUTS {
            self.time_outs.store(0, Ordering::Relaxed);
            warn!(seconds = PAUSE.as_secs(), "Redis is too slow: going on without it for a while");
            *self.paused_until.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
            if self.pauses.fetch_add(1, Ordering::Relaxed) > 0 {
                // The connection may be dead although nobody says so.
                self.broken.notify_waiters();
            }
        }
        Unavailable
    }

    /// Whether it would be asked now.
    fn is_asked(&self) -> bool {
        let until = *self.paused_until.read().unwrap_or_else(PoisonError::into_inner);
        self.is_connected() && until.is_none_or(|until| Instant::now() >= until)
    }

    fn line(&self) -> Option<Line> {
        self.line.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new line is a new try.
    fn set_line(&self, line: Option<Line>) {
        self.time_outs.store(0, Ordering::Relaxed);
        *self.paused_until.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = line;
    }
}

/// What went wrong, without what a server may have said of keys and values.
fn described(error: &RedisError) -> String {
    let of_connection = [
        (error.is_timeout(), "it does not answer in time"),
        (error.is_connection_refusal(), "nobody listens there"),
        (error.is_io_error(), "the connection could not be made, or broke"),
        (error.kind() == ErrorKind::AuthenticationFailed, "it wants another user or password"),
    ];
    if let Some((_, words)) = of_connection.into_iter().find(|(applies, _)| *applies) {
        return words.to_owned();
    }
    match error.code() {
        Some(code @ ("NOAUTH" | "WRONGPASS")) => format!("it wants another user or password ({code})"),
        Some(code @ "NOPERM") => format!("the user may not do that ({code})"),
        Some(code) => format!("{} ({code})", error.category()),
        None => error.category().to_owned(),
    }
}

/// What is told the operator at most once in [`TELL_AGAIN`].
#[derive(Default)]
struct Seldom(std::sync::Mutex<Option<Instant>>);

impl Seldom {
    fn tell(&self, tell: impl FnOnce()) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
            *told = Some(Instant::now());
            tell();
        }
    }
}

impl Name {
    fn in_words(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}
