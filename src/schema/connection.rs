//! Lists that can grow, a page at a time.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};
use dataloader::BatchFn;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{
    context::{RequestContext, add_error},
    error::{Error, Result},
    lookahead::sideloads,
};
use crate::{
    cache::{Answer, RecordKey},
    domain::{
        Id, Source,
        cursor::{self, BadCursor, Behind, Border, Fingerprint, Found, ListPosition},
    },
    listing::{
        Queries,
        parts::{Direction, Reader},
    },
    loaders::Relation,
    sources::{
        brainstem::{ListQuery, Model},
        paging::MAX_PAGE,
    },
};

/// Records on a page when the client names no number.
pub(super) const DEFAULT_PAGE: u64 = 20;

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether more follows: ask again with `after: endCursor`.
    has_next_page: bool,
    /// Whether something lies before this page: ask again with `last` and `before: startCursor`.
    has_previous_page: bool,
    /// Where the page starts: the one before it ends `before` this. Null only where there is nothing to go on from.
    start_cursor: Option<String>,
    /// Where the page ends: the next one begins `after` it. Null only where there is nothing to go on from.
    end_cursor: Option<String>,
}

/// A record and its place in the list.
pub struct Edge<T> {
    pub(super) cursor: String,
    pub(super) node: T,
}

/// A record and its place in the list.
#[Object(name_type)]
impl<T: OutputType> Edge<T> {
    /// The place of the record: the next page begins `after` it, the previous one ends `before` it. Opaque; holds good
    /// across restarts of the gateway.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The record.
    async fn node(&self) -> &T {
        &self.node
    }
}

impl<T: OutputType> TypeName for Edge<T> {
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
impl<T: OutputType> Connection<T> {
    /// The records of the page with their cursors.
    async fn edges(&self) -> &[Edge<T>] {
        &self.edges
    }

    /// The records of the page, for those who need no cursor for each.
    async fn nodes(&self) -> Vec<&T> {
        self.edges.iter().map(|edge| &edge.node).collect()
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

impl<T: OutputType> TypeName for Connection<T> {
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
    pub(super) fn page_info<T>(&self, edges: &[Edge<T>], has_more: bool, reached: Option<String>) -> PageInfo {
        let came_from = self.cursor.is_some();
        let cursor = |edge: Option<&Edge<T>>| edge.map(|edge| edge.cursor.clone());
        let (first, last) = (cursor(edges.first()), cursor(edges.last()));
        match self.direction {
            Direction::Forwards => PageInfo {
                has_next_page: has_more,
                has_previous_page: came_from,
                start_cursor: first.or_else(|| self.cursor.clone()),
                end_cursor: reached.or(last).or_else(|| self.cursor.clone()),
            },
            Direction::Backwards => PageInfo {
                has_next_page: came_from,
                has_previous_page: has_more,
                start_cursor: reached.or(first).or_else(|| self.cursor.clone()),
                end_cursor: last.or_else(|| self.cursor.clone()),
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
    let cursor = |border, is_record| cursor::encode(list.fingerprint, &ListPosition { border, is_record });
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

/// A page of the records whose ids another record lists. What may not be seen is left out; the walk goes on behind it.
pub(super) async fn of_ids<T, G, B>(
    relation: &Relation<Id<T>, T, B>,
    ids: &[Id<T>],
    list: Fingerprint,
    paging: Paging,
    wrap: fn(Arc<T>) -> G,
) -> Result<Connection<G>>
where
    T: Send + Sync + 'static,
    B: BatchFn<Id<T>, Answer<RecordKey, T>>,
{
    let slice = paging.read::<Behind>(list)?;
    let size = usize::try_from(slice.size).unwrap_or(usize::MAX);
    let from = border(&slice, ids);
    let (start, end) = match slice.direction {
        Direction::Forwards => (from, from.saturating_add(size).min(ids.len())),
        Direction::Backwards => (from.saturating_sub(size), from),
    };
    let wanted = ids.get(start..end).unwrap_or_default();
    let loaded = relation.load_all(wanted).await?;
    let edge = |(at, record)| Edge { cursor: cursor_at(list, ids, start + at), node: wrap(record) };
    let edges: Vec<_> = loaded.into_iter().map(edge).collect();
    // The ids at the borders count, whether or not their records may be seen.
    let (has_more, reached) = match slice.direction {
        Direction::Forwards => (end < ids.len(), end.checked_sub(1)),
        Direction::Backwards => (start > 0, Some(start)),
    };
    let reached = reached.filter(|_| !wanted.is_empty()).map(|at| cursor_at(list, ids, at));
    let page = slice.page_info(&edges, has_more, reached);
    Ok(Connection { edges, page, total: Some(ids.len() as u64) })
}

/// A page of those of the listed records that `keep` keeps; all of them have to be loaded for that.
pub(super) async fn of_filtered_ids<T, G, B>(
    relation: &Relation<Id<T>, T, B>,
    ids: &[Id<T>],
    list: Fingerprint,
    paging: Paging,
    keep: impl Fn(&T) -> bool,
    wrap: fn(Arc<T>) -> G,
) -> Result<Connection<G>>
where
    T: Send + Sync + 'static,
    B: BatchFn<Id<T>, Answer<RecordKey, T>>,
{
    let slice = paging.read::<Behind>(list)?;
    let size = usize::try_from(slice.size).unwrap_or(usize::MAX);
    let from = border(&slice, ids);
    let mut kept = relation.load_all(ids).await?;
    kept.retain(|(_, record)| keep(record));
    let total = kept.len() as u64;
    let before = kept.partition_point(|(at, _)| *at < from);
    let (start, end) = match slice.direction {
        Direction::Forwards => (before, before.saturating_add(size).min(kept.len())),
        Direction::Backwards => (before.saturating_sub(size), before),
    };
    let has_more = if slice.direction == Direction::Forwards { end < kept.len() } else { start > 0 };
    let edge = |(at, record)| Edge { cursor: cursor_at(list, ids, at), node: wrap(record) };
    let edges: Vec<_> = kept.into_iter().take(end).skip(start).map(edge).collect();
    let page = slice.page_info(&edges, has_more, None);
    Ok(Connection { edges, page, total: Some(total) })
}

/// How many ids lie before the border where the page begins, or backwards, where it ends.
fn border<T>(slice: &Slice<Behind>, ids: &[Id<T>]) -> usize {
    let Some(position) = &slice.position else {
        return if slice.direction == Direction::Forwards { 0 } else { ids.len() };
    };
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    match (position.index_in(&ids), slice.direction) {
        (Found::There(at), Direction::Forwards) => at + 1,
        (Found::There(at) | Found::Gone(at), _) => at,
    }
}

fn cursor_at<T>(list: Fingerprint, ids: &[Id<T>], at: usize) -> String {
    cursor::encode(list, &Behind { id: ids[at].uuid(), index: u32::try_from(at).unwrap_or(u32::MAX) })
}
