//! An answer as bytes, ready to be sent to whoever asks the same: plain and compressed, with what caches are told of it.
//!
//! Knows headers and bytes, not what they say.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, VARY},
    },
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{
    SMALLEST_COMPRESSED,
    accept::Format,
    account::{Codes, Operation},
    details::{Details, SERVER_TIMING},
    layers::VARIES_BY_BOTH,
    metrics::{Ending, Name},
    revalidation::{revalidated, version_of},
};
use crate::{
    access::Scopes,
    cache::{
        Provenance,
        answers::{Identity, Weight, Whole},
    },
    domain::Source,
    loaders::CredentialIds,
    schema::execution::Cost,
    spans::Link,
};

/// Asks what an operation is estimated to cost (`include`), and says it.
pub(super) const COST: HeaderName = HeaderName::from_static("x-graphql-cost");

/// Headers that an answer may get on its way out, so that their table does not grow in between.
const HEADERS: usize = 12;

/// The longest body that is compressed where requests are served: about a millisecond's work. Longer ones are compressed on
/// a thread of their own.
const LARGE: usize = 131_072;

/// What makes one request the same as another: who asks, and every byte of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    pub(super) credentials: CredentialIds,
    pub(super) scopes: Scopes,
    /// Which trusted documents there were: what was answered under another manifest may not be asked any more.
    pub(super) manifest: u64,
    pub(super) format: Format,
    pub(super) is_get: bool,
    pub(super) tells_cost: bool,
    /// The body, or the query string.
    pub(super) bytes: Bytes,
}

impl Identity for RequestKey {
    fn identity(&self) -> Vec<u8> {
        let Self { credentials, scopes, manifest, format, is_get, tells_cost, bytes } = self;
        // Memory takes what is written to it.
        rmp_serde::to_vec(&(credentials, scopes, manifest, format, is_get, tells_cost, bytes)).unwrap_or_default()
    }
}

impl Weight for RequestKey {
    fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// How a request fared.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(super) struct Fate {
    /// Execution began, and nothing failed.
    pub(super) is_good: bool,
    /// Its time was over before all was there.
    pub(super) is_late: bool,
    /// It was refused, and may go better after so many seconds.
    pub(super) retry_after: Option<u32>,
}

/// An answer, written down. What stands in no place that others read depends on the replica or the request.
#[derive(Deserialize, Serialize)]
pub(super) struct Written {
    #[serde(with = "status")]
    status: StatusCode,
    format: Format,
    fate: Fate,
    body: Bytes,
    #[serde(skip)]
    gzip: OnceLock<Bytes>,
    #[serde(skip)]
    version: OnceLock<String>,
    /// What the operation was estimated to cost; `None`: nobody estimates it.
    #[serde(skip)]
    pub(super) cost: Option<Cost>,
    /// Whether a header says so.
    #[serde(skip)]
    tells_cost: bool,
    /// How it ended; `None`: it is of several, which were counted.
    #[serde(skip)]
    pub(super) ending: Option<Ending>,
    /// What its operation is counted as.
    #[serde(skip)]
    pub(super) name: Name,
    /// What the operation is called, for whoever gets the same answer.
    #[serde(skip)]
    pub(super) operation: Arc<Operation>,
    #[serde(skip)]
    pub(super) codes: Codes,
    /// Within which span it was made.
    #[serde(skip)]
    pub(super) link: Link,
}

impl Weight for Written {
    fn bytes(&self) -> usize {
        self.body.len() + self.gzip.get().map_or(0, Bytes::len)
    }
}

impl Written {
    pub(super) fn new(status: StatusCode, format: Format, fate: Fate, body: String) -> Self {
        Self {
            status,
            format,
            fate,
            body: body.into(),
            gzip: OnceLock::new(),
            version: OnceLock::new(),
            cost: None,
            tells_cost: false,
            ending: None,
            name: Name::default(),
            operation: Arc::default(),
            codes: Codes::default(),
            link: Link::default(),
        }
    }

    /// Says what its operation is counted as, and by what.
    pub(super) fn counted(self, name: Name, ending: Ending) -> Self {
        Self { name, ending: Some(ending), ..self }
    }

    /// A good answer that another replica made, to an operation that is called so here.
    pub(super) fn adopted(self, operation: Arc<Operation>, name: Name) -> Self {
        self.of_operation(operation, Codes::default()).counted(name, Ending::executed(&[]))
    }

    /// What the operation is called, and with which codes it ended.
    pub(super) fn of_operation(self, operation: Arc<Operation>, codes: Codes) -> Self {
        Self { operation, codes, ..self }
    }

    /// What the operation was estimated to cost, to be said in a header where it `tells` so.
    pub(super) fn with_cost(self, cost: Option<Cost>, tells: bool) -> Self {
        Self { cost, tells_cost: tells, ..self }
    }

