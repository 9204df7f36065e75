//! One source's part of the merged list of subjects, record by record.

use std::sync::Arc;

use super::{
    Walk,
    lists::{Datasets, Queries},
    parts::{Direction, Item, Reader},
    side::Access,
    sorted::Sorted,
};
use crate::{
    cache::{CachedBrainStem, CachedHautAi, Viewer},
    domain::{
        Source, Subject, SubjectFilter, SubjectOrder,
        cursor::Border,
        order::{OrderField, Rank},
    },
    loaders::{Deadline, LoadError},
    sources::brainstem::ListQuery,
};

/// A subject of a source's list, or the place of one that could not be read.
pub(super) struct Step {
    pub(super) subject: Option<Arc<Subject>>,
    /// The server has it among those with a value, and its value can't be read here.
    pub(super) is_misplaced: bool,
    pub(super) before: Border,
    pub(super) behind: Border,
}

impl Step {
    /// Its place in an order. `None`: it has none.
    pub(super) fn rank(&self, order: SubjectOrder) -> Option<Rank> {
        let subject = self.subject.as_ref().filter(|_| !self.is_misplaced)?;
        Some(order.rank(subject))
    }

    /// The border that a walk has come to when it has passed this.
    pub(super) fn passed(&self, direction: Direction) -> Border {
        match direction {
            Direction::Forwards => self.behind.clone(),
            Direction::Backwards => self.before.clone(),
        }
    }
}

impl From<Item<Subject>> for Step {
    fn from(item: Item<Subject>) -> Self {
        Self { before: item.before(), behind: item.behind(), subject: item.record, is_misplaced: false }
    }
}

/// What a source is asked, and what is left to do here.
pub(super) enum Stream<'a> {
    People {
        reader: Reader<Datasets<'a>>,
        rest: SubjectFilter,
    },
    Animals {
        reader: Reader<Queries<'a, Subject>>,
        rest: SubjectFilter,
        /// Its first part holds those with a birth date.
        has_dated_part: bool,
    },
    Sorted(Sorted),
}

impl<'a> Stream<'a> {
    /// Begins to read a source's list from a border on.
    pub(super) async fn open(
        walk: &Walk<'a>,
        access: Access<'a>,
        from: (Direction, &Border),
        deadline: Deadline,
    ) -> Result<Self, LoadError> {
        match access {
            Access::People(source, viewer) => Self::people(walk, (source, viewer), from, deadline).await,
            Access::Animals(source, viewer) => Self::animals(walk, (source, viewer), from, deadline).await,
        }
    }

    /// The people of the selected datasets.
    async fn people(
        walk: &Walk<'a>,
        (source, viewer): (&'a CachedHautAi, &'a Viewer),
        (direction, from): (Direction, &Border),
        deadline: Deadline,
    ) -> Result<Self, LoadError> {
        let (search, rest) = source.source().push_down(&walk.filter);
        let datasets = walk.datasets(source, viewer, deadline).await?;
        let Some(order) = walk.order else {
            let reader = Reader::new(Datasets::new(source, viewer, datasets, search, deadline), direction, from);
            return Ok(Self::People { reader, rest });
        };
        let limit = walk.sources.max_gather;
        let gathered = source.gathered(viewer, &datasets, search.as_deref(), &rest, order, limit);
        let gathering = deadline.bound(Source::HautAi, gathered).await?;
        Sorted::new((Source::HautAi, limit), gathering, order, (direction, from)).map(Self::Sorted)
    }

    /// The animals, sorted by the server where its order is the one that was asked for.
    async fn animals(
        walk: &Walk<'a>,
        (source, viewer): (&'a CachedBrainStem, &'a Viewer),
        (direction, from): (Direction, &Border),
        deadline: Deadline,
    ) -> Result<Self, LoadError> {
        let (query, rest) = source.source().push_down(&walk.filter);
        if let Some(order) = walk.order.filter(|order| order.field == OrderField::Name) {
            let limit = walk.sources.max_gather;
            let gathered = source.gathered(viewer, &query, &rest, order, limit);
            let gathering = deadline.bound(Source::BrainStem, gathered).await?;
            return Sorted::new((Source::BrainStem, limit), gathering, order, (direction, from)).map(Self::Sorted);
        }
        // Where many records may not pass, what they bring along would be lost with them.
        let include = if rest == SubjectFilter::default() { walk.include.clone() } else { Vec::new() };
        let query = ListQuery { include, ..query };
        let queries = in_order(query, walk.order);
        let has_dated_part = queries.len() > 1;
        let reader = Reader::new(Queries::new(source, viewer, queries, deadline), direction, from);
        Ok(Self::Animals { reader, rest, has_dated_part })
    }

