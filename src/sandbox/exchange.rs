//! One request as the upstreams read it, and the answer they make. Knows no routes and no records.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A request whose body has been read.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// Raw, still encoded.
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The query's pairs in order, decoded as forms are: `+` is a space.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The credential of an `Authorization` header that begins with `scheme`.
    pub(super) fn credential(&self, scheme: &str) -> Option<&str> {
        let (given, credential) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then_some(credential.trim())
    }

    /// The absolute URL of this path with another query, built from the Host header as Django does.
    pub(super) fn absolute(&self, pairs: &[(String, String)]) -> String {
        let host = self.header("host").unwrap_or("localhost");
        let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("http://{host}{}{mark}{query}", self.path)
    }

    /// The body as a JSON object, or the answer that refuses it.
    pub(super) fn object(&self) -> Result<serde_json::Map<String, Value>, Answer> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            other => Err(Answer::field_error(
                "non_field_errors",
                &format!("Invalid data. Expected a dictionary, but got {}.", python_type(&other)),
            )),
        }
    }

    /// The body as JSON, or the answer that refuses it.
    pub(super) fn json(&self) -> Result<Value, Answer> {
        let media_type = self.header("content-type").unwrap_or("");
        if !media_type.starts_with("application/json") {
            let message = format!("Unsupported media type \"{media_type}\" in request.");
            return Err(Answer::detail(415, &message));
        }
        serde_json::from_slice(&self.body).map_err(|error| Answer::detail(400, &format!("JSON parse error - {error}")))
    }
}

/// What Python calls the type of a JSON value; the frameworks' messages name it.
pub(super) fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// An answer before it is written to the socket.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// `{"detail": …}`
    pub(super) fn detail(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "detail": message }))
    }

    /// 400 `{"field": ["message"]}`
    pub(super) fn field_error(field: &str, message: &str) -> Self {
        Self::json(400, &json!({ field: [message] }))
    }

    /// 400 with a list, as filters answer.
    pub(super) fn list_error(message: &str) -> Self {
        Self::json(400, &json!([message]))
    }

    pub(super) fn html(status: u16, title: &str) -> Self {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><title>{title}</title></head>\n\
             <body><h1>{title}</h1></body>\n</html>\n"
        );
        Self::new(status, "text/html; charset=utf-8", page)
    }

    /// An HTML page that is titled as HTTP names its status.
    pub(super) fn html_status(status: u16) -> Self {
        let known = StatusCode::from_u16(status).ok();
        let reason = known.and_then(|code| code.canonical_reason());
        Self::html(status, reason.unwrap_or("Error"))
    }

    pub(super) fn not_found() -> Self {
        Self::detail(404, "Not found.")
    }

    pub(super) fn forbidden() -> Self {
        Self::detail(403, "You do not have permission to perform this action.")
    }

    pub(super) fn method_not_allowed(method: &str) -> Self {
        Self::detail(405, &format!("Method \"{method}\" not allowed."))
    }

    /// 401 with the challenge of a scheme.
    pub(super) fn unauthorized(scheme: &str, message: &str) -> Self {
        Self::detail(401, message).with_header("www-authenticate", scheme)
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Vec::new() }
    }

    /// 301 to a path with the missing slash, method and body forgotten by whoever follows it.
    pub(super) fn add_slash(request: &Request) -> Self {
        let mark = if request.query.is_empty() { "" } else { "?" };
        let target = format!("{}/{mark}{}", request.path, request.query);
        Self::new(301, "text/html; charset=utf-8", String::new()).with_header("location", &target)
    }

    pub(super) fn new(status: u16, media_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), media_type.to_owned())], body: body.into_bytes() }
    }

    #[must_use]
    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}
