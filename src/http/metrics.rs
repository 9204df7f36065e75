//! `GET /metrics`: what the gateway counts, for Prometheus and whoever reads its format. Knows no operation and no caller.

mod operations;
mod process;
mod reloads;
mod traffic;
mod watch;

use std::{fmt, sync::Arc};

use axum::{
    Extension, Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{gauge::ConstGauge, info::Info},
    registry::Registry,
};
use tokio::sync::Semaphore;

pub(super) use self::{
    operations::{Codes, Ending, Name, Operations, Outcome, Transport},
    reloads::Reloads,
    traffic::{Sockets, Traffic},
    watch::Watch,
};
use super::{
    Service,
    accept::Format,
    answer::{Refusal, code},
    health, host,
    load::Load,
};
use crate::{access::Scopes, cache::Sources, schema::Specification};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The commit that was built, where whoever built it said so.
const COMMIT: Option<&str> = option_env!("SUBJECT_GATEWAY_COMMIT");

/// What is told, and where.
pub(super) struct Told {
    pub(super) registry: Registry,
    pub(super) reloads: Reloads,
    /// On a listener of its own, and not where GraphQL is.
    pub(super) is_apart: bool,
}

/// All that is counted.
pub(super) fn registry(
    sources: &Sources,
    specification: &Specification,
    traffic: &Traffic,
    operations: &Operations,
    load: &Load,
    reloads: &Reloads,
) -> Registry {
    let mut all = Registry::default();
    all.register_collector(Box::new(process::Process::new()));
    let registry = all.sub_registry_with_prefix("subject_gateway");
    let build = vec![("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT.unwrap_or("unknown"))];
    registry.register("build", "What runs", Info::new(build));
    reloads.register(registry);
    traffic.register(registry);
    operations.register(registry);
    let places = Arc::clone(load.places());
    registry.register_collector(Box::new(Places { all: places.available_permits(), places }));
    specification.metrics().register(registry);
    sources.metrics().register(registry);
    sources.upstream_metrics().register(registry);
    if let Some(replicas) = sources.replicas() {
        replicas.register(registry);
    }
    all
}

/// The places for operations that are being executed.
#[derive(Debug)]
struct Places {
    places: Arc<Semaphore>,
    all: usize,
}

impl Collector for Places {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let taken = ConstGauge::new(self.all.saturating_sub(self.places.available_permits()) as u64);
        let help = "Operations that are being executed, of those that LIMITS_OPERATIONS allows";
        taken.encode(encoder.encode_descriptor("operations_in_flight", help, None, taken.metric_type())?)
    }
}

/// `GET /metrics` where GraphQL is served.
pub(super) async fn get_as_admin(
    State(service): State<Arc<Service>>,
    Extension(scopes): Extension<Scopes>,
) -> Response {
    if let Some(refusal) = Service::refuse_unless_admin(scopes) {
        return refusal.answer(Format::Json);
    }
    service.metrics()
}

/// What is served apart from GraphQL, to whoever reaches it. Where it is on loopback alone, pages of other hosts don't.
pub(super) fn routes_apart(service: &Arc<Service>, is_on_loopback: bool) -> Router {
    let allowed = is_on_loopback.then(|| service.allowed_hosts.clone().unwrap_or_default());
    let check = move |request: Request, next: Next| {
        let refused = host::check(&request, allowed.as_deref()).err();
        async move {
            match refused {
                Some(refusal) => refusal.answer(Format::Json),
                None => next.run(request).await,
            }
        }
    };
    Router::new()
        .route("/metrics", get(|State(service): State<Arc<Service>>| async move { service.metrics() }))
        .with_state(Arc::clone(service))
        .merge(health::routes(service.readiness.clone(), &service.load))
        .layer(from_fn(check))
}

impl Service {
    fn metrics(&self) -> Response {
        self.sources.measure();
        self.answers.measure(self.sources.metrics());
        self.documents.measure(self.sources.metrics());
        let mut text = String::new();
        if encode(&mut text, &self.metrics.registry).is_err() {
            let message = "The metrics could not be written down.";
            return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, message).answer(Format::Json);
        }
        ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response()
    }
}
