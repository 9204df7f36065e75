//! Several requests in one body, each with an answer of its own. Knows how they are run beside each other, not how one is.

use std::{sync::Arc, time::Instant};

use async_graphql::Request;
use futures::future::join_all;
use serde_json::Value;

use super::{
    Service,
    account::Cache,
    answer::{Ended, Refusal, ending},
    details::Details,
    graphql::{Rights, too_late},
    metrics::Transport,
};
use crate::{cache::Provenance, schema::execution::prepare, trail::Trail};

/// A member's answer, and how it was made.
pub(super) struct Member {
    pub(super) ended: Ended,
    pub(super) details: Details,
}

impl From<Ended> for Member {
    /// Of one that was not executed.
    fn from(ended: Ended) -> Self {
        Self { ended, details: Details::default() }
    }
}

/// Runs the members of a batch, all within one deadline; a member that is no request gets an error in its place. With
/// `tells_cost` each answer says what its operation is estimated to cost. All leave their trails on `trail`.
///
/// Queries run side by side. Where a member may write, they run one after the other, in the order of the batch: what
/// it changes is then what the later ones find, and two changes of one record do not race.
pub(super) async fn run(
    service: &Service,
    rights: Rights<'_>,
    members: Vec<Value>,
    deadline: Instant,
    tells_cost: bool,
    trail: &Trail,
) -> Vec<Member> {
    let requests = join_all(members.into_iter().map(|member| request(service, member))).await;
    let answer = async |request| answer(service, rights, request, deadline, tells_cost, trail.part()).await;
    if requests.iter().flatten().any(may_write) {
        let mut all = Vec::with_capacity(requests.len());
        for request in requests {
            // Nothing is begun that nobody would wait for.
            let in_time = if Instant::now() < deadline { request } else { Err(too_late()) };
            all.push(answer(in_time).await);
        }
        all
    } else {
        join_all(requests.into_iter().map(answer)).await
    }
}

/// Whether a batch has members, and no more than are allowed.
pub(super) fn check_number(members: usize, limit: usize) -> Result<(), Refusal> {
    match members {
        _ if limit == 0 => Err(Refusal::bad_input("Expected an object: request batching is off.")),
        0 => Err(Refusal::bad_input("Expected at least one request in the array.")),
        _ if members <= limit => Ok(()),
        _ => Err(Refusal::bad_input(format!(
            "The body holds {members} requests: expected at most {limit}, the gateway's LIMITS_BATCH."
        ))),
    }
}

async fn request(service: &Service, member: Value) -> Result<Request, Refusal> {
    match member {
        Value::Object(fields) => service.request(fields).await,
        _ => Err(Refusal::bad_input("Expected an object in the array, with the query in `query`.")),
    }
}

/// Told by the word that no mutation can do without: one that is only mentioned costs time and nothing else.
fn may_write(request: &Request) -> bool {
    request.query.contains("mutation")
}

async fn answer(
    service: &Service,
    rights: Rights<'_>,
    request: Result<Request, Refusal>,
    deadline: Instant,
    tells_cost: bool,
    trail: Trail,
) -> Member {
    let start = Instant::now();
    let operations = &service.operations;
    let mut name = operations.name(request.as_ref().ok().and_then(|request| request.operation_name.as_deref()));
    let member = match request.map(|request| prepare(&service.schema, request, false)) {
        Ok(Ok(mut prepared)) => {
            if tells_cost {
                prepared.tell_cost();
            }
            name = operations.name(prepared.name());
            let (cost, provenance) = (prepared.cost(), Arc::<Provenance>::default());
            let ended = trail.follow(service.run(prepared, rights, Arc::clone(&provenance), deadline)).await;
            let (total, cache, age) = (start.elapsed(), Some(Cache::of(&trail)), provenance.age());
            Member { ended, details: Details { total, cache, age, cost, trail: Some(trail) } }
        }
        Ok(Err(outcome)) => Ok(outcome).into(),
        Err(refusal) => Err(refusal).into(),
    };
    operations.ended(name, Transport::Batch, ending(&member.ended), start);
    member
}
