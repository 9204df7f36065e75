//! Accepts connections, and ends without cutting off what is under way. Knows sockets, not routes.
//!
//! `axum::serve` has neither a time limit for a request's head nor one for the shutdown.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    time,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::{
    answer::Refusal,
    connections::{Connection, Ending},
    metrics::Sockets,
};
use crate::held::Held;

/// How long a connection on which nothing came yet is waited for when the gateway ends: its request may be on the way.
const FIRST: Duration = Duration::from_millis(500);

/// Connections that are taken at the end, of those that wait to be.
const LAST: usize = 1_024;

/// The pause after an `accept` that failed because the process has too many files open: nothing else would end soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is asked of connections.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long one may take for a request's head, or wait for the next one.
    pub head: Duration,
    /// How long a client may take nothing of what is sent to it: one that never reads again would keep its connection, and
    /// what is waiting to be sent, for ever.
    pub write: Duration,
    /// At the same time; one more is told so and closed.
    pub sockets: usize,
    /// How long what is in flight may go on at the end.
    pub grace: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { head: seconds(75), write: seconds(30), sockets: 10_000, grace: Duration::ZERO }
    }
}

/// What is served: [`Front`](super::Front), or a router.
pub trait Serve: Send + Sync + 'static {
    /// The answer to one request of a connection.
    fn answer(&self, request: Request, connection: &Arc<Connection>) -> impl Future<Output = Response> + Send;

    /// What counts its connections.
    fn sockets(&self) -> Sockets {
        Sockets::default()
    }
}

impl Serve for Router {
    async fn answer(&self, request: Request, _: &Arc<Connection>) -> Response {
        let Ok(response) = self.clone().oneshot(request).await;
        response
    }
}

/// Serves until `stop` ends, then gives what is in flight its grace to finish. True: everything did.
pub async fn serve(listener: TcpListener, service: impl Serve, stop: impl Future<Output = ()>, terms: Terms) -> bool {
    let service = Arc::new(service);
    let (places, sockets) = (Arc::new(Semaphore::new(terms.sockets)), service.sockets());
    // Every connection holds a receiver: it hears of the end, and is counted while it lives.
    let (ending, end) = watch::channel(());
    let mut was_full = false;
    let mut begin = |stream: TcpStream, peer: SocketAddr| {
        let place = Arc::clone(&places).try_acquire_owned();
        let was_full = std::mem::replace(&mut was_full, place.is_err());
        let Ok(place) = place else {
            if !was_full {
                warn!(sockets = terms.sockets, "connections are refused: there are as many as LIMITS_SOCKETS allows");
            }
            sockets.refused.inc();
            return refuse(&stream);
        };
        let connection = Connection { peer: peer.ip(), ending: Ending::new(end.clone()) };
        let held = (place, sockets.take());
        drop(tokio::spawn(carry(stream, Arc::clone(&service), connection, end.clone(), terms, held)));
    };
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => begin(stream, peer),
            Err(error) => accept_failed(&error).await,
        }
    }
    take_the_last(listener, &mut begin);
    drop(end);
    ending.send_replace(());
    let finished = time::timeout(terms.grace, ending.closed()).await.is_ok();
    if !finished {
        let open = ending.receiver_count();
        warn!(open, "connections are cut off: their requests did not finish in time");
    }
    finished
}

/// Those whose connections were made by the system already would lose what they sent. The system itself is asked: the runtime may not have heard
/// of them yet.
fn take_the_last(listener: TcpListener, begin: &mut impl FnMut(TcpStream, SocketAddr)) {
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..LAST {
        let Ok((stream, peer)) = listener.accept() else { break };
        if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
            begin(stream, peer);
        }
    }
}

/// Without waiting for the request: whoever sends it slowly would hold the connection.
fn refuse(stream: &TcpStream) {
    let body = Refusal::overloaded("This gateway has as many connections as it allows: try again later.", 1).body();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.try_write(answer.as_bytes());
}

async fn carry(
    stream: TcpStream,
    service: Arc<impl Serve>,
    connection: Connection,
    mut end: watch::Receiver<()>,
    terms: Terms,
    _held: (OwnedSemaphorePermit, Held),
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    // It runs only while something waits to be written: nobody who is idle is cut off.
    stream.set_write_timeout(Some(terms.write));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(terms.head);
    let shared = Arc::new((service, Arc::new(connection)));
    let asked = Arc::new(Notify::new());
    let asks = Arc::clone(&asked);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let shared = Arc::clone(&shared);
        asks.notify_one();
        async move {
            let (service, connection) = &*shared;
            Ok::<_, Infallible>(service.answer(request.map(Body::new), connection).await)
        }
    });
    // Upgrades are for the WebSocket.
    let serving = server.serve_connection(TokioIo::new(Box::pin(stream)), service).with_upgrades();
    tokio::pin!(serving);
    let ended = async {
        let _ = end.changed().await;
        // hyper closes a connection on which nothing came yet at once.
        let _ = time::timeout(FIRST, asked.notified()).await;
    };
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = ended => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        debug!(%error, "a connection ended early");
    }
}

/// A client that is gone already is its own affair; a lack of files is the operator's.
async fn accept_failed(error: &io::Error) {
    let gone = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused];
    if !gone.contains(&error.kind()) {
        warn!(%error, "a connection could not be accepted");
        time::sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use bytes::Bytes;
    use futures::{StreamExt as _, stream};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Tells when it is dropped.
    struct OnDrop(Arc<Notify>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    fn body(chunks: impl stream::Stream<Item = Bytes> + Send + 'static) -> Body {
        Body::from_stream(chunks.map(Ok::<_, Infallible>))
    }

    #[tokio::test]
    async fn one_who_takes_nothing_is_cut_off_and_one_who_is_sent_nothing_is_not() {
        let (cut_off, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (guard, more) = (Arc::clone(&cut_off), Arc::clone(&go_on));
        let endless = async move || {
            let guard = OnDrop(Arc::clone(&guard));
            body(stream::repeat(Bytes::from_static(&[b'x'; 16_384])).inspect(move |_| {
                let _held = &guard;
            }))
        };
        let idle = async move || {
            let more = Arc::clone(&more);
            let then = async move {
                more.notified().await;
                Bytes::from_static(b"second")
            };
            body(stream::iter([Bytes::from_static(b"first")]).chain(stream::once(then)))
        };
        let router = Router::new().route("/endless", get(endless)).route("/idle", get(idle));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = std::future::pending();
        tokio::spawn(serve(listener, router, stop, Terms { write: Duration::from_millis(50), ..Terms::default() }));
        let ask = async |path: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        };
        let mut idle = ask("/idle").await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"first\r\n") {
            answer.push(idle.read_u8().await.unwrap());
        }
        let _never_read = ask("/endless").await;
        cut_off.notified().await;
        go_on.notify_one();
        let mut rest = String::new();
        idle.read_to_string(&mut rest).await.unwrap();
        assert!(rest.contains("second"), "{rest}");
    }
}
