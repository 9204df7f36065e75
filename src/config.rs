//! Configuration: the sole reader of files and environment. Knows nothing of what the values are used for.
//!
//! [`keys`] is the table of all keys; [`Input`] is where they are read from; every fault is found at once ([`Faults`]).

mod effective;
mod fault;
mod file;
pub mod keys;
mod limits;
mod settings;
mod traces;
mod typed;
mod upstream;
mod values;

use std::{ffi::OsString, net::SocketAddr, sync::Arc, time::Duration};

use secrecy::{SecretBox, SecretString};
use url::Url;
use uuid::Uuid;

pub use self::{
    effective::Effective,
    fault::{Fault, Faults, Origin},
    limits::{CostLimit, CostMode, DocumentLimits, Limits},
    settings::Input,
    traces::{Sampler, Traces},
    upstream::{Breaker, Retries, Upstream},
    values::MOST_NAMES,
};

/// Everything the gateway is told at its start; what can change afterwards is told again.
#[derive(Clone, Debug)]
pub struct Config {
    pub gateway: Gateway,
    /// `None`: not configured, its subjects are absent.
    pub haut_ai: Option<HautAi>,
    /// `None`: not configured, its subjects are absent.
    pub brainstem: Option<BrainStem>,
    pub cache: Cache,
    /// `None`: this gateway shares nothing with others.
    pub redis: Option<Redis>,
    pub limits: Limits,
    pub metrics: Metrics,
    /// `None`: traces are off.
    pub traces: Option<Traces>,
}

impl Config {
    /// Reads and checks a configuration; at least one source has to be configured.
    pub fn load(input: Input) -> Result<Self, Faults> {
        Self::load_with_origins(input).map(|(config, _)| config)
    }

    /// The same, and what was set where.
    pub fn load_with_origins(input: Input) -> Result<(Self, Effective), Faults> {
        typed::build(settings::Settings::gather(input))
    }

    /// Reads a configuration from these variables alone.
    pub fn from_variables<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Faults> {
        let environment = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::load(Input { environment, ..Input::default() })
    }
}

/// The variables of this process, for [`Input::environment`].
pub fn process_environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// The server itself.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// `GATEWAY_LISTEN`, default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// `GATEWAY_AUTH`, default `none`.
    pub auth: Auth,
    /// `GATEWAY_CREDENTIALS`, default `service`.
    pub credentials: Credentials,
    /// `GATEWAY_AUTH_NONE_ANYWHERE`, default false: may listen beyond loopback without asking callers who they are; they may only
    /// read then.
    pub auth_none_anywhere: bool,
    /// `GATEWAY_ALLOWED_HOSTS`, comma-separated: `Host` names beside localhost and loopback addresses; lower case,
    /// addresses without brackets.
    pub allowed_hosts: Vec<String>,
    /// `GATEWAY_PLAYGROUND`, default true with `GATEWAY_AUTH=none`.
    pub playground: bool,
    /// `GATEWAY_INTROSPECTION`, default true with `GATEWAY_AUTH=none`.
    pub introspection: bool,
    /// `GATEWAY_CORS_ORIGINS`, comma-separated; none by default.
    pub cors_origins: CorsOrigins,
    pub persisted: Persisted,
    /// `GATEWAY_LOG_FORMAT`, default `text`.
    pub log_format: LogFormat,
    /// `GATEWAY_LOG_LEVEL`, default `info`: a tracing filter.
    pub log_level: String,
    /// `GATEWAY_PING_MS`, default 12,000: how often a sign of life is sent over WebSockets and streams of events.
    pub ping: Duration,
    /// `GATEWAY_SHUTDOWN_MS`, default 10,000: how long requests in flight may go on after the signal to stop.
    pub shutdown: Duration,
    /// `GATEWAY_DRAIN_MS`, default 2,000: how long after SIGTERM requests are still taken while the gateway is not ready.
    pub drain: Duration,
}

/// How callers show who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// They don't.
    None,
    /// By a key in `X-API-Key`, from `API_KEYS_FILE`.
    ApiKey(TextFile),
    /// By a JWT in `Authorization`.
    Jwt(Jwt),
}

/// Which JWTs let their bearers in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// `JWT_ISSUER`.
    pub issuer: String,
    /// `JWT_AUDIENCE`, comma-separated: one of them is enough.
    pub audience: Vec<String>,
    pub keys: JwksAt,
    /// `JWT_ALGORITHMS`, comma-separated, default `RS256,ES256`; asymmetric ones only.
    pub algorithms: Vec<&'static str>,
    /// `JWT_LEEWAY_SECONDS`, default 30: how far clocks may differ.
    pub leeway: Duration,
}

/// Where the issuer's public keys are, as a JWK set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksAt {
    /// `JWT_JWKS_URL`.
    Url(Url),
    /// `JWT_JWKS_FILE`.
    File(TextFile),
}

/// With whose credentials the sources are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The gateway's own.
    Service,
    /// Callers bring their own, with each request.
    Forward,
}

/// Documents that clients name instead of sending.
#[derive(Clone, Debug)]
pub struct Persisted {
    /// `GATEWAY_APQ`, default true: clients may register them (automatic persisted queries).
    pub automatic: bool,
    /// `GATEWAY_TRUSTED_DOCUMENTS_FILE`; `None`: there is no manifest.
    pub manifest: Option<TextFile>,
    /// `GATEWAY_TRUSTED_DOCUMENTS`, default `off`; the others need a manifest.
    pub untrusted: Untrusted,
}

/// What becomes of a document that is not in the manifest of trusted ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// It runs (`off`).
    Run,
    /// It runs, and is logged once.
    Log,
    /// It is refused.
    Only,
}

/// A file that was read at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// As it was given.
    pub path: String,
    pub text: Arc<str>,
}

