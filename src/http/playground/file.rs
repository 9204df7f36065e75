//! A file that never changes while the gateway runs: caching, revalidation and compression.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
};

use crate::http::revalidation::{revalidated, version_of, words};

/// Bytes in memory, with what a browser needs to know about them.
#[derive(Clone)]
pub(super) struct File {
    pub(super) name: &'static str,
    media_type: &'static str,
    /// Names the content: another content, another version.
    version: String,
    plain: Bytes,
    gzip: Option<Bytes>,
}

impl File {
    /// One of the build's files; `hash` names its content.
    pub(super) fn embedded(name: &'static str, bytes: super::Bytes, hash: &str) -> Self {
        Self {
            name,
            media_type: super::media_type(name),
            // Letters and digits alone, so that an address can hold it.
            version: hash.trim_start_matches("sha384-").chars().filter(char::is_ascii_alphanumeric).take(16).collect(),
            plain: Bytes::from_static(bytes.plain),
            gzip: Some(Bytes::from_static(bytes.gzip)),
        }
    }

    /// A text that was put together at the start; compressing it is left to the server's layers.
    pub(super) fn of_text(name: &'static str, media_type: &'static str, text: String) -> Self {
        Self { name, media_type, version: version_of(&[text.as_bytes()]), plain: Bytes::from(text), gzip: None }
    }

    /// Its address beside the page, which changes with its content.
    pub(super) fn address(&self) -> String {
        format!("graphiql/{}?v={}", self.name, self.version)
    }

    /// The answer to a GET.
    pub(super) fn respond(&self, uri: &Uri, request: &HeaderMap) -> Response {
        let is_current = uri.query().and_then(|query| query.strip_prefix("v=")) == Some(&self.version);
        let lifetime = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
        let gzip = self.gzip.as_ref().filter(|_| accepts_gzip(request));

        let mut response = Response::new(Body::from(gzip.unwrap_or(&self.plain).clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        if gzip.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        revalidated(response, &self.version, request)
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.plain.to_vec()).unwrap()
    }
}

/// Whether `Accept-Encoding` lists gzip, or anything, with a weight other than 0.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let weight_of = |name: &str| {
        words(request, &header::ACCEPT_ENCODING).find_map(|coding| {
            let (coding, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = parameters.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok());
            coding.trim().eq_ignore_ascii_case(name).then_some(weight.unwrap_or(1.0_f32))
        })
    };
    weight_of("gzip").or_else(|| weight_of("*")).is_some_and(|weight| weight > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, expected) in [
            ("gzip", true),
            ("br, gzip", true),
            ("GZIP;q=0.5", true),
            ("*", true),
            ("gzip; q=0, *", false),
            ("br", false),
            ("", false),
        ] {
            let mut request = HeaderMap::new();
            request.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(accepts_gzip(&request), expected, "{accepted}");
        }
    }
}
