//! Entity tags: a client that kept an answer asks whether it is still the same, and gets no second copy if so. Knows
//! headers, not what the answers hold.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{self, ETAG, IF_NONE_MATCH, VARY},
    },
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::body::Frame;
use sha2::{Digest as _, Sha256};

/// Bytes of a hash that name a content: enough that no two ever meet.
const VERSION_BYTES: usize = 12;

/// A name for a content, of letters, digits, `-` and `_`: another content, another name.
pub(super) fn version_of(parts: &[&[u8]]) -> String {
    let hash = parts.iter().fold(Sha256::new(), Sha256::chain_update).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..VERSION_BYTES])
}

/// Tags the answer to a GET with its content's version. Whoever has that version already gets 304 and no body.
pub(super) fn revalidated(mut response: Response, version: &str, request: &HeaderMap) -> Response {
    // Weak, since the same tag stands for the compressed bytes and for the plain ones.
    let tag = format!("W/\"{version}\"");
    if is_listed(request, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::new(NoBody);
        for about_the_body in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH] {
            response.headers_mut().remove(about_the_body);
        }
    }
    // Said here, as a 304 has to say it, too, and nothing is left of it to compress.
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    response.headers_mut().extend(HeaderValue::try_from(tag).map(|tag| (ETAG, tag)));
    response
}

/// A body that is not there, rather than one of no bytes: axum would write down its length, and in a 304 a length is that
/// of what the client has.
struct NoBody;

impl HttpBody for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Whether `If-None-Match` lists `tag`, by the weak comparison that RFC 9110 prescribes for it.
fn is_listed(request: &HeaderMap, tag: &str) -> bool {
    words(request, &IF_NONE_MATCH).any(|listed| listed == "*" || opaque(listed) == opaque(tag))
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The comma-separated parts of every header of that name.
pub(super) fn words<'a>(request: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_may_come_in_lists() {
        let table = [
            ("W/\"v\"", true),
            ("\"v\"", true),
            ("*", true),
            ("\"a\", W/\"b\",\"v\"", true),
            ("\"a\"", false),
            ("v", false),
            ("w/\"v\"", false),
            ("W/W/\"v\"", false),
            ("\"*\"", false),
            ("", false),
        ];
        for (given, expected) in table {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(given))]);
            assert_eq!(is_listed(&headers, "W/\"v\""), expected, "{given}");
        }
        assert!(!is_listed(&HeaderMap::new(), "W/\"v\""));
    }
}
