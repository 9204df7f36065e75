//! Carries a WebSocket: what comes in, what goes out, and async-graphql in between, side by side in one task.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use async_graphql::{Data, Executor, Request, Response};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
};
use futures::{
    Sink, SinkExt as _, Stream, StreamExt as _,
    channel::mpsc::{self, Receiver, Sender},
    future,
    stream::BoxStream,
};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, SetOnce},
    time::{Duration, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::info;

use super::protocol::{Close, Name, Protocol, REFUSED, Received, Sent};
use crate::{
    access::{Caller, Denied},
    held::Held,
    http::{
        Service, WEBSOCKET,
        account::{self, Operation},
        answer::Refusal,
        connections::Ending,
        layers::Notes,
        metrics::{Transport, Watch},
    },
    loaders::Credentials,
    schema::streaming::{self, Step, UnderWay},
};

/// How long a client may take to hear why the connection ends.
const CLOSING: Duration = Duration::from_secs(2);

/// A connection and what it holds.
pub(super) struct Connection {
    pub(super) service: Arc<Service>,
    /// Whom the handshake's headers show.
    pub(super) caller: Option<Caller>,
    /// What the handshake's headers show to the sources.
    pub(super) credentials: Credentials,
    pub(super) protocol: GraphQLProtocol,
    /// The address at the other end.
    pub(super) peer: IpAddr,
    pub(super) ending: Ending,
    pub(super) place: OwnedSemaphorePermit,
    /// Of the request that opened it.
    pub(super) notes: Notes,
}

/// What is shown to the sources.
struct Shown {
    of_handshake: Credentials,
    /// With what `connection_init` shows beside; there from then on.
    all: OnceLock<Credentials>,
}

/// Ends a connection that is not wanted.
pub(super) async fn close_at_once(socket: WebSocket, close: Close) {
    let (sink, stream) = socket.split();
    say_goodbye(sink, stream, close).await;
}

/// Says why, and waits for the client to hang up: where a connection is closed with something unread, a client may lose
/// what it was sent last.
async fn say_goodbye(
    mut sink: impl Sink<Message> + Unpin,
    mut stream: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    Close { code, reason }: Close,
) {
    let frame = Message::Close(Some(CloseFrame { code, reason: reason.as_ref().into() }));
    let goodbye = async {
        // Whoever is gone already needs no reason.
        if sink.send(frame).await.is_ok() {
            while let Some(Ok(_)) = stream.next().await {}
        }
    };
    let _ = timeout(CLOSING, goodbye).await;
}

impl Connection {
    /// Carries the connection to its end.
    pub(super) async fn carry(self, socket: WebSocket) {
        let (began, _open) = (Instant::now(), Held::on(&self.service.traffic.websockets));
        let Self { service, caller, credentials, protocol, peer, mut ending, place, notes } = self;
        let caller = Arc::new(SetOnce::new_with(caller));
        let (mut sink, mut stream) = socket.split();
        // Without room: what async-graphql does not take is not read, and what the client does not take is not produced.
        let (to_graphql, from_client) = mpsc::channel(0);
        let (to_client, from_graphql) = mpsc::channel(0);
        let (answers, answered) = mpsc::channel(0);
        let credentials = Arc::new(Shown { of_handshake: credentials, all: OnceLock::new() });
        let under_way = UnderWay::default();
        let operations = Operations {
            service: Arc::clone(&service),
            caller: Arc::clone(&caller),
            credentials: Arc::clone(&credentials),
            under_way: under_way.clone(),
            notes: notes.clone(),
        };
        let graphql = GraphQLWebSocket::new_with_pair(to_client, from_client, operations, protocol);
        let graphql = graphql.on_ping(|_, payload| future::ready(Ok(payload))).serve();
        let line = Line::new(service, Arc::clone(&caller), credentials, peer, place);
        let graphql = async {
            graphql.await;
            // What it sent last is still on its way out.
            future::pending::<()>().await;
        };
        let close = tokio::select! {
            // In this order: what is there to be sent is sent before an end is noticed.
            biased;
            () = graphql => None,
            close = line.outward(&mut sink, from_graphql, answered) => close,
            close = line.inward(&mut stream, to_graphql, answers) => close,
            () = line.wait_for_init() => Some(Close::NO_INIT),
            () = line.end_after(line.outlived(), &under_way) => Some(Close::OUTLIVED),
            () = line.end_after(ending.begun(), &under_way) => Some(Close::GOING_AWAY),
        };
        let code = close.as_ref().map(|close| close.code);
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let caller = caller.get().and_then(|caller| caller.name.as_deref());
        info!(code, duration_ms, request_id = notes.id_in_words(), caller, "a WebSocket ended");
        if let Some(close) = close {
            say_goodbye(sink, stream, close).await;
        }
        // The gateway's end waits for the goodbye, too.
        drop(ending);
    }
}

/// What both directions share.
struct Line {
    service: Arc<Service>,
    /// There from `connection_init` on.
    caller: Arc<SetOnce<Caller>>,
    credentials: Arc<Shown>,
    peer: IpAddr,
    /// A stranger's until somebody is let in.
    place: Mutex<OwnedSemaphorePermit>,
    protocol: Mutex<Protocol>,
    /// When the client last gave a sign of life.
    heard: Mutex<Instant>,
    /// Whether it goes on only until what was begun is answered.
    is_ending: AtomicBool,
}

impl Line {
    fn new(
        service: Arc<Service>,
        caller: Arc<SetOnce<Caller>>,
        credentials: Arc<Shown>,
        peer: IpAddr,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let protocol = Mutex::new(Protocol::new(service.bounds.max_operations()));
        let (place, heard) = (Mutex::new(place), Mutex::new(Instant::now()));
        Self { service, caller, credentials, peer, place, protocol, heard, is_ending: AtomicBool::new(false) }
    }

    /// From the client to async-graphql, until one of them ends or the client breaks the protocol.
    async fn inward(
        &self,
        mut client: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
        mut graphql: Sender<Result<Message, axum::Error>>,
        mut answers: Sender<String>,
    ) -> Option<Close> {
        while let Some(Ok(message)) = client.next().await {
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let text = match message {
                Message::Text(text) if text.len() > self.service.bounds.body_bytes() => return Some(Close::TOO_LARGE),
                Message::Text(text) => text,
                Message::Binary(_) => return Some(Close::NOT_TEXT),
                // A ping is answered further down, and so is a close: after it nothing comes.
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
            };
            let received = match self.protocol().receive(&text) {
                Ok(received) => received,
                Err(close) => return Some(close),
            };
            let passed_on = match received {
                Received::Init(payload) => match self.take(&payload).await {
                    Ok(()) => graphql.send(Ok(Message::Text(text))).await,
                    Err(close) => return Some(close),
                },
                Received::PassOn => graphql.send(Ok(Message::Text(text))).await,
                Received::Stop(name) => graphql.send(Ok(stop(name))).await,
                Received::Start { name, request } => match self.begin(request).await {
                    Ok(request) => graphql.send(Ok(start(name, &request))).await,
                    Err(refusal) => {
                        self.service.count_refusal(Transport::WebSocket, &refusal);
                        let answer = self.protocol().refuse(name, &refusal.error());
                        answers.send(answer).await
                    }
                },
                Received::Answer(answer) => {
                    self.service.traffic.refused.subscriptions.inc();
                    answers.send(answer).await
                }
                Received::Ignore => Ok(()),
            };
            passed_on.ok()?;
        }
        None
    }

    /// Waits for what ends the connection. What was begun by then is still answered; nothing else is begun.
    async fn end_after(&self, end: impl Future<Output = ()>, under_way: &UnderWay) {
        end.await;
        self.is_ending.store(true, Ordering::Relaxed);
        under_way.none().await;
    }

    /// Counts an operation among those that its caller may begin, and makes a request of it.
    async fn begin(&self, request: Map<String, Value>) -> Result<async_graphql::Request, Refusal> {
        if self.is_ending.load(Ordering::Relaxed) {
            return Err(Refusal::overloaded("This connection ends: open another one.", 1));
        }
        let who = self.caller.get().and_then(|caller| caller.identity);
        self.service.load.count(who, self.peer, NonZeroU32::MIN).await.inspect_err(|_| {
            self.service.traffic.refused.rate.inc();
        })?;
        self.service.request(request).await
    }

    /// Takes what `connection_init` shows, beside what the handshake did.
    async fn take(&self, payload: &Map<String, Value>) -> Result<(), Close> {
        self.admit(payload).await?;
        let Shown { of_handshake, all } = &*self.credentials;
        let credentials = self.service.credentials_of_init(of_handshake.clone(), payload);
        let credentials = credentials.map_err(|refusal| Close::bad_init(refusal.message))?;
        all.get_or_init(|| credentials);
        Ok(())
    }

    /// Lets the caller in by what `connection_init` shows, or by what the handshake did.
    async fn admit(&self, payload: &Map<String, Value>) -> Result<(), Close> {
        let (access, credential) = (&self.service.access, self.service.credential.as_str());
        let admitted = match payload.iter().find(|(name, _)| name.eq_ignore_ascii_case(credential)) {
            None if self.caller.get().is_some() => return Ok(()),
            None => access.admit(None).await,
            Some((_, shown)) => access.admit(shown.as_str().map(str::as_bytes)).await,
        };
        // Where both show something, both have to be let in, and the handshake counts.
        match admitted {
            Ok(caller) => {
                if self.caller.set(caller).is_ok() {
                    let place = self.service.connections.enter().ok_or_else(|| {
                        self.service.traffic.refused.connections.inc();
                        Close::FULL
                    })?;
                    *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
                }
                Ok(())
            }
            Err(Denied::CantTell) => Err(Close::CANT_TELL),
            Err(_) => Err(Close::FORBIDDEN),
        }
    }

    /// Ends when what let the caller in is no longer good.
    async fn outlived(&self) {
        self.service.access.outlived(self.caller.wait().await).await;
    }

    /// From async-graphql to the client, with pings in between, until one of them ends or the client falls silent.
    async fn outward(
        &self,
        client: &mut (impl Sink<Message> + Unpin),
        mut graphql: Receiver<Message>,
        mut answers: Receiver<String>,
    ) -> Option<Close> {
        let mut pings = interval(self.service.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let message = tokio::select! {
                message = graphql.next() => match message? {
                    Message::Text(text) => match self.protocol().send(&text) {
                        Sent::AsItIs => Message::Text(text),
                        Sent::Instead(other) => Message::Text(other.into()),
                        Sent::Nothing => continue,
                    },
                    other => other,
                },
                Some(answer) = answers.next() => Message::Text(answer.into()),
                _ = pings.tick() => {
                    if self.is_silent() {
                        return Some(Close::SILENT);
                    }
                    Message::Ping(Bytes::new())
                }
            };
            if let Message::Text(text) = &message {
                self.service.traffic.sent(WEBSOCKET, text.len());
            }
            client.send(message).await.ok()?;
        }
    }

    /// Whether two pings went out without any sign of life.
    fn is_silent(&self) -> bool {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.elapsed() > 2 * self.service.ping
    }

    /// Ends when the client has let the time for its `connection_init` pass.
    async fn wait_for_init(&self) {
        sleep(self.service.bounds.init()).await;
        if self.protocol().has_init() {
            std::future::pending::<()>().await;
        }
    }

    fn protocol(&self) -> MutexGuard<'_, Protocol> {
        // Nothing panics while it is held.
        self.protocol.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes async-graphql start an operation.
fn start(name: Name, request: &Request) -> Message {
    let Request { query, operation_name, variables, extensions, .. } = request;
    let payload =
        json!({"query": query, "operationName": operation_name, "variables": variables, "extensions": extensions});
    Message::Text(json!({"type": "subscribe", "id": name.to_string(), "payload": payload}).to_string().into())
}

/// Makes it stop one.
fn stop(name: Name) -> Message {
    Message::Text(json!({"type": "complete", "id": name.to_string()}).to_string().into())
}

/// Runs what async-graphql is asked to start.
#[derive(Clone)]
struct Operations {
    service: Arc<Service>,
    caller: Arc<SetOnce<Caller>>,
    credentials: Arc<Shown>,
    under_way: UnderWay,
    notes: Notes,
}

impl Executor for Operations {
    async fn execute(&self, request: Request) -> Response {
        self.execute_stream(request, None).next().await.unwrap_or_default()
    }

    fn execute_stream(&self, request: Request, _: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        // None is granted before `connection_init`, and nothing begins before it.
        let scopes = self.caller.get().map(|caller| caller.scopes).unwrap_or_default();
        let Shown { of_handshake, all } = &*self.credentials;
        let caller = self.service.caller(scopes, all.get().unwrap_or(of_handshake).clone());
        let caller = streaming::Caller { under_way: self.under_way.clone(), ..caller };
        let mut watch = Watch::new(&self.service, Transport::WebSocket, &request, &caller);
        let named = Operation::of(&request);
        let steps = streaming::run(self.service.schema.clone(), caller, request, false);
        let told = account::told(account::WEBSOCKET, &self.notes, self.caller.get(), named, steps);
        told.inspect(move |step| watch.saw(step)).map(answer).boxed()
    }
}

fn answer(step: Step) -> Response {
    match step {
        Step::Answer(response) => *response,
        Step::Refused(errors) => Response::from_errors(errors).extension(REFUSED, true.into()),
    }
}
