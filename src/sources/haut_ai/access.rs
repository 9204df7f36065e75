//! Showing Haut.AI who asks: a private token, a login whose token is shared and renewed, or what the caller brought.
//!
//! Logging in often is rate limited, so one flight at a time does it, everybody uses its token, it is renewed before it
//! expires, and a login that failed is not tried again at once.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{Method, header::HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::Url;
use uuid::Uuid;

use super::{HautAi, error, parse_owned};
use crate::{
    config::{self, HautAiAccess},
    domain::Source,
    replicas::Replicas,
    sources::{
        Credential, CredentialId, Fault, SourceError, accept,
        client::{Answer, Request},
        credential::unless_denied,
        wire::Text,
        write::Attempt,
    },
};

mod shared;

use shared::{Shared, SharedSession};

/// How long a refused login is not repeated, unless the server names a time of its own.
const LOGIN_PAUSE: Duration = Duration::from_secs(10);
/// The server may name a longer time; it may also name nonsense.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// What a token is shown with.
pub(super) const SCHEME: &str = "Bearer";

pub(super) enum Access {
    Token(HeaderValue),
    Login(Box<Login>),
    /// Callers bring their own.
    Forward,
}

pub(super) struct Login {
    username: SecretString,
    password: SecretString,
    refresh_after: Duration,
    /// The newest session; locked for a moment only.
    current: std::sync::Mutex<Option<Arc<Session>>>,
    /// Held while a session is renewed: whoever needs the new one waits here, and finds why there is none.
    renewal: Mutex<Option<Failure>>,
    /// `None`: no other replica logs in.
    shared: Option<Shared>,
}

/// A login that failed.
struct Failure {
    at: Instant,
    /// Not tried again before.
    until: Instant,
    error: SourceError,
}

#[derive(Clone)]
struct Session {
    authorization: HeaderValue,
    refresh_token: Option<SecretString>,
    company: Option<Uuid>,
    renew_at: Instant,
}

/// The documented answer names the token twice; which of the two stays is not said.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tokens {
    access_token: Text,
    token_access: Text,
    access: Text,
    refresh_token: Text,
    company_id: Text,
}

pub(super) fn credential(config: &config::HautAi) -> Credential {
    let own = |secrets: &[&str]| Credential::own(CredentialId::of(Source::HautAi, secrets));
    match &config.access {
        HautAiAccess::Token(token) => own(&[token.expose_secret()]),
        HautAiAccess::Login { username, password } => own(&[username.expose_secret(), password.expose_secret()]),
        HautAiAccess::Forward => Credential::missing(),
    }
}

impl Access {
    pub(super) fn new(config: &config::HautAi, replicas: Option<Arc<Replicas>>) -> anyhow::Result<Self> {
        Ok(match &config.access {
            HautAiAccess::Token(token) => Self::Token(
                bearer(token.expose_secret()).context("HAUT_AI_TOKEN holds characters that no HTTP header can")?,
            ),
            HautAiAccess::Login { username, password } => Self::Login(Box::new(Login {
                username: username.clone(),
                password: password.clone(),
                refresh_after: config.refresh_after,
                current: std::sync::Mutex::default(),
                renewal: Mutex::default(),
                shared: replicas.map(|replicas| Shared::new(replicas, config, username, password)),
            })),
            HautAiAccess::Forward => Self::Forward,
        })
    }

    pub(super) fn takes_credentials(&self) -> bool {
        matches!(self, Self::Forward)
    }

    /// The company that the login belongs to.
    pub(super) async fn company(&self, source: &HautAi) -> Result<Uuid, SourceError> {
        let told = match self {
            Self::Token(_) | Self::Forward => None,
            Self::Login(login) => login.session(source, None).await?.company,
        };
        told.ok_or_else(|| error(Fault::Invalid("the login names no company; set HAUT_AI_COMPANY_ID")))
    }

    /// Sends a read.
    pub(super) async fn send(
        &self,
        source: &HautAi,
        credential: &Credential,
        url: &Url,
    ) -> Result<Answer, SourceError> {
        self.send_noting(source, credential, Request::get(url.clone(), None), &Attempt::default()).await
    }

