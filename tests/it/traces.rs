//! What a collector is sent, and what it is not.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value as AnyValue},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use serde_json::json;
use subject_gateway::sandbox::{self, Fault, FaultKind, LoggedRequest, Options, Records, Sandbox};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{leaks::personal, process::Serving};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const FIRST: &str = "query First { subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { name projects { name } procedures { nodes { type } } } } }";
/// The same records by another document.
const SECOND: &str =
    "query Second { subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { projects { name } name } } }";

/// What came, as it came.
type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A collector, and upstreams to be asked.
struct World {
    runtime: Runtime,
    sandbox: Sandbox,
    collector: SocketAddr,
    received: Received,
}

impl World {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options { records: Records::Full, ..Options::default() };
        let received = Received::default();
        let (sandbox, collector) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let kept = Arc::clone(&received);
            let take = async move |headers: HeaderMap, body: Bytes| kept.lock().unwrap().push((headers, body));
            let router = Router::new().route("/v1/traces", post(take));
            tokio::spawn(async move { axum::serve(listener, router).await });
            (Sandbox::start(options).await.unwrap(), address)
        });
        Self { runtime, sandbox, collector, received }
    }

    fn serve(&self, more: &[(&str, &str)]) -> Serving {
        let variables = [
            ("GATEWAY_DRAIN_MS", "0"),
            ("BRAINSTEM_URL", self.sandbox.brainstem().url()),
            ("BRAINSTEM_PORTAL", "private"),
            ("BRAINSTEM_TOKEN", sandbox::BRAINSTEM_TOKEN),
            // So that projects are read by themselves.
            ("BRAINSTEM_SIDELOAD", "false"),
            ("LIMITS_UPSTREAM_BACKOFF_MS", "1"),
        ];
        Serving::start_with(&[&variables[..], more].concat())
    }

    /// With traces, for as long as this lasts; gives the spans, and what the log said.
    fn traced(&self, more: &[(&str, &str)], ask: impl FnOnce(&Serving)) -> (Vec<Span>, String) {
        let endpoint = format!("http://{}", self.collector);
        let mut serving = self.serve(&[&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())], more].concat());
        let log = serving.rest_of_the_log();
        ask(&serving);
        // What is left is sent before the end.
        serving.terminate();
        let log = log.join().unwrap();
        let received = self.received.lock().unwrap();
        let decoded = received.iter().map(|(_, body)| ExportTraceServiceRequest::decode(body.clone()).unwrap());
        let scopes = decoded.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
        (scopes.flat_map(|scope| scope.spans).collect(), log)
    }

    fn forwarded(&self) -> Vec<(String, String)> {
        let header = |request: &LoggedRequest| {
            let (_, value) = request.headers.iter().find(|(name, _)| name == "traceparent")?;
            let mut parts = value.split('-').skip(1);
            Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
        };
        self.sandbox.brainstem().log().iter().filter_map(header).collect()
    }
}

fn ask(serving: &Serving, headers: &str, query: &str, name: &str) -> String {
    let body = json!({"query": query, "operationName": name}).to_string();
    serving.exchange(&format!("POST /graphql HTTP/1.1{headers}"), &body)
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        AnyValue::StringValue(text) => text.clone(),
        AnyValue::IntValue(number) => number.to_string(),
        AnyValue::BoolValue(is) => is.to_string(),
        other => panic!("{other:?}"),
    };
    span.attributes.iter().map(|attribute| (attribute.key.as_str(), text(attribute))).collect()
}

/// The span of the request for an operation.
fn request_for<'a>(spans: &'a [Span], operation: &str) -> &'a Span {
    let is = |span: &&Span| attributes(span).get("graphql.operation.name").is_some_and(|name| name == operation);
    spans.iter().find(is).unwrap_or_else(|| panic!("no span for {operation}: {spans:#?}"))
}

