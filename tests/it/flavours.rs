//! The real program over real sockets, configured by its environment alone, in each flavour of its upstreams.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStderr, Command, Output, Stdio},
    time::Duration,
};

use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};
use subject_gateway::sandbox::{
    BRAINSTEM_TOKEN, COMPANY_ID, HAUT_AI_PASSWORD, HAUT_AI_TOKEN, HAUT_AI_USERNAME, SUBJECT_WITH_130_PROCEDURES,
};

use crate::util::{Builder, TestApp};

/// A running program; killed with the test.
struct Running {
    child: Child,
    /// Kept open: a program must not die of its log.
    log: Option<BufReader<ChildStderr>>,
}

impl Running {
    fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = program(arguments, variables);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, log: None }
    }

    /// SIGTERM: it ends of itself, and well.
    fn terminate(mut self) {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject-gateway"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// `sandbox --upstreams-only`: the program and where its upstreams listen.
fn upstreams(arguments: &[&str]) -> (Running, String, String) {
    let mut running = Running::start(&[&["sandbox", "--upstreams-only"], arguments].concat(), &[]);
    let mut lines = BufReader::new(running.child.stdout.take().unwrap()).lines();
    let mut address = |variable: &str| {
        let prefix = format!("export {variable}=");
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(&prefix)).unwrap();
        line[prefix.len()..].to_owned()
    };
    let (haut_ai, brainstem) = (address("HAUT_AI_URL"), address("BRAINSTEM_URL"));
    lines.by_ref().map(Result::unwrap).find(|line| line.contains("Ctrl-C")).unwrap();
    (running, haut_ai, brainstem)
}

/// A running `serve` and its address.
struct Serving(Running, String);

impl Serving {
    fn start(variables: &[(&str, &str)]) -> Self {
        let fixed = [("GATEWAY_LISTEN", "127.0.0.1:0"), ("GATEWAY_LOG_FORMAT", "json")];
        let mut running = Running::start(&["serve"], &[&fixed, variables].concat());
        let mut log = BufReader::new(running.child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the log ended before an address");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        running.log = Some(log);
        Self(running, address)
    }

    async fn query(&self, query: &str) -> Value {
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30));
        let request = client.build().unwrap().post(format!("http://{}/graphql", self.1));
        let request = request.header("content-type", "application/json").body(json!({"query": query}).to_string());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
    }
}

