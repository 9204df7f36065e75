//! Callers by JWT: which tokens are good, and what they allow. Knows nothing of where the issuer's keys come from but that they
//! change (`issuer.rs`). No token is ever kept, written down or shown: what is remembered is its SHA-256.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Context as _;
use jsonwebtoken::{
    Algorithm, TokenData, Validation, decode, decode_header,
    errors::{Error, ErrorKind},
};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use self::{
    claims::Claims,
    issuer::{Issuer, Keys, Times},
    key_set::Missed,
};
use super::{Caller, Denied, Stay};
use crate::config::{JwksAt, Jwt};

mod claims;
mod fetch;
mod issuer;
mod key_set;
mod signature;

/// The longest token that is looked at.
const LONGEST: usize = 16 * 1_024;

/// Tokens that are remembered to be good.
const REMEMBERED: u64 = 10_000;

/// How long: the clock that they expire by may be set anew.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// It is no JWT, or needs something that is not known here (`crit`).
    Unreadable,
    TooLong,
    /// Signed in a way that is not in `JWT_ALGORITHMS`.
    Algorithm,
    /// Not signed by a key of the issuer's that is made for it.
    Signature,
    Expired,
    /// Before its `nbf`.
    NotYet,
    Issuer,
    Audience,
    /// `exp` or another claim that has to be there is missing or is of the wrong kind.
    Claims,
}

/// Tells good tokens from others.
pub struct Tokens {
    issuer: Arc<Issuer>,
    /// One for each algorithm that is allowed, since one is for a single family of them.
    validations: Vec<Validation>,
    leeway: Duration,
}

/// Tokens that were verified with the keys of now, by their SHA-256.
type Verified = Cache<[u8; 32], Caller>;

fn nothing_verified() -> Verified {
    Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build()
}

/// The token that is shown behind its scheme. Text of another scheme is none.
pub(super) fn bearer(shown: Option<&[u8]>) -> Result<&[u8], Denied> {
    let shown = shown.ok_or(Denied::NoToken)?;
    let end = shown.iter().position(|byte| *byte == b' ').unwrap_or(shown.len());
    let (scheme, token) = shown.split_at(end);
    match token.trim_ascii() {
        // More than one credential was shown.
        _ if shown.is_empty() => Err(Denied::BadToken(BadToken::Unreadable)),
        _ if !scheme.eq_ignore_ascii_case(b"bearer") => Err(Denied::NoToken),
        token if token.len() > LONGEST => Err(Denied::BadToken(BadToken::TooLong)),
        token => Ok(token),
    }
}

impl Tokens {
    /// An error is a fault in the file of keys, or a system without root certificates.
    pub(super) fn new(config: &Jwt) -> anyhow::Result<Self> {
        // Installed already by another gateway of this process: the same one.
        signature::BY_RING.install_default().ok();
        let known = |name: &&str| name.parse().with_context(|| format!("JWT_ALGORITHMS: `{name}`"));
        let algorithms: Vec<Algorithm> = config.algorithms.iter().map(known).collect::<anyhow::Result<_>>()?;
        let validations = algorithms.iter().map(|algorithm| validation(*algorithm, config)).collect();
        let issuer = Issuer::new(&config.keys, algorithms, Times::default())?;
        Ok(Self { issuer: Arc::new(issuer), validations, leeway: config.leeway })
    }

    /// The bearer of a token that was verified lately.
    pub(super) fn verified(&self, token: &[u8]) -> Option<Caller> {
        let caller = self.issuer.held()?.verified.get(&digest(token))?;
        matches!(caller.stay, Stay::Until(end) if end > Instant::now()).then_some(caller)
    }

    /// Verifies a token, and waits for the issuer's keys where they may tell.
    pub(super) async fn verify(&self, token: &[u8]) -> Result<Caller, Denied> {
        let header = decode_header(token).map_err(|_| Denied::BadToken(BadToken::Unreadable))?;
        if header.crit.is_some() {
            return Err(Denied::BadToken(BadToken::Unreadable));
        }
        let mut validations = self.validations.iter();
        let validation = validations.find(|validation| validation.algorithms.contains(&header.alg));
        let validation = validation.ok_or(Denied::BadToken(BadToken::Algorithm))?;
        let mut keys = self.issuer.keys().await.ok_or(Denied::CantTell)?;
        let kid = header.kid.as_deref();
        if keys.set.find(kid, header.alg).is_err_and(|missed| missed == Missed::Unknown) {
            keys = self.issuer.keys_after_another().await.ok_or(Denied::CantTell)?;
        }
        self.verify_by(&keys, kid, token, validation).map_err(Denied::BadToken)
    }

