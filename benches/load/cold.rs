//! Cold: what a query costs whose records nobody has read yet, alone and together with others.

use std::time::Duration;

use crate::{
    Bench,
    generator::{Load, Until},
    process::Process,
    queries::{ALL, Q1, Query, Request},
    report::{Table, number, progress},
    servers::{self, COLD, DEFAULT},
    targets::Targets,
    units::{millis, percent},
    upstreams::{Logged, Upstreams, directly, rounds},
};

const PATH: &str = "/graphql";
/// How far away an upstream is taken to be.
pub(crate) const FAR: Duration = Duration::from_millis(50);

const COLUMNS: &[&str] = &[
    "query, server",
    "upstream ms",
    "round trips",
    "upstream requests",
    "median ms",
    "the same requests directly ms",
    "added ms",
    "CPU µs a request",
];

/// One query at a time.
pub(crate) async fn alone(bench: &Bench, targets: &mut Targets) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let mut table = Table::new(COLUMNS);
    for query in ALL {
        for is_gateway in [true, false] {
            let (name, body) = if is_gateway { ("gateway", query.identical()) } else { ("stock", query.stock()) };
            let server = if is_gateway {
                servers::gateway(&upstreams, DEFAULT).await?
            } else {
                servers::stock(&upstreams, false).await?
            };
            progress(&format!("cold {}, {name}", query.name));
            let name = format!("{}, {name}", query.name);
            let sequence = rounds_of(&upstreams, &server, &body).await?;
            for latency in [Duration::ZERO, FAR] {
                let cold = Cold { bench, upstreams: &upstreams, server: &server, sequence: &sequence, latency };
                let (cells, added) = cold.measure(&name, &body).await?;
                if query.name == Q1.name && is_gateway && latency == FAR {
                    targets.cold(sequence.len(), added);
                }
                table.row(cells);
            }
        }
    }
    upstreams.set_latency(Duration::ZERO);
    bench.report.table("cold", "Cold, one query at a time, everything read anew", &table)
}

/// What the server asks for one query, cut into round trips.
async fn rounds_of(
    upstreams: &Upstreams,
    server: &Process,
    body: &serde_json::Value,
) -> anyhow::Result<Vec<Vec<Logged>>> {
    let load = Load::of(Request::post_for_fresh(PATH, body), 1);
    // Connections to the upstreams are open afterwards.
    load.run(server, Until::Sent(3)).await?;
    upstreams.set_latency(FAR);
    upstreams.take_log();
    load.run(server, Until::Sent(1)).await?;
    Ok(rounds(upstreams.take_log(), FAR))
}

struct Cold<'a> {
    bench: &'a Bench,
    upstreams: &'a Upstreams,
    server: &'a Process,
    sequence: &'a [Vec<Logged>],
    latency: Duration,
}

impl Cold<'_> {
    async fn measure(&self, name: &str, body: &serde_json::Value) -> anyhow::Result<(Vec<String>, Duration)> {
        self.upstreams.set_latency(self.latency);
        let load = Load::of(Request::post_for_fresh(PATH, body), 1);
        load.run(self.server, Until::Sent(2)).await?;
        self.upstreams.take_log();
        let outcome = load.run(self.server, Until::Sent(self.bench.repeats)).await?;
        let requests = f64::from(self.upstreams.count()) / f64::from(outcome.answers);
        let mut direct = Vec::new();
        for _ in 0..self.bench.repeats {
            direct.push(directly(self.sequence).await?);
        }
        direct.sort_unstable();
        let direct = direct[direct.len() / 2];
        let median = outcome.latency(50);
        // What the gateway adds to the way there and back, however long the upstream itself takes.
        let added = median.saturating_sub(direct);
        let cells = vec![
            name.to_owned(),
            format!("{}", self.latency.as_millis()),
            format!("{}", self.sequence.len()),
            number(requests),
            millis(median),
            millis(direct),
            millis(added),
            number(outcome.processor_us()),
        ];
        Ok((cells, added))
    }
}

