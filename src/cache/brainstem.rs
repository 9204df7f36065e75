//! BrainSTEM's records and pages, kept.

use std::{collections::HashSet, sync::Arc};

use futures::FutureExt as _;

use super::{
    Answer, Fetch, Gathered, Gathering, ListKind, Moment, PageKey, RecordKey, Store, Viewer,
    gathered::{identity, too_many},
    weigh_page,
    writes::Stores,
};
use crate::{
    domain::{Id, Source, Subject, SubjectFilter, SubjectOrder},
    sources::{
        CredentialId, SourceError,
        brainstem::{BrainStem, ListQuery, Model, Related},
        paging::{Allowance, MAX_PAGE, NotWhole, Page, Weighed, Window, whole, window},
    },
};

/// BrainSTEM behind the caches.
pub struct CachedBrainStem {
    pub(super) source: Arc<BrainStem>,
    pub(super) stores: Stores,
}

impl CachedBrainStem {
    pub(super) fn new(source: BrainStem, stores: Stores) -> Self {
        Self { source: Arc::new(source), stores }
    }

    /// The client itself.
    pub fn source(&self) -> &BrainStem {
        &self.source
    }

    /// An answer for every id, in their order, the missing ones by batches side by side. Returns at once.
    pub fn records<T: Model>(&self, viewer: &Viewer, ids: &[Id<T>]) -> Vec<Answer<RecordKey, T>> {
        if !self.source.serves::<T>() {
            return ids.iter().map(|_| Answer::Ready(Ok(None))).collect();
        }
        let keys: Vec<RecordKey> = ids.iter().map(|id| (viewer.credential.id, T::NODE(*id))).collect();
        let fetch = |missing: Vec<RecordKey>, viewer: &Viewer| {
            let mut missing: HashSet<RecordKey> = missing.into_iter().collect();
            // Each once, in the order in which they were asked for.
            let ids = ids.iter().copied().filter(|id| missing.remove(&(viewer.credential.id, T::NODE(*id))));
            let ids: Vec<Id<T>> = ids.collect();
            self.source.batches(&ids).into_iter().map(|batch| self.batch(viewer.clone(), batch)).collect()
        };
        self.stores.records.answers(viewer, &keys, fetch)
    }

    /// The answers among them that are at hand without waiting, in the order of the ids.
    pub fn at_hand<T: Model>(&self, viewer: &Viewer, ids: &[Id<T>]) -> Vec<Option<Answer<RecordKey, T>>> {
        let keys: Vec<RecordKey> = ids.iter().map(|id| (viewer.credential.id, T::NODE(*id))).collect();
        self.stores.records.at_hand(viewer, &keys)
    }

    fn batch<T: Model>(&self, viewer: Viewer, ids: Vec<Id<T>>) -> (Vec<RecordKey>, Fetch<RecordKey, T>) {
        let credential = viewer.credential.id;
        let key = move |id: Id<T>| (credential, T::NODE(id));
        let keys = ids.iter().copied().map(key).collect();
        let (source, records) = (Arc::clone(&self.source), Arc::clone(&self.stores.records));
        let fetch = async move {
            let began = records.moment();
            match source.batch(&viewer.credential, &ids).await {
                Ok((batch, related)) => {
                    keep_related(&records, began, &viewer, &related);
                    batch.into_iter().map(|(id, record)| (key(id), record)).collect()
                }
                Err(error) => ids.into_iter().map(|id| (key(id), Err(error.clone()))).collect(),
            }
        };
        (keys, fetch.boxed())
    }

    /// `count` records of a list from `offset` on, and for certain whether something follows. What comes is kept as records
    /// too.
    pub async fn window<T: Model>(
        &self,
        viewer: &Viewer,
        query: &ListQuery,
        offset: u64,
        count: u64,
    ) -> Result<Window<T>, SourceError> {
        let fetch = |at, count| self.page(viewer, query, at, count);
        // Where only one record more tells whether something follows, it is asked for at once.
        let looks_ahead = self.source.counts_nothing(&viewer.credential) && count < MAX_PAGE;
        let mut read = window(Source::BrainStem, offset, count + u64::from(looks_ahead), fetch).await?;
        if looks_ahead {
            read.cut(offset.saturating_add(count));
        }
        if read.follows.is_none() {
            // Only a look tells.
            let bare = &ListQuery { include: Vec::new(), ..query.clone() };
            read.follows = Some(self.page::<T>(viewer, bare, read.end, 1).await?.holds(read.end));
        }
        Ok(read)
    }

