//! One source's list, read from a border on, forwards or backwards.
//!
//! A list has parts that follow each other, each paged by its upstream: Haut.AI's datasets, or the queries that make up
//! one list of BrainSTEM's. Reads no more than it is asked for.

use std::{collections::VecDeque, future::Future, sync::Arc};

use uuid::Uuid;

use crate::{
    domain::cursor::Border,
    loaders::LoadError,
    sources::paging::{MAX_PAGE, Window},
};

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
        Self { list, direction, began: (part, at), part, at, total: None, follows: None, ahead: VecDeque::new() }
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
        }
        if self.part >= self.list.ids().len() {
            return Ok(false);
        }
        let at = self.at.unwrap_or(0);
        let want = if want == MAX_PAGE { MAX_PAGE - at % MAX_PAGE } else { want };
        let window = self.list.window(self.part, at, want).await?;
        self.total = window.total;
        self.follows = Some(window.end > at && window.follows != Some(false));
        self.at = Some(window.end);
        self.ahead.extend(self.items(at, &window));
        Ok(true)
    }

    /// `false`: the list is at its start. Each call reads records, comes nearer to the part's start, or leaves it.
    async fn read_back(&mut self, want: u64) -> Result<bool, LoadError> {
        let at = match self.at {
            Some(at) => at,
            None => self.end_of_part().await?,
        };
        if at == 0 {
            let Some(part) = self.part.checked_sub(1) else { return Ok(false) };
            (self.part, self.at) = (part, None);
            return Ok(true);
        }
        let want = if want == MAX_PAGE && at % MAX_PAGE > 0 { at % MAX_PAGE } else { want };
        let start = at.saturating_sub(want);
        let window = self.list.window(self.part, start, at - start).await?;
        self.total = window.total;
        // Where nothing is there any more, the list has become shorter than it was.
        let next = if window.end > start { start } else { self.end_between(0, start).await? };
        self.at = Some(next);
        let items: Vec<_> = self.items(start, &window).collect();
        self.ahead.extend(items.into_iter().rev());
        Ok(true)
    }

    /// How many records the part has: as the server says, or else where they are found to end.
    async fn end_of_part(&self) -> Result<u64, LoadError> {
        let first = self.list.window(self.part, 0, 1).await?;
        if let Some(total) = first.total {
            return Ok(total);
        }
        if first.end == 0 || first.follows == Some(false) {
            return Ok(first.end);
        }
        let (mut low, mut high) = (1, MAX_PAGE);
        while self.is_there(high).await? {
            (low, high) = (high + 1, high * 2);
            if high > u64::from(u32::MAX) {
                return Ok(high);
            }
        }
        self.end_between(low, high).await
    }

    /// Where the part ends that has `low` records at least and none at `high`: found by looking, whatever the server
    /// counts.
    async fn end_between(&self, mut low: u64, mut high: u64) -> Result<u64, LoadError> {
        while low < high {
            let middle = low.midpoint(high);
            if self.is_there(middle).await? {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    async fn is_there(&self, at: u64) -> Result<bool, LoadError> {
        Ok(self.list.window(self.part, at, 1).await?.end > at)
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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::executor::block_on;
    use proptest::prelude::*;

    use super::*;
    use crate::sources::paging::Weighed;

    /// Parts of so many numbers each, that count upwards through all of them.
    struct Numbers {
        ids: Vec<Uuid>,
        sizes: Vec<u64>,
        tells_total: bool,
        /// What the server counts although it is not there.
        excess: u64,
        asked: AtomicUsize,
    }

    impl Numbers {
        fn new(sizes: Vec<u64>, tells_total: bool) -> Self {
            let ids = (1..=sizes.len() as u128).map(Uuid::from_u128).collect();
            Self { ids, sizes, tells_total, excess: 0, asked: AtomicUsize::new(0) }
        }
    }

    impl Parts for Numbers {
        type Record = u64;

        fn ids(&self) -> &[Uuid] {
            &self.ids
        }

        async fn window(&self, part: usize, at: u64, count: u64) -> Result<Window<u64>, LoadError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let size = self.sizes[part];
            let total = self.tells_total.then_some(size + self.excess);
            let before: u64 = self.sizes[..part].iter().sum();
            let end = size.min(at + count).max(at);
            let item = |at| (at, Weighed { record: Arc::new(before + at), bytes: 0 });
            let items = (at..end).map(item).collect();
            Ok(Window { items, unreadable: 0, end, total, follows: Some(end < size) })
        }
    }

    fn read(reader: &mut Reader<Numbers>, want: u64) -> (Vec<u64>, Vec<Border>) {
        let (mut numbers, mut borders) = (Vec::new(), Vec::new());
        while let Some(item) = block_on(reader.next(want)).unwrap() {
            borders.push(item.before());
            numbers.push(*item.record.unwrap());
        }
        (numbers, borders)
    }

    proptest! {
        #[test]
        fn both_ways_give_the_whole_list_from_anywhere(
            sizes in prop::collection::vec(0..260u64, 0..4), tells in any::<bool>(), want in 1..130u64, from in any::<prop::sample::Index>(),
        ) {
            let all: Vec<u64> = (0..sizes.iter().sum()).collect();
            let numbers = || Numbers::new(sizes.clone(), tells);
            let (forwards, borders) = read(&mut Reader::new(numbers(), Direction::Forwards, &Border::Start), want);
            prop_assert_eq!(&forwards, &all);
            let (mut backwards, _) = read(&mut Reader::new(numbers(), Direction::Backwards, &Border::End), want);
            backwards.reverse();
            prop_assert_eq!(&backwards, &all);
            if !all.is_empty() {
                let from = from.index(all.len());
                let (behind, _) = read(&mut Reader::new(numbers(), Direction::Forwards, &borders[from]), want);
                prop_assert_eq!(&behind, &all[from..]);
                let (mut before, _) = read(&mut Reader::new(numbers(), Direction::Backwards, &borders[from]), want);
                before.reverse();
                prop_assert_eq!(&before, &all[..from]);
            }
        }
    }

    #[test]
    fn a_list_that_has_become_shorter_is_read_back_from_its_end() {
        let border = Border::At { part: 0, dataset: Uuid::from_u128(1), offset: 4_000_000 };
        for tells in [false, true] {
            let mut reader = Reader::new(Numbers::new(vec![3], tells), Direction::Backwards, &border);
            assert_eq!(read(&mut reader, 2).0, [2, 1, 0]);
        }
    }

    #[test]
    fn a_server_that_counts_too_many_is_not_asked_for_each_of_them() {
        let list = Numbers { excess: 4_000_000_000, ..Numbers::new(vec![3], true) };
        let mut reader = Reader::new(list, Direction::Backwards, &Border::End);
        assert_eq!(read(&mut reader, 1).0, [2, 1, 0]);
        assert!(reader.list.asked.into_inner() < 50);
    }

    #[test]
    fn a_dataset_that_is_gone_leaves_its_place_to_the_next() {
        let border = Border::At { part: 1, dataset: Uuid::from_u128(77), offset: 5 };
        let mut reader = Reader::new(Numbers::new(vec![2, 2], true), Direction::Forwards, &border);
        assert_eq!(read(&mut reader, 9).0, [2, 3]);
    }
}