#[test]
fn a_trace_goes_from_the_caller_to_the_upstreams() {
    let world = World::new();
    let faults = vec![Fault::new(FaultKind::Status(503, String::new(), Vec::new())).times(1)];
    world.sandbox.brainstem().set_knobs(|knobs| knobs.faults = faults);
    let (spans, log) = world.traced(&[("OTEL_SERVICE_NAME", "mine")], |serving| {
        let headers = format!("\r\ntraceparent: 00-{TRACE}-{PARENT}-01");
        assert!(ask(serving, &headers, FIRST, "First").contains("\"projects\":[{"));
        serving.exchange("GET /health/live HTTP/1.1", "");
    });
    assert!(log.contains(&format!("\"trace_id\":\"{TRACE}\"")), "{log}");
    let request = request_for(&spans, "First");
    assert_eq!((hex(&request.trace_id).as_str(), hex(&request.parent_span_id).as_str()), (TRACE, PARENT));
    assert_eq!((request.kind, request.name.as_str()), (SpanKind::Server as i32, "POST /graphql"));
    let said = attributes(request);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/graphql"),
        ("http.response.status_code", "200"),
        ("graphql.operation.type", "query"),
        ("subject_gateway.cache", "miss"),
    ] {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{said:?}");
    }
    assert_eq!(said["subject_gateway.document"].len(), 16);

    // Everything is within it.
    let ids: BTreeSet<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE), "{spans:#?}");
    for span in spans.iter().filter(|span| span.span_id != request.span_id) {
        assert!(ids.contains(&hex(&span.parent_span_id)), "{span:#?}");
    }
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let flights = named("flight");
    let of = |span: &Span| {
        let said = attributes(span);
        (said["subject_gateway.level"].clone(), said["subject_gateway.keys"].parse::<usize>().unwrap())
    };
    assert!(flights.iter().any(|flight| of(flight) == ("pages".to_owned(), 1)), "{spans:#?}");
    assert!(flights.iter().any(|flight| of(flight).0 == "records" && of(flight).1 > 1), "{spans:#?}");
    assert!(flights.iter().all(|flight| attributes(flight)["subject_gateway.source"] == "BRAINSTEM"));

    // More procedures than one request takes ids.
    let batches = named("batch");
    assert!(!batches.is_empty(), "{spans:#?}");
    for batch in batches {
        let begun = flights.iter().filter(|flight| flight.parent_span_id == batch.span_id);
        assert_eq!(attributes(batch)["subject_gateway.flights"], begun.clone().count().to_string());
        assert!(begun.clone().count() > 1);
        assert!(begun.clone().all(|flight| flight.end_time_unix_nano <= batch.end_time_unix_nano), "{spans:#?}");
    }

    // Each request that the upstream was sent names its span.
    let calls: Vec<_> = spans.iter().filter(|span| span.kind == SpanKind::Client as i32).collect();
    let of_calls: BTreeSet<_> = calls.iter().map(|span| (TRACE.to_owned(), hex(&span.span_id))).collect();
    assert_eq!(world.forwarded().into_iter().collect::<BTreeSet<_>>(), of_calls);
    assert_eq!(world.sandbox.brainstem().log().len(), calls.len());
    let again: Vec<_> =
        calls.iter().filter(|call| attributes(call).contains_key("http.request.resend_count")).collect();
    assert_eq!(again.len(), 1, "{calls:#?}");
    assert!(calls.iter().any(|call| attributes(call)["http.response.status_code"] == "503"));
    for call in &calls {
        assert_eq!(attributes(call)["server.address"], "127.0.0.1");
        assert!(flights.iter().any(|flight| flight.span_id == call.parent_span_id), "{call:#?}");
    }
}

