//! `GET /metrics`: what the gateway counts, for Prometheus and whoever reads its format.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use prometheus_client::{encoding::text::encode, registry::Registry};

use super::{
    Service,
    accept::Format,
    answer::{Refusal, code},
};
use crate::{access::Scopes, cache::Sources, schema::Specification};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All that is counted.
pub(super) fn registry(sources: &Sources, specification: &Specification) -> Registry {
    let mut registry = Registry::with_prefix("subject_gateway");
    sources.metrics().register(&mut registry);
    sources.upstream_metrics().register(&mut registry);
    specification.metrics().register(&mut registry);
    if let Some(replicas) = sources.replicas() {
        replicas.register(&mut registry);
    }
    registry
}

/// `GET /metrics`.
pub(super) async fn get(State(service): State<Arc<Service>>, Extension(scopes): Extension<Scopes>) -> Response {
    if let Some(refusal) = Service::refuse_unless_admin(scopes) {
        return refusal.answer(Format::Json);
    }
    service.sources.measure();
    service.answers.measure(service.sources.metrics());
    let mut text = String::new();
    if encode(&mut text, &service.metrics).is_err() {
        let message = "The metrics could not be written down.";
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL, message).answer(Format::Json);
    }
    ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response()
}
