//! Lists that can grow, a page at a time.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{Context, Object, TypeName};
use serde::de::DeserializeOwned;

use super::{
    context::{RequestContext, add_error},
    error::{Error, Result},
    lists::{Record, Records},
    lookahead::sideloads,
};
use crate::{
    domain::{
        Source,
        cursor::{self, BadCursor, Behind, Border, Fingerprint, ListPosition, SubjectPosition},
    },
    listing::{
        Queries,
        parts::{Direction, Reader},
    },
    sources::{
        brainstem::{ListQuery, Model},
        paging::MAX_PAGE,
    },
};

mod ids;

pub(super) use ids::{Begun, NestedPage, of_filtered_ids, of_ids};

/// Records on a page when the client names no number.
pub(super) const DEFAULT_PAGE: u64 = 20;

/// A place in a list. It becomes a text only where a client selects it, which takes longer than all else about a page.
#[derive(Clone, Debug)]
pub(super) enum Cursor {
    /// As the client gave it.
    Given(String),
    /// In the merged list of subjects: one of the positions that a page keeps together.
    Subjects(Fingerprint, Arc<[SubjectPosition]>, usize),
    /// In a list that BrainSTEM pages.
    Listed(Fingerprint, ListPosition),
    /// In a list of ids that a record carries.
    Behind(Fingerprint, Behind),
}

impl Cursor {
    /// The text for clients.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Given(text) => text.into(),
            Self::Subjects(list, positions, at) => cursor::encode(*list, &positions[*at]).into(),
            Self::Listed(list, position) => cursor::encode(*list, position).into(),
            Self::Behind(list, position) => cursor::encode(*list, position).into(),
        }
    }
}

/// Where a page stands in its list.
#[derive(Clone, Debug)]
pub struct PageInfo {
    pub(super) has_next_page: bool,
    pub(super) has_previous_page: bool,
    pub(super) start: Option<Cursor>,
    pub(super) end: Option<Cursor>,
}

/// Where a page stands in its list.
#[Object(shareable)]
impl PageInfo {
    /// Whether more follows: ask again with `after: endCursor`.
    async fn has_next_page(&self) -> bool {
        self.has_next_page
    }

    /// Whether something lies before this page: ask again with `last` and `before: startCursor`.
    async fn has_previous_page(&self) -> bool {
        self.has_previous_page
    }

    /// Where the page starts: the one before it ends `before` this. Null only where there is nothing to go on from.
    async fn start_cursor(&self) -> Option<Cow<'_, str>> {
        self.start.as_ref().map(Cursor::text)
    }

    /// Where the page ends: the next one begins `after` it. Null only where there is nothing to go on from.
    async fn end_cursor(&self) -> Option<Cow<'_, str>> {
        self.end.as_ref().map(Cursor::text)
    }
}

/// A record and its place in the list.
pub struct Edge<T> {
    pub(super) cursor: Cursor,
    pub(super) node: T,
}

/// A record and its place in the list.
#[Object(name_type)]
impl<T: Record> Edge<T> {
    /// The place of the record: the next page begins `after` it, the previous one ends `before` it. Opaque; holds good
    /// across restarts of the gateway.
    async fn cursor(&self) -> Cow<'_, str> {
        self.cursor.text()
    }

    /// The record.
    async fn node(&self) -> &T {
        &self.node
    }
}

impl<T: Record> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

/// One page of a list.
pub struct Connection<T> {
    pub(super) edges: Vec<Edge<T>>,
    pub(super) page: PageInfo,
    /// `None`: the source does not count, or nobody asked.
    pub(super) total: Option<u64>,
}

/// One page of a list.
#[Object(name_type)]
impl<T: Record> Connection<T> {
    /// The records of the page with their cursors.
    async fn edges(&self) -> Records<'_, Edge<T>> {
        Records(self.edges.iter().collect())
    }

    /// The records of the page, for those who need no cursor for each.
    async fn nodes(&self) -> Records<'_, T> {
        Records(self.edges.iter().map(|edge| &edge.node).collect())
    }

    /// Where the page stands in the list.
    async fn page_info(&self) -> &PageInfo {
        &self.page
    }

    /// How many records the whole list has. Null where the source does not count them.
    async fn total_count(&self) -> Option<u64> {
        self.total
    }
}

