//! Who asks, and what they may do. Knows what callers show, and neither how they ask nor GraphQL.

use std::{fmt, sync::Arc, time::Duration};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep_until};

use crate::config::{Auth, Gateway};

mod file;
pub mod jwt;
pub mod keys;

use jwt::{BadToken, Tokens};
use keys::{KeyFile, KeyHash};

/// Something that a caller may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Read records.
    Read,
    /// Create and update.
    Write,
    /// Delete and clear.
    Erase,
    /// Look after the gateway: purge, fresh reads, metrics.
    Admin,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Erase, Self::Admin];

    /// The name by which it is granted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "subjects:read",
            Self::Write => "subjects:write",
            Self::Erase => "subjects:erase",
            Self::Admin => "admin",
        }
    }

    /// The scope of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// What a caller may do. None of them includes another.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything.
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    pub fn contains(self, scope: Scope) -> bool {
        self.0 & bit(scope) != 0
    }
}

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | bit(scope)))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let granted = Scope::ALL.into_iter().filter(|scope| self.contains(*scope));
        formatter.debug_set().entries(granted.map(Scope::name)).finish()
    }
}

/// A caller who was let in.
#[derive(Clone, Debug)]
pub struct Caller {
    pub scopes: Scopes,
    /// As the operator named the caller's key, or as the issuer calls the program that asks; for the log. `None`: nobody was
    /// asked, or the token names no program.
    pub name: Option<Arc<str>>,
    /// Who it is, to be told from others within this process. `None`: nobody was asked.
    pub identity: Option<Identity>,
    /// For how long a connection of this caller's may stay.
    pub stay: Stay,
}

/// A number for a caller, the same on all replicas. It stands for a digest, so that whoever chooses a name can't choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity(u64);

impl Identity {
    fn of<'a>(who: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut hash = Sha256::new();
        for part in who {
            hash.update(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            hash.update(part.unwrap_or_default());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [first, ..] = digest.as_chunks::<8>().0 else { unreachable!("a digest has 32 bytes") };
        Self(u64::from_be_bytes(*first))
    }

    /// For a name under which something of the caller's is counted.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// For how long what a caller showed is good.
#[derive(Clone, Copy, Debug)]
pub enum Stay {
    /// Nothing was shown.
    ForEver,
    /// Until the token expires.
    Until(Instant),
    /// While the key is in the file, with the same scopes.
    WhileKnown(KeyHash),
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No API key was shown.
    NoKey,
    /// What was shown is no key that is known here.
    UnknownKey,
    /// No token was shown.
    NoToken,
    /// The token that was shown is not good.
    BadToken(BadToken),
    /// Whether the token is good can't be told: the issuer's keys could not be had.
    CantTell,
}

impl Denied {
    /// Whether nothing was shown that says who it is.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::NoKey | Self::NoToken)
    }
}

/// What `subject-gateway check` found.
pub struct Checked {
    /// What was there, in words for the operator, or what was wrong.
    pub outcome: Result<String, String>,
    pub took: Duration,
}

/// How callers show who they are.
#[derive(Debug)]
pub enum Access {
    /// They don't: everybody may do this.
    Everybody(Scopes),
    /// By a key of a file.
    ApiKeys(KeyFile),
    /// By a token.
    Tokens(Box<Tokens>),
}

impl Access {
    /// An error is a fault in a file of keys, or a system without root certificates.
    pub fn new(gateway: &Gateway) -> anyhow::Result<Self> {
        Ok(match &gateway.auth {
            // Whoever can reach such a gateway is nobody's to vouch for.
            Auth::None if gateway.auth_none_anywhere => Self::Everybody([Scope::Read].into_iter().collect()),
            Auth::None => Self::Everybody(Scopes::all()),
            Auth::ApiKey(file) => Self::ApiKeys(KeyFile::new(file)?),
            Auth::Jwt(jwt) => Self::Tokens(Box::new(Tokens::new(jwt)?)),
        })
    }

    /// Lets a caller in who shows this, or nothing: an API key, or a scheme and a token.
    pub async fn admit(&self, shown: Option<&[u8]>) -> Result<Caller, Denied> {
        match self {
            Self::Everybody(scopes) => Ok(Caller { scopes: *scopes, name: None, identity: None, stay: Stay::ForEver }),
            Self::ApiKeys(keys) => keys.find(shown.ok_or(Denied::NoKey)?).ok_or(Denied::UnknownKey),
            Self::Tokens(tokens) => {
                let token = jwt::bearer(shown)?;
                match tokens.verified(token) {
                    Some(caller) => Ok(caller),
                    // Boxed, so that nobody else carries the room that it takes.
                    None => Box::pin(tokens.verify(token)).await,
                }
            }
        }
    }

    /// Ends when what the caller showed is no longer good, while [`Self::keep_up`] is awaited.
    pub async fn outlived(&self, caller: &Caller) {
        match (self, caller.stay) {
            (_, Stay::Until(end)) => sleep_until(end).await,
            (Self::ApiKeys(keys), Stay::WhileKnown(hash)) => keys.taken_out(hash, caller.scopes).await,
            _ => std::future::pending().await,
        }
    }

    /// Takes over what the files of keys hold now, where callers show who they are as before. An error changes nothing.
    pub fn reload(&self, gateway: &Gateway) -> anyhow::Result<()> {
        match (self, &gateway.auth) {
            (Self::ApiKeys(keys), Auth::ApiKey(file)) => keys.reload(file),
            (Self::Tokens(tokens), Auth::Jwt(jwt)) => tokens.reload(&jwt.keys),
            _ => Ok(()),
        }
    }

    /// Notices changes for as long as it is awaited; it does not end.
    pub async fn keep_up(&self) {
        match self {
            Self::Everybody(_) => std::future::pending().await,
            Self::ApiKeys(keys) => keys.keep_up().await,
            Self::Tokens(tokens) => tokens.keep_up().await,
        }
    }

    /// Reaches for what callers are checked by, once; `None`: there is nothing to be reached.
    pub async fn check(&self) -> Option<Checked> {
        let Self::Tokens(tokens) = self else {
            return None;
        };
        let began = Instant::now();
        let outcome = tokens.check().await;
        Some(Checked { outcome, took: began.elapsed() })
    }
}

/// Whether it is fit for a log: 1 to 64 letters, digits, `-`, `_` or `.`.
fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_includes_no_other() {
        for scope in Scope::ALL {
            let alone: Scopes = [scope].into_iter().collect();
            let contained: Vec<Scope> = Scope::ALL.into_iter().filter(|other| alone.contains(*other)).collect();
            assert_eq!(contained, [scope]);
            assert_eq!(Scope::named(scope.name()), Some(scope));
        }
        assert!(Scope::ALL.into_iter().all(|scope| Scopes::all().contains(scope)));
        assert!(!Scope::ALL.into_iter().any(|scope| Scopes::default().contains(scope)));
    }
}
