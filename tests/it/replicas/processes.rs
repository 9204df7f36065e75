//! Replicas as processes of their own, as operators run them.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::*;
use crate::{process::Serving, util::TestApp};

const LOST: &str = "Redis is lost: nothing is shared, and what is kept is served for a second only";

/// Starts one over these upstreams.
fn start(redis: &Redis, upstreams: &TestApp) -> Serving {
    start_with_key(redis, upstreams, fleet::KEY)
}

fn start_with_key(redis: &Redis, upstreams: &TestApp, key: &str) -> Serving {
    let [haut_ai, brainstem, redis] =
        [upstreams.haut_ai().url(), upstreams.brainstem().url(), &redis.url()].map(str::to_owned);
    Serving::start_with(&[
        ("HAUT_AI_URL", &haut_ai),
        ("HAUT_AI_TOKEN", subject_gateway::sandbox::HAUT_AI_TOKEN),
        ("HAUT_AI_COMPANY_ID", subject_gateway::sandbox::COMPANY_ID),
        ("BRAINSTEM_URL", &brainstem),
        ("BRAINSTEM_PORTAL", "private"),
        ("BRAINSTEM_TOKEN", subject_gateway::sandbox::BRAINSTEM_TOKEN),
        ("REDIS_URL", &redis),
        ("REDIS_ENCRYPTION_KEY", key),
        ("REDIS_TIMEOUT_MS", "5000"),
        ("CACHE_FRESH_MS", "600000"),
        ("GATEWAY_DRAIN_MS", "300"),
    ])
}

/// One whose log nobody reads.
fn start_unheard(redis: &Redis, upstreams: &TestApp) -> Serving {
    let mut serving = start(redis, upstreams);
    // Somebody has to take it, or the pipe is full.
    serving.rest_of_the_log();
    serving
}

fn ask(serving: &Serving, body: &Value) -> Value {
    let answer = serving.exchange("POST /graphql HTTP/1.1", &body.to_string());
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

fn read(serving: &Serving) -> Value {
    ask(serving, &json!({"query": subject(ANIMAL)}))
}

/// One is killed in the midst of writing: the others go on, and know of all that was answered.
#[tokio::test(flavor = "multi_thread")]
async fn the_others_go_on_when_one_is_killed() {
    let redis = Redis::start().await;
    let upstreams = TestApp::new().await;
    let mut replicas = [start(&redis, &upstreams), start(&redis, &upstreams), start(&redis, &upstreams)];
    for replica in &mut replicas {
        replica.logged("connected to Redis");
    }
    for replica in &replicas {
        read(replica);
    }
    let answer = ask(&replicas[0], &update(ANIMAL, "its last words"));
    assert!(answer.get("errors").is_none(), "{answer}");
    replicas[0].kill();
    for replica in &replicas[1..] {
        fleet::eventually(async || (description(&read(replica)) == "its last words").then_some(())).await;
        assert!(replica.exchange("GET /health/ready HTTP/1.1", "").starts_with("HTTP/1.1 200"));
    }
}

/// The operator is told once when Redis is lost, and once when it is back, however often it is tried meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_once_that_redis_is_lost_and_once_that_it_is_back() {
    let mut redis = Redis::start().await;
    let upstreams = TestApp::new().await;
    let mut replica = start(&redis, &upstreams);
    let log = replica.rest_of_the_log();
    let is_connected =
        |replica: &Serving| replica.exchange("GET /metrics HTTP/1.1", "").contains("subject_gateway_redis_connected 1");
    fleet::eventually(async || is_connected(&replica).then_some(())).await;
    redis.kill();
    fleet::eventually(async || (!is_connected(&replica)).then_some(())).await;
    // Long enough for some tries.
    tokio::time::sleep(Duration::from_secs(1)).await;
    redis.again().await;
    fleet::eventually(async || is_connected(&replica).then_some(())).await;
    replica.terminate();
    let log = log.join().unwrap();
    assert_eq!((log.matches(LOST).count(), log.matches("connected to Redis").count()), (1, 2), "{log}");
}

/// Without it nobody would know why nothing is shared: each is connected, and each answers.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_once_that_replicas_have_other_keys() {
    let redis = Redis::start().await;
    let upstreams = TestApp::new().await;
    let one = start_unheard(&redis, &upstreams);
    let mut other = start_with_key(&redis, &upstreams, fleet::OTHER_KEY);
    other.logged("connected to Redis");
    let log = other.rest_of_the_log();
    for number in 1..=3 {
        let text = format!("told {number} times");
        ask(&one, &update(ANIMAL, &text));
        fleet::eventually(async || (description(&read(&other)) == text).then_some(())).await;
    }
    other.terminate();
    let log = log.join().unwrap();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("REDIS_ENCRYPTION_KEY")).collect();
    assert!(told.len() == 1 && told[0].contains("WARN") && !told[0].contains(fleet::OTHER_KEY), "{log}");
}

/// One after the other is replaced while clients ask: whoever is told to go elsewhere does, and no request is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_request() {
    let redis = Redis::start().await;
    let upstreams = Arc::new(TestApp::new().await);
    let replicas: Arc<[RwLock<Option<Arc<Serving>>>]> =
        (0..3).map(|_| RwLock::new(Some(Arc::new(start_unheard(&redis, &upstreams))))).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    // A load balancer asks whoever is in its list, and takes one out before it ends.
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (replicas, is_over, answered) = (Arc::clone(&replicas), Arc::clone(&is_over), Arc::clone(&answered));
            thread::spawn(move || {
                for round in client.. {
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let Some(replica) = replicas[round % 3].read().unwrap().clone() else { continue };
                    let answer = if round % 5 == 0 {
                        ask(&replica, &update(ANIMAL, &round.to_string()))
                    } else {
                        read(&replica)
                    };
                    assert!(answer.get("errors").is_none() && answer["data"].is_object(), "{answer}");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for place in 0..3 {
        let enough = answered.load(Ordering::SeqCst) + 20;
        fleet::eventually(async || (answered.load(Ordering::SeqCst) > enough).then_some(())).await;
        let old = replicas[place].write().unwrap().take().unwrap();
        old.terminate();
        let new = tokio::task::block_in_place(|| start_unheard(&redis, &upstreams));
        // Whoever still asks the old one is answered by it.
        fleet::eventually(async || (Arc::strong_count(&old) == 1).then_some(())).await;
        let mut old = Arc::into_inner(old).unwrap();
        assert_eq!(tokio::task::block_in_place(|| old.ended()), Some(0));
        *replicas[place].write().unwrap() = Some(Arc::new(new));
    }
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("no request is lost");
    }
}
