//! The check of `Host`: keeps web pages from reaching a gateway without authentication by DNS rebinding, where a page's
//! own name is made to point at this address, so that the browser takes the gateway for the page's own server.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header::HOST, uri::Authority},
    middleware::Next,
    response::Response,
};

use super::{
    accept::Format,
    answer::{Refusal, code},
};

/// Answers 421 to a host that is not ours, and 400 when it is not clear which host is meant. `None`: any will do.
pub(super) async fn check(State(allowed): State<Option<Arc<[String]>>>, request: Request, next: Next) -> Response {
    // Probes come to a pod's address.
    let allowed = allowed.filter(|_| !request.uri().path().starts_with("/health/"));
    match allowed.map_or(Ok(()), |allowed| verdict(&request, &allowed)) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.answer(Format::Json),
    }
}

fn verdict(request: &Request, allowed: &[String]) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let host = host.filter(|_| second.is_none()).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let Some(host) = host else {
        return Err(Refusal::bad_input("A request needs one valid `Host` header."));
    };
    // An absolute target takes precedence over the header; either could be the foreign one.
    let named = [Some(&host), request.uri().authority()];
    if named.into_iter().flatten().all(|authority| is_ours(authority, allowed)) {
        Ok(())
    } else {
        let message = "This gateway does not serve that host; GATEWAY_ALLOWED_HOSTS names those it serves.";
        Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, code::FORBIDDEN, message))
    }
}

fn is_ours(authority: &Authority, allowed: &[String]) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || allowed.contains(&address.to_string()),
        Err(_) => host == "localhost" || allowed.contains(&host),
    }
}
