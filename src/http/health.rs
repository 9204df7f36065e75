//! Probes. Liveness says that the process answers; readiness that it wants requests. Neither asks an upstream: one that
//! is down is shown in the answers, and taking every replica out of service would not bring it back.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    http::{StatusCode, header::CACHE_CONTROL},
    response::IntoResponse,
    routing::get,
};
use serde_json::json;

use super::load::Load;

/// Whether the gateway wants requests; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    shutting_down: Arc<AtomicBool>,
}

impl Readiness {
    /// From now on `/health/ready` answers 503.
    pub fn set_shutting_down(&self) {
        self.shutting_down.store(true, Ordering::Relaxed);
    }

    /// Whether [`set_shutting_down`](Self::set_shutting_down) was called.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Relaxed)
    }
}

pub(super) fn routes(readiness: Readiness, load: &Load) -> Router {
    let places = Arc::clone(load.places());
    let live = || async { status(StatusCode::OK, "live") };
    let ready = || async move {
        if readiness.is_shutting_down() {
            status(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
        } else if places.available_permits() == 0 {
            status(StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        } else {
            status(StatusCode::OK, "ready")
        }
    };
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready))
}

fn status(code: StatusCode, word: &'static str) -> impl IntoResponse {
    (code, [(CACHE_CONTROL, "no-store")], Json(json!({"status": word})))
}
