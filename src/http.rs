//! What is served where. Knows axum and status codes; hands GraphQL requests to the schema and knows no type of it.

mod accept;
mod account;
mod admission;
mod answer;
mod batch;
mod bounds;
mod connections;
mod credentials;
mod details;
mod front;
mod graphql;
mod health;
mod host;
mod json;
mod layers;
mod load;
mod metrics;
mod persisted;
mod places;
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
    http::{
        Extensions, HeaderMap, HeaderName, StatusCode, Version,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware::map_response,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use tokio::time::interval;
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, Predicate as _, predicate},
};

use self::{
    accept::Format,
    answer::{Refusal, code},
    bounds::Bounds,
    connections::Connections,
    load::Load,
    metrics::{Operations, Reloads, Told, Traffic},
    persisted::Documents,
    revalidation::{revalidated, version_of},
    written::{RequestKey, Written},
};
pub use self::{front::Front, health::Readiness};
use crate::{
    access::{self, Access, Denied, Scope, Scopes},
    cache::{Sources, answers::Answers},
    config::{Auth, Config, CorsOrigins, Portal},
    loaders::Credentials,
    schema::{
        self, GatewaySchema,
        streaming::{Caller, UnderWay},
    },
};

/// Where GraphQL is served over plain HTTP.
const GRAPHQL: &str = "/graphql";

const WEBSOCKET: &str = "/graphql/ws";

/// Where it is served over server-sent events.
const STREAM: &str = "/graphql/stream";

/// How often callers are forgotten who have not asked lately.
const FORGET: Duration = Duration::from_secs(60);

/// The smallest answer that is compressed: below it nothing is gained over one packet.
const SMALLEST_COMPRESSED: u64 = 1_024;

/// What the routes serve, and how.
pub(crate) struct Service {
    schema: GatewaySchema,
    sources: Arc<Sources>,
    load: Load,
    /// Whether callers bring their own credentials for the sources.
    takes_credentials: bool,
    /// WebSockets and streams of events.
    connections: Connections,
    /// How often a sign of life is sent on a connection that stays.
    ping: Duration,
    readiness: Readiness,
    bounds: Bounds,
    documents: Documents,
    /// Whole answers, as they were sent.
    answers: Arc<Answers<RequestKey, Written>>,
    metrics: Told,
    traffic: Traffic,
    operations: Operations,
    /// Whether anybody may read what the sources show to everybody: there are no callers to be told apart, and BrainSTEM is
    /// read through its public portal.
    is_open: bool,
    playground: bool,
    /// The SDL; `None` when introspection is off.
    sdl: Option<String>,
    cors_origins: CorsOrigins,
    access: Access,
    /// The header in which callers show what `access` asks for.
    credential: HeaderName,
    /// `None`: callers show who they are, and any `Host` will do.
    allowed_hosts: Option<Vec<String>>,
}

impl Service {
    /// An error is a fault in the manifest of trusted documents, in a file of keys, or a system without root certificates.
    pub(crate) fn new(config: &Config, sources: Arc<Sources>, readiness: Readiness) -> anyhow::Result<Self> {
        let gateway = &config.gateway;
        let schema = schema::build(gateway.introspection, &config.limits);
        let specification = schema::specification(&schema);
        let documents =
            Documents::new(config, specification, sources.replicas().cloned(), sources.metrics().level("documents"))?;
        let (traffic, load) =
            (Traffic::new(specification.metrics()), Load::new(&config.limits, sources.replicas().cloned()));
        let operations = Operations::new(config.metrics.operations.iter().cloned().chain(documents.operations()));
        let reloads = Reloads::new();
        Ok(Self {
            metrics: Told {
                registry: metrics::registry(&sources, specification, &traffic, &operations, &load, &reloads),
                reloads,
                is_apart: config.metrics.listen.is_some(),
            },
            traffic,
            operations,
            documents,
            schema,
            answers: sources.answers(),
            is_open: gateway.auth == Auth::None
                && config.brainstem.as_ref().is_some_and(|brainstem| brainstem.portal == Portal::Public),
            takes_credentials: sources.take_credentials(),
            sources,
            load,
            connections: Connections::new(config.limits.connections),
            ping: gateway.ping,
            readiness,
            bounds: Bounds::new(&config.limits),
            playground: gateway.playground,
            sdl: gateway.introspection.then(|| schema::sdl(false)),
            cors_origins: gateway.cors_origins.clone(),
            access: Access::new(gateway)?,
            credential: admission::header(&gateway.auth),
            allowed_hosts: match gateway.auth {
                Auth::None => Some(gateway.allowed_hosts.clone()),
                Auth::ApiKey(_) | Auth::Jwt(_) => None,
            },
        })
    }
}

