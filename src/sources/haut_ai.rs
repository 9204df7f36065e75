//! Haut.AI: people whose skin is imaged.
//!
//! Everything lies under `/api/v1/companies/{company}/datasets/{dataset}/`; lists are paged by `page` and `page_size`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use url::Url;
use uuid::Uuid;

use super::{
    ByCredential, Credential, Fault, Malformed, SourceError, Traffic, UpstreamMetrics, accept,
    client::{Answer, Bounds, Request, UpstreamClient},
    is_past_the_end,
    paging::{MAX_PAGE, PAGES_DO_NOT_FOLLOW, Page, PageCap, Weighed, covering_page, window},
    wire::{Whole, record},
};
use crate::{
    config::{self, Limits},
    domain::{BiologicalSex, Dataset, DatasetId, HautAiSubjectId, Source, Subject, SubjectFilter, filter::NameFilter},
    replicas::Replicas,
};

mod access;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use access::Access;
pub use write::MAX_BULK;

/// Characters that are searched for; a longer text might not fit into a request line.
const MAX_SEARCH: usize = 200;

/// A walk that never ends otherwise.
pub(crate) const SAME_AGAIN: &str = "its list gives the same records again and again";

/// The client of Haut.AI.
pub struct HautAi {
    client: UpstreamClient,
    base: Url,
    access: Access,
    company: Option<Uuid>,
    datasets: Option<Vec<Uuid>>,
    sexes_path: String,
    q_covers_name: bool,
    credential: Credential,
    traffic: Traffic,
    page_caps: ByCredential<PageCap>,
    /// GET of one subject is inferred, not documented: the server said that it does not have it.
    lacks_detail: AtomicBool,
}

/// What asking for one subject gave.
pub enum Detail {
    There(Weighed<Subject>),
    Absent,
    /// The server has no such request: the subject has to be found by listing its dataset.
    NotServed,
}

#[derive(Deserialize)]
struct ListAnswer<'a> {
    #[serde(default)]
    count: Whole,
    /// `None`: the key is missing, which is not the same as null.
    #[serde(default, borrow, deserialize_with = "given")]
    next: Option<&'a RawValue>,
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

impl HautAi {
    /// Prepares the client; makes no request.
    /// `replicas`: with whom a login is shared.
    pub fn new(
        config: &config::HautAi,
        limits: &Limits,
        metrics: &UpstreamMetrics,
        replicas: Option<Arc<Replicas>>,
    ) -> anyhow::Result<Self> {
        let bounds = Bounds { timeout: config.timeout, limits: &limits.upstream };
        Ok(Self {
            client: UpstreamClient::new(Source::HautAi, &config.url, &bounds, metrics)?,
            base: config.url.clone(),
            access: Access::new(config, replicas)?,
            company: config.company_id,
            datasets: config.dataset_ids.clone(),
            sexes_path: config.biological_sexes_path.clone(),
            q_covers_name: config.q_covers_name,
            credential: access::credential(config),
            traffic: Traffic::default(),
            page_caps: ByCredential::default(),
            lacks_detail: AtomicBool::new(false),
        })
    }

    /// The gateway's own credential; one that is missing where callers bring theirs.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether callers bring their own credentials.
    pub fn takes_credentials(&self) -> bool {
        self.access.takes_credentials()
    }

    /// What a caller brought for it.
    pub fn credential_of(&self, given: &[u8]) -> Result<Credential, Malformed> {
        Credential::brought(Source::HautAi, "", access::SCHEME, given)
    }

    /// Whether the server answers at all, whatever it says to one who shows nothing: the status.
    pub async fn reach(&self) -> Result<u16, SourceError> {
        let answer = self.client.send(&Request::get(self.url(&["companies"]), None)).await?;
        Ok(answer.status.as_u16())
    }

    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// For how long it is not asked, because it failed too often; `None`: it is.
    pub fn paused_for(&self) -> Option<Duration> {
        self.client.paused_for()
    }

    /// The company whose records these are: configured, or told by the login.
    pub async fn company(&self) -> Result<Uuid, SourceError> {
        match self.company {
            Some(company) => Ok(company),
            None => self.access.company(self).await,
        }
    }

    /// The datasets to keep to; `None`: every dataset of the company.
    pub fn configured_datasets(&self) -> Option<&[Uuid]> {
        self.datasets.as_deref()
    }

    /// Whether an id lies within the company and the datasets that the gateway was configured for. One that does not
    /// reads as not there, and no request is made for it.
    pub async fn covers(&self, id: DatasetId) -> Result<bool, SourceError> {
        let configured = self.datasets.as_ref().is_none_or(|datasets| datasets.contains(&id.dataset));
        Ok(configured && self.company().await? == id.company)
    }