    /// The next subject of the direction; where it has to be asked for, up to `want` are asked for at once.
    pub(super) async fn next(&mut self, want: u64) -> Result<Option<Step>, LoadError> {
        let item = match self {
            Self::People { reader, .. } => reader.next(want).await?,
            Self::Animals { reader, .. } => reader.next(want).await?,
            Self::Sorted(sorted) => return Ok(sorted.next()),
        };
        Ok(item.map(|item| self.step(item)))
    }

    /// The next subject, where it was read already and is sure to pass: most of a page, which needs no future for each.
    pub(super) fn next_ready(&mut self) -> Option<Step> {
        if !self.is_exact() {
            return None;
        }
        let item = match self {
            Self::People { reader, .. } => reader.next_ready()?,
            Self::Animals { reader, .. } => reader.next_ready()?,
            Self::Sorted(sorted) => return sorted.next(),
        };
        Some(self.step(item))
    }

    fn step(&self, item: Item<Subject>) -> Step {
        let in_dated_part = matches!(self, Self::Animals { has_dated_part: true, .. }) && item.part() == 0;
        let undated = |subject: &Arc<Subject>| subject.birth_date.value.is_none();
        let is_misplaced = in_dated_part && item.record.as_ref().is_some_and(undated);
        Step { is_misplaced, ..Step::from(item) }
    }

    /// Whether a subject passes what the source could not filter. A sorted list holds no others.
    pub(super) async fn passes(&self, subject: &Subject) -> Result<bool, LoadError> {
        match self {
            Self::People { reader, rest } => {
                let sex = if rest.sex.is_some() { reader.list.sex_of(subject).await? } else { None };
                Ok(rest.matches(subject, sex))
            }
            Self::Animals { rest, .. } => Ok(rest.matches(subject, subject.sex)),
            Self::Sorted(_) => Ok(true),
        }
    }

    /// Whether all that the source sends passes.
    pub(super) fn is_exact(&self) -> bool {
        match self {
            Self::People { rest, .. } | Self::Animals { rest, .. } => *rest == SubjectFilter::default(),
            Self::Sorted(_) => true,
        }
    }

    /// How far the list was read; `None`: not known, or not all of it was given.
    pub(super) fn border(&self) -> Option<Border> {
        match self {
            Self::People { reader, .. } => reader.border(),
            Self::Animals { reader, .. } => reader.border(),
            Self::Sorted(_) => None,
        }
    }

    /// Whether a further record is known to be there without asking.
    pub(super) fn has_more_for_certain(&self) -> bool {
        match self {
            Self::People { reader, .. } => reader.has_more_for_certain(),
            Self::Animals { reader, .. } => reader.has_more_for_certain(),
            Self::Sorted(sorted) => sorted.has_more(),
        }
    }

    /// What the whole list lacks, known where all of it was read: records that could not be, and datasets that are gone.
    pub(super) fn lacks(&self) -> (u64, Vec<LoadError>) {
        match self {
            Self::People { reader, .. } => (0, reader.list.passed_over(reader.parts_come_to())),
            Self::Animals { .. } => (0, Vec::new()),
            Self::Sorted(sorted) => sorted.lacks(),
        }
    }
}

/// The lists of a server that one after the other are in the given order. A database puts nulls at the one end or the
/// other, so what has no value is a list by itself.
fn in_order(query: ListQuery, order: Option<SubjectOrder>) -> Vec<ListQuery> {
    let Some(order) = order else { return vec![query] };
    let by_id = ListQuery { sort: &["id"], ..query };
    if order.field != OrderField::BirthDate {
        return vec![by_id];
    }
    let part = |is_null: bool, sort| {
        let mut part = ListQuery { sort, ..by_id.clone() };
        part.filters.push(("filter{birth_date.isnull}", is_null.to_string()));
        part
    };
    let dated: &[&str] = if order.descending { &["-birth_date", "id"] } else { &["birth_date", "id"] };
    vec![part(false, dated), part(true, &["id"])]
}
