//! Reading a stretch of a list, whatever pages its server cuts it into.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use serde::{Deserialize, Serialize};

use super::{Fault, SourceError};
use crate::domain::Source;

/// No server gives more records at once.
pub const MAX_PAGE: u64 = 100;

/// A record, shared, with the bytes that its JSON took: what a cache counts.
#[derive(Debug, Deserialize, Serialize)]
pub struct Weighed<T> {
    pub record: Arc<T>,
    pub bytes: u32,
}

impl<T> Weighed<T> {
    pub(crate) fn new(record: T, json_bytes: usize) -> Self {
        // The parsed record is larger than its JSON where that is short, and about as large where it is long.
        let bytes = size_of::<T>() + json_bytes;
        Self { record: Arc::new(record), bytes: u32::try_from(bytes).unwrap_or(u32::MAX) }
    }
}

impl<T> Clone for Weighed<T> {
    fn clone(&self) -> Self {
        Self { record: Arc::clone(&self.record), bytes: self.bytes }
    }
}

/// One page, as one request brought it.
#[derive(Debug, Deserialize, Serialize)]
pub struct Page<T> {
    /// The first record's position in the list.
    pub start: u64,
    /// In the list's order; `None`: the record could not be read.
    pub items: Vec<Option<Weighed<T>>>,
    /// How many records the list has, where the server says so.
    pub total: Option<u64>,
    /// Whether something follows. `None`: the server does not say, and the page is full.
    pub follows: Option<bool>,
}

impl<T> Page<T> {
    /// Whether the record at this position of the list is on the page.
    pub fn holds(&self, at: u64) -> bool {
        (self.start..self.start.saturating_add(self.items.len() as u64)).contains(&at)
    }

    /// Whether nothing lies behind it.
    pub fn is_end(&self) -> bool {
        self.follows == Some(false) || self.items.is_empty()
    }

    /// The end of a list.
    pub fn nothing_at(start: u64) -> Self {
        Self { start, items: Vec::new(), total: None, follows: Some(false) }
    }
}

/// A stretch of a list, put together from as many pages as it took.
#[derive(Debug)]
pub struct Window<T> {
    /// Each record with its position in the list.
    pub items: Vec<(u64, Weighed<T>)>,
    /// Records in the stretch that could not be read.
    pub unreadable: u64,
    /// Where the stretch ends and the next one begins.
    pub end: u64,
    /// How many records the list has, where the server says so.
    pub total: Option<u64>,
    /// Whether something follows. `None`: the server does not say, and the page is full.
    pub follows: Option<bool>,
}

/// The largest page that a server was seen to give. Forgotten after a while, because a page can also be short by chance:
/// a record was deleted between counting and reading.
#[derive(Debug, Default)]
pub(super) struct PageCap(Mutex<Option<(u64, Instant)>>);

impl PageCap {
    const REMEMBERED: Duration = Duration::from_secs(60);

    pub(super) fn get(&self) -> u64 {
        match *self.lock() {
            Some((size, learnt)) if learnt.elapsed() < Self::REMEMBERED => size,
            _ => MAX_PAGE,
        }
    }

