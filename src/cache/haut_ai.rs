//! Haut.AI's records and pages, kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use futures::{FutureExt as _, future::try_join_all};

use super::{
    Answer, Fetch, Fetched, Gathered, Gathering, ListKind, PageKey, RecordKey, Viewer,
    gathered::{identity, too_many},
    weigh_page,
    writes::Stores,
};
use crate::{
    domain::{
        BiologicalSex, Dataset, DatasetId, HautAiSubjectId, Id, NodeId, Sex, Source, Subject, SubjectFilter, SubjectId,
        SubjectOrder, subject::SexReference,
    },
    sources::{
        ByCredential, CredentialId, SourceError,
        haut_ai::HautAi,
        paging::{Allowance, NotWhole, Page, Weighed, Whole, Window, whole, window},
    },
};

/// Bytes counted for an entry of the dictionary.
const SEX_BYTES: u32 = 256;

mod search;
mod taught;

use search::Search;
use taught::{Sexes, lock};

/// A list of subjects that Haut.AI serves: those of a dataset, or those that its search finds there.
#[derive(Clone, Copy, Debug)]
pub struct SubjectList<'a> {
    pub dataset: DatasetId,
    pub search: Option<&'a str>,
}

impl SubjectList<'_> {
    fn all(dataset: DatasetId) -> Self {
        Self { dataset, search: None }
    }
}

/// Haut.AI behind the caches.
pub struct CachedHautAi(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) source: HautAi,
    pub(super) stores: Stores,
    /// The sexes that subjects carried: a second source beside the dictionary.
    taught: ByCredential<Mutex<Sexes>>,
}

impl CachedHautAi {
    pub(super) fn new(source: HautAi, stores: Stores) -> Self {
        Self(Arc::new(Shared { source, stores, taught: ByCredential::default() }))
    }

    /// The client itself.
    pub fn source(&self) -> &HautAi {
        &self.0.source
    }

    /// An answer for every subject, in their order, the missing ones dataset by dataset, side by side. Returns at once.
    pub fn subjects(&self, viewer: &Viewer, ids: &[HautAiSubjectId]) -> Vec<Answer<RecordKey, Subject>> {
        let keys: Vec<_> = ids.iter().map(|id| subject_key(viewer.credential.id, *id)).collect();
        let fetch = |missing: Vec<RecordKey>, viewer: &Viewer| {
            let mut datasets: BTreeMap<DatasetId, Vec<HautAiSubjectId>> = BTreeMap::new();
            for (_, node) in missing {
                if let NodeId::Subject(SubjectId::HautAi(id)) = node {
                    datasets.entry(id.dataset_id()).or_default().push(id);
                }
            }
            datasets.into_iter().map(|(dataset, ids)| self.of_dataset(viewer, dataset, ids)).collect()
        };
        self.0.stores.records.answers(viewer, &keys, fetch)
    }

    fn of_dataset(
        &self,
        viewer: &Viewer,
        dataset: DatasetId,
        ids: Vec<HautAiSubjectId>,
    ) -> (Vec<RecordKey>, Fetch<RecordKey, Subject>) {
        let keys = ids.iter().map(|id| subject_key(viewer.credential.id, *id)).collect();
        let (shared, viewer) = (Arc::clone(&self.0), viewer.clone());
        let search = Search { shared, viewer, dataset, missing: ids, found: Fetched::new() };
        let fetch = search.run();
        (keys, fetch.boxed())
    }

    /// `count` subjects of a list from `offset` on. What comes is kept as records too.
    pub async fn window(
        &self,
        viewer: &Viewer,
        list: SubjectList<'_>,
        offset: u64,
        count: u64,
    ) -> Result<Window<Subject>, SourceError> {
        self.0.window(viewer, list, offset, count).await
    }

    /// How many subjects a list has, where the server counts them.
    pub async fn total(&self, viewer: &Viewer, list: SubjectList<'_>) -> Result<Option<u64>, SourceError> {
        Ok(self.0.page(viewer, list, 0, 1).await?.total)
    }

