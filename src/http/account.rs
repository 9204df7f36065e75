//! What is said of an operation beside its answer: what it is called, where the answer came from, with which codes it ended.
//! For the log line, and for callers who ask for it. Never what it asked for or what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::{Request as GraphQlRequest, ServerError, Value as ConstValue};
use futures::{Stream, StreamExt as _, stream};
use opentelemetry::trace::SpanKind;
use sha2::{Digest as _, Sha256};
use tracing::{field, info};

use super::layers::{Notes, is_name};
use crate::{access::Caller, schema::streaming::Step, trail::Trail};

/// How operations come that have a line of their own.
pub(super) const WEBSOCKET: &str = "websocket";
pub(super) const EVENTS: &str = "sse";

/// Codes that one line names.
const MOST_CODES: usize = 5;

/// What an operation is called.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// As the request names it, if that is a name: anything else that a caller sends has no place in a log.
    pub(super) name: Option<String>,
    /// By which its document is told from others.
    pub(super) document: Option<String>,
}

impl Operation {
    pub(super) fn of(request: &GraphQlRequest) -> Arc<Self> {
        let name = request.operation_name.clone().filter(|name| is_name(name));
        Arc::new(Self { name, document: Some(hash_of(&request.query)) })
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a document's text.
fn hash_of(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text).into();
    let first = digest[..8].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte));
    format!("{first:016x}")
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// The very same request was answered lately.
    Answers,
    /// It waited for the same request, or the same records, of another.
    Joined,
    /// Nothing had to be asked.
    Records,
    /// Sources were asked.
    Miss,
    /// Something in it was past its time.
    Stale,
}

impl Cache {
    /// Of an operation that was executed.
    pub(super) fn of(trail: &Trail) -> Self {
        if trail.has_stale() {
            Self::Stale
        } else if trail.requests() > 0 {
            Self::Miss
        } else if trail.has_joined() {
            Self::Joined
        } else {
            Self::Records
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Joined => "joined",
            Self::Records => "records",
            Self::Miss => "miss",
            Self::Stale => "stale",
        }
    }
}

/// The codes of an answer's errors, each once and not too many, separated by commas. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Codes(Option<Arc<str>>);

impl Codes {
    pub(super) fn of<'a>(codes: impl IntoIterator<Item = &'a str>) -> Self {
        let mut distinct: Vec<&str> = Vec::new();
        for code in codes {
            if distinct.len() < MOST_CODES && !distinct.contains(&code) {
                distinct.push(code);
            }
        }
        Self((!distinct.is_empty()).then(|| distinct.join(",").into()))
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Of several answers.
    pub(super) fn each(&self) -> impl Iterator<Item = &str> {
        self.text().into_iter().flat_map(|codes| codes.split(','))
    }
}

/// The code of an error.
pub(super) fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        ConstValue::String(code) => Some(code),
        _ => None,
    }
}

/// How an operation ended.
#[derive(Clone, Debug, Default)]
pub(super) struct End {
    /// `None`: it was not executed.
    pub(super) cache: Option<Cache>,
    pub(super) codes: Codes,
}

/// A duration as logs have it.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes one line for an operation on a connection that stays, when it is dropped.
struct OperationLine {
    transport: &'static str,
    notes: Notes,
    caller: Option<Arc<str>>,
    operation: Arc<Operation>,
    trail: Trail,
    start: Instant,
    answers: u32,
    codes: Codes,
}

impl OperationLine {
    fn note(&mut self, step: &Step) {
        let errors = match step {
            Step::Answer(response) => {
                self.answers = self.answers.saturating_add(1);
                &response.errors
            }
            Step::Refused(errors) => errors,
        };
        if !errors.is_empty() {
            self.codes = Codes::of(self.codes.each().chain(errors.iter().filter_map(code_of)));
        }
    }
}

impl Drop for OperationLine {
    fn drop(&mut self) {
        let Operation { name: operation, document } = &*self.operation;
        let place = &self.trail.place;
        place.set_any("graphql.operation.name", operation.as_deref());
        place.set_any("subject_gateway.document", document.as_deref());
        place.set_any("subject_gateway.codes", self.codes.text());
        place.set("subject_gateway.answers", i64::from(self.answers));
        place.end();
        info!(
            transport = self.transport,
            operation = operation.as_deref(),
            document = document.as_deref(),
            answers = self.answers,
            codes = self.codes.text(),
            cache = (self.answers > 0).then(|| Cache::of(&self.trail).name()),
            upstream_requests = self.trail.requests(),
            duration_ms = milliseconds(self.start.elapsed()),
            request_id = self.notes.id_in_words(),
            trace_id = place.trace().map(field::display),
            caller = self.caller.as_deref(),
            "an operation ended"
        );
    }
}

/// Passes on the steps of an operation on a connection that stays, and writes its line at the end. `notes` are those of the
/// request that opened the connection.
pub(super) fn told(
    transport: &'static str,
    notes: &Notes,
    caller: Option<&Caller>,
    operation: Arc<Operation>,
    steps: impl Stream<Item = Step> + Send + 'static,
) -> impl Stream<Item = Step> + Send + 'static {
    // A WebSocket may stay for days: each of its operations is a trace.
    let place = match transport {
        WEBSOCKET => notes.place().apart(transport),
        _ => notes.place().begin(SpanKind::Internal, transport, Vec::new),
    };
    let (trail, span) = (Trail::at(place), notes.span());
    let mut line = OperationLine {
        transport,
        notes: notes.clone(),
        caller: caller.and_then(|caller| caller.name.clone()),
        operation,
        trail: trail.clone(),
        start: Instant::now(),
        answers: 0,
        codes: Codes::default(),
    };
    let mut steps = Box::pin(steps);
    let steps = stream::poll_fn(move |context| trail.enter(|| span.in_scope(|| steps.poll_next_unpin(context))));
    steps.inspect(move |step| line.note(step))
}
