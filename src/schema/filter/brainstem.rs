//! Filters and orders of the lists that BrainSTEM alone serves. All of them are BrainSTEM's own work.

use async_graphql::{Enum, ID, InputObject};

use super::{DateTimeRange, NameFilter, OrderDirection, read_ids, read_texts};
use crate::{
    domain::{NodeId, SubjectId, cursor::Fingerprint},
    schema::{
        connection::BrainStemList,
        error::{Error, Result},
    },
    sources::brainstem::{ListQuery, Pushdown},
};

/// Characters of a type that is looked for.
const MAX_TYPE: usize = 100;

/// Which projects to list. All that is given must hold; of a list, one value.
#[derive(Default, InputObject)]
pub struct ProjectFilter {
    /// By name.
    name: Option<NameFilter>,
    /// Projects with any of these subjects, by the subjects' `id`s.
    subject_id: Option<Vec<ID>>,
    /// Only projects that BrainSTEM's public portal shows, or only others.
    is_public: Option<bool>,
}

/// The order of a list of projects. Those with the same value come by id, ascending.
#[derive(Clone, Copy, InputObject)]
pub struct ProjectOrder {
    /// What to order by.
    field: ProjectOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// What projects can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProjectOrderField {
    /// By name, as BrainSTEM sorts names.
    Name,
}

/// Which procedures to list. All that is given must hold; of a list, one value.
#[derive(Default, InputObject)]
pub struct ProcedureFilter {
    /// Procedures of exactly one of these types.
    #[graphql(name = "type")]
    kind: Option<Vec<String>>,
    /// Procedures on any of these subjects, by the subjects' `id`s.
    subject_id: Option<Vec<ID>>,
    /// Procedures in any of these brain regions, by the regions' `id`s.
    brain_region_id: Option<Vec<ID>>,
    /// By the time when they were done.
    date_time: Option<DateTimeRange>,
}

/// The order of a list of procedures. Those without a value come last, whichever the direction; those with the same one by
/// id, ascending.
#[derive(Clone, Copy, InputObject)]
pub struct ProcedureOrder {
    /// What to order by.
    field: ProcedureOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// What procedures can be ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ProcedureOrderField {
    /// By the time when they were done.
    DateTime,
    /// By type, which every procedure has, as BrainSTEM sorts texts.
    Type,
}

/// Which logs to list. All that is given must hold; of a list, one value.
#[derive(Default, InputObject)]
pub struct SubjectLogFilter {
    /// Logs of exactly one of these types.
    #[graphql(name = "type")]
    kind: Option<Vec<String>>,
    /// Logs about any of these subjects, by the subjects' `id`s.
    subject_id: Option<Vec<ID>>,
}

impl ProjectFilter {
    /// The list; an error names the field of the filter.
    pub(in crate::schema) fn list(self, order: Option<ProjectOrder>) -> Result<BrainStemList> {
        let mut push = Pushdown::default();
        let mut subjects = animals(self.subject_id)?;
        push.ids(&mut subjects, "filter{subjects.id.in}");
        push.flag(&mut { self.is_public }, "filter{is_public}");
        let mut name = self.name.unwrap_or_default().read("filter.name")?;
        let nothing_passes = is_empty(subjects.as_ref()) || is_empty(name.one_of.as_ref());
        push.name(&mut name);
        all_fits(nothing_passes || (subjects.is_none() && name.is_empty()))?;
        let sort = |order: ProjectOrder| sorted_by(order.direction, &["name", "id"], &["-name", "id"]);
        Ok(one_list("projects", push, order.map(sort), nothing_passes))
    }
}

