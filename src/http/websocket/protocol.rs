//! The rules of graphql-transport-ws, seen from the server: what a client may send when, and what goes out in place of what
//! async-graphql says. Pure: knows messages and no socket.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::http::json::nests_texts;

/// Marks an answer that is a refusal, in its `extensions`: async-graphql knows no such messages.
pub(super) const REFUSED: &str = "subject-gateway/refused";

/// The longest id of an operation, in bytes: clients count or take UUIDs.
const MAX_ID: usize = 256;

/// Why a connection ends, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

impl Close {
    pub(super) const GOING_AWAY: Self = Self::of(1001, "The gateway shuts down");
    pub(super) const TOO_LARGE: Self = Self::of(1009, "The message is longer than this gateway allows");
    pub(super) const FORBIDDEN_ORIGIN: Self = Self::of(4403, "Forbidden: pages of this origin may not connect");
    pub(super) const FORBIDDEN: Self = Self::of(4403, "Forbidden: connection_init shows nothing that is good here");
    pub(super) const OUTLIVED: Self = Self::of(4403, "Forbidden: what was shown is no longer good");
    pub(super) const CANT_TELL: Self =
        Self::of(1013, "Try again later: the keys of the tokens' issuer could not be had");
    pub(super) const FULL: Self = Self::of(1013, "Try again later: the gateway has as many connections as it allows");
    pub(super) const NO_PROTOCOL: Self = Self::of(4406, "Subprotocol not acceptable: expected graphql-transport-ws");
    pub(super) const NO_INIT: Self = Self::of(4408, "Connection initialisation timeout");
    pub(super) const SILENT: Self = Self::of(4499, "No answer to a ping");
    pub(super) const NOT_TEXT: Self = Self::of(4400, "Expected a text message");
    const UNAUTHORIZED: Self = Self::of(4401, "Unauthorized: connection_init comes first");
    const TOO_MANY_INITS: Self = Self::of(4429, "Too many initialisation requests");

    const fn of(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    fn bad_request(reason: &'static str) -> Self {
        Self::of(4400, reason)
    }

    /// `connection_init` shows something that can't be used; `reason` in 123 bytes at most.
    pub(super) fn bad_init(reason: Cow<'static, str>) -> Self {
        Self { code: 4400, reason }
    }
}

/// What async-graphql calls an operation. Unlike the client's id it is never used again: a client may take an id anew while
/// async-graphql has still to tell what became of the operation that had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(u64);

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What becomes of a client's message.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    /// async-graphql handles it, if the caller is let in.
    Init(Map<String, Value>),
    /// async-graphql handles it.
    PassOn,
    /// An operation is to be started, by this request, under this name.
    Start {
        name: Name,
        request: Map<String, Value>,
    },
    /// An operation is to be stopped.
    Stop(Name),
    /// An operation is refused.
    Answer(String),
    Ignore,
}

/// What becomes of a message of async-graphql's.
#[derive(Debug, PartialEq)]
pub(super) enum Sent {
    AsItIs,
    Instead(String),
    Nothing,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ClientMessage {
    ConnectionInit {
        #[serde(default)]
        payload: Option<Map<String, Value>>,
    },
    Ping {
        #[serde(default, rename = "payload")]
        _payload: Option<Map<String, Value>>,
    },
    Pong {
        #[serde(default, rename = "payload")]
        _payload: Option<Map<String, Value>>,
    },
    Subscribe {
        id: String,
        payload: Map<String, Value>,
    },
    Complete {
        id: String,
    },
}

/// A message of async-graphql's.
#[derive(Deserialize)]
struct ServerMessage<'a> {
    r#type: &'a str,
    #[serde(default)]
    id: Option<&'a str>,
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default, borrow)]
    errors: Option<&'a RawValue>,
    #[serde(default)]
    extensions: Option<Map<String, Value>>,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) struct Protocol {
    has_init: bool,
    is_acknowledged: bool,
    max_operations: usize,
    /// The operations that run for the client, by its ids.
    running: HashMap<String, Name>,
    /// The ids of those.
    ids: HashMap<Name, String>,
    begun: u64,
}

impl Protocol {
    pub(super) fn new(max_operations: usize) -> Self {
        let (running, ids) = (HashMap::new(), HashMap::new());
        Self { has_init: false, is_acknowledged: false, max_operations, running, ids, begun: 0 }
    }

    /// Whether the client has said `connection_init`.
    pub(super) fn has_init(&self) -> bool {
        self.has_init
    }

