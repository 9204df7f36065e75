//! How cost grows with what is asked for, with who asks, and with what is kept.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{
    Bench,
    client::Connection,
    generator::{Load, Until, ask},
    plot::{Line, Plot},
    process::Process,
    queries::{Pages, Q1, Request},
    report::{Table, number, progress},
    servers::{self, COLD, WARM},
    units::{mib, millis},
    upstreams::Upstreams,
    warm::CONNECTIONS,
};

const PATH: &str = "/graphql";
const PAGE: u32 = 100;
/// Relations of an animal, where they are not what grows.
const RELATIONS: u32 = 3;
/// A walk is repeated until it has taken so long.
const LONG_ENOUGH: Duration = Duration::from_millis(300);

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<()> {
    subjects(bench).await?;
    relations(bench).await?;
    connections(bench).await?;
    cache(bench).await
}

/// One walk over a list.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    pages: u32,
    elapsed: Duration,
    processor: Duration,
}

/// Reads up to so many pages of a list, one after the other, on one connection; each is another document, so that no
/// answer is had whole.
async fn walk(server: &Process, pages: Pages, most: u32) -> anyhow::Result<Walk> {
    let mut connection = Connection::open(server.address).await?;
    let (processor, began) = (server.processor_time(), Instant::now());
    let (mut after, mut read) = (None::<String>, 0);
    loop {
        let mut request = Request::post(PATH, &pages.body(after.as_deref()));
        let answer = connection.exchange(request.numbered(crate::generator::first_number())).await?;
        read += 1;
        let answer: Value = serde_json::from_slice(answer)?;
        let info = &answer["data"]["subjects"]["pageInfo"];
        let has_next =
            info["hasNextPage"].as_bool().with_context(|| format!("a page has errors: {}", answer["errors"]))?;
        after = info["endCursor"].as_str().map(str::to_owned);
        if !has_next || read == most {
            let processor = server.processor_time().saturating_sub(processor);
            return Ok(Walk { pages: read, elapsed: began.elapsed(), processor });
        }
    }
}

/// The mean of walks that take long enough together.
async fn walks(server: &Process, pages: Pages, most: u32) -> anyhow::Result<Walk> {
    let (mut sum, mut count) = (Walk::default(), 0);
    while sum.elapsed < LONG_ENOUGH {
        let one = walk(server, pages, most).await?;
        count += 1;
        sum = Walk { pages: one.pages, elapsed: sum.elapsed + one.elapsed, processor: sum.processor + one.processor };
    }
    Ok(Walk { elapsed: sum.elapsed / count, processor: sum.processor / count, ..sum })
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

async fn subjects(bench: &Bench) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "subjects, 3 procedures each",
        "pages of 100",
        "cold: upstream requests",
        "cold: ms",
        "cold: CPU µs a subject",
        "warm: ms",
        "warm: CPU µs a subject",
        "RSS MiB",
    ]);
    let (mut cold_line, mut warm_line) = (Line::new("cold"), Line::new("warm, from entities"));
    for count in bench.sizes(&[1, 10, 100, 1_000, 10_000]) {
        progress(&format!("growth, {count} subjects"));
        let upstreams = Upstreams::with_animals(count, RELATIONS).await?;
        let server = servers::gateway(&upstreams, WARM).await?;
        let pages = Pages { first: PAGE, relations: RELATIONS, is_same: false };
        let cold = walk(&server, pages, u32::MAX).await?;
        let requests = upstreams.count();
        let warm = walks(&server, pages, u32::MAX).await?;
        let each = |walk: Walk| micros(walk.processor) / f64::from(count);
        table.row([
            number(f64::from(count)),
            cold.pages.to_string(),
            requests.to_string(),
            millis(cold.elapsed),
            number(each(cold)),
            millis(warm.elapsed),
            number(each(warm)),
            mib(server.resident_kib()),
        ]);
        cold_line.points.push((f64::from(count), micros(cold.processor)));
        warm_line.points.push((f64::from(count), micros(warm.processor)));
    }
    bench.report.table("growth-subjects", "Growth with the number of subjects read", &table)?;
    bench.plot(&Plot {
        file: "subjects",
        title: "CPU of the gateway to read so many subjects",
        x: "subjects, in pages of 100, each with 2 projects and 3 procedures",
        y: "µs of CPU",
        lines: vec![cold_line, warm_line],
    })
}

