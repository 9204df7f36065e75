//! Cursors: where a walk over a list stands.
//!
//! The URL-safe base64 of one byte of version, eight of a fingerprint of the list (which field, which filter, which
//! order), and the position in postcard's encoding. They hold nothing of this process, so they survive a restart.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Source, order::Rank};

/// Which list a cursor belongs to. The default is no list's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of all that makes the list what it is: the field's name, the owner's id, filter and order.
    pub fn of(list: &impl Serialize) -> Self {
        // What can't be written (no type here is such) would merely share its cursors.
        let written = postcard::to_allocvec(list).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(written).into();
        let mut print = [0; 8];
        print.copy_from_slice(&digest[..8]);
        Self(print)
    }
}

/// Why a cursor was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCursor {
    /// Not a cursor that this gateway wrote.
    Malformed,
    /// It belongs to another list, or to the same one under another filter or order.
    OtherList,
}

const VERSION: u8 = 2;

/// Writes a cursor.
pub fn encode(list: Fingerprint, position: &impl Serialize) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&list.0);
    // Positions hold nothing that can't be written; an empty one is refused when it comes back.
    bytes.extend(postcard::to_allocvec(position).unwrap_or_default());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor of this list.
pub fn decode<P: DeserializeOwned>(list: Fingerprint, text: &str) -> Result<P, BadCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor::Malformed)?;
    let Some((&VERSION, rest)) = bytes.split_first() else {
        return Err(BadCursor::Malformed);
    };
    let (print, rest) = rest.split_at_checked(8).ok_or(BadCursor::Malformed)?;
    if print != list.0 {
        return Err(BadCursor::OtherList);
    }
    match postcard::take_from_bytes(rest) {
        Ok((position, [])) => Ok(position),
        _ => Err(BadCursor::Malformed),
    }
}

/// In a list of ids that a record carries: behind this id, or, where it is gone meanwhile, at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Behind {
    pub id: Uuid,
    /// Where the id stood.
    pub index: u32,
}

impl Behind {
    /// Where the id stands in the list as it is now, or at least where it stood. An id may be there more than once: the
    /// place counts first.
    pub fn index_in(&self, ids: &[Uuid]) -> Found {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        if ids.get(index) == Some(&self.id) {
            return Found::There(index);
        }
        ids.iter().rposition(|id| *id == self.id).map_or(Found::Gone(index.min(ids.len())), Found::There)
    }
}

/// Where the id of a cursor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    There(usize),
    /// What stood behind it has moved up to its place.
    Gone(usize),
}

/// A border within one source's list: what lies before it, and what behind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Border {
    /// Before everything.
    Start,
    /// In this part of the list, with so many of the part's records before it. A part is a Haut.AI dataset, which has
    /// an id, or one of the queries that make up a list of BrainSTEM's.
    At { part: u32, dataset: Uuid, offset: u32 },
    /// Right before the place of this record, in a list that is sorted here.
    Before(Rank),
    /// Right behind the place of this record, in a list that is sorted here.
    Behind(Rank),
    /// Behind everything.
    End,
}

impl Border {
    /// The border on the other side of the record that lies right before this one.
    fn before_its_record(self) -> Self {
        match self {
            Self::At { part, dataset, offset } => Self::At { part, dataset, offset: offset.saturating_sub(1) },
            Self::Behind(rank) => Self::Before(rank),
            border => border,
        }
    }
}

/// In the merged list of subjects: a border in each source's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SubjectPosition {
    pub haut_ai: Border,
    pub brainstem: Border,
    /// The source whose record lies right before, where the position is the cursor of a record.
    pub record: Option<Source>,
}

impl SubjectPosition {
    /// Before everything.
    pub const START: Self = Self { haut_ai: Border::Start, brainstem: Border::Start, record: None };
    /// Behind everything.
    pub const END: Self = Self { haut_ai: Border::End, brainstem: Border::End, record: None };

    /// Whether nothing lies between the record of this cursor and a border that was reached behind it, or before it.
    pub fn touches(&self, reached: &Self, is_behind: bool) -> bool {
        let at = if is_behind { self.clone() } else { self.clone().before_its_record() };
        at.haut_ai == reached.haut_ai && at.brainstem == reached.brainstem
    }