    /// Sends any request, and notes whether the server may have acted on it. A 401 under a login means that the token has
    /// expired early and that nothing was done: one new login, one more try.
    pub(super) async fn send_noting(
        &self,
        source: &HautAi,
        credential: &Credential,
        mut request: Request,
        attempt: &Attempt,
    ) -> Result<Answer, SourceError> {
        let login = match self {
            // The gateway's own is for nobody who was to bring one.
            Self::Token(token) if credential.is_own() => {
                request.authorization = Some(token.clone());
                return source.client.send_noting(&request, attempt).await;
            }
            Self::Login(login) if credential.is_own() => login,
            Self::Token(_) | Self::Login(_) | Self::Forward => {
                request.authorization = Some(credential.header(Source::HautAi)?);
                let answer = source.client.send_noting(&request, attempt).await?;
                return unless_denied(Source::HautAi, answer, attempt);
            }
        };
        let mut rejected: Option<HeaderValue> = None;
        // The second one may be what another replica left; after that it is this one's own.
        let mut tries = if login.shared.is_some() { 3 } else { 2 };
        loop {
            let token = login.session(source, rejected.as_ref()).await?.authorization.clone();
            request.authorization = Some(token.clone());
            let answer = source.client.send_noting(&request, attempt).await?;
            tries -= 1;
            if answer.status.as_u16() != 401 {
                return Ok(answer);
            }
            if tries == 0 {
                login.give_up().await;
                return Ok(answer);
            }
            attempt.not_executed();
            rejected = Some(token);
        }
    }
}

impl Login {
    /// A session that is not the `rejected` one, renewed first where it is too old.
    async fn session(&self, source: &HautAi, rejected: Option<&HeaderValue>) -> Result<Arc<Session>, SourceError> {
        let asked = Instant::now();
        let usable = || self.current().filter(|session| rejected != Some(&session.authorization));
        let fresh = || usable().filter(|session| Instant::now() < session.renew_at);
        if let Some(session) = fresh() {
            return Ok(session);
        }
        let mut renewal = match (self.renewal.try_lock(), usable()) {
            (Ok(renewal), _) => renewal,
            // Old, but not known to have expired: it does while somebody else renews it.
            (Err(_), Some(session)) => return Ok(session),
            (Err(_), None) => self.renewal.lock().await,
        };
        if let Some(session) = fresh() {
            return Ok(session);
        }
        // Whoever waited while a login failed shares its failure: they would try one after the other.
        if let Some(failure) = &*renewal
            && (asked <= failure.at || Instant::now() < failure.until)
        {
            return Err(failure.error.clone());
        }
        let old = usable();
        // Boxed: it is rare, and every read would carry its weight.
        let (at, error) = match Box::pin(self.renew_for_all(source, old.as_deref(), rejected)).await {
            Ok(session) => {
                *renewal = None;
                return Ok(self.keep(session));
            }
            Err(error) => (Instant::now(), error),
        };
        let pause = pause(&error);
        if let Some(old) = old {
            // It goes on until the server rejects it.
            return Ok(self.keep(Session { renew_at: at + pause.max(LOGIN_PAUSE), ..(*old).clone() }));
        }
        *renewal = Some(Failure { at, until: at + pause, error: error.clone() });
        Err(error)
    }

    /// The token of a new login was rejected, too: another login would not help, and nobody tries one for a while.
    async fn give_up(&self) {
        let at = Instant::now();
        let error = error(Fault::Refused { status: 401, why: "it rejects the token that its own login gave" });
        *self.renewal.lock().await = Some(Failure { at, until: at + LOGIN_PAUSE, error });
    }

    fn current(&self) -> Option<Arc<Session>> {
        // Nothing can panic while it is held.
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
        session
    }

