//! BrainSTEM: laboratory animals.
//!
//! Paths are `/api/{portal}/{app}/{model}/`, always with the trailing slash. Lists are paged by `limit` and `offset`, on
//! older servers by `page` and `per_page`: both are sent, chosen so that they mean the same stretch, and what came decides.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    ByCredential, Credential, CredentialId, Fault, SourceError, Traffic, UpstreamMetrics, accept,
    client::{Bounds, UpstreamClient},
    decode, is_past_the_end,
    paging::{PAGES_DO_NOT_FOLLOW, Page, Weighed, covering_page, window},
};
use crate::{
    config::{self, AuthScheme, Generation, Limits, Portal},
    domain::{Id, Source},
};

mod access;
mod answer;
mod model;
mod pushdown;
mod sideload;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use access::{Access, Hints, authorization};
pub use model::{Model, Related};
pub use pushdown::Pushdown;
use sideload::may_be_of_the_include;

pub(super) use answer::read_anything;

/// Ids in one batch: about 70 fit into the request line of a real server.
pub const MAX_BATCH: usize = 50;
/// The longest request line that a real server (gunicorn) takes, in bytes.
const REQUEST_LINE: usize = 4_094;

/// The client of one BrainSTEM server.
pub struct BrainStem {
    client: UpstreamClient,
    base: Url,
    portal: Portal,
    generation: Generation,
    access: Access,
    /// What a token is shown with that says nothing of it.
    scheme: &'static str,
    credential: Credential,
    traffic: Traffic,
    hints: ByCredential<Hints>,
}

/// Which records of a list, in which order, and what comes along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListQuery {
    /// Parameter and value: `filter{name}`, `wt-1`.
    pub filters: Vec<(&'static str, String)>,
    /// Related records to bring along: `projects.*`. A hint: a server may bring less, and a list that was read without them
    /// is the same list.
    pub include: Vec<String>,
    /// The fields to sort by, `-` before one that descends; none: the model's own order.
    pub sort: &'static [&'static str],
}

/// One page, and the related records that came with it.
#[derive(Debug)]
pub struct Listed<T> {
    pub page: Page<T>,
    pub related: Related,
}

/// The records of one batch of ids.
pub type Batch<T> = HashMap<Id<T>, Result<Option<Weighed<T>>, SourceError>>;

impl BrainStem {
    /// Prepares the client; makes no request.
    pub fn new(config: &config::BrainStem, limits: &Limits, metrics: &UpstreamMetrics) -> anyhow::Result<Self> {
        // The public portal asks for none, so it is shown none.
        let token = config.token.as_ref().filter(|_| config.portal != Portal::Public);
        let token = token.map(ExposeSecret::expose_secret);
        let scheme = match config.auth_scheme {
            AuthScheme::Bearer => "Bearer",
            AuthScheme::Token => "Token",
        };
        let authorization = token.map(|token| authorization(scheme, token)).transpose();
        let authorization = authorization.context("BRAINSTEM_TOKEN holds characters that no HTTP header can")?;
        let is_own = token.is_some() || config.portal == Portal::Public;
        let own = || CredentialId::of(Source::BrainStem, &[portal_segment(config.portal), token.unwrap_or_default()]);
        let bounds = Bounds { timeout: config.timeout, limits: &limits.upstream };
        Ok(Self {
            client: UpstreamClient::new(Source::BrainStem, &config.url, &bounds, metrics)?,
            base: config.url.clone(),
            portal: config.portal,
            generation: config.generation,
            access: if is_own { Access::Own(authorization) } else { Access::Forward },
            scheme,
            credential: if is_own { Credential::own(own()) } else { Credential::missing() },
            traffic: Traffic::default(),
            hints: ByCredential::default(),
        })
    }

    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// For how long it is not asked, because it failed too often; `None`: it is.
    pub fn paused_for(&self) -> Option<Duration> {
        self.client.paused_for()
    }

    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether this server has such records at all.
    pub fn serves<T: Model>(&self) -> bool {
        T::endpoint(self.generation).is_some()
    }

    /// A page that holds the record at `at`, and as many as it can of the `count` from there on; or the list's end.
    pub async fn page<T: Model>(
        &self,
        credential: &Credential,
        query: &ListQuery,
        at: u64,
        count: u64,
    ) -> Result<Listed<T>, SourceError> {
        // Once more where the server told only now how it pages.
        for _ in 0..2 {
            let listed = self.traffic.watch(self.page_with_or_without(credential, query, (at, count))).await?;
            if listed.page.holds(at) || listed.page.is_end() {
                return Ok(listed);
            }
        }
        Err(error(PAGES_DO_NOT_FOLLOW))
    }