    /// The company's datasets, in the order of the configuration or else the server's.
    pub async fn datasets(&self, credential: &Credential) -> Result<Vec<Dataset>, SourceError> {
        let company = self.company().await?;
        let (mut found, mut at) = (Vec::<Dataset>::new(), 0);
        loop {
            let read = window(Source::HautAi, at, MAX_PAGE, |at, count| async move {
                let url = self.url(&["companies", &company.to_string(), "datasets"]);
                let read = |json: &str| wire::dataset(record(json).ok()?, company);
                let page = self.page(credential, url, (at, count), read).await?;
                Ok(Arc::new(page))
            });
            let read = read.await?;
            let before = found.len();
            for (_, item) in read.items {
                if found.iter().all(|known| known.id != item.record.id) {
                    found.push((*item.record).clone());
                }
            }
            if read.follows == Some(false) {
                break;
            }
            if found.len() == before {
                return Err(error(Fault::Invalid(SAME_AGAIN)));
            }
            at = read.end;
        }
        let Some(configured) = &self.datasets else {
            return Ok(found);
        };
        let listed = |dataset: &Uuid| found.iter().find(|found| found.id.dataset == *dataset).cloned();
        Ok(configured.iter().filter_map(listed).collect())
    }

    /// A page that holds the subject at `at` of a dataset, and as many as it can of the `count` from there on.
    pub async fn subjects(
        &self,
        credential: &Credential,
        dataset: DatasetId,
        search: Option<&str>,
        at: u64,
        count: u64,
    ) -> Result<Page<Subject>, SourceError> {
        let url = self.list_url(dataset, search);
        self.page(credential, url, (at, count), |json| wire::subject(record(json).ok()?, dataset)).await
    }

    /// What makes one read of [`subjects`](Self::subjects) the same as another: the list's URL and the stretch.
    pub fn subjects_identity(&self, dataset: DatasetId, search: Option<&str>, at: u64, count: u64) -> String {
        format!("{}#{at}+{count}", self.list_url(dataset, search))
    }

    /// What the server is to search for, and the rest of the filter, which it can't do. What the server searches is not
    /// documented: a name that it finds is compared once more, and what it should find only where it is trusted to.
    pub fn push_down(&self, filter: &SubjectFilter) -> (Option<String>, SubjectFilter) {
        // The datasets are told by the URL.
        let mut rest = SubjectFilter { sources: None, datasets: None, ..filter.clone() };
        let search = rest.search.take().or_else(|| searchable(&rest.name).filter(|_| self.q_covers_name));
        (search, rest)
    }

    /// One subject by its own URL.
    pub async fn subject(&self, credential: &Credential, id: HautAiSubjectId) -> Result<Detail, SourceError> {
        if self.lacks_detail.load(Ordering::Relaxed) {
            return Ok(Detail::NotServed);
        }
        self.traffic.watch(self.detail(credential, id)).await
    }

    async fn detail(&self, credential: &Credential, id: HautAiSubjectId) -> Result<Detail, SourceError> {
        let answer = self.send(credential, &self.subjects_url(id.dataset_id(), Some(id.subject))).await?;
        if answer.status.as_u16() == 405 {
            self.lacks_detail.store(true, Ordering::Relaxed);
            return Ok(Detail::NotServed);
        }
        let Some(body) = accept(answer).map_err(error)? else {
            return Ok(Detail::Absent);
        };
        let text = std::str::from_utf8(&body).map_err(|_| error(Fault::Invalid("it is not UTF-8")))?;
        let read = record(text).ok().and_then(|wire| wire::subject(wire, id.dataset_id()));
        match read {
            Some(subject) if subject.source_id() == id.subject => Ok(Detail::There(Weighed::new(subject, text.len()))),
            Some(_) => Err(error(Fault::Invalid("it is another record than the one asked for"))),
            None => Err(error(Fault::Invalid("its record has no readable id"))),
        }
    }

    /// The dictionary of biological sexes; `None` where the server has none at the configured path, which is not
    /// documented.
    pub async fn biological_sexes(&self, credential: &Credential) -> Result<Option<Vec<BiologicalSex>>, SourceError> {
        self.traffic.watch(self.dictionary(credential)).await
    }

