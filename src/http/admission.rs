//! How callers show who they are over HTTP, and how those are told who are not let in. Knows nothing of how it is checked.

use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{AUTHORIZATION, WWW_AUTHENTICATE},
    },
    response::Response,
};

use super::{
    accept::{Format, negotiate},
    answer::{Refusal, code},
    layers,
};
use crate::{
    access::{Denied, jwt::BadToken},
    config::Auth,
};

/// Where callers show what they are let in by; over a WebSocket, in `connection_init`, too.
pub(super) fn header(auth: &Auth) -> HeaderName {
    match auth {
        Auth::None | Auth::ApiKey(_) => HeaderName::from_static("x-api-key"),
        Auth::Jwt(_) => AUTHORIZATION,
    }
}

/// What these headers show.
pub(super) fn shown<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter();
    let (first, second) = (all.next(), all.next());
    // Of two neither counts.
    if second.is_none() { first.map(HeaderValue::as_bytes) } else { Some(b"") }
}

/// Probes and pages: nothing of the sources' is behind them.
pub(super) fn is_for_everybody(path: &str) -> bool {
    let is_below =
        |parent: &str| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == "/" || ["/health", "/graphiql"].into_iter().any(is_below)
}

/// Tells somebody who is not let in why, and how to ask.
pub(super) fn turn_away(denied: Denied, headers: &HeaderMap) -> Response {
    let mut response = refuse(refusal(denied), headers);
    let challenge = match denied {
        Denied::NoKey | Denied::UnknownKey => "ApiKey",
        Denied::NoToken => "Bearer",
        Denied::BadToken(_) => "Bearer error=\"invalid_token\"",
        Denied::CantTell => return response,
    };
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// In the format that they ask for.
pub(super) fn refuse(refusal: Refusal, headers: &HeaderMap) -> Response {
    let mut response = refusal.answer(negotiate(headers).unwrap_or(Format::Json));
    layers::varies_by_accept(&mut response);
    response
}

fn refusal(denied: Denied) -> Refusal {
    let message = match denied {
        Denied::NoKey => "Nothing says who asks: expected an API key in `X-API-Key`.",
        Denied::UnknownKey => "`X-API-Key` has no key that is known here.",
        Denied::NoToken => "Nothing says who asks: expected a token in `Authorization: Bearer`.",
        Denied::BadToken(fault) => words(fault),
        Denied::CantTell => {
            let message = "Whether the token is good can't be told at present: the keys of its issuer could not be had. Try again.";
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, code::UPSTREAM_UNAVAILABLE, message);
            return Refusal { retry_after: Some(5), ..refusal };
        }
    };
    Refusal::new(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, message)
}

/// What a caller may want to know; nothing of what would be good in its place.
fn words(fault: BadToken) -> &'static str {
    match fault {
        BadToken::Unreadable => {
            "`Authorization` has no token that can be read here: expected `Bearer`, and one signed JWT."
        }
        BadToken::TooLong => "The token is too long: expected at most 16 KiB.",
        BadToken::Algorithm => "The token is signed in a way that is not allowed here.",
        BadToken::Signature => "The token is not signed by a key of the issuer's.",
        BadToken::Expired => "The token has expired.",
        BadToken::NotYet => "The token is not good yet.",
        BadToken::Issuer => "The token is of another issuer.",
        BadToken::Audience => "The token is for another audience.",
        BadToken::Claims => "The token lacks a claim that it needs: `iss`, `aud` and `exp`.",
    }
}