    /// The page with what is to come along, or without it where the server fails for that.
    async fn page_with_or_without<T: Model>(
        &self,
        credential: &Credential,
        query: &ListQuery,
        stretch: (u64, u64),
    ) -> Result<Listed<T>, SourceError> {
        let Hints { learnt, .. } = &*self.hints.of(credential.id);
        let query = &ListQuery { include: learnt.accepted(T::NAME, &query.include, Instant::now()), ..query.clone() };
        let failed = match self.asked_page(credential, query, stretch).await {
            Err(error) if !query.include.is_empty() => error,
            answered => return answered,
        };
        if failed.fault == Fault::Timeout {
            // It may be too much at once; for another attempt the time is over.
            learnt.refuse(T::NAME, &query.include, Instant::now());
        }
        if !may_be_of_the_include(&failed.fault) {
            return Err(failed);
        }
        let bare = ListQuery { include: Vec::new(), ..query.clone() };
        let listed = self.asked_page(credential, &bare, stretch).await?;
        learnt.refuse(T::NAME, &query.include, Instant::now());
        Ok(listed)
    }

    async fn asked_page<T: Model>(
        &self,
        credential: &Credential,
        query: &ListQuery,
        stretch: (u64, u64),
    ) -> Result<Listed<T>, SourceError> {
        let hints = self.hints.of(credential.id);
        let (url, start, limit) = self.page_url::<T>(query, stretch, hints.page_cap.get())?;
        let answer = self.send(credential, url).await?;
        if start > 0 && is_past_the_end(&answer) {
            return Ok(Listed { page: Page::nothing_at(start), related: Related::default() });
        }
        // Otherwise there is no such list: the path is wrong or the portal lacks it, which is not the same as an empty one.
        let body = accept(answer).map_err(error)?.ok_or_else(|| error(Fault::Status(404)))?;
        let generation = self.generation;
        let read = decode(body, move |body| answer::list(body, generation, start, limit)).await;
        let list = read.map_err(|why| error(Fault::Invalid(why)))?;
        // The page size that the server names, or that it cut this page to although more follows.
        let page = &list.listed.page;
        let cut = (page.follows == Some(true)).then_some(page.items.len() as u64);
        if let Some(size) = list.page_size.or(cut)
            && (1..limit).contains(&size)
        {
            hints.page_cap.learn(size);
        }
        match (page.total, page.follows) {
            (None, None) => hints.counts_nothing.store(true, Ordering::Relaxed),
            (Some(_), _) | (_, Some(true)) => hints.counts_nothing.store(false, Ordering::Relaxed),
            // A short page shows nothing.
            (None, Some(false)) => {}
        }
        hints.learnt.measure(page.items.iter().flatten().map(|item| &*item.record));
        list.listed.related.measured_by(&hints.learnt);
        Ok(list.listed)
    }

    /// Whether the server gave its last full page without saying whether more follows.
    pub fn counts_nothing(&self, credential: &Credential) -> bool {
        self.hints.of(credential.id).counts_nothing.load(Ordering::Relaxed)
    }

    /// Reads the body of an answer with the records from `start` on, which was asked for `limit` of them: what [`page`](Self::page)
    /// does with what it received, for benches.
    pub fn read_page<T: Model>(&self, body: &[u8], start: u64, limit: u64) -> Result<Listed<T>, SourceError> {
        let list = answer::list(body, self.generation, start, limit).map_err(|why| error(Fault::Invalid(why)))?;
        Ok(list.listed)
    }

    /// What makes one read of [`page`](Self::page) the same as another: the list's URL and the stretch, in whatever words
    /// the server is asked for it, and whatever comes along.
    pub fn page_identity<T: Model>(&self, query: &ListQuery, at: u64, count: u64) -> Result<String, SourceError> {
        self.list_url::<T>(query, &[]).map(|url| format!("{url}#{at}+{count}"))
    }

    /// Cuts ids into batches that fit into a request line each.
    pub fn batches<T: Model>(&self, ids: &[Id<T>]) -> Vec<Vec<Id<T>>> {
        const PARAMETER: usize = "filter%7Bid.in%7D=&".len() + 36;
        const REST: usize = "GET ? HTTP/1.1\r\n".len() + "sort%5B%5D=id&limit=50&offset=50&page=50&per_page=50".len();
        let path = self.url::<T>(None).map_or(0, |url| url.path().len());
        let fitting = REQUEST_LINE.saturating_sub(REST + path) / PARAMETER;
        ids.chunks(fitting.clamp(1, MAX_BATCH)).map(<[_]>::to_vec).collect()
    }

    /// The records of one of [`batches`](Self::batches). An id that the answer leaves out is not there, or not visible.
    pub async fn batch<T: Model>(
        &self,
        credential: &Credential,
        ids: &[Id<T>],
    ) -> Result<(Batch<T>, Related), SourceError> {
        // Without any id the server would filter nothing and give everything.
        match ids {
            [] => Ok((Batch::new(), Related::default())),
            [id] => {
                let (record, related) = self.traffic.watch(self.record(credential, *id)).await?;
                Ok((Batch::from([(*id, Ok(record))]), related))
            }
            _ => self.many(credential, ids).await,
        }
    }

