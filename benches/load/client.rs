//! A plain HTTP/1.1 client that costs little: requests are bytes made before, answers are read and compared.
//! Knows nothing of GraphQL.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEADERS: usize = 32;
const BUFFER: usize = 128 << 10;

/// A connection that is kept alive; one exchange after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What came, up to `filled`.
    buffer: Vec<u8>,
    filled: usize,
    /// A body that came in chunks, put together.
    joined: Vec<u8>,
}

/// How the end of a body is told.
#[derive(Clone, Copy, Debug)]
enum Body {
    Length(usize),
    Chunked,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER], filled: 0, joined: Vec::new() })
    }

    /// Sends a request and reads the answer to its end. An answer that is not 200 is an error.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        self.stream.write_all(request).await.context("the request could not be sent")?;
        self.filled = 0;
        let (start, body) = loop {
            self.fill().await?;
            if let Some(head) = head(&self.buffer[..self.filled])? {
                break head;
            }
        };
        match body {
            Body::Length(length) => {
                while self.filled < start + length {
                    self.fill().await?;
                }
                Ok(&self.buffer[start..start + length])
            }
            Body::Chunked => {
                self.join_chunks(start).await?;
                Ok(&self.joined)
            }
        }
    }

    async fn fill(&mut self) -> anyhow::Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        let count = self.stream.read(&mut self.buffer[self.filled..]).await.context("the answer broke off")?;
        ensure!(count > 0, "the connection was closed before the answer's end");
        self.filled += count;
        Ok(())
    }

    async fn join_chunks(&mut self, start: usize) -> anyhow::Result<()> {
        self.joined.clear();
        let mut at = start;
        loop {
            let size = httparse::parse_chunk_size(&self.buffer[at..self.filled]);
            let Ok(httparse::Status::Complete((line, size))) = size else {
                ensure!(size.is_ok(), "a chunk without a size");
                self.fill().await?;
                continue;
            };
            let size = usize::try_from(size).context("a chunk is too large")?;
            // Each chunk ends with an empty line's worth of bytes, the last one, too.
            let end = at + line + size + 2;
            while self.filled < end {
                self.fill().await?;
            }
            if size == 0 {
                return Ok(());
            }
            self.joined.extend_from_slice(&self.buffer[at + line..at + line + size]);
            at = end;
        }
    }
}

/// Where the body begins, and how long it is; `None`: the head is not complete.
fn head(bytes: &[u8]) -> anyhow::Result<Option<(usize, Body)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = answer.parse(bytes).context("the answer is no HTTP")? else {
        return Ok(None);
    };
    if answer.code != Some(200) {
        bail!("the answer is {:?}: {}", answer.code, String::from_utf8_lossy(&bytes[start..]));
    }
    let header = |name: &str| {
        let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let body = match header("content-length") {
        Some(length) => Body::Length(length.parse().context("content-length is no number")?),
        None if header("transfer-encoding") == Some("chunked") => Body::Chunked,
        None => bail!("the answer does not say where it ends"),
    };
    Ok(Some((start, body)))
}
