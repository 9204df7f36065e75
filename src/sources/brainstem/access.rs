//! Showing BrainSTEM who asks: the gateway's token, what the caller brought, or nothing; and what is noticed by who asks.

use std::sync::atomic::AtomicBool;

use reqwest::header::HeaderValue;
use url::Url;

use super::{BrainStem, ListQuery, portal_segment, sideload::Learnt};
use crate::{
    domain::{Source, Subject},
    sources::{
        Credential, Malformed, SourceError,
        client::{Answer, Request},
        credential::unless_denied,
        paging::{MAX_PAGE, PageCap},
        write::Attempt,
    },
};

/// How the server is shown who asks.
pub(super) enum Access {
    /// By the gateway's own token; the public portal is shown none.
    Own(Option<HeaderValue>),
    /// By what the caller brought.
    Forward,
}

/// What was noticed of the server, by one who asked: what others see may make it answer otherwise.
#[derive(Default)]
pub(super) struct Hints {
    pub(super) page_cap: PageCap,
    pub(super) learnt: Learnt,
    /// The server gave its last full page without saying whether more follows.
    pub(super) counts_nothing: AtomicBool,
}

impl BrainStem {
    /// The gateway's own credential; one that is missing where callers bring theirs.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Whether callers bring their own credentials. The public portal asks for none.
    pub fn takes_credentials(&self) -> bool {
        matches!(self.access, Access::Forward)
    }

    /// What a caller brought for it.
    pub fn credential_of(&self, given: &[u8]) -> Result<Credential, Malformed> {
        Credential::brought(Source::BrainStem, portal_segment(self.portal), self.scheme, given)
    }

    /// Whether the server answers at all, whatever it says to one who shows nothing: the status.
    pub async fn reach(&self) -> Result<u16, SourceError> {
        let (url, ..) = self.page_url::<Subject>(&ListQuery::default(), (0, 1), MAX_PAGE)?;
        Ok(self.client.send(&Request::get(url, None)).await?.status.as_u16())
    }

    pub(super) async fn send(&self, credential: &Credential, url: Url) -> Result<Answer, SourceError> {
        self.send_noting(credential, Request::get(url, None), &Attempt::default()).await
    }

    /// Sends any request, and notes whether the server may have acted on it.
    pub(super) async fn send_noting(
        &self,
        credential: &Credential,
        mut request: Request,
        attempt: &Attempt,
    ) -> Result<Answer, SourceError> {
        match &self.access {
            // The gateway's own is for nobody who was to bring one.
            Access::Own(authorization) if credential.is_own() => {
                request.authorization.clone_from(authorization);
                self.client.send_noting(&request, attempt).await
            }
            Access::Own(_) | Access::Forward => {
                request.authorization = Some(credential.header(Source::BrainStem)?);
                let answer = self.client.send_noting(&request, attempt).await?;
                unless_denied(Source::BrainStem, answer, attempt)
            }
        }
    }
}

/// An `Authorization` header that reqwest's own logging leaves out.
pub(super) fn authorization(scheme: &str, token: &str) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("{scheme} {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}
