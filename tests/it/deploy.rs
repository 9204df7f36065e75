//! What is in `deploy/` to run the gateway by: each name in it is one of the program's, the parts fit each other, and what can check such
//! files does, where it is installed.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use regex::Regex;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use subject_gateway::config::{
    Config,
    keys::{KEYS, Key, Section},
};
use tempfile::TempDir;

use crate::{http::fetch, process::run, replicas::fleet::KEY, util::TestApp};

const UNIT: &str = "systemd/subject-gateway.service";

/// The most that `systemd-analyze security` may find, in tenths of its points: 0 is the best of 100.
const EXPOSURE: &str = "--threshold=15";

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The files of a directory, by name.
fn files_of(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(path(directory)).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().map(|name| format!("{directory}/{name}")).collect()
}

/// With what is only there as a comment, to be taken in.
fn with_options(text: &str) -> String {
    Regex::new(r"(?m)^( +)# (- |  +)").unwrap().replace_all(text, "$1$2").into_owned()
}

fn manifests() -> Vec<(String, Value)> {
    files_of("kubernetes")
        .into_iter()
        .map(|name| (name.clone(), serde_saphyr::from_str(&with_options(&text(&name))).unwrap()))
        .collect()
}

fn manifest(kind: &str) -> Value {
    manifests().into_iter().find(|(_, manifest)| manifest["kind"] == kind).unwrap().1
}

