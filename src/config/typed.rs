//! From settings to a [`Config`]: reads every key, then checks them against each other.

use secrecy::SecretString;

use super::{
    AuthScheme, BrainStem, Breaker, Cache, Config, CostLimit, CostMode, Credentials, DocumentLimits, Effective,
    Gateway, Generation, HautAi, HautAiAccess, Lifetime, Limits, LogFormat, Persisted, Portal, Retries, Sideload,
    TextFile, Untrusted, Upstream,
    fault::{Fault, Faults, Origin},
    keys::{Fallback, Key, Kind, Section, key},
    settings::{Setting, Settings},
    values,
};

mod access;
mod metrics;
mod redis;

const NO_SOURCE: &str = "none is configured: set HAUT_AI_TOKEN and HAUT_AI_COMPANY_ID, or HAUT_AI_USERNAME and \
                         HAUT_AI_PASSWORD, or BRAINSTEM_TOKEN, or BRAINSTEM_PORTAL=public (or try `subject-gateway \
                         sandbox`, which needs none)";
const NO_SOURCE_TO_FORWARD_TO: &str =
    "none is configured: with GATEWAY_CREDENTIALS=forward, set HAUT_AI_COMPANY_ID or BRAINSTEM_PORTAL";
const HAUT_AI_NEEDS: &str = "set HAUT_AI_TOKEN and HAUT_AI_COMPANY_ID, or HAUT_AI_USERNAME and HAUT_AI_PASSWORD";
const BRAINSTEM_NEEDS: &str = "set BRAINSTEM_TOKEN, or BRAINSTEM_PORTAL=public";

pub(super) fn build(settings: Settings) -> Result<(Config, Effective), Faults> {
    let mut reader = Reader { settings };
    let gateway = gateway(&mut reader);
    let config = Config {
        haut_ai: haut_ai(&mut reader, gateway.credentials),
        brainstem: brainstem(&mut reader, gateway.credentials),
        gateway,
        cache: cache(&mut reader),
        redis: redis::redis(&mut reader),
        limits: limits(&mut reader),
        metrics: metrics::metrics(&mut reader),
        traces: reader.settings.traces.take(),
    };
    if config.haut_ai.is_none() && config.brainstem.is_none() {
        let needs = match config.gateway.credentials {
            Credentials::Service => NO_SOURCE,
            Credentials::Forward => NO_SOURCE_TO_FORWARD_TO,
        };
        reader.fault(Fault::of("sources", needs));
    }
    if reader.settings.faults.is_empty() {
        let effective = Effective::of(&reader.settings, &config);
        Ok((config, effective))
    } else {
        Err(Faults(reader.settings.faults))
    }
}

fn gateway(reader: &mut Reader) -> Gateway {
    let auth = reader.value("gateway.auth", values::choice);
    let is_open = auth == "none";
    let gateway = Gateway {
        listen: reader.value("gateway.listen", values::listen),
        auth: access::auth(reader, auth),
        credentials: match reader.value("gateway.credentials", values::choice) {
            "forward" => Credentials::Forward,
            _ => Credentials::Service,
        },
        auth_none_anywhere: reader.value("gateway.auth_none_anywhere", values::switch),
        allowed_hosts: reader.value("gateway.allowed_hosts", values::hosts),
        playground: reader.optional("gateway.playground", values::switch).unwrap_or(is_open),
        introspection: reader.optional("gateway.introspection", values::switch).unwrap_or(is_open),
        cors_origins: reader.value("gateway.cors_origins", values::origins),
        persisted: persisted(reader),
        log_format: match reader.value("gateway.log_format", values::choice) {
            "json" => LogFormat::Json,
            _ => LogFormat::Text,
        },
        log_level: reader.value("gateway.log_level", values::log_filter),
        ping: reader.value("gateway.ping_ms", values::millis),
        shutdown: reader.value("gateway.shutdown_ms", values::millis),
        drain: reader.value("gateway.drain_ms", values::millis),
    };
    if is_open && !gateway.listen.ip().is_loopback() && !gateway.auth_none_anywhere {
        reader.fault_at(
            key("gateway.listen"),
            "with GATEWAY_AUTH=none the gateway listens on loopback only, because whoever reaches it may read and write; \
             GATEWAY_AUTH_NONE_ANYWHERE=true lifts that",
        );
    }
    gateway
}

/// Where callers bring their own credentials, the gateway's would lie about unused, or be taken for what is used.
fn refuse_own(reader: &mut Reader, secrets: &[&str]) {
    let keys = secrets.iter().flat_map(|path| [key(path), key(&format!("{path}_file"))]);
    for key in keys {
        // What a sandbox brings is for when callers bring none.
        if reader.settings.get(key).is_some_and(|setting| setting.origin != Origin::Preset) {
            let problem = "is of no use with GATEWAY_CREDENTIALS=forward, where callers bring their own: leave it out";
            reader.fault_at(key, problem);
        }
    }
}

