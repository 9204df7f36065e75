//! What is asked: four queries, and the ways to ask each of them that the gateway's caches tell apart. Knows no server.

use serde_json::{Value, json};
use subject_gateway::domain::{HautAiSubjectId, NodeId, SubjectId};
use uuid::Uuid;

/// Stands for a number that is another one in each request; of the same length.
pub(crate) const NUMBER: &str = "00000000";

/// One of the queries, for the gateway and for the stock server, which selects the same fields.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The list in the gateway's schema, up to its last argument.
    list: &'static str,
    /// The list in the stock server's.
    stock: &'static str,
    fields: &'static str,
}

pub(crate) const Q1: Query = Query {
    name: "Q1",
    what: "100 BrainSTEM subjects with projects and procedures",
    list: "subjects(first: 100, filter: {sources: [BRAINSTEM]})",
    stock: "animals",
    fields: "id name sex birthDate projects { id name } procedures { nodes { id type dateTime } }",
};
pub(crate) const Q2: Query = Query {
    name: "Q2",
    what: "100 Haut.AI subjects, flat",
    list: "subjects(first: 100, filter: {sources: [HAUT_AI]})",
    stock: "people",
    fields: "id name sex birthDate createdAt metadata",
};
pub(crate) const Q3: Query = Query {
    name: "Q3",
    what: "100 subjects of both, in one order by name",
    list: "subjects(first: 100, orderBy: {field: NAME})",
    stock: "everybody",
    fields: "id name sex birthDate",
};
pub(crate) const Q4: Query = Query {
    name: "Q4",
    what: "100 BrainSTEM subjects, their procedures, of these the subjects, of these the projects",
    list: "subjects(first: 100, filter: {sources: [BRAINSTEM]})",
    stock: "animals",
    fields: "id name procedures { nodes { id type subject { id name projects { id name } } } }",
};
pub(crate) const ALL: [&Query; 4] = [&Q1, &Q2, &Q3, &Q4];

impl Query {
    /// The same bytes each time.
    pub(crate) fn identical(&self) -> Value {
        json!({ "query": format!("query {} {{ {} {{ nodes {{ {} }} }} }}", self.name, self.list, self.fields) })
    }

    /// The same document with another variable each time, which asks for something that is in no source.
    pub(crate) fn other_variables(&self) -> Value {
        let absent = NodeId::Subject(SubjectId::HautAi(HautAiSubjectId {
            company: Uuid::max(),
            dataset: Uuid::max(),
            subject: Uuid::max(),
        }));
        // The last eight characters are the last six bytes of the subject.
        let absent = absent.to_string();
        let absent = format!("{}{NUMBER}", &absent[..absent.len() - NUMBER.len()]);
        let Self { name, list, fields, .. } = self;
        let query = format!(
            "query {name}($absent: ID!) {{ {list} {{ nodes {{ {fields} }} }} absent: node(id: $absent) {{ id }} }}"
        );
        json!({ "query": query, "variables": { "absent": absent } })
    }

    /// Another document each time, over the same records.
    pub(crate) fn other_documents(&self) -> Value {
        let Self { name, list, fields, .. } = self;
        json!({ "query": format!("query {name}_{NUMBER} {{ {list} {{ nodes {{ {fields} }} }} }}") })
    }

    /// One of several that read other pages: of those born since a day.
    pub(crate) fn born_since(&self, number: u32) -> Value {
        let Self { name, fields, .. } = self;
        let query = format!(
            "query {name}($from: Date!) {{ subjects(first: 100, filter: {{sources: [BRAINSTEM], birthDate: {{from: $from}}}}) \
             {{ nodes {{ {fields} }} }} }}"
        );
        // Earlier than any animal was born, so that each reads as many records.
        json!({ "query": query, "variables": { "from": format!("{}-01-01", 1900 + number) } })
    }

    /// For the stock server.
    pub(crate) fn stock(&self) -> Value {
        json!({ "query": format!("query {} {{ {}(first: 100) {{ nodes {{ {} }} }} }}", self.name, self.stock, self.fields) })
    }
}

/// How a walk over BrainSTEM's subjects asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pages {
    /// Subjects on a page.
    pub(crate) first: u32,
    /// Procedures of each, at most.
    pub(crate) relations: u32,
    /// The same document each time.
    pub(crate) is_same: bool,
}

impl Pages {
    /// The page behind a cursor, or the first.
    pub(crate) fn body(self, after: Option<&str>) -> Value {
        let number = if self.is_same { "" } else { NUMBER };
        let query = format!(
            "query Page_{number}($first: Int!, $after: String, $relations: Int!) {{ \
             subjects(first: $first, after: $after, filter: {{sources: [BRAINSTEM]}}) {{ \
             nodes {{ {FIELDS} procedures(first: $relations) {{ nodes {{ id type dateTime }} }} }} \
             pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        json!({ "query": query, "variables": { "first": self.first, "after": after, "relations": self.relations } })
    }
}

const FIELDS: &str = "id name sex birthDate projects { id name }";

/// A request's bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    /// Where [`NUMBER`] stands, if it does.
    number_at: Option<usize>,
}

impl Request {
    /// A POST of JSON.
    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::with_headers(path, body, "")
    }

    /// A POST of JSON by a client that takes gzip.
    pub(crate) fn post_for_gzip(path: &str, body: &Value) -> Self {
        Self::with_headers(path, body, "accept-encoding: gzip\r\n")
    }

    /// A POST of JSON by one who wants everything read anew.
    pub(crate) fn post_for_fresh(path: &str, body: &Value) -> Self {
        Self::with_headers(path, body, "cache-control: no-cache\r\n")
    }

    fn with_headers(path: &str, body: &Value, headers: &str) -> Self {
        let body = body.to_string();
        let length = body.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let number_at = text.find(NUMBER);
        Self { bytes: text.into_bytes(), number_at }
    }

    /// A GET with the headers given.
    pub(crate) fn get(target: &str, headers: &[(String, String)]) -> Self {
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("GET {target} HTTP/1.1\r\n{}\r\n", headers.concat());
        Self { bytes: text.into_bytes(), number_at: None }
    }

    /// The bytes with a number of this request's own in them.
    pub(crate) fn numbered(&mut self, number: u32) -> &[u8] {
        if let Some(at) = self.number_at {
            let digits = format!("{number:08}");
            self.bytes[at..at + NUMBER.len()].copy_from_slice(&digits.as_bytes()[..NUMBER.len()]);
        }
        &self.bytes
    }
}
