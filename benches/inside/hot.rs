//! The hot paths: what happens for every request or every record. Everything they need is in memory before.

use std::{
    cell::OnceCell,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use async_graphql::Request;
use axum::{
    body::{Body, to_bytes},
    http::{self, header},
};
use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use serde_json::{Value, json};
use subject_gateway::{
    access::Scopes,
    app::App,
    cache::{Provenance, Sources},
    config::Config,
    domain::{
        HautAiSubjectId, Id, NodeId, Procedure, Subject, SubjectId,
        cursor::{self, Border, Fingerprint, SubjectPosition},
    },
    http::Front,
    loaders::Credentials,
    sandbox::{BRAINSTEM_TOKEN, COMPANY_ID, HAUT_AI_TOKEN, Sandbox},
    schema::{
        self, GatewaySchema, RequestContext,
        execution::{Outcome, Prepared, prepare},
    },
    sources::{
        UpstreamMetrics,
        brainstem::{BrainStem, Model},
    },
    spans,
};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use uuid::Uuid;

const Q1: &str = "query Q1 { subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { id name sex birthDate \
                  projects { id name } procedures { nodes { id type dateTime } } } } }";
/// Beside Q1's list something that is in no source, so that variables differ and records do not.
const Q1_WITH_VARIABLE: &str = "query Q1($absent: ID!) { subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { id \
                                name sex birthDate projects { id name } procedures { nodes { id type dateTime } } } } \
                                absent: node(id: $absent) { id } }";
const ID: Uuid = Uuid::from_u128(0x1234_5678_9abc_4ef0_8000_0123_4567_89ab);
/// In milliseconds: nothing gets old meanwhile.
const DAY: &str = "86400000";
const PAGE: usize = 100;
const DEADLINE: Duration = Duration::from_secs(60);

/// Takes spans and sends nothing.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// A hot path with its name.
pub(crate) type Path = (&'static str, fn(&Hot));

pub(crate) const ALL: &[Path] = &[
    ("global id: write", |hot| _ = black_box(black_box(hot.id).to_string())),
    ("global id: read", |hot| _ = black_box(NodeId::decode(black_box(&hot.id_text)))),
    ("cursor: write", |hot| _ = black_box(cursor::encode(hot.list, black_box(&hot.position)))),
    ("cursor: read", |hot| _ = black_box(cursor::decode::<SubjectPosition>(hot.list, black_box(&hot.cursor)))),
    ("page of 100 subjects: read", |hot| _ = black_box(hot.page::<Subject>(&hot.subjects))),
    ("page of 100 procedures: read", |hot| _ = black_box(hot.page::<Procedure>(&hot.procedures))),
    ("document Q1: parse and validate", |hot| _ = black_box(hot.specification().first_error(black_box(Q1)))),
    ("document Q1, known: coerce and collect", |hot| _ = black_box(hot.prepared())),
    ("Q1 from memory: execute", |hot| _ = black_box(hot.executed())),
    ("Q1 from memory: execute and write", |hot| _ = black_box(hot.written())),
    ("Q1 by the router: other variables each time", |hot| _ = black_box(hot.answered(&hot.with_variables()))),
    ("Q1 by the router: another document each time", |hot| _ = black_box(hot.answered(&hot.another()))),
    ("Q1 by the router: the same again", |hot| _ = black_box(hot.answered(&hot.same))),
    // From here on traces are on in this process.
    ("Q1, traced, not kept: other variables", |hot| _ = black_box(hot.traced(&hot.with_variables(), NOT_KEPT))),
    ("Q1, traced, not kept: the same again", |hot| _ = black_box(hot.traced(&hot.same, NOT_KEPT))),
    ("Q1, traced and kept: other variables", |hot| _ = black_box(hot.traced(&hot.with_variables(), KEPT))),
    ("Q1, traced and kept: the same again", |hot| _ = black_box(hot.traced(&hot.same, KEPT))),
];

/// `traceparent`s of callers who decide whether a trace is kept.
const NOT_KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const KEPT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The path of that name.
pub(crate) fn named(name: &str) -> anyhow::Result<&'static Path> {
    ALL.iter().find(|(known, _)| *known == name).with_context(|| format!("`{name}` is no hot path"))
}

/// What the hot paths need.
pub(crate) struct Hot {
    runtime: Runtime,
    /// There once a path needed it: it can't be turned off again.
    tracing: OnceCell<SdkTracerProvider>,
    _sandbox: Sandbox,
    sources: Arc<Sources>,
    schema: GatewaySchema,
    front: Front,
    same: Bytes,
    number: std::cell::Cell<u32>,
    id: NodeId,
    id_text: String,
    brainstem: BrainStem,
    /// Pages as BrainSTEM sends them.
    subjects: Vec<u8>,
    procedures: Vec<u8>,
    list: Fingerprint,
    position: SubjectPosition,
    cursor: String,
}

impl Hot {
    /// Starts the sandbox in this process and reads everything once.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sandbox = runtime.block_on(Sandbox::start(subject_gateway::sandbox::Options::default()))?;
        let config = Config::from_variables([
            ("HAUT_AI_URL", sandbox.haut_ai().url()),
            ("HAUT_AI_TOKEN", HAUT_AI_TOKEN),
            ("HAUT_AI_COMPANY_ID", COMPANY_ID),
            ("BRAINSTEM_URL", sandbox.brainstem().url()),
            ("BRAINSTEM_TOKEN", BRAINSTEM_TOKEN),
            ("CACHE_FRESH_MS", DAY),
            ("CACHE_LISTS_FRESH_MS", DAY),
            ("CACHE_REFERENCE_FRESH_MS", DAY),
        ])?;
        let app = App::new(&config)?;
        let page = |model: &str| {
            let records: Vec<Value> = sandbox.brainstem().records(model).into_iter().take(PAGE).collect();
            json!({ "count": PAGE, "next": null, "previous": null, model: records }).to_string().into_bytes()
        };
        let brainstem = config.brainstem.as_ref().context("BrainSTEM is not configured")?;
        let id = NodeId::Subject(SubjectId::BrainStem(Id::new(ID)));
        let list = Fingerprint::of(&"subjects");
        let position =
            SubjectPosition { brainstem: Border::At { part: 0, dataset: ID, offset: 100 }, ..SubjectPosition::START };
        let hot = Self {
            sources: Arc::clone(app.sources()),
            schema: schema::build(true, &config.limits),
            front: app.front(),
            same: Bytes::from(json!({ "query": Q1 }).to_string()),
            number: std::cell::Cell::new(0),
            id,
            brainstem: BrainStem::new(brainstem, &config.limits, &UpstreamMetrics::default())?,
            subjects: page("subjects"),
            procedures: page("procedures"),
            id_text: id.to_string(),
            list,
            cursor: cursor::encode(list, &position),
            position,
            runtime,
            tracing: OnceCell::new(),
            _sandbox: sandbox,
        };
        hot.check()?;
        Ok(hot)
    }

    /// Everything is in memory afterwards, and every path gives the same answer.
    fn check(&self) -> anyhow::Result<()> {
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes);
        let routed = read(&self.answered(&self.same)?)?;
        let nodes = routed["data"]["subjects"]["nodes"].as_array();
        ensure!(nodes.is_some_and(|nodes| nodes.len() == 100), "Q1 has not 100 subjects: {}", routed["errors"]);
        ensure!(read(&self.written()?)? == routed, "the executor's answer is not the router's");
        ensure!(read(&self.answered(&self.another())?)? == routed, "another document has another answer");
        let beside = read(&self.answered(&self.with_variables())?)?;
        ensure!(beside["data"]["subjects"] == routed["data"]["subjects"], "with variables the list is another");
        ensure!(beside["data"]["absent"].is_null() && beside["errors"].is_null(), "{}", beside["errors"]);
        let pages = [self.page::<Subject>(&self.subjects), self.page::<Procedure>(&self.procedures)];
        ensure!(pages == [Some(PAGE); 2], "a page was not read: {pages:?}");
        ensure!(self.specification().first_error(Q1).is_none(), "Q1 is not valid");
        Ok(())
    }

    fn page<T: Model>(&self, body: &[u8]) -> Option<usize> {
        self.brainstem.read_page::<T>(body, 0, PAGE as u64).ok().map(|listed| listed.page.items.len())
    }

    fn specification(&self) -> &schema::Specification {
        schema::specification(&self.schema)
    }

    fn prepared(&self) -> Result<Prepared, Outcome> {
        prepare(&self.schema, Request::new(Q1), false)
    }

    fn executed(&self) -> anyhow::Result<Outcome> {
        let provenance = Arc::new(Provenance::default());
        let own = Credentials::of_service(&self.sources);
        let context = RequestContext::new(&self.sources, Scopes::all(), &own, &provenance, Instant::now() + DEADLINE);
        match self.prepared() {
            Ok(prepared) => {
                self.runtime.block_on(prepared.execute(&self.schema, context)).ok().context("Q1 took too long")
            }
            Err(refused) => Ok(refused),
        }
    }

    fn written(&self) -> anyhow::Result<Vec<u8>> {
        match self.executed()? {
            Outcome::Executed(response) => Ok(serde_json::to_vec(&*response)?),
            Outcome::Refused(errors) | Outcome::NotAQuery(errors) => anyhow::bail!("Q1 was refused: {errors:?}"),
        }
    }

    fn next_number(&self) -> u32 {
        self.number.replace(self.number.get() + 1)
    }

    /// A document that was sent before, with variables that were not.
    fn with_variables(&self) -> Bytes {
        let absent = HautAiSubjectId {
            company: Uuid::max(),
            dataset: Uuid::max(),
            subject: Uuid::from_u128(u128::from(self.next_number())),
        };
        let absent = NodeId::Subject(SubjectId::HautAi(absent)).to_string();
        Bytes::from(json!({ "query": Q1_WITH_VARIABLE, "variables": { "absent": absent } }).to_string())
    }

    /// A body with a document that was not sent before.
    fn another(&self) -> Bytes {
        let number = self.next_number();
        Bytes::from(json!({ "query": Q1.replacen("Q1", &format!("Q1_{number:08}"), 1) }).to_string())
    }

    /// The whole way but for the socket.
    fn answered(&self, body: &Bytes) -> anyhow::Result<Bytes> {
        self.send(Self::request(body), body)
    }

    /// The same within a caller's trace. Spans go as far as to the thread that would send them.
    fn traced(&self, body: &Bytes, traceparent: &str) -> anyhow::Result<Bytes> {
        self.tracing.get_or_init(|| {
            let provider = SdkTracerProvider::builder()
                .with_span_processor(BatchSpanProcessor::builder(Nowhere).build())
                .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
                .build();
            spans::turn_on(provider.tracer("inside"));
            provider
        });
        self.send(Self::request(body).header("traceparent", traceparent), body)
    }

    fn request(body: &Bytes) -> http::request::Builder {
        http::Request::post("/graphql")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len())
    }

    fn send(&self, request: http::request::Builder, body: &Bytes) -> anyhow::Result<Bytes> {
        let request = request.body(Body::from(body.clone()))?;
        self.runtime.block_on(async {
            let response = self.front.clone().oneshot(request).await?;
            Ok(to_bytes(response.into_body(), usize::MAX).await?)
        })
    }
}