fn persisted(reader: &mut Reader) -> Persisted {
    let persisted = Persisted {
        automatic: reader.value("gateway.apq", values::switch),
        manifest: reader.text_file("gateway.trusted_documents_file"),
        untrusted: match reader.value("gateway.trusted_documents", values::choice) {
            "log" => Untrusted::Log,
            "only" => Untrusted::Only,
            _ => Untrusted::Run,
        },
    };
    if persisted.untrusted != Untrusted::Run && !reader.is_set("gateway.trusted_documents_file") {
        let problem = "needs the manifest of the trusted documents, in GATEWAY_TRUSTED_DOCUMENTS_FILE";
        reader.fault_at(key("gateway.trusted_documents"), problem);
    }
    persisted
}

fn haut_ai(reader: &mut Reader, credentials: Credentials) -> Option<HautAi> {
    let url = reader.value("haut_ai.url", values::url);
    let biological_sexes_path = reader.value("haut_ai.biological_sexes_path", values::api_path);
    let q_covers_name = reader.value("haut_ai.q_covers_name", values::switch);
    let refresh_after = reader.value("haut_ai.refresh_after_ms", values::millis);
    let timeout = reader.value("haut_ai.timeout_ms", values::millis);
    let company_id = reader.optional("haut_ai.company_id", values::uuid);
    let dataset_ids = reader.optional("haut_ai.dataset_ids", values::uuids);
    if credentials == Credentials::Forward {
        refuse_own(reader, &["haut_ai.token", "haut_ai.username", "haut_ai.password"]);
        if !reader.is_set("haut_ai.company_id") {
            reader.fault_when_idle(Section::HautAi, "with GATEWAY_CREDENTIALS=forward, set HAUT_AI_COMPANY_ID");
            return None;
        }
        let access = HautAiAccess::Forward;
        return Some(HautAi {
            url,
            access,
            company_id,
            dataset_ids,
            biological_sexes_path,
            q_covers_name,
            refresh_after,
            timeout,
        });
    }
    let access = haut_ai_access(reader);
    if !reader.is_any_set(&["haut_ai.token", "haut_ai.username", "haut_ai.password"]) {
        reader.fault_when_idle(Section::HautAi, HAUT_AI_NEEDS);
        return None;
    }
    let with_token = reader.is_any_set(&["haut_ai.token"]);
    if with_token && !reader.is_set("haut_ai.company_id") {
        reader.fault(Fault::of(
            "HAUT_AI_COMPANY_ID",
            "is missing; required with a token, which does not tell the company",
        ));
    }
    // A faulty secret leaves no access; the fault is on record.
    let access = access.unwrap_or_else(|| HautAiAccess::Token(SecretString::default()));
    Some(HautAi { url, access, company_id, dataset_ids, biological_sexes_path, q_covers_name, refresh_after, timeout })
}

fn haut_ai_access(reader: &mut Reader) -> Option<HautAiAccess> {
    let token = reader.secret("haut_ai.token");
    let username = reader.secret("haut_ai.username");
    let password = reader.secret("haut_ai.password");
    let [with_token, with_username, with_password] =
        ["haut_ai.token", "haut_ai.username", "haut_ai.password"].map(|path| reader.is_any_set(&[path]));
    if with_token && (with_username || with_password) {
        reader.fault(Fault::of(
            "HAUT_AI_TOKEN",
            "is set beside HAUT_AI_USERNAME or HAUT_AI_PASSWORD; set one or the other",
        ));
    } else if with_username && !with_password {
        reader.fault(Fault::of("HAUT_AI_PASSWORD", "is missing; needed beside HAUT_AI_USERNAME"));
    } else if with_password && !with_username {
        reader.fault(Fault::of("HAUT_AI_USERNAME", "is missing; needed beside HAUT_AI_PASSWORD"));
    }
    match (token, username, password) {
        (Some(token), ..) => Some(HautAiAccess::Token(token)),
        (None, Some(username), Some(password)) => Some(HautAiAccess::Login { username, password }),
        _ => None,
    }
}

