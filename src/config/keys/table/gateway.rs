//! Keys of the gateway itself: where it listens, who may ask, which documents, how it logs.

use super::{unset, value};
use crate::config::keys::{Key, Kind, Section};

pub(super) const KEYS: &[Key] = &[
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
        Kind::Choice(&["none", "api-key", "jwt"]),
        "none",
        "How callers show who they are: `none`, whoever reaches the gateway may read and write; `api-key`, by a key in \
         `X-API-Key`, of those in `API_KEYS_FILE`; `jwt`, by a token in `Authorization: Bearer`, of the issuer in `JWT_ISSUER`.",
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
         send ids from it in place of queries. It is read anew when it changes.",
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
    value(
        Section::Gateway,
        "drain_ms",
        Kind::Millis { min: 0, max: 600_000 },
        "2000",
        "How long after SIGTERM requests are still taken while `/health/ready` answers 503, so that load balancers notice. \
         Ctrl-C does not wait.",
    ),
    unset(
        Section::ApiKeys,
        "file",
        Kind::TextFile,
        "none",
        "The callers' keys, as `subject-gateway key new` writes them: names, hashes and scopes. It is read anew when it changes.",
    ),
    unset(
        Section::Jwt,
        "issuer",
        Kind::Text,
        "none",
        "Who makes the tokens: their `iss`, to the letter. Required with `GATEWAY_AUTH=jwt`.",
    ),
    unset(
        Section::Jwt,
        "audience",
        Kind::Texts,
        "none",
        "Whom the tokens are for: one of these has to be in their `aud`. Required with `GATEWAY_AUTH=jwt`.",
    ),
    unset(
        Section::Jwt,
        "jwks_url",
        Kind::JwksUrl,
        "none",
        "Where the issuer publishes its public keys. This or `jwks_file` is required with `GATEWAY_AUTH=jwt`.",
    ),
    unset(
        Section::Jwt,
        "jwks_file",
        Kind::TextFile,
        "none",
        "The issuer's public keys as a JWK set, in place of `jwks_url`. It is read anew when it changes.",
    ),
    value(
        Section::Jwt,
        "algorithms",
        Kind::Choices(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]),
        "RS256,ES256",
        "How the tokens may be signed.",
    ),
    value(
        Section::Jwt,
        "leeway_seconds",
        Kind::Count { min: 0, max: 300, unit: "seconds" },
        "30",
        "How far the issuer's clock may be from the gateway's: a token is good for so long before its `nbf` and after its `exp`.",
    ),
];
