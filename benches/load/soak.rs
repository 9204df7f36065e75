//! Memory while nothing is asked twice: a day's worth of documents, variables and registered queries, each another one. With the
//! cache as it is by default.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    Bench,
    client::Connection,
    generator::{Load, Until, first_number},
    queries::{NUMBER, Request},
    report::{Table, number, progress},
    servers::{self, DEFAULT},
    units::mib,
    upstreams::Upstreams,
    warm::PATH,
};

const ROUNDS: u32 = 10;
const CONNECTIONS: usize = 20;
/// Requests of each connection in a round.
const EACH: u32 = 475;
/// Queries that a round registers by their hashes.
const REGISTERED: u32 = 500;

/// Another document each time.
fn documents() -> Value {
    json!({"query": format!("query {{ n{NUMBER}: subjects(first: 5, filter: {{sources: [BRAINSTEM]}}) {{ nodes {{ id name }} }} }}")})
}

/// Another list of the source each time.
fn variables() -> Value {
    let query = "query($name: String) { subjects(first: 5, filter: {sources: [BRAINSTEM], name: {contains: $name}}) { nodes { id } } }";
    json!({ "query": query, "variables": { "name": NUMBER } })
}

/// A query that is registered by its hash.
fn registered(number: u32) -> Value {
    let query = format!("query {{ r{number}: __typename }}");
    let hash: [u8; 32] = Sha256::digest(&query).into();
    let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    json!({ "query": query, "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } })
}

pub(crate) async fn measure(bench: &Bench) -> anyhow::Result<()> {
    let upstreams = Upstreams::start().await?;
    let server = servers::gateway(&upstreams, DEFAULT).await?;
    let mut table = Table::new(&["nothing twice, 20 connections", "requests so far", "RSS MiB"]);
    table.row(["at the start".into(), "0".into(), mib(server.resident_kib())]);
    let mut answers = 0;
    let each = if bench.is_quick { EACH / 10 } else { EACH };
    for round in 1..=ROUNDS {
        progress(&format!("soak, round {round} of {ROUNDS}"));
        let requests = vec![Request::post(PATH, &documents()), Request::post(PATH, &variables())];
        let load = Load { requests, connections: CONNECTIONS, is_uniform: false };
        answers += load.run(&server, Until::Sent(each)).await?.answers;
        let mut connection = Connection::open(server.address).await?;
        let first = first_number();
        for registered in (first..).take(REGISTERED as usize).map(registered) {
            connection.exchange(Request::post(PATH, &registered).numbered(0)).await?;
            answers += 1;
        }
        upstreams.take_log();
        table.row([format!("after round {round}"), number(f64::from(answers)), mib(server.resident_kib())]);
    }
    bench.report.table("soak", "Memory while nothing is asked twice", &table)
}
