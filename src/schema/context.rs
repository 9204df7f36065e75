//! What one request carries through its resolvers, and how ids from clients are read.

use std::{fmt::Debug, hash::Hash, sync::Arc, time::Instant};

use async_graphql::{Context, ID};
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use uuid::Uuid;

use super::error::{Error, Result};
use crate::{
    access::{Scope, Scopes},
    cache::{Provenance, Requests, Sources},
    domain::{NodeId, SubjectFilter, SubjectOrder},
    listing::Walk,
    loaders::{Begin, Credentials, Deadline, Loaders, Relation, Viewers},
};

/// Sources, loaders and deadline of one request: put it into the request's data.
pub struct RequestContext {
    pub(super) sources: Arc<Sources>,
    pub(super) viewers: Viewers,
    pub(super) provenance: Arc<Provenance>,
    pub(super) deadline: Deadline,
    pub(super) loaders: Loaders,
    scopes: Scopes,
}

impl RequestContext {
    /// A request that reads and writes with these credentials, may do what its `scopes` say, and must be answered by
    /// `deadline`. What its answer is made of is noted in `provenance`.
    pub fn new(
        sources: &Arc<Sources>,
        scopes: Scopes,
        credentials: &Credentials,
        provenance: &Arc<Provenance>,
        deadline: Instant,
    ) -> Self {
        let requests = Arc::new(Requests::new(sources.max_requests));
        let viewers = Viewers::new(credentials, provenance, &requests);
        let deadline = Deadline(deadline);
        Self {
            sources: Arc::clone(sources),
            deadline,
            loaders: Loaders::new(sources, &viewers, deadline),
            viewers,
            provenance: Arc::clone(provenance),
            scopes,
        }
    }

    /// The day that it is in UTC. The answer is good until it ends.
    pub(super) fn today(&self) -> civil::Date {
        let now = Timestamp::now().to_zoned(TimeZone::UTC);
        let midnight = now.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        // After the last day that can be told there is none.
        let left = midnight.map_or(SignedDuration::ZERO, |midnight| midnight.duration_since(&now));
        self.provenance.good_for(left.unsigned_abs());
        now.date()
    }

    /// Refuses what the caller may not do.
    pub(super) fn require(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(scope) { Ok(()) } else { Err(Error::NotGranted(scope)) }
    }

    /// A walk over the subjects that pass a filter.
    pub(super) fn walk(&self, filter: SubjectFilter, order: Option<SubjectOrder>, include: Vec<String>) -> Walk<'_> {
        Walk { sources: &self.sources, viewers: &self.viewers, deadline: self.deadline, filter, order, include }
    }

    pub(super) fn of<'a>(ctx: &Context<'a>) -> &'a Self {
        ctx.data_unchecked()
    }
}

/// Refuses one who may not read. Asked wherever a client's request begins to read: at the roots, and where a write or an
/// event shows a record.
pub(super) fn may_read(ctx: &Context<'_>) -> Result<()> {
    RequestContext::of(ctx).require(Scope::Read)
}

/// Reads a global id; an error names the argument.
pub(super) fn node_id(argument: &str, id: &ID) -> Result<NodeId> {
    NodeId::decode(id).map_err(|_| {
        Error::BadUserInput(format!(
            "`{argument}` is not an id of this gateway: expected the `id` of an object it returned."
        ))
    })
}

/// Reads a global id of one type; an error names the argument and the type.
pub(super) fn id_of<T>(argument: &str, id: &ID, expected: &str, of: impl Fn(NodeId) -> Option<T>) -> Result<T> {
    let node = node_id(argument, id)?;
    of(node).ok_or_else(|| {
        let got = node.type_name();
        Error::BadUserInput(format!("`{argument}` is the id of a {got}: expected the id of a {expected}."))
    })
}

/// Reads an upstream's own id; an error names the argument.
pub(super) fn upstream_id(argument: &str, id: &ID) -> Result<Uuid> {
    Uuid::try_parse(id).map_err(|_| {
        Error::BadUserInput(format!(
            "`{argument}` is not a UUID: expected the source's own id, such as \"0cdaf69d-63cf-429f-b549-fc0cc163d046\"."
        ))
    })
}

/// The one record that another refers to, by its loader.
pub(super) async fn related<K, V, B, G>(
    relation: &Relation<K, V, B>,
    key: Option<K>,
    wrap: fn(Arc<V>) -> G,
) -> Option<Result<G>>
where
    K: Eq + Hash + Clone + Debug,
    V: Send + Sync + 'static,
    B: Begin<K, V>,
{
    let record = relation.load(key?).await.transpose()?;
    Some(record.map(wrap).map_err(Error::from))
}

/// The records that another lists, by their loader. Those that may not be seen are left out.
pub(super) async fn related_all<K, V, B, G>(
    relation: &Relation<K, V, B>,
    keys: &[K],
    wrap: fn(Arc<V>) -> G,
) -> Result<Vec<G>>
where
    K: Eq + Hash + Clone + Debug,
    V: Send + Sync + 'static,
    B: Begin<K, V>,
{
    let records = relation.load_all(keys).await?;
    Ok(records.into_iter().map(|(_, record)| wrap(record)).collect())
}

/// Adds an error at the current field beside the value that it returns.
pub(super) fn add_error(ctx: &Context<'_>, error: Error) {
    let error = async_graphql::Error::from(error).into_server_error(ctx.item.pos);
    ctx.add_error(ctx.set_error_path(error));
}

/// A text that is itself an id of the given node.
pub(super) fn global_id(id: impl Into<NodeId>) -> ID {
    ID(id.into().to_string())
}
