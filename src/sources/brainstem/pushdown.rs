//! Filters that the server applies by itself.
//!
//! Every parameter is one that dynamic-rest was seen to take: relations by dot, `in` with the parameter repeated, the other
//! operators with one value. A server reads a request line of a bounded length only, so a filter that is too long for it
//! stays with the gateway. `regex` is never used: a bad pattern makes the server fail.

use url::form_urlencoded::byte_serialize;

use super::{BrainStem, ListQuery, REQUEST_LINE};
use crate::{
    config::Generation,
    domain::{
        Id, Sex, Status, SubjectFilter,
        filter::{DateRange, NameFilter},
    },
};

/// Bytes of a request line that filters leave to the path, the order, what comes along and the stretch.
const RESERVED: usize = 560;

/// The filters of one list, as long as they fit.
pub struct Pushdown {
    filters: Vec<(&'static str, String)>,
    left: usize,
}

impl Default for Pushdown {
    fn default() -> Self {
        Self { filters: Vec::new(), left: REQUEST_LINE - RESERVED }
    }
}

impl Pushdown {
    /// The list with all that fitted.
    pub fn query(self) -> ListQuery {
        ListQuery { filters: self.filters, ..ListQuery::default() }
    }

    /// Takes a filter over where it fits. An empty list stays: without a parameter the server would let everything pass.
    fn take<T>(&mut self, filter: &mut Option<T>, parameters: impl Fn(&T) -> Vec<(&'static str, String)>) {
        let Some(value) = filter else { return };
        let parameters = parameters(value);
        let bytes: usize = parameters.iter().map(|(name, value)| encoded(name) + encoded(value) + "&=".len()).sum();
        if bytes <= self.left && !parameters.is_empty() {
            self.left -= bytes;
            self.filters.extend(parameters);
            *filter = None;
        }
    }

    /// One of these ids; `parameter` ends with `.in}`.
    pub fn ids<T>(&mut self, filter: &mut Option<Vec<Id<T>>>, parameter: &'static str) {
        self.take(filter, |ids| ids.iter().map(|id| (parameter, id.uuid().to_string())).collect());
    }

    /// One of these texts; `parameter` ends with `.in}`.
    pub fn texts(&mut self, filter: &mut Option<Vec<String>>, parameter: &'static str) {
        self.take(filter, |texts| texts.iter().map(|text| (parameter, text.clone())).collect());
    }

    pub fn text(&mut self, filter: &mut Option<String>, parameter: &'static str) {
        self.take(filter, |text| vec![(parameter, text.clone())]);
    }

    pub fn flag(&mut self, filter: &mut Option<bool>, parameter: &'static str) {
        self.take(filter, |flag| vec![(parameter, flag.to_string())]);
    }

    pub fn name(&mut self, name: &mut NameFilter) {
        self.text(&mut name.eq, "filter{name}");
        self.text(&mut name.contains, "filter{name.icontains}");
        self.text(&mut name.starts_with, "filter{name.istartswith}");
        self.texts(&mut name.one_of, "filter{name.in}");
    }

    fn birth_date(&mut self, range: &mut DateRange) {
        self.take(&mut range.from, |day| vec![("filter{birth_date.gte}", day.to_string())]);
        self.take(&mut range.to, |day| vec![("filter{birth_date.lte}", day.to_string())]);
    }

    /// One of these words of an enum. What the server has no word for reads as unknown, so that unknown is whatever is
    /// none of the others.
    fn words<T: PartialEq>(&mut self, filter: &mut Option<Vec<T>>, words: &Words<T>) {
        self.take(filter, |wanted| {
            let among = |(meaning, word): &(T, &str)| wanted.contains(meaning).then(|| (*word).to_owned());
            if !wanted.contains(&words.unknown) {
                return words.known.iter().filter_map(among).map(|word| (words.one_of, word)).collect();
            }
            let others = words.known.iter().filter(|(meaning, _)| !wanted.contains(meaning));
            let others = others.map(|(_, word)| (words.none_of, (*word).to_owned()));
            others.chain([(words.none_of, String::new()), (words.is_null, false.to_string())]).collect()
        });
    }
}

fn encoded(text: &str) -> usize {
    byte_serialize(text.as_bytes()).map(str::len).sum()
}

/// The server's words for an enum, without the one for unknown.
struct Words<T: 'static> {
    known: &'static [(T, &'static str)],
    unknown: T,
    one_of: &'static str,
    none_of: &'static str,
    is_null: &'static str,
}

const SEXES: Words<Sex> = Words {
    known: &[(Sex::Female, "F"), (Sex::Male, "M"), (Sex::Other, "O")],
    unknown: Sex::Unknown,
    one_of: "filter{sex.in}",
    none_of: "filter{-sex.in}",
    is_null: "filter{sex.isnull}",
};

const STATUSES: Words<Status> = Words {
    known: &[
        (Status::Planned, "planned"),
        (Status::Active, "active"),
        (Status::Inactive, "inactive"),
        (Status::Transferred, "transferred"),
        (Status::Deceased, "deceased"),
    ],
    unknown: Status::Unknown,
    one_of: "filter{status.in}",
    none_of: "filter{-status.in}",
    is_null: "filter{status.isnull}",
};

impl BrainStem {
    /// The list of the subjects that pass what the server can filter, and the rest of the filter, which it can't: tags,
    /// words in any of several fields, and what is too long.
    pub fn push_down(&self, filter: &SubjectFilter) -> (ListQuery, SubjectFilter) {
        let mut rest = SubjectFilter { sources: None, ..filter.clone() };
        let mut push = Pushdown::default();
        // First what nothing but the server can do.
        push.ids(&mut rest.species, "filter{strain.species.id.in}");
        push.ids(&mut rest.projects, "filter{projects.id.in}");
        push.ids(&mut rest.strains, "filter{strain.id.in}");
        push.birth_date(&mut rest.birth_date);
        push.words(&mut rest.sex, &SEXES);
        if self.generation == Generation::Current {
            push.words(&mut rest.status, &STATUSES);
        }
        let without_procedures = match self.generation {
            Generation::Current => "filter{procedures.isnull}",
            Generation::Legacy => "filter{actions.isnull}",
        };
        push.take(&mut rest.has_procedures, |wanted| vec![(without_procedures, (!wanted).to_string())]);
        push.name(&mut rest.name);
        (push.query(), rest)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_does_not_fit_into_a_request_line_stays() {
        let mut push = Pushdown::default();
        let mut ids = Some((0..50).map(|id| Id::<crate::domain::Species>::new(Uuid::from_u128(id))).collect());
        push.ids(&mut ids, "filter{strain.species.id.in}");
        assert!(ids.is_none(), "fifty ids must fit: nothing else can apply this filter");
        let mut names = Some(vec!["n".repeat(100); 50]);
        push.texts(&mut names, "filter{name.in}");
        assert!(names.is_some());
        let query = push.query();
        let bytes: usize = query.filters.iter().map(|(name, value)| encoded(name) + encoded(value) + 2).sum();
        assert!(bytes <= REQUEST_LINE - RESERVED);
    }

    #[test]
    fn unknown_is_what_is_none_of_the_others() {
        let mut push = Pushdown::default();
        push.words(&mut Some(vec![Sex::Unknown, Sex::Female]), &SEXES);
        let expected = [
            ("filter{-sex.in}", "M"),
            ("filter{-sex.in}", "O"),
            ("filter{-sex.in}", ""),
            ("filter{sex.isnull}", "false"),
        ];
        assert_eq!(push.query().filters, expected.map(|(name, value)| (name, value.to_owned())));
    }
}