    /// One replica renews, and the others take what it got; each by itself where they can't agree.
    async fn renew_for_all(
        &self,
        source: &HautAi,
        old: Option<&Session>,
        rejected: Option<&HeaderValue>,
    ) -> Result<Session, SourceError> {
        let Some(shared) = &self.shared else { return self.renew(source, old).await };
        let claim = match shared.session_or_claim(rejected).await {
            SharedSession::Found(session) => return Ok(session),
            SharedSession::Mine => true,
            SharedSession::Unknown => false,
        };
        let renewed = self.renew(source, old).await;
        if let Ok(session) = &renewed {
            shared.publish(session).await;
        }
        if claim {
            shared.release().await;
        }
        renewed
    }

    /// By the old session's refresh token where there is one, else, or where that is refused, by a login.
    async fn renew(&self, source: &HautAi, old: Option<&Session>) -> Result<Session, SourceError> {
        if let Some((old, token)) = old.and_then(|old| Some((old, old.refresh_token.clone()?))) {
            let body = serde_json::json!({ "refresh_token": token.expose_secret() });
            match source.traffic.watch(self.ask(source, "refresh", &body)).await {
                Ok(tokens) => return self.open(tokens, Some(token), old.company),
                // A login would fare no better.
                Err(error) if matches!(error.fault, Fault::Timeout | Fault::Unreachable(_) | Fault::Paused { .. }) => {
                    return Err(error);
                }
                Err(error) => tracing::info!(%error, "the Haut.AI token could not be refreshed: logging in"),
            }
        }
        let body = serde_json::json!({
            "username": self.username.expose_secret(),
            "password": self.password.expose_secret(),
        });
        let tokens = source.traffic.watch(self.ask(source, "login", &body)).await?;
        self.open(tokens, None, None)
    }

    async fn ask(&self, source: &HautAi, call: &str, body: &serde_json::Value) -> Result<Tokens, SourceError> {
        let request = Request {
            method: Method::POST,
            url: source.url(&["auth", call]),
            authorization: None,
            body: Some(body.to_string().into_bytes()),
        };
        let answer = source.client.send(&request).await?;
        let refused = |why| Err(error(Fault::Refused { status: answer.status.as_u16(), why }));
        match answer.status.as_u16() {
            400 => return refused("the login was refused; multi-factor authentication may be on"),
            401 | 403 => return refused("the login was refused; check username and password"),
            _ => {}
        }
        let body = accept(answer).map_err(error)?.ok_or_else(|| error(Fault::Status(404)))?;
        parse_owned(&body, "the login's answer is no JSON object")
    }

    fn open(
        &self,
        tokens: Tokens,
        refresh: Option<SecretString>,
        company: Option<Uuid>,
    ) -> Result<Session, SourceError> {
        let no_token = || error(Fault::Invalid("the login's answer holds no access token"));
        let token = [tokens.access_token.0, tokens.token_access.0, tokens.access.0].into_iter().flatten().next();
        Ok(Session {
            authorization: bearer(&token.ok_or_else(no_token)?).map_err(|_| no_token())?,
            refresh_token: tokens.refresh_token.0.map(SecretString::from).or(refresh),
            company: tokens.company_id.0.and_then(|id| Uuid::try_parse(&id).ok()).or(company),
            renew_at: Instant::now() + self.refresh_after,
        })
    }
}

/// A refusal stays one for a while; a server that could not be reached may be back at once.
fn pause(failure: &SourceError) -> Duration {
    match failure.fault {
        Fault::RateLimited { retry_after } => retry_after.unwrap_or(LOGIN_PAUSE).min(LONGEST_PAUSE),
        Fault::Refused { .. }
        | Fault::Denied(_)
        | Fault::Conflict
        | Fault::TooManyRequests { .. }
        | Fault::Status(_)
        | Fault::Invalid(_)
        | Fault::Panicked => LOGIN_PAUSE,
        Fault::Timeout | Fault::Unreachable(_) | Fault::Unready { .. } | Fault::Paused { .. } => Duration::ZERO,
    }
}

/// An `Authorization` header that reqwest's own logging leaves out.
fn bearer(token: &str) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("{SCHEME} {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}
