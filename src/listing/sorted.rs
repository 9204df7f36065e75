//! A list that was gathered and sorted here, read from a border on.

use std::{cmp::Ordering, sync::Arc};

use super::{parts::Direction, stream::Step};
use crate::{
    cache::{Gathered, Gathering},
    domain::{Source, Subject, SubjectOrder, cursor::Border, order::Rank},
    loaders::LoadError,
};

/// Reads a sorted list.
pub(super) struct Sorted {
    gathering: Arc<Gathering>,
    direction: Direction,
    /// Subjects before the border where it stands.
    at: usize,
}

impl Sorted {
    pub(super) fn new(
        (source, limit): (Source, u64),
        gathering: Arc<Gathering>,
        order: SubjectOrder,
        (direction, from): (Direction, &Border),
    ) -> Result<Self, LoadError> {
        let Gathering::Sorted(Gathered { subjects, .. }) = &*gathering else {
            return Err(LoadError::TooMany(source, limit));
        };
        let before = |least: &Rank, of: Ordering| subjects.partition_point(|(rank, _)| order.compare(rank, least) < of);
        let at = match from {
            Border::Before(rank) => before(rank, Ordering::Equal),
            Border::Behind(rank) => before(rank, Ordering::Greater),
            Border::End => subjects.len(),
            // A place by number in a list that is sorted here: a forged cursor.
            Border::Start | Border::At { .. } => 0,
        };
        Ok(Self { gathering, direction, at })
    }

    fn subjects(&self) -> &[(Rank, Arc<Subject>)] {
        match &*self.gathering {
            Gathering::Sorted(gathered) => &gathered.subjects,
            Gathering::TooMany => &[],
        }
    }

    pub(super) fn next(&mut self) -> Option<Step> {
        let index = match self.direction {
            Direction::Forwards => self.at,
            Direction::Backwards => self.at.checked_sub(1)?,
        };
        let (rank, subject) = self.subjects().get(index)?;
        let (before, behind) = (Border::Before(rank.clone()), Border::Behind(rank.clone()));
        let step = Step { subject: Some(Arc::clone(subject)), is_misplaced: false, before, behind };
        self.at = if self.direction == Direction::Forwards { index + 1 } else { index };
        Some(step)
    }

    pub(super) fn has_more(&self) -> bool {
        match self.direction {
            Direction::Forwards => self.at < self.subjects().len(),
            Direction::Backwards => self.at > 0,
        }
    }

    /// Records that could not be read, and datasets that are gone.
    pub(super) fn lacks(&self) -> (u64, Vec<LoadError>) {
        match &*self.gathering {
            Gathering::Sorted(gathered) => {
                (gathered.unreadable, gathered.passed_over.iter().cloned().map(LoadError::Source).collect())
            }
            Gathering::TooMany => (0, Vec::new()),
        }
    }
}
