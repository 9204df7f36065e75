//! Warm: everything is in memory. In turns with the fixed bytes, for each row anew, since the machine's speed drifts.

use std::{fs, io::Write as _, path::Path};

use flate2::{Compression, write::GzEncoder};

use crate::{
    Bench, fixed,
    generator::{Load, Outcome, Until, ask},
    process::Process,
    queries::{ALL, Q1, Query, Request},
    report::{Table, number, progress},
    servers::{self, WARM},
    targets::Targets,
    units::{mib, percent},
    upstreams::Upstreams,
};

pub(crate) const PATH: &str = "/graphql";
pub(crate) const CONNECTIONS: usize = 50;
/// In how many turns a row and the fixed bytes are measured.
const TURNS: u32 = 8;

const COLUMNS: &[&str] = &[
    "query, server",
    "requests/s",
    "of fixed bytes",
    "CPU µs a request",
    "× fixed bytes",
    "anchor ×",
    "upstream requests a query",
    "p99 ms",
    "core busy",
    "RSS MiB",
];

/// How the gateway is asked, and what the anchors need for the same.
struct Way {
    name: &'static str,
    body: fn(&Query) -> serde_json::Value,
    is_gzip: bool,
    /// For Q1, in ANCHORS.md's words.
    anchor: &'static str,
}

const WAYS: &[Way] = &[
    Way { name: "gateway, the same again", body: Query::identical, is_gzip: false, anchor: "1.1" },
    Way { name: "gateway, the same again, gzip", body: Query::identical, is_gzip: true, anchor: "" },
    Way { name: "gateway, other variables", body: Query::other_variables, is_gzip: false, anchor: "10–18" },
    Way { name: "gateway, other documents", body: Query::other_documents, is_gzip: false, anchor: "10–18" },
];

pub(crate) async fn measure(bench: &Bench, targets: &mut Targets) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let folder = tempfile::tempdir()?;
    bodies(&upstreams, folder.path()).await?;
    let limit = servers::fixed(folder.path()).await?;
    let mut table = Table::new(COLUMNS);
    for query in ALL {
        progress(&format!("warm {}: {}", query.name, query.what));
        let bytes = fs::metadata(folder.path().join(query.name))?.len();
        let name = format!("{}, fixed bytes ({:.1} kB)", query.name, f64::from(u32::try_from(bytes)?) / 1e3);
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            turns.push(fixed_bytes(bench, &limit, query, false).await?);
        }
        let outcome = Outcome::of_all(turns);
        let nothing = || "–".to_owned();
        table.row(
            [
                name,
                number(outcome.per_second()),
                "1.00".into(),
                number(outcome.processor_us()),
                "1.00".into(),
                "1".into(),
            ]
            .into_iter()
            .chain([nothing(), latency(&outcome), percent(outcome.busy()), mib(limit.resident_kib())]),
        );
        for way in WAYS {
            let row = Row { bench, upstreams: &upstreams, limit: &limit, query };
            let (name, anchor) =
                (format!("{}, {}", query.name, way.name), if query.name == Q1.name { way.anchor } else { "" });
            let server = servers::gateway(&upstreams, WARM).await?;
            let body = (way.body)(query);
            let request = if way.is_gzip { Request::post_for_gzip(PATH, &body) } else { Request::post(PATH, &body) };
            let measured = row.measure(&server, request, way.is_gzip).await?;
            if query.name == Q1.name {
                targets.warm(way.name, &measured);
            }
            table.row(measured.cells(name, anchor, &server));
        }
        let row = Row { bench, upstreams: &upstreams, limit: &limit, query };
        let server = servers::stock(&upstreams, true).await?;
        let measured = row.measure(&server, Request::post(PATH, &query.stock()), false).await?;
        let anchor = if query.name == Q1.name { "44–91" } else { "" };
        table.row(measured.cells(format!("{}, stock async-graphql + moka", query.name), anchor, &server));
    }
    let title = format!("Warm, {CONNECTIONS} connections, upstream latency 0");
    bench.report.table("warm", &title, &table)
}

/// The gateway's answers, plain and compressed, for the server of fixed bytes.
async fn bodies(upstreams: &Upstreams, folder: &Path) -> anyhow::Result<()> {
    let server = servers::gateway(upstreams, WARM).await?;
    for query in ALL {
        let body = ask(&server, Request::post(PATH, &query.identical())).await?;
        fs::write(folder.join(query.name), &body)?;
        let compressed = GzEncoder::new(Vec::new(), Compression::fast());
        let mut compressed = compressed;
        compressed.write_all(&body)?;
        fs::write(folder.join(format!("{}{}", query.name, fixed::GZIP)), compressed.finish()?)?;
    }
    Ok(())
}

