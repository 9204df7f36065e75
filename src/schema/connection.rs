//! Lists that can grow, a page at a time.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};
use dataloader::BatchFn;
use uuid::Uuid;

use super::{
    context::{RequestContext, add_error},
    error::{Error, Result},
};
use crate::{
    cache::{Answer, RecordKey},
    domain::{
        Id, Source,
        cursor::{self, BadCursor, Behind, Fingerprint, Offset, Position},
    },
    loaders::Relation,
    sources::{
        brainstem::{ListQuery, Model},
        paging::MAX_PAGE,
    },
};

/// Records on a page when the client names no number.
const DEFAULT_PAGE: u64 = 20;

/// Where a page stands in its list.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether more follows: ask again with `after: endCursor`.
    has_next_page: bool,
    /// Whether something lies before this page.
    has_previous_page: bool,
    /// The cursor of the first record of the page. Null on an empty page.
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
    /// The place of the record: the next page begins `after` it. Opaque; holds good across restarts of the gateway.
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
    pub(super) total: Total,
}

/// How many records the whole list has.
pub(super) enum Total {
    /// Known with the page; `None`: the source does not count.
    Known(Option<u64>),
    /// The subjects of these sources, counted when somebody asks.
    Subjects(Vec<Source>),
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

    /// How many records the whole list has. Null where a source does not count them.
    async fn total_count(&self, ctx: &Context<'_>) -> Option<Result<u64>> {
        match &self.total {
            Total::Known(total) => total.map(Ok),
            Total::Subjects(sources) => {
                let total = RequestContext::of(ctx).walk(sources.clone(), Vec::new()).total().await;
                total.map_err(Error::from).transpose()
            }
        }
    }
}

impl<T: OutputType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

impl PageInfo {
    /// Of a page that was reached by `after`. An empty page ends at `end`, which is where the walk stands now.
    pub(super) fn new<T>(edges: &[Edge<T>], after: Option<&String>, has_next_page: bool, end: Option<String>) -> Self {
        Self {
            has_next_page,
            has_previous_page: after.is_some(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()).or(end),
        }
    }
}

/// The arguments that every list has.
pub(super) struct Paging {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
}

impl Paging {
    /// Records on the page: 0 to 100, 20 when nothing was said.
    pub(super) fn size(&self) -> Result<u64> {
        let size = self.first.map_or(Ok(DEFAULT_PAGE), u64::try_from);
        size.ok().filter(|size| *size <= MAX_PAGE).ok_or_else(|| {
            Error::BadUserInput(format!("`first` is out of range: expected a number from 0 to {MAX_PAGE}."))
        })
    }

    /// The position to go on from; `None`: from the start.
    pub(super) fn position<P: Position>(&self, list: Fingerprint) -> Result<Option<P>> {
        let Some(after) = &self.after else {
            return Ok(None);
        };
        let position = cursor::decode(list, after).map_err(|bad| {
            Error::BadUserInput(match bad {
                BadCursor::Malformed => {
                    "`after` is not a cursor of this gateway: expected a `cursor` or `endCursor` that it returned."
                        .to_owned()
                }
                BadCursor::OtherList => {
                    "`after` is a cursor of another list: expected one of this field with the same filter.".to_owned()
                }
            })
        });
        position.map(Some)
    }
}

/// A page of a list that BrainSTEM pages. `None` where there is no such list: the source is not configured, or its
/// generation lacks it.
pub(super) async fn of_list<T: Model, G>(
    ctx: &Context<'_>,
    list: Fingerprint,
    paging: Paging,
    filters: Vec<(&'static str, String)>,
    wrap: fn(Arc<T>) -> G,
) -> Result<Option<Connection<G>>> {
    let request = RequestContext::of(ctx);
    let (size, offset) = (paging.size()?, paging.position(list)?.map_or(0, |Offset(at)| at));
    let Some((source, credential)) = request.sources.brainstem.as_ref().zip(request.credentials.brainstem) else {
        return Ok(None);
    };
    if !source.source().serves::<T>() {
        return Ok(None);
    }
    let query = ListQuery { filters, include: Vec::new() };
    // A page of none still tells whether there is any, and how many.
    let window = source.window::<T>(credential, &query, offset, size.max(1));
    let window = request.deadline.bound(Source::BrainStem, window).await?;
    let end = window.end;
    let kept = if size == 0 { 0 } else { window.items.len() };
    if window.unreadable > 0 && size > 0 {
        add_error(ctx, Error::Unreadable(Source::BrainStem, window.unreadable));
    }
    let cursor = |behind| cursor::encode(list, &Offset(behind));
    let edge = |(at, record): (u64, crate::sources::paging::Weighed<T>)| Edge {
        cursor: cursor(at + 1),
        node: wrap(record.record),
    };
    let edges: Vec<_> = window.items.into_iter().take(kept).map(edge).collect();
    let has_next = if size == 0 { end > offset } else { window.follows != Some(false) };
    let end = if size == 0 { paging.after.clone() } else { Some(cursor(end)) };
    let page = PageInfo::new(&edges, paging.after.as_ref(), has_next, end);
    Ok(Some(Connection { edges, page, total: Total::Known(window.total) }))
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
    let start = start(&paging, list, ids)?;
    let end = start.saturating_add(usize::try_from(paging.size()?).unwrap_or(usize::MAX)).min(ids.len());
    let wanted = ids.get(start..end).unwrap_or_default();
    let loaded = relation.load_all(wanted).await?;
    let edge = |(at, record)| Edge { cursor: behind(list, ids, start + at), node: wrap(record) };
    let edges: Vec<_> = loaded.into_iter().map(edge).collect();
    let walked_to = if wanted.is_empty() { paging.after.clone() } else { Some(behind(list, ids, end - 1)) };
    let mut page = PageInfo::new(&edges, paging.after.as_ref(), end < ids.len(), None);
    page.end_cursor = walked_to;
    Ok(Connection { edges, page, total: Total::Known(Some(ids.len() as u64)) })
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
    let start = start(&paging, list, ids)?;
    let size = usize::try_from(paging.size()?).unwrap_or(usize::MAX);
    let mut kept = relation.load_all(ids).await?;
    kept.retain(|(_, record)| keep(record));
    let total = kept.len() as u64;
    let mut ahead = kept.into_iter().skip_while(|(at, _)| *at < start);
    let edge = |(at, record)| Edge { cursor: behind(list, ids, at), node: wrap(record) };
    let edges: Vec<_> = ahead.by_ref().take(size).map(edge).collect();
    let page = PageInfo::new(&edges, paging.after.as_ref(), ahead.next().is_some(), paging.after.clone());
    Ok(Connection { edges, page, total: Total::Known(Some(total)) })
}

fn start<T>(paging: &Paging, list: Fingerprint, ids: &[Id<T>]) -> Result<usize> {
    let Some(behind) = paging.position::<Behind>(list)? else { return Ok(0) };
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    Ok(behind.resume(&ids).min(ids.len()))
}

fn behind<T>(list: Fingerprint, ids: &[Id<T>], at: usize) -> String {
    cursor::encode(list, &Behind { id: ids[at].uuid(), index: at as u64 })
}
