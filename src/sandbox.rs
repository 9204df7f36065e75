//! Both upstream APIs in memory, served over HTTP on loopback ports.
//!
//! The double that tests, benches and the `sandbox` command use in place of Haut.AI and BrainSTEM. It is written from the
//! upstreams' documentation alone: it must not share types, constants or mapping with `sources`, or one
//! misunderstanding would sit on both sides and every test would pass.

mod brainstem;
mod exchange;
mod haut_ai;
mod knobs;
mod records;
mod server;
mod store;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};

use self::{
    brainstem::Generation,
    server::{Api, Inner},
};
pub use self::{
    knobs::{Collation, Dictionary, Fault, FaultKind, Knobs, Paging, Totals},
    records::{
        PROJECT_WITHOUT_SUBJECTS, READ_ONLY_PROJECT, SUBJECT_WITH_130_PROCEDURES, SUBJECT_WITH_PARENTS,
        SUBJECT_WITH_UNICODE_NAME, SUBJECT_WITHOUT_PROCEDURES,
    },
};

/// Haut.AI: a private token that sees every dataset of the company.
pub const HAUT_AI_TOKEN: &str = "haut-private-7f3b1c9e5d";
/// Haut.AI: a private token that sees only the second of [`DATASET_IDS`].
pub const HAUT_AI_OTHER_TOKEN: &str = "haut-private-0a2d4e6f81";
/// Haut.AI: a user whose logins see what [`HAUT_AI_TOKEN`] sees.
pub const HAUT_AI_USERNAME: &str = "backend@lumiere.example";
/// Haut.AI: the password of both users.
pub const HAUT_AI_PASSWORD: &str = "correct horse battery staple";
/// Haut.AI: a user for whom a password is not enough.
pub const HAUT_AI_MFA_USERNAME: &str = "careful@lumiere.example";
/// Haut.AI: the company that the tokens belong to.
pub const COMPANY_ID: &str = "123e4567-e89b-12d3-a456-426614174000";
/// Haut.AI: the company's datasets, with 180, 37 and 0 subjects. The second has the id that the documentation prints
/// for everything.
pub const DATASET_IDS: [&str; 3] = [
    "5b1c4f0e-6a39-4d5b-9d0a-2f6c3b7e8a11",
    "123e4567-e89b-12d3-a456-426614174000",
    "c0ffee00-1d2e-4f3a-8b4c-5d6e7f809102",
];
/// Haut.AI: a company that no token belongs to; everything in it is 403.
pub const FOREIGN_COMPANY_ID: &str = "f0e1d2c3-b4a5-4687-9786-a5b4c3d2e1f0";
/// Haut.AI: a dataset of the foreign company; within [`COMPANY_ID`] it is 404.
pub const FOREIGN_DATASET_ID: &str = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f";
/// BrainSTEM: a personal access token that sees every record.
pub const BRAINSTEM_TOKEN: &str = "brainstem-pat-51c0a7d2e9";
/// BrainSTEM: a personal access token that sees the few projects which its user takes part in.
pub const BRAINSTEM_OTHER_TOKEN: &str = "brainstem-pat-e83b96f140";

/// Where and what to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where Haut.AI listens.
    pub haut_ai_listen: SocketAddr,
    /// Where BrainSTEM listens.
    pub brainstem_listen: SocketAddr,
    /// What the upstreams hold at the start.
    pub records: Records,
    /// Serve BrainSTEM as it was before its renaming.
    pub brainstem_legacy: bool,
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { haut_ai_listen: any_port, brainstem_listen: any_port, records: Records::Full, brainstem_legacy: false }
    }
}

/// What the upstreams hold at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Some hundred records each, the same at every start.
    Full,
    /// The company, the first of [`DATASET_IDS`] and the dictionary of sexes; BrainSTEM's taxonomies and one project.
    Empty,
}

