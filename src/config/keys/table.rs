//! The table itself.

use super::{Fallback, Key, Kind, Section};

const fn value(section: Section, name: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Key {
    Key { section, name, kind, fallback: Fallback::Value(value), help }
}

const fn unset(section: Section, name: &'static str, kind: Kind, words: &'static str, help: &'static str) -> Key {
    Key { section, name, kind, fallback: Fallback::Nothing(words), help }
}

const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Count { min, max, unit: "bytes" }
}

const ONE_REQUEST: Kind = Kind::Millis { min: 1, max: 600_000 };
const PERCENT: Kind = Kind::Count { min: 0, max: 100, unit: "percent" };
const KEPT_FOR: Kind = Kind::Millis { min: 0, max: 86_400_000 };

/// Every key there is, in the order of the documentation.
pub static KEYS: &[Key] = &[
    value(
        Section::Gateway,
        "listen",
        Kind::Listen,
        "127.0.0.1:8080",
        "Where the gateway listens; port 0 takes a free one.",
    ),
    value(
        Section::Gateway,
        "auth",
        Kind::Choice(&["none", "api-key"]),
        "none",
        "How callers show who they are: `none`, whoever reaches the gateway may read and write; `api-key`, by a key in \
         `X-API-Key`, of those in `API_KEYS_FILE`.",
    ),
    value(
        Section::Gateway,
        "auth_none_anywhere",
        Kind::Switch,
        "false",
        "Allows `auth = none` on an address that is not loopback: everybody who reaches it reads what the gateway reads; writes \
         are FORBIDDEN then.",
    ),
    value(
        Section::Gateway,
        "credentials",
        Kind::Choice(&["service", "forward"]),
        "service",
        "Whose credentials the sources are asked with: `service`, the gateway's own; `forward`, those that callers bring in \
         `X-Haut-AI-Authorization` and `X-BrainSTEM-Authorization`. `HAUT_AI_COMPANY_ID` and `BRAINSTEM_PORTAL` then \
         configure the sources, and tokens and passwords here are faults.",
    ),
    value(
        Section::Gateway,
        "allowed_hosts",
        Kind::Hosts,
        "",
        "`Host` names accepted beside localhost and loopback addresses; others get 421 (against DNS rebinding).",
    ),
    unset(
        Section::Gateway,
        "playground",
        Kind::Switch,
        "`true` with `GATEWAY_AUTH=none`, else `false`",
        "Serves GraphiQL on `/graphiql`; `/` leads there.",
    ),
    unset(
        Section::Gateway,
        "introspection",
        Kind::Switch,
        "`true` with `GATEWAY_AUTH=none`, else `false`",
        "Answers introspection queries and serves `/schema.graphql`.",
    ),
    value(
        Section::Gateway,
        "cors_origins",
        Kind::Origins,
        "",
        "Browser origins that may call; none turns CORS off. `localhost` is any origin on this computer, on any port.",
    ),
    value(
        Section::Gateway,
        "apq",
        Kind::Switch,
        "true",
        "Automatic persisted queries: clients send a query's SHA-256 in place of its text once the gateway knows it.",
    ),
    unset(
        Section::Gateway,
        "trusted_documents_file",
        Kind::TextFile,
        "none",
        "A manifest of the clients' queries, as Apollo's, Relay's and GraphQL Code Generator's tools write it: clients may \
         send ids from it in place of queries.",
    ),
    value(
        Section::Gateway,
        "trusted_documents",
        Kind::Choice(&["off", "log", "only"]),
        "off",
        "What becomes of a query that is not in the manifest: `off` runs it, `log` runs it and logs its SHA-256 once, `only` \
         refuses it.",
    ),
    value(
        Section::Gateway,
        "log_format",
        Kind::Choice(&["text", "json"]),
        "text",
        "How log lines look, on standard error.",
    ),
    value(Section::Gateway, "log_level", Kind::LogFilter, "info", "What is logged."),
    value(
        Section::Gateway,
        "ping_ms",
        Kind::Millis { min: 10, max: 600_000 },
        "12000",
        "How often a sign of life is sent over WebSockets and streams of events; a WebSocket that answers none is closed.",
    ),
    value(
        Section::Gateway,
        "shutdown_ms",
        Kind::Millis { min: 0, max: 600_000 },
        "10000",
        "How long requests in flight may go on after SIGTERM or Ctrl-C.",
    ),
    unset(
        Section::ApiKeys,
        "file",
        Kind::TextFile,
        "none",
        "The callers' keys, as `subject-gateway key new` writes them: names, hashes and scopes. It is read anew when it changes.",
    ),
    value(Section::HautAi, "url", Kind::Url, "https://saas.haut.ai", "The server, without the path of its API."),
    unset(
        Section::HautAi,
        "token",
        Kind::Token,
        "none",
        "A private token made in the portal; needs `company_id`. Configures the source.",
    ),
    unset(Section::HautAi, "token_file", Kind::SecretFile, "none", "A file that holds the token."),
    unset(
        Section::HautAi,
        "username",
        Kind::Secret,
        "none",
        "With `password`, instead of a token. Configures the source.",
    ),
    unset(Section::HautAi, "username_file", Kind::SecretFile, "none", "A file that holds the user name."),
    unset(Section::HautAi, "password", Kind::Secret, "none", "With `username`."),
    unset(Section::HautAi, "password_file", Kind::SecretFile, "none", "A file that holds the password."),
    unset(
        Section::HautAi,
        "company_id",
        Kind::Uuid,
        "from the login",
        "The company; required with a token, and with `GATEWAY_CREDENTIALS=forward`, where it configures the source.",
    ),
    unset(
        Section::HautAi,
        "dataset_ids",
        Kind::Uuids,
        "every dataset of the company",
        "The datasets to serve, and no other.",
    ),
    value(
        Section::HautAi,
        "biological_sexes_path",
        Kind::ApiPath,
        "api/v1/dicts/biological_sexes/",
        "Where the dictionary of biological sexes is; Haut.AI does not document it.",
    ),
    value(
        Section::HautAi,
        "q_covers_name",
        Kind::Switch,
        "true",
        "Trusts Haut.AI's search (`q`) to find every name that it should, which is not documented; off, names are compared \
         in the gateway alone.",
    ),
    value(
        Section::HautAi,
        "refresh_after_ms",
        Kind::Millis { min: 1_000, max: 86_400_000 },
        "3000000",
        "How long after a login its token is renewed. It lives about one hour, which is not documented exactly.",
    ),
    value(Section::HautAi, "timeout_ms", ONE_REQUEST, "10000", "One request, from connecting to the last byte."),
    value(
        Section::BrainStem,
        "url",
        Kind::Url,
        "https://www.brainstem.org",
        "The server, without the path of its API.",
    ),
    value(
        Section::BrainStem,
        "portal",
        Kind::Choice(&["private", "public", "super"]),
        "private",
        "`public` needs no token, configures the source by itself and reads only; `super` exists on legacy servers. With \
         `GATEWAY_CREDENTIALS=forward` each of them configures the source, once it is set.",
    ),
    unset(Section::BrainStem, "token", Kind::Token, "none", "A personal token. Configures the source."),
    unset(Section::BrainStem, "token_file", Kind::SecretFile, "none", "A file that holds the token."),
    value(
        Section::BrainStem,
        "auth_scheme",
        Kind::Choice(&["Bearer", "Token"]),
        "Bearer",
        "The word before the token; `Token` on older servers.",
    ),
    value(
        Section::BrainStem,
        "generation",
        Kind::Choice(&["current", "legacy"]),
        "current",
        "`legacy` reads and writes the shape from before the renaming.",
    ),
    value(
        Section::BrainStem,
        "sideload",
        Kind::Choice(&["auto", "true", "false"]),
        "auto",
        "Whether lists bring along the related records that a query selects (`include[]`): one round trip instead of one a \
         level. `auto`: where that is worth its while.",
    ),
    value(Section::BrainStem, "timeout_ms", ONE_REQUEST, "10000", "One request, from connecting to the last byte."),
    value(
        Section::Cache,
        "max_bytes",
        bytes(0, 1 << 40),
        "134217728",
        "Memory for what the upstreams answered: half of it for records, a quarter for stretches of lists, a quarter for \
         whole answers.",
    ),
    value(
        Section::Cache,
        "fresh_ms",
        KEPT_FOR,
        "10000",
        "How long a record is served without asking again; 0 turns all of the cache off.",
    ),
    value(
        Section::Cache,
        "stale_ms",
        KEPT_FOR,
        "30000",
        "How long after that a record is still served, while it is read anew.",
    ),
    value(
        Section::Cache,
        "stale_if_error_ms",
        KEPT_FOR,
        "600000",
        "How long after `fresh_ms` a record stands in where its source is out of order.",
    ),
    value(
        Section::Cache,
        "lists_fresh_ms",
        KEPT_FOR,
        "10000",
        "As `fresh_ms`, of lists of subjects and of what changes along with them.",
    ),
    value(Section::Cache, "lists_stale_ms", KEPT_FOR, "30000", "As `stale_ms`, of such lists."),
    value(Section::Cache, "lists_stale_if_error_ms", KEPT_FOR, "600000", "As `stale_if_error_ms`, of such lists."),
    value(
        Section::Cache,
        "reference_fresh_ms",
        KEPT_FOR,
        "300000",
        "As `fresh_ms`, of what changes rarely, and lists of it: strains, species, suppliers, licences, brain regions, datasets, the \
         dictionary of sexes.",
    ),
    value(Section::Cache, "reference_stale_ms", KEPT_FOR, "3600000", "As `stale_ms`, of what changes rarely."),
    value(
        Section::Cache,
        "reference_stale_if_error_ms",
        KEPT_FOR,
        "86400000",
        "As `stale_if_error_ms`, of what changes rarely.",
    ),
    value(Section::Cache, "absent_ms", KEPT_FOR, "2000", "How long “not there” is served without asking again."),
    value(
        Section::Cache,
        "persisted_bytes",
        bytes(65_536, 1 << 30),
        "8388608",
        "Memory for the queries that clients registered by automatic persisted queries.",
    ),
    value(
        Section::Limits,
        "deadline_ms",
        ONE_REQUEST,
        "30000",
        "A request's time; what is not there by then is an error beside what is.",
    ),
    value(
        Section::Limits,
        "body_bytes",
        bytes(1_024, 104_857_600),
        "1048576",
        "A request's body; a longer one gets 413.",
    ),
    value(
        Section::Limits,
        "connections",
        Kind::Count { min: 1, max: 1_000_000, unit: "connections" },
        "1000",
        "WebSockets and streams of events (`/graphql/ws`, `/graphql/stream`) at the same time; one more gets 503.",
    ),
    value(
        Section::Limits,
        "subscriptions",
        Kind::Count { min: 1, max: 10_000, unit: "operations" },
        "100",
        "Operations at the same time on one WebSocket; one more is refused with OVERLOADED.",
    ),
    value(
        Section::Limits,
        "init_ms",
        ONE_REQUEST,
        "3000",
        "How long a new WebSocket may take for its `connection_init`; then it is closed with 4408.",
    ),
    value(
        Section::Limits,
        "batch",
        Kind::Count { min: 0, max: 100, unit: "requests" },
        "0",
        "Requests in one body, as a JSON array; 0: batching is off.",
    ),
    value(Section::Limits, "upstream_bytes", bytes(1_024, 1 << 30), "33554432", "One upstream answer, decompressed."),
    value(
        Section::Limits,
        "upstream_concurrency",
        Kind::Count { min: 1, max: 10_000, unit: "requests" },
        "32",
        "Requests in flight towards one source.",
    ),
    value(
        Section::Limits,
        "upstream_rate",
        Kind::Count { min: 0, max: 1_000, unit: "requests" },
        "0",
        "Requests a second towards one source, evenly spaced; more wait. 0: no bound.",
    ),
    value(
        Section::Limits,
        "upstream_requests",
        Kind::Count { min: 1, max: 1_000_000, unit: "requests" },
        "1000",
        "Reads of the sources that one operation may begin; what needs more is QUERY_TOO_COMPLEX.",
    ),
    value(
        Section::Limits,
        "upstream_connect_ms",
        ONE_REQUEST,
        "5000",
        "Making a connection to a source; past it the request is UPSTREAM_TIMEOUT.",
    ),
    value(
        Section::Limits,
        "upstream_idle_ms",
        ONE_REQUEST,
        "5000",
        "Between two pieces of an answer's body; past it the request is UPSTREAM_TIMEOUT.",
    ),
    value(
        Section::Limits,
        "upstream_tries",
        Kind::Count { min: 1, max: 10, unit: "tries" },
        "3",
        "How often a read is sent at most where its connection fails or the source is not ready; 1: no retries. Writes are \
         never sent again.",
    ),
    value(
        Section::Limits,
        "upstream_backoff_ms",
        Kind::Millis { min: 1, max: 60_000 },
        "100",
        "The first pause before a retry; each is twice as long as the one before, and up to twice that by chance.",
    ),
    value(
        Section::Limits,
        "upstream_retry_wait_ms",
        Kind::Millis { min: 1, max: 60_000 },
        "2000",
        "The longest pause before a retry, and as much again where a source's `Retry-After` asks for it; where that is longer there is \
         none.",
    ),
    value(
        Section::Limits,
        "upstream_retry_percent",
        PERCENT,
        "20",
        "Retries for a hundred reads, rounded up to 100, 50, 33, 25, 20 or another such part; 0: no retries.",
    ),
    value(
        Section::Limits,
        "upstream_failure_percent",
        Kind::Count { min: 1, max: 100, unit: "percent" },
        "60",
        "From this share of failures on a source is not asked for a while (`upstream_pause_ms`).",
    ),
    value(
        Section::Limits,
        "upstream_failure_minimum",
        Kind::Count { min: 1, max: 100_000, unit: "requests" },
        "10",
        "Requests within the window below which no share counts; so many failures in a row are enough, however long they took.",
    ),
    value(
        Section::Limits,
        "upstream_failure_window_ms",
        Kind::Millis { min: 10, max: 600_000 },
        "10000",
        "Of which time the share of failures is.",
    ),
    value(
        Section::Limits,
        "upstream_pause_ms",
        Kind::Millis { min: 0, max: 600_000 },
        "5000",
        "How long a source that failed too often is not asked; then one request tries how it fares. 0: it is always asked.",
    ),
    value(
        Section::Limits,
        "max_scan",
        Kind::Count { min: 10, max: 1_000_000, unit: "records" },
        "1000",
        "Records that one page of a list may examine where the gateway itself filters; then the page ends early.",
    ),
    value(
        Section::Limits,
        "max_gather",
        Kind::Count { min: 1, max: 1_000_000, unit: "records" },
        "10000",
        "Records of one source that a list may read to be sorted; with more it is RESULT_TOO_LARGE.",
    ),
    value(
        Section::Limits,
        "max_entities",
        Kind::Count { min: 1, max: 100_000, unit: "entities" },
        "1000",
        "Entities that a router may ask for in one `_entities`; more are BAD_USER_INPUT.",
    ),
];