/// Many at once, and many for a while.
pub(crate) async fn together(bench: &Bench, targets: &mut Targets) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let mut table =
        Table::new(&["Q1, cold", "upstream ms", "queries", "upstream requests", "of one alone", "all answered ms"]);
    for latency in [Duration::ZERO, FAR] {
        upstreams.set_latency(latency);
        for (what, variables) in [("cache as by default", DEFAULT), ("nothing kept", COLD)] {
            progress(&format!("cold, together, {what}, {} ms", latency.as_millis()));
            let together = Together { upstreams: &upstreams, variables };
            let (one, time) = together.at_once(vec![Request::post(PATH, &Q1.identical())], 1).await?;
            let mut row = |name: &str, queries: u32, requests: u32, time: Duration| {
                let of_one = f64::from(requests) / f64::from(one.max(1));
                table.row([
                    format!("{name}, {what}"),
                    format!("{}", latency.as_millis()),
                    queries.to_string(),
                    requests.to_string(),
                    number(of_one),
                    millis(time),
                ]);
                of_one
            };
            row("one", 1, one, time);
            let (identical, time) = together.at_once(vec![Request::post(PATH, &Q1.identical())], 500).await?;
            let identical = row("500 identical at once", 500, identical, time);
            let different = (0..50).map(|number| Request::post(PATH, &Q1.born_since(number))).collect();
            let (different, time) = together.at_once(different, 50).await?;
            let different = row("50 different at once", 50, different, time);
            // With nothing kept, those that come when the first answer has gone can't share it.
            if variables == DEFAULT {
                targets.together(what, latency, identical, different);
            }
        }
    }
    upstreams.set_latency(Duration::ZERO);
    bench.report.table("together", "Cold, many at once", &table)
}

struct Together<'a> {
    upstreams: &'a Upstreams,
    variables: &'a [(&'a str, &'a str)],
}

impl Together<'_> {
    /// So many connections with one query each, to a gateway that has read nothing: requests upstream, and the time.
    async fn at_once(&self, requests: Vec<Request>, connections: usize) -> anyhow::Result<(u32, Duration)> {
        let server = servers::gateway(self.upstreams, self.variables).await?;
        self.upstreams.take_log();
        let is_uniform = requests.len() == 1;
        let outcome = Load { requests, connections, is_uniform }.run(&server, Until::Sent(1)).await?;
        Ok((self.upstreams.count(), outcome.elapsed))
    }
}

/// A load that never finds anything kept.
pub(crate) async fn sustained(bench: &Bench) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 50;
    let upstreams = Upstreams::start().await?;
    let mut table = Table::new(&[
        "Q1, nothing kept, 50 connections",
        "requests/s",
        "CPU µs a request",
        "anchor µs",
        "upstream requests a query",
        "core busy",
    ]);
    let identical = || vec![Request::post(PATH, &Q1.identical())];
    let different = || (0..50).map(|number| Request::post(PATH, &Q1.born_since(number))).collect::<Vec<_>>();
    let rows: [(&str, Vec<Request>, bool, &str); 3] = [
        ("gateway, identical, joined in flight", identical(), true, "73"),
        ("gateway, 50 different", different(), true, "2,270"),
        (
            "stock async-graphql + loaders, identical",
            vec![Request::post(PATH, &Query::stock(&Q1))],
            false,
            "2,270–3,932",
        ),
    ];
    for (name, requests, is_gateway, anchor) in rows {
        progress(&format!("cold, sustained, {name}"));
        let server = if is_gateway {
            servers::gateway(&upstreams, COLD).await?
        } else {
            servers::stock(&upstreams, false).await?
        };
        let load = Load { is_uniform: requests.len() == 1, requests, connections: CONNECTIONS };
        load.run(&server, Until::Elapsed(bench.time / 4)).await?;
        upstreams.take_log();
        let outcome = load.run(&server, Until::Elapsed(bench.time)).await?;
        let requests = f64::from(upstreams.count()) / f64::from(outcome.answers.max(1));
        table.row([
            name.to_owned(),
            number(outcome.per_second()),
            number(outcome.processor_us()),
            anchor.to_owned(),
            number(requests),
            percent(outcome.busy()),
        ]);
    }
    bench.report.table("sustained", "Cold, a load that goes on, upstream latency 0", &table)
}
