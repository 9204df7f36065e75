//! The merged list of subjects: filtered, ordered and paged as if it came from one database.
//!
//! Without an order, Haut.AI comes dataset by dataset, then BrainSTEM; with one, the two are merged. Knows borders and
//! sources, neither GraphQL nor the text of a cursor. A source that fails is reported beside what the other gave; its own
//! records are left for later.

mod lists;
pub mod parts;
mod side;
mod sorted;
mod stream;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::future::{join, join_all, try_join_all};

pub use self::{lists::Queries, side::Reading};
use self::{
    parts::Direction,
    side::{Access, Side},
};
use crate::{
    cache::{CachedBrainStem, CachedHautAi, Sources, Viewer, haut_ai::SubjectList},
    domain::{
        DatasetId, Source, Subject, SubjectFilter, SubjectOrder,
        cursor::{Border, SubjectPosition},
    },
    loaders::{Deadline, LoadError, Viewers},
    sources::SourceError,
};

/// A walk over the subjects that pass a filter.
pub struct Walk<'a> {
    pub sources: &'a Sources,
    pub viewers: &'a Viewers,
    pub deadline: Deadline,
    pub filter: SubjectFilter,
    pub order: Option<SubjectOrder>,
    /// What BrainSTEM's lists bring along.
    pub include: Vec<String>,
}

/// One page of the walk.
pub struct Walked {
    /// Each subject with its cursor's position, in the order of the list.
    pub subjects: Vec<(SubjectPosition, Arc<Subject>)>,
    /// Where the walk stands now.
    pub position: SubjectPosition,
    /// Whether anything is left in the walk's direction.
    pub has_more: bool,
    /// Datasets that the walk went past because Haut.AI does not know them.
    pub passed_over: Vec<LoadError>,
    /// How many records could not be read, by source.
    pub unreadable: Vec<(Source, u64)>,
    /// How the sources that the filter concerns fared.
    pub readings: Vec<(Source, Reading)>,
}

/// How many subjects of a source pass; `None`: it does not count them, or not all of the filter.
pub type Count = Result<Option<u64>, LoadError>;

impl<'a> Walk<'a> {
    /// The next `count` subjects from `position` on.
    pub async fn page(&self, direction: Direction, position: SubjectPosition, count: u64) -> Walked {
        let budget = AtomicU64::new(self.sources.max_scan);
        let side = |source, access, from| Side::new(source, access, self, (direction, from), &budget);
        let people = self.haut_ai().map(|(source, viewer)| Access::People(source, viewer));
        let animals = self.brainstem().map(|(source, viewer)| Access::Animals(source, viewer));
        let mut people = side(Source::HautAi, people, &position.haut_ai);
        let mut animals = side(Source::BrainStem, animals, &position.brainstem);
        let mut page = Page::default();
        while page.len() < count {
            let Some(source) = self.nearest(direction, &mut people, &mut animals, count - page.len()).await else {
                break;
            };
            page.take(source, &mut people, &mut animals);
            // Without an order the same source goes on, and what was read already needs nobody to wait or compare.
            let is_at_hand = |people: &mut Side<'_, '_>, animals: &mut Side<'_, '_>| match source {
                Source::HautAi => people.is_at_hand(),
                Source::BrainStem => animals.is_at_hand(),
            };
            while self.order.is_none() && page.len() < count && is_at_hand(&mut people, &mut animals) {
                page.take(source, &mut people, &mut animals);
            }
        }
        let reached =
            SubjectPosition { haut_ai: people.border().clone(), brainstem: animals.border().clone(), record: None };
        let has_more = self.has_more(direction, page.len() >= count, &mut people, &mut animals).await;
        // Passing over what has ended is no progress: the caller's cursor stays as it is.
        let has_moved = |side: &Side<'_, '_>, from: &Border| side.is_unfinished() && side.border() != from;
        let has_moved = has_moved(&people, &position.haut_ai) || has_moved(&animals, &position.brainstem);
        let has_examined = budget.load(Ordering::Relaxed) < self.sources.max_scan;
        let position = if has_moved || has_examined { reached } else { position };
        page.finish(direction, position, has_more, [people, animals])
    }