    async fn dictionary(&self, credential: &Credential) -> Result<Option<Vec<BiologicalSex>>, SourceError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), self.sexes_path.trim_start_matches('/')));
        let Some(body) = accept(self.send(credential, &url).await?).map_err(error)? else {
            return Ok(None);
        };
        // A bare list, or one page that is not told to be paged.
        let entries: Vec<&RawValue> = serde_json::from_slice(&body)
            .or_else(|_| serde_json::from_slice::<ListAnswer<'_>>(&body).map(|answer| answer.results))
            .map_err(|_| error(Fault::Invalid("the dictionary is no list")))?;
        Ok(Some(entries.iter().filter_map(|entry| wire::biological_sex(record(entry.get()).ok()?)).collect()))
    }

    /// The page of any list that holds the record at `at`, or the list's end.
    async fn page<T>(
        &self,
        credential: &Credential,
        url: Url,
        (at, count): (u64, u64),
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Page<T>, SourceError> {
        // Again where the server cuts its pages to a size that it told only now.
        for _ in 0..3 {
            let page = self.traffic.watch(self.numbered_page(credential, url.clone(), (at, count), &read)).await?;
            if let Some(page) = page.filter(|page| page.holds(at) || page.is_end()) {
                return Ok(page);
            }
        }
        Err(error(PAGES_DO_NOT_FOLLOW))
    }

    /// `None`: where the page stands is not certain, and another size has to be asked for.
    async fn numbered_page<T>(
        &self,
        credential: &Credential,
        mut url: Url,
        (at, count): (u64, u64),
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<Page<T>>, SourceError> {
        let page_cap = self.page_caps.of(credential.id);
        let (number, size) = covering_page(at, count, page_cap.get());
        let start = (number - 1) * size;
        url.query_pairs_mut().append_pair("page", &number.to_string()).append_pair("page_size", &size.to_string());
        let answer = self.send(credential, &url).await?;
        if number > 1 && is_past_the_end(&answer) {
            return Ok(Some(Page::nothing_at(start)));
        }
        let body = accept(answer).map_err(error)?.ok_or_else(|| error(Fault::Status(404)))?;
        let list: ListAnswer<'_> = parse(&body, "it is no list of records")?;
        let items: Vec<_> = list.results.iter().map(|json| weigh(read(json.get()), json.get().len())).collect();
        let came = items.len() as u64;
        let total = total(list.count);
        let follows = match list.next {
            Some(next) => next.get() != "null",
            None => came > 0 && total.is_some_and(|total| start.saturating_add(came) < total),
        };
        // A server that cuts pages without a word numbers them by its own size: the one that came, or, on the last page, the
        // one that divides what lies before. All but the first stand elsewhere then.
        let before = total.unwrap_or(0).saturating_sub(came);
        let own_size = match number - 1 {
            _ if follows => came,
            0 => 0,
            pages if before.is_multiple_of(pages) => before / pages,
            _ => 0,
        };
        if came < size && (1..size).contains(&own_size) {
            page_cap.learn(own_size);
            if number > 1 {
                return Ok(None);
            }
        }
        Ok(Some(Page { start, items, total, follows: Some(follows) }))
    }

    async fn send(&self, credential: &Credential, url: &Url) -> Result<Answer, SourceError> {
        self.access.send(self, credential, url).await
    }

    fn list_url(&self, dataset: DatasetId, search: Option<&str>) -> Url {
        let mut url = self.subjects_url(dataset, None);
        if let Some(search) = search {
            url.query_pairs_mut().append_pair("q", search);
        }
        url
    }

    fn subjects_url(&self, dataset: DatasetId, subject: Option<Uuid>) -> Url {
        let DatasetId { company, dataset } = dataset;
        let (company, dataset) = (company.to_string(), dataset.to_string());
        let mut path = vec!["companies", &company, "datasets", &dataset, "subjects"];
        let subject = subject.map(|subject| subject.to_string());
        path.extend(subject.as_deref());
        self.url(&path)
    }

    /// Below `/api/v1/`, with the trailing slash, without which the server redirects.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path).push("");
        }
        url
    }
}

/// What of a name can be searched for: its words, without marks that a search may read otherwise.
fn searchable(name: &NameFilter) -> Option<String> {
    let only = name.one_of.as_ref().and_then(|names| if let [only] = names.as_slice() { Some(only) } else { None });
    let text =
        [name.eq.as_ref(), only, name.starts_with.as_ref(), name.contains.as_ref()].into_iter().flatten().next()?;
    let plain = !text.trim().is_empty() && !text.contains(['"', '\'', ',', '\\']);
    (plain && text.chars().count() <= MAX_SEARCH).then(|| text.clone())
}

/// A value that is there, be it null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn weigh<T>(record: Option<T>, bytes: usize) -> Option<Weighed<T>> {
    if record.is_none() {
        tracing::warn!(source = "HAUT_AI", bytes, "a record without a readable id was left out");
    }
    record.map(|record| Weighed::new(record, bytes))
}

/// Reads a body as every kind of answer.
pub(super) fn read_anything(body: &[u8]) {
    const WITHIN: DatasetId = DatasetId { company: Uuid::nil(), dataset: Uuid::nil() };
    if let Ok(list) = serde_json::from_slice::<ListAnswer<'_>>(body) {
        let _ = total(list.count);
        for json in list.results {
            let _ = record(json.get()).map(|fields| wire::subject(fields, WITHIN));
            let _ = record(json.get()).map(|fields| wire::dataset(fields, WITHIN.company));
            let _ = record(json.get()).map(wire::biological_sex);
        }
    }
}

fn total(Whole(count): Whole) -> Option<u64> {
    count.and_then(|count| u64::try_from(count).ok())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8], why: &'static str) -> Result<T, SourceError> {
    serde_json::from_slice(body).map_err(|_| error(Fault::Invalid(why)))
}

fn parse_owned<T: DeserializeOwned>(body: &[u8], why: &'static str) -> Result<T, SourceError> {
    serde_json::from_slice(body).map_err(|_| error(Fault::Invalid(why)))
}

fn error(fault: Fault) -> SourceError {
    SourceError { of: Source::HautAi, fault }
}
