//! Filters and orders, as clients write them, and what is refused of them.

use async_graphql::{Enum, ID, InputObject};
use jiff::Timestamp;

use super::{
    context::id_of,
    error::{Error, Result},
    scalars::{Date, DateTime},
    subject::{Sex, SubjectSource, SubjectStatus},
};
use crate::domain::{self, NodeId, Source, filter, order::OrderField};

mod brainstem;

pub use brainstem::{
    ProcedureFilter, ProcedureOrder, ProcedureOrderField, ProjectFilter, ProjectOrder, ProjectOrderField,
    SubjectLogFilter,
};

const SOURCES: usize = 2;
/// Values in one list of a filter; as ids, so many fit into a request to BrainSTEM.
const MAX_VALUES: usize = 50;
/// Characters of a name that is looked for: no source has longer ones.
const MAX_NAME: usize = 512;
/// Characters that are searched for. Encoded for a URL, one can be twelve bytes.
pub(super) const MAX_SEARCH: usize = 200;

/// Which subjects to list. All that is given must hold; of a list, one value. An empty list lets nothing pass. A field that
/// only one source knows excludes the other source.
#[derive(Default, InputObject)]
pub struct SubjectFilter {
    /// Only subjects of these sources. Left out or null: of both.
    sources: Option<Vec<SubjectSource>>,
    /// By name.
    #[graphql(tag = "pii")]
    name: Option<NameFilter>,
    /// By words: what Haut.AI's own search finds for them, and animals that have every word in their name, identifier or
    /// description, in upper or lower case. At most 200 characters.
    #[graphql(tag = "pii")]
    search: Option<String>,
    /// By sex. `UNKNOWN` finds those whose source says that it does not know; where no sex is given, none does.
    sex: Option<Vec<Sex>>,
    /// By day of birth.
    #[graphql(tag = "pii")]
    birth_date: Option<DateRange>,
    /// By status. BrainSTEM only.
    status: Option<Vec<SubjectStatus>>,
    /// Subjects of any of these projects, by the projects' `id`s. BrainSTEM only.
    project_id: Option<Vec<ID>>,
    /// Subjects of any of these strains, by the strains' `id`s. BrainSTEM only.
    strain_id: Option<Vec<ID>>,
    /// Subjects of any of these species, by the species' `id`s. BrainSTEM only.
    species_id: Option<Vec<ID>>,
    /// Subjects with any of these tags. Exact, also in upper and lower case. BrainSTEM only.
    tag: Option<Vec<String>>,
    /// Subjects of any of these datasets, by the datasets' `id`s. Haut.AI only.
    dataset_id: Option<Vec<ID>>,
    /// Only subjects with procedures, or only those without. BrainSTEM only.
    has_procedures: Option<bool>,
}

/// What a name must be. All that is given must hold.
#[derive(Default, InputObject)]
pub struct NameFilter {
    /// Exactly this, also in upper and lower case.
    eq: Option<String>,
    /// Contains this, in upper or lower case.
    contains: Option<String>,
    /// Begins with this, in upper or lower case.
    starts_with: Option<String>,
    /// Exactly one of these, also in upper and lower case. At most 50.
    #[graphql(name = "in")]
    one_of: Option<Vec<String>>,
}

/// A range of days. Both ends belong to it; one that is left out is open.
#[derive(Default, InputObject)]
pub struct DateRange {
    /// The first day.
    from: Option<Date>,
    /// The last day.
    to: Option<Date>,
}

/// A range of time. Both ends belong to it; one that is left out is open.
#[derive(Default, InputObject)]
pub struct DateTimeRange {
    /// The first instant.
    from: Option<DateTime>,
    /// The last instant.
    to: Option<DateTime>,
}

/// The order of a list of subjects. Those without a value come last, whichever the direction; those with the same one by
/// source, then by id, always ascending.
#[derive(InputObject)]
pub struct SubjectOrder {
    /// What to order by.
    field: SubjectOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// What subjects can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::domain::order::OrderField")]
pub enum SubjectOrderField {
    /// By name, as Unicode's root collation (CLDR) sorts: case and accents count last. All subjects that a
    /// source finds for the filter are read for it, so a source with more than the gateway's limit of them (10,000 unless
    /// configured otherwise) is `RESULT_TOO_LARGE`: filter then by what the source applies itself.
    #[graphql(tag = "pii")]
    Name,
    /// By day of birth. All people whom Haut.AI finds for the filter are read for it, within the same limit.
    #[graphql(tag = "pii")]
    BirthDate,
    /// By the time when the record was made. BrainSTEM tells none: animals come last. All people who pass the filter are read
    /// for it, within the same limit.
    CreatedAt,
}

/// Which way a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// From the first letter, the smallest number, the earliest time on.
    Asc,
    /// From the last letter, the largest number, the latest time on.
    Desc,
}