    /// The source whose subject comes next; `None`: there is none, or it can't be told on this page.
    async fn nearest<'w>(
        &'w self,
        direction: Direction,
        people: &mut Side<'w, 'a>,
        animals: &mut Side<'w, 'a>,
        want: u64,
    ) -> Option<Source> {
        let Some(order) = self.order else {
            let (first, second) = in_turn(direction, people, animals);
            // A source that does not answer must leave the other one, which is read behind it, enough.
            let deadline = if second.is_open() { self.deadline.all_but(2) } else { self.deadline };
            first.advance(want, deadline).await;
            if first.is_open() {
                return first.head().map(|_| first.source);
            }
            second.advance(want, self.deadline).await;
            return second.head().map(|_| second.source);
        };
        // Both are read at once. Where one does not answer, a page of the other may still have to be filled.
        let both_open = people.is_open() && animals.is_open();
        let deadline = if both_open { self.deadline.all_but(4) } else { self.deadline };
        join(people.advance(want, deadline), animals.advance(want, deadline)).await;
        match (people.head(), animals.head()) {
            (Some(person), Some(animal)) => Some(match (person.rank(order), animal.rank(order)) {
                // What has no place in the order is passed at once.
                (None, _) => Source::HautAi,
                (_, None) => Source::BrainStem,
                (Some(person), Some(animal)) => {
                    let person_first = order.compare(&person, &animal).is_lt();
                    let forwards = direction == Direction::Forwards;
                    if person_first == forwards { Source::HautAi } else { Source::BrainStem }
                }
            }),
            (Some(_), None) if !animals.is_open() => Some(Source::HautAi),
            (None, Some(_)) if !people.is_open() => Some(Source::BrainStem),
            _ => None,
        }
    }

    async fn has_more<'w>(
        &'w self,
        direction: Direction,
        is_full: bool,
        people: &mut Side<'w, 'a>,
        animals: &mut Side<'w, 'a>,
    ) -> bool {
        if people.is_left_for_later() || animals.is_left_for_later() {
            return true;
        }
        if !is_full {
            return people.is_open() || animals.is_open();
        }
        let (first, second) = in_turn(direction, people, animals);
        for side in [first, second] {
            if side.has_more_for_certain() {
                return true;
            }
            side.advance(1, self.deadline).await;
            if side.is_open() || side.is_left_for_later() {
                return true;
            }
        }
        false
    }

    /// How many subjects of each source pass, side by side.
    pub async fn counts(&self) -> Vec<(Source, Count)> {
        let people = async {
            let (source, viewer) = self.haut_ai()?;
            Some((Source::HautAi, self.count_people(source, viewer).await))
        };
        let animals = async {
            let (source, viewer) = self.brainstem()?;
            let (query, rest) = source.source().push_down(&self.filter);
            if rest != SubjectFilter::default() {
                return Some((Source::BrainStem, Ok(None)));
            }
            let total = source.total::<Subject>(viewer, &query);
            Some((Source::BrainStem, self.deadline.bound(Source::BrainStem, total).await))
        };
        let (people, animals) = join(people, animals).await;
        people.into_iter().chain(animals).collect()
    }

    async fn count_people(&self, source: &CachedHautAi, viewer: &Viewer) -> Count {
        let (search, rest) = source.source().push_down(&self.filter);
        if rest != SubjectFilter::default() {
            return Ok(None);
        }
        let datasets = self.datasets(source, viewer, self.deadline).await?;
        let totals = join_all(datasets.into_iter().map(|dataset| {
            let list = SubjectList { dataset, search: search.as_deref() };
            source.total(viewer, list)
        }));
        let sum = async {
            let mut sum = Some(0u64);
            for total in totals.await {
                let total = match total {
                    // It is passed over by the walk, too.
                    Err(error) if error.is_absence() => Some(0),
                    total => total?,
                };
                sum = sum.zip(total).and_then(|(sum, total)| sum.checked_add(total));
            }
            Ok::<_, SourceError>(sum)
        };
        self.deadline.bound(Source::HautAi, sum).await
    }

    fn haut_ai(&self) -> Option<(&'a CachedHautAi, &'a Viewer)> {
        let concerned = self.filter.concerns(Source::HautAi);
        self.sources.haut_ai.as_ref().zip(self.viewers.haut_ai.as_ref()).filter(|_| concerned)
    }

    fn brainstem(&self) -> Option<(&'a CachedBrainStem, &'a Viewer)> {
        let concerned = self.filter.concerns(Source::BrainStem);
        self.sources.brainstem.as_ref().zip(self.viewers.brainstem.as_ref()).filter(|_| concerned)
    }

    /// The datasets to read. One that lies outside of what the gateway serves reaches no upstream.
    async fn datasets(
        &self,
        source: &CachedHautAi,
        viewer: &Viewer,
        deadline: Deadline,
    ) -> Result<Vec<DatasetId>, LoadError> {
        let datasets = async {
            let Some(wanted) = &self.filter.datasets else {
                return source.dataset_ids(viewer).await;
            };
            let covers = wanted.iter().map(|dataset| source.source().covers(*dataset));
            let covers = try_join_all(covers).await?;
            let covered: Vec<_> =
                wanted.iter().zip(covers).filter_map(|(dataset, covers)| covers.then_some(dataset)).collect();
            if covered.is_empty() {
                return Ok(Vec::new());
            }
            let mut all = source.dataset_ids(viewer).await?;
            all.retain(|dataset| covered.contains(&dataset));
            Ok(all)
        };
        deadline.bound(Source::HautAi, datasets).await
    }
}

