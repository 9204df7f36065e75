//! Whose eyes one request reads the sources with.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    cache::{Provenance, Requests, Sources, Viewer},
    domain::Source,
    sources::{Credential, CredentialId},
};

/// Whose eyes a caller reads with: one credential a configured source.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub haut_ai: Option<Credential>,
    pub brainstem: Option<Credential>,
}

/// What tells one caller's [`Credentials`] from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct CredentialIds {
    haut_ai: Option<CredentialId>,
    brainstem: Option<CredentialId>,
}

impl Credentials {
    /// The gateway's own. Where callers bring theirs, those of one who brings none.
    pub fn of_service(sources: &Sources) -> Self {
        let own = |source| sources.credential(source).cloned();
        Self { haut_ai: own(Source::HautAi), brainstem: own(Source::BrainStem) }
    }

    /// The one for a source.
    pub fn of(&self, source: Source) -> Option<&Credential> {
        match source {
            Source::HautAi => self.haut_ai.as_ref(),
            Source::BrainStem => self.brainstem.as_ref(),
        }
    }

    /// The same with another one for a source.
    #[must_use]
    pub fn with(mut self, source: Source, credential: Credential) -> Self {
        match source {
            Source::HautAi => self.haut_ai = Some(credential),
            Source::BrainStem => self.brainstem = Some(credential),
        }
        self
    }

    pub fn ids(&self) -> CredentialIds {
        let id = |credential: &Option<Credential>| credential.as_ref().map(|credential| credential.id);
        CredentialIds { haut_ai: id(&self.haut_ai), brainstem: id(&self.brainstem) }
    }
}

/// One request's readers of the configured sources, which share its provenance.
#[derive(Clone, Debug)]
pub struct Viewers {
    pub haut_ai: Option<Viewer>,
    pub brainstem: Option<Viewer>,
}

impl Viewers {
    /// Both count for the same number of `requests`.
    pub fn new(credentials: &Credentials, provenance: &Arc<Provenance>, requests: &Arc<Requests>) -> Self {
        let viewer = |source| Some(Viewer::new(credentials.of(source)?.clone(), provenance, requests));
        Self { haut_ai: viewer(Source::HautAi), brainstem: viewer(Source::BrainStem) }
    }
}
