//! Accepts connections, and ends without cutting off what is under way. Knows sockets, not routes.
//!
//! `axum::serve` has neither a time limit for a request's head nor one for the shutdown.

use std::{convert::Infallible, io, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use super::connections::Ending;

/// How long a connection may take for a request's head, or wait for the next one. Above the 60 s for which load
/// balancers commonly keep a connection, so that theirs is the side that closes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// The pause after an `accept` that failed because the process has too many files open: nothing else would end soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a client may take nothing of what is sent to it: one that never reads again would keep its connection, and
/// what is waiting to be sent, for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What is served: [`Front`](super::Front), or a router.
pub trait Serve:
    tower::Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Serve for S where
    S: tower::Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves until `stop` ends, then gives what is in flight `grace` to finish. True: everything did.
pub async fn serve(
    listener: TcpListener,
    service: impl Serve,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> bool {
    accept(listener, service, stop, grace, WRITE_TIMEOUT).await
}

async fn accept(
    listener: TcpListener,
    service: impl Serve,
    stop: impl Future<Output = ()>,
    grace: Duration,
    write_timeout: Duration,
) -> bool {
    // Every connection holds a receiver: it hears of the end, and is counted while it lives.
    let (ending, end) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                drop(tokio::spawn(connection(stream, service.clone(), end.clone(), write_timeout)));
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop((listener, end));
    ending.send_replace(());
    let finished = time::timeout(grace, ending.closed()).await.is_ok();
    if !finished {
        let open = ending.receiver_count();
        warn!(open, "connections are cut off: their requests did not finish in time");
    }
    finished
}

async fn connection(stream: TcpStream, service: impl Serve, mut end: watch::Receiver<()>, write_timeout: Duration) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    // It runs only while something waits to be written: nobody who is idle is cut off.
    stream.set_write_timeout(Some(write_timeout));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let ending = Ending::new(end.clone());
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ending.clone());
        service.clone().oneshot(request)
    });
    // Upgrades are for the WebSocket.
    let serving = server.serve_connection(TokioIo::new(Box::pin(stream)), service).with_upgrades();
    tokio::pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        _ = end.changed() => {
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
    use std::sync::Arc;

    use axum::{Router, routing::get};
    use bytes::Bytes;
    use futures::{StreamExt as _, stream};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::Notify,
    };

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
        tokio::spawn(accept(listener, router, stop, Duration::ZERO, Duration::from_millis(50)));
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
