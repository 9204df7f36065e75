//! The issuer's keys as they are now: read from a file or fetched, kept while they can't be had, and fetched once for all who wait.
//! Knows nothing of tokens.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use jsonwebtoken::Algorithm;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{Verified, fetch::Jwks, key_set::KeySet, nothing_verified};
use crate::{access::file, config::JwksAt};

/// When keys are fetched, and for how long they are good.
#[derive(Clone, Debug)]
pub(super) struct Times {
    /// Between two fetches.
    refresh: Duration,
    /// After one that failed.
    retry: Duration,
    /// The same, where there are no keys at all and callers wait.
    retry_without: Duration,
    /// Between two fetches for keys that tokens name and nobody knows: anybody can name one.
    unknown: Duration,
    /// For so long the last ones are good.
    keep: Duration,
}

impl Default for Times {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            refresh: seconds(600),
            retry: seconds(30),
            retry_without: seconds(5),
            unknown: seconds(30),
            keep: seconds(24 * 3_600),
        }
    }
}

pub(super) struct Issuer {
    at: At,
    algorithms: Vec<Algorithm>,
    times: Times,
    held: RwLock<Option<Held>>,
    fetching: Mutex<Fetching>,
}

enum At {
    File(PathBuf),
    Url(Arc<Jwks>),
}

struct Held {
    keys: Arc<Keys>,
    text: Bytes,
    /// When they were last known to be the issuer's.
    since: Instant,
}

/// The issuer's keys, and the tokens that were verified with them.
pub(super) struct Keys {
    pub(super) set: KeySet,
    pub(super) verified: Verified,
}

#[derive(Default)]
struct Fetching {
    under_way: Option<Shared<BoxFuture<'static, ()>>>,
    /// When the last one ended.
    ended: Option<Instant>,
    /// When one last began because of a key that nobody knew.
    for_unknown: Option<Instant>,
    /// What was wrong with the last one; the log was told.
    fault: Option<String>,
}

/// Why keys are fetched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Refresh,
    NoKeys,
    UnknownKey,
}

impl Issuer {
    /// An error is a fault in the file, or a system without root certificates. Fetches nothing.
    pub(super) fn new(at: &JwksAt, algorithms: Vec<Algorithm>, times: Times) -> anyhow::Result<Self> {
        let (at, text) = match at {
            JwksAt::File(file) => (At::File(file.path.clone().into()), Some(Bytes::from(file.text.to_string()))),
            JwksAt::Url(url) => (At::Url(Arc::new(Jwks::new(url)?)), None),
        };
        let issuer = Self { at, algorithms, times, held: RwLock::default(), fetching: Mutex::default() };
        if let Some(text) = text {
            issuer.take(text).context("JWT_JWKS_FILE")?;
        }
        Ok(issuer)
    }

