//! `POST /admin/purge`: an operator, or a program that hears of changes, says what changed upstream without the gateway.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Request, State},
    http::header::CACHE_CONTROL,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{Service, accept::Format, answer::Refusal};
use crate::{
    access::Scopes,
    cache::Purge,
    domain::{NodeId, Source},
};

/// What a body says: one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    ids: Option<Vec<String>>,
    source: Option<String>,
}

/// `POST /admin/purge`: forgets, tells those who subscribed, and answers with how many records were forgotten.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    Extension(scopes): Extension<Scopes>,
    request: Request,
) -> Response {
    if let Some(refusal) = Service::refuse_unless_admin(scopes) {
        return refusal.answer(Format::Json);
    }
    let body = service.read_body(request).await;
    match body.and_then(|body| read(&body)) {
        Ok(purge) => {
            let forgotten = service.sources.purge(&purge).await;
            tracing::info!(forgotten, "purged");
            ([(CACHE_CONTROL, "no-store")], Json(json!({"forgotten": forgotten}))).into_response()
        }
        Err(refusal) => refusal.answer(Format::Json),
    }
}

fn read(body: &Bytes) -> Result<Purge, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Body { ids: Some(ids), source: None }) => Ok(Purge::Nodes(nodes(&ids)?)),
        Ok(Body { ids: None, source: Some(source) }) => {
            match [Source::HautAi, Source::BrainStem].into_iter().find(|known| known.code() == source) {
                Some(source) => Ok(Purge::Source(source)),
                None => Err(Refusal::bad_input("`source` is not a source: expected \"HAUT_AI\" or \"BRAINSTEM\".")),
            }
        }
        _ => {
            let message = "Expected {\"ids\": [\u{2026}]}, with `id`s that this gateway returned, or {\"source\": \"HAUT_AI\"} or \
                           {\"source\": \"BRAINSTEM\"}.";
            Err(Refusal::bad_input(message))
        }
    }
}

fn nodes(ids: &[String]) -> Result<Vec<NodeId>, Refusal> {
    let read = |(at, id): (usize, &String)| {
        NodeId::decode(id).map_err(|_| {
            let message =
                format!("`ids[{at}]` is not an id of this gateway: expected the `id` of an object it returned.");
            Refusal::bad_input(message)
        })
    };
    ids.iter().enumerate().map(read).collect()
}
