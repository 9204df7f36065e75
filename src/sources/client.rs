//! Sending to the sources: the only place that does.
//!
//! Every request has a time limit and every answer a size limit; redirects are never followed; a source has a bounded
//! number of requests in flight. A read that fails may be sent again ([`retry`]); a source that fails too often is not asked
//! for a while ([`breaker`]). Of what an answer means it knows only whether the source is in order.

use std::{error::Error as _, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Certificate, Client, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use url::Url;

use self::{
    breaker::{Breaker, Pass},
    course::Course,
    metrics::Counts,
    pace::Pace,
    retry::Retries,
};
use super::{Fault, SourceError, resolver::Resolver, write::Attempt};
use crate::{config, domain::Source, held::Held, outgoing, spans::Place, trail::Sending};

mod breaker;
mod course;
mod metrics;
mod pace;
mod retry;

pub use metrics::UpstreamMetrics;

/// An upstream may close a connection after it was idle for 2 s (gunicorn's default); ours are given up before.
const IDLE: Duration = Duration::from_millis(1_500);

/// How a source is talked to.
pub(super) struct UpstreamClient {
    source: Source,
    /// Reads.
    pooled: Client,
    /// Writes, and reads whose connection was closed before an answer: a connection of their own.
    fresh: Client,
    resolver: Resolver,
    permits: Semaphore,
    pace: Pace,
    breaker: Breaker,
    retries: Retries,
    counts: Counts,
    timeout: Duration,
    idle: Duration,
    max_bytes: usize,
}

/// What bounds the talk with a source.
pub(super) struct Bounds<'a> {
    /// One request, with all its tries and pauses.
    pub(super) timeout: Duration,
    pub(super) limits: &'a config::Upstream,
}

/// One request.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Option<Vec<u8>>,
}

impl Request {
    /// A read.
    pub(super) fn get(url: Url, authorization: Option<HeaderValue>) -> Self {
        Self { method: Method::GET, url, authorization, body: None }
    }
}

/// An answer of any status, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Bytes,
}

impl UpstreamClient {
    /// # Errors
    ///
    /// For an https URL on a machine without root certificates.
    pub(super) fn new(
        source: Source,
        url: &Url,
        bounds: &Bounds<'_>,
        metrics: &UpstreamMetrics,
    ) -> anyhow::Result<Self> {
        let (resolver, counts) = (Resolver::default(), metrics.of(source));
        let Bounds { timeout, limits } = *bounds;
        Ok(Self {
            source,
            // No more than can be in flight.
            pooled: build(url, limits.connect, limits.concurrency, &resolver, None)?,
            fresh: build(url, limits.connect, 0, &resolver, None)?,
            resolver,
            permits: Semaphore::new(limits.concurrency),
            pace: Pace::new(limits.rate),
            breaker: Breaker::new(source, &limits.breaker, timeout, counts.clone()),
            retries: Retries::new(&limits.retries),
            counts,
            timeout,
            idle: limits.idle,
            max_bytes: limits.bytes,
        })
    }

    /// For how long the source is not asked, because it failed too often; `None`: it is.
    pub(super) fn paused_for(&self) -> Option<Duration> {
        self.breaker.paused_for()
    }

