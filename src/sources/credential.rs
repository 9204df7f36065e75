//! Whose eyes a source is read with, and what shows the source who that is.
//!
//! Knows what callers' credentials look like, and nothing of how they come here. None of it is ever written down: neither a
//! token nor its digest has a place in a log.

use std::{fmt, sync::Arc};

use ahash::RandomState;
use moka::{policy::EvictionPolicy, sync::Cache};
use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Fault, SourceError, client::Answer, write::Attempt};
use crate::domain::Source;

/// The longest credential that a caller may bring, in bytes, its scheme included.
pub const MAX_CREDENTIAL: usize = 4_096;

/// Credentials for which something is remembered beside the caches. What is remembered are hints, so that those used least
/// lately may go.
const MAX_REMEMBERED: u64 = 1_000;

/// The header in which callers bring their credential for a source, where they bring their own.
pub fn header_of(source: Source) -> &'static str {
    match source {
        Source::HautAi => "X-Haut-AI-Authorization",
        Source::BrainStem => "X-BrainSTEM-Authorization",
    }
}

/// Whose eyes a record was read with: a digest of the upstream credential. Part of every cache, flight and batch key, so
/// that what one credential was shown is never shown to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub struct CredentialId([u8; 16]);

impl CredentialId {
    /// Of one who shows nothing.
    const NOBODY: Self = Self([0; 16]);

    pub(crate) fn of(source: Source, secrets: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(source.code());
        for secret in secrets {
            hash.update((secret.len() as u64).to_be_bytes());
            hash.update(secret);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl fmt::Debug for CredentialId {
    /// A digest of a secret has no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialId(..)")
    }
}

/// With what a source is asked, and under what its answers are kept. Copies share the secret.
#[derive(Clone)]
pub struct Credential {
    pub id: CredentialId,
    shown: Shown,
}

#[derive(Clone)]
enum Shown {
    /// What the client was configured with; for a public portal, nothing.
    Own,
    /// What a caller brought.
    Brought(HeaderValue),
    /// The caller was to bring it, and did not.
    Nothing,
}

/// What a caller brought is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Credential {
    /// What the gateway itself is allowed to see.
    pub(crate) fn own(id: CredentialId) -> Self {
        Self { id, shown: Shown::Own }
    }

    /// Of a caller who brought none: the source is not asked.
    pub(crate) fn missing() -> Self {
        Self { id: CredentialId::NOBODY, shown: Shown::Nothing }
    }

    /// What a caller brought: `<scheme> <token>`, or a token for which `scheme` is meant. `place`: what of a server it is
    /// for, where one token may show different things in different places.
    pub(crate) fn brought(source: Source, place: &str, scheme: &str, given: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(given).ok().filter(|text| text.len() <= MAX_CREDENTIAL).ok_or(Malformed)?;
        let (scheme, token) = text.split_once(' ').unwrap_or((scheme, text));
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word(scheme) || !is_word(token) {
            return Err(Malformed);
        }
        let text = format!("{scheme} {token}");
        let mut shown = HeaderValue::try_from(&text).map_err(|_| Malformed)?;
        // Left out of what libraries log.
        shown.set_sensitive(true);
        Ok(Self { id: CredentialId::of(source, &[place, &text]), shown: Shown::Brought(shown) })
    }

    /// Whether the caller was to bring it, and did not.
    pub fn is_missing(&self) -> bool {
        matches!(self.shown, Shown::Nothing)
    }

    /// Whether it is what the gateway was configured with.
    pub(super) fn is_own(&self) -> bool {
        matches!(self.shown, Shown::Own)
    }

    /// The `Authorization` that a caller brought.
    pub(super) fn header(&self, of: Source) -> Result<HeaderValue, SourceError> {
        match &self.shown {
            Shown::Brought(header) => Ok(header.clone()),
            Shown::Own | Shown::Nothing => Err(SourceError { of, fault: Fault::Denied(Denied::Missing) }),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// What is wrong with the credential that a caller brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// The source does not accept it.
    Unknown,
    /// It may not do this.
    Forbidden,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the caller brought no credential for it",
            Self::Unknown => "it does not accept the caller's credential (status 401)",
            Self::Forbidden => "the caller's credential may not do this (status 403)",
        })
    }
}

