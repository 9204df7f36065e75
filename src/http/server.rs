//! Accepts connections, and ends without cutting off what is under way. Knows sockets, not routes.
//!
//! `axum::serve` has neither a time limit for a request's head nor one for the shutdown.

use std::{io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time,
};
use tower_http::add_extension::AddExtension;
use tracing::{debug, warn};

use super::connections::Ending;

/// How long a connection may take for a request's head, or wait for the next one. Above the 60 s for which load
/// balancers commonly keep a connection, so that theirs is the side that closes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// The pause after an `accept` that failed because the process has too many files open: nothing else would end soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` ends, then gives what is in flight `grace` to finish. True: everything did.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>, grace: Duration) -> bool {
    // Every connection holds a receiver: it hears of the end, and is counted while it lives.
    let (ending, end) = watch::channel(());
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, router.clone(), end.clone()))),
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

async fn connection(stream: TcpStream, router: Router, mut end: watch::Receiver<()>) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let service = TowerToHyperService::new(AddExtension::new(router, Ending::new(end.clone())));
    // Upgrades are for the WebSocket.
    let serving = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
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
