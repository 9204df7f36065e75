//! Who asks, and what they may do. Knows what callers show, and neither HTTP nor GraphQL.

use std::{fmt, sync::Arc};

use crate::config::{Auth, Gateway};

pub mod keys;

use keys::KeyFile;

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
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
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
    /// As the operator named the caller's key, for the log; `None`: nobody was asked.
    pub name: Option<Arc<str>>,
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Nothing was shown that says who it is.
    Missing,
    /// What was shown is not known here.
    Unknown,
}

/// How callers show who they are.
#[derive(Debug)]
pub enum Access {
    /// They don't: everybody may do this.
    Everybody(Scopes),
    /// By a key of a file.
    ApiKeys(KeyFile),
}

impl Access {
    /// An error is a fault in the file of keys.
    pub fn new(gateway: &Gateway) -> anyhow::Result<Self> {
        Ok(match &gateway.auth {
            // Whoever can reach such a gateway is nobody's to vouch for.
            Auth::None if gateway.auth_none_anywhere => Self::Everybody([Scope::Read].into_iter().collect()),
            Auth::None => Self::Everybody(Scopes::all()),
            Auth::ApiKey(file) => Self::ApiKeys(KeyFile::new(file)?),
        })
    }

    /// Lets a caller in who shows this key, or none.
    pub fn admit(&self, api_key: Option<&[u8]>) -> Result<Caller, Denied> {
        match self {
            Self::Everybody(scopes) => Ok(Caller { scopes: *scopes, name: None }),
            Self::ApiKeys(keys) => keys.find(api_key.ok_or(Denied::Missing)?).ok_or(Denied::Unknown),
        }
    }

    /// Notices changes for as long as it is awaited; it does not end.
    pub async fn keep_up(&self) {
        match self {
            Self::Everybody(_) => std::future::pending().await,
            Self::ApiKeys(keys) => keys.keep_up().await,
        }
    }
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
