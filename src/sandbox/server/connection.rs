//! TCP connections that are numbered, can be dropped without an answer and can be closed when idle.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};

use super::Inner;

/// How long to wait after a failed accept: usually the process has too many open files.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// What a request may know and say about the connection that carries it.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    busy: AtomicBool,
    reset: AtomicBool,
}

impl Connection {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Lets nothing more out: the client sees the connection end.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    /// A busy connection is not idle, however long its answer takes.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.busy.store(true, Ordering::Release);
        Busy(self)
    }
}

pub(super) struct Busy<'a>(&'a Connection);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

pub(super) struct Accepting {
    listener: TcpListener,
    inner: Arc<Inner>,
    accepted: u64,
}

impl Accepting {
    pub(super) fn new(listener: TcpListener, inner: Arc<Inner>) -> Self {
        Self { listener, inner, accepted: 0 }
    }
}

impl Listener for Accepting {
    type Io = Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        let (tcp, address) = loop {
            match self.listener.accept().await {
                Ok(accepted) => break accepted,
                Err(_) => sleep(AFTER_FAILED_ACCEPT).await,
            }
        };
        tcp.set_nodelay(true).ok();
        self.accepted += 1;
        let connection =
            Arc::new(Connection { number: self.accepted, busy: AtomicBool::new(false), reset: AtomicBool::new(false) });
        let stream = Stream { tcp, connection, inner: Arc::clone(&self.inner), idle: None };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// The connection of a request, for whoever answers it.
#[derive(Clone)]
pub(super) struct Caller(pub(super) Arc<Connection>);

impl Connected<IncomingStream<'_, Accepting>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Accepting>) -> Self {
        Self(Arc::clone(&stream.io().connection))
    }
}

/// A TCP stream with a [`Connection`] beside it.
pub(super) struct Stream {
    tcp: TcpStream,
    connection: Arc<Connection>,
    inner: Arc<Inner>,
    idle: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    fn close_idle_after(&self) -> Option<Duration> {
        let busy = self.connection.busy.load(Ordering::Acquire);
        if busy { None } else { self.inner.knobs().close_idle_after }
    }

    fn check(&self) -> io::Result<()> {
        if self.connection.is_reset() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.tcp).poll_read(context, buffer) {
            this.idle = None;
            return Poll::Ready(read);
        }
        let Some(after) = this.close_idle_after() else {
            this.idle = None;
            return Poll::Pending;
        };
        let idle = this.idle.get_or_insert_with(|| Box::pin(sleep(after)));
        ready!(idle.as_mut().poll(context));
        // Nothing was read: the end of the stream.
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        let written = ready!(Pin::new(&mut self.get_mut().tcp).poll_write(context, bytes));
        read_again(context);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        let written = ready!(Pin::new(&mut self.get_mut().tcp).poll_write_vectored(context, bytes));
        read_again(context);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(context)
    }
}

/// The server does not read again by itself after an answer if a read was pending before it, but idle time starts there.
fn read_again(context: &Context<'_>) {
    context.waker().wake_by_ref();
}
