//! The parts of what every request passes (`front.rs`): identity, log line, CORS, panics. Knows nothing of GraphQL but the
//! shape of an error.

use std::{
    any::Any,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    body::HttpBody as _,
    extract::Request,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{AGE, ETAG, RETRY_AFTER, VARY},
    },
    response::Response,
};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tracing::{Span, debug, error, field, info, info_span};
use url::{Host, Url};
use uuid::Uuid;

use super::{
    GRAPHQL, STREAM, WEBSOCKET,
    accept::Format,
    account::{Cache, End, Operation, milliseconds},
    answer::{Refusal, RefusedWith},
    connections::Connection,
    details::SERVER_TIMING,
    graphql,
    load::Load,
    written::COST,
};
use crate::{access::Caller, config::CorsOrigins, spans::Place, trail::Trail};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id of a request or name of an operation that is taken over from a caller.
const LONGEST_NAME: usize = 128;

/// What a request is called, and what its log line is to say beside. Clones share it.
#[derive(Clone)]
pub(super) struct Notes(Arc<Noted>);

struct Noted {
    id: HeaderValue,
    connection: Arc<Connection>,
    route: &'static str,
    start: Instant,
    place: Place,
    operation: OnceLock<Arc<Operation>>,
    /// What the operation asks of the sources; `None`: there is none, or its answer was at hand.
    trail: OnceLock<Trail>,
    end: OnceLock<End>,
    caller: OnceLock<Caller>,
}

impl Notes {
    /// Takes the caller's request id over if it is sane, else makes one.
    pub(super) fn of(request: &Request, connection: &Arc<Connection>) -> Self {
        let given = request.headers().get(&REQUEST_ID).filter(|id| is_sane(id)).cloned();
        let made = || HeaderValue::from_str(Uuid::new_v4().hyphenated().encode_lower(&mut Uuid::encode_buffer())).ok();
        let route = route_of(request.uri().path());
        // Probes and scrapes come every few seconds, and tell nobody anything.
        let is_traced = !route.starts_with("/health/") && route != "/metrics";
        let name = || format!("{} {route}", known_method(request.method()));
        let place = if is_traced { Place::of_request(name, request.headers()) } else { Place::default() };
        Self(Arc::new(Noted {
            id: given.or_else(made).unwrap_or_else(|| HeaderValue::from_static("-")),
            connection: Arc::clone(connection),
            route,
            start: Instant::now(),
            place,
            operation: OnceLock::new(),
            trail: OnceLock::new(),
            end: OnceLock::new(),
            caller: OnceLock::new(),
        }))
    }

    /// The connection that the request came by.
    pub(super) fn connection(&self) -> &Connection {
        &self.0.connection
    }

    /// One of [`ROUTES`].
    pub(super) fn route(&self) -> &'static str {
        self.0.route
    }

    /// The request's id, to be sent back.
    pub(super) fn id(&self) -> &HeaderValue {
        &self.0.id
    }

    pub(super) fn id_in_words(&self) -> &str {
        self.0.id.to_str().unwrap_or("-")
    }

    /// Around the work for the request, so that what is logged meanwhile tells whose it is.
    pub(super) fn span(&self) -> Span {
        info_span!("request", request_id = %self.id_in_words())
    }

    /// Notes who asks.
    pub(super) fn caller(&self, caller: &Caller) {
        if caller.identity.is_some() {
            let _ = self.0.caller.set(caller.clone());
        }
    }

    /// Counts operations of whoever asks, who was let in where that was noted.
    pub(super) async fn count(&self, load: &Load, operations: NonZeroU32) -> Result<(), Refusal> {
        let who = self.0.caller.get().and_then(|caller| caller.identity);
        load.count(who, self.0.connection.peer, operations).await
    }

    /// Notes what the operation is called.
    pub(super) fn operation(&self, operation: &Arc<Operation>) {
        let _ = self.0.operation.set(Arc::clone(operation));
    }

    /// Where in a trace the request stands.
    pub(super) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Notes where the operation leaves its trail.
    pub(super) fn trail(&self, trail: &Trail) {
        let _ = self.0.trail.set(trail.clone());
    }

    /// Notes how the operation ended.
    pub(super) fn end(&self, end: End) {
        let _ = self.0.end.set(end);
    }

    /// Where the answer came from; `None`: nothing was executed.
    pub(super) fn cache(&self) -> Option<Cache> {
        self.0.end.get()?.cache
    }

    /// Where the operation left its trail, unless another's answer did for it.
    pub(super) fn own_trail(&self) -> Option<Trail> {
        self.0.trail.get().cloned()
    }

    /// For how long the request has been here.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }
}

/// What a request's address is called.
pub(super) const ROUTES: [&str; 12] = [
    GRAPHQL,
    STREAM,
    WEBSOCKET,
    "/health/live",
    "/health/ready",
    "/metrics",
    "/admin/purge",
    "/schema.graphql",
    "/graphiql",
    "/",
    "/graphiql/{file}",
    "unmatched",
];

/// The path where it is one of ours; any other is the caller's text, and has no place in a log.
fn route_of(path: &str) -> &'static str {
    let known = ROUTES.into_iter().find(|route| *route == path);
    known.unwrap_or(if path.starts_with("/graphiql/") { "/graphiql/{file}" } else { "unmatched" })
}

