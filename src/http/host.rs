//! The check of `Host`: keeps web pages from reaching a gateway without authentication by DNS rebinding, where a page's
//! own name is made to point at this address, so that the browser takes the gateway for the page's own server.

use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{StatusCode, header::HOST, uri::Authority},
};

use super::answer::{Refusal, code};

/// Refuses with 421 a host that is not ours, and with 400 when it is not clear which host is meant. `None`: any will do.
pub(super) fn check(request: &Request, allowed: Option<&[String]>) -> Result<(), Refusal> {
    // Probes come to a pod's address.
    let Some(allowed) = allowed.filter(|_| !request.uri().path().starts_with("/health/")) else {
        return Ok(());
    };
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let host = host.filter(|_| second.is_none()).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_plainly_local) && request.uri().authority().is_none() {
        return Ok(());
    }
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

/// Whether it is what nearly every request says that comes over loopback, so that there is nothing to be taken apart.
fn is_plainly_local(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    matches!(name, "localhost" | "127.0.0.1") && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
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
