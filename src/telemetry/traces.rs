//! Traces, to a collector over OTLP. Knows how spans leave the process, and nothing of what they tell.
//!
//! They wait in a bounded queue for a thread of their own; where the queue is full they are dropped. A collector that is not
//! there costs nothing but a line in the log now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::{runtime::Handle, task::spawn_blocking};
use tracing::{info, warn};

use crate::{config, outgoing, spans};

/// How often a collector that takes nothing is told of.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Bytes of a collector's answer that are read.
const LONGEST_ANSWER: usize = 65_536;

/// Traces of this process.
pub struct Traces(SdkTracerProvider);

/// Turns traces on, within a runtime; `None`: they are off.
///
/// # Errors
///
/// For a collector at https on a machine without root certificates, and for what OpenTelemetry makes of its own variables.
pub fn start(traces: Option<&config::Traces>) -> anyhow::Result<Option<Traces>> {
    let Some(traces) = traces else { return Ok(None) };
    let client = outgoing::build(outgoing::builder(&traces.endpoint, None)?.timeout(traces.timeout))?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Client { client, runtime: Handle::current() })
        .with_endpoint(traces.endpoint.as_str())
        .with_timeout(traces.timeout)
        // A batch that could not be sent is lost; the next one comes soon.
        .with_retry_policy(RetryPolicy::disabled())
        .build()
        .context("traces can't be sent; are the variables OTEL_EXPORTER_OTLP_… right?")?;
    let exporter = Exporter { exporter, trouble: Mutex::default() };
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_service_name(traces.service.clone())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BatchSpanProcessor::builder(exporter).build())
        .with_sampler(sampler(traces.sampler))
        .with_resource(resource)
        .build();
    spans::turn_on(provider.tracer("subject-gateway"));
    info!(share = traces.sampler.share, follows_callers = traces.sampler.follows_callers, "traces are on");
    Ok(Some(Traces(provider)))
}

fn sampler(config::Sampler { follows_callers, share }: config::Sampler) -> Sampler {
    let own = if share >= 1.0 { Sampler::AlwaysOn } else { Sampler::TraceIdRatioBased(share) };
    if follows_callers { Sampler::ParentBased(Box::new(own)) } else { own }
}

impl Traces {
    /// Sends what is left, and nothing after that.
    pub async fn end(self, within: Duration) {
        // It blocks, and the exporter needs the runtime meanwhile. What could not be sent was told of.
        let _ = spawn_blocking(move || self.0.shutdown_with_timeout(within)).await;
    }
}

/// Sends as everything here does. OpenTelemetry's thread has no runtime, and waits for one of this one's tasks.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl HttpClient for Client {
    fn send_bytes<'this, 'sent>(
        &'this self,
        request: Request<Bytes>,
    ) -> BoxFuture<'sent, Result<Response<Bytes>, HttpError>>
    where
        'this: 'sent,
        Self: 'sent,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await });
        async move { sent.await? }.boxed()
    }
}

async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    let mut response = client.execute(request).await.map_err(reqwest::Error::without_url)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response::builder().status(response.status()).body(body.into())?)
}

/// Tells of what can't be sent, but not each time.
#[derive(Debug)]
struct Exporter<E> {
    exporter: E,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    told: Option<Instant>,
    /// Spans, since it was last told of.
    lost: usize,
}

impl<E: SpanExporter> SpanExporter for Exporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.exporter.export(batch).await;
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).tell(spans, sent.is_ok());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl Trouble {
    /// Why is left out: the words may name the collector, whose address may have a secret in it.
    fn tell(&mut self, spans: usize, is_sent: bool) {
        if is_sent {
            if self.told.take().is_some() {
                info!(lost = self.lost, "traces are sent again");
                self.lost = 0;
            }
            return;
        }
        self.lost += spans;
        if self.told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            warn!(lost = self.lost, "traces can't be sent: the collector does not take them");
            (self.told, self.lost) = (Some(Instant::now()), 0);
        }
    }
}
