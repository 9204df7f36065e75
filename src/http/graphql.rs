//! `GET` and `POST /graphql`: from HTTP to the executor and back, and past it where the same was asked lately. Knows nothing
//! of the schema.
//!
//! The stock extractors are not used: they run mutations over GET and simple cross-origin posts, take a body of any
//! size, batches and uploads, and answer every request with 200 in one media type.

use std::{num::NonZeroU32, pin::pin, sync::Arc, time::Instant};

use async_graphql::Request as GraphQlRequest;
use axum::{
    Extension,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header::CACHE_CONTROL},
    response::Response,
};
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use tokio::time::timeout;
use tracing::Instrument as _;

use super::{
    Service,
    accept::{Format, negotiate, takes_gzip},
    account::{Cache, Codes, End, Operation},
    answer::{self, Ended, Refusal, code},
    batch::{self, Member},
    details::{DETAILS, Details},
    layers::Notes,
    metrics::{Name, Transport},
    request::{self, Body, Fields},
    revalidation::words,
    stream,
    written::{self, COST, RequestKey, Written},
};
use crate::{
    access::{Caller, Scope, Scopes},
    cache::{Provenance, answers::Whole},
    loaders::Credentials,
    schema::{
        RequestContext,
        execution::{Failure, Prepared, prepare},
    },
    trail::Trail,
};

/// `POST /graphql`.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    Extension(notes): Extension<Notes>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let deadline = Instant::now() + service.bounds.deadline();
    let Some(format) = negotiate(request.headers()) else {
        return stream::post(State(service), Extension(notes), Extension(caller), request).boxed().await;
    };
    let asked = match Asked::of(&service, format, deadline, notes, caller.scopes, request.headers()) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.answer(format),
    };
    let body = match service.read_body(request).await {
        Ok(body) => body,
        Err(refusal) => return refusal.answer(format),
    };
    let key = asked.key(false, &body);
    let whole = match asked.at_hand(&key) {
        Some(whole) => whole,
        // Boxed, so that an answer that is at hand does not carry the room that making one takes.
        None => asked.made(&key).instrument(asked.notes.span()).boxed().await,
    };
    if asked.wants.details {
        return asked.detailed(&whole);
    }
    asked.compress(&key, &whole).await;
    asked.count(&whole.value, Transport::Post);
    whole.value.to_post(&whole.provenance, asked.takes_gzip)
}

/// `GET /graphql`: queries only, since a link or an image can make a browser send one.
pub(super) async fn get(
    State(service): State<Arc<Service>>,
    Extension(notes): Extension<Notes>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
    request: Request,
) -> Response {
    let deadline = Instant::now() + service.bounds.deadline();
    let Some(format) = negotiate(request.headers()) else {
        return stream::get(State(service), Extension(notes), Extension(caller), request).await;
    };
    let asked = match Asked::of(&service, format, deadline, notes, caller.scopes, request.headers()) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.answer(format),
    };
    let query = uri.query().unwrap_or_default();
    let key = asked.key(true, &Bytes::copy_from_slice(query.as_bytes()));
    let whole = match asked.at_hand(&key) {
        Some(whole) => whole,
        None => match request::from_query_string(query) {
            Ok(fields) => asked.answer(&key, fields).boxed().await,
            Err(refusal) => asked.refused(refusal),
        },
    };
    if asked.wants.details {
        return asked.detailed(&whole);
    }
    asked.compress(&key, &whole).await;
    asked.count(&whole.value, Transport::Get);
    whole.value.to_get(&whole.provenance, service.is_open, asked.takes_gzip, request.headers())
}

/// What the one who asks may do here, and with what the sources are asked.
pub(super) type Rights<'a> = (Scopes, &'a Credentials);

/// A request for one answer: who asks, and how.
struct Asked {
    service: Arc<Service>,
    format: Format,
    deadline: Instant,
    takes_gzip: bool,
    wants: Wants,
    notes: Notes,
    scopes: Scopes,
    credentials: Credentials,
}

/// What is wanted beside the answer.
struct Wants {
    /// Nothing will do that was read before.
    fresh: bool,
    /// The answer is to say what the operation is estimated to cost.
    cost: bool,
    /// It is to say how it was made, to one who may know.
    details: bool,
}