/// The configuration that the `ConfigMap` holds, with the secrets that the Deployment brings.
fn configuration() -> Config {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("gateway.toml");
    fs::write(&file, manifest("ConfigMap")["data"]["gateway.toml"].as_str().unwrap()).unwrap();
    let [secret, key] = ["made-up", KEY].map(|text| {
        let file = directory.path().join(text);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let environment = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let variables = environment.as_array().unwrap().iter().map(|variable| {
        let name = variable["name"].as_str().unwrap();
        let value = match name {
            "GATEWAY_CONFIG" => file.to_str().unwrap(),
            "REDIS_ENCRYPTION_KEY_FILE" => &key,
            _ if name.ends_with("_FILE") => &secret,
            _ => variable["value"].as_str().unwrap(),
        };
        (name, value)
    });
    Config::from_variables(variables).unwrap()
}

fn seconds(time: Duration) -> u64 {
    time.as_secs() + 1
}

#[test]
fn every_variable_in_it_is_one_of_the_gateways() {
    let known: Vec<String> = KEYS.iter().map(Key::variable).chain(["GATEWAY_CONFIG".to_owned()]).collect();
    let sections = Section::ALL.map(|section| section.name().to_uppercase()).join("|");
    let names = Regex::new(&format!(r"\b({sections})_[A-Z0-9_]+\b")).unwrap();
    let mut seen = 0;
    for file in ["systemd", "docker", "kubernetes"].into_iter().flat_map(files_of) {
        for name in names.find_iter(&text(&file)).map(|found| found.as_str().to_owned()) {
            assert!(known.contains(&name), "{file}: {name}");
            seen += 1;
        }
    }
    assert!(seen > 10);
}

#[test]
fn every_command_and_flag_in_it_is_there() {
    let calls =
        Regex::new(r#"subject-gateway"?,? +"?(serve|check|sandbox|schema|key|health|completions)\b([^;\n]*)"#).unwrap();
    let flags = Regex::new(r"--[a-z][a-z-]+").unwrap();
    let mut seen = 0;
    for file in ["systemd", "docker", "kubernetes"].into_iter().flat_map(files_of) {
        for call in calls.captures_iter(&text(&file)) {
            let (code, help, _) = run(&[&call[1], "--help"], &[]);
            assert_eq!(code, Some(0));
            for flag in flags.find_iter(&call[2]) {
                assert!(help.contains(flag.as_str()), "{file}: {} {}", &call[1], flag.as_str());
            }
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[tokio::test]
async fn the_manifests_fit_the_gateway_and_each_other() {
    let config = configuration();
    let pod = manifest("Deployment")["spec"]["template"].clone();
    let container = &pod["spec"]["containers"][0];
    assert_eq!(run(&[container["args"][0].as_str().unwrap(), "--help"], &[]).0, Some(0));
    let port = &container["ports"][0];
    assert_eq!(port["containerPort"], config.gateway.listen.port());
    let app = TestApp::builder().empty().build().await;
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let asks = &container[probe]["httpGet"];
        assert_eq!(asks["port"], port["name"], "{probe}");
        assert_eq!(fetch(&app.app, asks["path"].as_str().unwrap()).await.status, 200, "{probe}");
    }
    let end = seconds(config.gateway.drain) + seconds(config.gateway.shutdown);
    assert!(pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap() > end);
    let probes = container["readinessProbe"]["periodSeconds"].as_u64().unwrap();
    assert!(seconds(config.gateway.drain) > probes * container["readinessProbe"]["failureThreshold"].as_u64().unwrap());

    let labels = &pod["metadata"]["labels"];
    for (name, manifest) in manifests() {
        let spec = &manifest["spec"];
        for selector in [&spec["selector"]["matchLabels"], &spec["podSelector"]["matchLabels"]] {
            assert!(selector.is_null() || selector == labels, "{name}");
        }
    }
    assert_eq!(manifest("Service")["spec"]["selector"], *labels);
    assert_eq!(manifest("Service")["spec"]["ports"][0]["targetPort"], port["name"]);
    assert_eq!(manifest("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"], port["containerPort"]);
    assert_eq!(
        manifest("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"],
        manifest("Deployment")["metadata"]["name"]
    );

    // Each volume and each file within them is there.
    let mounts: Vec<&str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| mount["mountPath"].as_str().unwrap())
        .collect();
    let made = text("kubernetes/kustomization.yaml");
    for variable in container["env"].as_array().unwrap() {
        let (name, path) = (variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        if name.ends_with("_FILE") || name == "GATEWAY_CONFIG" {
            assert!(mounts.iter().any(|mount| path.starts_with(mount)), "{path}");
        }
        if let Some(secret) = path.strip_prefix("/run/secrets/subject-gateway/") {
            assert!(made.contains(&format!("--from-file={secret}")), "{secret}");
        }
    }
    // The way to Redis is open.
    let redis = config.redis.as_ref().unwrap();
    let url = url::Url::parse(redis.urls[0].expose_secret()).unwrap();
    let egress = &manifest("NetworkPolicy")["spec"]["egress"];
    let ports = egress.as_array().unwrap().iter().flat_map(|rule| rule["ports"].as_array().unwrap());
    assert!(ports.clone().any(|port| port["port"] == url.port().unwrap()), "{egress}");
    let security = &container["securityContext"];
    assert_eq!(
        (&security["readOnlyRootFilesystem"], &security["allowPrivilegeEscalation"]),
        (&json!(true), &json!(false))
    );
    // What is applied together is there.
    for resource in manifest("Kustomization")["resources"].as_array().unwrap() {
        assert!(path("kubernetes").join(resource.as_str().unwrap()).exists(), "{resource}");
    }
}

#[test]
fn the_image_listens_where_it_says() {
    let text = text("docker/Dockerfile");
    let port = Regex::new(r"(?m)^EXPOSE (\d+)$").unwrap().captures(&text).unwrap()[1].to_owned();
    assert!(text.contains(&format!("GATEWAY_LISTEN=0.0.0.0:{port}")));
    assert!(text.contains("USER 65532:65532"));
    // What the build needs is not kept from it.
    let ignored = self::text("docker/Dockerfile.dockerignore");
    for needed in ["Cargo.toml", "Cargo.lock", "build.rs", "src", "playground"] {
        assert!(ignored.lines().any(|line| line == format!("!{needed}")), "{needed}");
    }
}

/// The unit's value of a setting.
fn set(unit: &str, name: &str) -> String {
    let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    line.unwrap_or_else(|| panic!("{name}")).to_owned()
}

#[test]
fn the_unit_gives_the_gateway_its_time_and_files() {
    let unit = text(UNIT).replace("\n# LoadCredential=", "\nLoadCredential=");
    let config = Config::from_variables([("BRAINSTEM_PORTAL", "public")]).unwrap();
    let time: u64 = set(&unit, "TimeoutStopSec").parse().unwrap();
    assert!(time > seconds(config.gateway.drain) + seconds(config.gateway.shutdown));
    assert_eq!(set(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    let limits = &config.limits;
    let files: usize = set(&unit, "LimitNOFILE").parse().unwrap();
    assert!(files > limits.sockets + limits.connections + 2 * limits.upstream.concurrency);
    // Each secret that is handed over is one that the gateway reads.
    let credentials: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential=")).collect();
    assert!(credentials.iter().any(|credential| credential.starts_with("redis-encryption-key:")));
    for credential in credentials {
        let (name, _) = credential.split_once(':').unwrap();
        assert!(unit.contains(&format!("_FILE=%d/{name}")), "{name}");
    }
}

/// Runs a tool that may not be there.
fn try_tool(name: &str, arguments: &[&str]) {
    match Command::new(name).args(arguments).output() {
        Ok(output) => {
            let told = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&told));
        }
        Err(error) => eprintln!("skipped: {name} can't be run: {error}"),
    }
}

#[test]
fn systemd_finds_the_unit_sound_and_safe() {
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("subject-gateway.service");
    // It looks whether the program is there.
    fs::write(&copy, text(UNIT).replace("/usr/local/bin/subject-gateway", env!("CARGO_BIN_EXE_subject-gateway")))
        .unwrap();
    let copy = copy.to_str().unwrap();
    try_tool("systemd-analyze", &["verify", copy]);
    try_tool("systemd-analyze", &["security", "--offline=true", "--no-pager", EXPOSURE, copy]);
}

#[test]
fn linters_find_nothing() {
    try_tool("hadolint", &[path("docker/Dockerfile").to_str().unwrap()]);
    // It has no schema for what is kubectl's own.
    let files = files_of("kubernetes").into_iter().filter(|name| !name.ends_with("kustomization.yaml"));
    let files: Vec<String> = files.map(|name| path(&name).to_str().unwrap().to_owned()).collect();
    let arguments = ["-k", "1.30", "--strict", "--quiet"].into_iter().chain(files.iter().map(String::as_str));
    try_tool("kubernetes-validate", &arguments.collect::<Vec<_>>());
}
