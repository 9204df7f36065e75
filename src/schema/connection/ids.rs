//! Pages of the records whose ids another record lists. The ids are at hand; only the records of the page are read, and
//! only where something of them is selected.

use std::{ops::Range, sync::Arc};

use async_graphql::{Context, Lookahead};
use uuid::Uuid;

use super::{Connection, Cursor, Edge, Paging, Slice};
use crate::{
    domain::{
        Id,
        cursor::{Behind, Fingerprint, Found},
    },
    listing::parts::Direction,
    loaders::{Begin, Relation},
    schema::error::Result,
};

/// A page of the records whose ids another record lists. What may not be seen is left out; the walk goes on behind it.
pub(in crate::schema) async fn of_ids<T, G, B>(
    ctx: &Context<'_>,
    relation: &Relation<Id<T>, T, B>,
    ids: &[Id<T>],
    list: Fingerprint,
    paging: Paging,
    wrap: fn(Arc<T>) -> G,
) -> Result<Connection<G>>
where
    T: Send + Sync + 'static,
    B: Begin<Id<T>, T>,
{
    let slice = paging.read::<Behind>(list)?;
    let page =
        NestedPage { reads_records: reads_records(&ctx.look_ahead(), slice.direction), reads_cursors: true, slice };
    let (wanted, begun) = (page.wanted(ids), page.begin(ids, || list));
    let loaded = relation.load_all(wanted).await?;
    Ok(begun.connection(loaded.into_iter().map(|(at, record)| (at, wanted[at], wrap(record)))))
}

/// A page of those of the listed records that `keep` keeps; all of them have to be loaded for that.
pub(in crate::schema) async fn of_filtered_ids<T, G, B>(
    relation: &Relation<Id<T>, T, B>,
    ids: &[Id<T>],
    list: Fingerprint,
    paging: Paging,
    keep: impl Fn(&T) -> bool,
    wrap: fn(Arc<T>) -> G,
) -> Result<Connection<G>>
where
    T: Send + Sync + 'static,
    B: Begin<Id<T>, T>,
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
    let edge = |(at, record)| Edge { cursor: cursor_at(list, ids[at], at), node: wrap(record) };
    let edges: Vec<_> = kept.into_iter().take(end).skip(start).map(edge).collect();
    let page = slice.page_info(&edges, has_more, None);
    Ok(Connection { edges, page, total: Some(total) })
}

/// What is asked of a page of ids, be it one owner's or the same of many.
pub(in crate::schema) struct NestedPage {
    slice: Slice<Behind>,
    reads_records: bool,
    reads_cursors: bool,
}

impl NestedPage {
    /// Reads the arguments of a field, for any owner. `None`: there is a cursor, which is one owner's, or a filter. What is
    /// wrong is wrong for every owner.
    pub(in crate::schema) fn of(ctx: &Context<'_>) -> Option<Result<Self>> {
        let is_size = |name: &str| matches!(name, "first" | "last");
        if !ctx.item.node.arguments.iter().all(|(name, _)| is_size(&name.node)) {
            return None;
        }
        let size = |name| ctx.param_value::<Option<i32>>(name, None).ok().map(|(_, size)| size);
        let paging = Paging { first: size("first")?, last: size("last")?, ..Paging::default() };
        // Only a cursor would have to belong to the list.
        let slice = match paging.read(Fingerprint::default()) {
            Ok(slice) => slice,
            Err(error) => return Some(Err(error)),
        };
        let field = ctx.look_ahead();
        let page = field.field("pageInfo");
        let reads_cursors = field.field("edges").field("cursor").exists()
            || page.field("startCursor").exists()
            || page.field("endCursor").exists();
        Some(Ok(Self { reads_records: reads_records(&field, slice.direction), reads_cursors, slice }))
    }

    /// The ids whose records are on an owner's page and have to be read.
    pub(in crate::schema) fn wanted<'i, T>(&self, ids: &'i [Id<T>]) -> &'i [Id<T>] {
        if self.reads_records { &ids[stretch(&self.slice, ids)] } else { &[] }
    }

    /// An owner's page as far as the ids tell. `list` is asked only where a cursor is selected.
    pub(in crate::schema) fn begin<T>(&self, ids: &[Id<T>], list: impl FnOnce() -> Fingerprint) -> Begun<'_> {
        let list = if self.reads_cursors { list() } else { Fingerprint::default() };
        let stretch = stretch(&self.slice, ids);
        // The ids at the borders count, whether or not their records may be seen.
        let (has_more, reached) = match self.slice.direction {
            Direction::Forwards => (stretch.end < ids.len(), stretch.end.checked_sub(1)),
            Direction::Backwards => (stretch.start > 0, Some(stretch.start)),
        };
        let reached = reached.filter(|_| !stretch.is_empty()).map(|at| cursor_at(list, ids[at], at));
        Begun { slice: &self.slice, list, start: stretch.start, total: ids.len() as u64, has_more, reached }
    }
}

/// A page whose records are still to come.
pub(in crate::schema) struct Begun<'s> {
    slice: &'s Slice<Behind>,
    list: Fingerprint,
    start: usize,
    total: u64,
    has_more: bool,
    reached: Option<Cursor>,
}

impl Begun<'_> {
    /// The page, of the records that could be read of those that were wanted: each with its place among them, and its id.
    pub(in crate::schema) fn connection<T, G>(
        self,
        records: impl IntoIterator<Item = (usize, Id<T>, G)>,
    ) -> Connection<G> {
        let edge = |(at, id, node)| Edge { cursor: cursor_at(self.list, id, self.start + at), node };
        let edges: Vec<_> = records.into_iter().map(edge).collect();
        let page = self.slice.page_info(&edges, self.has_more, self.reached);
        Connection { edges, page, total: Some(self.total) }
    }
}

/// Whether anything is selected that only the page's records tell: how many there are and where the page ends is known
/// from their ids, but where it begins is the place of the first that may be seen.
fn reads_records(list: &Lookahead<'_>, direction: Direction) -> bool {
    let by_record = match direction {
        Direction::Forwards => "startCursor",
        Direction::Backwards => "endCursor",
    };
    list.field("nodes").exists() || list.field("edges").exists() || list.field("pageInfo").field(by_record).exists()
}

/// Which of the ids the page covers.
fn stretch<T>(slice: &Slice<Behind>, ids: &[Id<T>]) -> Range<usize> {
    let size = usize::try_from(slice.size).unwrap_or(usize::MAX);
    let from = border(slice, ids);
    match slice.direction {
        Direction::Forwards => from..from.saturating_add(size).min(ids.len()),
        Direction::Backwards => from.saturating_sub(size)..from,
    }
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

fn cursor_at<T>(list: Fingerprint, id: Id<T>, at: usize) -> Cursor {
    Cursor::Behind(list, Behind { id: id.uuid(), index: u32::try_from(at).unwrap_or(u32::MAX) })
}
