//! What must stay inside: secrets, and what records and callers say of people, in all that the process writes and in every error.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use subject_gateway::{
    access::{Scope, keys::NewKey},
    sandbox::{self, Fault, FaultKind, HAUT_AI_PASSWORD, HAUT_AI_USERNAME, Options, Records, Sandbox},
};
use tempfile::NamedTempFile;

use crate::process::{Serving, run};

/// What callers send of people, in every place where there is room for it.
const PLANTED: [&str; 4] = ["Planted Person", "planted@example.org", "1987-06-05", "PLANTED-TAG-77"];

/// Names, dates and the like of all that the upstreams know.
pub(crate) fn personal(sandbox: &Sandbox) -> BTreeSet<String> {
    let people = sandbox.haut_ai().records("subjects");
    let animals = sandbox.brainstem().records("subjects");
    let fields = ["name", "birth_date", "death_date", "subject_identifier", "genotype", "email"];
    let of = |record: &Value| fields.map(|field| record[field].as_str().unwrap_or_default().to_owned());
    let all: BTreeSet<String> = people
        .iter()
        .chain(&animals)
        .flat_map(of)
        .filter(|text| text.len() > 6 && text != sandbox::COMPANY_ID)
        .collect();
    assert!(all.len() > 50, "{all:?}");
    all
}

fn post(serving: &Serving, headers: &str, body: &str) -> String {
    serving.exchange(&format!("POST /graphql HTTP/1.1{headers}"), body)
}

/// The errors of an answer, or all of one that has no data.
fn errors(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    match serde_json::from_str::<Value>(body) {
        Ok(answer) if answer["data"].is_object() => answer["errors"].to_string(),
        _ => body.to_owned(),
    }
}