/// An answer to what was asked with a caller's credential, unless it is that the credential is no good. Nothing was done
/// then.
pub(super) fn unless_denied(of: Source, answer: Answer, attempt: &Attempt) -> Result<Answer, SourceError> {
    let denied = match answer.status.as_u16() {
        401 => Denied::Unknown,
        403 => Denied::Forbidden,
        _ => return Ok(answer),
    };
    attempt.not_executed();
    Err(SourceError { of, fault: Fault::Denied(denied) })
}

/// What is remembered of a server by whom it was asked, for a bounded number of credentials.
pub(crate) struct ByCredential<T>(Cache<CredentialId, Arc<T>, RandomState>);

impl<T: Default + Send + Sync + 'static> ByCredential<T> {
    /// What is remembered for this one.
    pub(crate) fn of(&self, credential: CredentialId) -> Arc<T> {
        self.0.get_with(credential, Arc::default)
    }

    /// What is remembered for all of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<T>> {
        self.0.iter().map(|(_, remembered)| remembered)
    }
}

impl<T: Send + Sync + 'static> Default for ByCredential<T> {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MAX_REMEMBERED).eviction_policy(EvictionPolicy::lru());
        Self(cache.build_with_hasher(RandomState::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brought(given: &[u8]) -> Result<Credential, Malformed> {
        Credential::brought(Source::BrainStem, "private", "Token", given)
    }

    fn header(given: &str) -> String {
        let header = brought(given.as_bytes()).unwrap().header(Source::BrainStem).unwrap();
        assert!(header.is_sensitive());
        header.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_without_a_scheme_gets_the_configured_one() {
        assert_eq!(header("abc"), "Token abc");
        assert_eq!(header("Bearer abc"), "Bearer abc");
        assert_eq!(brought(b"abc").unwrap().id, brought(b"Token abc").unwrap().id);
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        let longest = "x".repeat(MAX_CREDENTIAL);
        assert!(brought(longest.as_bytes()).is_ok());
        let longer = format!("{longest}x");
        let table = ["", " ", "a ", " a", "a  b", "a b c", "a\tb", "a\r\nb: c", "a\u{7f}", "é", "a b\n", &longer];
        for given in table {
            assert_eq!(brought(given.as_bytes()).err(), Some(Malformed), "{given:?}");
        }
        assert!(brought(b"\xff").is_err());
    }

    #[test]
    fn other_tokens_schemes_places_and_sources_are_other_credentials() {
        let of =
            |source, place, given: &str| Credential::brought(source, place, "Bearer", given.as_bytes()).unwrap().id;
        let ids = [
            of(Source::BrainStem, "private", "a"),
            of(Source::BrainStem, "private", "b"),
            of(Source::BrainStem, "private", "Token a"),
            of(Source::BrainStem, "super", "a"),
            of(Source::HautAi, "private", "a"),
            CredentialId::NOBODY,
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[at + 1..].contains(id), "{at}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_shown() {
        let credential = brought(b"Bearer planted-secret").unwrap();
        assert_eq!(format!("{credential:?} {:?}", credential.id), "Credential(..) CredentialId(..)");
        assert!(!format!("{:?}", credential.header(Source::BrainStem)).contains("planted"));
    }

    #[test]
    fn only_so_many_credentials_are_remembered() {
        let remembered = ByCredential::<()>::default();
        for number in 0..3 * MAX_REMEMBERED {
            remembered.of(CredentialId::of(Source::BrainStem, &[&number.to_string()]));
        }
        remembered.0.run_pending_tasks();
        assert!(remembered.0.entry_count() <= MAX_REMEMBERED);
    }
}
