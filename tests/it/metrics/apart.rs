//! `METRICS_LISTEN`: who may read what there, and until when.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use subject_gateway::config::Config;

use crate::process::Serving;

/// The answer to a GET there.
fn fetch(address: &str, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
#[cfg(unix)]
fn it_is_there_for_whoever_reaches_it_to_the_end() {
    let drain = [("METRICS_LISTEN", "127.0.0.1:0"), ("GATEWAY_DRAIN_MS", "1"), ("GATEWAY_SHUTDOWN_MS", "30000")];
    let mut serving = Serving::start_with(&drain);
    let address = serving.logged("the metrics are served apart")["address"].as_str().unwrap().to_owned();
    let metrics = fetch(&address, "/metrics", "localhost");
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("subject_gateway_build_info"), "{metrics}");
    assert!(fetch(&address, "/health/ready", "any.example").contains("\"ready\""));
    assert!(fetch(&address, "/graphql", "localhost").starts_with("HTTP/1.1 404"));
    // A page that had its own name point here.
    assert!(fetch(&address, "/metrics", "page.example").starts_with("HTTP/1.1 421"));
    let elsewhere = serving.exchange("GET /metrics HTTP/1.1", "");
    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");

    let mut connection = serving.connection_in_flight();
    serving.terminate();
    serving.logged("shutting down");
    while !fetch(&address, "/health/ready", "localhost").contains("\"shutting down\"") {}
    assert!(fetch(&address, "/metrics", "localhost").starts_with("HTTP/1.1 200"));
    connection.write_all(b"{\"query\":\"{ __typename }\"}").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"Query\""), "{answer}");
    serving.logged("stopped");
    assert_eq!(serving.wait(), Some(0));
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn beyond_loopback_it_has_to_be_allowed() {
    let faults = |more: &[(&str, &str)]| {
        let source = [("BRAINSTEM_PORTAL", "public")];
        Config::from_variables(source.iter().chain(more).copied()).map_err(|faults| faults.messages().join("\n"))
    };
    let listen = ("METRICS_LISTEN", "0.0.0.0:9100");
    // Whoever has to say who it is where GraphQL is does not here.
    let error = faults(&[listen]).unwrap_err();
    assert!(error.contains("METRICS_LISTEN") && error.contains("METRICS_ANYWHERE=true"), "{error}");
    let config = faults(&[listen, ("METRICS_ANYWHERE", "true")]).unwrap();
    assert_eq!(config.metrics.listen, Some("0.0.0.0:9100".parse().unwrap()));
    let error = faults(&[("METRICS_OPERATIONS", "List, 2nd")]).unwrap_err();
    assert!(error.contains("METRICS_OPERATIONS") && error.contains("at most 500 names of operations"), "{error}");
    let many: Vec<String> = (0..501).map(|number| format!("N{number}")).collect();
    assert!(faults(&[("METRICS_OPERATIONS", &many.join(","))]).is_err());
}