fn brainstem(reader: &mut Reader, credentials: Credentials) -> Option<BrainStem> {
    let source = BrainStem {
        url: reader.value("brainstem.url", values::url),
        portal: match reader.value("brainstem.portal", values::choice) {
            "public" => Portal::Public,
            "super" => Portal::Super,
            _ => Portal::Private,
        },
        token: reader.secret("brainstem.token"),
        auth_scheme: match reader.value("brainstem.auth_scheme", values::choice) {
            "Token" => AuthScheme::Token,
            _ => AuthScheme::Bearer,
        },
        generation: match reader.value("brainstem.generation", values::choice) {
            "legacy" => Generation::Legacy,
            _ => Generation::Current,
        },
        sideload: match reader.value("brainstem.sideload", values::choice) {
            "true" => Sideload::Always,
            "false" => Sideload::Never,
            _ => Sideload::Auto,
        },
        timeout: reader.value("brainstem.timeout_ms", values::millis),
    };
    if source.portal == Portal::Super && source.generation == Generation::Current {
        reader.fault_at(
            key("brainstem.portal"),
            "`super` exists on legacy servers only; set BRAINSTEM_GENERATION=legacy",
        );
    }
    if credentials == Credentials::Forward {
        refuse_own(reader, &["brainstem.token"]);
        if !reader.is_set("brainstem.portal") {
            reader.fault_when_idle(Section::BrainStem, "with GATEWAY_CREDENTIALS=forward, set BRAINSTEM_PORTAL");
            return None;
        }
        return Some(BrainStem { token: None, ..source });
    }
    if source.portal != Portal::Public && !reader.is_any_set(&["brainstem.token"]) {
        reader.fault_when_idle(Section::BrainStem, BRAINSTEM_NEEDS);
        return None;
    }
    Some(source)
}

fn cache(reader: &mut Reader) -> Cache {
    Cache {
        max_bytes: reader.value("cache.max_bytes", values::count),
        records: lifetime(reader, ["cache.fresh_ms", "cache.stale_ms", "cache.stale_if_error_ms"]),
        lists: lifetime(reader, ["cache.lists_fresh_ms", "cache.lists_stale_ms", "cache.lists_stale_if_error_ms"]),
        reference: lifetime(
            reader,
            ["cache.reference_fresh_ms", "cache.reference_stale_ms", "cache.reference_stale_if_error_ms"],
        ),
        absent: reader.value("cache.absent_ms", values::millis),
        persisted_bytes: reader.value("cache.persisted_bytes", values::count),
    }
}

fn lifetime(reader: &mut Reader, keys: [&str; 3]) -> Lifetime {
    let [fresh, stale, stale_if_error] = keys.map(|key| reader.value(key, values::millis));
    Lifetime { fresh, stale, stale_if_error }
}

fn limits(reader: &mut Reader) -> Limits {
    Limits {
        deadline: reader.value("limits.deadline_ms", values::millis),
        body_bytes: reader.value("limits.body_bytes", values::size),
        body: reader.value("limits.body_ms", values::millis),
        head: reader.value("limits.head_ms", values::millis),
        sockets: reader.value("limits.sockets", values::size),
        operations: reader.value("limits.operations", values::size),
        rate: reader.value("limits.rate", values::small),
        burst: reader.value("limits.burst", values::one_or_more),
        connections: reader.value("limits.connections", values::size),
        subscriptions: reader.value("limits.subscriptions", values::size),
        init: reader.value("limits.init_ms", values::millis),
        batch: reader.value("limits.batch", values::size),
        documents: documents(reader),
        cost: CostLimit {
            mode: match reader.value("limits.cost", values::choice) {
                "off" => CostMode::Off,
                "measure" => CostMode::Measure,
                _ => CostMode::Enforce,
            },
            max: reader.value("limits.max_cost", values::count),
        },
        upstream: upstream(reader),
        max_scan: reader.value("limits.max_scan", values::count),
        max_gather: reader.value("limits.max_gather", values::count),
        max_entities: reader.value("limits.max_entities", values::count),
    }
}

fn documents(reader: &mut Reader) -> DocumentLimits {
    DocumentLimits {
        bytes: reader.value("limits.document_bytes", values::size),
        tokens: reader.value("limits.tokens", values::size),
        depth: reader.value("limits.depth", values::size),
        introspection_depth: reader.value("limits.introspection_depth", values::size),
        aliases: reader.value("limits.aliases", values::size),
        directives: reader.value("limits.directives", values::size),
        root_fields: reader.value("limits.root_fields", values::size),
        fields: reader.value("limits.fields", values::size),
        variables_bytes: reader.value("limits.variables_bytes", values::size),
        variables_depth: reader.value("limits.variables_depth", values::size),
    }
}