    /// The keys, where there are any that are still good.
    pub(super) fn held(&self) -> Option<Arc<Keys>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref()?;
        let is_good = matches!(self.at, At::File(_)) || held.since.elapsed() <= self.times.keep;
        is_good.then(|| Arc::clone(&held.keys))
    }

    /// The same, and waits for them where there are none.
    pub(super) async fn keys(self: &Arc<Self>) -> Option<Arc<Keys>> {
        if let Some(keys) = self.held() {
            return Some(keys);
        }
        self.fetch(Occasion::NoKeys).await;
        self.held()
    }

    /// The keys, after they were fetched once more for a key that is not among them, if that may be tried again already.
    pub(super) async fn keys_after_another(self: &Arc<Self>) -> Option<Arc<Keys>> {
        self.fetch(Occasion::UnknownKey).await;
        self.held()
    }

    /// Takes another text of the same file.
    pub(super) fn reload(&self, keys: &JwksAt) -> anyhow::Result<()> {
        if let (At::File(path), JwksAt::File(file)) = (&self.at, keys)
            && path == Path::new(&file.path)
            && let Some(keys) = self.take(Bytes::from(file.text.to_string())).context("JWT_JWKS_FILE")?
        {
            file::tell("JWT_JWKS_FILE", keys);
        }
        Ok(())
    }

    pub(super) async fn keep_up(self: &Arc<Self>) {
        if let At::File(path) = &self.at {
            file::follow("JWT_JWKS_FILE", path, |text| self.take(Bytes::from(text.to_owned()))).await;
            return;
        }
        loop {
            self.fetch(Occasion::Refresh).await;
            let has_failed = self.fetching().fault.is_some();
            sleep(if has_failed { self.times.retry } else { self.times.refresh }).await;
        }
    }

    /// How many keys there are, or why none can be had.
    pub(super) async fn check(&self) -> Result<String, String> {
        let keys = match &self.at {
            At::File(_) => self.held().map_or(0, |keys| keys.set.len()),
            At::Url(jwks) => {
                let set = KeySet::read(&jwks.get().await?, &self.algorithms);
                set.map_err(|fault| format!("{fault:#}"))?.len()
            }
        };
        Ok(format!("{keys} {} for the algorithms in JWT_ALGORITHMS", if keys == 1 { "key" } else { "keys" }))
    }

    /// Waits for the fetch that is under way, or for one that begins now, if one may.
    async fn fetch(self: &Arc<Self>, occasion: Occasion) {
        let under_way = self.begin(occasion);
        if let Some(under_way) = under_way {
            under_way.await;
        }
    }

    fn begin(self: &Arc<Self>, occasion: Occasion) -> Option<Shared<BoxFuture<'static, ()>>> {
        let At::Url(jwks) = &self.at else {
            return None;
        };
        let mut fetching = self.fetching();
        if let Some(under_way) = fetching.under_way.as_ref().filter(|under_way| under_way.peek().is_none()) {
            return Some(under_way.clone());
        }
        let may_begin = |last: Option<Instant>, pause: Duration| last.is_none_or(|last| last.elapsed() >= pause);
        match occasion {
            Occasion::Refresh => {}
            Occasion::NoKeys if may_begin(fetching.ended, self.times.retry_without) => {}
            Occasion::UnknownKey if may_begin(fetching.for_unknown, self.times.unknown) => {
                fetching.for_unknown = Some(Instant::now());
            }
            _ => return None,
        }
        let (issuer, jwks) = (Arc::clone(self), Arc::clone(jwks));
        // A task of its own: whoever began it may go away.
        let task = tokio::spawn(async move {
            let fetched = jwks.get().await.map_err(|fault| anyhow!(fault));
            let outcome = fetched.and_then(|text| issuer.take(text));
            issuer.ended(outcome);
        });
        let under_way = task.map(drop).boxed().shared();
        fetching.under_way = Some(under_way.clone());
        Some(under_way)
    }

    /// Notes how a fetch ended, and tells the log what is new about it.
    fn ended(&self, outcome: anyhow::Result<Option<usize>>) {
        let has_keys = self.held().is_some();
        let mut fetching = self.fetching();
        fetching.under_way = None;
        fetching.ended = Some(Instant::now());
        match outcome {
            Ok(changed) => {
                let had_failed = fetching.fault.take().is_some();
                if let Some(keys) = changed {
                    info!(keys, "the issuer's keys were fetched");
                } else if had_failed {
                    info!("the issuer's keys can be had again");
                }
            }
            Err(fault) => {
                let words = format!("{fault:#}");
                let is_news = fetching.fault.replace(format!("{words} {has_keys}")) != fetching.fault;
                if is_news && has_keys {
                    warn!(fault = words, "JWT_JWKS_URL can't be used: the keys stay as they were");
                } else if is_news {
                    error!(fault = words, "JWT_JWKS_URL can't be used: there are no keys, and nobody is let in");
                }
            }
        }
    }

    /// Takes the keys of a text; gives their number, where it is another text.
    fn take(&self, text: Bytes) -> anyhow::Result<Option<usize>> {
        {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(held) = held.as_mut().filter(|held| held.text == text) {
                held.since = Instant::now();
                return Ok(None);
            }
        }
        let set = KeySet::read(&text, &self.algorithms)?;
        let number = set.len();
        // What was verified with the keys from before is forgotten with them.
        let keys = Arc::new(Keys { set, verified: nothing_verified() });
        let new = Held { keys, text, since: Instant::now() };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
        Ok(Some(number))
    }

    fn fetching(&self) -> MutexGuard<'_, Fetching> {
        // Nothing panics while it is held.
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
