//! The merged list of subjects: Haut.AI dataset by dataset, then BrainSTEM.
//!
//! Knows positions and sources, neither GraphQL nor the text of a cursor. A source that fails is reported beside what the
//! other gave; its own records are left for later.

use std::{sync::Arc, time::Instant};

use crate::{
    cache::{CachedBrainStem, CachedHautAi, Sources},
    domain::{
        DatasetId, Source, Subject,
        cursor::{BrainStemPosition, DatasetPosition, SubjectPosition},
    },
    loaders::{Credentials, Deadline, LoadError},
    sources::{CredentialId, Fault, brainstem::ListQuery, paging::Window},
};

/// A walk over the subjects of the selected sources.
pub struct Walk<'a> {
    pub sources: &'a Sources,
    pub credentials: Credentials,
    pub deadline: Deadline,
    pub selected: Vec<Source>,
    /// What BrainSTEM's lists bring along.
    pub include: Vec<&'static str>,
}

/// One page of the walk.
pub struct Walked {
    /// Each subject with the position behind it.
    pub subjects: Vec<(SubjectPosition, Arc<Subject>)>,
    /// Where the walk stands now.
    pub position: SubjectPosition,
    pub has_more: bool,
    /// What is left for later.
    pub failures: Vec<LoadError>,
    /// Datasets that the walk went past because Haut.AI does not know them.
    pub passed_over: Vec<LoadError>,
    /// How many records could not be read, by source.
    pub unreadable: Vec<(Source, u64)>,
}

impl Walk<'_> {
    /// The next `count` subjects from `position` on.
    pub async fn page(&self, position: SubjectPosition, count: u64) -> Walked {
        let mut page = Walked {
            subjects: Vec::new(),
            position,
            has_more: false,
            failures: Vec::new(),
            passed_over: Vec::new(),
            unreadable: Vec::new(),
        };
        let (haut_ai, brainstem) = (self.haut_ai(), self.brainstem());
        if haut_ai.is_none() {
            page.position.haut_ai = DatasetPosition::Done;
        }
        if brainstem.is_none() {
            page.position.brainstem = BrainStemPosition::Done;
        }
        if let Some((source, credential)) = haut_ai
            && let Err(failure) = self.read_datasets(source, credential, &mut page, count).await
        {
            page.failures.push(failure);
        }
        if let Some((source, credential)) = brainstem
            && let Err(failure) = self.read_animals(source, credential, &mut page, count).await
        {
            page.failures.push(failure);
        }
        // What a source left for later is more; where the page ended with a list, only a look behind it tells.
        page.has_more =
            page.has_more || !page.failures.is_empty() || self.has_more(page.position).await.unwrap_or(true);
        if page.subjects.is_empty() && page.unreadable.is_empty() {
            // Passing over what has ended is no progress: the caller's cursor stays as it is.
            page.position = position;
        }
        page
    }

    /// The time that Haut.AI may take. BrainSTEM is read behind it: a source that does not answer must leave the other
    /// one enough to be read.
    fn time_for_datasets(&self, position: SubjectPosition) -> Deadline {
        if position.brainstem == BrainStemPosition::Done {
            return self.deadline;
        }
        let now = Instant::now();
        Deadline(now + self.deadline.0.saturating_duration_since(now) / 2)
    }

    /// How many subjects the selected sources have; `None` where one of them does not count.
    pub async fn total(&self) -> Result<Option<u64>, LoadError> {
        let people = async {
            let Some((source, credential)) = self.haut_ai() else {
                return Ok(Some(0));
            };
            let datasets = self.deadline.bound(Source::HautAi, source.dataset_ids(credential)).await?;
            let totals = datasets.into_iter().map(|dataset| source.total(credential, dataset));
            let totals = self.deadline.bound(Source::HautAi, futures::future::try_join_all(totals)).await?;
            Ok(totals.into_iter().try_fold(0u64, |sum, total| sum.checked_add(total?)))
        };
        let animals = async {
            let Some((source, credential)) = self.brainstem() else {
                return Ok(Some(0));
            };
            let query = ListQuery::default();
            self.deadline.bound(Source::BrainStem, source.total::<Subject>(credential, &query)).await
        };
        let (people, animals): (Option<u64>, Option<u64>) = futures::future::try_join(people, animals).await?;
        Ok(people.zip(animals).and_then(|(people, animals)| people.checked_add(animals)))
    }

    fn haut_ai(&self) -> Option<(&CachedHautAi, CredentialId)> {
        let selected = self.selected.contains(&Source::HautAi);
        self.sources.haut_ai.as_ref().zip(self.credentials.haut_ai).filter(|_| selected)
    }

    fn brainstem(&self) -> Option<(&CachedBrainStem, CredentialId)> {
        let selected = self.selected.contains(&Source::BrainStem);
        self.sources.brainstem.as_ref().zip(self.credentials.brainstem).filter(|_| selected)
    }

    async fn read_datasets(
        &self,
        source: &CachedHautAi,
        credential: CredentialId,
        page: &mut Walked,
        count: u64,
    ) -> Result<(), LoadError> {
        if page.position.haut_ai == DatasetPosition::Done {
            return Ok(());
        }
        let deadline = self.time_for_datasets(page.position);
        let datasets = deadline.bound(Source::HautAi, source.dataset_ids(credential)).await?;
        let (mut index, mut offset) = resume(page.position.haut_ai, &datasets);
        while let Some(dataset) = datasets.get(index) {
            let left = count.saturating_sub(page.read());
            if left == 0 {
                break;
            }
            let window = source.window(credential, *dataset, offset, left);
            let window = match deadline.bound(Source::HautAi, window).await {
                Err(gone) if is_gone(&gone) => {
                    // It must not bar the way to the datasets behind it for ever.
                    page.passed_over.push(gone);
                    Window::nothing_at(offset)
                }
                window => window?,
            };
            offset = window.end;
            let follows = window.follows != Some(false);
            page.take(Source::HautAi, window, |position, behind| position.haut_ai = at(index, *dataset, behind));
            page.has_more = follows;
            if !follows {
                (index, offset) = (index + 1, 0);
            }
            let next = datasets.get(index).map(|next| at(index, *next, offset));
            page.position.haut_ai = next.unwrap_or(DatasetPosition::Done);
        }
        if datasets.get(index).is_none() {
            page.position.haut_ai = DatasetPosition::Done;
        }
        Ok(())
    }

    async fn read_animals(
        &self,
        source: &CachedBrainStem,
        credential: CredentialId,
        page: &mut Walked,
        count: u64,
    ) -> Result<(), LoadError> {
        let BrainStemPosition::At(offset) = page.position.brainstem else {
            return Ok(());
        };
        let left = count.saturating_sub(page.read());
        if left == 0 {
            return Ok(());
        }
        let query = ListQuery { filters: Vec::new(), include: self.include.clone() };
        let window = source.window::<Subject>(credential, &query, offset, left);
        let window = self.deadline.bound(Source::BrainStem, window).await?;
        page.has_more = window.follows != Some(false);
        let next = if page.has_more { BrainStemPosition::At(window.end) } else { BrainStemPosition::Done };
        page.take(Source::BrainStem, window, |position, behind| position.brainstem = BrainStemPosition::At(behind));
        page.position.brainstem = next;
        Ok(())
    }

    /// Whether anything lies behind a position. Asks for one record where that is not known.
    async fn has_more(&self, position: SubjectPosition) -> Result<bool, LoadError> {
        if let Some((source, credential)) = self.haut_ai()
            && position.haut_ai != DatasetPosition::Done
        {
            let datasets = self.deadline.bound(Source::HautAi, source.dataset_ids(credential)).await?;
            let (index, mut offset) = resume(position.haut_ai, &datasets);
            for dataset in datasets.into_iter().skip(index) {
                let window = source.window(credential, dataset, offset, 1);
                match self.deadline.bound(Source::HautAi, window).await {
                    Ok(window) if window.end > offset => return Ok(true),
                    Err(error) if !is_gone(&error) => return Err(error),
                    _ => offset = 0,
                }
            }
        }
        if let Some((source, credential)) = self.brainstem()
            && let BrainStemPosition::At(offset) = position.brainstem
        {
            let query = ListQuery::default();
            let window = source.window::<Subject>(credential, &query, offset, 1);
            return Ok(self.deadline.bound(Source::BrainStem, window).await?.end > offset);
        }
        Ok(false)
    }
}

