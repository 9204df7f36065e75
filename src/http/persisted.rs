//! Documents that clients name instead of sending: the manifest's trusted ones, and those that clients registered
//! themselves (Apollo's automatic persisted queries). One way from an id to a text, for every transport; what the text
//! asks for is not looked at.

mod manifest;

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{anyhow, bail};
use arc_swap::ArcSwap;
use axum::http::StatusCode;
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use self::manifest::Document;
use super::{
    answer::{Refusal, code},
    layers::is_name,
};
use crate::{
    cache::{CacheMetrics, LevelCounts},
    config::{Config, DocumentLimits, Persisted, TextFile, Untrusted},
    replicas::Replicas,
    schema::{
        Specification,
        spec::{is_readable, operation_names, syntax_error},
    },
};

/// How ids say that they are a SHA-256; the same id without it means the same.
const SHA256: &str = "sha256:";

/// What registered documents are called among replicas.
const SHARED: &str = "documents";

/// How long replicas share one. A client that finds it forgotten sends it again.
const SHARED_FOR: Duration = Duration::from_secs(86_400);

/// Bytes counted for what a registered document takes beside its text.
const OVERHEAD: usize = 256;

/// How many documents are remembered as logged. Past it some are logged again, and none is kept for good.
const MOST_LOGGED: u64 = 10_000;

/// How a client names a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DocumentId {
    /// By whatever id its tools gave it.
    Custom(String),
    /// By the hash of automatic persisted queries, or an id of Apollo's manifest in its place.
    Hash(String),
}

impl DocumentId {
    /// As the maps have it.
    fn key(&self) -> &str {
        let (Self::Custom(id) | Self::Hash(id)) = self;
        bare(id)
    }
}

/// The documents that clients can name, and which others may run.
pub(super) struct Documents {
    /// `None`: there is no manifest.
    trusted: Option<ArcSwap<Trusted>>,
    /// The manifest's, to be had without it.
    version: AtomicU64,
    untrusted: Untrusted,
    /// What clients registered, by SHA-256; `None`: they can't.
    registered: Option<Cache<String, Arc<str>>>,
    limits: ArcSwap<DocumentLimits>,
    /// The SHA-256 of what was logged lately.
    logged: Cache<String, ()>,
    /// `None`: what is registered here is known here alone.
    replicas: Option<Arc<Replicas>>,
    counts: LevelCounts,
}

/// The manifest.
#[derive(Default)]
pub(super) struct Trusted {
    path: String,
    /// Of the manifest's text: the first bytes of its SHA-256.
    version: u64,
    by_id: HashMap<String, Arc<str>>,
    by_hash: HashMap<String, Arc<str>>,
}

impl Documents {
    /// Reads the manifest, if there is one; a fault in it is told with the key that names it.
    pub(super) fn new(
        config: &Config,
        specification: &Specification,
        replicas: Option<Arc<Replicas>>,
        counts: LevelCounts,
    ) -> anyhow::Result<Self> {
        let persisted = &config.gateway.persisted;
        let trusted = persisted.manifest.as_ref().map(|file| Trusted::read(file, specification)).transpose()?;
        let registered = persisted.automatic.then(|| {
            let weight =
                |id: &String, text: &Arc<str>| u32::try_from(id.len() + text.len() + OVERHEAD).unwrap_or(u32::MAX);
            let evicted = counts.clone();
            let evicted = move |_, _, cause| evicted.removed(cause);
            Cache::builder()
                .max_capacity(config.cache.persisted_bytes)
                .weigher(weight)
                .eviction_listener(evicted)
                .build()
        });
        let version = trusted.as_ref().map_or(0, Trusted::tell).into();
        let trusted = trusted.map(ArcSwap::from_pointee);
        let (limits, logged) = (ArcSwap::from_pointee(config.limits.documents), Cache::new(MOST_LOGGED));
        Ok(Self { trusted, version, untrusted: persisted.untrusted, registered, limits, logged, replicas, counts })
    }