#[test]
fn who_waits_for_what_another_reads_refers_to_it() {
    let world = World::new();
    world.sandbox.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(500));
    let third = FIRST.replace("First", "Third");
    let (spans, _) = world.traced(&[("LIMITS_OPERATIONS", "100")], |serving| {
        std::thread::scope(|scope| {
            for (query, name) in [(FIRST, "First"), (SECOND, "Second"), (third.as_str(), "Third"), (&third, "Third")] {
                scope.spawn(move || ask(serving, "", query, name));
            }
        });
    });
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (&span.span_id, span)).collect();
    let requests = spans.iter().filter(|span| span.kind == SpanKind::Server as i32);
    let mut referred = BTreeSet::new();
    for request in requests.clone() {
        for link in &request.links {
            let to = by_id[&link.span_id];
            assert_ne!(to.trace_id, request.trace_id);
            let level = attributes(to).get("subject_gateway.level").cloned();
            referred.insert((to.name.as_str(), level.unwrap_or_default()));
        }
        let flights: BTreeSet<_> = request.links.iter().map(|link| &link.span_id).collect();
        assert_eq!(flights.len(), request.links.len(), "one twice: {request:#?}");
    }
    assert_eq!(requests.count(), 4);
    // The same page for three documents, and the same answer for two requests.
    let expected = [("POST /graphql", ""), ("flight", "pages"), ("flight", "records")];
    assert_eq!(referred, expected.map(|(name, level)| (name, level.to_owned())).into());
}

#[test]
fn what_comes_over_a_connection_that_stays_has_a_span_of_its_own() {
    let world = World::new();
    let (spans, log) = world.traced(&[], |serving| {
        world.runtime.block_on(serving.websocket_asking("", FIRST));
        let body = json!({"query": "query Sse { __typename }", "operationName": "Sse"}).to_string();
        let headers = format!("\r\naccept: text/event-stream\r\ntraceparent: 00-{TRACE}-{PARENT}-01");
        serving.exchange(&format!("POST /graphql/stream HTTP/1.1{headers}"), &body);
    });
    let named =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
    let (handshake, operation) = (named("GET /graphql/ws"), named("websocket"));
    assert!(operation.parent_span_id.is_empty() && operation.trace_id != handshake.trace_id);
    assert_eq!(operation.links[0].span_id, handshake.span_id);
    assert_eq!(attributes(operation)["subject_gateway.answers"], "1");
    assert!(spans.iter().any(|span| span.name == "BRAINSTEM" && span.trace_id == operation.trace_id));
    let stream = named("sse");
    assert_eq!(stream.parent_span_id, named("POST /graphql/stream").span_id);
    assert_eq!((hex(&stream.trace_id).as_str(), &*attributes(stream)["graphql.operation.name"]), (TRACE, "Sse"));
    let mut ended = log.lines().filter(|line| line.contains("an operation ended"));
    assert!(ended.any(|line| line.contains(&hex(&operation.trace_id))), "{log}");
}