/// Two running upstreams. They stop serving when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    haut_ai: Upstream,
    brainstem: Upstream,
    /// The servers stop when its sender is gone.
    _running: watch::Sender<()>,
}

impl Sandbox {
    /// Binds both ports, fills both upstreams and serves them on the current runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let generation = if options.brainstem_legacy { Generation::Legacy } else { Generation::Current };
        let haut_ai = TcpListener::bind(options.haut_ai_listen).await?;
        let brainstem = TcpListener::bind(options.brainstem_listen).await?;
        let (running, stop) = watch::channel(());
        Ok(Self {
            haut_ai: Upstream(server::serve(
                haut_ai,
                Api::haut_ai(),
                records::haut_ai(options.records),
                Knobs::default(),
                stop.clone(),
            )?),
            brainstem: Upstream(server::serve(
                brainstem,
                Api::BrainStem(generation),
                records::brainstem(options.records, generation),
                match generation {
                    Generation::Current => Knobs::default(),
                    Generation::Legacy => Knobs::legacy(),
                },
                stop,
            )?),
            _running: running,
        })
    }

    /// The double of Haut.AI.
    pub fn haut_ai(&self) -> &Upstream {
        &self.haut_ai
    }

    /// The double of BrainSTEM.
    pub fn brainstem(&self) -> &Upstream {
        &self.brainstem
    }
}

/// One running upstream; clones are the same upstream.
#[derive(Clone)]
pub struct Upstream(Arc<Inner>);

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Upstream").field(&self.url()).finish()
    }
}

impl Upstream {
    /// Where it is served, without a slash at the end: `http://127.0.0.1:41234`.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The requests since the start or the last clearing, in order of arrival.
    pub fn log(&self) -> Vec<LoggedRequest> {
        self.0.log().requests().to_vec()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.0.log().take();
    }

    /// Hands out and forgets the requests so far.
    pub fn take_log(&self) -> Vec<LoggedRequest> {
        self.0.log().take()
    }

    /// Changes how it behaves from the next request on.
    pub fn set_knobs(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut self.0.knobs());
    }

    /// The records of a model (`subjects`, `subject_logs`, …) as stored, in the order of an unsorted list.
    pub fn records(&self, model: &str) -> Vec<Value> {
        self.0.store().rows(model).to_vec()
    }

    /// Adds a record at the end as it is, unchecked; no other record learns of it.
    pub fn insert(&self, model: &str, record: Value) {
        self.0.store().push(model, record);
    }

    /// Changes a record as it is, unchecked, where it stands; `false`: it is not there. Its id must stay.
    pub fn change(&self, model: &str, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        self.0.store().get_mut(model, id).map(change).is_some()
    }

    /// Takes a record away; those that point to it are left as they are.
    pub fn remove(&self, model: &str, id: &str) -> bool {
        self.0.store().remove(model, id).is_some()
    }

    /// How many bytes of [`FaultKind::HugeBody`] were handed to connections so far.
    pub fn huge_bytes_sent(&self) -> u64 {
        self.0.huge_bytes.load(Ordering::Relaxed)
    }

    /// Haut.AI: access tokens from logins so far are no longer valid; refresh tokens are.
    pub fn expire_logins(&self) {
        self.0.expire_logins();
    }

    /// Haut.AI: neither access nor refresh tokens from logins so far are valid any longer.
    pub fn revoke_logins(&self) {
        if let Api::HautAi(logins) = &self.0.api {
            server::lock(logins).revoke();
        }
    }
}

/// A request that reached an upstream.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// `GET`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// As it came, still encoded; empty without one.
    pub query: String,
    /// The header of that name.
    pub authorization: Option<String>,
    /// The answer's status; 0 while there is none.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
    /// Names in lower case, in order of arrival.
    pub headers: Vec<(String, String)>,
    /// Which TCP connection to this upstream carried it, counting from 1.
    pub connection: u64,
    /// When its head had arrived.
    pub at: Instant,
}
