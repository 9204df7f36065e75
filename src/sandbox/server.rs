//! What both upstreams share on the way from socket to answer: connections, request log, latency and faults.
//! Knows neither routes nor records.

mod connection;

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    http::header::CONTENT_LENGTH,
    response::Response,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::{net::TcpListener, sync::watch, time::sleep};

use self::connection::{Accepting, Caller, Connection};
use super::{
    FaultKind, Knobs, LoggedRequest,
    brainstem::{self, Generation},
    exchange::{Answer, Request},
    haut_ai::{self, Logins},
    store::Store,
};

/// Bodies beyond this are refused.
const BODY_LIMIT: usize = 8 << 20;

/// One upstream's state.
pub(super) struct Inner {
    pub(super) url: String,
    pub(super) api: Api,
    knobs: Mutex<Knobs>,
    store: Mutex<Store>,
    log: Mutex<Log>,
    /// Sent of bodies that are too large.
    pub(super) huge_bytes: AtomicU64,
    /// Changes when the sandbox is gone.
    stop: watch::Receiver<()>,
}

/// Which of the upstreams it is, with what only that one keeps.
pub(super) enum Api {
    HautAi(Mutex<Logins>),
    BrainStem(Generation),
}

impl Api {
    pub(super) fn haut_ai() -> Self {
        Self::HautAi(Mutex::default())
    }
}

/// A panic of one request's thread must not hide what another test wants to read.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    pub(super) fn knobs(&self) -> MutexGuard<'_, Knobs> {
        lock(&self.knobs)
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        lock(&self.log)
    }

    pub(super) fn expire_logins(&self) {
        if let Api::HautAi(logins) = &self.api {
            lock(logins).expire_access();
        }
    }

    fn answer(&self, request: &Request, knobs: &Knobs) -> Answer {
        let mut store = self.store();
        match &self.api {
            Api::HautAi(logins) => haut_ai::answer(request, knobs, &mut store, &mut lock(logins)),
            Api::BrainStem(generation) => brainstem::answer(request, knobs, &mut store, *generation),
        }
    }

    /// Waits, but not longer than the sandbox lives.
    async fn pause(&self, duration: Duration) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = sleep(duration) => {}
            _ = stop.changed() => {}
        }
    }

    async fn until_stopped(&self) {
        self.stop.clone().changed().await.ok();
    }
}

/// The requests so far; each keeps its number when the log is cleared while it is being answered.
#[derive(Default)]
pub(super) struct Log {
    first: usize,
    requests: Vec<LoggedRequest>,
}

impl Log {
    pub(super) fn requests(&self) -> &[LoggedRequest] {
        &self.requests
    }

    pub(super) fn take(&mut self) -> Vec<LoggedRequest> {
        self.first += self.requests.len();
        std::mem::take(&mut self.requests)
    }

    fn push(&mut self, request: LoggedRequest) -> usize {
        self.requests.push(request);
        self.first + self.requests.len() - 1
    }

    fn answered(&mut self, number: usize, status: u16) {
        let index = number.checked_sub(self.first);
        if let Some(request) = index.and_then(|index| self.requests.get_mut(index)) {
            request.status = status;
        }
    }
}

/// Serves one upstream until `stop` changes.
pub(super) fn serve(
    listener: TcpListener,
    api: Api,
    store: Store,
    knobs: Knobs,
    stop: watch::Receiver<()>,
) -> io::Result<Arc<Inner>> {
    let inner = Arc::new(Inner {
        url: format!("http://{}", listener.local_addr()?),
        api,
        knobs: Mutex::new(knobs),
        store: Mutex::new(store),
        log: Mutex::default(),
        huge_bytes: AtomicU64::new(0),
        stop,
    });
    let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
    let service = router.into_make_service_with_connect_info::<Caller>();
    let accepting = Accepting::new(listener, Arc::clone(&inner));
    let stopped = Arc::clone(&inner);
    let server = axum::serve(accepting, service).with_graceful_shutdown(async move { stopped.until_stopped().await });
    tokio::spawn(server.into_future());
    Ok(inner)
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(Caller(connection)): ConnectInfo<Caller>,
    request: axum::extract::Request,
) -> Response {
    let _busy = connection.busy();
    let at = Instant::now();
    let Some(request) = read(request).await else {
        return respond(Answer::html_status(400));
    };
    let number = inner.log().push(LoggedRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        authorization: request.header("authorization").map(str::to_owned),
        status: 0,
        body: request.body.clone(),
        headers: request.headers.clone(),
        connection: connection.number(),
        at,
    });
    let (knobs, fault) = {
        let mut knobs = inner.knobs();
        let fault = knobs.take_fault(&request.method, &request.path, &request.query);
        (knobs.clone(), fault)
    };
    if !knobs.latency.is_zero() {
        inner.pause(knobs.latency).await;
    }
    let response = match fault {
        None => respond(inner.answer(&request, &knobs)),
        Some(fault) => fail(fault, &inner, &request, &knobs, &connection).await,
    };
    if !connection.is_reset() {
        inner.log().answered(number, response.status().as_u16());
    }
    response
}

