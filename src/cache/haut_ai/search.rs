//! Finding many subjects of one dataset: Haut.AI has no request for that.

use std::{collections::HashSet, sync::Arc};

use futures::{StreamExt as _, stream};

use super::{Shared, SubjectList, subject_key};
use crate::{
    cache::{Fetched, RecordKey, Viewer},
    domain::{DatasetId, HautAiSubjectId, Source, Subject, SubjectId},
    sources::{
        Fault, SourceError,
        haut_ai::{Detail, SAME_AGAIN},
        paging::MAX_PAGE,
    },
};

/// Subjects of one dataset that are asked for one by one at the same time.
const FAN_OUT: usize = 8;
/// From so many subjects of a dataset on, a look at its first page may save requests.
const LISTING_FROM: usize = 3;

/// Subjects to be found, and those that were.
pub(super) struct Search {
    pub(super) shared: Arc<Shared>,
    /// Belongs to the flight.
    pub(super) viewer: Viewer,
    pub(super) dataset: DatasetId,
    pub(super) missing: Vec<HautAiSubjectId>,
    pub(super) found: Fetched<RecordKey, Subject>,
}

impl Search {
    /// One by one, side by side within a bound; or by listing the dataset, where that takes fewer requests.
    pub(super) async fn run(mut self) -> Fetched<RecordKey, Subject> {
        match self.shared.source.covers(self.dataset).await {
            Ok(true) => {}
            Ok(false) => return self.found,
            Err(error) => return self.fail(&error),
        }
        if self.missing.len() >= LISTING_FROM {
            match self.list(|pages_left, missing| pages_left < missing).await {
                Err(error) if error.is_denial() => return self.fail(&error),
                // Where listing fails, asking one by one may still do.
                Ok(()) | Err(_) => {}
            }
        }
        let unserved = self.ask_one_by_one().await;
        if unserved.is_empty() {
            return self.found;
        }
        self.missing = unserved;
        match self.list(|_, _| true).await {
            Ok(()) => self.found,
            // No such dataset: no such subjects.
            Err(error) if error.is_absence() => self.found,
            Err(error) => self.fail(&error),
        }
    }

    /// Reads the dataset page by page until all are found, it ends, or `worth(pages left, subjects missing)` says no.
    async fn list(&mut self, worth: impl Fn(u64, u64) -> bool) -> Result<(), SourceError> {
        let mut at = 0;
        let mut seen = HashSet::new();
        loop {
            let window = self.shared.window(&self.viewer, SubjectList::all(self.dataset), at, MAX_PAGE).await?;
            let before = seen.len();
            for (_, subject) in window.items {
                seen.insert(subject.record.id);
                if let Some(position) = self.missing.iter().position(|id| SubjectId::HautAi(*id) == subject.record.id) {
                    let id = self.missing.swap_remove(position);
                    self.found.insert(subject_key(self.viewer.credential.id, id), Ok(Some(subject)));
                }
            }
            at = window.end;
            let left = window.total.map_or(u64::MAX, |total| total.saturating_sub(at)).div_ceil(MAX_PAGE);
            if self.missing.is_empty() || window.follows == Some(false) || !worth(left, self.missing.len() as u64) {
                return Ok(());
            }
            if seen.len() == before {
                return Err(SourceError { of: Source::HautAi, fault: Fault::Invalid(SAME_AGAIN) });
            }
        }
    }

    /// Returns those that the server has no such request for.
    async fn ask_one_by_one(&mut self) -> Vec<HautAiSubjectId> {
        let (shared, viewer) = (&self.shared, &self.viewer);
        let began = shared.stores.records.moment();
        let asked = stream::iter(std::mem::take(&mut self.missing))
            .map(|id| async move {
                viewer.note_request();
                (id, shared.source.subject(&viewer.credential, id).await)
            })
            .buffer_unordered(FAN_OUT);
        let answers: Vec<_> = asked.collect().await;
        let mut unserved = Vec::new();
        for (id, answer) in answers {
            let answer = match answer {
                Ok(Detail::There(subject)) => {
                    self.shared.learn(began, self.viewer.credential.id, [&*subject.record]);
                    Ok(Some(subject))
                }
                Ok(Detail::Absent) => Ok(None),
                Ok(Detail::NotServed) => {
                    unserved.push(id);
                    continue;
                }
                Err(error) => Err(error),
            };
            self.found.insert(subject_key(self.viewer.credential.id, id), answer);
        }
        unserved
    }

    fn fail(mut self, error: &SourceError) -> Fetched<RecordKey, Subject> {
        for id in self.missing {
            self.found.insert(subject_key(self.viewer.credential.id, id), Err(error.clone()));
        }
        self.found
    }
}
