//! Logins by password: opaque access and refresh tokens.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::json;
use uuid::Uuid;

use super::super::{
    COMPANY_ID, HAUT_AI_MFA_USERNAME, HAUT_AI_PASSWORD, HAUT_AI_USERNAME,
    exchange::{Answer, Request},
};

const USER_ID: &str = "9b2d7c64-0f3e-4a1b-8c5d-6e7f80912a3b";

/// How long an access token is valid.
const ACCESS_LIFE: Duration = Duration::from_secs(3600);
/// Within what time logins are counted.
const LIMIT_WINDOW: Duration = Duration::from_secs(60);

/// The tokens handed out so far.
#[derive(Default)]
pub(in super::super) struct Logins {
    /// When each access token was issued.
    access: HashMap<String, Instant>,
    refresh: Vec<String>,
    /// When logins were tried, whatever came of it.
    tries: Vec<Instant>,
}

impl Logins {
    pub(in super::super) fn expire_access(&mut self) {
        self.access.clear();
    }

    pub(in super::super) fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
    }

    pub(super) fn user_of(&self, token: &str) -> Option<&'static str> {
        let issued = self.access.get(token)?;
        (issued.elapsed() < ACCESS_LIFE).then_some(USER_ID)
    }

    pub(super) fn login(&mut self, request: &Request, limit: Option<usize>) -> Answer {
        let now = Instant::now();
        self.tries.retain(|at| now.duration_since(*at) < LIMIT_WINDOW);
        if limit.is_some_and(|limit| self.tries.len() >= limit) {
            let message = "Request was throttled. Expected available in 42 seconds.";
            return Answer::detail(429, message).with_header("retry-after", "42");
        }
        self.tries.push(now);
        let body = match request.object() {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        for field in ["username", "password"] {
            if body.get(field).and_then(|value| value.as_str()).is_none() {
                return Answer::field_error(field, "This field is required.");
            }
        }
        let known = body["username"] == HAUT_AI_USERNAME || body["username"] == HAUT_AI_MFA_USERNAME;
        if !known || body["password"] != HAUT_AI_PASSWORD {
            let message = "No active account found with the given credentials";
            return Answer::detail(401, message);
        }
        if body["username"] == HAUT_AI_MFA_USERNAME {
            return Answer::field_error("non_field_errors", "A one-time code is required.");
        }
        let access = self.issue();
        let refresh = token();
        self.refresh.push(refresh.clone());
        Answer::json(
            200,
            &json!({
                "id": USER_ID,
                "email": HAUT_AI_USERNAME,
                "username": HAUT_AI_USERNAME,
                "company_id": COMPANY_ID,
                "token_access": access,
                "access_token": access,
                "refresh_token": refresh,
                "is_verified": true,
                "profile": { "first_name": "Zoë", "last_name": "Backend", "language": null },
            }),
        )
    }

    pub(super) fn refresh(&mut self, request: &Request) -> Answer {
        let body = match request.object() {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let Some(given) = body.get("refresh_token").and_then(|value| value.as_str()) else {
            return Answer::field_error("refresh_token", "This field is required.");
        };
        if !self.refresh.iter().any(|known| known == given) {
            return Answer::detail(401, "Token is invalid or expired");
        }
        let access = self.issue();
        Answer::json(200, &json!({ "access_token": access, "token_access": access }))
    }

    fn issue(&mut self) -> String {
        let access = token();
        self.access.insert(access.clone(), Instant::now());
        access
    }
}

/// Means nothing to whoever holds it.
fn token() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