    /// Sends and reads the answer, all within the source's time limit, waiting for a free place included.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, SourceError> {
        self.send_noting(request, &Attempt::default()).await
    }

    /// The same, and notes whether the server may have acted on it: from when sending begins, unless no connection was made.
    /// A time limit that ends while one is being made counts as sent.
    pub(super) async fn send_noting(&self, request: &Request, attempt: &Attempt) -> Result<Answer, SourceError> {
        let deadline = Instant::now() + self.timeout;
        let sent = timeout_at(deadline, async {
            if request.method == Method::GET {
                self.read(request, deadline).await
            } else {
                self.once(request, attempt, deadline, &mut Course::default()).await
            }
        });
        sent.await.unwrap_or_else(|_| Err(self.error(Fault::Timeout)))
    }

    /// Sends a read, and again where that may help.
    async fn read(&self, request: &Request, deadline: Instant) -> Result<Answer, SourceError> {
        let mut tries = self.retries.begin();
        let mut course = Course::default();
        let mut outcome = self.once(request, &Attempt::default(), deadline, &mut course).await;
        if !matches!(&outcome, Err(SourceError { fault: Fault::Paused { .. }, .. })) {
            tries.was_sent();
        }
        while let Some(pause) = tries.pause(&outcome, deadline, &self.counts) {
            pause.await;
            match self.once(request, &Attempt::default(), deadline, &mut course).await {
                // What made it so tells more.
                Err(SourceError { fault: Fault::Paused { .. }, .. }) => break,
                next => outcome = next,
            }
        }
        outcome
    }

    /// One try, unless the source is not to be asked.
    async fn once(
        &self,
        request: &Request,
        attempt: &Attempt,
        deadline: Instant,
        course: &mut Course,
    ) -> Result<Answer, SourceError> {
        let closed = |_| self.error(Fault::Unreachable("the gateway is stopping"));
        let paused = |left| self.error(Fault::Paused { retry_after: left });
        self.breaker.check().map_err(paused)?;
        let _permit = self.permits.acquire().await.map_err(closed)?;
        self.pace.wait(|| self.breaker.check().map_err(paused)).await?;
        // Once more: the source may have failed for those who had the places.
        let pass = self.breaker.admit().map_err(paused)?;
        let (sending, _sent) = (Sending::begin(self.source), Held::on(&self.counts.in_flight));
        course.describe(request, &sending.place);
        let began = Instant::now();
        let outcome = timeout_at(deadline, self.exchange(request, attempt, course, &sending.place)).await;
        self.counts.duration.observe(began.elapsed().as_secs_f64());
        let Ok(outcome) = outcome else {
            pass.ran_out();
            sending.place.fail();
            return Err(self.error(Fault::Timeout));
        };
        tell(pass, &outcome);
        course::describe_end(&outcome, &sending.place);
        outcome
    }

    async fn exchange(
        &self,
        request: &Request,
        attempt: &Attempt,
        course: &mut Course,
        place: &Place,
    ) -> Result<Answer, SourceError> {
        let is_read = request.method == Method::GET;
        let client = if is_read && !course.is_doubtful { &self.pooled } else { &self.fresh };
        course.sent += 1;
        attempt.sent();
        let mut sent = self.execute(client, request, place).await;
        if sent.as_ref().is_err_and(reqwest::Error::is_connect) {
            attempt.not_executed();
            self.resolver.doubt().await;
        }
        if is_read && !course.is_doubtful && sent.as_ref().is_err_and(was_closed_before_an_answer) {
            course.is_doubtful = true;
            place.note("sent again on a connection of its own");
            sent = self.execute(&self.fresh, request, place).await;
        }
        let mut response = sent.map_err(|error| self.error(fault(&error)))?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(retry_after);
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(self.error(Fault::Invalid("the answer is larger than LIMITS_UPSTREAM_BYTES")));
            }
            self.counts.bytes.inc_by(chunk.len() as u64);
            body.extend_from_slice(&chunk);
        }
        self.counts.answered_with(response.status());
        Ok(Answer { status: response.status(), retry_after, body: body.freeze() })
    }

    async fn chunk(&self, response: &mut reqwest::Response) -> Result<Option<Bytes>, SourceError> {
        match timeout(self.idle, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.error(fault(&error))),
            Err(_) => Err(self.error(Fault::Timeout)),
        }
    }

    async fn execute(&self, client: &Client, request: &Request, place: &Place) -> reqwest::Result<reqwest::Response> {
        let mut headers = HeaderMap::new();
        place.tell(&mut headers);
        // Without it, servers built on Django REST framework may answer with HTML.
        let mut builder = client
            .request(request.method.clone(), request.url.clone())
            .headers(headers)
            .header(ACCEPT, "application/json");
        if let Some(authorization) = &request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        builder.send().await
    }

    fn error(&self, fault: Fault) -> SourceError {
        SourceError { of: self.source, fault }
    }
}

/// `root`: a certificate to trust beside the system's.
fn build(
    url: &Url,
    connect: Duration,
    idle_connections: usize,
    resolver: &Resolver,
    root: Option<Certificate>,
) -> anyhow::Result<Client> {
    let builder = outgoing::builder(url, root)?
        .connect_timeout(connect)
        .dns_resolver(resolver.clone())
        // A request is one packet or a few: none waits for more to send.
        .tcp_nodelay(true)
        // HTTP/2 is spoken where the server offers it; its window follows what the line can carry.
        .http2_adaptive_window(true)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle_connections);
    outgoing::build(builder)
}

/// Notes whether the source is in order. A refusal is an answer, and so is one that can't be used: it came.
fn tell(pass: Pass<'_>, outcome: &Result<Answer, SourceError>) {
    match outcome {
        // Mostly of this one request: a record that a server stumbles over must not keep others from the rest.
        Ok(answer) if answer.status == StatusCode::INTERNAL_SERVER_ERROR => pass.answered_oddly(),
        // Whoever checks credentials may do so before a server that is broken, and callers may bring any.
        Ok(answer) if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            pass.answered_oddly();
        }
        Ok(answer) if answer.status.is_server_error() => pass.failed(),
        Err(SourceError { fault: Fault::Timeout | Fault::Unreachable(_), .. }) => pass.failed(),
        Ok(_) | Err(_) => pass.answered(),
    }
}

/// The connection ended before the head of the answer had come, as it does where the upstream had given it up while it
/// lay idle. A read may go again.
fn was_closed_before_an_answer(error: &reqwest::Error) -> bool {
    error.is_request() && !error.is_connect() && !error.is_timeout()
}

