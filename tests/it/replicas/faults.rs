//! Redis fails, and the gateway goes on: slower, never down, and not out of date for longer than it says.

use std::time::{Duration, Instant};

use super::*;

/// What a replica without others keeps for ten minutes.
async fn ask(fleet: &Fleet, replica: usize) -> String {
    description(&fleet.replicas[replica].query(&subject(ANIMAL)).await).to_owned()
}

async fn write(fleet: &Fleet, replica: usize, text: &str) {
    let answer = fleet.replicas[replica].post(&update(ANIMAL, text)).await;
    assert!(answer.get("errors").is_none(), "{answer}");
}

async fn is_ready(fleet: &Fleet) {
    for replica in &fleet.replicas {
        assert_eq!(replica.get("/health/ready").await.0, 200);
    }
}

/// Another replica's write is seen although nobody tells of it.
async fn sees_writes_of_others(fleet: &Fleet, text: &str) {
    write(fleet, 0, text).await;
    fleet::eventually(async || (ask(fleet, 1).await == text).then_some(())).await;
}

/// A write through one is told to the other, and what one read the other has.
async fn shares(fleet: &Fleet, text: &str) {
    for replica in &fleet.replicas {
        replica.connected().await;
    }
    sees_writes_of_others(fleet, text).await;
    let kept = async || fleet.replicas[0].metric("fills_total{outcome=\"kept\"}").await;
    let (before, mut number) = (kept().await, 0);
    fleet::eventually(async || {
        number += 1;
        fleet.replicas[0].query(&format!("query N{number}{text} {LIST}")).await;
        (kept().await > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_redis_what_is_kept_is_served_for_a_second() {
    let mut fleet = Fleet::of(2).await;
    assert_eq!(ask(&fleet, 1).await, "");
    fleet.redis.kill();
    for replica in &fleet.replicas {
        replica.cut_off().await;
    }
    is_ready(&fleet).await;
    sees_writes_of_others(&fleet, "cut").await;
    // Within that second it is not asked for anew each time.
    fleet.requests();
    let asked = Instant::now();
    let mut answers = 0;
    while asked.elapsed() < Duration::from_millis(500) {
        ask(&fleet, 1).await;
        answers += 1;
    }
    assert!(fleet.requests() <= 2 && answers > 2);
    fleet.redis.again().await;
    shares(&fleet, "back").await;
}

/// What was kept and told while a replica heard nothing is caught up with where Redis still knows, and forgotten where it does not.
#[tokio::test]
async fn a_restart_and_an_empty_redis_are_survived() {
    let mut fleet = Fleet::of(2).await;
    shares(&fleet, "first").await;
    fleet.redis.kill();
    fleet.replicas[0].cut_off().await;
    // Nobody can tell the other one; it has to forget this when it is back.
    ask(&fleet, 1).await;
    write(&fleet, 0, "meanwhile").await;
    fleet.redis.again().await;
    for replica in &fleet.replicas {
        replica.connected().await;
    }
    fleet::eventually(async || (ask(&fleet, 1).await == "meanwhile").then_some(())).await;
    shares(&fleet, "again").await;
    let _: () = fleet.redis.ask(&["FLUSHALL"]).await;
    shares(&fleet, "emptied").await;
}

#[tokio::test]
async fn one_that_hangs_is_waited_for_shortly_and_then_left_alone() {
    let fleet = Fleet::with(2, |builder| builder.set("REDIS_TIMEOUT_MS", "150")).await;
    shares(&fleet, "first").await;
    let timed_out = async || fleet.replicas[0].metric("commands_total{outcome=\"timed_out\"}").await;
    let skipped = async || fleet.replicas[0].metric("commands_total{outcome=\"skipped\"}").await;
    let (waited, left_out) = (timed_out().await, skipped().await);
    fleet.redis.freeze();
    for number in 0..20 {
        fleet.replicas[0].query(&format!("query N{number} {LIST}")).await;
    }
    // Until the connection is given up, at most three in a row are waited for.
    let more = timed_out().await - waited;
    assert!(more <= 6, "{more} were waited for");
    assert!(skipped().await > left_out);
    for replica in &fleet.replicas {
        replica.cut_off().await;
    }
    is_ready(&fleet).await;
    sees_writes_of_others(&fleet, "frozen").await;
    fleet.redis.thaw();
    shares(&fleet, "thawed").await;
}

#[tokio::test]
async fn one_that_is_full_takes_no_values_and_still_tells() {
    let redis = Redis::with(&["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]).await;
    let fleet = Fleet::over(redis, 2, |builder| builder).await;
    ask(&fleet, 1).await;
    sees_writes_of_others(&fleet, "told").await;
    fleet.replicas[0].query(LIST).await;
    let dropped = async || fleet.replicas[0].metric("fills_total{outcome=\"dropped\"}").await;
    fleet::eventually(async || (dropped().await > 0).then_some(())).await;
    assert_eq!(fleet.replicas[0].metric("connected").await, 1);
    is_ready(&fleet).await;
}

/// Values of other shapes, of other keys and from other times, a stream that says anything, and keys of the wrong type.
#[tokio::test]
async fn garbage_is_taken_for_nothing() {
    let fleet = Fleet::of(2).await;
    fleet.replicas[0].query(LIST).await;
    fleet.settled().await;
    let values = fleet.redis.values().await;
    for (number, key) in values.iter().enumerate() {
        match number % 3 {
            0 => fleet.redis.ask::<()>(&["SET", key, "garbage", "PX", "600000"]).await,
            1 => fleet.redis.ask::<()>(&["SET", key, "", "PX", "600000"]).await,
            // Another one's value, which is a sound one in its own place.
            _ => fleet.redis.ask::<()>(&["COPY", &values[(number + 1) % values.len()], key, "REPLACE"]).await,
        }
    }
    let answer = fleet.replicas[1].query(LIST).await;
    assert_eq!(answer, fleet.replicas[0].query(LIST).await);
    // In one step each, since replicas write beside it.
    let _: () = fleet.redis.ask(&["LPUSH", "list", "of another type"]).await;
    for key in fleet.redis.values().await {
        let _: () = fleet.redis.ask(&["COPY", "list", &key, "REPLACE"]).await;
    }
    fleet.replicas[1].query(&format!("query Another {LIST}")).await;
    is_ready(&fleet).await;
    let keys = fleet.redis.keys().await;
    let stream = keys.iter().find(|key| key.ends_with(":versions")).unwrap().replace("versions", "changes");
    for entry in [&["garbage", "garbage"][..], &["e", "1", "0", "9", "parts", "17"][..]] {
        let lost = async || fleet.replicas[0].metric("changes_total{outcome=\"lost\"}").await;
        let before = lost().await;
        let _: String = fleet.redis.ask(&[&["XADD", &stream, "*"][..], entry].concat()).await;
        // It is passed once, also where nobody writes.
        fleet::eventually(async || (lost().await > before).then_some(())).await;
        fleet.replicas[0].connected().await;
        shares(&fleet, &format!("after{}", entry.len())).await;
    }
    for key in fleet.redis.keys().await {
        let _: () = fleet.redis.ask(&["DEL", &key]).await;
        let _: () = fleet.redis.ask(&["SET", &key, "of another type"]).await;
    }
    sees_writes_of_others(&fleet, "wrongtype").await;
    let _: () = fleet.redis.ask(&["FLUSHALL"]).await;
    shares(&fleet, "mended").await;
}

/// A replica of another key understands nothing of what the others tell, and forgets everything each time.
#[tokio::test]
async fn another_key_shares_nothing_and_is_told_all_the_same() {
    let mut fleet = Fleet::of(1).await;
    fleet.replicas[0].query(LIST).await;
    fleet.settled().await;
    let mut config = fleet.upstreams.config().clone();
    let with_other = subject_gateway::config::Config::from_variables([
        ("BRAINSTEM_PORTAL", "public"),
        ("REDIS_URL", &fleet.redis.url()),
        ("REDIS_ENCRYPTION_KEY", fleet::OTHER_KEY),
        ("REDIS_TIMEOUT_MS", "5000"),
    ]);
    config.redis = with_other.unwrap().redis;
    let replica = fleet::Replica::of(&config);
    replica.connected().await;
    fleet.replicas.push(replica);
    fleet.requests();
    fleet.replicas[1].query(LIST).await;
    assert!(fleet.requests() > 0);
    assert_eq!(ask(&fleet, 1).await, "");
    sees_writes_of_others(&fleet, "unreadable").await;
    // `check` is for whoever wonders why.
    let checked = async |replica: usize| fleet.replicas[replica].app.sources().replicas().unwrap().check().await;
    assert_eq!(checked(0).await.unwrap(), "it answers");
    assert_eq!(
        checked(1).await.unwrap(),
        "it answers; the last change was told there with another REDIS_ENCRYPTION_KEY"
    );
}

#[tokio::test]
async fn one_that_was_never_there_is_found_when_it_comes() {
    let mut redis = Redis::start().await;
    redis.kill();
    let long = "600000";
    let builder = crate::util::TestApp::builder().set("REDIS_URL", redis.url()).set("REDIS_ENCRYPTION_KEY", fleet::KEY);
    let upstreams = builder.set("CACHE_FRESH_MS", long).set("REDIS_TIMEOUT_MS", "5000").build().await;
    let replicas = (0..2).map(|_| fleet::Replica::of(upstreams.config())).collect();
    let mut fleet = Fleet { redis, upstreams, replicas };
    is_ready(&fleet).await;
    ask(&fleet, 1).await;
    sees_writes_of_others(&fleet, "alone").await;
    fleet.redis.again().await;
    shares(&fleet, "together").await;
}