async fn fixed_bytes(bench: &Bench, limit: &Process, query: &Query, is_gzip: bool) -> anyhow::Result<Outcome> {
    let end = if is_gzip { fixed::GZIP } else { "" };
    let request = Request::post(&format!("/{}{end}", query.name), &query.identical());
    Load::of(request, CONNECTIONS).run(limit, bench.turn()).await
}

/// One server and one query, against the fixed bytes of the same query.
struct Row<'a> {
    bench: &'a Bench,
    upstreams: &'a Upstreams,
    limit: &'a Process,
    query: &'a Query,
}

/// A row, measured.
pub(crate) struct Measured {
    outcome: Outcome,
    fixed: Outcome,
    /// Microseconds of processor time for a request, in the turn that was disturbed least.
    pub(crate) least_us: f64,
    upstream_requests: u32,
}

impl Bench {
    fn turn(&self) -> Until {
        Until::Elapsed(self.time / TURNS)
    }
}

impl Row<'_> {
    async fn measure(&self, server: &Process, request: Request, is_gzip: bool) -> anyhow::Result<Measured> {
        let load = Load::of(request, CONNECTIONS);
        load.run(server, Until::Elapsed(self.bench.time / 4)).await?;
        self.upstreams.take_log();
        let (mut fixed, mut own) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            fixed.push(fixed_bytes(self.bench, self.limit, self.query, is_gzip).await?);
            own.push(load.run(server, self.bench.turn()).await?);
        }
        let least_us = own.iter().map(Outcome::processor_us).fold(f64::INFINITY, f64::min);
        let (outcome, fixed) = (Outcome::of_all(own), Outcome::of_all(fixed));
        Ok(Measured { outcome, fixed, least_us, upstream_requests: self.upstreams.count() })
    }
}

impl Measured {
    /// Requests a second, as a part of what fixed bytes reach.
    pub(crate) fn of_fixed(&self) -> f64 {
        self.outcome.per_second() / self.fixed.per_second()
    }

    /// Processor time of a request, in multiples of what fixed bytes need.
    pub(crate) fn times_fixed(&self) -> f64 {
        self.outcome.processor_us() / self.fixed.processor_us()
    }

    fn cells(&self, name: String, anchor: &str, server: &Process) -> Vec<String> {
        let outcome = &self.outcome;
        vec![
            name,
            number(outcome.per_second()),
            number(self.of_fixed()),
            number(outcome.processor_us()),
            number(self.times_fixed()),
            anchor.to_owned(),
            number(f64::from(self.upstream_requests) / f64::from(outcome.answers.max(1))),
            latency(outcome),
            percent(outcome.busy()),
            mib(server.resident_kib()),
        ]
    }
}

fn latency(outcome: &Outcome) -> String {
    number(outcome.latency(99).as_secs_f64() * 1e3)
}

/// Memory under a load that goes on: every way to ask, again and again.
pub(crate) async fn memory(bench: &Bench, targets: &mut Targets) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let server = servers::gateway(&upstreams, WARM).await?;
    let mut table = Table::new(&["Q1 to Q4 in every way, 50 connections", "requests so far", "RSS MiB"]);
    table.row(["at the start".into(), "0".into(), mib(server.resident_kib())]);
    let (mut answers, mut resident) = (0, Vec::new());
    for round in 1..=bench.rounds() {
        progress(&format!("memory, round {round} of {}", bench.rounds()));
        for query in ALL {
            for way in WAYS {
                let load = Load::of(Request::post(PATH, &(way.body)(query)), CONNECTIONS);
                answers += load.run(&server, Until::Elapsed(bench.time / 10)).await?.answers;
            }
        }
        let different = (0..50).map(|number| Request::post(PATH, &Q1.born_since(number))).collect();
        let load = Load { requests: different, connections: CONNECTIONS, is_uniform: false };
        answers += load.run(&server, Until::Elapsed(bench.time / 10)).await?.answers;
        resident.push(server.resident_kib());
        table.row([format!("after round {round}"), number(f64::from(answers)), mib(server.resident_kib())]);
    }
    targets.memory(&resident);
    bench.report.table("memory", "Memory under load", &table)
}
