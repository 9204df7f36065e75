//! Knobs, faults, the request log, connections and the end of a sandbox.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use subject_gateway::sandbox::{Fault, FaultKind, Options, Records, Sandbox};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::util::{Answer, Caller, start};

const SUBJECTS: &str = "/api/private/stem/subject/";

/// Its answer has few bytes.
const TINY: &str = "/api/private/stem/subject/?limit=1&exclude[]=*&include[]=sex";

async fn with_fault(what: FaultKind) -> (Sandbox, reqwest::Result<Answer>) {
    let sandbox = start().await;
    sandbox.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(what).times(1)]);
    let caller = Caller::brainstem(&sandbox);
    let answer = caller.try_send(Method::GET, TINY, None).await;
    assert_eq!(caller.get(TINY).await.status, 200);
    (sandbox, answer)
}

async fn address(sandbox: &Sandbox) -> TcpStream {
    let address = sandbox.brainstem().url().strip_prefix("http://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

#[tokio::test]
async fn faults_answer_in_place_of_the_upstream() {
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let (_, answer) = with_fault(FaultKind::Status(503, "{\"detail\":\"busy\"}".to_owned(), headers)).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &"7".parse().unwrap()));
    assert_eq!(answer.body, json!({ "detail": "busy" }));

    let (_, answer) = with_fault(FaultKind::Html(502)).await;
    let answer = answer.unwrap();
    assert!(answer.status == 502 && answer.is_html());

    let (_, answer) = with_fault(FaultKind::Redirect("http://127.0.0.1:1/".to_owned())).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"http://127.0.0.1:1/".parse().unwrap()));

    let (_, answer) = with_fault(FaultKind::Malformed).await;
    let answer = answer.unwrap();
    assert!(answer.status == 200 && answer.body.is_null() && !answer.is_html());

    let (_, answer) = with_fault(FaultKind::HugeBody(1_000_000)).await;
    let answer = answer.unwrap();
    assert!(answer.text.len() == 1_000_000 && answer.body.is_object());
    assert!(!answer.headers.contains_key("content-length"));
}

#[tokio::test]
async fn connections_break_before_and_within_an_answer() {
    let (sandbox, answer) = with_fault(FaultKind::Reset).await;
    assert!(answer.unwrap_err().is_request());
    assert_eq!(sandbox.brainstem().log()[0].status, 0);

    let (sandbox, answer) = with_fault(FaultKind::Truncate).await;
    let error = answer.unwrap_err();
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(sandbox.brainstem().log()[0].status, 200);
}

#[tokio::test]
async fn answers_can_be_late_and_slow() {
    let pause = Duration::from_millis(30);
    for fault in [FaultKind::Delay(pause), FaultKind::SlowBytes(Duration::from_micros(1))] {
        let (sandbox, answer) = with_fault(fault).await;
        let intact = Caller::brainstem(&sandbox).get(TINY).await;
        assert_eq!(answer.unwrap().body, intact.body);
    }
    let sandbox = start().await;
    sandbox.brainstem().set_knobs(|knobs| knobs.latency = pause);
    let before = Instant::now();
    assert_eq!(Caller::brainstem(&sandbox).get(SUBJECTS).await.status, 200);
    assert!(before.elapsed() >= pause);
}

#[tokio::test]
async fn a_hanging_request_ends_with_the_sandbox() {
    let sandbox = start().await;
    sandbox.brainstem().set_knobs(|knobs| knobs.faults = vec![Fault::new(FaultKind::Hang)]);
    let mut stream = address(&sandbox).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    while sandbox.brainstem().log().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(sandbox);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn faults_choose_their_requests() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    let gone = || Fault::new(FaultKind::Html(503));
    sandbox.brainstem().set_knobs(|knobs| {
        knobs.faults =
            vec![gone().on_method("patch"), gone().on_path("/project/").times(2), gone().on_query("filter{id.in}")];
    });
    let encoded = format!("{SUBJECTS}?filter%7Bid.in%7D=x");
    for (method, target, statuses) in [
        (Method::PATCH, SUBJECTS, [503, 503, 503]),
        (Method::GET, SUBJECTS, [200, 200, 200]),
        (Method::GET, "/api/private/stem/project/", [503, 503, 200]),
        (Method::GET, &encoded, [503, 503, 503]),
    ] {
        for status in statuses {
            let answer = caller.send(method.clone(), target, None).await;
            assert_eq!(answer.status, status, "{method} {target}");
        }
    }
}

#[tokio::test]
async fn the_log_tells_what_arrived() {
    let sandbox = start().await;
    let caller = Caller::brainstem(&sandbox);
    caller.get(&format!("{SUBJECTS}?filter%7Bsex%7D=F")).await;
    caller.post(SUBJECTS, &json!({ "name": "Å" })).await;
    let log = sandbox.brainstem().take_log();
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].path.as_str(), log[0].query.as_str()), (SUBJECTS, "filter%7Bsex%7D=F"));
    assert_eq!((log[0].method.as_str(), log[0].status), ("GET", 200));
    assert_eq!((log[1].method.as_str(), log[1].status), ("POST", 400));
    assert_eq!(log[1].body, "{\"name\":\"Å\"}".as_bytes());
    assert!(log[0].at <= log[1].at);
    assert!(log[0].authorization.as_ref().unwrap().starts_with("Bearer "));
    assert!(log[0].headers.contains(&("accept".to_owned(), "application/json".to_owned())));
    // Kept alive.
    assert_eq!((log[0].connection, log[1].connection), (1, 1));
    assert!(sandbox.brainstem().log().is_empty() && sandbox.haut_ai().log().is_empty());
}

#[tokio::test]
async fn idle_connections_are_closed_when_a_knob_says_so() {
    let sandbox = start().await;
    sandbox.brainstem().set_knobs(|knobs| {
        knobs.close_idle_after = Some(Duration::from_millis(20));
        knobs.latency = Duration::from_millis(40);
    });
    let mut stream = address(&sandbox).await;
    let request = "GET /api/public/stem/subject/ HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("]}"));
}

#[tokio::test]
async fn it_stops_when_dropped() {
    let sandbox = start().await;
    let upstream = sandbox.brainstem().clone();
    let caller = Caller::brainstem(&sandbox);
    assert_eq!(caller.get(SUBJECTS).await.status, 200);
    drop(sandbox);
    while caller.try_send(Method::GET, SUBJECTS, None).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(upstream.url().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn an_empty_sandbox_can_be_filled() {
    let options = Options { records: Records::Empty, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    assert!(sandbox.brainstem().records("subjects").is_empty());
    assert!(sandbox.haut_ai().records("subjects").is_empty());
    let caller = Caller::brainstem(&sandbox);
    let body = json!({
        "name": "first", "sex": "F", "tags": [],
        "projects": [sandbox.brainstem().records("projects")[0]["id"]],
        "strain": sandbox.brainstem().records("strains")[0]["id"],
    });
    assert_eq!(caller.post(SUBJECTS, &body).await.status, 201);
    sandbox.brainstem().insert("subjects", json!({ "id": "broken", "name": 7, "projects": "x" }));
    sandbox.brainstem().insert("subjects", json!("not even an object"));
    let answer = caller.get(&format!("{SUBJECTS}?sort[]=name&filter{{-sex}}=M&include[]=projects.*")).await;
    assert_eq!(answer.list("subjects").len(), 3);
    assert!(sandbox.brainstem().remove("subjects", "broken"));
    assert!(!sandbox.brainstem().remove("subjects", "broken"));
}
