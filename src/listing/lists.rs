//! The lists that upstreams page: Haut.AI's datasets, and BrainSTEM's lists of any kind.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::parts::Parts;
use crate::{
    cache::{CachedBrainStem, CachedHautAi, Viewer, haut_ai::SubjectList},
    domain::{DatasetId, Sex, Source, Subject},
    loaders::{Deadline, LoadError},
    sources::{
        brainstem::{ListQuery, Model},
        paging::Window,
    },
};

/// Datasets one after the other.
pub(super) struct Datasets<'a> {
    source: &'a CachedHautAi,
    viewer: &'a Viewer,
    parts: Vec<DatasetId>,
    ids: Vec<Uuid>,
    search: Option<String>,
    deadline: Deadline,
    /// Datasets that Haut.AI does not know: they must not bar the way to those behind them.
    gone: Mutex<BTreeMap<usize, LoadError>>,
}

impl<'a> Datasets<'a> {
    pub(super) fn new(
        source: &'a CachedHautAi,
        viewer: &'a Viewer,
        datasets: Vec<DatasetId>,
        search: Option<String>,
        deadline: Deadline,
    ) -> Self {
        let ids = datasets.iter().map(|dataset| dataset.dataset).collect();
        Self { source, viewer, parts: datasets, ids, search, deadline, gone: Mutex::default() }
    }

    pub(super) async fn sex_of(&self, subject: &Subject) -> Result<Option<Sex>, LoadError> {
        self.deadline.bound(Source::HautAi, self.source.sex_of(self.viewer, subject)).await
    }

    /// Why datasets among these were passed over.
    pub(super) fn passed_over(&self, parts: RangeInclusive<usize>) -> Vec<LoadError> {
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.range(parts).map(|(_, error)| error.clone()).collect()
    }
}

impl Parts for Datasets<'_> {
    type Record = Subject;

    fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    async fn window(&self, part: usize, at: u64, count: u64) -> Result<Window<Subject>, LoadError> {
        let Some(dataset) = self.parts.get(part) else { return Ok(Window::nothing_at(at)) };
        let list = SubjectList { dataset: *dataset, search: self.search.as_deref() };
        let window = self.source.window(self.viewer, list, at, count);
        match self.deadline.bound(Source::HautAi, window).await {
            Err(LoadError::Source(error)) if error.is_absence() => {
                let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
                gone.insert(part, LoadError::Source(error));
                Ok(Window::nothing_at(at))
            }
            window => window,
        }
    }
}

/// Lists of one kind one after the other.
pub struct Queries<'a, T> {
    source: &'a CachedBrainStem,
    viewer: &'a Viewer,
    parts: Vec<ListQuery>,
    ids: Vec<Uuid>,
    deadline: Deadline,
    of: PhantomData<fn() -> T>,
}

impl<'a, T> Queries<'a, T> {
    pub fn new(source: &'a CachedBrainStem, viewer: &'a Viewer, queries: Vec<ListQuery>, deadline: Deadline) -> Self {
        let ids = vec![Uuid::nil(); queries.len()];
        Self { source, viewer, parts: queries, ids, deadline, of: PhantomData }
    }
}

impl<T: Model> Parts for Queries<'_, T> {
    type Record = T;

    fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    async fn window(&self, part: usize, at: u64, count: u64) -> Result<Window<T>, LoadError> {
        let Some(query) = self.parts.get(part) else { return Ok(Window::nothing_at(at)) };
        let window = self.source.window(self.viewer, query, at, count);
        self.deadline.bound(Source::BrainStem, window).await
    }
}