    /// Within which span it was made, for those who waited for it.
    pub(super) fn made_within(self, link: Link) -> Self {
        Self { link, ..self }
    }

    /// As the answer to one who may know how it was made. Nothing keeps it.
    pub(super) fn to_one_who_may_know(&self, provenance: &Provenance, details: &Details) -> Response {
        // It is text of ours.
        let body = std::str::from_utf8(&self.body).unwrap_or_default();
        let mut response = self.with_body(details.within(body).into());
        self.tell_age(provenance, &mut response);
        if let Some(timing) = details.timing() {
            response.headers_mut().insert(SERVER_TIMING, timing);
        }
        response
    }

    /// Whether it may be given to whoever asks the same.
    pub(super) fn is_good(&self) -> bool {
        self.fate.is_good
    }

    /// Whether somebody with more time may get another.
    pub(super) fn is_late(&self) -> bool {
        self.fate.is_late
    }

    /// As the answer to a POST, which no cache keeps.
    pub(super) fn to_post(&self, provenance: &Provenance, takes_gzip: bool) -> Response {
        let mut response = self.plain_or_compressed(takes_gzip);
        if self.is_worthwhile() {
            response.headers_mut().insert(VARY, VARIES_BY_BOTH);
        }
        self.tell_age(provenance, &mut response);
        response
    }

    /// As the answer to a GET, which says by itself that it depends on what encoding is taken. One without errors may be
    /// kept, and used again when it is still the same: by the caller alone, or where `is_open` and all of it came from a
    /// public portal, by anybody.
    pub(super) fn to_get(
        &self,
        provenance: &Provenance,
        is_open: bool,
        takes_gzip: bool,
        request: &HeaderMap,
    ) -> Response {
        let mut response = self.plain_or_compressed(takes_gzip);
        if !self.fate.is_good {
            return response;
        }
        self.tell_age(provenance, &mut response);
        // A shared cache would give it to those who did not ask what it costs.
        let is_public = is_open && !self.tells_cost && provenance.is_only_of(Source::BrainStem);
        // Caches take off what `Age` says.
        let lifetime = provenance.age().unwrap_or_default().as_secs().saturating_add(provenance.fresh_for().as_secs());
        let cache_control = match lifetime {
            seconds @ 1.. if is_public => HeaderValue::try_from(format!("public, max-age={seconds}")).ok(),
            _ => None,
        };
        let cache_control = cache_control.unwrap_or(HeaderValue::from_static("private, no-cache"));
        response.headers_mut().insert(CACHE_CONTROL, cache_control);
        let version = self.version.get_or_init(|| version_of(&[self.format.content_type().as_bytes(), &self.body]));
        revalidated(response, version, request)
    }

    /// How long ago the oldest part of it was read.
    fn tell_age(&self, provenance: &Provenance, response: &mut Response) {
        if let Some(age) = provenance.age().filter(|_| self.fate.is_good) {
            response.headers_mut().insert(AGE, HeaderValue::from(age.as_secs()));
        }
    }

    /// Makes the compressed bytes, unless they are there; whether it did.
    fn compress(&self) -> bool {
        let mut is_new = false;
        self.gzip.get_or_init(|| {
            is_new = true;
            gzip(&self.body)
        });
        is_new
    }

    /// Whether it is compressed for those who take that.
    fn is_worthwhile(&self) -> bool {
        self.body.len() as u64 >= SMALLEST_COMPRESSED
    }

    fn plain_or_compressed(&self, takes_gzip: bool) -> Response {
        let compressed = self.gzip.get().filter(|_| takes_gzip);
        let mut response = self.with_body(compressed.unwrap_or(&self.body).clone());
        if compressed.is_some() {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn with_body(&self, body: Bytes) -> Response {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.format.content_type()));
        // Answers may hold personal data: no cache between here and the caller keeps them.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        if let Some(seconds) = self.fate.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cost) = self.cost.filter(|_| self.tells_cost) {
            headers.insert(COST, HeaderValue::from(cost.estimated));
        }
        response
    }
}

/// Makes the compressed bytes, unless they are there or not worthwhile; whether it did.
pub(super) async fn compress(whole: &Arc<Whole<Written>>) -> bool {
    let written = &whole.value;
    if !written.is_worthwhile() || written.gzip.get().is_some() {
        return false;
    }
    if written.body.len() <= LARGE {
        return written.compress();
    }
    let whole = Arc::clone(whole);
    // It does not panic.
    spawn_blocking(move || whole.value.compress()).await.unwrap_or(false)
}

/// At the level that costs less than it saves on a local network, as what is compressed on the way.
fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    let written = encoder.write_all(body).and_then(|()| encoder.finish());
    written.expect("memory takes what is written to it").into()
}

/// A status as its number.
mod status {
    use axum::http::StatusCode;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    pub(super) fn serialize<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(status.as_u16())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
        StatusCode::from_u16(u16::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