    pub(super) fn learn(&self, size: u64) {
        *self.lock() = Some((size, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        // Nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which page of which size holds `count` records from `at` on: the smallest that holds them all, or, where none up to
/// `cap` does, the one with the first of them. Pages count from 1.
pub(super) fn covering_page(at: u64, count: u64, cap: u64) -> (u64, u64) {
    let cap = cap.max(1);
    let count = count.clamp(1, cap);
    let size = (count..=cap).find(|size| at % size + count <= *size).unwrap_or(cap);
    // A cursor may be forged: no position may overflow.
    ((at / size).saturating_add(1), size)
}

impl<T> Window<T> {
    /// The end of a list.
    pub fn nothing_at(end: u64) -> Self {
        Self { items: Vec::new(), unreadable: 0, end, total: None, follows: Some(false) }
    }
}

impl<T> Window<T> {
    /// Leaves out what lies behind `end`.
    pub fn cut(&mut self, end: u64) {
        if self.end > end {
            let kept = self.items.partition_point(|(at, _)| *at < end);
            let left_out = self.items.split_off(kept).len() as u64;
            self.unreadable = self.unreadable.saturating_sub((self.end - end).saturating_sub(left_out));
            (self.end, self.follows) = (end, Some(true));
        }
    }
}

/// Why a walk stops that would not end otherwise.
pub(super) const PAGES_DO_NOT_FOLLOW: Fault = Fault::Invalid("its pages do not follow each other");

/// Reads `count` records from `offset` on. `fetch(at, count)` brings a page that holds the record at `at`, where there
/// is one, and as many as it can of those behind.
///
/// Ends for any server: each page brings the walk on, or it is the last.
pub async fn window<T, F, Fetched>(source: Source, offset: u64, count: u64, fetch: F) -> Result<Window<T>, SourceError>
where
    F: Fn(u64, u64) -> Fetched,
    Fetched: Future<Output = Result<Arc<Page<T>>, SourceError>>,
{
    let stop = offset.saturating_add(count);
    let mut window = Window { items: Vec::new(), unreadable: 0, end: offset, total: None, follows: None };
    while window.end < stop {
        let page = fetch(window.end, (stop - window.end).min(MAX_PAGE)).await?;
        window.total = page.total.or(window.total);
        if !page.holds(window.end) {
            if !page.is_end() {
                return Err(SourceError { of: source, fault: PAGES_DO_NOT_FOLLOW });
            }
            window.follows = Some(false);
            break;
        }
        let from = usize::try_from(window.end - page.start).unwrap_or(usize::MAX);
        for item in page.items.iter().skip(from) {
            if window.end == stop {
                window.follows = Some(true);
                return Ok(window);
            }
            match item {
                Some(item) => window.items.push((window.end, item.clone())),
                None => window.unreadable += 1,
            }
            window.end += 1;
        }
        window.follows = page.follows;
        if page.follows == Some(false) {
            break;
        }
    }
    Ok(window)
}

/// Pages of one list that are read side by side.
const SIDE_BY_SIDE: usize = 8;

/// A whole list.
#[derive(Debug)]
pub struct Whole<T> {
    /// In the list's order.
    pub items: Vec<Weighed<T>>,
    /// Records that could not be read.
    pub unreadable: u64,
    end: u64,
    /// Whether more follows, as far as is known.
    follows: bool,
}

/// Why a list is not there as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotWhole {
    /// There are more records than were to be read.
    TooMany,
    Failed(SourceError),
}

impl From<SourceError> for NotWhole {
    fn from(error: SourceError) -> Self {
        Self::Failed(error)
    }
}

/// How many records may still be read, for one list or for several that are read side by side.
#[derive(Debug)]
pub struct Allowance(AtomicU64);

impl Allowance {
    pub fn new(records: u64) -> Self {
        Self(AtomicU64::new(records))
    }

    fn take(&self, records: u64) -> Result<(), NotWhole> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(records));
        taken.map(drop).map_err(|_| NotWhole::TooMany)
    }
}

impl<T> Whole<T> {
    fn take(&mut self, window: Window<T>) {
        self.follows = window.end > self.end && window.follows != Some(false);
        self.end = self.end.max(window.end);
        self.unreadable += window.unreadable;
        self.items.extend(window.items.into_iter().map(|(_, item)| item));
    }
}

/// Reads a whole list, [`MAX_PAGE`] records a page, the pages side by side where the server tells how many there are.
pub async fn whole<T, F, Fetched>(source: Source, allowance: &Allowance, fetch: F) -> Result<Whole<T>, NotWhole>
where
    F: Fn(u64, u64) -> Fetched,
    Fetched: Future<Output = Result<Arc<Page<T>>, SourceError>>,
{
    let mut whole = Whole { items: Vec::new(), unreadable: 0, end: 0, follows: false };
    let first = window(source, 0, MAX_PAGE, &fetch).await?;
    let total = first.total.unwrap_or(0).max(first.end);
    whole.take(first);
    // All of it before the next request: where it is too much, nothing more is read.
    allowance.take(total)?;
    if whole.follows {
        let starts = (0..).map(|page| whole.end + page * MAX_PAGE).take_while(|start| *start < total);
        let pages: Vec<_> = starts.map(|start| window(source, start, MAX_PAGE, &fetch)).collect();
        let pages: Vec<Window<T>> = stream::iter(pages).buffered(SIDE_BY_SIDE).try_collect().await?;
        for page in pages {
            whole.take(page);
        }
    }
    // Where the server does not count, or the list has grown meanwhile, only the next page tells.
    let mut allowed = total;
    while whole.follows {
        whole.take(window(source, whole.end, MAX_PAGE, &fetch).await?);
        allowance.take(whole.end.saturating_sub(allowed))?;
        allowed = allowed.max(whole.end);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A server that pages by number and size.
    fn by_number(total: u64, cap: u64, tells_total: bool, at: u64, count: u64) -> Arc<Page<u64>> {
        let (number, size) = covering_page(at, count, cap);
        let start = (number - 1) * size;
        let items: Vec<_> = (start..total.min(start + size)).map(|n| Some(Weighed::new(n, 0))).collect();
        let end = start + items.len() as u64;
        let follows = if tells_total { Some(end < total) } else { (end < start + size).then_some(false) };
        Arc::new(Page { start, items, total: tells_total.then_some(total), follows })
    }

    proptest! {
        #[test]
        fn a_window_is_the_stretch(total in 0..400u64, cap in 1..=100u64, offset in 0..450u64, count in 1..=300u64, tells in any::<bool>()) {
            let read = window(Source::HautAi, offset, count, |at, count| async move {
                Ok(by_number(total, cap, tells, at, count))
            });
            let window = futures::executor::block_on(read).unwrap();
            let got: Vec<u64> = window.items.iter().map(|(_, item)| *item.record).collect();
            let expected: Vec<u64> = (offset..total.min(offset.saturating_add(count))).collect();
            prop_assert_eq!(&got, &expected);
            prop_assert!(window.items.iter().all(|(at, item)| *at == *item.record));
            if tells && offset < total && window.end < total {
                prop_assert_eq!(window.follows, Some(true));
            }
            if window.follows == Some(false) {
                prop_assert!(window.end >= total.min(offset));
            }
        }

        #[test]
        fn a_covering_page_covers(at in 0..5_000u64, count in 1..=100u64, cap in 1..=100u64) {
            let (number, size) = covering_page(at, count, cap);
            let start = (number - 1) * size;
            prop_assert!(size <= cap && start <= at && at < start + size);
            if at == 0 && count <= cap {
                prop_assert_eq!(size, count);
            }
        }
    }

    proptest! {
        #[test]
        fn a_whole_list_is_all_of_it_or_too_long(total in 0..700u64, cap in 1..=100u64, limit in 1..700u64, tells in any::<bool>()) {
            let allowance = Allowance::new(limit);
            let page = |at, count| async move { Ok(by_number(total, cap, tells, at, count)) };
            let read = futures::executor::block_on(whole(Source::HautAi, &allowance, page));
            let got = read.map(|whole| whole.items.iter().map(|item| *item.record).collect::<Vec<_>>());
            let expected = if total <= limit { Ok((0..total).collect()) } else { Err(NotWhole::TooMany) };
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn a_server_that_ignores_the_position_is_an_error_and_no_loop() {
        let read = window(Source::BrainStem, 40, 20, |_, _| async {
            let items = (0..20).map(|n| Some(Weighed::new(n, 0))).collect();
            Ok(Arc::new(Page { start: 0, items, total: Some(100), follows: Some(true) }))
        });
        let error = futures::executor::block_on(read).unwrap_err();
        assert_eq!(error.fault, Fault::Invalid("its pages do not follow each other"));
    }
}
