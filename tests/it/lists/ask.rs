//! Asks for pages of the list.

use serde_json::{Map, Value, json};
use subject_gateway::sandbox::{Fault, FaultKind, LoggedRequest, Upstream};

use super::record::Record;
use crate::util::{Answer, TestApp};

const QUERY: &str = "query($first: Int, $after: String, $last: Int, $before: String, $filter: SubjectFilter, \
    $orderBy: SubjectOrder) { list: subjects(first: $first, after: $after, last: $last, before: $before, \
    filter: $filter, orderBy: $orderBy) { edges { cursor node { sourceId } } nodes { sourceId source } \
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } sources { source status code } } }";

const TOTALS: &str = "query($filter: SubjectFilter, $orderBy: SubjectOrder) { \
    list: subjects(first: 1, filter: $filter, orderBy: $orderBy) { totalCount sources { source totalCount } } }";

/// A list by its filter and order.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) filter: Value,
    pub(super) order: Value,
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// The sources' own ids.
    pub(super) ids: Vec<String>,
    pub(super) cursors: Vec<Value>,
    pub(super) has_next: bool,
    pub(super) has_previous: bool,
    pub(super) start: Value,
    pub(super) end: Value,
    /// Status and code of each source that the filter leaves.
    pub(super) sources: Vec<(String, String, Value)>,
    pub(super) errors: Vec<Value>,
}

impl List {
    pub(super) fn filtered(filter: Value) -> Self {
        Self { filter, order: Value::Null }
    }

    pub(super) fn ordered(field: &str, direction: &str) -> Self {
        Self { filter: Value::Null, order: json!({"field": field, "direction": direction}) }
    }

    fn variables(&self, paging: &Value) -> Value {
        let mut variables: Map<String, Value> = paging.as_object().cloned().unwrap_or_default();
        for (name, value) in [("filter", &self.filter), ("orderBy", &self.order)] {
            if !value.is_null() {
                variables.insert(name.to_owned(), value.clone());
            }
        }
        Value::Object(variables)
    }

    pub(super) async fn ask(&self, app: &TestApp, paging: Value) -> Answer {
        app.query_with(QUERY, self.variables(&paging)).await
    }

    /// A page, which may come with errors.
    pub(super) async fn try_page(&self, app: &TestApp, paging: Value) -> Page {
        let answer = self.ask(app, paging).await;
        assert!(answer.0["data"]["list"].is_object(), "{self:?}: {:#}", answer.0);
        Page::read(&answer)
    }

    /// A page where nothing may fail.
    pub(super) async fn page(&self, app: &TestApp, paging: Value) -> Page {
        let page = self.try_page(app, paging).await;
        assert!(page.errors.is_empty(), "{self:?}: {:#?}", page.errors);
        page
    }

    /// `totalCount` with those of the sources.
    pub(super) async fn totals(&self, app: &TestApp) -> Value {
        app.query_with(TOTALS, self.variables(&Value::Null)).await.data()["list"].clone()
    }

    /// Every record, forwards, where nothing may fail.
    pub(super) async fn all(&self, app: &TestApp, size: usize) -> Vec<String> {
        let (mut seen, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = self.page(app, json!({"first": size, "after": after})).await;
            seen.extend(page.ids);
            if !page.has_next {
                return seen;
            }
            assert_ne!(page.end, after, "{self:?} goes on from where it was");
            after = page.end;
        }
    }
}

impl Page {
    fn read(answer: &Answer) -> Self {
        let list = &answer.0["data"]["list"];
        let edges = list["edges"].as_array().unwrap();
        let ids: Vec<_> = edges.iter().map(|edge| edge["node"]["sourceId"].as_str().unwrap().to_owned()).collect();
        let nodes = list["nodes"].as_array().unwrap().iter();
        assert!(nodes.map(|node| node["sourceId"].as_str().unwrap()).eq(ids.iter().map(String::as_str)));
        let info = &list["pageInfo"];
        let source = |one: &Value| {
            let [name, status] = ["source", "status"].map(|field| one[field].as_str().unwrap().to_owned());
            (name, status, one["code"].clone())
        };
        Self {
            ids,
            cursors: edges.iter().map(|edge| edge["cursor"].clone()).collect(),
            has_next: info["hasNextPage"].as_bool().unwrap(),
            has_previous: info["hasPreviousPage"].as_bool().unwrap(),
            start: info["startCursor"].clone(),
            end: info["endCursor"].clone(),
            sources: list["sources"].as_array().unwrap().iter().map(source).collect(),
            errors: answer.errors(),
        }
    }

    /// Code and source of each error.
    pub(super) fn codes(&self) -> Vec<(&str, &str)> {
        let codes = self.errors.iter().map(|error| {
            let told = |field: &str| error["extensions"][field].as_str();
            (told("code").unwrap_or("no code"), told("source").unwrap_or("no source"))
        });
        let mut codes: Vec<_> = codes.collect();
        codes.sort_unstable();
        codes
    }

    /// What the page says of a source.
    pub(super) fn source(&self, source: &str) -> (&str, Option<&str>) {
        let found = self.sources.iter().find(|(name, ..)| name == source);
        let (_, status, code) = found.unwrap_or_else(|| panic!("no {source} in {:?}", self.sources));
        (status, code.as_str())
    }
}

pub(super) fn ids(records: &[&Record]) -> Vec<String> {
    records.iter().map(|record| record.source_id.clone()).collect()
}

pub(super) fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

/// 503, to be tried again in 7 s.
pub(super) fn fail(upstream: &Upstream) {
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let fault = FaultKind::Status(503, json!({"detail": "down: secret"}).to_string(), headers);
    upstream.set_knobs(|knobs| knobs.faults.push(Fault::new(fault)));
}

pub(super) fn recover(upstream: &Upstream) {
    upstream.set_knobs(|knobs| knobs.faults.clear());
}

/// The parameters of a request, decoded.
pub(super) fn parameters(request: &LoggedRequest) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.query.as_bytes()).into_owned().collect()
}

/// The first value of a parameter.
pub(super) fn parameter(request: &LoggedRequest, name: &str) -> Option<String> {
    parameters(request).into_iter().find_map(|(key, value)| (key == name).then_some(value))
}
