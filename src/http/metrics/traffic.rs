//! What is counted of requests and connections, whatever they ask for: routes, classes of status, bytes, what is open, and who
//! is turned away. Knows no path but the routes' own, and no caller.

use axum::{body::HttpBody as _, http::StatusCode, response::Response};
use http_body_util::BodyExt as _;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::{held::Held, http::layers::ROUTES, schema::spec::LimitMetrics};

/// The last one: the caller was gone before there was an answer.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "gone"];
const GONE: usize = 5;

/// Counters of requests.
pub(in crate::http) struct Traffic {
    /// In the order of [`ROUTES`].
    routes: [Counts; ROUTES.len()],
    requests: Family<Answered, Counter>,
    bytes: Family<Route, Counter>,
    in_flight: Gauge,
    /// Requests without a credential that is good here.
    pub(in crate::http) denied: Counter,
    /// WebSockets that are open.
    pub(in crate::http) websockets: Gauge,
    /// Streams of events that are open.
    pub(in crate::http) streams: Gauge,
    pub(in crate::http) sockets: Sockets,
    pub(in crate::http) refused: Refused,
}

/// What is counted of connections; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    pub(in crate::http) accepted: Counter,
    /// Those that speak HTTP: a WebSocket's is none any more.
    pub(in crate::http) open: Gauge,
    pub(in crate::http) refused: Counter,
}

/// Requests that passed a bound of this layer's.
pub(in crate::http) struct Refused {
    pub(in crate::http) rate: Counter,
    pub(in crate::http) overload: Counter,
    pub(in crate::http) connections: Counter,
    pub(in crate::http) subscriptions: Counter,
    pub(in crate::http) body_bytes: Counter,
    pub(in crate::http) body_time: Counter,
    pub(in crate::http) batch: Counter,
}

struct Counts {
    answered: [Counter; CLASSES.len()],
    bytes: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    status: &'static str,
}

impl Traffic {
    pub(in crate::http) fn new(limits: &LimitMetrics) -> Self {
        let (requests, bytes) = (Family::<Answered, Counter>::default(), Family::<Route, Counter>::default());
        let of = |route| Counts {
            answered: CLASSES.map(|status| requests.get_or_create_owned(&Answered { route, status })),
            bytes: bytes.get_or_create_owned(&Route { route }),
        };
        Self {
            routes: ROUTES.map(of),
            requests,
            bytes,
            in_flight: Gauge::default(),
            denied: Counter::default(),
            websockets: Gauge::default(),
            streams: Gauge::default(),
            sockets: Sockets { refused: limits.of("sockets"), ..Sockets::default() },
            refused: Refused {
                rate: limits.of("rate"),
                overload: limits.of("overload"),
                connections: limits.of("connections"),
                subscriptions: limits.of("subscriptions"),
                body_bytes: limits.of("body_bytes"),
                body_time: limits.of("body_time"),
                batch: limits.of("batch"),
            },
        }
    }

    /// Counts a request from now on, by one of [`ROUTES`].
    pub(in crate::http) fn begin(&self, route: &'static str) -> Passing<'_> {
        self.in_flight.inc();
        Passing { traffic: self, counts: self.of(route), class: GONE }
    }

    /// Counts what is sent beside an answer.
    pub(in crate::http) fn sent(&self, route: &'static str, bytes: usize) {
        self.of(route).bytes.inc_by(bytes as u64);
    }

    fn of(&self, route: &'static str) -> &Counts {
        let at = ROUTES.iter().position(|known| *known == route);
        // There is no other.
        &self.routes[at.unwrap_or(ROUTES.len() - 1)]
    }

    pub(in crate::http) fn register(&self, registry: &mut Registry) {
        let http = registry.sub_registry_with_prefix("http");
        http.register("requests", "Requests, by route and class of status", self.requests.clone());
        http.register("requests_in_flight", "Requests that wait for the head of their answer", self.in_flight.clone());
        let bytes = "Bytes of answers' bodies, events and messages, as they were sent";
        http.register_with_unit("response", bytes, Unit::Bytes, self.bytes.clone());
        http.register("denied", "Requests without a credential that is good here", self.denied.clone());
        let Sockets { accepted, open, .. } = &self.sockets;
        http.register("connections", "Connections that were taken", accepted.clone());
        http.register("connections_open", "Connections that are open, without WebSockets", open.clone());
        http.register("websockets_open", "WebSockets that are open", self.websockets.clone());
        http.register("event_streams_open", "Streams of server-sent events that are open", self.streams.clone());
    }
}

/// A request on its way, counted when it is dropped.
pub(in crate::http) struct Passing<'a> {
    traffic: &'a Traffic,
    counts: &'a Counts,
    class: usize,
}

impl Passing<'_> {
    /// Notes what the request is answered with; what is sent as it is made is counted on its way.
    pub(in crate::http) fn answered(mut self, response: Response) -> Response {
        self.class = class(response.status());
        if let Some(bytes) = response.body().size_hint().exact() {
            self.counts.bytes.inc_by(bytes);
            return response;
        }
        let counter = self.counts.bytes.clone();
        response.map(|body| {
            let count = move |frame: hyper::body::Frame<axum::body::Bytes>| {
                counter.inc_by(frame.data_ref().map_or(0, |data| data.len() as u64));
                frame
            };
            axum::body::Body::new(body.map_frame(count))
        })
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.traffic.in_flight.dec();
        self.counts.answered[self.class].inc();
    }
}

fn class(status: StatusCode) -> usize {
    usize::from(status.as_u16() / 100).clamp(1, GONE) - 1
}

impl Sockets {
    /// One more that is open, until what this gives is dropped.
    pub(in crate::http) fn take(&self) -> Held {
        self.accepted.inc();
        Held::on(&self.open)
    }
}