/// Neither the URL nor the text of the error, which may hold it, goes on from here.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_timeout() {
        Fault::Timeout
    } else if error.is_connect() {
        Fault::Unreachable("no connection could be made")
    } else if error.is_decode() && !is_of_the_connection(error) {
        Fault::Invalid("the answer's encoding is broken")
    } else {
        Fault::Unreachable("the connection broke before the answer was whole")
    }
}

/// While a body is read, reqwest calls a broken connection a broken encoding.
fn is_of_the_connection(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<hyper::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Seconds; the other form, an HTTP date, is not used by the upstreams' framework.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use futures::future::join_all;
    use hyper::{server::conn::http2, service::service_fn};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio::{net::TcpListener, sync::Barrier};
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::config::Config;

    fn client(url: &Url, variables: &[(&str, &str)]) -> UpstreamClient {
        let variables = [("BRAINSTEM_PORTAL", "public")].iter().chain(variables).copied();
        let config = Config::from_variables(variables).unwrap();
        let bounds = Bounds { timeout: config.brainstem.unwrap().timeout, limits: &config.limits.upstream };
        UpstreamClient::new(Source::BrainStem, url, &bounds, &UpstreamMetrics::default()).unwrap()
    }

    /// For 127.0.0.1, and nobody trusts it but who is told to.
    const CERTIFICATE: &[u8] = include_bytes!("../../tests/fixtures/tls/certificate.der");
    const KEY: &[u8] = include_bytes!("../../tests/fixtures/tls/key.der");

    #[tokio::test]
    async fn a_write_that_finds_no_free_place_is_for_certain_not_sent() {
        let url = Url::parse("http://127.0.0.1:9/").unwrap();
        let client = client(&url, &[("BRAINSTEM_TIMEOUT_MS", "10"), ("LIMITS_UPSTREAM_CONCURRENCY", "1")]);
        let request = Request { method: Method::POST, url, authorization: None, body: None };
        let attempt = Attempt::default();
        let taken = client.permits.acquire().await.unwrap();
        let error = client.send_noting(&request, &attempt).await.err().unwrap();
        assert_eq!((error.fault, attempt.may_be_executed()), (Fault::Timeout, false));
        drop(taken);
        // Nobody listens there.
        let error = client.send_noting(&request, &attempt).await.err().unwrap();
        assert!(matches!(error.fault, Fault::Unreachable(_)) && !attempt.may_be_executed());
    }

    /// How many requests came on each connection, by the client's port.
    type Seen = Mutex<BTreeMap<u16, usize>>;

    /// Speaks HTTP/2 and nothing else, and answers when so many requests have come as the barrier is for.
    async fn speaking_http_2(listener: TcpListener, seen: Arc<Seen>, together: Arc<Barrier>) {
        let key = PrivatePkcs8KeyDer::from(KEY).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut tls = tls.with_no_client_auth().with_single_cert(vec![CERTIFICATE.into()], key).unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(tls));
        loop {
            let (stream, client) = listener.accept().await.unwrap();
            let (seen, together, tls) = (Arc::clone(&seen), Arc::clone(&together), tls.clone());
            let service = service_fn(move |_| {
                *seen.lock().unwrap().entry(client.port()).or_default() += 1;
                let together = Arc::clone(&together);
                async move {
                    together.wait().await;
                    Ok::<_, Infallible>(hyper::Response::new("{}".to_owned()))
                }
            });
            tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    let connection = http2::Builder::new(TokioExecutor::new());
                    connection.serve_connection(TokioIo::new(stream), service).await.ok();
                }
            });
        }
    }

    #[tokio::test]
    async fn reads_share_a_connection_where_the_server_speaks_http_2() {
        const READS: usize = 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
        let mut client = client(&url, &[("LIMITS_UPSTREAM_TRIES", "1"), ("LIMITS_UPSTREAM_CONCURRENCY", "20")]);
        let root = Certificate::from_der(CERTIFICATE).unwrap();
        client.pooled = build(&url, Duration::from_secs(5), READS, &client.resolver, Some(root)).unwrap();
        let seen = Arc::<Seen>::default();
        let server = speaking_http_2(listener, Arc::clone(&seen), Arc::new(Barrier::new(READS)));
        let server = tokio::spawn(server);
        let request = Request::get(url, None);
        // No answer comes before all requests are there. The first ones may have begun connections of their own.
        for _ in 0..2 {
            seen.lock().unwrap().clear();
            for answer in join_all((0..READS).map(|_| client.send(&request))).await {
                assert_eq!(answer.ok().unwrap().body, "{}");
            }
        }
        assert_eq!(seen.lock().unwrap().values().collect::<Vec<_>>(), [&READS]);
        server.abort();
    }
}