impl Service {
    /// Takes over what of a configuration can change while the gateway runs: the texts of the files that it was told of at its
    /// start, and limits. An error changes nothing. Needs the asynchronous runtime.
    pub(crate) fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let (gateway, limits) = (&config.gateway, &config.limits);
        let specification = schema::specification(&self.schema);
        let manifest = self.documents.read_anew(&gateway.persisted, specification)?;
        // All or nothing by itself, and the last that can fail.
        self.access.reload(gateway)?;
        self.documents.hold_to(manifest, limits.documents);
        specification.hold_to(limits);
        self.bounds.hold_to(limits);
        self.load.hold_to(limits);
        self.connections.resize(limits.connections);
        Ok(())
    }

    /// Counts a reload.
    pub(crate) fn reloaded(&self, is_ok: bool) {
        self.metrics.reloads.count(is_ok);
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Notices what changes while the gateway runs, for as long as it is awaited; it does not end.
    pub(crate) async fn keep_up(&self) {
        let forget = async {
            let mut times = interval(FORGET);
            loop {
                times.tick().await;
                self.load.forget();
            }
        };
        tokio::join!(self.access.keep_up(), forget);
    }

    /// Who asks, and how long one answer may take.
    fn caller(&self, scopes: Scopes, credentials: Credentials) -> Caller {
        Caller {
            sources: Arc::clone(&self.sources),
            scopes,
            credentials,
            time: self.bounds.deadline(),
            places: Arc::clone(self.load.places()),
            under_way: UnderWay::default(),
            subscriptions: self.operations.subscriptions.clone(),
            begun: Arc::default(),
        }
    }

    /// Lets the one in who asks. `None`: nobody has to say who it is for this, or is to say it over the WebSocket.
    async fn admit(&self, path: &str, headers: &HeaderMap) -> Result<Option<access::Caller>, Denied> {
        if admission::is_for_everybody(path) {
            return Ok(None);
        }
        match self.access.admit(admission::shown(headers, &self.credential)).await {
            Ok(caller) => Ok(Some(caller)),
            Err(denied) if denied.is_missing() && path == WEBSOCKET => Ok(None),
            Err(denied) => Err(denied),
        }
    }

    /// What somebody is told who may not look after the gateway.
    fn refuse_unless_admin(scopes: Scopes) -> Option<Refusal> {
        let message = || format!("This needs the scope `{}`, which is not granted here.", Scope::Admin.name());
        (!scopes.contains(Scope::Admin)).then(|| Refusal::new(StatusCode::FORBIDDEN, code::FORBIDDEN, message()))
    }
}

/// Everything that is served.
pub(crate) fn front(service: &Arc<Service>) -> Front {
    Front::new(service, routes(service))
}

/// What is served at `METRICS_LISTEN`.
pub(crate) fn apart(service: &Arc<Service>, is_on_loopback: bool) -> Router {
    metrics::routes_apart(service, is_on_loopback)
}

/// All but `POST /graphql`, which is only here for whoever asks which methods there are.
fn routes(service: &Arc<Service>) -> Router {
    let vary = map_response(async |mut response: Response| {
        layers::varies_by_accept(&mut response);
        response
    });
    let mut router = Router::new();
    if !service.metrics.is_apart {
        router = router.route("/metrics", get(metrics::get_as_admin));
    }
    let mut router = router
        .route(GRAPHQL, get(graphql::get).post(graphql::post).layer(vary.clone()))
        .route(STREAM, get(stream::get).post(stream::post).layer(vary))
        .route(WEBSOCKET, get(websocket::upgrade))
        .route("/admin/purge", post(purge::post))
        .with_state(Arc::clone(service))
        .merge(health::routes(service.readiness.clone(), &service.load));
    if service.playground {
        router = router.route("/", get(|| async { Redirect::to("/graphiql") })).merge(playground::routes());
    }
    if let Some(sdl) = service.sdl.clone() {
        let version = version_of(&[sdl.as_bytes()]);
        let serve = async move |headers: HeaderMap| revalidated(schema_text(sdl), &version, &headers);
        router = router.route("/schema.graphql", get(serve));
    }
    // It comes last: it applies to the routes that are there.
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).layer(compression())
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
        let front = Front::new(&service, Router::new().route("/", get(panics)));
        let request = Request::get("/").header(HOST, "localhost");
        let response = front.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.headers().contains_key("x-request-id"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL");
        assert!(!body.to_string().contains("for the test"));
    }
}
