//! `/graphql/ws`: operations over a WebSocket, by the graphql-transport-ws protocol. Knows nothing of the schema.
//!
//! async-graphql-axum negotiates and carries it. What it leaves out or gets wrong is set right around it: what a client may
//! send and when, with the protocol's close codes, and refusals as `error` messages (`protocol.rs`); who may connect, how
//! much, and whether anybody is still there (`carry.rs`).

use std::sync::Arc;

use async_graphql_axum::GraphQLProtocol;
use axum::{
    Extension,
    extract::{FromRequestParts as _, Request, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL},
    },
    response::Response,
};
use url::Url;

use self::carry::{Connection, close_at_once};
use super::{
    Service,
    accept::Format,
    answer::{Refusal, code},
    connections::{self, Connections},
    layers::{self, Notes},
};
use crate::access::Caller;
use protocol::Close;

mod carry;
mod protocol;

/// The one protocol that is spoken.
const PROTOCOL: &str = "graphql-transport-ws";

/// What a frame may have beyond the limit for a message, so that the limit itself is told with a reason.
const FRAME_MARGIN: usize = 65_536;

/// `GET /graphql/ws`.
pub(super) async fn upgrade(
    State(service): State<Arc<Service>>,
    Extension(notes): Extension<Notes>,
    caller: Option<Extension<Caller>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return not_a_websocket(&rejection).answer(Format::Json),
    };
    let largest = service.bounds.body_bytes().saturating_add(FRAME_MARGIN);
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(largest).max_frame_size(largest);
    let connections::Connection { peer, ending, .. } = notes.connection().clone();
    // A browser tells its page nothing of a handshake that was refused, so that both are refused after it.
    if !is_welcome(&service, request.headers()) {
        return upgrade.on_upgrade(|socket| close_at_once(socket, Close::FORBIDDEN_ORIGIN));
    }
    let credentials = match service.credentials(request.headers()) {
        Ok(credentials) => credentials,
        Err(refusal) => return refusal.answer(Format::Json),
    };
    let Some(protocol) = negotiate(request).await else {
        return upgrade.on_upgrade(|socket| close_at_once(socket, Close::NO_PROTOCOL));
    };
    let connections = &service.connections;
    let place = if caller.is_some() { connections.enter() } else { connections.enter_as_stranger() };
    let Some(place) = place else {
        service.traffic.refused.connections.inc();
        return Connections::full().answer(Format::Json);
    };
    let caller = caller.map(|Extension(caller)| caller);
    let connection = Connection { service, caller, credentials, protocol, peer, ending, place, notes };
    upgrade.on_upgrade(|socket| connection.carry(socket))
}

/// Whether the client offers the protocol. One that offers its forerunner, too, must not get that.
async fn negotiate(request: Request) -> Option<GraphQLProtocol> {
    let (mut parts, _) = request.into_parts();
    let offers = parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    if !offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == PROTOCOL) {
        return None;
    }
    parts.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    GraphQLProtocol::from_request_parts(&mut parts, &()).await.ok()
}

/// Whether the page that asks may: browsers let any page open a WebSocket to anywhere. What is no browser names no origin.
fn is_welcome(service: &Service, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    layers::allows(&service.cors_origins, origin) || is_own(origin, headers)
}

/// Whether a page of this server asks.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let Ok(url) = Url::parse(origin) else {
        return false;
    };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    url.origin().ascii_serialization() == origin && authority.is_some() && authority == host
}

fn not_a_websocket(rejection: &WebSocketUpgradeRejection) -> Refusal {
    let status = match rejection {
        WebSocketUpgradeRejection::MethodNotGet(_) | WebSocketUpgradeRejection::MethodNotConnect(_) => {
            StatusCode::METHOD_NOT_ALLOWED
        }
        WebSocketUpgradeRejection::ConnectionNotUpgradable(_) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    let message = "This address takes WebSockets with the protocol graphql-transport-ws; /graphql takes POST and GET.";
    Refusal::new(status, code::BAD_USER_INPUT, message)
}
