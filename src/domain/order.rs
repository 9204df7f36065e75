//! The order of a merged list: one for both sources, whatever each of them makes of texts and nulls.

use std::{cmp::Ordering, sync::LazyLock};

use icu_collator::{CollatorBorrowed, CollatorPreferences, options::CollatorOptions};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::{Subject, SubjectId};

/// What subjects are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OrderField {
    /// By the root collation of Unicode's CLDR.
    Name,
    BirthDate,
    CreatedAt,
}

/// What subjects are ordered by, and which way. Those without a value come last either way, and those with the same one
/// by source and id, always ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SubjectOrder {
    pub field: OrderField,
    pub descending: bool,
}

/// What decides a subject's place in an order. It stands in cursors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SortKey {
    Text(String),
    Day(Date),
    Instant(Timestamp),
    Nothing,
}

/// A subject's place in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    pub key: SortKey,
    pub id: SubjectId,
}

/// The root collation. Its data is part of the program.
static COLLATOR: LazyLock<CollatorBorrowed<'static>> = LazyLock::new(|| {
    CollatorBorrowed::try_new(CollatorPreferences::default(), CollatorOptions::default())
        .expect("the root collation is compiled in")
});

impl SubjectOrder {
    /// Where a subject stands.
    pub fn rank(self, subject: &Subject) -> Rank {
        let key = match self.field {
            OrderField::Name => SortKey::Text(subject.name.clone()),
            OrderField::BirthDate => subject.birth_date.value.map_or(SortKey::Nothing, SortKey::Day),
            OrderField::CreatedAt => subject.created_at.value.map_or(SortKey::Nothing, SortKey::Instant),
        };
        Rank { key, id: subject.id }
    }

    pub fn compare(self, left: &Rank, right: &Rank) -> Ordering {
        let by_key = match (&left.key, &right.key) {
            (SortKey::Text(left), SortKey::Text(right)) => self.directed(COLLATOR.compare(left, right)),
            (SortKey::Day(left), SortKey::Day(right)) => self.directed(left.cmp(right)),
            (SortKey::Instant(left), SortKey::Instant(right)) => self.directed(left.cmp(right)),
            // What has no value is last. Keys of two kinds are met in forged cursors only.
            (left, right) => (*left == SortKey::Nothing).cmp(&(*right == SortKey::Nothing)),
        };
        by_key.then_with(|| left.id.cmp(&right.id))
    }

    fn directed(self, ordering: Ordering) -> Ordering {
        if self.descending { ordering.reverse() } else { ordering }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Id, subject::bare};

    fn named(id: u128, name: &str) -> Subject {
        let id = SubjectId::BrainStem(Id::new(uuid::Uuid::from_u128(id)));
        Subject { name: name.to_owned(), ..bare(id) }
    }

    fn sorted(order: SubjectOrder, mut subjects: Vec<Subject>) -> Vec<(String, u128)> {
        subjects.sort_by(|left, right| order.compare(&order.rank(left), &order.rank(right)));
        subjects.into_iter().map(|subject| (subject.name.clone(), subject.source_id().as_u128())).collect()
    }

    #[test]
    fn names_stand_as_readers_expect_and_ties_ascend_either_way() {
        let names = ["Zoë", "b", "Ångström", "émile", "B", "b", "10", "_x", "Zoe", ""];
        let subjects = || names.iter().zip(1..).map(|(name, id)| named(id, name)).collect::<Vec<_>>();
        let ascending = sorted(SubjectOrder { field: OrderField::Name, descending: false }, subjects());
        let texts: Vec<_> = ascending.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(texts, ["", "_x", "10", "Ångström", "b", "b", "B", "émile", "Zoe", "Zoë"]);
        let descending = sorted(SubjectOrder { field: OrderField::Name, descending: true }, subjects());
        let same: Vec<_> = descending.iter().filter(|(name, _)| name == "b").map(|(_, id)| *id).collect();
        assert_eq!(same, [2, 6]);
        assert_eq!(descending[0].0, "Zoë");
    }

    #[test]
    fn what_has_no_date_is_last_either_way() {
        for descending in [false, true] {
            let order = SubjectOrder { field: OrderField::BirthDate, descending };
            let with = |key| Rank { key, id: named(1, "").id };
            let day = with(SortKey::Day(Date::constant(2024, 1, 1)));
            assert_eq!(order.compare(&day, &with(SortKey::Nothing)), Ordering::Less);
        }
    }
}
