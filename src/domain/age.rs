//! How old a subject is, in the unit that its source's readers expect.

use jiff::civil::Date;

use super::{Source, Subject};

/// ISO 8601: whole days for an animal (`P90D`), whole years for a person (`P34Y`).
///
/// Counted to `at`, or to the day of death where that came first; `None` without a birth date and before it.
pub fn age(subject: &Subject, at: Date) -> Option<String> {
    let birth = subject.birth_date.value?;
    let until = subject.death_date.value.map_or(at, |death| death.min(at));
    if until < birth {
        return None;
    }
    Some(match subject.source() {
        Source::BrainStem => format!("P{}D", until.duration_since(birth).as_hours() / 24),
        Source::HautAi => format!("P{}Y", whole_years(birth, until)),
    })
}

/// Birthdays that have passed; one on the 29th of February is reached on the 1st of March in other years.
fn whole_years(birth: Date, until: Date) -> i16 {
    let reached = (until.month(), until.day()) >= (birth.month(), birth.day());
    until.year() - birth.year() - i16::from(!reached)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Dated, HautAiSubjectId, Id, SubjectId, subject};

    fn check(id: SubjectId, birth: &str, death: &str, at: Date, expected: Option<&str>) {
        let mut subject = subject::bare(id);
        subject.birth_date = Dated::date(Some(birth.to_owned()));
        subject.death_date = Dated::date(Some(death.to_owned()));
        assert_eq!(age(&subject, at).as_deref(), expected, "{birth} {death} {at}");
    }

    #[test]
    fn animals_count_days() {
        let animal = SubjectId::BrainStem(Id::new(uuid::Uuid::nil()));
        check(animal, "2023-01-01", "", date(2023, 4, 1), Some("P90D"));
        check(animal, "2023-01-01", "", date(2023, 1, 1), Some("P0D"));
        check(animal, "2023-01-01", "", date(2022, 12, 31), None);
        check(animal, "2023-01-01", "2023-01-11", date(2024, 1, 1), Some("P10D"));
        check(animal, "2023-01-01", "2023-01-11", date(2023, 1, 6), Some("P5D"));
        check(animal, "0001-01-01", "", date(9999, 12, 31), Some("P3652058D"));
        check(animal, "", "", date(2023, 1, 1), None);
        check(animal, "soon", "", date(2023, 1, 1), None);
    }

    #[test]
    fn people_count_years() {
        let person = SubjectId::HautAi(HautAiSubjectId {
            company: uuid::Uuid::nil(),
            dataset: uuid::Uuid::nil(),
            subject: uuid::Uuid::nil(),
        });
        check(person, "1990-06-15", "", date(2024, 6, 14), Some("P33Y"));
        check(person, "1990-06-15", "", date(2024, 6, 15), Some("P34Y"));
        check(person, "2000-02-29", "", date(2023, 2, 28), Some("P22Y"));
        check(person, "2000-02-29", "", date(2023, 3, 1), Some("P23Y"));
        check(person, "2024-02-29", "", date(2024, 2, 29), Some("P0Y"));
    }
}