    /// All subjects of these datasets that pass the rest of the filter, sorted here.
    pub async fn gathered(
        &self,
        viewer: &Viewer,
        datasets: &[DatasetId],
        search: Option<&str>,
        rest: &SubjectFilter,
        order: SubjectOrder,
        limit: u64,
    ) -> Result<Arc<Gathering>, SourceError> {
        let list = |dataset: &DatasetId| self.0.source.subjects_identity(*dataset, search, 0, limit);
        let lists = datasets.iter().map(list).collect::<Vec<_>>().join(" ");
        let stretch = identity(&lists, rest, order, limit);
        let key = PageKey { credential: viewer.credential.id, list: ListKind::Written(Source::HautAi), stretch };
        let shared = Arc::clone(&self.0);
        let (datasets, search, rest) = (datasets.to_vec(), search.map(str::to_owned), rest.clone());
        let fetch = |viewer: &Viewer| {
            let viewer = viewer.clone();
            async move {
                let allowance = Allowance::new(limit);
                let read =
                    datasets.iter().map(|dataset| shared.whole(&viewer, *dataset, search.as_deref(), &allowance));
                let read = match try_join_all(read).await {
                    Ok(read) => read,
                    Err(NotWhole::TooMany) => return Ok(Some(too_many())),
                    Err(NotWhole::Failed(error)) => return Err(error),
                };
                let (mut subjects, mut unreadable, mut passed_over) = (Vec::new(), 0, Vec::new());
                for whole in read {
                    match whole {
                        Ok(whole) => {
                            subjects.extend(whole.items);
                            unreadable += whole.unreadable;
                        }
                        Err(gone) => passed_over.push(gone),
                    }
                }
                let subjects = shared.passing(&viewer, subjects, &rest).await?;
                Ok(Some(Gathered::sorted(subjects, unreadable, passed_over, order)))
            }
        };
        let gathering = self.0.stores.pages.answer(viewer, &key, fetch).get().await?;
        Ok(gathering.unwrap_or_else(|| too_many().record))
    }

    /// The datasets that the gateway serves, with their names.
    pub async fn datasets(&self, viewer: &Viewer) -> Result<Arc<Vec<Dataset>>, SourceError> {
        let shared = Arc::clone(&self.0);
        let fetch = |viewer: &Viewer| {
            let viewer = viewer.clone();
            async move {
                let datasets = shared.source.datasets(&viewer.credential).await?;
                let bytes = datasets.len() * 2 * size_of::<Dataset>();
                Ok(Some(Weighed { record: Arc::new(datasets), bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }))
            }
        };
        let key = steady(viewer.credential.id, "datasets");
        let answer = self.0.stores.pages.answer(viewer, &key, fetch).get().await?;
        Ok(answer.unwrap_or_default())
    }

    /// Which datasets a walk over all subjects goes through: the configured ones without asking, else the company's.
    pub async fn dataset_ids(&self, viewer: &Viewer) -> Result<Vec<DatasetId>, SourceError> {
        match self.0.source.configured_datasets() {
            Some(datasets) => {
                let company = self.0.source.company().await?;
                Ok(datasets.iter().map(|dataset| DatasetId { company, dataset: *dataset }).collect())
            }
            None => Ok(self.datasets(viewer).await?.iter().map(|dataset| dataset.id).collect()),
        }
    }

    /// An answer for every entry of the dictionary of sexes: from a record that carried it, or by one request for all.
    pub fn biological_sexes(
        &self,
        viewer: &Viewer,
        ids: &[Id<BiologicalSex>],
    ) -> Vec<Answer<RecordKey, BiologicalSex>> {
        self.0.biological_sexes(viewer, ids)
    }

    /// A subject's sex, by the dictionary where the record has nothing but an id.
    pub async fn sex_of(&self, viewer: &Viewer, subject: &Subject) -> Result<Option<Sex>, SourceError> {
        self.0.sex_of(viewer, subject).await
    }

