//! The session of a login that all replicas use: one gets it, and the others take what it got.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::Session;
use crate::{
    config,
    replicas::{Name, Replicas},
};

/// How long another replica may take for a login.
const OTHERS_LOGIN: Duration = Duration::from_secs(5);
/// How often it is looked whether it has one.
const LOOK: Duration = Duration::from_millis(50);

/// The session that all replicas use.
pub(super) struct Shared {
    replicas: Arc<Replicas>,
    name: Name,
}

/// What the others have.
pub(super) enum SharedSession {
    Found(Session),
    /// Nothing, and this replica is the one to renew it.
    Mine,
    /// Nobody knows.
    Unknown,
}

/// A session as it is written down for others.
#[derive(Deserialize, Serialize)]
struct Portable {
    authorization: String,
    refresh_token: Option<String>,
    company: Option<Uuid>,
    /// Milliseconds since 1970.
    renew_at: i64,
}

impl Shared {
    pub(super) fn new(
        replicas: Arc<Replicas>,
        config: &config::HautAi,
        username: &SecretString,
        password: &SecretString,
    ) -> Self {
        let words = [config.url.as_str(), username.expose_secret(), password.expose_secret()];
        let name = replicas.name(&words.map(str::as_bytes));
        Self { replicas, name }
    }

    /// Another session than the rejected one; else whether this replica is to get one. Waits while another one does.
    pub(super) async fn session_or_claim(&self, rejected: Option<&HeaderValue>) -> SharedSession {
        let give_up = Instant::now() + OTHERS_LOGIN;
        loop {
            if let Some(session) = self.session().await.filter(|session| rejected != Some(&session.authorization)) {
                return SharedSession::Found(session);
            }
            match self.replicas.claim("login-claim", self.name, OTHERS_LOGIN).await {
                Ok(true) => {
                    // Another one may have got it since.
                    let other = self.session().await.filter(|session| rejected != Some(&session.authorization));
                    let Some(session) = other else { return SharedSession::Mine };
                    self.release().await;
                    return SharedSession::Found(session);
                }
                Ok(false) if Instant::now() < give_up => sleep(LOOK).await,
                Ok(false) | Err(_) => return SharedSession::Unknown,
            }
        }
    }

    async fn session(&self) -> Option<Session> {
        let found: Portable = rmp_serde::from_slice(&self.replicas.get("login", self.name).await?).ok()?;
        let left = u64::try_from(found.renew_at - Timestamp::now().as_millisecond()).ok().filter(|left| *left > 0)?;
        let mut authorization = HeaderValue::try_from(found.authorization).ok()?;
        authorization.set_sensitive(true);
        Some(Session {
            authorization,
            refresh_token: found.refresh_token.map(SecretString::from),
            company: found.company,
            renew_at: Instant::now() + Duration::from_millis(left),
        })
    }

    pub(super) async fn publish(&self, session: &Session) {
        let left = session.renew_at.saturating_duration_since(Instant::now());
        let renew_at = Timestamp::now().as_millisecond() + i64::try_from(left.as_millis()).unwrap_or(i64::MAX / 2);
        let portable = Portable {
            authorization: session.authorization.to_str().unwrap_or_default().to_owned(),
            refresh_token: session.refresh_token.as_ref().map(|token| token.expose_secret().to_owned()),
            company: session.company,
            renew_at,
        };
        self.replicas.set("login", self.name, &rmp_serde::to_vec(&portable).unwrap_or_default(), left).await;
    }

    pub(super) async fn release(&self) {
        self.replicas.release("login-claim", self.name).await;
    }
}