async fn relations(bench: &Bench) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "procedures each, 100 subjects",
        "answer kB",
        "fixed bytes µs",
        "the same again µs",
        "from entities µs",
        "cold µs",
        "cold: upstream requests",
    ]);
    let mut lines = ["fixed bytes", "the same again", "from entities", "cold"].map(Line::new);
    for count in bench.sizes(&[1, 3, 10, 30, 100]) {
        progress(&format!("growth, {count} relations"));
        let upstreams = Upstreams::with_animals(PAGE, count).await?;
        let cold = servers::gateway(&upstreams, COLD).await?;
        let same = Pages { first: PAGE, relations: PAGE, is_same: true };
        let other = Pages { is_same: false, ..same };
        let cold_load = Load::of(Request::post(PATH, &same.body(None)), 1);
        cold_load.run(&cold, Until::Sent(2)).await?;
        upstreams.take_log();
        let cold = cold_load.run(&cold, Until::Sent(bench.repeats)).await?;
        let requests = f64::from(upstreams.count()) / f64::from(cold.answers);
        let server = servers::gateway(&upstreams, WARM).await?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("page"), ask(&server, Request::post(PATH, &same.body(None))).await?)?;
        let limit = servers::fixed(folder.path()).await?;
        let mut costs = Vec::new();
        let warm = [(&limit, "/page", same), (&server, PATH, same), (&server, PATH, other)];
        for (server, path, pages) in warm {
            let load = Load::of(Request::post(path, &pages.body(None)), CONNECTIONS);
            load.run(server, Until::Elapsed(bench.time / 8)).await?;
            costs.push(load.run(server, Until::Elapsed(bench.time / 2)).await?.processor_us());
        }
        costs.push(cold.processor_us());
        for (line, cost) in lines.iter_mut().zip(&costs) {
            line.points.push((f64::from(count), *cost));
        }
        let length = f64::from(u32::try_from(cold.length)?) / 1e3;
        let cells = [count.to_string(), number(length)].into_iter().chain(costs.into_iter().map(number));
        table.row(cells.chain([number(requests)]));
    }
    bench.report.table("growth-relations", "Growth with the relations of each subject: CPU of a request", &table)?;
    bench.plot(&Plot {
        file: "relations",
        title: "CPU of a request for 100 subjects with so many procedures each",
        x: "procedures of each subject",
        y: "µs of CPU a request",
        lines: lines.into(),
    })
}

async fn connections(bench: &Bench) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "connections, Q1 warm",
        "fixed bytes /s",
        "the same again /s",
        "from entities /s",
        "fixed bytes p99 ms",
        "the same again p99 ms",
        "from entities p99 ms",
        "RSS MiB",
    ]);
    let mut lines = ["fixed bytes", "the same again", "from entities"].map(Line::new);
    let upstreams = Upstreams::start().await?;
    let server = servers::gateway(&upstreams, WARM).await?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("page"), ask(&server, Request::post(PATH, &Q1.identical())).await?)?;
    let limit = servers::fixed(folder.path()).await?;
    for count in bench.sizes(&[1, 10, 50, 100, 300, 1_000]) {
        progress(&format!("growth, {count} connections"));
        let (mut speeds, mut latencies) = (Vec::new(), Vec::new());
        let ways =
            [(&limit, "/page", Q1.identical()), (&server, PATH, Q1.identical()), (&server, PATH, Q1.other_documents())];
        for ((server, path, body), line) in ways.into_iter().zip(&mut lines) {
            let load = Load::of(Request::post(path, &body), usize::try_from(count)?);
            load.run(server, Until::Elapsed(bench.time / 8)).await?;
            let outcome = load.run(server, Until::Elapsed(bench.time / 2)).await?;
            speeds.push(number(outcome.per_second()));
            latencies.push(number(outcome.latency(99).as_secs_f64() * 1e3));
            line.points.push((f64::from(count), outcome.per_second()));
        }
        let cells = [number(f64::from(count))].into_iter().chain(speeds).chain(latencies);
        table.row(cells.chain([mib(server.resident_kib())]));
    }
    bench.report.table("growth-connections", "Growth with the number of connections", &table)?;
    bench.plot(&Plot {
        file: "connections",
        title: "Requests a second for Q1, warm, by the number of connections",
        x: "connections",
        y: "requests a second",
        lines: lines.into(),
    })
}

async fn cache(bench: &Bench) -> anyhow::Result<()> {
    const ANIMALS: u32 = 10_000;
    let mut table = Table::new(&[
        "subjects read so far, cache of 16 MiB",
        "RSS MiB",
        "first page again: CPU µs",
        "all again: CPU µs a subject",
        "all again: upstream requests",
    ]);
    let mut lines = ["first page again", "a page of those read so far"].map(Line::new);
    let upstreams = Upstreams::with_animals(bench.sizes(&[ANIMALS])[0], RELATIONS).await?;
    let server = servers::gateway(&upstreams, &[WARM, &[("CACHE_MAX_BYTES", "16777216")]].concat()).await?;
    let pages = Pages { first: PAGE, relations: RELATIONS, is_same: false };
    for count in bench.sizes(&[1, 10, 25, 50, 100]) {
        progress(&format!("growth, cache after {count} pages"));
        walk(&server, pages, count).await?;
        upstreams.take_log();
        let again = walk(&server, pages, count).await?;
        let requests = upstreams.count();
        let first = walks(&server, pages, 1).await?;
        let read = f64::from(again.pages * PAGE);
        table.row([
            number(read),
            mib(server.resident_kib()),
            number(micros(first.processor)),
            number(micros(again.processor) / read),
            requests.to_string(),
        ]);
        lines[0].points.push((read, micros(first.processor)));
        lines[1].points.push((read, micros(again.processor) / f64::from(again.pages)));
    }
    bench.report.table("growth-cache", "Growth with what is kept", &table)?;
    bench.plot(&Plot {
        file: "cache",
        title: "CPU of a page of 100 subjects while a cache of 16 MiB fills and overflows",
        x: "subjects read so far",
        y: "µs of CPU a page",
        lines: lines.into(),
    })
}
