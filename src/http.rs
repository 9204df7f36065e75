//! Routes and layers. Knows axum and status codes; hands GraphQL requests to the schema and knows no type of it.

mod accept;
mod answer;
mod batch;
mod connections;
mod graphql;
mod health;
mod host;
mod json;
mod layers;
mod metrics;
mod persisted;
pub mod playground;
mod purge;
mod request;
mod revalidation;
pub mod server;
mod stream;
mod websocket;
mod written;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{
        Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
        header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
    },
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use tower_http::{
    CompressionLevel,
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, Predicate as _, predicate},
    set_header::SetResponseHeaderLayer,
};

use prometheus_client::registry::Registry;

pub use self::health::Readiness;
use self::{
    accept::Format,
    answer::{Refusal, code},
    connections::Connections,
    persisted::Documents,
    revalidation::{revalidated, version_of},
    written::{RequestKey, Written},
};
use crate::{
    cache::{Sources, answers::Answers},
    config::{Auth, Config, CorsOrigins, Portal},
    schema::{self, GatewaySchema, Scope, streaming::Caller},
};

/// The smallest answer that is compressed: below it nothing is gained over one packet.
const SMALLEST_COMPRESSED: u64 = 1_024;

/// What the routes serve, and how.
pub(crate) struct Service {
    schema: GatewaySchema,
    sources: Arc<Sources>,
    /// WebSockets and streams of events.
    connections: Connections,
    /// Operations at the same time on one WebSocket.
    max_operations: usize,
    /// How long a new WebSocket may take for its `connection_init`.
    init: Duration,
    /// How often a sign of life is sent on a connection that stays.
    ping: Duration,
    readiness: Readiness,
    deadline: Duration,
    body_bytes: usize,
    /// Requests in one body; 0: batching is off.
    batch: usize,
    documents: Documents,
    /// Whole answers, as they were sent.
    answers: Arc<Answers<RequestKey, Written>>,
    metrics: Registry,
    /// Whether anybody may read what the sources show to everybody: there are no callers to be told apart, and BrainSTEM is
    /// read through its public portal.
    is_open: bool,
    playground: bool,
    /// The SDL; `None` when introspection is off.
    sdl: Option<String>,
    cors_origins: CorsOrigins,
    /// What callers may do beside reading.
    granted: &'static [Scope],
    /// `None`: callers show who they are, and any `Host` will do.
    allowed_hosts: Option<Arc<[String]>>,
}

impl Service {
    /// An error is a fault in the manifest of trusted documents.
    pub(crate) fn new(config: &Config, sources: Arc<Sources>, readiness: Readiness) -> anyhow::Result<Self> {
        let gateway = &config.gateway;
        let schema = schema::build(gateway.introspection, config.limits.max_entities);
        Ok(Self {
            documents: Documents::new(config, schema::specification(&schema))?,
            schema,
            answers: sources.answers(),
            metrics: metrics::registry(&sources),
            is_open: gateway.auth == Auth::None
                && config.brainstem.as_ref().is_some_and(|brainstem| brainstem.portal == Portal::Public),
            sources,
            connections: Connections::new(config.limits.connections),
            max_operations: config.limits.subscriptions,
            init: config.limits.init,
            ping: gateway.ping,
            readiness,
            deadline: config.limits.deadline,
            body_bytes: config.limits.body_bytes,
            batch: config.limits.batch,
            playground: gateway.playground,
            sdl: gateway.introspection.then(|| schema::sdl(false)),
            cors_origins: gateway.cors_origins.clone(),
            // Whoever can reach such a gateway is nobody's to vouch for.
            granted: if gateway.auth_none_anywhere { &[] } else { Scope::ALL },
            allowed_hosts: match gateway.auth {
                Auth::None => Some(gateway.allowed_hosts.clone().into()),
            },
        })
    }
}

impl Service {
    /// Who asks, and how long one answer may take.
    fn caller(&self) -> Caller {
        Caller { sources: Arc::clone(&self.sources), granted: self.granted, time: self.deadline }
    }

