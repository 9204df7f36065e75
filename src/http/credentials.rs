//! The callers' own credentials for the sources (`GATEWAY_CREDENTIALS=forward`): from a request's headers, or from what a
//! WebSocket's `connection_init` shows. Where the gateway has its own, nobody looks at these.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{Service, answer::Refusal};
use crate::{
    domain::Source,
    loaders::Credentials,
    sources::{Credential, MAX_CREDENTIAL, header_of},
};

/// As HTTP has it; callers are told [`header_of`], which is the same.
const HEADERS: [(Source, HeaderName); 2] = [
    (Source::HautAi, HeaderName::from_static("x-haut-ai-authorization")),
    (Source::BrainStem, HeaderName::from_static("x-brainstem-authorization")),
];

impl Service {
    /// With what a request is carried out that has these headers.
    pub(super) fn credentials(&self, headers: &HeaderMap) -> Result<Credentials, Refusal> {
        let mut credentials = Credentials::of_service(&self.sources);
        if !self.takes_credentials {
            return Ok(credentials);
        }
        for (source, name) in HEADERS {
            let mut given = headers.get_all(name).iter().map(HeaderValue::as_bytes);
            let Some(first) = given.next() else { continue };
            if let Some(credential) = self.credential(source, first, given.next().is_none())? {
                credentials = credentials.with(source, credential);
            }
        }
        Ok(credentials)
    }

    /// The same for a WebSocket, which may show them in its handshake or in `connection_init`.
    pub(super) fn credentials_of_init(
        &self,
        mut credentials: Credentials,
        payload: &Map<String, Value>,
    ) -> Result<Credentials, Refusal> {
        for (source, name) in HEADERS.iter().filter(|_| self.takes_credentials) {
            let mut given = payload.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
            let Some((_, first)) = given.next() else { continue };
            // What is no text is no credential.
            let first = first.as_str().unwrap_or_default().as_bytes();
            let Some(credential) = self.credential(*source, first, given.next().is_none())? else { continue };
            let shown = credentials.of(*source);
            if shown.is_some_and(|shown| !shown.is_missing() && shown.id != credential.id) {
                return Err(twice(*source));
            }
            credentials = credentials.with(*source, credential);
        }
        Ok(credentials)
    }

    /// `None`: callers bring none for this source.
    fn credential(&self, source: Source, given: &[u8], is_only: bool) -> Result<Option<Credential>, Refusal> {
        match self.sources.credential_of(source, given) {
            Some(_) if !is_only => Err(twice(source)),
            Some(Ok(credential)) => Ok(Some(credential)),
            // In so many words: a WebSocket's close frame has room for 123 bytes.
            Some(Err(_)) => Err(Refusal::bad_input(format!(
                "`{}` is no credential: expected `<scheme> <token>` or a token, in ASCII, at most {MAX_CREDENTIAL} bytes.",
                header_of(source)
            ))),
            None => Ok(None),
        }
    }
}

fn twice(source: Source) -> Refusal {
    Refusal::bad_input(format!("`{}` is there twice: expected one.", header_of(source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_called_as_callers_are_told() {
        for (source, name) in HEADERS {
            assert_eq!(name.as_str(), header_of(source).to_ascii_lowercase());
        }
    }
}
