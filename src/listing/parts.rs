//! One source's list, read from a border on, forwards or backwards.
//!
//! A list has parts that follow each other, each paged by its upstream: Haut.AI's datasets, or the queries that make up
//! one list of BrainSTEM's. Reads no more than it is asked for, but for parts that lie behind one that ended too soon: they
//! are read side by side, more of them each time, since many may be short or empty.

use std::{collections::VecDeque, future::Future, ops::RangeInclusive, sync::Arc};

use futures::{StreamExt as _, stream::FuturesOrdered};
use uuid::Uuid;

use crate::{
    domain::cursor::Border,
    loaders::LoadError,
    sources::paging::{MAX_PAGE, Window},
};

/// Parts that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// Which way a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forwards,
    Backwards,
}

impl Direction {
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Forwards => Self::Backwards,
            Self::Backwards => Self::Forwards,
        }
    }
}

/// A list in parts.
pub trait Parts: Sync {
    type Record: Send + Sync;

    /// The datasets that the parts are; nil for what is none.
    fn ids(&self) -> &[Uuid];

    /// `count` records of a part from `at` on.
    fn window(
        &self,
        part: usize,
        at: u64,
        count: u64,
    ) -> impl Future<Output = Result<Window<Self::Record>, LoadError>> + Send;
}

/// A record of a list, or the place of one that could not be read.
pub struct Item<T> {
    pub record: Option<Arc<T>>,
    part: u32,
    dataset: Uuid,
    offset: u32,
}

impl<T> Item<T> {
    /// Which part of the list it is in.
    pub fn part(&self) -> u32 {
        self.part
    }

    pub fn before(&self) -> Border {
        Border::At { part: self.part, dataset: self.dataset, offset: self.offset }
    }

    pub fn behind(&self) -> Border {
        Border::At { part: self.part, dataset: self.dataset, offset: self.offset.saturating_add(1) }
    }
}

/// Reads a list.
pub struct Reader<L: Parts> {
    pub(super) list: L,
    direction: Direction,
    /// Part and place where it began to read.
    began: (usize, Option<u64>),
    part: usize,
    /// Where the next stretch of the part begins, or backwards, where it ends. `None`: the part's own end.
    at: Option<u64>,
    /// How many records the part has that was read last, where the upstream counts them.
    total: Option<u64>,
    /// Forwards: whether the part goes on behind what was read. `None`: nothing was read yet.
    follows: Option<bool>,
    ahead: VecDeque<Item<L::Record>>,
    /// How many parts were looked at side by side the last time.
    width: usize,
    /// Looks at the next parts of the direction, in its order.
    looked: VecDeque<(usize, Looked<L::Record>)>,
}

type Looked<T> = Result<Look<T>, LoadError>;

/// What a walk meets first in a part.
struct Look<T> {
    /// Backwards: where the part ends.
    end: u64,
    /// Where the window was to begin.
    start: u64,
    window: Window<T>,
}

impl<L: Parts> Reader<L> {
    pub fn new(list: L, direction: Direction, from: &Border) -> Self {
        let parts = list.ids().len();
        let (part, at) = match from {
            // Where its list was sorted here, a cursor with a record's place in it is a forged one.
            Border::Start | Border::Before(_) | Border::Behind(_) => (0, Some(0)),
            Border::End => (parts, Some(0)),
            Border::At { part, dataset, offset } => {
                // A dataset that is gone meanwhile is passed over: the next one has its place.
                match list.ids().iter().position(|id| id == dataset).filter(|_| !dataset.is_nil()) {
                    Some(part) => (part, Some(u64::from(*offset))),
                    None if dataset.is_nil() => (*part as usize, Some(u64::from(*offset))),
                    None => (*part as usize, Some(0)),
                }
            }
        };
        let (part, at) = if part < parts { (part, at) } else { (parts, Some(0)) };
        Self {
            list,
            direction,
            began: (part, at),
            part,
            at,
            total: None,
            follows: None,
            ahead: VecDeque::new(),
            width: 1,
            looked: VecDeque::new(),
        }
    }

    /// The parts that the walk has come to so far; others may have been looked at.
    pub(super) fn parts_come_to(&self) -> RangeInclusive<usize> {
        self.began.0.min(self.part)..=self.began.0.max(self.part)
    }