    /// What somebody is told who may not look after the gateway.
    fn refuse_unless_admin(&self) -> Option<Refusal> {
        let message = || format!("This needs the scope `{}`, which is not granted here.", Scope::Admin.name());
        let is_admin = self.granted.contains(&Scope::Admin);
        (!is_admin).then(|| Refusal::new(StatusCode::FORBIDDEN, code::FORBIDDEN, message()))
    }
}

/// Everything that is served.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    with_layers(routes(service), service)
}

fn routes(service: &Arc<Service>) -> Router {
    // The limit counts what arrives, whatever length was announced.
    // In which of the formats an answer is written depends on the request, and be it an error.
    let vary = SetResponseHeaderLayer::appending(VARY, HeaderValue::from_static("accept"));
    let mut router = Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post).layer(vary.clone()))
        .route("/graphql/stream", get(stream::get).post(stream::post).layer(vary))
        .route("/graphql/ws", get(websocket::upgrade))
        .route("/admin/purge", post(purge::post))
        .route("/metrics", get(metrics::get))
        .layer(DefaultBodyLimit::max(service.body_bytes))
        .with_state(Arc::clone(service))
        .merge(health::routes(service.readiness.clone()));
    if service.playground {
        router = router.route("/", get(|| async { Redirect::to("/graphiql") })).merge(playground::routes());
    }
    if let Some(sdl) = service.sdl.clone() {
        let version = version_of(&[sdl.as_bytes()]);
        let serve = async move |headers: HeaderMap| revalidated(schema_text(sdl), &version, &headers);
        router = router.route("/schema.graphql", get(serve));
    }
    // These two come last: they apply to the routes that are there.
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

/// The layers around the routes. Each call of `layer` is another box that is copied for every request, so those that are
/// always there come together.
fn with_layers(router: Router, service: &Arc<Service>) -> Router {
    // Next to the routes, so that the layers around it see a panic as an ordinary 500.
    let mut router = router.layer(CatchPanicLayer::custom(layers::panicked));
    // Around the panics, so that pages can read every error.
    if let Some(cors) = layers::cors(&service.cors_origins) {
        router = router.layer(cors);
    }
    router.layer((
        // Outermost: whatever happens inside has an id.
        from_fn(layers::request_id),
        // Sees the status that goes out, and the time that everything took.
        from_fn(layers::log),
        // On every answer: none is to be taken for a script or a page that it does not say it is.
        SetResponseHeaderLayer::if_not_present(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // Around all that writes bodies.
        compression(),
        // Before CORS, which would answer a preflight for a host that is not ours.
        from_fn_with_state(service.allowed_hosts.clone(), host::check),
    ))
}

/// gzip, at the level that costs less than it saves on a local network.
fn compression() -> CompressionLayer<impl predicate::Predicate> {
    let has_body = |status: StatusCode, _: Version, _: &HeaderMap, _: &Extensions| status != StatusCode::NOT_MODIFIED;
    let worthwhile = predicate::SizeAbove::new(SMALLEST_COMPRESSED)
        .and(has_body)
        .and(predicate::NotForContentType::IMAGES)
        .and(predicate::NotForContentType::SSE);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worthwhile)
}

fn schema_text(sdl: String) -> Response {
    let headers: [(HeaderName, &str); 2] = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    (headers, sdl).into_response()
}

async fn not_found() -> Response {
    let message = "There is nothing at this address; GraphQL is served at /graphql.";
    Refusal::new(StatusCode::NOT_FOUND, code::BAD_USER_INPUT, message).answer(Format::Json)
}

async fn method_not_allowed() -> Response {
    let message = "This address does not take that method; `Allow` says which it takes.";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, code::BAD_USER_INPUT, message).answer(Format::Json)
}

#[cfg(test)]
mod tests {
    use axum::{body::to_bytes, extract::Request, http::header::HOST};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer_like_any_other() {
        let config = Config::from_variables([("BRAINSTEM_PORTAL", "public")]).unwrap();
        let sources = Sources::new(&config).unwrap();
        let service = Arc::new(Service::new(&config, sources, Readiness::default()).unwrap());
        let panics = || async { panic!("for the test") as Response };
        let router = with_layers(Router::new().route("/", get(panics)), &service);
        let request = Request::get("/").header(HOST, "localhost");
        let response = router.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!body.to_string().contains("for the test"));
    }
}