    /// The dictionary of sexes; where the server has none, those that records carried.
    pub async fn all_biological_sexes(&self, viewer: &Viewer) -> Result<Vec<Arc<BiologicalSex>>, SourceError> {
        if let Some(dictionary) = self.0.dictionary(viewer).await? {
            return Ok(dictionary.to_vec());
        }
        // What records teach next makes it another answer.
        viewer.provenance.mark_unrepeatable();
        let taught = self.0.taught.of(viewer.credential.id);
        let mut taught: Vec<_> = lock(&taught).values().cloned().collect();
        taught.sort_by_key(|entry| entry.id);
        Ok(taught)
    }
}

impl Shared {
    async fn window(
        self: &Arc<Self>,
        viewer: &Viewer,
        list: SubjectList<'_>,
        offset: u64,
        count: u64,
    ) -> Result<Window<Subject>, SourceError> {
        window(Source::HautAi, offset, count, |at, count| self.page(viewer, list, at, count)).await
    }

    async fn page(
        self: &Arc<Self>,
        viewer: &Viewer,
        SubjectList { dataset, search }: SubjectList<'_>,
        at: u64,
        count: u64,
    ) -> Result<Arc<Page<Subject>>, SourceError> {
        let stretch = self.source.subjects_identity(dataset, search, at, count);
        let key = PageKey { credential: viewer.credential.id, list: ListKind::Written(Source::HautAi), stretch };
        let shared = Arc::clone(self);
        let search = search.map(str::to_owned);
        let fetch = |viewer: &Viewer| {
            let credential = viewer.credential.clone();
            async move {
                let began = shared.stores.records.moment();
                let page = shared.source.subjects(&credential, dataset, search.as_deref(), at, count).await?;
                for item in page.items.iter().flatten() {
                    shared.stores.records.keep(began, (credential.id, NodeId::Subject(item.record.id)), item);
                }
                shared.learn(began, credential.id, page.items.iter().flatten().map(|item| &*item.record));
                Ok(Some(weigh_page(page)))
            }
        };
        let page = self.stores.pages.answer(viewer, &key, fetch).get().await?;
        Ok(page.unwrap_or_else(|| Arc::new(Page::nothing_at(at))))
    }

    /// A whole dataset, not kept. The inner error: Haut.AI does not know it.
    async fn whole(
        &self,
        viewer: &Viewer,
        dataset: DatasetId,
        search: Option<&str>,
        allowance: &Allowance,
    ) -> Result<Result<Whole<Subject>, SourceError>, NotWhole> {
        let page = |at, count| async move {
            viewer.note_request();
            Ok(Arc::new(self.source.subjects(&viewer.credential, dataset, search, at, count).await?))
        };
        match whole(Source::HautAi, allowance, page).await {
            Err(NotWhole::Failed(gone)) if gone.is_absence() => Ok(Err(gone)),
            read => read.map(Ok),
        }
    }

    /// Those subjects that pass a filter.
    async fn passing(
        self: &Arc<Self>,
        viewer: &Viewer,
        subjects: Vec<Weighed<Subject>>,
        filter: &SubjectFilter,
    ) -> Result<Vec<Weighed<Subject>>, SourceError> {
        let mut passing = Vec::new();
        for subject in subjects {
            let sex = if filter.sex.is_some() { self.sex_of(viewer, &subject.record).await? } else { None };
            if filter.matches(&subject.record, sex) {
                passing.push(subject);
            }
        }
        Ok(passing)
    }

    async fn sex_of(self: &Arc<Self>, viewer: &Viewer, subject: &Subject) -> Result<Option<Sex>, SourceError> {
        let Some(SexReference::Bare(id)) = subject.haut_ai().and_then(|own| own.biological_sex.as_ref()) else {
            return Ok(subject.sex);
        };
        let Some(answer) = self.biological_sexes(viewer, &[*id]).pop() else { return Ok(Some(Sex::Unknown)) };
        Ok(Some(answer.get().await?.map_or(Sex::Unknown, |entry| entry.sex())))
    }