    fn verify_by(
        &self,
        keys: &Keys,
        kid: Option<&str>,
        token: &[u8],
        validation: &Validation,
    ) -> Result<Caller, BadToken> {
        let algorithm = validation.algorithms.first().copied().ok_or(BadToken::Algorithm)?;
        let key = keys.set.find(kid, algorithm).map_err(|_| BadToken::Signature)?;
        let TokenData { claims, .. } = decode::<Claims>(token, key, validation).map_err(|error| fault(&error))?;
        let stay = Stay::Until(Instant::now() + claims.left(self.leeway));
        let caller =
            Caller { scopes: claims.scopes(), name: claims.program(), identity: Some(claims.identity()), stay };
        keys.verified.insert(digest(token), caller.clone());
        Ok(caller)
    }

    /// Takes another text of the same file of keys. An error changes nothing.
    pub(super) fn reload(&self, keys: &JwksAt) -> anyhow::Result<()> {
        self.issuer.reload(keys)
    }

    pub(super) async fn keep_up(&self) {
        self.issuer.keep_up().await;
    }

    /// How many keys there are, or why none can be had.
    pub(super) async fn check(&self) -> Result<String, String> {
        self.issuer.check().await
    }
}

/// Keys and tokens have no place in a log.
impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tokens").finish_non_exhaustive()
    }
}

fn validation(algorithm: Algorithm, config: &Jwt) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&config.issuer]);
    validation.set_audience(&config.audience);
    validation.validate_nbf = true;
    validation.leeway = config.leeway.as_secs();
    validation
}

fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The library's errors quote the token.
fn fault(error: &Error) -> BadToken {
    match error.kind() {
        ErrorKind::InvalidSignature | ErrorKind::InvalidKeyFormat => BadToken::Signature,
        ErrorKind::ExpiredSignature => BadToken::Expired,
        ErrorKind::ImmatureSignature => BadToken::NotYet,
        ErrorKind::InvalidIssuer => BadToken::Issuer,
        ErrorKind::InvalidAudience => BadToken::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => BadToken::Claims,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => BadToken::Algorithm,
        _ => BadToken::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use ring::{
        rand::SystemRandom,
        signature::{Ed25519KeyPair, KeyPair as _},
    };
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        access::{Scope, Scopes},
        config::TextFile,
    };

    /// What tells good tokens, and a good one.
    fn tokens() -> (Tokens, String) {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap();
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())});
        let set = json!({"keys": [key]}).to_string();
        let keys = JwksAt::File(TextFile { path: "keys.json".into(), text: set.into() });
        let (issuer, audience) = ("i".to_owned(), vec!["a".to_owned()]);
        let tokens = Tokens::new(&Jwt { issuer, audience, keys, algorithms: vec!["EdDSA"], leeway: Duration::ZERO });
        let part = |value: Value| text(value.to_string().as_bytes());
        let claims = json!({"iss": "i", "aud": "a", "exp": 4_102_444_800_u64, "scope": "admin"});
        let message = format!("{}.{}", part(json!({"alg": "EdDSA"})), part(claims));
        (tokens.unwrap(), format!("{message}.{}", text(pair.sign(message.as_bytes()).as_ref())))
    }

    #[tokio::test]
    async fn a_token_is_remembered_until_it_ends() {
        let (tokens, token) = tokens();
        let token = token.as_bytes();
        assert!(tokens.verified(token).is_none());
        let verified = tokens.verify(token).await.unwrap();
        let remembered = tokens.verified(token).unwrap();
        assert!(remembered.scopes == verified.scopes && remembered.scopes.contains(Scope::Admin));
        assert!(tokens.verified(&token[1..]).is_none());
        let ended = Caller { scopes: Scopes::all(), name: None, identity: None, stay: Stay::Until(Instant::now()) };
        tokens.issuer.held().unwrap().verified.insert(digest(b"ended"), ended);
        assert!(tokens.verified(b"ended").is_none());
        assert!(!format!("{tokens:?}").contains("keys"));
    }
}
