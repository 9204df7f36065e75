//! Makes load and counts what comes of it. Every answer is checked: its status, and its bytes against the first one's.
//! Knows nothing of what a request means.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use tokio::time::timeout;

use crate::{client::Connection, process::Process, queries::Request};

/// What one measurement may take beyond its time; then it has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is sent: by how many connections, and whether all get the same bytes back.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Connections take them in turn.
    pub(crate) requests: Vec<Request>,
    pub(crate) connections: usize,
    /// Answers to all requests are the same.
    pub(crate) is_uniform: bool,
}

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// Each connection has sent so many.
    Sent(u32),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: u32,
    pub(crate) elapsed: Duration,
    /// Of the server's processor, for all answers.
    pub(crate) processor: Duration,
    /// From sending to the last byte, sorted.
    latencies: Vec<Duration>,
    /// Of one answer, in bytes.
    pub(crate) length: usize,
}

impl Outcome {
    /// What came of several measurements of the same.
    pub(crate) fn of_all(outcomes: Vec<Self>) -> Self {
        let mut all = Self {
            answers: outcomes.iter().map(|outcome| outcome.answers).sum(),
            elapsed: outcomes.iter().map(|outcome| outcome.elapsed).sum(),
            processor: outcomes.iter().map(|outcome| outcome.processor).sum(),
            length: outcomes.first().map_or(0, |outcome| outcome.length),
            latencies: outcomes.into_iter().flat_map(|outcome| outcome.latencies).collect(),
        };
        all.latencies.sort_unstable();
        all
    }

    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.answers) / self.elapsed.as_secs_f64()
    }

    /// Microseconds of processor time for a request.
    pub(crate) fn processor_us(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / f64::from(self.answers.max(1))
    }

    /// What share of its core the server used, of 1.
    pub(crate) fn busy(&self) -> f64 {
        self.processor.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// The latency that so many of a hundred answers stayed below.
    pub(crate) fn latency(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// What the connections of one load share.
struct Shared {
    number: Cell<u32>,
    first: RefCell<Vec<u8>>,
    latencies: RefCell<Vec<Duration>>,
}

impl Load {
    /// One request over and over, by so many connections.
    pub(crate) fn of(request: Request, connections: usize) -> Self {
        Self { requests: vec![request], connections, is_uniform: true }
    }

    /// Sends it to a server.
    pub(crate) async fn run(&self, server: &Process, until: Until) -> anyhow::Result<Outcome> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(server.address).await?);
        }
        let shared = Rc::new(Shared {
            number: Cell::new(first_number()),
            first: RefCell::default(),
            latencies: RefCell::default(),
        });
        let (processor, began) = (server.processor_time(), Instant::now());
        let requests = self.requests.iter().cycle();
        let all = connections.into_iter().zip(requests).map(|(connection, request)| {
            let request = request.clone();
            self.keep_on(connection, request, until, began, Rc::clone(&shared))
        });
        let patience = PATIENCE + if let Until::Elapsed(time) = until { time } else { Duration::ZERO };
        timeout(patience, try_join_all(all)).await.context("the server did not answer in time")??;
        let (elapsed, processor) = (began.elapsed(), server.processor_time().saturating_sub(processor));
        let mut latencies = shared.latencies.take();
        latencies.sort_unstable();
        let answers = u32::try_from(latencies.len()).context("too many answers to count")?;
        let length = shared.first.borrow().len();
        Ok(Outcome { answers, elapsed, processor, latencies, length })
    }

    async fn keep_on(
        &self,
        mut connection: Connection,
        mut request: Request,
        until: Until,
        began: Instant,
        shared: Rc<Shared>,
    ) -> anyhow::Result<()> {
        let mut sent = 0;
        loop {
            let enough = match until {
                Until::Elapsed(time) => began.elapsed() >= time,
                Until::Sent(count) => sent == count,
            };
            if enough {
                return Ok(());
            }
            sent += 1;
            let number = shared.number.get();
            shared.number.set(number + 1);
            let at = Instant::now();
            let body = connection.exchange(request.numbered(number)).await?;
            shared.latencies.borrow_mut().push(at.elapsed());
            let mut first = shared.first.borrow_mut();
            if first.is_empty() {
                sound(body)?;
                first.extend_from_slice(body);
            } else if self.is_uniform {
                ensure!(*first == body, "an answer is not the same as the first one: {}", beginning(body));
            } else {
                sound(body)?;
            }
        }
    }
}

/// A range of numbers that no load of this process has used.
pub(crate) fn first_number() -> u32 {
    thread_local! {
        static NEXT: Cell<u32> = const { Cell::new(1) };
    }
    // A load sends fewer than a million requests in the time it has; the number has eight digits.
    NEXT.with(|next| next.replace((next.get() + 1_000_000) % 99_000_000))
}

/// One answer to one request, on a connection of its own.
pub(crate) async fn ask(server: &Process, mut request: Request) -> anyhow::Result<Vec<u8>> {
    let exchange = async {
        let mut connection = Connection::open(server.address).await?;
        let body = connection.exchange(request.numbered(first_number())).await?;
        sound(body)?;
        anyhow::Ok(body.to_vec())
    };
    timeout(PATIENCE, exchange).await.context("the server did not answer in time")?
}

/// An answer with errors is no answer; a compressed one is not looked into.
fn sound(body: &[u8]) -> anyhow::Result<()> {
    const ERRORS: &[u8] = b"\"errors\":[";
    let has_errors = body.windows(ERRORS.len()).any(|window| window == ERRORS);
    ensure!(!body.is_empty() && !has_errors, "an answer has errors: {}", beginning(body));
    Ok(())
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned()
}