/// The browser origins that may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsOrigins {
    /// Any http or https origin on localhost, 127.0.0.1 or `[::1]`, on any port.
    pub localhost: bool,
    /// As browsers send them.
    pub exact: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The Haut.AI source.
#[derive(Clone, Debug)]
pub struct HautAi {
    /// `HAUT_AI_URL`, default `https://saas.haut.ai`; always ends with `/`.
    pub url: Url,
    pub access: HautAiAccess,
    /// `HAUT_AI_COMPANY_ID`; from the login, otherwise required.
    pub company_id: Option<Uuid>,
    /// `HAUT_AI_DATASET_IDS`, comma-separated; `None`: every dataset of the company.
    pub dataset_ids: Option<Vec<Uuid>>,
    /// `HAUT_AI_BIOLOGICAL_SEXES_PATH`, default `api/v1/dicts/biological_sexes/`: undocumented upstream.
    pub biological_sexes_path: String,
    /// `HAUT_AI_Q_COVERS_NAME`, default true: whether `q` finds every name that it should, which is not documented.
    pub q_covers_name: bool,
    /// `HAUT_AI_REFRESH_AFTER_MS`, default 3,000,000 (50 minutes): how long after a login its token is renewed. It lives about
    /// one hour, which is not documented exactly.
    pub refresh_after: Duration,
    /// `HAUT_AI_TIMEOUT_MS`, default 10,000: one request, from connecting to the last byte.
    pub timeout: Duration,
}

/// How the gateway shows Haut.AI who it is.
#[derive(Clone, Debug)]
pub enum HautAiAccess {
    /// `HAUT_AI_TOKEN`: a private token made in the portal.
    Token(SecretString),
    /// `HAUT_AI_USERNAME` and `HAUT_AI_PASSWORD`.
    Login { username: SecretString, password: SecretString },
    /// Callers bring what they show it.
    Forward,
}

/// The BrainSTEM source.
#[derive(Clone, Debug)]
pub struct BrainStem {
    /// `BRAINSTEM_URL`, default `https://www.brainstem.org`; always ends with `/`.
    pub url: Url,
    /// `BRAINSTEM_PORTAL`, default `private`.
    pub portal: Portal,
    /// `BRAINSTEM_TOKEN`; `None` with the public portal, and where callers bring their own.
    pub token: Option<SecretString>,
    /// `BRAINSTEM_AUTH_SCHEME`, default `Bearer`.
    pub auth_scheme: AuthScheme,
    /// `BRAINSTEM_GENERATION`, default `current`.
    pub generation: Generation,
    /// `BRAINSTEM_SIDELOAD`, default `auto`: whether lists bring related records along (`include[]`).
    pub sideload: Sideload,
    /// `BRAINSTEM_TIMEOUT_MS`, default 10,000: one request, from connecting to the last byte.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portal {
    Private,
    Public,
    Super,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    Bearer,
    Token,
}

/// Whether lists bring along the records that a query selects of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sideload {
    /// Where it is worth its while.
    Auto,
    /// Wherever they are selected.
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    Current,
    Legacy,
}

/// What is kept from the upstreams' answers.
#[derive(Clone, Debug)]
pub struct Cache {
    /// `CACHE_MAX_BYTES`, default 134,217,728 (128 MiB): half of it for records, a quarter each for stretches of lists and
    /// for whole answers.
    pub max_bytes: u64,
    /// `CACHE_FRESH_MS` (10,000; 0 turns the cache off), `CACHE_STALE_MS` (30,000), `CACHE_STALE_IF_ERROR_MS` (600,000):
    /// subjects and what changes along with them, one by one.
    pub records: Lifetime,
    /// `CACHE_LISTS_FRESH_MS` (10,000), `CACHE_LISTS_STALE_MS` (30,000), `CACHE_LISTS_STALE_IF_ERROR_MS` (600,000): lists
    /// of them.
    pub lists: Lifetime,
    /// `CACHE_REFERENCE_FRESH_MS` (300,000), `CACHE_REFERENCE_STALE_MS` (3,600,000),
    /// `CACHE_REFERENCE_STALE_IF_ERROR_MS` (86,400,000): what changes rarely: strains, species, suppliers, licences, brain
    /// regions, datasets, the dictionary of sexes.
    pub reference: Lifetime,
    /// `CACHE_ABSENT_MS`, default 2,000: how long "not there" is served without asking again.
    pub absent: Duration,
    /// `CACHE_PERSISTED_BYTES`, default 8,388,608 (8 MiB): the queries that clients registered.
    pub persisted_bytes: u64,
}

/// Where replicas share what they keep.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `REDIS_URL`, comma-separated: one server, or nodes of one Cluster.
    pub urls: Vec<SecretString>,
    /// `REDIS_ENCRYPTION_KEY`: with what everything is encrypted that goes there.
    pub key: Arc<SecretBox<[u8; 32]>>,
    /// `REDIS_TIMEOUT_MS`, default 150: how long a request waits for an answer.
    pub timeout: Duration,
}

/// For how long what an upstream answered is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// It is served without asking again.
    pub fresh: Duration,
    /// After that, it is served for so long, while it is read anew beside that.
    pub stale: Duration,
    /// From the end of `fresh` on, for so long it stands in where the upstream is out of order.
    pub stale_if_error: Duration,
}

/// What is counted, and where that is served.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// `METRICS_LISTEN`; `None`: where GraphQL is, to those who look after the gateway.
    pub listen: Option<SocketAddr>,
    /// `METRICS_ANYWHERE`, default false: `listen` may be beyond loopback.
    pub anywhere: bool,
    /// `METRICS_OPERATIONS`, comma-separated, at most [`MOST_NAMES`]: what is counted by its name.
    pub operations: Vec<String>,
}