    /// What the manifest says now, where it is the one that was there at the start and has another text.
    pub(super) fn read_anew(
        &self,
        persisted: &Persisted,
        specification: &Specification,
    ) -> anyhow::Result<Option<Trusted>> {
        let (Some(trusted), Some(file)) = (&self.trusted, &persisted.manifest) else { return Ok(None) };
        let known = trusted.load();
        let is_news = known.path == file.path && known.version != version_of(&file.text);
        is_news.then(|| Trusted::read(file, specification)).transpose()
    }

    /// From now on these documents may be named, and texts are held to these limits.
    pub(super) fn hold_to(&self, manifest: Option<Trusted>, limits: DocumentLimits) {
        self.limits.store(Arc::new(limits));
        if let (Some(trusted), Some(manifest)) = (&self.trusted, manifest) {
            let version = manifest.tell();
            trusted.store(Arc::new(manifest));
            // Only now: what is asked under the new version finds the new documents.
            self.version.store(version, Ordering::Release);
        }
    }

    /// A number for the manifest; the same for the same text, and 0 where there is none.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn trusted(&self, id: &str) -> Option<Arc<str>> {
        self.trusted.as_ref()?.load().get(id).cloned()
    }

    /// The names of the operations in the manifest.
    pub(super) fn operations(&self) -> BTreeSet<String> {
        let trusted = self.trusted.as_ref().map(ArcSwap::load_full);
        let texts = trusted.iter().flat_map(|trusted| trusted.by_hash.values());
        texts.flat_map(|text| operation_names(text)).collect()
    }

    /// Notes how much clients have registered by now.
    pub(super) fn measure(&self, metrics: &CacheMetrics) {
        if let Some(registered) = &self.registered {
            metrics.set_size("documents", (registered.entry_count(), registered.weighted_size()));
        }
    }

    /// The text that a request means: the one it brings, if it may run, or the one it names. `operation` is for the log.
    pub(super) async fn resolve(
        &self,
        text: Option<String>,
        id: Option<&DocumentId>,
        operation: Option<&str>,
    ) -> Result<String, Refusal> {
        match (text, id) {
            (Some(text), id) => {
                if let Some(hash) = self.admit(&text, id, operation)? {
                    self.register(hash, &text).await;
                }
                Ok(text)
            }
            (None, Some(id)) => {
                let text = match self.look_up(id) {
                    Some(text) => Some(text),
                    None => self.registered_elsewhere(id.key()).await,
                };
                text.map(|text| (*text).to_owned()).ok_or_else(|| self.unknown())
            }
            (None, None) => Err(Refusal::bad_input("Expected the query as a non-empty string in `query`.")),
        }
    }

    fn look_up(&self, id: &DocumentId) -> Option<Arc<str>> {
        self.trusted(id.key()).or_else(|| {
            let found = self.registered.as_ref()?.get(id.key());
            if found.is_some() { &self.counts.hit } else { &self.counts.missed }.inc();
            found
        })
    }

    /// What a client registered with another replica.
    async fn registered_elsewhere(&self, hash: &str) -> Option<Arc<str>> {
        let (registered, replicas) = self.registered.as_ref().zip(self.replicas.as_ref())?;
        let found = replicas.get(SHARED, replicas.name(&[hash.as_bytes()])).await?;
        let text: Arc<str> = String::from_utf8(found).ok().filter(|text| sha256(text) == hash)?.into();
        registered.insert(hash.to_owned(), Arc::clone(&text));
        Some(text)
    }

    /// Checks a text that was sent as such; gives its hash where it came with it, and is to be registered.
    fn admit(&self, text: &str, id: Option<&DocumentId>, operation: Option<&str>) -> Result<Option<String>, Refusal> {
        let given = id.filter(|id| matches!(id, DocumentId::Hash(_))).map(DocumentId::key);
        if self.untrusted == Untrusted::Run && given.is_none() {
            return Ok(None);
        }
        let hash = sha256(text);
        let is_trusted = self.trusted(&hash).is_some_and(|known| *known == *text);
        // Apollo's manifests may have other ids, which then stand where the hash should be.
        let is_the_texts = |id: &str| id == hash || self.trusted(id).is_some_and(|known| *known == *text);
        if !given.is_none_or(is_the_texts) {
            return Err(Refusal::bad_input(
                "provided sha does not match query: expected the query's SHA-256 in lower-case hexadecimal digits.",
            ));
        }
        match self.untrusted {
            _ if is_trusted => return Ok(None),
            Untrusted::Only => return Err(required()),
            Untrusted::Log => self.log(&hash, operation),
            Untrusted::Run => {}
        }
        Ok(given.is_some().then_some(hash))
    }

    /// What would not run would only take the place of what does.
    async fn register(&self, hash: String, text: &str) {
        let Some(registered) = &self.registered else { return };
        if !registered.contains_key(&hash) && is_readable(text, &self.limits.load()) {
            if let Some(replicas) = &self.replicas {
                let name = replicas.name(&[hash.as_bytes()]);
                replicas.set(SHARED, name, text.as_bytes(), SHARED_FOR).await;
            }
            registered.insert(hash, text.into());
            // By itself moka throws out only now and then, and a text may be as long as a body.
            registered.run_pending_tasks();
        }
    }

    /// An id that leads nowhere. Clients know both messages: after the first they send the text as well, after the second
    /// they send no ids any more.
    fn unknown(&self) -> Refusal {
        let (code, message) = if self.trusted.is_none() && self.registered.is_none() {
            (code::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
        } else {
            (code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
        };
        Refusal::new(StatusCode::OK, code, message)
    }

    /// Never the text, which may hold personal data as literals.
    fn log(&self, hash: &str, operation: Option<&str>) {
        if self.logged.entry_by_ref(hash).or_insert(()).is_fresh() {
            let operation = operation.filter(|name| is_name(name));
            info!(sha256 = hash, operation, "a document that is not in the manifest");
        }
    }
}

fn required() -> Refusal {
    let message = "This gateway runs trusted documents alone: expected the id of one, or its very text.";
    Refusal::new(StatusCode::OK, code::PERSISTED_QUERY_REQUIRED, message)
}

impl Trusted {
    fn read(file: &TextFile, specification: &Specification) -> anyhow::Result<Self> {
        let at = |problem: String| anyhow!("GATEWAY_TRUSTED_DOCUMENTS_FILE ({}): {problem}", file.path);
        let documents = manifest::read(&file.text).map_err(at)?;
        let mut trusted = Self { path: file.path.clone(), version: version_of(&file.text), ..Self::default() };
        for document in documents {
            let name = document.to_string();
            let problem = trusted.add(document, specification);
            problem.map_err(|problem| at(format!("{name}: {problem}")))?;
        }
        Ok(trusted)
    }

    /// Notes that it counts from now on; gives its version.
    fn tell(&self) -> u64 {
        info!(documents = self.by_id.len(), "the manifest of trusted documents was read");
        self.version
    }

    fn add(&mut self, document: Document, specification: &Specification) -> anyhow::Result<()> {
        if let Some(error) = syntax_error(&document.text) {
            bail!("{error}");
        }
        // Clients of yesterday must not keep the gateway of today from starting.
        if let Some(error) = specification.first_error(&document.text) {
            warn!(%document, %error, "a trusted document does not fit the schema");
        }
        let text: Arc<str> = document.text.into();
        self.by_hash.insert(sha256(&text), Arc::clone(&text));
        match self.by_id.insert(bare(&document.id).to_owned(), Arc::clone(&text)) {
            Some(other) if other != text => bail!("another document has the same id"),
            _ => Ok(()),
        }
    }

    fn get(&self, key: &str) -> Option<&Arc<str>> {
        self.by_hash.get(key).or_else(|| self.by_id.get(key))
    }
}

fn bare(id: &str) -> &str {
    id.strip_prefix(SHA256).unwrap_or(id)
}

fn version_of(text: &str) -> u64 {
    Sha256::digest(text).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// In lower-case hexadecimal digits.
fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