fn upstream(reader: &mut Reader) -> Upstream {
    Upstream {
        bytes: reader.value("limits.upstream_bytes", values::size),
        concurrency: reader.value("limits.upstream_concurrency", values::size),
        rate: reader.value("limits.upstream_rate", values::small),
        requests: reader.value("limits.upstream_requests", values::count),
        connect: reader.value("limits.upstream_connect_ms", values::millis),
        idle: reader.value("limits.upstream_idle_ms", values::millis),
        retries: Retries {
            tries: reader.value("limits.upstream_tries", values::count),
            backoff: reader.value("limits.upstream_backoff_ms", values::millis),
            longest_wait: reader.value("limits.upstream_retry_wait_ms", values::millis),
            percent: reader.value("limits.upstream_retry_percent", values::small),
        },
        breaker: Breaker {
            percent: reader.value("limits.upstream_failure_percent", values::small),
            minimum: reader.value("limits.upstream_failure_minimum", values::small),
            window: reader.value("limits.upstream_failure_window_ms", values::millis),
            pause: reader.value("limits.upstream_pause_ms", values::millis),
        },
    }
}

/// Reads keys and notes what is wrong with them.
struct Reader {
    settings: Settings,
}

impl Reader {
    /// The value of a key with a default. After a fault it is the default, which nobody gets to see.
    fn value<T>(&mut self, path: &str, parse: fn(Kind, &str) -> Option<T>) -> T {
        let set = self.optional(path, parse);
        set.unwrap_or_else(|| {
            let Fallback::Value(text) = key(path).fallback else { panic!("`{path}` has no default") };
            parse(key(path).kind, text).unwrap_or_else(|| panic!("the default of `{path}` is not valid"))
        })
    }

    /// The value of a key, if it is set and sound.
    fn optional<T>(&mut self, path: &str, parse: fn(Kind, &str) -> Option<T>) -> Option<T> {
        let key = key(path);
        let setting = self.settings.get(key)?;
        let value = parse(key.kind, &setting.text);
        if value.is_none() {
            let problem = format!("expected {}{}", key.kind.expected(), found(key, &setting.text));
            self.fault_at(key, problem);
        }
        value
    }

    /// A secret, given as it is or in a file.
    fn secret(&mut self, path: &str) -> Option<SecretString> {
        let file_key = key(&format!("{path}_file"));
        let Some(setting) = self.settings.get(file_key) else {
            return self.optional(path, values::secret);
        };
        let read = std::fs::read_to_string(&setting.text);
        if self.is_set(path) {
            let secret = key(path).variable();
            self.fault_at(file_key, format!("is set beside {secret}; set one or the other"));
            return None;
        }
        let problem = match read.map(|text| values::secret(key(path).kind, text.trim_end_matches(['\r', '\n']))) {
            Ok(Some(secret)) => return Some(secret),
            Ok(None) => format!("the file should hold {}, in one line", key(path).kind.expected()),
            Err(error) => format!("the file cannot be read: {error}"),
        };
        self.fault_at(file_key, problem);
        None
    }

    /// A file's text, if one is named.
    fn text_file(&mut self, path: &str) -> Option<TextFile> {
        let path_given = self.settings.get(key(path))?.text.clone();
        match std::fs::read_to_string(&path_given) {
            Ok(text) => Some(TextFile { path: path_given, text: text.into() }),
            Err(error) => {
                self.fault_at(key(path), format!("the file cannot be read: {error}"));
                None
            }
        }
    }

    fn is_set(&self, path: &str) -> bool {
        self.settings.get(key(path)).is_some()
    }

    /// Whether one of these secrets is given, as it is or in a file.
    fn is_any_set(&self, secrets: &[&str]) -> bool {
        secrets.iter().any(|path| self.is_set(path) || self.is_set(&format!("{path}_file")))
    }

    /// Settings of a source that is not configured say that somebody meant it to be. The URL alone does not: an image
    /// or a chart may carry it.
    fn fault_when_idle(&mut self, section: Section, needs: &str) {
        let told =
            |(key, setting): (&'static Key, &Setting)| format!("{} ({})", setting.origin.name_of(key), setting.origin);
        let set: Vec<_> = self.settings.of_section(section).filter(|(key, _)| key.name != "url").map(told).collect();
        if !set.is_empty() {
            let problem = format!("is not configured, although there is {}: {needs}", set.join(", "));
            self.fault(Fault::of(section.title(), problem));
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.settings.fault(fault);
    }

    /// A fault under the name the key has where it was set.
    fn fault_at(&mut self, key: &Key, problem: impl Into<String>) {
        let fault = match self.settings.get(key) {
            Some(setting) => Fault::at(setting.origin.name_of(key), &setting.origin, problem),
            None => Fault::of(key.variable(), problem),
        };
        self.fault(fault);
    }
}

/// The value, where showing it gives nothing away: a URL that is refused may have a password in it.
fn found(key: &Key, text: &str) -> String {
    let telling = matches!(key.kind, Kind::Url | Kind::JwksUrl | Kind::Origins) && text.contains(['@', '?', '#']);
    if key.kind.is_secret() || telling {
        return String::new();
    }
    let shown: String = text.chars().take(80).collect();
    format!(", found {shown:?}")
}
