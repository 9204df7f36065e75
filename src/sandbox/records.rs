//! What the upstreams hold at the start: made up, plausible and awkward, the same at every start.

mod animals;
mod awkward;
mod documents;
mod legacy;
mod people;
mod shelves;

use std::sync::OnceLock;

use serde_json::Value;
use uuid::Builder;

use super::{Records, brainstem::Generation, store::Store};

/// BrainSTEM: has more procedures than a page holds.
pub const SUBJECT_WITH_130_PROCEDURES: &str = "13013013-0130-4130-8130-130130130130";
/// BrainSTEM: has neither procedures nor logs.
pub const SUBJECT_WITHOUT_PROCEDURES: &str = "00a0b0c0-d0e0-4f00-8a00-b0c0d0e0f000";
/// BrainSTEM: its name and most of its texts are not ASCII.
pub const SUBJECT_WITH_UNICODE_NAME: &str = "ee11dd22-cc33-4b44-8a55-99668877aa00";
/// BrainSTEM: was bred in a breeding whose mother and father are subjects.
pub const SUBJECT_WITH_PARENTS: &str = "b2eed1b6-2eed-41b6-9eed-b6b6b6b6b6b6";
/// BrainSTEM: its records are visible to both tokens, but neither may change them.
pub const READ_ONLY_PROJECT: &str = "4eadab1e-0a11-4b0d-8a11-0f0f0f0f0f0f";
/// BrainSTEM: no subject belongs to it.
pub const PROJECT_WITHOUT_SUBJECTS: &str = "e3b7e3b7-0000-4e3b-8e3b-7e3b7e3b7e3b";

/// The user of BrainSTEM's first token.
pub(super) const MAIN_EMAIL: &str = "ada.brandt@lab.example";
/// The user of BrainSTEM's other token.
pub(super) const OTHER_EMAIL: &str = "kofi.mensah@clinic.example";

pub(super) fn haut_ai(records: Records) -> Store {
    people::store(records)
}

/// Made once a process: tests start many sandboxes.
pub(super) fn brainstem(records: Records, generation: Generation) -> Store {
    static CURRENT: OnceLock<Store> = OnceLock::new();
    static LEGACY: OnceLock<Store> = OnceLock::new();
    match (records, generation) {
        (Records::Empty, _) => make_brainstem(records, generation),
        (Records::Full, Generation::Current) => CURRENT.get_or_init(|| make_brainstem(records, generation)).clone(),
        (Records::Full, Generation::Legacy) => LEGACY.get_or_init(|| make_brainstem(records, generation)).clone(),
    }
}

fn make_brainstem(records: Records, generation: Generation) -> Store {
    let mut store = Store::default();
    shelves::fill(&mut store);
    match records {
        Records::Empty => store.push("projects", shelves::first_project()),
        Records::Full => animals::fill(&mut store),
    }
    match generation {
        Generation::Current => store,
        Generation::Legacy => legacy::convert(&store),
    }
}

/// The id of the `number`th thing of a kind.
fn id(kind: &str, number: usize) -> String {
    let mut dice = Dice::new(kind, number);
    let bytes = [dice.next().to_be_bytes(), dice.next().to_be_bytes()].concat();
    let bytes = <[u8; 16]>::try_from(bytes).unwrap_or_default();
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Numbers that look random and are the same at every start (splitmix64).
struct Dice(u64);

impl Dice {
    fn new(kind: &str, number: usize) -> Self {
        let fnv = kind
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(fnv ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but without, `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A day some time after another, as `YYYY-MM-DD`.
    fn day(&mut self, from: jiff::civil::Date, within_days: i32) -> jiff::civil::Date {
        let days = i32::try_from(self.below(usize::try_from(within_days).unwrap_or(1))).unwrap_or(0);
        from.saturating_add(jiff::Span::new().days(days))
    }
}

/// Adds an id to a record's list.
fn add_to(record: &mut Value, field: &str, id: &str) {
    if let Some(ids) = record[field].as_array_mut() {
        ids.push(id.into());
    }
}
