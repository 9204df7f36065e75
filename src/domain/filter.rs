//! Which subjects a list holds.
//!
//! The values of a list are alternatives, so an empty list matches nothing; all else must hold together. What a source does by itself is
//! taken out of the filter, and the rest applied to what it sends.

use jiff::civil::Date;
use serde::Serialize;

use super::{DatasetId, Id, Project, Sex, Source, Species, Strain, Subject, subject::Status};

/// Which subjects to list. What is not given lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SubjectFilter {
    pub sources: Option<Vec<Source>>,
    pub name: NameFilter,
    /// What Haut.AI's own search finds; in BrainSTEM, every word in name, identifier or description.
    pub search: Option<String>,
    pub sex: Option<Vec<Sex>>,
    pub birth_date: DateRange,
    pub status: Option<Vec<Status>>,
    pub projects: Option<Vec<Id<Project>>>,
    pub strains: Option<Vec<Id<Strain>>>,
    /// The strain's. No record tells it: a source has to do this one by itself.
    pub species: Option<Vec<Id<Species>>>,
    pub tags: Option<Vec<String>>,
    pub datasets: Option<Vec<DatasetId>>,
    pub has_procedures: Option<bool>,
}

/// What a name must be. All that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NameFilter {
    /// Exactly this.
    pub eq: Option<String>,
    /// In upper or lower case.
    pub contains: Option<String>,
    /// In upper or lower case.
    pub starts_with: Option<String>,
    /// Exactly one of these.
    pub one_of: Option<Vec<String>>,
}

/// Days from the first to the last, both included.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DateRange {
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl SubjectFilter {
    /// Whether subjects of this source can pass. What only one source knows excludes the other.
    pub fn concerns(&self, source: Source) -> bool {
        let selected = self.sources.as_ref().is_none_or(|sources| sources.contains(&source));
        let knows = match source {
            Source::HautAi => {
                self.status.is_none()
                    && self.projects.is_none()
                    && self.strains.is_none()
                    && self.species.is_none()
                    && self.tags.is_none()
                    && self.has_procedures.is_none()
            }
            Source::BrainStem => self.datasets.is_none(),
        };
        selected && knows && !self.is_impossible()
    }

    /// Whether nothing at all can pass: one of its lists is empty.
    fn is_impossible(&self) -> bool {
        fn is_empty<T>(list: Option<&Vec<T>>) -> bool {
            list.is_some_and(Vec::is_empty)
        }
        is_empty(self.name.one_of.as_ref())
            || is_empty(self.sex.as_ref())
            || is_empty(self.status.as_ref())
            || is_empty(self.projects.as_ref())
            || is_empty(self.strains.as_ref())
            || is_empty(self.species.as_ref())
            || is_empty(self.tags.as_ref())
            || is_empty(self.datasets.as_ref())
    }

    /// Whether a subject passes. `sex` is its sex, which a record may tell by an id alone.
    pub fn matches(&self, subject: &Subject, sex: Option<Sex>) -> bool {
        fn one_of<T: PartialEq>(list: Option<&Vec<T>>, of: impl Fn(&T) -> bool) -> bool {
            list.is_none_or(|list| list.iter().any(of))
        }
        debug_assert!(self.species.is_none(), "no record tells the species");
        self.name.matches(&subject.name)
            && self.search.as_ref().is_none_or(|search| holds_words(subject, search))
            && one_of(self.sex.as_ref(), |wanted| sex == Some(*wanted))
            && self.birth_date.matches(subject.birth_date.value)
            && one_of(self.status.as_ref(), |wanted| subject.status == Some(*wanted))
            && one_of(self.projects.as_ref(), |wanted| subject.projects.contains(wanted))
            && one_of(self.strains.as_ref(), |wanted| subject.strain == Some(*wanted))
            && one_of(self.tags.as_ref(), |wanted| subject.tags.contains(wanted))
            && self.has_procedures.is_none_or(|wanted| subject.procedures.is_empty() != wanted)
    }
}

impl NameFilter {
    /// Whether it lets every name pass.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn matches(&self, name: &str) -> bool {
        let folded = || name.to_lowercase();
        self.eq.as_ref().is_none_or(|wanted| name == wanted)
            && self.one_of.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| name == wanted))
            && self.contains.as_ref().is_none_or(|wanted| folded().contains(&wanted.to_lowercase()))
            && self.starts_with.as_ref().is_none_or(|wanted| folded().starts_with(&wanted.to_lowercase()))
    }
}

impl DateRange {
    fn matches(&self, date: Option<Date>) -> bool {
        let within = |date: Date| self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to);
        *self == Self::default() || date.is_some_and(within)
    }
}

