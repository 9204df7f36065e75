//! The laws of a reader, over lists of numbers.

use std::{
    future::poll_fn,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use futures::{FutureExt as _, executor::block_on};
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
    /// Parts from here on never answer.
    hangs_from: usize,
    /// Round trips so far, where they are counted.
    clock: Option<Arc<AtomicUsize>>,
}

impl Numbers {
    fn new(sizes: Vec<u64>, tells_total: bool) -> Self {
        let ids = (1..=sizes.len() as u128).map(Uuid::from_u128).collect();
        Self { ids, sizes, tells_total, excess: 0, asked: AtomicUsize::new(0), hangs_from: usize::MAX, clock: None }
    }
}

impl Parts for Numbers {
    type Record = u64;

    fn ids(&self) -> &[Uuid] {
        &self.ids
    }

    async fn window(&self, part: usize, at: u64, count: u64) -> Result<Window<u64>, LoadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if part >= self.hangs_from {
            std::future::pending::<()>().await;
        }
        if let Some(clock) = &self.clock {
            let now = clock.load(Ordering::Relaxed);
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if clock.load(Ordering::Relaxed) > now { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
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

/// A list whose answers take a round trip each.
fn far(sizes: Vec<u64>) -> Numbers {
    Numbers { clock: Some(Arc::default()), ..Numbers::new(sizes, true) }
}

/// A page: its records, and how many round trips and requests it took.
fn page(reader: &mut Reader<Numbers>, size: u64) -> (Vec<u64>, usize, usize) {
    let (mut numbers, mut round_trips) = (Vec::new(), 0);
    let clock = Arc::clone(reader.list.clock.as_ref().unwrap());
    let asked = reader.list.asked.load(Ordering::Relaxed);
    while (numbers.len() as u64) < size {
        let mut next = Box::pin(reader.next(size - numbers.len() as u64));
        let item = loop {
            // Whatever goes out at the same time has gone out after so many looks.
            let mut looks = (0..100).map(|_| next.poll_unpin(&mut Context::from_waker(Waker::noop())));
            if let Some(Poll::Ready(item)) = looks.find(Poll::is_ready) {
                break item.unwrap();
            }
            clock.fetch_add(1, Ordering::Relaxed);
            round_trips += 1;
            assert!(round_trips < 1_000, "it hangs");
        };
        drop(next);
        match item {
            Some(item) => numbers.push(*item.record.unwrap()),
            None => break,
        }
    }
    (numbers, round_trips, reader.list.asked.load(Ordering::Relaxed) - asked)
}

#[test]
fn many_small_parts_are_read_side_by_side() {
    let forwards = |sizes| Reader::new(far(sizes), Direction::Forwards, &Border::Start);
    // 1, 2, 4 and six times 8 of them.
    assert_eq!(page(&mut forwards(vec![0; 50]), 20), (vec![], 9, 50));
    assert_eq!(page(&mut forwards(vec![5; 50]), 20), ((0..20).collect(), 3, 7));
    // One that is full costs nothing more, and the next page goes on from there.
    let mut reader = forwards(vec![30; 50]);
    assert_eq!(page(&mut reader, 20), ((0..20).collect(), 1, 1));
    assert_eq!(page(&mut reader, 20), ((20..40).collect(), 2, 3));
    // Backwards, where a part ends has to be asked, too.
    let mut reader = Reader::new(far(vec![5; 50]), Direction::Backwards, &Border::End);
    assert_eq!(page(&mut reader, 20), ((230..250).rev().collect(), 6, 14));
}

#[test]
fn a_look_for_one_more_record_is_one_request_where_the_next_part_has_it() {
    let mut reader = Reader::new(far(vec![20, 5, 5, 5]), Direction::Forwards, &Border::Start);
    assert_eq!(page(&mut reader, 20).2, 1);
    assert!(!reader.has_more_for_certain());
    assert_eq!(page(&mut reader, 1), (vec![20], 1, 1));
}

#[test]
fn a_part_that_never_answers_harms_no_page_that_is_full_without_it() {
    for direction in [Direction::Forwards, Direction::Backwards] {
        let mut sizes = vec![3, 30, 30, 30];
        let from = if direction == Direction::Forwards { Border::Start } else { Border::End };
        if direction == Direction::Backwards {
            sizes.reverse();
        }
        let mut list = far(sizes);
        list.hangs_from = if direction == Direction::Forwards { 2 } else { usize::MAX };
        let mut reader = Reader::new(list, direction, &from);
        assert_eq!(page(&mut reader, 20).0.len(), 20);
        assert_eq!(reader.parts_come_to().count(), if direction == Direction::Forwards { 2 } else { 3 });
    }
}
