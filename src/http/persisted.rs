//! Documents that clients name instead of sending: the manifest's trusted ones, and those that clients registered
//! themselves (Apollo's automatic persisted queries). One way from an id to a text, for every transport; what the text
//! asks for is not looked at.

mod manifest;

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    sync::Arc,
};

use anyhow::{anyhow, bail};
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
    config::{Config, DocumentLimits, TextFile, Untrusted},
    schema::{
        Specification,
        spec::{is_readable, operation_names, syntax_error},
    },
};

/// How ids say that they are a SHA-256; the same id without it means the same.
const SHA256: &str = "sha256:";

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
    trusted: Option<Trusted>,
    untrusted: Untrusted,
    /// What clients registered, by SHA-256; `None`: they can't.
    registered: Option<Cache<String, Arc<str>>>,
    limits: DocumentLimits,
    /// The SHA-256 of what was logged lately.
    logged: Cache<String, ()>,
    counts: LevelCounts,
}

/// The manifest.
#[derive(Default)]
struct Trusted {
    by_id: HashMap<String, Arc<str>>,
    by_hash: HashMap<String, Arc<str>>,
}

impl Documents {
    /// Reads the manifest, if there is one; a fault in it is told with the key that names it.
    pub(super) fn new(config: &Config, specification: &Specification, counts: LevelCounts) -> anyhow::Result<Self> {
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
        let (limits, logged) = (config.limits.documents, Cache::new(MOST_LOGGED));
        Ok(Self { trusted, untrusted: persisted.untrusted, registered, limits, logged, counts })
    }

    /// The names of the operations in the manifest.
    pub(super) fn operations(&self) -> BTreeSet<String> {
        let texts = self.trusted.iter().flat_map(|trusted| trusted.by_hash.values());
        texts.flat_map(|text| operation_names(text)).collect()
    }

    /// Notes how much clients have registered by now.
    pub(super) fn measure(&self, metrics: &CacheMetrics) {
        if let Some(registered) = &self.registered {
            metrics.set_size("documents", (registered.entry_count(), registered.weighted_size()));
        }
    }

    /// The text that a request means: the one it brings, if it may run, or the one it names. `operation` is for the log.
    pub(super) fn resolve(
        &self,
        text: Option<String>,
        id: Option<&DocumentId>,
        operation: Option<&str>,
    ) -> Result<String, Refusal> {
        match (text, id) {
            (Some(text), id) => {
                self.admit(&text, id, operation)?;
                Ok(text)
            }
            (None, Some(id)) => self.look_up(id).map(|text| (*text).to_owned()).ok_or_else(|| self.unknown()),
            (None, None) => Err(Refusal::bad_input("Expected the query as a non-empty string in `query`.")),
        }
    }

    fn look_up(&self, id: &DocumentId) -> Option<Arc<str>> {
        let trusted = self.trusted.as_ref().and_then(|trusted| trusted.get(id.key()));
        trusted.cloned().or_else(|| {
            let found = self.registered.as_ref()?.get(id.key());
            if found.is_some() { &self.counts.hit } else { &self.counts.missed }.inc();
            found
        })
    }

    /// Checks a text that was sent as such, and registers it where it comes with its hash.
    fn admit(&self, text: &str, id: Option<&DocumentId>, operation: Option<&str>) -> Result<(), Refusal> {
        let given = id.filter(|id| matches!(id, DocumentId::Hash(_))).map(DocumentId::key);
        if self.untrusted == Untrusted::Run && given.is_none() {
            return Ok(());
        }
        let hash = sha256(text);
        let trusted = |id: &str| self.trusted.as_ref().and_then(|trusted| trusted.get(id));
        let is_trusted = trusted(&hash).is_some_and(|known| **known == *text);
        // Apollo's manifests may have other ids, which then stand where the hash should be.
        let is_the_texts = |id: &str| id == hash || trusted(id).is_some_and(|known| **known == *text);
        if !given.is_none_or(is_the_texts) {
            return Err(Refusal::bad_input(
                "provided sha does not match query: expected the query's SHA-256 in lower-case hexadecimal digits.",
            ));
        }
        match self.untrusted {
            _ if is_trusted => return Ok(()),
            Untrusted::Only => return Err(required()),
            Untrusted::Log => self.log(&hash, operation),
            Untrusted::Run => {}
        }
        match &self.registered {
            Some(registered) if given.is_some() => self.register(registered, hash, text),
            _ => {}
        }
        Ok(())
    }

    /// What would not run would only take the place of what does.
    fn register(&self, registered: &Cache<String, Arc<str>>, hash: String, text: &str) {
        if !registered.contains_key(&hash) && is_readable(text, &self.limits) {
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
        let mut trusted = Self::default();
        for document in documents {
            let name = document.to_string();
            let problem = trusted.add(document, specification);
            problem.map_err(|problem| at(format!("{name}: {problem}")))?;
        }
        info!(documents = trusted.by_id.len(), "the manifest of trusted documents was read");
        Ok(trusted)
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

/// In lower-case hexadecimal digits.
fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