impl Asked {
    fn of(
        service: &Arc<Service>,
        format: Format,
        deadline: Instant,
        notes: Notes,
        scopes: Scopes,
        headers: &HeaderMap,
    ) -> Result<Self, Refusal> {
        let says_include = |name| {
            headers.get(name).is_some_and(|value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"include"))
        };
        let is_admin = scopes.contains(Scope::Admin);
        let says_no_cache = || words(headers, &CACHE_CONTROL).any(|word| word.eq_ignore_ascii_case("no-cache"));
        Ok(Self {
            service: Arc::clone(service),
            format,
            deadline,
            takes_gzip: takes_gzip(headers),
            wants: Wants {
                fresh: is_admin && says_no_cache(),
                cost: says_include(COST),
                details: is_admin && says_include(DETAILS),
            },
            notes,
            scopes,
            credentials: service.credentials(headers)?,
        })
    }

    /// What makes another request the same.
    fn key(&self, is_get: bool, bytes: &Bytes) -> RequestKey {
        let credentials = self.credentials.ids();
        let (scopes, format, tells_cost) = (self.scopes, self.format, self.wants.cost);
        let manifest = self.service.documents.version();
        RequestKey { credentials, scopes, manifest, format, is_get, tells_cost, bytes: bytes.clone() }
    }

    /// The answer to the same request, asked lately.
    fn at_hand(&self, key: &RequestKey) -> Option<Arc<Whole<Written>>> {
        if self.wants.fresh {
            return None;
        }
        let whole = self.service.answers.at_hand(key)?;
        self.notes.operation(&whole.value.operation);
        self.notes.end(End { cache: Some(Cache::Answers), codes: Codes::default() });
        self.notes.place().set("graphql.operation.type", "query");
        Some(whole)
    }

    /// Counts the operation that is answered so.
    fn count(&self, answer: &Written, transport: Transport) {
        if let Some(ending) = answer.ending {
            let began = self.deadline.checked_sub(self.service.bounds.deadline());
            self.service.operations.ended(answer.name, transport, ending, began.unwrap_or(self.deadline));
        }
    }

    /// The answer for one who may know how it was made.
    fn detailed(&self, whole: &Whole<Written>) -> Response {
        let details = Details {
            total: self.notes.elapsed(),
            cache: self.notes.cache(),
            age: whole.provenance.age(),
            cost: whole.value.cost,
            trail: self.notes.own_trail(),
        };
        whole.value.to_one_who_may_know(&whole.provenance, &details)
    }

    /// The answer to a POST's body.
    async fn made(&self, key: &RequestKey) -> Arc<Whole<Written>> {
        match request::from_body(&key.bytes) {
            Ok(Body::One(fields)) => self.answer(key, fields).await,
            Ok(Body::Batch(members)) => match self.batch(members).await {
                Ok(all) => Arc::new(Whole::apart(all, Arc::default())),
                Err(refusal) => self.refused(refusal),
            },
            Err(refusal) => self.refused(refusal),
        }
    }

    async fn batch(&self, members: Vec<Value>) -> Result<Written, Refusal> {
        let refused = &self.service.traffic.refused;
        batch::check_number(members.len(), self.service.bounds.batch()).inspect_err(|_| {
            refused.batch.inc();
        })?;
        // The first one counted as the request.
        if let Some(more) = u32::try_from(members.len()).ok().and_then(|all| NonZeroU32::new(all.saturating_sub(1))) {
            self.notes.count(&self.service.load, more).await.inspect_err(|_| {
                refused.rate.inc();
            })?;
        }
        let rights = (self.scopes, &self.credentials);
        let trail = Trail::at(self.notes.place().clone());
        self.notes.trail(&trail);
        let all = batch::run(&self.service, rights, members, self.deadline, self.wants.cost, &trail).boxed().await;
        let codes: Vec<Codes> = all.iter().map(|member| answer::codes(&member.ended)).collect();
        let codes = Codes::of(codes.iter().flat_map(Codes::each));
        self.notes.end(End { cache: Some(Cache::of(&trail)), codes: codes.clone() });
        let body = |member: &Member| {
            let body = answer::body(&member.ended);
            if self.wants.details { member.details.within(&body) } else { body }
        };
        let bodies: Vec<String> = all.iter().map(body).collect();
        Ok(answer::batch(&bodies, codes, self.format))
    }

    fn refused(&self, refusal: Refusal) -> Arc<Whole<Written>> {
        self.ended(&Err(refusal), Arc::default(), Name::default())
    }

    fn ended(&self, ended: &Ended, provenance: Arc<Provenance>, name: Name) -> Arc<Whole<Written>> {
        let written = answer::write(ended, self.format, Arc::default(), name);
        self.notes.end(End { cache: None, codes: written.codes.clone() });
        Arc::new(Whole::apart(written, provenance))
    }

    /// The answer to a request, made together with others who ask the same at this time.
    async fn answer(&self, key: &RequestKey, fields: Fields) -> Arc<Whole<Written>> {
        let service = Arc::clone(&self.service);
        let (format, deadline, scopes) = (self.format, self.deadline, self.scopes);
        let provenance = Arc::new(if self.wants.fresh { Provenance::fresh_only() } else { Provenance::default() });
        if request::registers(&fields) {
            // A client that sends a document's text again has learnt that it was forgotten: each time, it is to be taken down.
            provenance.mark_unrepeatable();
        }
        let counted = service.operations.name(fields.get("operationName").and_then(Value::as_str));
        let prepared = match service.request(fields).await {
            Ok(request) => {
                let operation = Operation::of(&request);
                self.notes.operation(&operation);
                prepare(&service.schema, request, key.is_get).map(|prepared| (prepared, operation)).map_err(Ok)
            }
            Err(refusal) => Err(Err(refusal)),
        };
        let (mut prepared, operation) = match prepared {
            Ok(prepared) => prepared,
            Err(ended) => return self.ended(&ended, provenance, counted),
        };
        let counted = service.operations.name(prepared.name());
        let (cost, tells_cost) = (prepared.cost(), self.wants.cost);
        if tells_cost {
            prepared.tell_cost();
        }
        let trail = Trail::at(self.notes.place().clone());
        self.notes.trail(&trail);
        let is_query = prepared.is_query();
        self.notes.place().set("graphql.operation.type", if is_query { "query" } else { "mutation" });
        let adopted = Arc::clone(&operation);
        let make = {
            let (provenance, credentials) = (Arc::clone(&provenance), self.credentials.clone());
            let link = trail.link();
            let make = async move {
                let ended = service.run(prepared, (scopes, &credentials), provenance, deadline).await;
                answer::write(&ended, format, operation, counted).with_cost(cost, tells_cost).made_within(link)
            };
            trail.follow(make).boxed()
        };
        if !is_query {
            let whole = Arc::new(Whole::apart(make.await, provenance));
            self.notes.end(End { cache: Some(Cache::of(&trail)), codes: whole.value.codes.clone() });
            return whole;
        }
        // What the connection read it into is larger, and goes on being used.
        let key = RequestKey { bytes: Bytes::copy_from_slice(&key.bytes), ..key.clone() };
        let adopt = move |found: Written| found.adopted(adopted, counted).with_cost(cost, tells_cost);
        let mine = Arc::clone(&provenance);
        let whole = self.service.answers.answer(key, provenance, make, adopt, Written::is_good, Written::is_late).await;
        let cache = if Arc::ptr_eq(&whole.provenance, &mine) {
            Cache::of(&trail)
        } else {
            self.notes.place().refer_to(&whole.value.link);
            Cache::Joined
        };
        self.notes.end(End { cache: Some(cache), codes: whole.value.codes.clone() });
        whole
    }

    /// Makes the compressed bytes, once, where the caller takes them.
    async fn compress(&self, key: &RequestKey, whole: &Arc<Whole<Written>>) {
        if self.takes_gzip && written::compress(whole).await && whole.value.is_good() {
            // It has become larger.
            self.service.answers.weigh_again(key, whole);
        }
    }
}

