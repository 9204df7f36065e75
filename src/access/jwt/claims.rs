//! What a token says: scopes, the program that asks, when it ends. What is of another kind than expected says nothing.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::access::{Identity, Scope, Scopes, is_name};

/// Nothing waits for longer: clocks can't count to where some tokens end.
const LONGEST_STAY: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The claims that are of interest here. `iss`, `aud`, `exp` and `nbf` were checked before. Whom the token is about (`sub`) is
/// not kept: it may be a person's address.
#[derive(Deserialize)]
pub(super) struct Claims {
    exp: f64,
    #[serde(default)]
    sub: Words,
    #[serde(default)]
    scope: Words,
    #[serde(default)]
    scp: Words,
    #[serde(default)]
    roles: Words,
    #[serde(default)]
    azp: Words,
    #[serde(default)]
    client_id: Words,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<Value>),
    Other(IgnoredAny),
}

impl Default for Words {
    fn default() -> Self {
        Self::Other(IgnoredAny)
    }
}

impl Words {
    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Text(text) => Box::new(text.split(' ')),
            Self::List(list) => Box::new(list.iter().filter_map(Value::as_str)),
            Self::Other(_) => Box::new(std::iter::empty()),
        }
    }
}

impl Claims {
    /// Those of ours that are in `scope`, `scp` or `roles`: issuers differ in where they write them.
    pub(super) fn scopes(&self) -> Scopes {
        [&self.scope, &self.scp, &self.roles].into_iter().flat_map(Words::iter).filter_map(Scope::named).collect()
    }

    /// Whoever the token is about, by way of the program that asks.
    pub(super) fn identity(&self) -> Identity {
        Identity::of([&self.sub, &self.azp, &self.client_id].map(Words::text))
    }

    /// The program that asks, if its name is fit for a log.
    pub(super) fn program(&self) -> Option<Arc<str>> {
        let name = |words: &Words| match words {
            Words::Text(name) if is_name(name) => Some(name.as_str().into()),
            _ => None,
        };
        name(&self.azp).or_else(|| name(&self.client_id))
    }

    /// How long the token is still good, where clocks may differ so much.
    pub(super) fn left(&self, leeway: Duration) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = self.exp + leeway.as_secs_f64() - now.as_secs_f64();
        Duration::from_secs_f64(left.clamp(0.0, LONGEST_STAY.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(mut claims: Value) -> Claims {
        claims["exp"] = json!(1e300);
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn scopes_come_from_wherever_issuers_write_them() {
        let all = json!(["subjects:read", 7, null, "admin", "Admin", "subjects"]);
        let table = [
            (json!({"scope": "openid subjects:read  admin"}), vec![Scope::Read, Scope::Admin]),
            (json!({"scope": all}), vec![Scope::Read, Scope::Admin]),
            (json!({"scp": "subjects:write"}), vec![Scope::Write]),
            (json!({"scp": ["subjects:write"]}), vec![Scope::Write]),
            (json!({"roles": ["subjects:erase", "user"]}), vec![Scope::Erase]),
            (
                json!({"scope": "subjects:read", "scp": "subjects:write", "roles": ["subjects:erase"]}),
                vec![Scope::Read, Scope::Write, Scope::Erase],
            ),
            (json!({"scope": "SUBJECTS:READ subjects:read,admin subjects:*"}), vec![]),
            (json!({"scope": null, "scp": {"subjects:read": true}, "roles": 1}), vec![]),
            (json!({"permissions": ["subjects:read"]}), vec![]),
            (json!({}), vec![]),
        ];
        for (given, expected) in table {
            assert_eq!(claims(given.clone()).scopes(), expected.into_iter().collect(), "{given}");
        }
    }

    #[test]
    fn only_a_programs_name_is_taken_for_the_log() {
        let name = |given: Value| claims(given).program().map(|name| name.to_string());
        assert_eq!(name(json!({"azp": "web-app", "client_id": "other"})).as_deref(), Some("web-app"));
        assert_eq!(name(json!({"client_id": "0oa1.b_c"})).as_deref(), Some("0oa1.b_c"));
        assert_eq!(name(json!({"azp": "ada@example.org", "client_id": "lab"})).as_deref(), Some("lab"));
        for nameless in
            [json!({"sub": "ada"}), json!({"azp": "x".repeat(65)}), json!({"azp": ["web"]}), json!({"azp": "a b"})]
        {
            assert_eq!(name(nameless), None);
        }
    }

    #[test]
    fn no_end_is_too_far_away_or_in_the_past() {
        let mut claims = claims(json!({}));
        assert_eq!(claims.left(Duration::ZERO), LONGEST_STAY);
        claims.exp = -1e300;
        assert_eq!(claims.left(Duration::ZERO), Duration::ZERO);
    }
}