impl Walked {
    /// How many records it took, those that could not be read among them.
    fn read(&self) -> u64 {
        self.subjects.len() as u64 + self.unreadable.iter().map(|(_, count)| count).sum::<u64>()
    }

    fn take(&mut self, source: Source, window: Window<Subject>, behind: impl Fn(&mut SubjectPosition, u64)) {
        for (at, subject) in window.items {
            let mut position = self.position;
            behind(&mut position, at + 1);
            self.subjects.push((position, subject.record));
        }
        if window.unreadable > 0 {
            self.unreadable.push((source, window.unreadable));
        }
    }
}

/// Whether the dataset is not there, be it deleted meanwhile or wrongly configured.
fn is_gone(error: &LoadError) -> bool {
    matches!(error, LoadError::Source(error) if error.fault == Fault::Status(404))
}

fn at(index: usize, dataset: DatasetId, offset: u64) -> DatasetPosition {
    DatasetPosition::At { index: u32::try_from(index).unwrap_or(u32::MAX), dataset: dataset.dataset, offset }
}

/// Where in today's datasets a walk goes on. A dataset that is gone meanwhile is passed over: the next one has its place.
fn resume(position: DatasetPosition, datasets: &[DatasetId]) -> (usize, u64) {
    match position {
        DatasetPosition::Start => (0, 0),
        DatasetPosition::Done => (datasets.len(), 0),
        DatasetPosition::At { index, dataset, offset } => {
            match datasets.iter().position(|today| today.dataset == dataset) {
                Some(index) => (index, offset),
                None => (index as usize, 0),
            }
        }
    }
}
