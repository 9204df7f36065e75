//! Clients of connections that stay: WebSockets and streams of events, as bytes on real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    http::{Method, header::CONTENT_TYPE},
};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use subject_gateway::http::server;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    http::{self, Answer},
    util::{Builder, TestApp},
};

/// Longer than anything here takes: a test that hangs says where.
const PATIENCE: Duration = Duration::from_secs(30);
/// Shutting down takes no longer than what is open needs.
const GRACE: Duration = Duration::from_secs(20);
/// The smallest buffer that the system gives, so that a client that does not read is noticed soon.
const SMALL_BUFFER: u32 = 4_096;

pub(crate) const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

/// What happens within reason.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it takes too long")
}

/// A gateway that listens.
pub(crate) struct Gateway {
    pub(crate) app: TestApp,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<bool>,
}

impl Gateway {
    pub(crate) async fn new() -> Self {
        Self::of(TestApp::builder()).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let app = builder.build().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async move { drop(stopped.await) };
        let serving = tokio::spawn(server::serve(listener, app.app.front(), stopped, GRACE));
        Self { app, address, stop, serving }
    }

    /// Begins to shut down; gives whether everything finished.
    pub(crate) fn shut_down(self) -> JoinHandle<bool> {
        self.stop.send(()).unwrap();
        self.serving
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(SMALL_BUFFER).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends a request's head and body as they are.
    async fn send(&self, head: &str, headers: &[(&str, &str)], body: &str) -> (String, TcpStream) {
        let mut stream = self.connect().await;
        let host = self.host();
        let own = [("host", host.as_str())];
        // A header that is given takes the place of ours.
        let own = own.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
        let lines = own.chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
        let request = format!("{head} HTTP/1.1\r\n{}\r\n{body}", lines.collect::<String>());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(soon(stream.read_u8()).await.unwrap());
        }
        (String::from_utf8(answer).unwrap().to_ascii_lowercase(), stream)
    }

    /// A handshake with these headers: the answer's head, and the connection.
    pub(crate) async fn upgrade(&self, headers: &[(&str, &str)]) -> (String, TcpStream) {
        let usual = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers: Vec<_> = usual.iter().chain(headers).copied().collect();
        self.send("GET /graphql/ws", &headers, "").await
    }

    /// A WebSocket whose handshake had these headers.
    pub(crate) async fn open(&self, headers: &[(&str, &str)]) -> Socket {
        let (head, stream) = self.upgrade(headers).await;
        assert!(head.starts_with("http/1.1 101"), "{head}");
        Socket { stream: WebSocketStream::from_raw_socket(stream, Role::Client, None).await, head }
    }

    /// A WebSocket that was acknowledged.
    pub(crate) async fn socket(&self) -> Socket {
        let mut socket = self.open(&[PROTOCOL]).await;
        socket.init().await;
        socket
    }

    /// An acknowledged WebSocket with one subscription, `"1"`, that has begun.
    pub(crate) async fn subscribed(&self, query: &str, variables: Value) -> Socket {
        let mut socket = self.socket().await;
        socket.subscribe("1", query, variables).await;
        socket.settle().await;
        socket
    }

    /// A stream of events that has begun.
    pub(crate) async fn stream(&self, query: &str, variables: Value) -> Events {
        let body = json!({"query": query, "variables": variables}).to_string();
        let length = body.len().to_string();
        let headers =
            [("content-type", "application/json"), ("accept", "text/event-stream"), ("content-length", &length)];
        Events::new(self.send("POST /graphql/stream", &headers, &body).await)
    }

    /// Streams of events from the address for JSON, by POST and by GET, for one who accepts nothing else.
    pub(crate) async fn streams_from_graphql(&self, query: &str) -> [Events; 2] {
        let body = json!({"query": query}).to_string();
        let length = body.len().to_string();
        let accept = ("accept", "text/event-stream");
        let headers = [("content-type", "application/json"), accept, ("content-length", &length)];
        let posted = Events::new(self.send("POST /graphql", &headers, &body).await);
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        [posted, Events::new(self.send(&format!("GET /graphql?{query}"), &[accept], "").await)]
    }

    /// A stream of events, as soon as there is a place for it.
    pub(crate) async fn stream_when_free(&self, query: &str) -> Events {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let head = format!("GET /graphql/stream?{query}");
        loop {
            let (answer, stream) = self.send(&head, &[], "").await;
            if !answer.starts_with("http/1.1 503") {
                return Events::new((answer, stream));
            }
            tokio::task::yield_now().await;
        }
    }