impl ProcedureFilter {
    /// The list; an error names the field of the filter.
    pub(in crate::schema) fn list(self, order: Option<ProcedureOrder>) -> Result<BrainStemList> {
        let mut push = Pushdown::default();
        let mut subjects = animals(self.subject_id)?;
        push.ids(&mut subjects, "filter{subject.id.in}");
        let mut regions = read_ids(self.brain_region_id, "filter.brainRegionId", "BrainRegion", |node| match node {
            NodeId::BrainRegion(id) => Some(id),
            _ => None,
        })?;
        push.ids(&mut regions, "filter{brain_region.id.in}");
        let (from, to) = self.date_time.unwrap_or_default().read("filter.dateTime")?;
        push.text(&mut from.map(|from| from.to_string()), "filter{date_time.gte}");
        push.text(&mut to.map(|to| to.to_string()), "filter{date_time.lte}");
        let mut kinds = types(self.kind)?;
        let nothing_passes = is_empty(subjects.as_ref()) || is_empty(regions.as_ref()) || is_empty(kinds.as_ref());
        push.texts(&mut kinds, "filter{type.in}");
        all_fits(nothing_passes || (subjects.is_none() && regions.is_none() && kinds.is_none()))?;
        let Some(ProcedureOrder { field, direction }) = order else {
            return Ok(one_list("procedures", push, None, nothing_passes));
        };
        if field == ProcedureOrderField::Type {
            let sort = sorted_by(direction, &["type", "id"], &["-type", "id"]);
            return Ok(one_list("procedures", push, Some(sort), nothing_passes));
        }
        // A database puts nulls at the one end or the other, so what has no value is a list by itself.
        let mut list = one_list(
            "procedures",
            push,
            Some(sorted_by(direction, &["date_time", "id"], &["-date_time", "id"])),
            nothing_passes,
        );
        let part = |is_null: bool, sort| {
            let mut part = ListQuery { sort, ..list.whole.clone() };
            part.filters.push(("filter{date_time.isnull}", is_null.to_string()));
            part
        };
        if !nothing_passes {
            list.queries = vec![part(false, list.whole.sort), part(true, &["id"])];
        }
        Ok(list)
    }
}

impl SubjectLogFilter {
    /// The list; an error names the field of the filter.
    pub(in crate::schema) fn list(self) -> Result<BrainStemList> {
        let mut push = Pushdown::default();
        let mut subjects = animals(self.subject_id)?;
        push.ids(&mut subjects, "filter{subject.id.in}");
        let mut kinds = types(self.kind)?;
        let nothing_passes = is_empty(subjects.as_ref()) || is_empty(kinds.as_ref());
        push.texts(&mut kinds, "filter{type.in}");
        all_fits(nothing_passes || (subjects.is_none() && kinds.is_none()))?;
        Ok(one_list("logs", push, None, nothing_passes))
    }
}

/// A list of one query; of none where nothing can pass.
fn one_list(field: &str, push: Pushdown, sort: Option<&'static [&'static str]>, nothing_passes: bool) -> BrainStemList {
    let query = ListQuery { sort: sort.unwrap_or_default(), ..push.query() };
    let fingerprint = Fingerprint::of(&(field, &query.filters, query.sort, nothing_passes));
    let mut list = BrainStemList::of(fingerprint, query);
    if nothing_passes {
        list.queries.clear();
    }
    list
}

fn sorted_by(
    direction: OrderDirection,
    ascending: &'static [&'static str],
    descending: &'static [&'static str],
) -> &'static [&'static str] {
    if direction == OrderDirection::Asc { ascending } else { descending }
}

/// People have no projects, procedures or logs: their ids name nothing here.
fn animals(ids: Option<Vec<ID>>) -> Result<Option<Vec<crate::domain::Id<crate::domain::Subject>>>> {
    let subjects = read_ids(ids, "filter.subjectId", "Subject", |node| match node {
        NodeId::Subject(id) => Some(id),
        _ => None,
    })?;
    let animal = |id: SubjectId| if let SubjectId::BrainStem(id) = id { Some(id) } else { None };
    Ok(subjects.map(|subjects| subjects.into_iter().filter_map(animal).collect()))
}

fn types(kinds: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    kinds.map(|kinds| read_texts("filter.type", kinds, MAX_TYPE)).transpose()
}

fn is_empty<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(Vec::is_empty)
}

/// What BrainSTEM does not get to see would be ignored.
fn all_fits(fits: bool) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(Error::BadUserInput(
        "`filter` is too long for one request to BrainSTEM: expected fewer or shorter values.".to_owned(),
    ))
}