/// Reads a request to its end; `None` where the body is too large or breaks off.
async fn read(request: axum::extract::Request) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Some(Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: headers.collect(),
        body: to_bytes(body, BODY_LIMIT).await.ok()?.to_vec(),
    })
}

fn respond(answer: Answer) -> Response {
    let body = Body::from(answer.body);
    with_body(answer.status, &answer.headers, body)
}

fn with_body(status: u16, headers: &[(String, String)], body: Body) -> Response {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(body).unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

async fn fail(
    fault: FaultKind,
    inner: &Arc<Inner>,
    request: &Request,
    knobs: &Knobs,
    connection: &Connection,
) -> Response {
    match fault {
        FaultKind::Status(status, body, headers) => {
            let is_json = body.starts_with(['{', '[']);
            let media_type = if is_json { "application/json" } else { "text/plain" };
            let answer = Answer::new(status, media_type, body);
            let answer = headers.iter().fold(answer, |answer, (name, value)| answer.with_header(name, value));
            respond(answer)
        }
        FaultKind::Html(status) => respond(Answer::html_status(status)),
        FaultKind::Hang => {
            inner.until_stopped().await;
            connection.reset();
            Response::default()
        }
        FaultKind::Reset => {
            connection.reset();
            Response::default()
        }
        FaultKind::Truncate => truncated(&inner.answer(request, knobs)),
        FaultKind::SlowBytes(pause) => slow(inner, inner.answer(request, knobs), pause),
        FaultKind::HugeBody(bytes) => huge(bytes, inner),
        FaultKind::Redirect(target) => respond(Answer::html_status(302).with_header("location", &target)),
        FaultKind::Malformed => {
            respond(Answer::new(200, "application/json", "{\"count\": 1, \"subjects\": [{\"id\": ".to_owned()))
        }
        FaultKind::Delay(pause) => {
            inner.pause(pause).await;
            respond(inner.answer(request, knobs))
        }
        FaultKind::ExpireLogins => {
            inner.expire_logins();
            respond(inner.answer(request, knobs))
        }
    }
}

/// Announces the whole body and closes the connection after half of it.
fn truncated(answer: &Answer) -> Response {
    let length = answer.body.len();
    let half = Bytes::copy_from_slice(&answer.body[..length / 2]);
    let body = stream::once(async move { Ok(half) }).chain(stream::once(async {
        // Only what was flushed before the error reaches the client.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }));
    announced(answer.status, &answer.headers, length, Body::from_stream(body))
}

fn slow(inner: &Arc<Inner>, answer: Answer, pause: Duration) -> Response {
    let length = answer.body.len();
    let inner = Arc::clone(inner);
    let body = stream::iter(answer.body).then(move |byte| {
        let inner = Arc::clone(&inner);
        async move {
            inner.pause(pause).await;
            io::Result::Ok(Bytes::copy_from_slice(&[byte]))
        }
    });
    announced(answer.status, &answer.headers, length, Body::from_stream(body))
}

fn announced(status: u16, headers: &[(String, String)], length: usize, body: Body) -> Response {
    let mut headers = headers.to_vec();
    headers.push((CONTENT_LENGTH.as_str().to_owned(), length.to_string()));
    with_body(status, &headers, body)
}

/// `{"detail":"xxxx…"}`, made and counted while it is being sent.
fn huge(bytes: u64, inner: &Arc<Inner>) -> Response {
    const FRAME: (&[u8], &[u8]) = (b"{\"detail\":\"", b"\"}");
    const CHUNK: u64 = 64 << 10;
    static FILLING: [u8; 64 << 10] = [b'x'; 64 << 10];
    let filling = bytes.saturating_sub((FRAME.0.len() + FRAME.1.len()) as u64);
    let chunks = (0..filling.div_ceil(CHUNK)).map(move |index| {
        let length = (filling - index * CHUNK).min(CHUNK);
        Bytes::from_static(&FILLING[..usize::try_from(length).unwrap_or(FILLING.len())])
    });
    let body =
        std::iter::once(Bytes::from_static(FRAME.0)).chain(chunks).chain(std::iter::once(Bytes::from_static(FRAME.1)));
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let inner = Arc::clone(inner);
    let body = stream::iter(body.map(move |chunk| {
        inner.huge_bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        io::Result::Ok(chunk)
    }));
    with_body(200, &headers, Body::from_stream(body))
}