impl Service {
    /// A POST's body, which has to be declared as JSON. The limit counts what arrives, whatever length was announced.
    pub(super) async fn read_body(&self, request: Request) -> Result<Bytes, Refusal> {
        request::check_content_type(request.headers())?;
        let mut body = pin!(Limited::new(request.into_body(), self.bounds.body_bytes()).collect());
        // What came along with the head is waited for by nobody, and no clock.
        let read = match body.as_mut().now_or_never() {
            Some(read) => Ok(read),
            None => timeout(self.bounds.body(), body).await,
        };
        match read {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                self.traffic.refused.body_bytes.inc();
                let message = "The body is longer than this gateway allows.";
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, code::BAD_USER_INPUT, message))
            }
            Ok(Err(_)) => Err(Refusal::bad_input("The body could not be read.")),
            Err(_) => {
                self.traffic.refused.body_time.inc();
                let message = "The body did not arrive in time.";
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, code::DEADLINE_EXCEEDED, message))
            }
        }
    }

    /// From the fields of a request, by whatever transport they came, to the request with the text of the document that
    /// they bring or name.
    pub(super) async fn request(&self, fields: Fields) -> Result<GraphQlRequest, Refusal> {
        request::from_fields(fields, &self.documents).await
    }

    /// The same, where the fields could be read.
    pub(super) async fn requested(&self, fields: Result<Fields, Refusal>) -> Result<GraphQlRequest, Refusal> {
        self.request(fields?).await
    }

    /// Executes within this future and no task of its own: when the connection goes, the work goes.
    pub(super) async fn run(
        &self,
        prepared: Prepared,
        (scopes, credentials): Rights<'_>,
        provenance: Arc<Provenance>,
        deadline: Instant,
    ) -> Ended {
        let _place = self.load.enter().inspect_err(|_| {
            self.traffic.refused.overload.inc();
        })?;
        let context = RequestContext::new(&self.sources, scopes, credentials, &provenance, deadline);
        prepared.execute(&self.schema, context).await.map_err(|failure| match failure {
            Failure::TooLate => too_late(),
            Failure::Panicked => panicked(),
        })
    }
}

/// A request that something inside the gateway went wrong with.
pub(super) fn panicked() -> Refusal {
    let message = "Something went wrong inside the gateway.";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, message)
}

/// A request that could not be answered in time.
pub(super) fn too_late() -> Refusal {
    Refusal::new(StatusCode::GATEWAY_TIMEOUT, code::DEADLINE_EXCEEDED, "The request took too long.")
}