    /// The next record of the direction; where it has to be asked for, `want` are asked for at once. Of [`MAX_PAGE`] at a
    /// time fewer, so that the stretch ends where a page of that size does.
    pub async fn next(&mut self, want: u64) -> Result<Option<Item<L::Record>>, LoadError> {
        while self.ahead.is_empty() {
            let went_on = match self.direction {
                Direction::Forwards => self.read_on(want.clamp(1, MAX_PAGE)).await?,
                Direction::Backwards => self.read_back(want.clamp(1, MAX_PAGE)).await?,
            };
            if !went_on {
                return Ok(None);
            }
        }
        Ok(self.ahead.pop_front())
    }

    /// The next record, where it was read already.
    pub fn next_ready(&mut self) -> Option<Item<L::Record>> {
        self.ahead.pop_front()
    }

    /// How many records the part has that was read last, where the upstream counts them.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// How far the list was read; `None`: no further than where it began, or records that were read are still to be given.
    pub fn border(&self) -> Option<Border> {
        if !self.ahead.is_empty() || self.began == (self.part, self.at) {
            return None;
        }
        // Backwards, the end of a part that was not found yet is the start of the next one.
        let (part, at) = match self.at {
            Some(at) if self.follows != Some(false) => (self.part, at),
            _ => (self.part + 1, 0),
        };
        Some(match self.list.ids().get(part) {
            Some(dataset) => Border::At {
                part: u32::try_from(part).unwrap_or(u32::MAX),
                dataset: *dataset,
                offset: u32::try_from(at).unwrap_or(u32::MAX),
            },
            None => Border::End,
        })
    }

    /// Whether a further record is known to be there without asking.
    pub fn has_more_for_certain(&self) -> bool {
        let in_part = match self.direction {
            Direction::Forwards => self.follows == Some(true),
            Direction::Backwards => self.at.is_some_and(|at| at > 0),
        };
        !self.ahead.is_empty() || in_part
    }

    /// `false`: the list is at its end. Each call reads records or leaves a part.
    async fn read_on(&mut self, want: u64) -> Result<bool, LoadError> {
        if self.follows == Some(false) {
            (self.part, self.at, self.follows) = (self.part + 1, Some(0), None);
            self.look_at_parts(want).await;
        }
        if self.part >= self.list.ids().len() {
            return Ok(false);
        }
        let at = self.at.unwrap_or(0);
        let looked = if at == 0 { self.take_look() } else { None };
        let window = match looked {
            Some(look) => look?.window,
            None => self.read_from(self.part, at, want).await?.window,
        };
        self.total = window.total;
        self.follows = Some(window.end > at && window.follows != Some(false));
        self.at = Some(window.end);
        self.ahead.extend(self.items(at, &window));
        Ok(true)
    }

    /// `false`: the list is at its start. Each call reads records, comes nearer to the part's start, or leaves it.
    async fn read_back(&mut self, want: u64) -> Result<bool, LoadError> {
        let Look { end, start, window } = match self.at {
            Some(at) => self.read_before(self.part, at, want).await?,
            None => match self.take_look() {
                Some(look) => look?,
                None => self.look(self.part, want).await?,
            },
        };
        if end == 0 {
            let Some(part) = self.part.checked_sub(1) else { return Ok(false) };
            // Where it began there was nothing to read yet.
            let has_read = self.began != (self.part, Some(0));
            (self.part, self.at) = (part, None);
            if has_read {
                self.look_at_parts(want).await;
            }
            return Ok(true);
        }
        self.total = window.total;
        // Where nothing is there any more, the list has become shorter than it was.
        let next = if window.end > start { start } else { self.end_between(self.part, 0, start).await? };
        self.at = Some(next);
        let items: Vec<_> = self.items(start, &window).collect();
        self.ahead.extend(items.into_iter().rev());
        Ok(true)
    }

    fn take_look(&mut self) -> Option<Looked<L::Record>> {
        let is_of_this = self.looked.front().is_some_and(|(part, _)| *part == self.part);
        let (_, look) = if is_of_this { self.looked.pop_front() } else { None }?;
        Some(look)
    }

