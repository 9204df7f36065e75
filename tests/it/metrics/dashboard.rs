//! What `deploy/` has for Prometheus and Grafana: that it can be read, and asks for nothing that is not exported.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::Command,
};

use regex::Regex;
use serde_json::{Value, json};

use super::{CHANGES, LIST, named, post, told};
use crate::{events::socket::Gateway, replicas::fleet::Fleet, util::TestApp};

const DASHBOARD: &str = include_str!("../../../deploy/grafana/dashboard.json");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// What every panel draws, by its title.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            all.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    all
}

/// What every alert is about, by its name, and where it sends whoever it wakes.
fn alerts() -> Vec<(String, String, String)> {
    let rules: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"]), text(&rule["annotations"]["runbook"]))).collect()
}

fn expressions() -> Vec<(String, String)> {
    alerts().into_iter().map(|(name, expression, _)| (name, expression)).chain(panels()).collect()
}

/// The labels of each metric that is told of.
fn exported(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let label = Regex::new(r#"(\w+)="(?:[^"\\]|\\.)*""#).unwrap();
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let labels = label.captures_iter(line).map(|found| found[1].to_owned());
        all.entry(name.to_owned()).or_default().extend(labels);
    }
    all
}

/// What gateways tell of that did a little of everything, one by itself and one with Redis.
async fn after_a_little_load() -> String {
    let gateway = Gateway::of(TestApp::builder()).await;
    let app = &gateway.app.app;
    for query in [LIST, LIST, "{", "{ node(id: \"x\") { id } }"] {
        post(app, &json!({ "query": query })).await;
    }
    post(app, &named("List")).await;
    let mut socket = gateway.socket().await;
    socket.subscribe("1", CHANGES, json!({})).await;
    socket.settle().await;
    let fleet = Fleet::of(1).await;
    fleet.replicas[0].query(LIST).await;
    told(app).await + &told(&fleet.replicas[0].app).await
}

#[tokio::test]
async fn every_metric_and_label_that_they_name_is_exported() {
    let exported = exported(&after_a_little_load().await);
    let metric = Regex::new(r"\b(subject_gateway_\w+|process_\w+)(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"(\w+)\s*(?:=|!=|=~|!~)\s*""#).unwrap();
    let mut seen = 0;
    for (name, expression) in expressions() {
        for found in metric.captures_iter(&expression) {
            let labels = exported.get(&found[1]).unwrap_or_else(|| panic!("{name}: no {} is exported", &found[1]));
            let selector = found.get(2).map_or("", |selector| selector.as_str());
            for label in matcher.captures_iter(selector).map(|label| label[1].to_owned()) {
                // Whoever scrapes adds this one.
                assert!(label == "job" || labels.contains(&label), "{name}: {} has no label {label}", &found[1]);
            }
            seen += 1;
        }
    }
    assert!(seen > 75, "{seen}");
}

#[test]
fn every_alert_leads_to_what_is_written_about_it() {
    let heading = |line: &str| line.starts_with('#').then(|| line.trim_start_matches(['#', ' ']).to_lowercase());
    let anchor = |heading: String| heading.replace(' ', "-").replace(['`', '.', ',', '?'], "");
    let anchors: BTreeSet<String> = OPERATIONS.lines().filter_map(heading).map(anchor).collect();
    for (name, _, runbook) in alerts() {
        let anchor = runbook.strip_prefix("docs/operations.md#").unwrap_or_else(|| panic!("{name}: {runbook}"));
        assert!(anchors.contains(anchor), "{name}: {runbook}");
    }
}

#[test]
fn every_expression_is_one() {
    let mut rules = "groups:\n- name: all\n  rules:\n".to_owned();
    for (number, (name, expression)) in expressions().iter().enumerate() {
        let mut open = Vec::new();
        for sign in expression.chars().filter(|sign| "(){}[]".contains(*sign)) {
            match sign {
                '(' => open.push(')'),
                '{' => open.push('}'),
                '[' => open.push(']'),
                _ => assert_eq!(open.pop(), Some(sign), "{name}: {expression}"),
            }
        }
        assert!(open.is_empty(), "{name}: {expression}");
        let expression = expression.replace("$__rate_interval", "1m").replace("$job", "any");
        let expression = serde_json::to_string(&expression).unwrap();
        let _ = write!(rules, "  - record: r{number}\n    expr: {expression}\n");
    }
    // Prometheus' own reader of them, where it is installed.
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), rules).unwrap();
    for path in [file.path().to_str().unwrap(), concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/alerts.yml")] {
        if let Ok(checked) = Command::new("promtool").args(["check", "rules", path]).output() {
            let words = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{path}: {words}");
        }
    }
}
