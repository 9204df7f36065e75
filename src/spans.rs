//! Spans of a trace, where traces are on; where they are off, nothing costs more than a look at that. Knows what is said of a
//! request by name, and never what it holds: no text, id, URL or header of anybody's has a place in a span.

use std::sync::OnceLock;

use hyper::HeaderMap;
use opentelemetry::{
    Context, KeyValue, TraceId, Value,
    propagation::TextMapPropagator as _,
    trace::{Link as SpanLink, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracer};

/// Set once, at the start, where traces are on.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Turns traces on for this process; a second call changes nothing.
pub fn turn_on(tracer: SdkTracer) {
    // The first one stays.
    let _ = TRACER.set(tracer);
}

/// Where in a trace some work stands: within its span, which ends at the latest with the last copy of this. Nowhere, where
/// traces are off.
#[must_use]
#[derive(Clone, Debug, Default)]
pub struct Place(Option<Context>);

/// What others' spans refer to a span by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link(Option<SpanContext>);

impl Place {
    /// The beginning of a request: within the trace that its headers name, or a new one.
    pub fn of_request(name: impl FnOnce() -> String, headers: &HeaderMap) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::default() };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let span = tracer.span_builder(name()).with_kind(SpanKind::Server).start_with_context(tracer, &parent);
        Self(Some(parent.with_span(span)))
    }

    /// The beginning of an operation on a connection that stays: a trace of its own, which refers to this.
    pub fn apart(&self, name: &'static str) -> Self {
        let (Some(tracer), Some(context)) = (TRACER.get(), &self.0) else { return Self::default() };
        let links = vec![SpanLink::with_context(context.span().span_context().clone())];
        let builder = tracer.span_builder(name).with_kind(SpanKind::Server).with_links(links);
        let nowhere = Context::new();
        let span = builder.start_with_context(tracer, &nowhere);
        Self(Some(nowhere.with_span(span)))
    }

    /// A part of the work. `attributes` are asked for only where the trace is kept.
    pub fn begin(&self, kind: SpanKind, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) -> Self {
        let (Some(tracer), Some(context)) = (TRACER.get(), self.sampled()) else { return self.clone() };
        let builder = tracer.span_builder(name).with_kind(kind).with_attributes(attributes());
        let span = builder.start_with_context(tracer, context);
        Self(Some(context.with_span(span)))
    }

    fn sampled(&self) -> Option<&Context> {
        self.0.as_ref().filter(|context| context.span().span_context().is_sampled())
    }

    /// Whether anybody will see what is said of the span.
    pub fn is_kept(&self) -> bool {
        self.sampled().is_some()
    }

    /// Says something of the span.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        if let Some(context) = self.sampled() {
            context.span().set_attribute(KeyValue::new(name, value));
        }
    }

    /// Says it where there is something to be said.
    pub fn set_any(&self, name: &'static str, value: Option<impl ToString>) {
        if let (Some(context), Some(value)) = (self.sampled(), value) {
            context.span().set_attribute(KeyValue::new(name, value.to_string()));
        }
    }

    /// Something that happened on the way.
    pub fn note(&self, what: &'static str) {
        if let Some(context) = self.sampled() {
            context.span().add_event(what, Vec::new());
        }
    }

    /// The work failed.
    pub fn fail(&self) {
        if let Some(context) = self.sampled() {
            context.span().set_status(Status::error(""));
        }
    }

    /// Ends the span before the last copy of this goes.
    pub fn end(&self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }

    /// What others refer to it by.
    pub fn link(&self) -> Link {
        Link(self.sampled().map(|context| context.span().span_context().clone()))
    }

    /// Refers to another span, of this trace or of another.
    pub fn refer_to(&self, other: &Link) {
        if let (Some(context), Link(Some(other))) = (self.sampled(), other) {
            context.span().add_link(other.clone(), Vec::new());
        }
    }

    /// Tells another program in which trace it is asked.
    pub fn tell(&self, headers: &mut HeaderMap) {
        if let Some(context) = &self.0 {
            TraceContextPropagator::new().inject_context(context, &mut HeaderInjector(headers));
        }
    }

    /// The name of its trace; `None`: traces are off.
    pub fn trace(&self) -> Option<TraceId> {
        self.0.as_ref().map(|context| context.span().span_context().trace_id())
    }
}

/// The spans that one piece of work waited for without having begun them, each once.
#[derive(Debug, Default)]
pub struct Links(Vec<Link>);

impl Links {
    /// One more, unless it is there.
    pub fn note(&mut self, link: &Link) {
        if link.0.is_some() && !self.0.contains(link) {
            self.0.push(link.clone());
        }
    }

    /// Has a span refer to all of them.
    pub fn are_of(&self, place: &Place) {
        self.0.iter().for_each(|link| place.refer_to(link));
    }
}
