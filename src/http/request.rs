//! From a body or a query string to a GraphQL request, with words for whoever wrote the client when it is none. Does
//! not look at the query itself.

use std::collections::BTreeMap;

use async_graphql::{Request, Variables};
use axum::http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    answer::{Refusal, code},
    json,
    persisted::{DocumentId, Documents},
};

/// What of a query string is ours.
const PARAMETERS: [&str; 7] = ["query", "variables", "operationName", "extensions", "documentId", "doc_id", "id"];

/// Where a client may name a document instead of sending it: as the specification has it, and as Relay's examples do.
const DOCUMENT_IDS: [&str; 3] = ["documentId", "doc_id", "id"];

/// For one who uses it.
const RESERVED: &str = "The JSON has a key that is reserved for the parser.";

/// The fields of a request as they were sent.
pub(super) type Fields = Map<String, Value>;

/// What a POST's body holds.
pub(super) enum Body {
    One(Fields),
    /// Requests, or whatever stands in the place of one.
    Batch(Vec<Value>),
}

/// Refuses a body that is not declared as JSON. Browsers send the other types across origins without asking first, so
/// this is also what keeps foreign pages from posting.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |message| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::BAD_USER_INPUT, message));
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return refuse("A request's body can't be compressed.");
    }
    let mut declared = headers.get_all(CONTENT_TYPE).iter();
    let content_type = declared.next().filter(|_| declared.next().is_none()).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(is_json) { Ok(()) } else { refuse("A POST needs `content-type: application/json`.") }
}

/// `application/json`, in UTF-8 if it says what it is in.
fn is_json(content_type: &str) -> bool {
    if content_type == "application/json" {
        return true;
    }
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let utf8 = |part: &str| {
        let part = part.to_ascii_lowercase();
        let charset = part.strip_prefix("charset=").map(|charset| charset.trim_matches('"'));
        charset.is_none_or(|charset| matches!(charset, "utf-8" | "utf8"))
    };
    json && parts.all(utf8)
}

/// The request or the requests in a POST's body.
pub(super) fn from_body(body: &[u8]) -> Result<Body, Refusal> {
    if json::nests_texts(body) {
        return Err(Refusal::bad_input(RESERVED));
    }
    let value = serde_json::from_slice(body).map_err(|error| {
        // The place alone: the parser's words may quote the body.
        Refusal::bad_input(format!("The body is not JSON (line {}, column {}).", error.line(), error.column()))
    })?;
    match value {
        Value::Object(fields) => Ok(Body::One(fields)),
        Value::Array(members) => Ok(Body::Batch(members)),
        _ => Err(Refusal::bad_input("Expected an object as the body, with the query in `query`.")),
    }
}

/// The request in a GET's query string, where `variables` and `extensions` are JSON. Other parameters are not ours.
pub(super) fn from_query_string(query: &str) -> Result<Fields, Refusal> {
    let mut texts = BTreeMap::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if PARAMETERS.contains(&&*name) && texts.insert(name.to_string(), text.into_owned()).is_some() {
            return Err(Refusal::bad_input(format!("The parameter `{name}` is there twice.")));
        }
    }
    let mut fields = Map::new();
    for (name, text) in texts {
        let value = match name.as_str() {
            // An empty parameter counts as absent, as forms and link builders send it.
            _ if text.is_empty() => continue,
            "variables" | "extensions" if json::nests_texts(text.as_bytes()) => {
                return Err(Refusal::bad_input(RESERVED));
            }
            "variables" | "extensions" => serde_json::from_str(&text)
                .map_err(|_| Refusal::bad_input(format!("The parameter `{name}` is not JSON.")))?,
            _ => Value::String(text),
        };
        fields.insert(name, value);
    }
    Ok(fields)
}

/// The request that the fields of any transport make, with the text of the document that they bring or name.
pub(super) async fn from_fields(mut fields: Fields, documents: &Documents) -> Result<Request, Refusal> {
    let operation_name = string(&mut fields, "operationName")?;
    let variables = object(&mut fields, "variables")?;
    let extensions = object(&mut fields, "extensions")?;
    let text = match fields.remove("query") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text).filter(|text| !text.trim().is_empty()),
        Some(_) => return Err(Refusal::bad_input("Expected the query as a non-empty string in `query`.")),
    };
    let id = match hash(&extensions)? {
        Some(hash) => Some(DocumentId::Hash(hash)),
        None => document_id(&mut fields, text.is_none())?.map(DocumentId::Custom),
    };
    let text = documents.resolve(text, id.as_ref(), operation_name.as_deref()).await?;
    let mut request = Request::new(text).variables(Variables::from_json(variables.into()));
    request.operation_name = operation_name;
    request.extensions = serde_json::from_value(extensions.into())
        .map_err(|_| Refusal::bad_input("Expected an object or null in `extensions`."))?;
    Ok(request)
}

/// Whether a request brings the text of a document and its hash, so that the hash will do from then on.
pub(super) fn registers(fields: &Fields) -> bool {
    let has_hash = fields.get("extensions").is_some_and(|extensions| extensions["persistedQuery"].is_object());
    has_hash && fields.get("query").is_some_and(Value::is_string)
}

/// What Apollo's protocol calls a document's hash.
fn hash(extensions: &Fields) -> Result<Option<String>, Refusal> {
    let persisted = match extensions.get("persistedQuery") {
        None | Some(Value::Null) => return Ok(None),
        Some(persisted) => persisted,
    };
    if persisted["version"] != 1 {
        return Err(Refusal::bad_input("Expected 1 in `extensions.persistedQuery.version`."));
    }
    match &persisted["sha256Hash"] {
        Value::String(hash) if !hash.is_empty() => Ok(Some(hash.clone())),
        _ => Err(Refusal::bad_input("Expected a non-empty string in `extensions.persistedQuery.sha256Hash`.")),
    }
}

/// A document's id. The names that are not in the specification may mean something else, and count only in place of a
/// query.
fn document_id(fields: &mut Fields, in_place: bool) -> Result<Option<String>, Refusal> {
    let [specified, others @ ..] = DOCUMENT_IDS;
    Ok(match string(fields, specified)? {
        None if in_place => others.into_iter().find_map(|name| string(fields, name).ok().flatten()),
        id => id,
    })
}

fn string(fields: &mut Fields, name: &str) -> Result<Option<String>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
        Some(_) => Err(Refusal::bad_input(format!("Expected a string or null in `{name}`."))),
    }
}

fn object(fields: &mut Fields, name: &str) -> Result<Fields, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(Refusal::bad_input(format!("Expected an object or null in `{name}`."))),
    }
}