    /// Looks at the next parts side by side: twice as many as the last time, since those were not enough. A look for one
    /// record more takes it slower, since the next part most likely has it.
    async fn look_at_parts(&mut self, want: u64) {
        if !self.looked.is_empty() {
            return;
        }
        let wider = (self.width * 2).min(SIDE_BY_SIDE);
        let width = if want == 1 { self.width } else { wider };
        self.width = wider;
        let parts: Vec<usize> = match self.direction {
            Direction::Forwards => (self.part..self.list.ids().len()).take(width).collect(),
            Direction::Backwards => (0..=self.part).rev().take(width).collect(),
        };
        let this = &*self;
        let look = |part| async move { (part, this.look(part, want).await) };
        let mut looks: FuturesOrdered<_> = parts.into_iter().map(look).collect();
        let (mut looked, mut records) = (VecDeque::new(), 0);
        // One that is slow or fails must not harm a page that is full without it.
        while records < want
            && let Some((part, look)) = looks.next().await
        {
            records += look.as_ref().map_or(want, |look| look.window.end.saturating_sub(look.start));
            looked.push_back((part, look));
        }
        drop(looks);
        self.looked = looked;
    }

    /// What a walk that comes to a part reads first.
    async fn look(&self, part: usize, want: u64) -> Looked<L::Record> {
        match self.direction {
            Direction::Forwards => self.read_from(part, 0, want).await,
            Direction::Backwards => self.read_before(part, self.end_of(part).await?, want).await,
        }
    }

    async fn read_from(&self, part: usize, at: u64, want: u64) -> Looked<L::Record> {
        let want = if want == MAX_PAGE { MAX_PAGE - at % MAX_PAGE } else { want };
        Ok(Look { end: 0, start: at, window: self.list.window(part, at, want).await? })
    }

    async fn read_before(&self, part: usize, end: u64, want: u64) -> Looked<L::Record> {
        if end == 0 {
            return Ok(Look { end, start: 0, window: Window::nothing_at(0) });
        }
        let want = if want == MAX_PAGE && !end.is_multiple_of(MAX_PAGE) { end % MAX_PAGE } else { want };
        let start = end.saturating_sub(want);
        Ok(Look { end, start, window: self.list.window(part, start, end - start).await? })
    }

    /// How many records a part has: as the server says, or else where they are found to end.
    async fn end_of(&self, part: usize) -> Result<u64, LoadError> {
        let first = self.list.window(part, 0, 1).await?;
        if let Some(total) = first.total {
            return Ok(total);
        }
        if first.end == 0 || first.follows == Some(false) {
            return Ok(first.end);
        }
        let (mut low, mut high) = (1, MAX_PAGE);
        while self.is_there(part, high).await? {
            (low, high) = (high + 1, high * 2);
            if high > u64::from(u32::MAX) {
                return Ok(high);
            }
        }
        self.end_between(part, low, high).await
    }

    /// Where a part ends that has `low` records at least and none at `high`: found by looking, whatever the server
    /// counts.
    async fn end_between(&self, part: usize, mut low: u64, mut high: u64) -> Result<u64, LoadError> {
        while low < high {
            let middle = low.midpoint(high);
            if self.is_there(part, middle).await? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    async fn is_there(&self, part: usize, at: u64) -> Result<bool, LoadError> {
        Ok(self.list.window(part, at, 1).await?.end > at)
    }

    /// What a window brought, with the places of records in it that could not be read.
    fn items(&self, start: u64, window: &Window<L::Record>) -> impl Iterator<Item = Item<L::Record>> + use<L> {
        let part = u32::try_from(self.part).unwrap_or(u32::MAX);
        let dataset = self.list.ids().get(self.part).copied().unwrap_or_default();
        let mut read: VecDeque<_> = window.items.iter().map(|(at, item)| (*at, Arc::clone(&item.record))).collect();
        (start..window.end).map(move |at| {
            let is_next = read.front().is_some_and(|(there, _)| *there == at);
            let record = if is_next { read.pop_front().map(|(_, record)| record) } else { None };
            Item { record, part, dataset, offset: u32::try_from(at).unwrap_or(u32::MAX) }
        })
    }
}

#[cfg(test)]
mod tests;