fn is_sane(id: &HeaderValue) -> bool {
    (1..=LONGEST_NAME).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Whether GraphQL takes it for a name; of a length that is fit for a log.
pub(super) fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let legal = name.bytes().all(word) && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    legal && name.len() <= LONGEST_NAME
}

/// Writes one line a request when it is dropped, also when the caller goes away before the answer.
pub(super) struct LogLine {
    method: Method,
    notes: Notes,
    /// `None`: dropped before there was an answer.
    status: Option<StatusCode>,
    /// Of the body, as it is sent; `None`: nobody knows, as it goes on.
    bytes: Option<u64>,
    refused_with: Option<&'static str>,
}

impl LogLine {
    pub(super) fn begin(request: &Request, notes: Notes) -> Self {
        Self { method: request.method().clone(), notes, status: None, bytes: None, refused_with: None }
    }

    /// There is an answer.
    pub(super) fn end(&mut self, response: &Response) {
        self.status = Some(response.status());
        self.bytes = response.body().size_hint().exact();
        self.refused_with = response.extensions().get().map(|RefusedWith(code)| *code);
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let Noted { route, start, place, operation, trail, end, caller, .. } = &*self.notes.0;
        let method = known_method(&self.method);
        let duration_ms = milliseconds(start.elapsed());
        let request_id = self.notes.id_in_words();
        let caller = caller.get().and_then(|caller| caller.name.as_deref());
        let status = self.status.map(|status| status.as_u16());
        if status.is_some() && route.starts_with("/health/") {
            // Probes come every few seconds.
            debug!(method, route, status, duration_ms, request_id, caller, "answered");
            return;
        }
        let document = operation.get().and_then(|operation| operation.document.as_deref());
        let operation = operation.get().and_then(|operation| operation.name.as_deref());
        let codes = end.get().and_then(|end| end.codes.text()).or(self.refused_with);
        let cache = end.get().and_then(|end| end.cache);
        let upstream_requests = trail.get().map(Trail::requests).or(cache.map(|_| 0));
        let cache = cache.map(Cache::name);
        let bytes = self.bytes;
        let trace_id = place.trace().map(field::display);
        if place.is_kept() {
            place.set("http.request.method", method.to_owned());
            place.set("http.route", *route);
            if let Some(status) = status {
                place.set("http.response.status_code", i64::from(status));
            }
            place.set_any("graphql.operation.name", operation);
            place.set_any("subject_gateway.document", document);
            place.set_any("subject_gateway.codes", codes);
            place.set_any("subject_gateway.cache", cache);
            if status.is_none_or(|status| status >= 500) {
                place.fail();
            }
        }
        place.end();
        info!(
            method,
            route,
            status,
            duration_ms,
            request_id,
            operation,
            document,
            codes,
            cache,
            upstream_requests,
            bytes,
            trace_id,
            caller,
            "{}",
            if status.is_some() { "answered" } else { "the caller went away" }
        );
    }
}

/// A method as a word of ours: callers may invent others.
fn known_method(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE];
    if known.contains(method) { method.as_str() } else { "other" }
}

/// The answer in place of a panic; the panic hook has written down where it was.
pub(super) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    error!("a request panicked");
    graphql::panicked().answer(Format::Json)
}

/// What `Vary` says where the answer is compressed for those who take that.
pub(super) const VARIES_BY_BOTH: HeaderValue = HeaderValue::from_static("accept, accept-encoding");

/// In which of the formats an answer is written depends on the request, and be it an error.
pub(super) fn varies_by_accept(response: &mut Response) {
    let headers = response.headers_mut();
    if headers.get(VARY) != Some(&VARIES_BY_BOTH) {
        headers.append(VARY, HeaderValue::from_static("accept"));
    }
}

/// CORS for the configured origins; `None`: off.
pub(super) fn cors(origins: &CorsOrigins) -> Option<CorsLayer> {
    if !origins.localhost && origins.exact.is_empty() {
        return None;
    }
    let origins = origins.clone();
    let allowed = AllowOrigin::predicate(move |origin, _| origin.to_str().is_ok_and(|origin| allows(&origins, origin)));
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        // The origin is trusted already, and clients bring headers of their own (client name and version, tracing).
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID, RETRY_AFTER, AGE, ETAG, COST, SERVER_TIMING])
        .max_age(Duration::from_secs(600));
    Some(cors)
}

/// Whether pages of this origin may call.
pub(super) fn allows(origins: &CorsOrigins, origin: &str) -> bool {
    origins.exact.iter().any(|exact| exact == origin) || (origins.localhost && is_local(origin))
}

/// Whether a browser's `Origin` is a page on this computer: the host itself, not something that looks like it.
fn is_local(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else {
        return false;
    };
    let plain = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == origin;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        None => false,
    };
    plain && local
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn local_origins_are_told_from_lookalikes() {
        for origin in ["http://localhost:3000", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:80808"] {
            assert_eq!(is_local(origin), !origin.contains("80808"), "{origin}");
        }
        let foreign = [
            "null",
            "http://localhost.evil.example",
            "http://evil.example#localhost",
            "http://localhost@evil.example",
            "file://localhost",
            "http://127.0.0.2:1",
            "HTTP://LOCALHOST",
        ];
        for origin in foreign {
            assert!(!is_local(origin), "{origin}");
        }
    }
}
