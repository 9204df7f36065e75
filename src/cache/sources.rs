//! The configured sources, each behind its caches.

use std::{
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future;

use super::{
    CachedBrainStem, CachedHautAi, Generations, Lifetimes, Portable, Store,
    answers::{Answers, Identity, Weight},
    fleet::Fleet,
    metrics::CacheMetrics,
    store::Share,
    writes::Stores,
};
use crate::{
    config::{self, Config, Sideload},
    domain::{Procedure, Source, Subject, SubjectId},
    events::Listener,
    replicas::Link,
    sources::{
        Credential, Fault, Malformed, SourceError, UpstreamMetrics,
        brainstem::{BrainStem, ListQuery},
        haut_ai::HautAi,
    },
};

/// How long a write of unknown outcome may still be carried out: longer than any server works on one request.
const WARY_FOR: Duration = Duration::from_secs(60);

/// The configured sources. One that is not configured is absent: its subjects are, too.
pub struct Sources {
    pub haut_ai: Option<CachedHautAi>,
    pub brainstem: Option<CachedBrainStem>,
    /// Whether lists bring related records along. Never where nothing is kept, and they would be lost.
    pub sideload: Sideload,
    /// Records that one page of a list may examine where the gateway itself filters.
    pub max_scan: u64,
    /// Records of one source that a list may read to be sorted.
    pub max_gather: u64,
    /// Reads of the sources that one operation may begin.
    pub max_requests: u64,
    /// Bytes of whole answers that are kept.
    max_answers: u64,
    pub(super) stores: Stores,
    pub(super) generations: Arc<Generations>,
    metrics: CacheMetrics,
    upstream_metrics: UpstreamMetrics,
}

/// What `subject-gateway check` learnt of one source.
pub struct Checked {
    /// `Haut.AI` or `BrainSTEM`.
    pub source: &'static str,
    /// What answered, in words for the operator (no personal data), or what was wrong and what to do about it.
    pub outcome: Result<String, String>,
    pub took: Duration,
}

impl Sources {
    /// Prepares clients and caches; makes no request.
    pub fn new(config: &Config) -> anyhow::Result<Arc<Self>> {
        let config::Cache { max_bytes, records, lists, reference, absent, .. } = config.cache;
        // Zero turns all of it off.
        let max_bytes = if records.fresh.is_zero() { 0 } else { max_bytes };
        let lifetimes = |written| Lifetimes { written, steady: reference, absent };
        let generations = Arc::new(Generations::new(WARY_FOR));
        let (metrics, upstream_metrics) = (CacheMetrics::default(), UpstreamMetrics::default());
        let fleet = Fleet::new(config);
        if fleet.is_some() {
            // Until the others are heard.
            generations.stand(Link::Cut);
        }
        // Where nothing is kept, nothing is shared.
        let shared = fleet.clone().filter(|_| max_bytes > 0);
        let share = |level| Share { fleet: shared.clone(), level };
        // Pages share their records with the first half.
        let stores = Stores {
            records: Store::new(
                max_bytes / 2,
                lifetimes(records),
                &generations,
                share("records"),
                metrics.level_of_sources("records", true),
            ),
            pages: Store::new(
                max_bytes / 4,
                lifetimes(lists),
                &generations,
                share("pages"),
                metrics.level_of_sources("pages", false),
            ),
            events: Arc::default(),
            fleet: fleet.clone(),
        };
        let haut_ai = match &config.haut_ai {
            Some(haut_ai) => {
                let source = HautAi::new(
                    haut_ai,
                    &config.limits,
                    &upstream_metrics,
                    fleet.as_ref().map(|fleet| Arc::clone(fleet.replicas())),
                )?;
                Some(CachedHautAi::new(source, stores.clone()))
            }
            None => None,
        };
        let brainstem = match &config.brainstem {
            Some(brainstem) => {
                let source = BrainStem::new(brainstem, &config.limits, &upstream_metrics)?;
                Some(CachedBrainStem::new(source, stores.clone()))
            }
            None => None,
        };
        let keeps = max_bytes > 0;
        let sideload = config.brainstem.as_ref().filter(|_| keeps);
        let sideload = sideload.map_or(Sideload::Never, |brainstem| brainstem.sideload);
        let config::Limits { max_scan, max_gather, .. } = config.limits;
        let max_answers = max_bytes / 4;
        Ok(Arc::new(Self {
            haut_ai,
            brainstem,
            sideload,
            max_scan,
            max_gather,
            max_requests: config.limits.upstream.requests,
            max_answers,
            stores,
            generations,
            metrics,
            upstream_metrics,
        }))
    }

    /// Whether callers bring their own credentials for one of the sources.
    pub fn take_credentials(&self) -> bool {
        let haut_ai = self.haut_ai.as_ref().is_some_and(|source| source.source().takes_credentials());
        haut_ai || self.brainstem.as_ref().is_some_and(|source| source.source().takes_credentials())
    }

    /// What a caller brought for a source; `None`: callers bring none for it.
    pub fn credential_of(&self, source: Source, given: &[u8]) -> Option<Result<Credential, Malformed>> {
        match source {
            Source::HautAi => {
                let source = self.haut_ai.as_ref().map(CachedHautAi::source);
                source.filter(|source| source.takes_credentials()).map(|source| source.credential_of(given))
            }
            Source::BrainStem => {
                let source = self.brainstem.as_ref().map(CachedBrainStem::source);
                source.filter(|source| source.takes_credentials()).map(|source| source.credential_of(given))
            }
        }
    }

    /// The gateway's own credential for a source, one that is missing where callers bring theirs; `None`: not configured.
    pub fn credential(&self, source: Source) -> Option<&Credential> {
        match source {
            Source::HautAi => self.haut_ai.as_ref().map(|source| source.source().credential()),
            Source::BrainStem => self.brainstem.as_ref().map(|source| source.source().credential()),
        }
    }

    /// Whether a subject lies within what the gateway was configured for; also where that can't be told at the moment, when
    /// it can't be read either.
    pub async fn cover(&self, id: SubjectId) -> bool {
        match (id, &self.haut_ai) {
            (SubjectId::HautAi(id), Some(source)) => source.source().covers(id.dataset_id()).await.unwrap_or(true),
            (SubjectId::HautAi(_), None) => false,
            (SubjectId::BrainStem(_), _) => self.brainstem.is_some(),
        }
    }

    /// A store for whole answers that are made from these sources.
    pub fn answers<K, V>(&self) -> Arc<Answers<K, V>>
    where
        K: Hash + Eq + Clone + Weight + Identity + Send + Sync + 'static,
        V: Weight + Portable,
    {
        let fleet = self.stores.fleet.clone().filter(|_| self.max_answers > 0);
        Answers::new(self.max_answers, &self.generations, fleet, self.metrics.level("answers"))
    }

    /// What the caches count.
    pub fn metrics(&self) -> &CacheMetrics {
        &self.metrics
    }

    /// What is counted of the talk with the upstreams.
    pub fn upstream_metrics(&self) -> &UpstreamMetrics {
        &self.upstream_metrics
    }

    /// Notes how much the stores hold now.
    pub fn measure(&self) {
        self.metrics.set_size("records", self.stores.records.size());
        self.metrics.set_size("pages", self.stores.pages.size());
    }

    /// Everything that happens to subjects from now on.
    pub fn listen(&self) -> Listener {
        self.stores.events.listen()
    }

    /// Reaches every configured source once, side by side.
    pub async fn check(&self) -> Vec<Checked> {
        let haut_ai = async {
            match &self.haut_ai {
                Some(source) => Some(timed(Source::HautAi, check_haut_ai(source.source())).await),
                None => None,
            }
        };
        let brainstem = async {
            match &self.brainstem {
                Some(source) => Some(timed(Source::BrainStem, check_brainstem(source.source())).await),
                None => None,
            }
        };
        let (haut_ai, brainstem) = Box::pin(future::join(haut_ai, brainstem)).await;
        haut_ai.into_iter().chain(brainstem).collect()
    }
}

async fn timed(source: Source, check: impl Future<Output = Result<String, String>>) -> Checked {
    let started = Instant::now();
    let outcome = check.await;
    Checked { source: source.title(), outcome, took: started.elapsed() }
}

/// What can be told of a server without a credential for it.
fn reached(status: Result<u16, SourceError>) -> Result<String, String> {
    let words =
        |status| format!("it answers (status {status}); callers bring their own credentials, so no more was asked");
    status.map(words).map_err(|error| error.fault.to_string())
}

async fn check_haut_ai(source: &HautAi) -> Result<String, String> {
    if source.takes_credentials() {
        return reached(source.reach().await);
    }
    let company = source.company().await.map_err(|error| error.fault.to_string())?;
    let datasets = source.datasets(source.credential()).await.map_err(|error| error.fault.to_string())?;
    let configured = source.configured_datasets().map_or(datasets.len(), <[_]>::len);
    match configured.saturating_sub(datasets.len()) {
        0 => Ok(format!("company {company}, {} datasets", datasets.len())),
        missing => Err(format!("company {company} has not {missing} of the datasets in HAUT_AI_DATASET_IDS")),
    }
}

async fn check_brainstem(source: &BrainStem) -> Result<String, String> {
    if source.takes_credentials() {
        return reached(source.reach().await);
    }
    let (own, query) = (source.credential(), ListQuery::default());
    let subjects = source.page::<Subject>(own, &query, 0, 1).await.map_err(|error| error.fault.to_string())?;
    // The list whose address tells one generation from the other.
    match source.page::<Procedure>(own, &query, 0, 1).await {
        Err(error) if error.fault == Fault::Status(404) => {
            return Err("it has subjects, but no list of procedures; is BRAINSTEM_GENERATION right?".to_owned());
        }
        outcome => outcome.map_err(|error| error.fault.to_string())?,
    };
    Ok(match subjects.page.total {
        Some(total) => format!("{total} subjects to be seen"),
        None => "subjects can be listed; the server does not count them".to_owned(),
    })
}