/// A page in the making.
#[derive(Default)]
struct Page {
    subjects: Vec<(SubjectPosition, Arc<Subject>)>,
    /// A record that could not be read has its place on the page, too.
    unreadable: Vec<Source>,
}

impl Page {
    fn len(&self) -> u64 {
        (self.subjects.len() + self.unreadable.len()) as u64
    }

    /// Takes the next of a source.
    fn take<'w, 'a>(&mut self, source: Source, people: &mut Side<'w, 'a>, animals: &mut Side<'w, 'a>) {
        let side = if source == Source::HautAi { &mut *people } else { &mut *animals };
        let Some(taken) = side.take() else { return };
        let Some(subject) = taken.subject else {
            self.unreadable.push(source);
            return;
        };
        let (haut_ai, brainstem) = match source {
            Source::HautAi => (taken.behind, animals.border().clone()),
            Source::BrainStem => (people.border().clone(), taken.behind),
        };
        self.subjects.push((SubjectPosition { haut_ai, brainstem, record: Some(source) }, subject));
    }

    fn finish(
        mut self,
        direction: Direction,
        position: SubjectPosition,
        has_more: bool,
        sides: [Side<'_, '_>; 2],
    ) -> Walked {
        if direction == Direction::Backwards {
            self.subjects.reverse();
        }
        let mut walked = Walked {
            subjects: self.subjects,
            position,
            has_more,
            passed_over: Vec::new(),
            unreadable: Vec::new(),
            readings: Vec::new(),
        };
        for side in sides {
            let (lacking, gone) = side.lacks();
            let unreadable = lacking + self.unreadable.iter().filter(|source| **source == side.source).count() as u64;
            if unreadable > 0 {
                walked.unreadable.push((side.source, unreadable));
            }
            walked.passed_over.extend(gone);
            walked.readings.extend(side.reading().map(|reading| (side.source, reading)));
        }
        walked
    }
}

/// Without an order the animals stand behind the people.
fn in_turn<T>(direction: Direction, people: T, animals: T) -> (T, T) {
    match direction {
        Direction::Forwards => (people, animals),
        Direction::Backwards => (animals, people),
    }
}
