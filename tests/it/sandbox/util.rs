//! Sends requests to a sandbox's upstream and reads what comes.

use std::time::Duration;

use reqwest::{Client, Method, header::HeaderMap, redirect::Policy};
use serde_json::Value;
use subject_gateway::sandbox::{BRAINSTEM_TOKEN, HAUT_AI_TOKEN, Options, Sandbox, Upstream};

pub(super) async fn start() -> Sandbox {
    Sandbox::start(Options::default()).await.unwrap()
}

pub(super) async fn start_legacy() -> Sandbox {
    let options = Options { brainstem_legacy: true, ..Options::default() };
    Sandbox::start(options).await.unwrap()
}

/// A client of one upstream, with a token.
pub(super) struct Caller {
    client: Client,
    pub(super) upstream: Upstream,
    authorization: Option<String>,
    accept: &'static str,
}

/// What came back; the body is null where it is not JSON.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
    pub(super) text: String,
}

impl Caller {
    pub(super) fn new(upstream: &Upstream, authorization: Option<String>) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(20)).build().unwrap();
        Self { client, upstream: upstream.clone(), authorization, accept: "application/json" }
    }

    pub(super) fn haut_ai(sandbox: &Sandbox) -> Self {
        Self::new(sandbox.haut_ai(), Some(format!("Bearer {HAUT_AI_TOKEN}")))
    }

    pub(super) fn brainstem(sandbox: &Sandbox) -> Self {
        Self::new(sandbox.brainstem(), Some(format!("Bearer {BRAINSTEM_TOKEN}")))
    }

    pub(super) fn legacy(sandbox: &Sandbox) -> Self {
        Self::new(sandbox.brainstem(), Some(format!("Token {BRAINSTEM_TOKEN}")))
    }

    pub(super) fn with(&self, authorization: Option<&str>) -> Self {
        Self::new(&self.upstream, authorization.map(str::to_owned))
    }

    pub(super) fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.send(Method::GET, target, None).await
    }

    pub(super) async fn post(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::POST, target, Some(body)).await
    }

    pub(super) async fn patch(&self, target: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, target, Some(body)).await
    }

    pub(super) async fn delete(&self, target: &str) -> Answer {
        self.send(Method::DELETE, target, None).await
    }

    pub(super) async fn send(&self, method: Method, target: &str, body: Option<&Value>) -> Answer {
        self.try_send(method, target, body).await.unwrap()
    }

    pub(super) async fn try_send(&self, method: Method, target: &str, body: Option<&Value>) -> reqwest::Result<Answer> {
        let url = format!("{}{target}", self.upstream.url());
        let mut request = self.client.request(method, url).header("accept", self.accept);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text })
    }
}

impl Answer {
    pub(super) fn list(&self, key: &str) -> &[Value] {
        self.body[key].as_array().unwrap_or_else(|| panic!("no list {key} in {}", self.text))
    }

    pub(super) fn ids(&self, key: &str) -> Vec<&str> {
        self.list(key).iter().map(|record| record["id"].as_str().unwrap()).collect()
    }

    pub(super) fn is_html(&self) -> bool {
        let media_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        media_type.is_some_and(|media_type| media_type.starts_with("text/html"))
    }
}