fn check(variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = program(&["check"], variables).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

/// What every flavour is asked: lists, relations, look-ups, totals, the dictionary.
fn queries() -> [String; 3] {
    [
        "{ people: subjects(first: 100, filter: {sources: [HAUT_AI]}) { totalCount nodes { id sourceId name sex \
            biologicalSex { id name } birthDate metadata createdAt dataset { id name } company { name } } \
            pageInfo { hasNextPage endCursor } } datasets { id name } biologicalSexes { id name sex } }"
            .to_owned(),
        "{ animals: subjects(first: 40, filter: {sources: [BRAINSTEM]}) { totalCount nodes { id sourceId name sex status \
            birthDate metadata projects { id name } procedures(first: 3) { totalCount nodes { id type } } \
            logs { totalCount } licenses { name } supplier { name } breeding { mother { name } } \
            strain { name species { name } } brainStem { supplierText stateChanges { totalCount } } } \
            pageInfo { hasNextPage endCursor } } projects { totalCount nodes { name tags } } strains { totalCount } }"
            .to_owned(),
        format!(
            "{{ subjects(first: 3) {{ totalCount nodes {{ id source }} }} \
             animal: subject(by: {{brainStem: \"{SUBJECT_WITH_130_PROCEDURES}\"}}) {{ id name procedureIds }} \
             person: subject(by: {{hautAi: {{subjectId: \"{COMPANY_ID}\"}}}}) {{ id name }} \
             named: subject(by: {{brainStemName: \"subject2\"}}) {{ id tags }} }}"
        ),
    ]
}

/// The program answers as the service in process does over the same records.
async fn same(variables: &[(&str, &str)], in_process: Builder) {
    let serving = Serving::start(variables);
    let app = in_process.build().await;
    for query in queries() {
        let (got, expected) = (serving.query(&query).await, app.query(&query).await);
        assert!(got.get("errors").is_none(), "{variables:?}: {:#}", got["errors"]);
        assert!(got == expected.0, "{variables:?}\n{got:#}\n{:#}", expected.0);
    }
    serving.0.terminate();
}

#[tokio::test]
#[cfg(unix)]
async fn every_flavour_answers_the_same() {
    let (sandbox, haut_ai, brainstem) = upstreams(&["--haut-ai-port", "0", "--brainstem-port", "0"]);
    let token =
        [("HAUT_AI_URL", haut_ai.as_str()), ("HAUT_AI_TOKEN", HAUT_AI_TOKEN), ("HAUT_AI_COMPANY_ID", COMPANY_ID)];
    let login =
        [("HAUT_AI_URL", &*haut_ai), ("HAUT_AI_USERNAME", HAUT_AI_USERNAME), ("HAUT_AI_PASSWORD", HAUT_AI_PASSWORD)];
    let private = [("BRAINSTEM_URL", brainstem.as_str()), ("BRAINSTEM_TOKEN", BRAINSTEM_TOKEN)];
    let public = [("BRAINSTEM_URL", &*brainstem), ("BRAINSTEM_PORTAL", "public")];
    let both = || TestApp::builder();
    same(&[&token[..], &private].concat(), both()).await;
    // A login sees what the token sees.
    same(&[&login[..], &private].concat(), both()).await;
    same(&[&token[..], &public].concat(), both().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public")).await;
    same(&public, both().without_haut_ai().unset("BRAINSTEM_TOKEN").set("BRAINSTEM_PORTAL", "public")).await;
    same(&token, both().without_brainstem()).await;
    same(&private, both().without_haut_ai()).await;

    let (code, printed) = check(&[&token[..], &private].concat());
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("Haut.AI") && printed.contains("3 datasets"), "{printed}");
    assert!(printed.contains("BrainSTEM") && printed.contains("300 subjects"), "{printed}");
    assert!(!printed.contains(HAUT_AI_TOKEN) && !printed.contains(BRAINSTEM_TOKEN), "{printed}");
    assert_eq!(check(&[&login[..], &public].concat()).0, Some(0));
    let (code, printed) =
        check(&[&token[..], &[("BRAINSTEM_URL", &*brainstem), ("BRAINSTEM_TOKEN", "wrong")]].concat());
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("Haut.AI") && line.contains(" ok ")), "{printed}");
    assert!(printed.lines().any(|line| line.starts_with("BrainSTEM") && line.contains(" failed ")), "{printed}");

    sandbox.terminate();
    let (code, printed) = check(&[&token[..], &private].concat());
    assert_eq!(code, Some(1));
    assert_eq!(printed.lines().filter(|line| line.contains(" failed ")).count(), 2, "{printed}");
}

#[tokio::test]
#[cfg(unix)]
async fn an_older_server_answers_the_same() {
    let arguments = ["--haut-ai-port", "0", "--brainstem-port", "0", "--brainstem-generation", "legacy"];
    let (mut sandbox, haut_ai, brainstem) = upstreams(&arguments);
    let token =
        [("HAUT_AI_URL", haut_ai.as_str()), ("HAUT_AI_TOKEN", HAUT_AI_TOKEN), ("HAUT_AI_COMPANY_ID", COMPANY_ID)];
    let url = ("BRAINSTEM_URL", brainstem.as_str());
    let legacy = [url, ("BRAINSTEM_GENERATION", "legacy"), ("BRAINSTEM_AUTH_SCHEME", "Token")];
    let private = [&legacy[..], &[("BRAINSTEM_TOKEN", BRAINSTEM_TOKEN)]].concat();
    same(&[&token[..], &private].concat(), TestApp::builder().legacy()).await;
    same(&private, TestApp::builder().legacy().without_haut_ai()).await;
    let in_super = [&private[..], &[("BRAINSTEM_PORTAL", "super")]].concat();
    same(&in_super, TestApp::builder().legacy().without_haut_ai()).await;
    let public = [&legacy[..], &[("BRAINSTEM_PORTAL", "public")]].concat();
    let in_process = TestApp::builder().legacy().without_haut_ai().unset("BRAINSTEM_TOKEN");
    same(&public, in_process.set("BRAINSTEM_PORTAL", "public")).await;
    let (code, printed) = check(&private);
    assert!(code == Some(0) && !printed.contains("Haut.AI"), "{printed}");

    let mut log = sandbox.child.stderr.take().unwrap();
    sandbox.terminate();
    let mut words = String::new();
    log.read_to_string(&mut words).unwrap();
    assert_eq!(words, "");
}