    /// A stream of events that was asked for as a browser does.
    pub(crate) async fn stream_by_get(&self, query: &str) -> Events {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        let head = format!("GET /graphql/stream?{query}");
        Events::new(self.send(&head, &[("accept", "text/event-stream")], "").await)
    }

    /// `POST /admin/purge`
    pub(crate) async fn purge_answer(&self, body: &Value) -> Answer {
        let request = http::request(Method::POST, "/admin/purge").header(CONTENT_TYPE, "application/json");
        http::send(self.app.app.front(), request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Purges; gives the number of records that were forgotten.
    pub(crate) async fn purge(&self, body: Value) -> u64 {
        let answer = self.purge_answer(&body).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["forgotten"].as_u64().unwrap()
    }
}

/// A client's end of a WebSocket. Answers pings while it is read.
pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    pub(crate) head: String,
}

impl Socket {
    pub(crate) async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        soon(self.stream.send(message)).await.unwrap();
    }

    pub(crate) async fn init(&mut self) {
        self.send(json!({"type": "connection_init"})).await;
        assert_eq!(self.next().await, json!({"type": "connection_ack"}));
    }

    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.send(json!({"type": "subscribe", "id": id, "payload": payload})).await;
    }

    /// What was sent so far has begun: messages are taken in order, and operations go on in between.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..2 {
            self.send(json!({"type": "ping"})).await;
            assert_eq!(self.next().await["type"], "pong");
        }
    }

    /// The next message of the protocol.
    pub(crate) async fn next(&mut self) -> Value {
        match self.read().await {
            Ok(message) => message,
            Err(close) => panic!("closed: {close:?}"),
        }
    }

    /// The next message, or how the connection ended: by the close frame, or without one.
    pub(crate) async fn read(&mut self) -> Result<Value, Option<(u16, String)>> {
        // Pings in between must not make it wait for ever.
        soon(self.read_on()).await
    }

    async fn read_on(&mut self) -> Result<Value, Option<(u16, String)>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(Some((frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The payload of the next message, which is a `next` of operation `"1"`.
    pub(crate) async fn event(&mut self) -> Value {
        let mut message = self.next().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!("1")), "{message}");
        message["payload"].take()
    }

    /// The code and reason that the connection is closed with; nothing else comes before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        let close = self.read().await.expect_err("a message in place of the end");
        close.expect("a close frame")
    }
}

/// A client's end of a stream of events.
pub(crate) struct Events {
    pub(crate) head: String,
    reader: BufReader<TcpStream>,
    text: String,
}

impl Events {
    fn new((head, stream): (String, TcpStream)) -> Self {
        assert!(head.starts_with("http/1.1 200") && head.contains("\r\ncontent-type: text/event-stream"), "{head}");
        Self { head, reader: BufReader::new(stream), text: String::new() }
    }

    /// The next block of lines; `None`: the stream ended as it should.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let rest = self.text.split_off(end + 2);
                let block = std::mem::replace(&mut self.text, rest);
                return Some(block[..end].to_owned());
            }
            let mut size = String::new();
            self.reader.read_line(&mut size).await.unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16).expect("the length of a chunk");
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).await.unwrap();
            if size == 0 {
                assert_eq!(self.text, "");
                return None;
            }
            self.text += str::from_utf8(&chunk[..size]).unwrap();
        }
    }

    /// The next event as its lines; comments are passed over.
    pub(crate) async fn lines(&mut self) -> Option<String> {
        let lines = async {
            loop {
                let block = self.block().await?;
                if !block.starts_with(':') {
                    return Some(block);
                }
            }
        };
        soon(lines).await
    }

    /// Passes over what comes until there is a comment.
    pub(crate) async fn comment(&mut self) {
        while !soon(self.block()).await.expect("the stream goes on").starts_with(':') {}
    }

    /// The data of the next event, which is a `next`.
    pub(crate) async fn event(&mut self) -> Value {
        let lines = self.lines().await.expect("an event");
        let data = lines.strip_prefix("event: next\ndata: ").unwrap_or_else(|| panic!("{lines}"));
        serde_json::from_str(data).unwrap()
    }

    /// The stream's end: `complete`, and nothing after it.
    pub(crate) async fn completes(&mut self) {
        let lines = self.lines().await.expect("an event");
        // A browser hears of no event without data; clients that read data as JSON expect none here.
        let data = lines.strip_prefix("event: complete\n").unwrap_or_else(|| panic!("no data: {lines}"));
        assert!(data.lines().all(|line| line.trim_end() == "data:"), "{lines}");
        assert_eq!(self.lines().await, None);
    }
}