impl<T: Record> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

/// The arguments that every list has.
#[derive(Clone, Debug, Default)]
pub(super) struct Paging {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

/// What the arguments say.
pub(super) struct Slice<P> {
    pub(super) direction: Direction,
    /// Records on the page: 0 to 100, 20 when nothing was said.
    pub(super) size: u64,
    /// Where to go on from; `None`: from the start, or backwards, from the end.
    pub(super) position: Option<P>,
    /// The position as it was given.
    cursor: Option<String>,
}

impl Paging {
    /// Reads the arguments of this list.
    pub(super) fn read<P: DeserializeOwned>(self, list: Fingerprint) -> Result<Slice<P>> {
        let refused = |why: &str| Err(Error::BadUserInput(why.to_owned()));
        match self {
            Self { first: Some(_), last: Some(_), .. } => {
                refused("`first` and `last` are both given: expected one of them.")
            }
            Self { first: Some(_), before: Some(_), .. } => {
                refused("`before` is given with `first`: expected `last`, or `after` with `first`.")
            }
            Self { last: Some(_), after: Some(_), .. } => {
                refused("`after` is given with `last`: expected `first`, or `before` with `last`.")
            }
            Self { after: Some(_), before: Some(_), .. } => {
                refused("`after` and `before` are both given: expected one of them.")
            }
            Self { first, after, last: None, before: None } => {
                Slice::new(Direction::Forwards, ("first", first), ("after", after), list)
            }
            Self { last, before, .. } => Slice::new(Direction::Backwards, ("last", last), ("before", before), list),
        }
    }
}

impl<P: DeserializeOwned> Slice<P> {
    fn new(
        direction: Direction,
        (size_argument, size): (&str, Option<i32>),
        (cursor_argument, cursor): (&str, Option<String>),
        list: Fingerprint,
    ) -> Result<Self> {
        let size = size.map_or(Ok(DEFAULT_PAGE), u64::try_from).ok().filter(|size| *size <= MAX_PAGE);
        let size = size.ok_or_else(|| {
            let message = format!("`{size_argument}` is out of range: expected a number from 0 to {MAX_PAGE}.");
            Error::BadUserInput(message)
        })?;
        let position = cursor.as_deref().map(|cursor| cursor::decode(list, cursor)).transpose().map_err(|bad| {
            Error::BadUserInput(match bad {
                BadCursor::Malformed => format!(
                    "`{cursor_argument}` is not a cursor of this gateway: expected a `cursor`, `startCursor` or \
                     `endCursor` that it returned."
                ),
                BadCursor::OtherList => format!(
                    "`{cursor_argument}` is a cursor of another list: expected one of this field with the same filter and \
                     order."
                ),
            })
        })?;
        Ok(Self { direction, size, position, cursor })
    }
}

impl<P> Slice<P> {
    /// The page that came of it. `reached`: where the walk stands now, where that is no record of the page; `None`: it
    /// has not moved.
    pub(super) fn page_info<T>(&self, edges: &[Edge<T>], has_more: bool, reached: Option<Cursor>) -> PageInfo {
        let came_from = self.cursor.is_some();
        let given = || self.cursor.clone().map(Cursor::Given);
        let cursor = |edge: Option<&Edge<T>>| edge.map(|edge| edge.cursor.clone());
        let (first, last) = (cursor(edges.first()), cursor(edges.last()));
        match self.direction {
            Direction::Forwards => PageInfo {
                has_next_page: has_more,
                has_previous_page: came_from,
                start: first.or_else(given),
                end: reached.or(last).or_else(given),
            },
            Direction::Backwards => PageInfo {
                has_next_page: came_from,
                has_previous_page: has_more,
                start: reached.or(first).or_else(given),
                end: last.or_else(given),
            },
        }
    }
}

/// A list that BrainSTEM alone serves: queries one after the other that make up one list.
pub(super) struct BrainStemList {
    /// What cursors belong to.
    pub(super) fingerprint: Fingerprint,
    pub(super) queries: Vec<ListQuery>,
    /// The list without an order, for its count.
    pub(super) whole: ListQuery,
}

impl BrainStemList {
    /// Of one query.
    pub(super) fn of(fingerprint: Fingerprint, query: ListQuery) -> Self {
        Self { fingerprint, queries: vec![query.clone()], whole: query }
    }
}

/// A page of a list that BrainSTEM pages. `None` where there is no such list: the source is not configured, or its
/// generation lacks it.
pub(super) async fn of_list<T: Model, G>(
    ctx: &Context<'_>,
    list: BrainStemList,
    paging: Paging,
    wrap: fn(Arc<T>) -> G,
) -> Result<Option<Connection<G>>> {
    // Apart: the futures of all fields of a type are as large as the largest of them, and moved several times.
    Box::pin(read_list(ctx, list, paging, wrap)).await
}

async fn read_list<T: Model, G>(
    ctx: &Context<'_>,
    list: BrainStemList,
    paging: Paging,
    wrap: fn(Arc<T>) -> G,
) -> Result<Option<Connection<G>>> {
    let request = RequestContext::of(ctx);
    let slice = paging.read::<ListPosition>(list.fingerprint)?;
    let Some((source, viewer)) = request.sources.brainstem.as_ref().zip(request.viewers.brainstem.as_ref()) else {
        return Ok(None);
    };
    if !source.source().serves::<T>() {
        return Ok(None);
    }
    let from = match (slice.position.clone(), slice.direction) {
        (None, Direction::Forwards) => Border::Start,
        (None, Direction::Backwards) => Border::End,
        (Some(position), Direction::Forwards) => position.border,
        (Some(position), Direction::Backwards) => position.before_its_record(),
    };
    let count_of_queries = list.queries.len();
    let include = sideloads::<T>(ctx, slice.size);
    let queries = list.queries.into_iter().map(|query| ListQuery { include: include.clone(), ..query }).collect();
    let queries = Queries::<T>::new(source, viewer, queries, request.deadline);
    let mut reader = Reader::new(queries, slice.direction, &from);
    let (mut edges, mut unreadable, mut reached) = (Vec::new(), 0, None);
    let cursor = |border, is_record| Cursor::Listed(list.fingerprint, ListPosition { border, is_record });
    while edges.len() as u64 + unreadable < slice.size {
        let Some(item) = reader.next(slice.size - edges.len() as u64 - unreadable).await? else { break };
        let passed = if slice.direction == Direction::Forwards { item.behind() } else { item.before() };
        reached = Some(cursor(passed, false));
        match &item.record {
            Some(record) => edges.push(Edge { cursor: cursor(item.behind(), true), node: wrap(Arc::clone(record)) }),
            None => unreadable += 1,
        }
    }
    if unreadable > 0 {
        add_error(ctx, Error::Unreadable(Source::BrainStem, unreadable));
    }
    // Where the list ends with the page, only a look tells. It also tells how many there are.
    let has_more = reader.has_more_for_certain() || reader.next(1).await?.is_some();
    let total = match reader.total() {
        _ if count_of_queries == 0 => Some(0),
        Some(total) if count_of_queries == 1 => Some(total),
        _ if ctx.look_ahead().field("totalCount").exists() => {
            let total = source.total::<T>(viewer, &list.whole);
            request.deadline.bound(Source::BrainStem, total).await?
        }
        _ => None,
    };
    if slice.direction == Direction::Backwards {
        edges.reverse();
    }
    let page = slice.page_info(&edges, has_more, reached.filter(|_| edges.is_empty()));
    Ok(Some(Connection { edges, page, total }))
}
