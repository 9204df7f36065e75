//! Where a Redis may be: behind a password, behind TLS, in a Cluster. And what is said where it is not configured soundly.

use std::process::Command;

use subject_gateway::config::Config;

use super::*;

const OPTIONS: [(&str, &str); 2] = [("BRAINSTEM_PORTAL", "public"), ("REDIS_ENCRYPTION_KEY", fleet::KEY)];

fn faults(variables: &[(&str, &str)]) -> String {
    Config::from_variables(variables.iter().copied()).unwrap_err().to_string()
}

#[test]
fn what_is_shared_is_encrypted_or_nothing_starts() {
    let url = ("REDIS_URL", "redis://user:word@127.0.0.1:6379");
    let without = faults(&[OPTIONS[0], url]);
    assert!(without.contains("REDIS_ENCRYPTION_KEY") && !without.contains("word@"), "{without}");
    let short = faults(&[OPTIONS[0], url, ("REDIS_ENCRYPTION_KEY", "c2hvcnQ=")]);
    assert!(short.contains("32 bytes") && !short.contains("c2hvcnQ="), "{short}");
    let idle = faults(&OPTIONS);
    assert!(idle.contains("REDIS_URL"), "{idle}");
    for wrong in ["127.0.0.1:6379", "http://redis", "redis://", "redis://one, two", "redis://redis?x=secret"] {
        let fault = faults(&[OPTIONS[0], OPTIONS[1], ("REDIS_URL", wrong)]);
        assert!(
            fault.contains("REDIS_URL") && fault.contains("redis://redis:6379") && !fault.contains("secret"),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn behind_a_password() {
    let redis = Redis::start().await;
    let _: () = redis.ask(&["ACL", "SETUSER", "gateway", "on", ">word", "~sg1:*", "~{sg1:*", "+@all"]).await;
    let url = redis.url().replace("redis://", "redis://gateway:word@");
    let fleet = Fleet::over(redis, 2, |builder| builder.set("REDIS_URL", url)).await;
    fleet.replicas[0].query(LIST).await;
    fleet.settled().await;
    fleet.requests();
    fleet.replicas[1].query(LIST).await;
    assert_eq!(fleet.requests(), 0);
    assert!(fleet.replicas[0].app.sources().replicas().unwrap().check().await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_told_to_the_operator_without_it() {
    let redis = Redis::start().await;
    let _: () = redis.ask(&["ACL", "SETUSER", "gateway", "on", ">word", "~*", "+@all"]).await;
    let url = redis.url().replace("redis://", "redis://gateway:wrong@");
    let config = Config::from_variables([OPTIONS[0], OPTIONS[1], ("REDIS_URL", &url)]).unwrap();
    let replica = fleet::Replica::of(&config);
    let why = replica.app.sources().replicas().unwrap().check().await.unwrap_err();
    assert_eq!(why, "it wants another user or password");
    assert_eq!(replica.get("/health/ready").await.0, 200);
}

/// Three nodes of which each has a third of the slots.
#[tokio::test]
async fn in_a_cluster() {
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let nodes = [Redis::with(&options).await, Redis::with(&options).await, Redis::with(&options).await];
    for (number, node) in nodes.iter().enumerate() {
        let first = number * 16_384 / 3;
        let last = (number + 1) * 16_384 / 3 - 1;
        let _: () = node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
        let _: () = node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
        let _: () = nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]).await;
    }
    for node in &nodes {
        fleet::eventually(async || {
            let info: String = node.ask(&["CLUSTER", "INFO"]).await;
            (info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")).then_some(())
        })
        .await;
    }
    let [first, second, third] = nodes;
    let urls = format!("{}, {}", second.url(), third.url());
    let fleet = Fleet::over(first, 2, |builder| builder.set("REDIS_URL", urls).set("LIMITS_RATE", "1000")).await;
    fleet.replicas[0].query(LIST).await;
    fleet.settled().await;
    fleet.requests();
    fleet.replicas[1].query(LIST).await;
    assert_eq!(fleet.requests(), 0);
    fleet.replicas[1].post(&update(ANIMAL, "through a Cluster")).await;
    let is_seen = async || {
        let answer = fleet.replicas[0].query(&subject(ANIMAL)).await;
        (description(&answer) == "through a Cluster").then_some(())
    };
    fleet::eventually(is_seen).await;
    let check = fleet.replicas[0].app.sources().replicas().unwrap().check().await.unwrap();
    assert!(check.contains("Cluster"), "{check}");
}

/// The certificate is trusted by a variable that the real program reads.
#[tokio::test]
async fn behind_tls() {
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = ["certificate", "key"].map(|name| {
        let pem = directory.path().join(format!("{name}.pem"));
        let kind = if name == "key" { "pkey" } else { "x509" };
        let status = Command::new("openssl")
            .args([kind, "-inform", "DER", "-in", &format!("{files}/{name}.der"), "-out"])
            .arg(&pem)
            .status();
        assert!(status.expect("openssl is there; on Debian: apt-get install openssl").success());
        pem.to_str().unwrap().to_owned()
    });
    let port = fleet::free_port().to_string();
    let redis = Redis::with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let check = async |trusted: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subject-gateway"));
        command.args(["check", "--format", "json"]).env_clear();
        command.env("BRAINSTEM_PORTAL", "public").env("BRAINSTEM_URL", "http://127.0.0.1:9");
        command.env("REDIS_URL", &url).env("REDIS_ENCRYPTION_KEY", fleet::KEY);
        if trusted {
            command.env("SSL_CERT_FILE", &certificate);
        }
        let output = command.output().unwrap();
        let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = checks["checks"].as_array().unwrap().clone();
        checks.into_iter().find(|check| check["name"] == "Redis").unwrap()
    };
    assert_eq!(check(true).await["ok"], json!(true), "{}", check(true).await);
    assert_eq!(check(false).await["ok"], json!(false));
    drop(redis);
}