    /// Where a walk backwards begins that shall not give the record of this cursor again.
    #[must_use]
    pub fn before_its_record(mut self) -> Self {
        match self.record.take() {
            Some(Source::HautAi) => self.haut_ai = self.haut_ai.before_its_record(),
            Some(Source::BrainStem) => self.brainstem = self.brainstem.before_its_record(),
            None => {}
        }
        self
    }
}

/// In a list that BrainSTEM alone serves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ListPosition {
    pub border: Border,
    /// Whether it is the cursor of the record right before.
    pub is_record: bool,
}

impl ListPosition {
    /// Where a walk backwards begins that shall not give the record of this cursor again.
    pub fn before_its_record(self) -> Border {
        if self.is_record { self.border.before_its_record() } else { self.border }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{HautAiSubjectId, SubjectId, order::SortKey};

    fn any_border() -> impl Strategy<Value = Border> {
        (0..5u8, any::<(u32, u128, u32)>(), any::<String>()).prop_map(|(kind, (part, uuid, offset), name)| {
            let uuid = Uuid::from_u128(uuid);
            let id = SubjectId::HautAi(HautAiSubjectId { company: uuid, dataset: uuid, subject: uuid });
            let rank = Rank { key: SortKey::Text(name), id };
            match kind {
                0 => Border::Start,
                1 => Border::End,
                2 => Border::Before(rank),
                3 => Border::Behind(rank),
                _ => Border::At { part, dataset: uuid, offset },
            }
        })
    }

    fn any_position() -> impl Strategy<Value = SubjectPosition> {
        (any_border(), any_border(), any::<Option<bool>>()).prop_map(|(haut_ai, brainstem, record)| {
            let record = record.map(|people| if people { Source::HautAi } else { Source::BrainStem });
            SubjectPosition { haut_ai, brainstem, record }
        })
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(position in any_position()) {
            let list = Fingerprint::of(&"subjects");
            prop_assert_eq!(decode(list, &encode(list, &position)), Ok(position));
        }

        #[test]
        fn another_list_refuses_it(position in any_position()) {
            let text = encode(Fingerprint::of(&("subjects", "")), &position);
            let other = Fingerprint::of(&("subjects", "HAUT_AI"));
            prop_assert_eq!(decode::<SubjectPosition>(other, &text), Err(BadCursor::OtherList));
        }

        #[test]
        fn odd_text_is_refused_without_a_panic(text in "[A-Za-z0-9_-]{0,80}") {
            let list = Fingerprint::of(&"subjects");
            prop_assert!(decode::<SubjectPosition>(list, &text).is_err());
            prop_assert!(decode::<Behind>(list, &text).is_err());
        }

        #[test]
        fn odd_positions_are_refused_without_a_panic(bytes in any::<Vec<u8>>()) {
            let list = Fingerprint::of(&"subjects");
            let text = URL_SAFE_NO_PAD.encode([&[VERSION], list.0.as_slice(), &bytes].concat());
            let _ = decode::<SubjectPosition>(list, &text);
            let _ = decode::<ListPosition>(list, &text);
            let _ = decode::<Behind>(list, &text);
        }

        #[test]
        fn a_longer_cursor_is_refused(position in any_position()) {
            let list = Fingerprint::of(&"subjects");
            let mut bytes = URL_SAFE_NO_PAD.decode(encode(list, &position)).unwrap();
            bytes.push(0);
            prop_assert_eq!(decode::<SubjectPosition>(list, &URL_SAFE_NO_PAD.encode(bytes)), Err(BadCursor::Malformed));
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Fingerprint::of(&("ab", "c")), Fingerprint::of(&("a", "bc")));
    }

    #[test]
    fn a_walk_finds_its_id_again() {
        let ids = [1, 2, 3].map(Uuid::from_u128);
        let at = Behind { id: ids[1], index: 1 };
        assert_eq!(at.index_in(&ids), Found::There(1));
        assert_eq!(at.index_in(&[ids[1], ids[2]]), Found::There(0));
        let gone = Behind { id: Uuid::from_u128(9), index: 2 };
        assert_eq!(gone.index_in(&ids), Found::Gone(2));
        let repeating = [ids[0], ids[1], ids[0], ids[2]];
        assert_eq!(Behind { id: ids[0], index: 2 }.index_in(&repeating), Found::There(2));
        assert_eq!(Behind { id: ids[0], index: 0 }.index_in(&repeating), Found::There(0));
    }
}
