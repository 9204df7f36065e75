//! The service in process over the sandbox's real sockets.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use serde_json::{Value, json};
use subject_gateway::{
    app::App,
    cache::Sources,
    config::{Config, Limits},
    sandbox::{self, LoggedRequest, Options, Records, Sandbox, Upstream},
};
use tower::ServiceExt as _;

/// A gateway over a sandbox of its own.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) sandbox: Sandbox,
    config: Config,
}

/// How a [`TestApp`] differs from the plain one.
#[derive(Default)]
pub(crate) struct Builder {
    empty: bool,
    legacy: bool,
    without: Vec<&'static str>,
    variables: Vec<(&'static str, String)>,
}

/// An answer to a query.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Value);

impl TestApp {
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// Both sources, full of records.
    pub(crate) async fn new() -> Self {
        Self::builder().build().await
    }

    pub(crate) fn haut_ai(&self) -> &Upstream {
        self.sandbox.haut_ai()
    }

    pub(crate) fn brainstem(&self) -> &Upstream {
        self.sandbox.brainstem()
    }

    /// For another process over the same upstreams.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A new process in place of this one, over the same upstreams.
    pub(crate) fn restart(&mut self) {
        self.app = App::new(&self.config).unwrap();
    }

    /// As they are configured.
    pub(crate) fn limits(&self) -> Limits {
        self.config.limits.clone()
    }

    /// The same sources with nothing in their caches.
    pub(crate) fn cold(&self) -> Arc<Sources> {
        Sources::new(&self.config).unwrap()
    }

    /// Forgets what the upstreams were asked so far.
    pub(crate) fn clear_logs(&self) {
        self.haut_ai().clear_log();
        self.brainstem().clear_log();
    }

    pub(crate) async fn query(&self, query: &str) -> Answer {
        self.query_with(query, json!({})).await
    }

    /// One operation of a document.
    pub(crate) async fn named(&self, query: &str, operation_name: &Value) -> Answer {
        Answer(self.post(&json!({"query": query, "operationName": operation_name})).await)
    }

    pub(crate) async fn query_with(&self, query: &str, variables: Value) -> Answer {
        Answer(self.post(&json!({"query": query, "variables": variables})).await)
    }

    /// Sends a body that may be more than one query.
    pub(crate) async fn post(&self, body: &Value) -> Value {
        let request = Request::post("/graphql")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.app.front().oneshot(request).await.unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&body).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&body)))
    }
}

impl Builder {
    /// Upstreams without records, for tests that bring their own.
    pub(crate) fn empty(mut self) -> Self {
        self.empty = true;
        self
    }

    /// BrainSTEM from before its renaming.
    pub(crate) fn legacy(mut self) -> Self {
        self.legacy = true;
        self.set("BRAINSTEM_GENERATION", "legacy").set("BRAINSTEM_AUTH_SCHEME", "Token")
    }

    /// Callers bring their own credentials.
    pub(crate) fn forward(self) -> Self {
        let forward = self.set("GATEWAY_CREDENTIALS", "forward").set("BRAINSTEM_PORTAL", "private");
        forward.unset("HAUT_AI_TOKEN").unset("BRAINSTEM_TOKEN")
    }

    /// Sets a variable of the configuration.
    pub(crate) fn set(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.retain(|(name, _)| *name != variable);
        self.variables.push((variable, value.into()));
        self
    }

    /// Takes away a variable that is set otherwise.
    pub(crate) fn unset(mut self, variable: &'static str) -> Self {
        self.without.push(variable);
        self
    }

    /// Only BrainSTEM.
    pub(crate) fn without_haut_ai(self) -> Self {
        self.unset("HAUT_AI_URL").unset("HAUT_AI_TOKEN").unset("HAUT_AI_COMPANY_ID")
    }

    /// Only Haut.AI.
    pub(crate) fn without_brainstem(self) -> Self {
        self.unset("BRAINSTEM_URL").unset("BRAINSTEM_TOKEN")
    }

    pub(crate) async fn build(self) -> TestApp {
        let options = Options {
            records: if self.empty { Records::Empty } else { Records::Full },
            brainstem_legacy: self.legacy,
            ..Options::default()
        };
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut variables = vec![
            ("HAUT_AI_URL", sandbox.haut_ai().url().to_owned()),
            ("HAUT_AI_TOKEN", sandbox::HAUT_AI_TOKEN.to_owned()),
            ("HAUT_AI_COMPANY_ID", sandbox::COMPANY_ID.to_owned()),
            ("BRAINSTEM_URL", sandbox.brainstem().url().to_owned()),
            ("BRAINSTEM_TOKEN", sandbox::BRAINSTEM_TOKEN.to_owned()),
            // Tests don't wait for what fails.
            ("LIMITS_UPSTREAM_BACKOFF_MS", "1".to_owned()),
        ];
        let is_set = |name: &str| self.variables.iter().any(|(set, _)| *set == name);
        variables.retain(|(name, _)| !self.without.contains(name) && !is_set(name));
        variables.extend(self.variables);
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let config = Config::from_variables(variables).unwrap();
        TestApp { app: App::new(&config).unwrap(), sandbox, config }
    }
}

impl Answer {
    /// The data; fails where there are errors.
    pub(crate) fn data(&self) -> &Value {
        assert!(self.0.get("errors").is_none(), "{:#}", self.0["errors"]);
        &self.0["data"]
    }

    /// The errors, by path.
    pub(crate) fn errors(&self) -> Vec<Value> {
        let mut errors = self.0["errors"].as_array().cloned().unwrap_or_default();
        errors.sort_by_key(|error| error["path"].to_string());
        errors
    }

    /// Code and path of each error, by path.
    pub(crate) fn codes(&self) -> Vec<(String, Value)> {
        let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or("no code").to_owned();
        self.errors().iter().map(|error| (code(error), error["path"].clone())).collect()
    }
}

/// The requests among them whose path ends so.
pub(crate) fn to_path<'a>(log: &'a [LoggedRequest], end: &str) -> Vec<&'a LoggedRequest> {
    log.iter().filter(|request| request.path.ends_with(end)).collect()
}

/// Waits for something that is about to happen; fails where it does not.
pub(crate) async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), looking).await.expect("it never happens")
}
