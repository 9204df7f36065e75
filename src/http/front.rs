//! What every request passes on its way in and its answer on its way out: identity, log line, `Host`, CORS, panics. Then
//! `POST /graphql` goes straight to its handler, and everything else to the routes. Knows nothing of GraphQL.
//!
//! Plain calls rather than layers: each layer of a router is a box that is made and copied for every request, and a whole
//! answer that is at hand costs little beside.

use std::{
    convert::Infallible,
    num::NonZeroU32,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{CONNECTION, X_CONTENT_TYPE_OPTIONS},
    },
    response::Response,
};
use futures::{FutureExt as _, future::BoxFuture};
use tower::{Layer as _, Service as _, service_fn};
use tower_http::cors::CorsLayer;
use tracing::Instrument as _;

use super::{
    GRAPHQL, Service, WEBSOCKET,
    accept::Format,
    admission,
    connections::Connection,
    graphql, host,
    layers::{self, LogLine, Notes, REQUEST_ID},
    metrics::Sockets,
    server::Serve,
};

/// Everything that is served, before its socket; clones share it.
#[derive(Clone)]
pub struct Front {
    service: Arc<Service>,
    routes: Router,
    cors: Option<Arc<CorsLayer>>,
}

impl Front {
    pub(super) fn new(service: &Arc<Service>, routes: Router) -> Self {
        let cors = layers::cors(&service.cors_origins).map(Arc::new);
        Self { service: Arc::clone(service), routes, cors }
    }

    async fn respond(&self, request: Request, connection: &Arc<Connection>) -> Response {
        let notes = Notes::of(&request, connection);
        let mut line = LogLine::begin(&request, notes.clone());
        let passing = self.service.traffic.begin(notes.route());
        let mut response = passing.answered(self.admit(request, &notes).await);
        let headers = response.headers_mut();
        // On every answer: none is to be taken for a script or a page that it does not say it is.
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REQUEST_ID, notes.id().clone());
        if self.service.readiness.is_shutting_down() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // The next request goes elsewhere.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        line.end(&response);
        response
    }

    async fn admit(&self, request: Request, notes: &Notes) -> Response {
        // Before CORS, which would answer a preflight for a host that is not ours.
        if let Err(refusal) = host::check(&request, self.service.allowed_hosts.as_deref()) {
            return refusal.answer(Format::Json);
        }
        let Some(cors) = &self.cors else {
            return self.guard(request, notes).await;
        };
        let guarded = service_fn(async |request| Ok::<_, Infallible>(self.guard(request, notes).await));
        // Boxed, so that there is room for one of the two alone.
        let Ok(response) = cors.layer(guarded).call(request).boxed().await;
        response
    }

    /// Within CORS, so that pages can read the error in place of a panic, too.
    async fn guard(&self, request: Request, notes: &Notes) -> Response {
        let answer = AssertUnwindSafe(self.dispatch(request, notes)).catch_unwind().await;
        answer.unwrap_or_else(|panic| notes.span().in_scope(|| layers::panicked(panic)))
    }

    async fn dispatch(&self, mut request: Request, notes: &Notes) -> Response {
        let admitted = self.service.admit(request.uri().path(), request.headers()).await;
        let admitted = admitted.map(|caller| caller.inspect(|caller| notes.caller(caller)));
        // Probes and pages don't count; one who is not let in does, and a WebSocket that has yet to say who it is.
        let is_counted = !matches!(admitted, Ok(None)) || request.uri().path() == WEBSOCKET;
        if is_counted && let Err(refusal) = notes.count(&self.service.load, NonZeroU32::MIN).await {
            self.service.traffic.refused.rate.inc();
            return admission::refuse(refusal, request.headers());
        }
        let caller = match admitted {
            Ok(caller) => caller,
            Err(denied) => {
                self.service.traffic.denied.inc();
                return admission::turn_away(denied, request.headers());
            }
        };
        let caller = match caller {
            Some(caller) if request.method() == Method::POST && request.uri().path() == GRAPHQL => {
                let service = State(Arc::clone(&self.service));
                let mut response = graphql::post(service, Extension(notes.clone()), Extension(caller), request).await;
                layers::varies_by_accept(&mut response);
                return response;
            }
            caller => caller,
        };
        request.extensions_mut().insert(notes.clone());
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller.scopes);
            request.extensions_mut().insert(caller);
        }
        let Ok(response) = self.routes.clone().call(request).instrument(notes.span()).boxed().await;
        response
    }
}

impl Serve for Front {
    async fn answer(&self, request: Request, connection: &Arc<Connection>) -> Response {
        self.respond(request, connection).await
    }

    fn sockets(&self) -> Sockets {
        self.service.traffic.sockets.clone()
    }
}

/// For whoever has no socket.
impl tower::Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let front = self.clone();
        async move { Ok(front.respond(request, &Arc::new(Connection::NONE)).await) }.boxed()
    }
}