#[test]
fn nothing_of_anybody_is_in_a_span() {
    let world = World::new();
    let key = subject_gateway::access::keys::NewKey::make("tester", &subject_gateway::access::Scope::ALL).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &key.entry).unwrap();
    let access = [("GATEWAY_AUTH", "api-key"), ("API_KEYS_FILE", file.path().to_str().unwrap())];
    let collector = [("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=hunter2")];
    let planted = ["Planted Person", "planted@example.org", "PLANTED-TAG-77"];
    let [name, mail, tag] = planted;
    let id = world.sandbox.brainstem().records("subjects")[0]["id"].as_str().unwrap().to_owned();
    let (spans, _) = world.traced(&[&access[..], &collector[..]].concat(), |serving| {
        let headers = format!("\r\nx-api-key: {}\r\ncookie: {mail}\r\nx-request-id: {tag}", key.key);
        ask(serving, &headers, FIRST, "First");
        ask(serving, &headers, "{ __typename }", name);
        let query = format!("{{ subject(by: {{brainStem: \"{id}\"}}) {{ name procedures {{ nodes {{ type }} }} }} }}");
        ask(serving, &headers, &query, "");
        let body = json!({"query": "query($f: SubjectFilter) { subjects(filter: $f) { nodes { name } } }",
                          "variables": {"f": {"name": {"in": [name, mail]}, "tag": tag}}});
        serving.exchange(&format!("POST /graphql HTTP/1.1{headers}"), &body.to_string());
        serving.exchange(&format!("GET /people/{mail}?name={tag} HTTP/1.1{headers}"), "");
        world.sandbox.brainstem().set_knobs(|knobs| {
            knobs.faults = vec![Fault::new(FaultKind::Status(400, format!("{{\"name\":[\"{name}\"]}}"), Vec::new()))];
        });
        let create = json!({"query": "mutation($i: SubjectCreateInput!) { subjectCreate(input: $i) { userErrors { message } } }",
                            "variables": {"i": {"brainStem": {"name": name, "projectIds": [], "tags": [tag]}}}});
        serving.exchange(&format!("POST /graphql HTTP/1.1{headers}"), &create.to_string());
    });
    assert!(spans.len() > 8, "{spans:#?}");
    let received = world.received.lock().unwrap();
    assert!(received.iter().all(|(headers, _)| headers["x-collector-key"] == "hunter2"));
    let personal = personal(&world.sandbox);
    let secrets = [sandbox::BRAINSTEM_TOKEN, key.key.as_str(), "hunter2", id.as_str(), "filter{", "/api/", "subjects("];
    for (_, body) in received.iter() {
        let sent = String::from_utf8_lossy(body);
        for hidden in secrets.into_iter().chain(planted).chain(personal.iter().map(String::as_str)) {
            assert!(!sent.contains(hidden), "{hidden}");
        }
    }
}

#[test]
fn without_a_collector_the_upstreams_are_told_of_no_trace() {
    let world = World::new();
    for off in [&[][..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_SDK_DISABLED", "true")]] {
        let serving = world.serve(off);
        ask(&serving, &format!("\r\ntraceparent: 00-{TRACE}-{PARENT}-01"), FIRST, "First");
    }
    assert!(world.sandbox.brainstem().log().len() > 1 && world.forwarded().is_empty());
}

#[test]
fn what_is_not_sampled_is_passed_on_and_not_sent() {
    let world = World::new();
    let (spans, _) = world.traced(&[], |serving| {
        ask(serving, &format!("\r\ntraceparent: 00-{TRACE}-{PARENT}-00"), FIRST, "First");
    });
    assert!(spans.is_empty(), "{spans:#?}");
    let forwarded = world.forwarded();
    assert!(!forwarded.is_empty() && forwarded.iter().all(|(trace, _)| trace == TRACE), "{forwarded:?}");
}

#[test]
fn a_collector_that_is_not_there_is_told_of_and_nothing_else() {
    let world = World::new();
    let more = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"), ("OTEL_BSP_SCHEDULE_DELAY", "1")];
    let mut serving = world.serve(&more);
    assert!(ask(&serving, "", FIRST, "First").contains("\"projects\":[{"));
    let line = serving.logged("traces can't be sent: the collector does not take them");
    assert_eq!(line["level"], "WARN", "{line}");
    assert!(ask(&serving, "", SECOND, "Second").contains("\"projects\":[{"));
    let log = serving.rest_of_the_log();
    serving.terminate();
    let log = log.join().unwrap();
    assert!(log.contains("\"message\":\"stopped\"") && !log.contains("127.0.0.1:9"), "{log}");
}

#[test]
fn a_variable_that_is_not_understood_stops_the_start() {
    let variables = [
        ("BRAINSTEM_PORTAL", "public"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ];
    let (code, _, words) = crate::process::run(&["serve"], &variables);
    assert_eq!(code, Some(1));
    assert!(words.contains("OTEL_EXPORTER_OTLP_PROTOCOL (environment): expected `http/protobuf`"), "{words}");
}
