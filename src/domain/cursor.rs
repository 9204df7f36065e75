//! Cursors: where a walk over a list stands.
//!
//! The URL-safe base64 of one byte of version, eight of a fingerprint of the list (which field, which filter), and the
//! position. They hold nothing of this process, so they survive a restart.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Which list a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of the parts that make the list what it is: the field's name, the owner's id, the filter's values.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
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
    /// It belongs to another list, or to the same one under another filter.
    OtherList,
}

/// A position that can stand in a cursor.
pub trait Position: Sized {
    fn write(&self, bytes: &mut Vec<u8>);

    /// Must accept exactly what [`write`](Self::write) produces.
    fn read(bytes: &[u8]) -> Option<Self>;
}

const VERSION: u8 = 1;

/// Writes a cursor.
pub fn encode(list: Fingerprint, position: &impl Position) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&list.0);
    position.write(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor of this list.
pub fn decode<P: Position>(list: Fingerprint, text: &str) -> Result<P, BadCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor::Malformed)?;
    let Some((&VERSION, rest)) = bytes.split_first() else {
        return Err(BadCursor::Malformed);
    };
    let (print, rest) = rest.split_at_checked(8).ok_or(BadCursor::Malformed)?;
    if print != list.0 {
        return Err(BadCursor::OtherList);
    }
    P::read(rest).ok_or(BadCursor::Malformed)
}

/// In a list that its source pages: how many records lie before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(pub u64);

impl Position for Offset {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(offset(u64::from_be_bytes(bytes.try_into().ok()?))?))
    }
}

/// In a list of ids that a record carries: behind this id, or, where it is gone meanwhile, at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    pub id: Uuid,
    /// Where the id stood.
    pub index: u64,
}

impl Position for Behind {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (index, id) = bytes.split_at_checked(8)?;
        let index = offset(u64::from_be_bytes(index.try_into().ok()?))?;
        Some(Self { index, id: Uuid::from_bytes(id.try_into().ok()?) })
    }
}

impl Behind {
    /// Where in the list, as it is now, the walk goes on. An id may stand there more than once: the place counts first.
    pub fn resume(&self, ids: &[Uuid]) -> usize {
        let index = usize::try_from(self.index).unwrap_or(usize::MAX);
        if ids.get(index) == Some(&self.id) {
            return index + 1;
        }
        ids.iter().rposition(|id| *id == self.id).map_or(index, |found| found + 1)
    }
}

/// In the merged list of subjects: one position a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectPosition {
    pub haut_ai: DatasetPosition,
    pub brainstem: BrainStemPosition,
}

/// Where the walk over Haut.AI's datasets stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatasetPosition {
    Start,
    /// In this dataset, which was the `index`th, with `offset` of its records before.
    At {
        index: u32,
        dataset: Uuid,
        offset: u64,
    },
    Done,
}

/// Where the walk over BrainSTEM's subjects stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrainStemPosition {
    At(u64),
    Done,
}

impl SubjectPosition {
    /// Before everything.
    pub const START: Self = Self { haut_ai: DatasetPosition::Start, brainstem: BrainStemPosition::At(0) };
}

impl Position for SubjectPosition {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self.haut_ai {
            DatasetPosition::Start => bytes.push(0),
            DatasetPosition::Done => bytes.push(1),
            DatasetPosition::At { index, dataset, offset } => {
                bytes.push(2);
                bytes.extend_from_slice(&index.to_be_bytes());
                bytes.extend_from_slice(dataset.as_bytes());
                bytes.extend_from_slice(&offset.to_be_bytes());
            }
        }
        match self.brainstem {
            BrainStemPosition::Done => bytes.push(0),
            BrainStemPosition::At(offset) => {
                bytes.push(1);
                bytes.extend_from_slice(&offset.to_be_bytes());
            }
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (haut_ai, rest) = match bytes.split_first()? {
            (0, rest) => (DatasetPosition::Start, rest),
            (1, rest) => (DatasetPosition::Done, rest),
            (2, rest) => {
                let (at, rest) = rest.split_at_checked(28)?;
                let position = DatasetPosition::At {
                    index: u32::from_be_bytes(at[..4].try_into().ok()?),
                    dataset: Uuid::from_bytes(at[4..20].try_into().ok()?),
                    offset: offset(u64::from_be_bytes(at[20..].try_into().ok()?))?,
                };
                (position, rest)
            }
            _ => return None,
        };
        let brainstem = match rest.split_first()? {
            (0, []) => BrainStemPosition::Done,
            (1, at) => BrainStemPosition::At(offset(u64::from_be_bytes(at.try_into().ok()?))?),
            _ => return None,
        };
        Some(Self { haut_ai, brainstem })
    }
}

/// No list is that long: a larger number was not written here, and sums with it could overflow.
fn offset(number: u64) -> Option<u64> {
    u32::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_position() -> impl Strategy<Value = SubjectPosition> {
        (0..3u8, any::<(u32, u128, u32)>(), any::<Option<u32>>()).prop_map(|(kind, (index, dataset, at), brainstem)| {
            SubjectPosition {
                haut_ai: match kind {
                    0 => DatasetPosition::Start,
                    1 => DatasetPosition::Done,
                    _ => DatasetPosition::At { index, dataset: Uuid::from_u128(dataset), offset: at.into() },
                },
                brainstem: brainstem.map_or(BrainStemPosition::Done, |at| BrainStemPosition::At(at.into())),
            }
        })
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back(position in any_position()) {
            let list = Fingerprint::of(&["subjects"]);
            prop_assert_eq!(decode(list, &encode(list, &position)), Ok(position));
        }

        #[test]
        fn another_list_refuses_it(position in any_position()) {
            let text = encode(Fingerprint::of(&["subjects", ""]), &position);
            let other = Fingerprint::of(&["subjects", "HAUT_AI"]);
            prop_assert_eq!(decode::<SubjectPosition>(other, &text), Err(BadCursor::OtherList));
        }

        #[test]
        fn odd_text_is_refused_without_a_panic(text in "[A-Za-z0-9_-]{0,80}") {
            let list = Fingerprint::of(&["subjects"]);
            prop_assert!(decode::<SubjectPosition>(list, &text).is_err());
            prop_assert!(decode::<Behind>(list, &text).is_err());
            prop_assert!(decode::<Offset>(list, &text).is_err());
        }
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(Fingerprint::of(&["ab", "c"]), Fingerprint::of(&["a", "bc"]));
    }

    #[test]
    fn a_walk_resumes_where_its_id_was() {
        let ids = [1, 2, 3].map(Uuid::from_u128);
        let at = Behind { id: ids[1], index: 1 };
        assert_eq!(at.resume(&ids), 2);
        assert_eq!(at.resume(&[ids[1], ids[2]]), 1);
        let gone = Behind { id: Uuid::from_u128(9), index: 2 };
        assert_eq!(gone.resume(&ids), 2);
        let repeating = [ids[0], ids[1], ids[0], ids[2]];
        assert_eq!(Behind { id: ids[0], index: 2 }.resume(&repeating), 3);
        assert_eq!(Behind { id: ids[0], index: 0 }.resume(&repeating), 1);
    }
}
