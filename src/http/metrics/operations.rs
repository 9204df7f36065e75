//! What is counted of operations: how many, how they ended, how long they took. Knows no query, and of names only those that
//! it was told of at the start: the others are one.

use std::{collections::HashMap, sync::OnceLock, time::Instant};

use ahash::RandomState;
use async_graphql::ServerError;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::{config::MOST_NAMES, http::answer::code, schema::execution::code_of};

/// The bounds of the histogram's buckets in seconds: from a whole answer that is at hand to the default deadline.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What operations without a name are called.
const ANONYMOUS: &str = "anonymous";
/// What operations are called whose names are nobody's here.
const OTHER: &str = "other";
/// What codes are called that are none of ours.
const OTHER_CODE: &str = "OTHER";

/// How an operation came.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) enum Transport {
    Post,
    Get,
    /// Within a body with several.
    Batch,
    /// Over server-sent events.
    Stream,
    WebSocket,
}

impl Transport {
    const NAMES: [&str; 5] = ["post", "get", "batch", "sse", "websocket"];
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Outcome {
    /// Without errors.
    Good,
    /// Executed, with errors.
    Errors,
    /// Not executed.
    Refused,
}

impl Outcome {
    const NAMES: [&str; 3] = ["ok", "errors", "refused"];
}

/// Codes of errors, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Codes(u32);

impl Codes {
    pub(in crate::http) fn of(code: &str) -> Self {
        let at = code::ALL.iter().position(|known| *known == code).unwrap_or(code::ALL.len());
        Self(1 << at)
    }

    pub(in crate::http) fn of_all(errors: &[ServerError]) -> Self {
        let of = |error| Self::of(code_of(error).unwrap_or_default());
        Self(errors.iter().map(of).fold(0, |all, Self(code)| all | code))
    }

    fn names(self) -> impl Iterator<Item = &'static str> {
        let all = code::ALL.into_iter().chain([OTHER_CODE]).enumerate();
        all.filter(move |(at, _)| self.0 >> at & 1 == 1).map(|(_, name)| name)
    }
}

/// What an operation is counted by.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct Ending {
    pub(in crate::http) outcome: Outcome,
    pub(in crate::http) codes: Codes,
}

impl Ending {
    /// Of what was executed.
    pub(in crate::http) fn executed(errors: &[ServerError]) -> Self {
        let outcome = if errors.is_empty() { Outcome::Good } else { Outcome::Errors };
        Self { outcome, codes: Codes::of_all(errors) }
    }
}

/// One of the names that are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Name(usize);

/// Counters of operations.
pub(in crate::http) struct Operations {
    by_name: HashMap<String, Name, RandomState>,
    /// By [`Name`].
    counts: Vec<Counts>,
    ended: Family<Ended, Counter>,
    errors: Family<Failed, Counter>,
    durations: Family<Label, Histogram, fn() -> Histogram>,
    /// Subscriptions that are open.
    pub(in crate::http) subscriptions: Gauge,
    /// What subscribers were told.
    pub(in crate::http) events: Counter,
}

/// One name's counters, there from its first operation on, so that names that nobody uses are no series.
#[derive(Default)]
struct Counts {
    ended: [[OnceLock<Counter>; Outcome::NAMES.len()]; Transport::NAMES.len()],
    duration: OnceLock<Histogram>,
    label: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Label {
    operation: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    operation: String,
    transport: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Failed {
    operation: String,
    code: &'static str,
}

impl Operations {
    /// Counts these names, of which the first [`MOST_NAMES`] get counters of their own.
    pub(in crate::http) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut by_name = HashMap::with_hasher(RandomState::new());
        let mut counts = [ANONYMOUS, OTHER].map(Counts::of).into_iter().collect::<Vec<_>>();
        for name in names {
            if by_name.len() < MOST_NAMES && !by_name.contains_key(&name) {
                counts.push(Counts::of(&name));
                by_name.insert(name, Name(counts.len() - 1));
            }
        }
        Self {
            by_name,
            counts,
            ended: Family::default(),
            errors: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            subscriptions: Gauge::default(),
            events: Counter::default(),
        }
    }

    /// What an operation of that name is counted as.
    pub(in crate::http) fn name(&self, name: Option<&str>) -> Name {
        match name {
            None | Some("") => Name(0),
            Some(name) => self.by_name.get(name).copied().unwrap_or(Name(1)),
        }
    }

    /// Counts an operation that began then and ends now.
    pub(in crate::http) fn ended(&self, name: Name, transport: Transport, ending: Ending, began: Instant) {
        self.count(name, transport, ending);
        if let Some(counts) = self.counts.get(name.0) {
            let duration = || self.durations.get_or_create_owned(&Label { operation: counts.label.clone() });
            counts.duration.get_or_init(duration).observe(began.elapsed().as_secs_f64());
        }
    }

    /// Counts an operation whose duration says nothing.
    pub(in crate::http) fn count(&self, name: Name, transport: Transport, ending: Ending) {
        let Some(counts) = self.counts.get(name.0) else { return };
        let counter = &counts.ended[transport as usize][ending.outcome as usize];
        let made = || self.ended.get_or_create_owned(&counts.ended_as(transport, ending.outcome));
        counter.get_or_init(made).inc();
        if ending.codes != Codes::default() {
            for code in ending.codes.names() {
                self.errors.get_or_create(&Failed { operation: counts.label.clone(), code }).inc();
            }
        }
    }

    pub(in crate::http) fn register(&self, registry: &mut Registry) {
        registry.register(
            "operations",
            "Operations that ended, by how they came and how they ended",
            self.ended.clone(),
        );
        let errors = "Operations with errors, once for each code that these have";
        registry.register("operation_errors", errors, self.errors.clone());
        let durations = "How long queries and mutations took, from the request to the answer";
        registry.register_with_unit("operation_duration", durations, Unit::Seconds, self.durations.clone());
        registry.register("subscriptions_open", "Subscriptions that are open", self.subscriptions.clone());
        registry.register("subscription_events", "What subscribers were told", self.events.clone());
    }
}

impl Counts {
    fn of(label: &str) -> Self {
        Self { label: label.to_owned(), ..Self::default() }
    }

    fn ended_as(&self, transport: Transport, outcome: Outcome) -> Ended {
        let (transport, outcome) = (Transport::NAMES[transport as usize], Outcome::NAMES[outcome as usize]);
        Ended { operation: self.label.clone(), transport, outcome }
    }
}