impl SubjectFilter {
    /// Reads it; an error names the field.
    pub(super) fn read(self) -> Result<domain::SubjectFilter> {
        Ok(domain::SubjectFilter {
            // Both is what leaving it out is.
            sources: self
                .sources
                .map(|sources| sorted::<Source>(sources.into_iter().map(Into::into).collect()))
                .filter(|sources| sources.len() < SOURCES),
            name: self.name.unwrap_or_default().read("filter.name")?,
            search: self.search.map(|search| read_search("filter.search", &search)).transpose()?.flatten(),
            sex: self.sex.map(|sexes| sorted(sexes.into_iter().map(Into::into).collect())),
            birth_date: self.birth_date.unwrap_or_default().read("filter.birthDate")?,
            status: self.status.map(|states| sorted(states.into_iter().map(Into::into).collect())),
            projects: read_ids(self.project_id, "filter.projectId", "Project", |node| match node {
                NodeId::Project(id) => Some(id),
                _ => None,
            })?,
            strains: read_ids(self.strain_id, "filter.strainId", "Strain", |node| match node {
                NodeId::Strain(id) => Some(id),
                _ => None,
            })?,
            species: read_ids(self.species_id, "filter.speciesId", "Species", |node| match node {
                NodeId::Species(id) => Some(id),
                _ => None,
            })?,
            tags: self.tag.map(|tags| read_texts("filter.tag", tags, MAX_SEARCH)).transpose()?,
            datasets: read_ids(self.dataset_id, "filter.datasetId", "Dataset", |node| match node {
                NodeId::Dataset(id) => Some(id),
                _ => None,
            })?,
            has_procedures: self.has_procedures,
        })
    }
}

impl NameFilter {
    pub(super) fn read(self, argument: &str) -> Result<filter::NameFilter> {
        let text = |name: &str, text: Option<String>| match text {
            Some(text) => within(&format!("{argument}.{name}"), &text, MAX_NAME).map(|()| Some(text)),
            None => Ok(None),
        };
        let meaning = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(filter::NameFilter {
            eq: text("eq", self.eq)?,
            // Every name holds the empty text.
            contains: meaning(text("contains", self.contains)?),
            starts_with: meaning(text("startsWith", self.starts_with)?),
            one_of: self.one_of.map(|names| read_texts(&format!("{argument}.in"), names, MAX_NAME)).transpose()?,
        })
    }
}

impl DateRange {
    fn read(self, argument: &str) -> Result<filter::DateRange> {
        let day =
            |name: &str, date: Option<Date>| date.map(|date| date.given_as(&format!("{argument}.{name}"))).transpose();
        let range = filter::DateRange { from: day("from", self.from)?, to: day("to", self.to)? };
        ends_in_order(argument, range.from, range.to)?;
        Ok(range)
    }
}

impl DateTimeRange {
    fn read(self, argument: &str) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let instant = |name: &str, time: Option<DateTime>| {
            time.map(|time| time.given_as(&format!("{argument}.{name}"))).transpose()
        };
        let (from, to) = (instant("from", self.from)?, instant("to", self.to)?);
        ends_in_order(argument, from, to)?;
        Ok((from, to))
    }
}

impl SubjectOrder {
    pub(super) fn read(&self) -> domain::SubjectOrder {
        domain::SubjectOrder { field: OrderField::from(self.field), descending: self.direction == OrderDirection::Desc }
    }
}

/// Words to search for; `None`: nothing but blanks, which every text holds.
fn read_search(argument: &str, search: &str) -> Result<Option<String>> {
    within(argument, search, MAX_SEARCH)?;
    let search = search.trim();
    Ok((!search.is_empty()).then(|| search.to_owned()))
}

/// Ids of one type, each once and in an order that does not depend on how they were written: a cursor goes by it.
pub(super) fn read_ids<T: Ord>(
    ids: Option<Vec<ID>>,
    argument: &str,
    expected: &str,
    of: impl Fn(NodeId) -> Option<T>,
) -> Result<Option<Vec<T>>> {
    let Some(ids) = ids else { return Ok(None) };
    not_too_many(argument, ids.len())?;
    let ids: Result<Vec<T>> = ids.iter().map(|id| id_of(argument, id, expected, &of)).collect();
    ids.map(|ids| Some(sorted(ids)))
}

/// Texts, each once and sorted.
pub(super) fn read_texts(argument: &str, texts: Vec<String>, most: usize) -> Result<Vec<String>> {
    not_too_many(argument, texts.len())?;
    texts.iter().try_for_each(|text| within(argument, text, most))?;
    Ok(sorted(texts))
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values.dedup();
    values
}

fn not_too_many(argument: &str, count: usize) -> Result<()> {
    if count > MAX_VALUES {
        return Err(Error::BadUserInput(format!(
            "`{argument}` has {count} values: expected at most {MAX_VALUES}; ask several times instead."
        )));
    }
    Ok(())
}

/// A text that may become part of a request line, which is short, and goes to a database, which takes no NUL.
pub(super) fn within(argument: &str, text: &str, most: usize) -> Result<()> {
    if text.chars().count() > most {
        return Err(Error::BadUserInput(format!("`{argument}` is too long: expected at most {most} characters.")));
    }
    if text.contains('\0') {
        return Err(Error::BadUserInput(format!("`{argument}` holds the character U+0000, which no record has.")));
    }
    Ok(())
}

fn ends_in_order<T: PartialOrd>(argument: &str, from: Option<T>, to: Option<T>) -> Result<()> {
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(Error::BadUserInput(format!(
            "`{argument}.from` is later than `{argument}.to`: nothing lies between."
        )));
    }
    Ok(())
}
