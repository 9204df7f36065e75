//! Callers with credentials of their own for the sources (`GATEWAY_CREDENTIALS=forward`): what each of them sees, what nobody
//! sees of another, and where a token goes.

use axum::{
    body::Body,
    http::{
        Method,
        header::{ACCEPT, CONTENT_TYPE},
    },
};
use serde_json::{Value, json};
use subject_gateway::{
    app::App,
    sandbox::{BRAINSTEM_OTHER_TOKEN, BRAINSTEM_TOKEN, HAUT_AI_OTHER_TOKEN, HAUT_AI_TOKEN},
};

use crate::http::{self, Answer, request};

mod denied;
mod events;
mod hints;
mod places;
mod shown;
mod tenants;
mod upstreams;
mod writes;

const HAUT_AI: &str = "x-haut-ai-authorization";
const BRAINSTEM: &str = "x-brainstem-authorization";

/// A caller and what it brings: the sources know the schemes of these tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenant {
    haut_ai: Option<&'static str>,
    brainstem: Option<&'static str>,
}

/// Sees every dataset and every project.
const ALL: Tenant = Tenant { haut_ai: Some(HAUT_AI_TOKEN), brainstem: Some(BRAINSTEM_TOKEN) };
/// Sees one dataset and a few projects.
const FEW: Tenant = Tenant { haut_ai: Some(HAUT_AI_OTHER_TOKEN), brainstem: Some(BRAINSTEM_OTHER_TOKEN) };
/// Shares each half with one of the others.
const MIXED: Tenant = Tenant { haut_ai: Some(HAUT_AI_TOKEN), brainstem: Some(BRAINSTEM_OTHER_TOKEN) };
/// Brings what no source knows.
const STRANGER: Tenant = Tenant { haut_ai: Some("planted-stranger"), brainstem: Some("planted-stranger") };
const NOBODY: Tenant = Tenant { haut_ai: None, brainstem: None };

impl Tenant {
    fn headers(self) -> Vec<(&'static str, &'static str)> {
        let headers = [(HAUT_AI, self.haut_ai), (BRAINSTEM, self.brainstem)];
        headers.into_iter().filter_map(|(name, token)| Some((name, token?))).collect()
    }

    /// The same for a WebSocket's `connection_init`.
    fn payload(self) -> Value {
        self.headers().into_iter().map(|(name, token)| (name.to_owned(), json!(token))).collect()
    }
}

/// How a query is asked.
#[derive(Clone, Copy, Debug)]
enum By {
    Post,
    Get,
    Stream,
}

async fn send(app: &App, headers: &[(&str, &str)], by: By, body: &Value) -> Answer {
    let text = |name: &str| body[name].as_str().map_or_else(|| body[name].to_string(), str::to_owned);
    let uri = || http::graphql_uri(&[("query", &text("query")), ("variables", &text("variables"))]);
    let (asked, content) = match by {
        By::Post => (request(Method::POST, "/graphql"), body.to_string()),
        By::Get => (request(Method::GET, &uri()), String::new()),
        By::Stream => (request(Method::POST, "/graphql/stream").header(ACCEPT, "text/event-stream"), body.to_string()),
    };
    let asked = headers.iter().fold(asked, |asked, (name, value)| asked.header(*name, *value));
    http::send(app.front(), asked.header(CONTENT_TYPE, "application/json").body(Body::from(content)).unwrap()).await
}

/// What a tenant is answered.
async fn ask(app: &App, tenant: Tenant, by: By, body: &Value) -> Value {
    let answer = send(app, &tenant.headers(), by, body).await;
    match by {
        By::Post | By::Get => answer.json(),
        By::Stream => {
            let data = answer.text().strip_prefix("event: next\ndata: ").and_then(|rest| rest.lines().next());
            serde_json::from_str(data.unwrap_or_else(|| panic!("no event: {}", answer.text()))).unwrap()
        }
    }
}

async fn query(app: &App, tenant: Tenant, query: &str) -> Value {
    ask(app, tenant, By::Post, &json!({"query": query, "variables": {}})).await
}

/// Code, source and path of each error.
fn errors(answer: &Value) -> Vec<(String, String, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let told = |error: &Value| {
        let extensions = &error["extensions"];
        (text(&extensions["code"]), text(&extensions["source"]), error["path"].clone())
    };
    errors.iter().map(told).collect()
}