#[test]
fn nothing_that_the_process_writes_holds_a_secret_or_a_person() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = Options { records: Records::Full, ..Options::default() };
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    let personal = personal(&sandbox);
    let key = NewKey::make("tester", &Scope::ALL).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &key.entry).unwrap();
    let variables = [
        ("GATEWAY_LOG_LEVEL", "trace"),
        ("GATEWAY_DRAIN_MS", "0"),
        ("GATEWAY_AUTH", "api-key"),
        ("API_KEYS_FILE", file.path().to_str().unwrap()),
        ("HAUT_AI_URL", sandbox.haut_ai().url()),
        ("HAUT_AI_USERNAME", HAUT_AI_USERNAME),
        ("HAUT_AI_PASSWORD", HAUT_AI_PASSWORD),
        ("BRAINSTEM_URL", sandbox.brainstem().url()),
        ("BRAINSTEM_PORTAL", "private"),
        ("BRAINSTEM_TOKEN", sandbox::BRAINSTEM_TOKEN),
        ("BRAINSTEM_TIMEOUT_MS", "300"),
        ("LIMITS_UPSTREAM_FAILURE_MINIMUM", "1000"),
    ];
    let mut serving = Serving::start_with(&variables);
    let log = serving.rest_of_the_log();
    let mut told = String::new();
    let header = format!("\r\nx-api-key: {}\r\ncookie: session={}", key.key, PLANTED[1]);
    let mut ask = |body: &str| told += &errors(&post(&serving, &header, body));

    let [name, mail, date, tag] = PLANTED;
    let queries = [
        json!({"query": "{ subjects(first: 100) { nodes { name birthDate identifier tags metadata projects { name } } } }"}),
        json!({"query": "query($s: String) { subjects(filter: {search: $s}) { totalCount nodes { name } } }", "variables": {"s": name}}),
        json!({"query": "query($f: SubjectFilter) { subjects(filter: $f) { nodes { name } } }",
               "variables": {"f": {"name": {"in": [name, mail]}, "birthDate": {"from": date}, "tag": tag}}}),
        json!({"query": "query($f: SubjectFilter) { subjects(filter: $f) { nodes { name } } }", "variables": {"f": {"nope": name}}}),
        json!({"query": "query($n: Int) { subjects(first: $n) { nodes { name } } }", "variables": {"n": mail}}),
        json!({"query": format!("{{ subject(by: {{brainStemName: \"{name}\"}}) {{ name }} }}")}),
        json!({"query": format!("{{ subjects(after: \"{name}\") {{ nodes {{ name }} }} node(id: \"{mail}\") {{ id }} }}")}),
        json!({"query": "mutation($i: SubjectCreateInput!) { subjectCreate(input: $i) { subject { name } userErrors { message } } }",
               "variables": {"i": {"brainStem": {"name": name, "projectIds": [], "birthDate": date, "tags": [tag], "metadata": {"mail": mail}}}}}),
        json!({"query": "{ __typename }", "operationName": name}),
        json!({"query": "{ __typename }", "extensions": {"persistedQuery": {"version": 1, "sha256Hash": mail}}}),
        json!({"query": "{ __typename }", "documentId": mail}),
    ];
    for query in &queries {
        ask(&query.to_string());
    }
    ask(&format!("{{\"query\": {name}"));
    let body = json!({"detail": format!("{name} {mail}"), "name": [format!("{date} {tag}")]}).to_string();
    let faults = [
        FaultKind::Status(400, body.clone(), Vec::new()),
        FaultKind::Status(401, body.clone(), Vec::new()),
        FaultKind::Status(404, body.clone(), Vec::new()),
        FaultKind::Status(429, body.clone(), vec![("retry-after".to_owned(), mail.to_owned())]),
        FaultKind::Status(500, body.clone(), Vec::new()),
        FaultKind::Status(302, String::new(), vec![("location".to_owned(), format!("http://127.0.0.1:9/{mail}"))]),
        FaultKind::Status(200, format!("[{body}"), Vec::new()),
        FaultKind::Html(503),
    ];
    for (number, what) in faults.into_iter().enumerate() {
        for upstream in [sandbox.haut_ai(), sandbox.brainstem()] {
            upstream.set_knobs(|knobs| knobs.faults = vec![Fault::new(what.clone())]);
        }
        for query in &queries[..8] {
            // Not what is kept.
            ask(&query.to_string().replace("nodes {", &format!("nodes {{ n{number}: name ")));
        }
    }
    for upstream in [sandbox.haut_ai(), sandbox.brainstem()] {
        upstream.set_knobs(|knobs| {
            knobs.faults.clear();
            knobs.latency = Duration::from_millis(500);
        });
    }
    ask(&json!({"query": "{ projects(first: 7) { nodes { name } } }"}).to_string());
    for (path, headers) in [
        (format!("/people/{mail}?name={name}").replace(' ', "+"), String::new()),
        (format!("/graphql?query={{__typename}}&variables={mail}"), header.clone()),
        ("/graphql".to_owned(), format!("\r\nx-api-key: {mail}")),
        ("/graphql".to_owned(), format!("\r\nauthorization: Bearer {mail}\r\nx-request-id: {name}")),
        (format!("/graphql/stream?query={{sources{{source}}}}&operationName={mail}"), header.clone()),
        ("/metrics".to_owned(), header.clone()),
    ] {
        told += &serving.exchange(&format!("GET {path} HTTP/1.1{headers}\r\naccept: */*"), "");
    }
    let checked = run(&["check"], &variables);
    serving.terminate();
    let log = log.join().unwrap();
    assert!(log.contains("a read failed") && log.contains("answered") && log.lines().count() > 100, "{log}");

    let secrets = [sandbox::BRAINSTEM_TOKEN, HAUT_AI_PASSWORD, HAUT_AI_USERNAME, key.key.as_str()];
    let hidden = secrets.into_iter().chain(PLANTED).chain(personal.iter().map(String::as_str));
    for hidden in hidden.collect::<Vec<_>>() {
        let escaped = hidden.replace(' ', "+");
        for (place, text) in [("the log", &log), ("check", &checked.1), ("check", &checked.2), ("an error", &told)] {
            let line = text.lines().find(|line| line.contains(hidden) || line.contains(&escaped));
            assert_eq!(line, None, "{place} holds {hidden}");
        }
    }
}