    /// Takes a client's message.
    pub(super) fn receive(&mut self, text: &str) -> Result<Received, Close> {
        let parsed = if nests_texts(text.as_bytes()) { None } else { serde_json::from_str(text).ok() };
        let Some(message) = parsed else {
            return Err(Close::bad_request("Expected a message of the protocol graphql-transport-ws"));
        };
        match message {
            ClientMessage::ConnectionInit { .. } if self.has_init => Err(Close::TOO_MANY_INITS),
            ClientMessage::ConnectionInit { payload } => {
                self.has_init = true;
                Ok(Received::Init(payload.unwrap_or_default()))
            }
            ClientMessage::Ping { .. } => Ok(Received::PassOn),
            ClientMessage::Pong { .. } => Ok(Received::Ignore),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload),
            ClientMessage::Complete { id } => Ok(self.complete(&id)),
        }
    }

    fn subscribe(&mut self, id: String, request: Map<String, Value>) -> Result<Received, Close> {
        if !self.is_acknowledged {
            return Err(Close::UNAUTHORIZED);
        }
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Close::bad_request("Expected an `id` of 1 to 256 bytes"));
        }
        if self.running.contains_key(&id) {
            return Err(Close { code: 4409, reason: format!("Subscriber for {} already exists", short(&id)).into() });
        }
        if self.running.len() >= self.max_operations {
            let message =
                format!("This connection has {} operations under way, as many as may be.", self.running.len());
            let extensions = json!({"code": crate::schema::code::OVERLOADED, "retryable": true});
            return Ok(Received::Answer(refusal(&id, &json!([{"message": message, "extensions": extensions}]))));
        }
        self.begun += 1;
        let name = Name(self.begun);
        self.running.insert(id.clone(), name);
        self.ids.insert(name, id);
        Ok(Received::Start { name, request })
    }

    /// The client wants no more of an operation. One that has ended meanwhile is nothing to speak of.
    fn complete(&mut self, id: &str) -> Received {
        let Some(name) = self.running.remove(id) else {
            return Received::Ignore;
        };
        self.ids.remove(&name);
        Received::Stop(name)
    }

    /// Ends an operation for the client; gives the id that it had.
    fn end(&mut self, name: Name) -> Option<String> {
        let id = self.ids.remove(&name)?;
        self.running.remove(&id);
        Some(id)
    }

    /// An operation that is not even begun: what the client is told.
    pub(super) fn refuse(&mut self, name: Name, error: &Value) -> String {
        refusal(&self.end(name).unwrap_or_default(), &json!([error]))
    }

    /// What goes out in place of a message of async-graphql's.
    pub(super) fn send(&mut self, text: &str) -> Sent {
        let Ok(ServerMessage { r#type, id, payload }) = serde_json::from_str(text) else {
            return Sent::AsItIs;
        };
        let Some(name) = id else {
            self.is_acknowledged |= r#type == "connection_ack";
            return Sent::AsItIs;
        };
        let name = name.parse().map(Name).ok().filter(|name| self.ids.contains_key(name));
        let Some(name) = name else {
            // Of an operation that has ended for the client.
            return Sent::Nothing;
        };
        let instead = match (r#type, payload.and_then(refused)) {
            ("next", None) => self.ids.get(&name).map(|id| next(id, payload)),
            (_, Some(errors)) => self.end(name).map(|id| refusal(&id, &errors)),
            (_, None) => self.end(name).map(|id| json!({"type": "complete", "id": id}).to_string()),
        };
        instead.map_or(Sent::Nothing, Sent::Instead)
    }
}

fn next(id: &str, payload: Option<&RawValue>) -> String {
    let id = Value::from(id);
    let payload = payload.map_or("null", RawValue::get);
    format!("{{\"type\":\"next\",\"id\":{id},\"payload\":{payload}}}")
}

/// The errors of an answer that is a refusal.
fn refused(payload: &RawValue) -> Option<Value> {
    let Answer { errors, extensions } = serde_json::from_str(payload.get()).ok()?;
    extensions?.contains_key(REFUSED).then(|| errors.and_then(|errors| serde_json::from_str(errors.get()).ok()))?
}

fn refusal(id: &str, errors: &Value) -> String {
    json!({"type": "error", "id": id, "payload": errors}).to_string()
}

/// A close frame's reason has 123 bytes.
fn short(id: &str) -> String {
    id.chars().take(20).collect()
}

#[cfg(test)]
mod tests;
