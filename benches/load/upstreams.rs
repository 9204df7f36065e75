//! The upstreams: the sandbox, in this process, over its real sockets. Counts what reaches it. Knows no GraphQL.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures::future::try_join_all;
use serde_json::{Value, json};
use subject_gateway::sandbox::{LoggedRequest, Options, Records, Sandbox};
use uuid::Uuid;

use crate::{client::Connection, queries::Request};

/// Requests that came closer together than this part of the latency were sent in one round.
const ROUND: u32 = 2;

/// The two upstreams.
pub(crate) struct Upstreams {
    pub(crate) sandbox: Sandbox,
}

impl Upstreams {
    /// With the sandbox's own records.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let sandbox = Sandbox::start(Options::default()).await.context("the sandbox could not be started")?;
        Ok(Self { sandbox })
    }

    /// With so many animals, each with so many procedures and two projects, and no people.
    pub(crate) async fn with_animals(animals: u32, procedures: u32) -> anyhow::Result<Self> {
        let options = Options { records: Records::Empty, ..Options::default() };
        let upstreams = Self { sandbox: Sandbox::start(options).await.context("the sandbox could not be started")? };
        let brainstem = upstreams.sandbox.brainstem();
        let projects: Vec<String> = (0..PROJECTS).map(|number| uuid(PROJECT, number)).collect();
        for (number, id) in (1..).zip(&projects) {
            brainstem.insert("projects", project(id, number));
        }
        for number in 0..animals {
            let own: Vec<String> = (0..procedures).map(|at| uuid(PROCEDURE, number * procedures + at)).collect();
            let id = uuid(ANIMAL, number);
            for procedure_id in &own {
                brainstem.insert("procedures", procedure(procedure_id, &id));
            }
            let first = usize::try_from(number % PROJECTS)?;
            let projects = [&projects[first], &projects[(first + 1) % projects.len()]];
            brainstem.insert("subjects", animal(&id, number, &own, &projects));
        }
        Ok(upstreams)
    }

    /// Sets what both wait before each answer.
    pub(crate) fn set_latency(&self, latency: Duration) {
        for upstream in [self.sandbox.haut_ai(), self.sandbox.brainstem()] {
            upstream.set_knobs(|knobs| knobs.latency = latency);
        }
    }

    /// The requests since the last call, in order of arrival.
    pub(crate) fn take_log(&self) -> Vec<Logged> {
        let of = |upstream: &subject_gateway::sandbox::Upstream| {
            let address = upstream.url().trim_start_matches("http://").parse::<SocketAddr>().ok();
            upstream.take_log().into_iter().filter_map(move |request| Some(Logged { address: address?, request }))
        };
        let mut log: Vec<Logged> = of(self.sandbox.haut_ai()).chain(of(self.sandbox.brainstem())).collect();
        log.sort_by_key(|logged| logged.request.at);
        log
    }

    /// How many requests came since the log was last taken.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.take_log().len()).unwrap_or(u32::MAX)
    }
}

/// A request and the upstream that it reached.
pub(crate) struct Logged {
    address: SocketAddr,
    request: LoggedRequest,
}

/// The requests of one query, cut where one waited for another's answer.
pub(crate) fn rounds(log: Vec<Logged>, latency: Duration) -> Vec<Vec<Logged>> {
    let mut rounds: Vec<Vec<Logged>> = Vec::new();
    let mut before: Option<Instant> = None;
    for logged in log {
        let at = logged.request.at;
        let is_new = before.is_none_or(|before| at.duration_since(before) > latency / ROUND);
        before = Some(at);
        match rounds.last_mut() {
            Some(round) if !is_new => round.push(logged),
            _ => rounds.push(vec![logged]),
        }
    }
    rounds
}

/// The same requests, sent to the upstreams by somebody who knows them all before: nothing between them but the rounds.
/// Connections are open already. Returns the time from the first byte to the last.
pub(crate) async fn directly(rounds: &[Vec<Logged>]) -> anyhow::Result<Duration> {
    let widest = rounds.iter().map(Vec::len).max().unwrap_or_default();
    let mut spare: Vec<(SocketAddr, Connection)> = Vec::new();
    for address in rounds.iter().flatten().map(|logged| logged.address) {
        if spare.iter().filter(|(of, _)| *of == address).count() < widest {
            spare.push((address, Connection::open(address).await?));
        }
    }
    let began = Instant::now();
    for round in rounds {
        let asked = round.iter().map(|logged| {
            let at = spare.iter().position(|(address, _)| *address == logged.address);
            (logged, at.map(|at| spare.swap_remove(at)))
        });
        let asked: Vec<_> = asked.collect();
        let answers = asked.into_iter().map(|(logged, connection)| async move {
            let (address, mut connection) = connection.context("too few connections")?;
            let request = &logged.request;
            let mark = if request.query.is_empty() { "" } else { "?" };
            let mut request = Request::get(&format!("{}{mark}{}", request.path, request.query), &request.headers);
            connection.exchange(request.numbered(0)).await?;
            anyhow::Ok((address, connection))
        });
        spare.extend(try_join_all(answers).await?);
    }
    Ok(began.elapsed())
}

const PROJECTS: u32 = 20;
const PROJECT: u128 = 1;
const ANIMAL: u128 = 2;
const PROCEDURE: u128 = 3;

fn uuid(kind: u128, number: u32) -> String {
    Uuid::from_u128((kind << 96) | (0x4000_u128 << 64) | (0x8000_u128 << 48) | u128::from(number)).to_string()
}

fn project(id: &str, number: u32) -> Value {
    json!({
        "id": id, "name": format!("Project {number}"), "description": "", "sessions": [], "subjects": [],
        "publications": [], "collections": [], "cohorts": [], "extra_fields": {}, "is_public": true, "tags": [],
    })
}

fn animal(id: &str, number: u32, procedures: &[String], projects: &[&String]) -> Value {
    json!({
        "id": id, "name": format!("WT-{number:05}"), "description": "Calm. Eats well; weigh before noon.",
        "projects": projects, "licenses": [], "strain": null, "sex": if number.is_multiple_of(2) { "F" } else { "M" },
        "genetic_line": "", "genotype": "wt/tg", "subject_identifier": format!("TAG{number:05}"), "supplier": null,
        "breeding": null, "birth_date": "2021-03-14", "death_date": null, "status": "active", "extra_fields": {},
        "procedures": procedures, "subjectlogs": [], "name_used_in_storage": null, "tags": [], "links": {},
    })
}

fn procedure(id: &str, subject: &str) -> Value {
    json!({
        "id": id, "type": "Craniotomy", "notes": "Went well.", "subject": subject, "date_time": "2023-05-04T10:30:00Z",
        "consumablestock": null, "equipment": [], "brain_region": null, "licenses": [],
        "details": { "depth_um": 1200, "hemisphere": "left" }, "type_schema_version": 2, "coordinates_system": "",
        "coordinates_details": null, "coordinates_schema_version": 1,
        "created_at": "2023-05-04T23:59:59.999999Z", "updated_at": "2023-05-04T23:59:59.999999Z",
    })
}