/// Every word must be in name, identifier or description, in upper or lower case.
fn holds_words(subject: &Subject, search: &str) -> bool {
    let texts = [Some(&subject.name), subject.identifier.as_ref(), subject.description.as_ref()];
    let texts: Vec<String> = texts.into_iter().flatten().map(|text| text.to_lowercase()).collect();
    let search = search.to_lowercase();
    search.split_whitespace().all(|word| texts.iter().any(|text| text.contains(word)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{Dated, HautAiSubjectId, SubjectId, subject::bare};

    fn animal() -> Subject {
        let id = SubjectId::BrainStem(Id::new(uuid::Uuid::from_u128(1)));
        Subject {
            name: "Émile the 2nd".to_owned(),
            identifier: Some("RFID 77".to_owned()),
            description: Some("Shy".to_owned()),
            sex: Some(Sex::Male),
            birth_date: Dated { value: Some(date(2024, 2, 29)), raw: None },
            status: Some(Status::Active),
            tags: vec!["pilot".to_owned()],
            ..bare(id)
        }
    }

    fn check(filter: &SubjectFilter, expected: bool) {
        let animal = animal();
        assert_eq!(filter.matches(&animal, animal.sex), expected, "{filter:?}");
    }

    fn by_name(change: impl FnOnce(&mut NameFilter)) -> SubjectFilter {
        let mut filter = SubjectFilter::default();
        change(&mut filter.name);
        filter
    }

    #[test]
    fn names() {
        check(&by_name(|name| name.eq = Some("Émile the 2nd".to_owned())), true);
        check(&by_name(|name| name.eq = Some("émile the 2nd".to_owned())), false);
        check(&by_name(|name| name.contains = Some("ÉMILE".to_owned())), true);
        check(&by_name(|name| name.contains = Some("emile".to_owned())), false);
        check(&by_name(|name| name.starts_with = Some("éM".to_owned())), true);
        check(&by_name(|name| name.starts_with = Some("mile".to_owned())), false);
        check(&by_name(|name| name.one_of = Some(vec!["x".to_owned(), "Émile the 2nd".to_owned()])), true);
        check(&by_name(|name| name.one_of = Some(Vec::new())), false);
    }

    #[test]
    fn words_may_stand_in_different_places() {
        for (search, expected) in [("shy émile 77", true), ("SHY", true), ("", true), ("shy emile", false)] {
            check(&SubjectFilter { search: Some(search.to_owned()), ..Default::default() }, expected);
        }
    }

    #[test]
    fn dates_include_both_ends() {
        let day = date(2024, 2, 29);
        for (from, to, expected) in [
            (Some(day), Some(day), true),
            (Some(date(2024, 3, 1)), None, false),
            (None, Some(date(2024, 2, 28)), false),
            (None, None, true),
        ] {
            check(&SubjectFilter { birth_date: DateRange { from, to }, ..Default::default() }, expected);
        }
        let undated = Subject { birth_date: Dated::default(), ..animal() };
        let filter = SubjectFilter { birth_date: DateRange { from: Some(day), to: None }, ..Default::default() };
        assert!(!filter.matches(&undated, None));
    }

    #[test]
    fn lists_are_alternatives() {
        check(&SubjectFilter { sex: Some(vec![Sex::Female, Sex::Male]), ..Default::default() }, true);
        check(&SubjectFilter { sex: Some(vec![Sex::Female]), ..Default::default() }, false);
        check(&SubjectFilter { tags: Some(vec!["x".to_owned(), "pilot".to_owned()]), ..Default::default() }, true);
        check(&SubjectFilter { tags: Some(Vec::new()), ..Default::default() }, false);
        check(&SubjectFilter { has_procedures: Some(false), ..Default::default() }, true);
        check(&SubjectFilter { has_procedures: Some(true), ..Default::default() }, false);
    }

    #[test]
    fn what_one_source_alone_knows_excludes_the_other() {
        let excluded =
            |filter: SubjectFilter| [Source::HautAi, Source::BrainStem].map(|source| filter.concerns(source));
        assert_eq!(excluded(SubjectFilter::default()), [true, true]);
        assert_eq!(excluded(SubjectFilter { tags: Some(vec!["a".to_owned()]), ..Default::default() }), [false, true]);
        assert_eq!(excluded(SubjectFilter { has_procedures: Some(false), ..Default::default() }), [false, true]);
        let nil = uuid::Uuid::nil();
        let dataset = HautAiSubjectId { company: nil, dataset: nil, subject: nil }.dataset_id();
        assert_eq!(excluded(SubjectFilter { datasets: Some(vec![dataset]), ..Default::default() }), [true, false]);
        assert_eq!(excluded(SubjectFilter { sex: Some(Vec::new()), ..Default::default() }), [false, false]);
        assert_eq!(excluded(SubjectFilter { sources: Some(Vec::new()), ..Default::default() }), [false, false]);
    }
}