    /// How many records a list has, where the server counts them.
    pub async fn total<T: Model>(&self, viewer: &Viewer, query: &ListQuery) -> Result<Option<u64>, SourceError> {
        Ok(self.page::<T>(viewer, query, 0, 1).await?.total)
    }

    /// All subjects of a list that pass the rest of the filter, sorted here.
    pub async fn gathered(
        &self,
        viewer: &Viewer,
        query: &ListQuery,
        rest: &SubjectFilter,
        order: SubjectOrder,
        limit: u64,
    ) -> Result<Arc<Gathering>, SourceError> {
        let list = self.source.page_identity::<Subject>(query, 0, limit)?;
        let (source, query, rest) = (Arc::clone(&self.source), query.clone(), rest.clone());
        let stretch = identity(&list, &rest, order, limit);
        let key = PageKey { credential: viewer.credential.id, list: ListKind::Written(Source::BrainStem), stretch };
        let fetch = |viewer: &Viewer| {
            let viewer = viewer.clone();
            async move {
                let (source, query, viewer) = (&source, &query, &viewer);
                let page = |at, count| async move {
                    viewer.note_request();
                    Ok(Arc::new(source.page::<Subject>(&viewer.credential, query, at, count).await?.page))
                };
                let mut whole = match whole(Source::BrainStem, &Allowance::new(limit), page).await {
                    Ok(whole) => whole,
                    Err(NotWhole::TooMany) => return Ok(Some(too_many())),
                    Err(NotWhole::Failed(error)) => return Err(error),
                };
                whole.items.retain(|subject| rest.matches(&subject.record, subject.record.sex));
                Ok(Some(Gathered::sorted(whole.items, whole.unreadable, Vec::new(), order)))
            }
        };
        let gathering = self.stores.pages.answer(viewer, &key, fetch).get().await?;
        Ok(gathering.unwrap_or_else(|| too_many().record))
    }

    async fn page<T: Model>(
        &self,
        viewer: &Viewer,
        query: &ListQuery,
        at: u64,
        count: u64,
    ) -> Result<Arc<Page<T>>, SourceError> {
        let stretch = self.source.page_identity::<T>(query, at, count)?;
        let key = PageKey { credential: viewer.credential.id, list: ListKind::of::<T>(), stretch };
        let (source, records, query) = (Arc::clone(&self.source), Arc::clone(&self.stores.records), query.clone());
        let fetch = |viewer: &Viewer| {
            let viewer = viewer.clone();
            async move {
                let began = records.moment();
                let listed = source.page::<T>(&viewer.credential, &query, at, count).await?;
                keep(&records, began, viewer.credential.id, listed.page.items.iter().flatten());
                keep_related(&records, began, &viewer, &listed.related);
                Ok(Some(weigh_page(listed.page)))
            }
        };
        let page = self.stores.pages.answer(viewer, &key, fetch).get().await?;
        Ok(page.unwrap_or_else(|| Arc::new(Page::nothing_at(at))))
    }
}

fn keep<'a, T: Model>(
    records: &Store<RecordKey>,
    began: Moment,
    credential: CredentialId,
    items: impl IntoIterator<Item = &'a Weighed<T>>,
) {
    for item in items {
        records.keep(began, (credential, T::NODE(item.record.id())), item);
    }
}

fn keep_beside<T: Model>(records: &Store<RecordKey>, began: Moment, viewer: &Viewer, items: &[Weighed<T>]) {
    for item in items {
        records.keep_beside(began, viewer, (viewer.credential.id, T::NODE(item.record.id())), item);
    }
}

fn keep_related(records: &Store<RecordKey>, began: Moment, viewer: &Viewer, related: &Related) {
    keep_beside(records, began, viewer, &related.subjects);
    keep_beside(records, began, viewer, &related.projects);
    keep_beside(records, began, viewer, &related.procedures);
    keep_beside(records, began, viewer, &related.logs);
    keep_beside(records, began, viewer, &related.state_changes);
    keep_beside(records, began, viewer, &related.strains);
    keep_beside(records, began, viewer, &related.species);
    keep_beside(records, began, viewer, &related.suppliers);
    keep_beside(records, began, viewer, &related.licenses);
    keep_beside(records, began, viewer, &related.breedings);
    keep_beside(records, began, viewer, &related.cohorts);
    keep_beside(records, began, viewer, &related.brain_regions);
}
