//! The fuzz targets for a moment: their seeds as they are, and changed at random. `cargo fuzz` goes on for as long as it is let.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::{fs, path::Path};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use subject_gateway::http::playground::QUERIES;

/// For documents, those of the playground, too.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    let mut seeds: Vec<_> = paths.into_iter().map(|path| fs::read(path).unwrap()).collect();
    if target == "document" {
        seeds.extend(QUERIES.map(|query| query.as_bytes().to_vec()));
    }
    seeds
}

/// A change of a text: some bytes are taken out, and others put in their place.
#[derive(Clone, Debug)]
struct Change {
    at: prop::sample::Index,
    takes: usize,
    puts: Vec<u8>,
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "\"",
            "\\",
            ":",
            ",",
            "$",
            "@",
            "!",
            "...",
            "null",
            "-1",
            "1e999",
            "\\u0000",
            "\u{feff}",
            "\u{202e}",
            "__typename",
            "fragment F on Subject{...F}",
            "99999999999999999999",
        ])
        .prop_map(|word| word.as_bytes().to_vec()),
    ];
    (any::<prop::sample::Index>(), 0..20_usize, word).prop_map(|(at, takes, puts)| Change { at, takes, puts })
}

fn run(target: &str, cases: u32, check: fn(&[u8])) {
    let seeds = seeds(target);
    for seed in &seeds {
        check(seed);
    }
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let changed = (prop::sample::select(seeds), prop::collection::vec(change(), 1..4));
    let outcome = runner.run(&changed, |(mut seed, changes)| {
        for Change { at, takes, puts } in changes {
            let at = at.index(seed.len() + 1);
            let end = (at + takes).min(seed.len());
            seed.splice(at..end, puts);
        }
        std::panic::catch_unwind(|| check(&seed))
            .map_err(|_| TestCaseError::fail(format!("{:?}", String::from_utf8_lossy(&seed))))
    });
    outcome.unwrap();
}

#[test]
fn ids() {
    run("ids", 5_000, targets::ids);
}

#[test]
fn cursors() {
    run("cursors", 5_000, targets::cursors);
}

#[test]
fn wire() {
    run("wire", 3_000, targets::wire);
}

#[test]
fn body() {
    run("body", 500, targets::body);
}

#[test]
fn document() {
    run("document", 500, targets::document);
}
