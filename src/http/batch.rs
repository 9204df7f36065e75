//! Several requests in one body, each with an answer of its own. Knows how they are run beside each other, not how one is.

use std::{sync::Arc, time::Instant};

use async_graphql::Request;
use futures::future::join_all;
use serde_json::Value;

use super::{
    Service,
    answer::{Ended, Refusal, ending},
    graphql::{Rights, too_late},
    metrics::Transport,
};
use crate::schema::execution::prepare;

/// Runs the members of a batch, all within one deadline; a member that is no request gets an error in its place. With
/// `tells_cost` each answer says what its operation is estimated to cost.
///
/// Queries run side by side. Where a member may write, they run one after the other, in the order of the batch: what
/// it changes is then what the later ones find, and two changes of one record do not race.
pub(super) async fn run(
    service: &Service,
    rights: Rights<'_>,
    members: Vec<Value>,
    deadline: Instant,
    tells_cost: bool,
) -> Result<Vec<Ended>, Refusal> {
    let requests = join_all(members.into_iter().map(|member| request(service, member))).await;
    let answer = async |request| answer(service, rights, request, deadline, tells_cost).await;
    if requests.iter().flatten().any(may_write) {
        let mut all = Vec::with_capacity(requests.len());
        for request in requests {
            // Nothing is begun that nobody would wait for.
            let in_time = if Instant::now() < deadline { request } else { Err(too_late()) };
            all.push(answer(in_time).await);
        }
        Ok(all)
    } else {
        Ok(join_all(requests.into_iter().map(answer)).await)
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
) -> Ended {
    let began = Instant::now();
    let operations = &service.operations;
    let mut name = operations.name(request.as_ref().ok().and_then(|request| request.operation_name.as_deref()));
    let ended = match request.map(|request| prepare(&service.schema, request, false)) {
        Ok(Ok(mut prepared)) => {
            if tells_cost {
                prepared.tell_cost();
            }
            name = operations.name(prepared.name());
            service.run(prepared, rights, Arc::default(), deadline).await
        }
        Ok(Err(outcome)) => Ok(outcome),
        Err(refusal) => Err(refusal),
    };
    operations.ended(name, Transport::Batch, ending(&ended), began);
    ended
}