    fn biological_sexes(
        self: &Arc<Self>,
        viewer: &Viewer,
        ids: &[Id<BiologicalSex>],
    ) -> Vec<Answer<RecordKey, BiologicalSex>> {
        let keys: Vec<_> = ids.iter().map(|id| sex_key(viewer.credential.id, *id)).collect();
        let fetch = |missing: Vec<RecordKey>, viewer: &Viewer| {
            let (shared, viewer) = (Arc::clone(self), viewer.clone());
            let keys = missing.clone();
            let fetch = async move { shared.look_up_sexes(&viewer, missing).await };
            vec![(keys, fetch.boxed())]
        };
        self.stores.records.answers(viewer, &keys, fetch)
    }

    async fn look_up_sexes(
        self: &Arc<Self>,
        viewer: &Viewer,
        keys: Vec<RecordKey>,
    ) -> Fetched<RecordKey, BiologicalSex> {
        let id_of = |key: &RecordKey| match key.1 {
            NodeId::BiologicalSex(id) => Some(id),
            _ => None,
        };
        let mut known: Sexes = {
            let taught = self.taught.of(viewer.credential.id);
            let taught = lock(&taught);
            // Nobody knows when they were read.
            let asked = keys.iter().filter_map(id_of).filter(|_| viewer.provenance.takes_anything_fresh());
            asked.filter_map(|id| Some((id, Arc::clone(taught.get(&id)?)))).collect()
        };
        let mut failure = None;
        if keys.iter().filter_map(id_of).any(|id| !known.contains_key(&id)) {
            match self.dictionary(viewer).await {
                Ok(dictionary) => {
                    let entries = dictionary.iter().flat_map(|entries| entries.iter());
                    known.extend(entries.map(|entry| (entry.id, Arc::clone(entry))));
                }
                Err(error) => failure = Some(error),
            }
        }
        let look_up = |key: RecordKey| {
            let entry = id_of(&key).and_then(|id| known.get(&id));
            let entry = entry.map(|entry| Weighed { record: Arc::clone(entry), bytes: SEX_BYTES });
            // What records taught does without the dictionary.
            let answer = match (&failure, entry) {
                (Some(error), None) => Err(error.clone()),
                (_, entry) => Ok(entry),
            };
            (key, answer)
        };
        keys.into_iter().map(look_up).collect()
    }

    /// `None`: the server has none.
    async fn dictionary(
        self: &Arc<Self>,
        viewer: &Viewer,
    ) -> Result<Option<Arc<Vec<Arc<BiologicalSex>>>>, SourceError> {
        let shared = Arc::clone(self);
        let fetch = |viewer: &Viewer| {
            let viewer = viewer.clone();
            async move {
                let Some(entries) = shared.source.biological_sexes(&viewer.credential).await? else { return Ok(None) };
                let bytes = SEX_BYTES.saturating_mul(u32::try_from(entries.len()).unwrap_or(u32::MAX));
                Ok(Some(Weighed { record: Arc::new(entries.into_iter().map(Arc::new).collect::<Vec<_>>()), bytes }))
            }
        };
        let key = steady(viewer.credential.id, "biological_sexes");
        self.stores.pages.answer(viewer, &key, fetch).get().await
    }
}

fn subject_key(credential: CredentialId, id: HautAiSubjectId) -> RecordKey {
    (credential, NodeId::Subject(SubjectId::HautAi(id)))
}

fn sex_key(credential: CredentialId, id: Id<BiologicalSex>) -> RecordKey {
    (credential, NodeId::BiologicalSex(id))
}

/// A list that no write changes.
fn steady(credential: CredentialId, name: &str) -> PageKey {
    PageKey { credential, list: ListKind::Steady(Source::HautAi), stretch: name.to_owned() }
}

#[cfg(test)]
mod tests;
