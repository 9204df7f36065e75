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

use super::answer::{Refusal, code};

const PARAMETERS: [&str; 4] = ["query", "variables", "operationName", "extensions"];

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
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let json = parts.next().is_some_and(|name| name == "application/json");
    let utf8 = |part: String| {
        let charset = part.strip_prefix("charset=").map(|charset| charset.trim_matches('"'));
        charset.is_none_or(|charset| matches!(charset, "utf-8" | "utf8"))
    };
    json && parts.all(utf8)
}

/// The request in a POST's body.
pub(super) fn from_body(body: &[u8]) -> Result<Request, Refusal> {
    let value = serde_json::from_slice(body).map_err(|error| {
        // The place alone: the parser's words may quote the body.
        Refusal::bad_input(format!("The body is not JSON (line {}, column {}).", error.line(), error.column()))
    })?;
    match value {
        Value::Object(fields) => from_fields(fields),
        Value::Array(_) => Err(Refusal::bad_input("Expected an object: request batching is off.")),
        _ => Err(Refusal::bad_input("Expected an object as the body, with the query in `query`.")),
    }
}

/// The request in a GET's query string, where `variables` and `extensions` are JSON. Other parameters are not ours.
pub(super) fn from_query_string(query: &str) -> Result<Request, Refusal> {
    let mut texts = BTreeMap::new();
    for (name, text) in form_urlencoded::parse(query.as_bytes()) {
        if PARAMETERS.contains(&&*name) && texts.insert(name.to_string(), text.into_owned()).is_some() {
            return Err(Refusal::bad_input(format!("The parameter `{name}` is there twice.")));
        }
    }
    let mut fields = Map::new();
    for (name, text) in texts {
        let value = match name.as_str() {
            "query" => Value::String(text),
            // An empty parameter counts as absent, as forms and link builders send it.
            _ if text.is_empty() => continue,
            "operationName" => Value::String(text),
            _ => serde_json::from_str(&text)
                .map_err(|_| Refusal::bad_input(format!("The parameter `{name}` is not JSON.")))?,
        };
        fields.insert(name, value);
    }
    from_fields(fields)
}

/// The request in the fields of a JSON object.
pub(super) fn from_fields(mut fields: Map<String, Value>) -> Result<Request, Refusal> {
    let query = fields.remove("query").unwrap_or_default();
    let operation_name = match fields.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(_) => {
            return Err(Refusal::bad_input("Expected a string or null in `operationName`."));
        }
    };
    let variables = object(&mut fields, "variables")?;
    let extensions = object(&mut fields, "extensions")?;
    let mut request = Request::new(query_text(query, &extensions)?).variables(Variables::from_json(variables.into()));
    request.operation_name = operation_name;
    request.extensions = serde_json::from_value(extensions.into())
        .map_err(|_| Refusal::bad_input("Expected an object or null in `extensions`."))?;
    Ok(request)
}

fn query_text(query: Value, extensions: &Map<String, Value>) -> Result<String, Refusal> {
    match query {
        Value::String(text) if !text.trim().is_empty() => Ok(text),
        // A client that sends the hash alone sends the query as well when it hears this.
        Value::Null | Value::String(_) if extensions.contains_key("persistedQuery") => {
            Err(Refusal::new(StatusCode::OK, code::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported"))
        }
        _ => Err(Refusal::bad_input("Expected the query as a non-empty string in `query`.")),
    }
}

fn object(fields: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, Refusal> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(Refusal::bad_input(format!("Expected an object or null in `{name}`."))),
    }
}