    async fn many<T: Model>(&self, credential: &Credential, ids: &[Id<T>]) -> Result<(Batch<T>, Related), SourceError> {
        let filters = ids.iter().map(|id| ("filter{id.in}", id.uuid().to_string())).collect();
        let query = &ListQuery { filters, ..ListQuery::default() };
        let related = &Mutex::new(Related::default());
        // Pages that are smaller than the batch: read on until every id came or the list ended.
        let read = window(Source::BrainStem, 0, ids.len() as u64, |at, count| async move {
            let listed = self.page::<T>(credential, query, at, count).await?;
            related.lock().unwrap_or_else(PoisonError::into_inner).append(listed.related);
            Ok(Arc::new(listed.page))
        });
        let window = read.await?;
        let mut found: HashMap<_, _> = window.items.into_iter().map(|(_, item)| (item.record.id(), item)).collect();
        let is_foreign = found.keys().any(|id| !ids.contains(id));
        let absent = || match window.unreadable {
            0 if is_foreign => Err(error(Fault::Invalid("it holds other records than those asked for"))),
            0 => Ok(None),
            _ => Err(error(Fault::Invalid("a record in it has no readable id"))),
        };
        let batch = ids.iter().map(|id| (*id, found.remove(id).map_or_else(absent, |item| Ok(Some(item))))).collect();
        let related = std::mem::take(&mut *related.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((batch, related))
    }

    /// One record by its own URL.
    async fn record<T: Model>(
        &self,
        credential: &Credential,
        id: Id<T>,
    ) -> Result<(Option<Weighed<T>>, Related), SourceError> {
        let answer = self.send(credential, self.url::<T>(Some(id))?).await?;
        let Some(body) = accept(answer).map_err(error)? else {
            return Ok((None, Related::default()));
        };
        let (record, related) = answer::one::<T>(&body, self.generation).map_err(|why| error(Fault::Invalid(why)))?;
        if record.record.id() == id {
            Ok((Some(record), related))
        } else {
            Err(error(Fault::Invalid("it is another record than the one asked for")))
        }
    }

    /// The list's URL, where the page starts, and how many records it is asked for.
    fn page_url<T: Model>(
        &self,
        query: &ListQuery,
        (at, count): (u64, u64),
        page_cap: u64,
    ) -> Result<(Url, u64, u64), SourceError> {
        let (page, limit) = covering_page(at, count, page_cap);
        let start = (page - 1) * limit;
        let mut include = query.include.as_slice();
        loop {
            let mut url = self.list_url::<T>(query, include)?;
            let mut pairs = url.query_pairs_mut();
            for (parameter, value) in [("limit", limit), ("offset", start), ("page", page), ("per_page", limit)] {
                pairs.append_pair(parameter, &value.to_string());
            }
            drop(pairs);
            let request_line = "GET  HTTP/1.1\r\n".len() + url.path().len() + 1 + url.query().map_or(0, str::len);
            match include.split_last() {
                // What does not fit is loaded by itself.
                Some((_, fewer)) if request_line > REQUEST_LINE => include = fewer,
                _ => return Ok((url, start, limit)),
            }
        }
    }

    /// The list's URL without the stretch.
    fn list_url<T: Model>(&self, query: &ListQuery, include: &[String]) -> Result<Url, SourceError> {
        let mut url = self.url::<T>(None)?;
        let mut pairs = url.query_pairs_mut();
        for (parameter, value) in &query.filters {
            pairs.append_pair(parameter, value);
        }
        for path in include {
            pairs.append_pair("include[]", path);
        }
        // A batch is matched by id, so that any order that holds still will do.
        let by_id = query.filters.first().is_some_and(|(parameter, _)| *parameter == "filter{id.in}");
        let sort = if query.sort.is_empty() { T::SORT } else { query.sort };
        for field in sort.iter().filter(|field| !by_id || **field == "id") {
            pairs.append_pair("sort[]", field);
        }
        drop(pairs);
        Ok(url)
    }

    fn url<T: Model>(&self, id: Option<Id<T>>) -> Result<Url, SourceError> {
        let endpoint = T::endpoint(self.generation).ok_or_else(|| error(Fault::Status(404)))?;
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", portal_segment(self.portal), endpoint.app, endpoint.model]);
            if let Some(id) = id {
                segments.push(&id.uuid().to_string());
            }
            // Without the trailing slash the server redirects.
            segments.push("");
        }
        Ok(url)
    }
}

fn portal_segment(portal: Portal) -> &'static str {
    match portal {
        Portal::Private => "private",
        Portal::Public => "public",
        Portal::Super => "super",
    }
}

fn error(fault: Fault) -> SourceError {
    SourceError { of: Source::BrainStem, fault }
}
