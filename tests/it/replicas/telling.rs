//! What one replica changed, all know.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::future::join_all;
use subject_gateway::{
    events::{Change, Changed},
    sandbox::{Fault, FaultKind},
};

use super::*;
use crate::{
    util::TestApp,
    writes::{a_person, stored},
};

fn no_errors(answer: &Value) {
    assert!(answer.get("errors").is_none() && !answer.to_string().contains("\"code\""), "{answer:#}");
}

#[tokio::test]
async fn a_write_is_seen_through_every_replica() {
    let fleet = Fleet::of(3).await;
    for replica in &fleet.replicas {
        replica.query(&subject(ANIMAL)).await;
    }
    for (number, writer) in fleet.replicas.iter().enumerate() {
        let text = format!("written through {number}");
        no_errors(&writer.post(&update(ANIMAL, &text)).await);
        for reader in &fleet.replicas {
            fleet::eventually(async || (description(&reader.query(&subject(ANIMAL)).await) == text).then_some(()))
                .await;
        }
    }
}

#[tokio::test]
async fn those_who_listen_hear_of_it_on_every_replica_and_once() {
    let fleet = Fleet::of(3).await;
    let mut listeners: Vec<_> = fleet.replicas.iter().map(|replica| replica.app.sources().listen()).collect();
    no_errors(&fleet.replicas[1].post(&update(ANIMAL, "told")).await);
    no_errors(&fleet.replicas[2].post(&update(ANIMAL, "told again")).await);
    for listener in &mut listeners {
        for _ in 0..2 {
            let event = listener.next().await.unwrap().unwrap();
            assert_eq!(event.change, Change::Updated);
            assert!(matches!(&event.changed, Changed::These(ids) if ids[0].source_id().to_string() == ANIMAL));
        }
        let more = tokio::time::timeout(Duration::from_millis(200), listener.next()).await;
        assert!(more.is_err(), "it is told once: {more:?}");
    }
}

#[tokio::test]
async fn a_purge_reaches_all() {
    let fleet = Fleet::of(3).await;
    for replica in &fleet.replicas {
        replica.query(LIST).await;
    }
    fleet.replicas[0].shared(1).await;
    for record in fleet.upstreams.brainstem().records("subjects") {
        let change = |record: &mut Value| record["description"] = json!("changed elsewhere");
        assert!(fleet.upstreams.brainstem().change("subjects", record["id"].as_str().unwrap(), change));
    }
    let (status, _) = fleet.replicas[0].send("/admin/purge", &json!({"source": "BRAINSTEM"})).await;
    assert_eq!(status, 200);
    let described = LIST.replace("id name", "description");
    for replica in &fleet.replicas {
        let is_new = async || {
            let answer = replica.query(&described).await;
            let nodes = answer["data"]["subjects"]["nodes"].as_array().unwrap();
            nodes.iter().all(|node| node["description"] == "changed elsewhere").then_some(())
        };
        fleet::eventually(is_new).await;
    }
}

/// A replica with nothing in memory, which therefore looks into Redis, never finds what is from before a write that was answered,
/// however reads and writes cross through however many replicas.
#[tokio::test]
async fn redis_never_has_anything_from_before_an_answered_write() {
    let fleet = Fleet::of(3).await;
    let answered = AtomicU64::new(0);
    let rounds = 20;
    let is_over = || answered.load(Ordering::SeqCst) == rounds;
    let writing = async {
        for round in 1..=rounds {
            let writer = &fleet.replicas[usize::try_from(round).unwrap() % 2];
            no_errors(&writer.post(&update(ANIMAL, &round.to_string())).await);
            answered.store(round, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    };
    let reading = async |replica: usize| {
        while !is_over() {
            fleet.replicas[replica].query(&subject(ANIMAL)).await;
            tokio::task::yield_now().await;
        }
    };
    let beginning = async {
        let mut checked = 0;
        while !is_over() {
            let replica = fleet::Replica::of(fleet.upstreams.config());
            replica.connected().await;
            let at_least = answered.load(Ordering::SeqCst);
            let answer = replica.query(&subject(ANIMAL)).await;
            let found: u64 = description(&answer).parse().unwrap_or(0);
            assert!(found >= at_least, "found {found} after {at_least} was answered");
            checked += 1;
        }
        checked
    };
    let ((), (), (), (), checked) = futures::join!(writing, reading(0), reading(1), reading(2), beginning);
    assert!(checked > 0);
}

/// Whoever reads through the replica that wrote never finds what was before, although Redis still has it for a moment, and others bring it
/// back there.
#[tokio::test(flavor = "multi_thread")]
async fn through_the_replica_that_wrote_nothing_older_is_ever_seen() {
    let fleet = Fleet::of(2).await;
    let (fleet, last) = (&fleet, &AtomicU64::new(0));
    let writing = async {
        for round in 1..=60_u64 {
            no_errors(&fleet.replicas[0].post(&update(ANIMAL, &round.to_string())).await);
            last.store(round, Ordering::SeqCst);
            let found: u64 = description(&fleet.replicas[0].query(&subject(ANIMAL)).await).parse().unwrap();
            assert_eq!(found, round);
        }
        last.store(u64::MAX, Ordering::SeqCst);
    };
    let reading = async |replica: usize| {
        loop {
            let at_least = last.load(Ordering::SeqCst);
            if at_least == u64::MAX {
                break;
            }
            let found: u64 = description(&fleet.replicas[replica].query(&subject(ANIMAL)).await).parse().unwrap_or(0);
            assert!(replica == 1 || found >= at_least, "found {found} after {at_least} was answered");
            tokio::task::yield_now().await;
        }
    };
    futures::join!(writing, reading(0), reading(0), reading(1), reading(1));
}

/// What was written while Redis was not heard is not found there when it is back, by whoever wrote it neither.
#[tokio::test]
async fn a_write_while_cut_off_is_not_undone_by_what_lies_in_redis() {
    for _ in 0..5 {
        let fleet = Fleet::of(2).await;
        let [writer, other] = &fleet.replicas[..] else { panic!("two") };
        other.query(&subject(ANIMAL)).await;
        fleet.settled().await;
        fleet.redis.freeze();
        writer.cut_off().await;
        no_errors(&writer.post(&update(ANIMAL, "meanwhile")).await);
        fleet.redis.thaw();
        writer.connected().await;
        for _ in 0..20 {
            assert_eq!(description(&writer.query(&subject(ANIMAL)).await), "meanwhile");
        }
    }
}

/// The same, where the upstream answers reads so late that writes overtake them.
#[tokio::test]
async fn a_read_that_a_write_overtook_is_not_shared() {
    let fleet = Fleet::of(2).await;
    let [writer, reader] = &fleet.replicas[..] else { panic!("two") };
    let query = subject(ANIMAL);
    let log = || fleet.upstreams.brainstem().log().len();
    fleet.upstreams.brainstem().set_knobs(|knobs| knobs.latency = Duration::from_millis(300));
    let overtaken = async { reader.query(&query).await };
    let overtaking = async {
        fleet::eventually(async || (log() > 0).then_some(())).await;
        fleet.upstreams.brainstem().set_knobs(|knobs| knobs.latency = Duration::ZERO);
        no_errors(&writer.post(&update(ANIMAL, "overtaking")).await);
    };
    futures::join!(overtaken, overtaking);
    let third = fleet::Replica::of(fleet.upstreams.config());
    third.connected().await;
    assert_eq!(description(&third.query(&query).await), "overtaking");
}

#[tokio::test]
async fn after_an_erasure_nothing_in_redis_depends_on_what_was_erased() {
    let mut fleet = Fleet::of(2).await;
    let (id, _) = a_person(&fleet.upstreams);
    let node = format!("{{ node(id: \"{id}\") {{ ... on Subject {{ name dataset {{ name }} }} }} }}");
    let list = "{ subjects(first: 50, filter: {sources: [HAUT_AI]}) { nodes { name birthDate } } }";
    let sorted = "{ subjects(first: 50, orderBy: {field: NAME}) { nodes { name } } }";
    for (replica, query) in [(0, node.as_str()), (1, list), (0, sorted), (1, LIST)] {
        fleet.replicas[replica].query(query).await;
    }
    for replica in &fleet.replicas {
        replica.shared(2).await;
    }
    let mut before = fleet.redis.values().await;
    fleet::eventually(async || {
        let now = fleet.redis.values().await;
        let is_over = now == before;
        before = now;
        tokio::time::sleep(Duration::from_millis(50)).await;
        is_over.then_some(())
    })
    .await;
    let query = "mutation($id: ID!) { subjectDelete(id: $id) { deletedId } }";
    no_errors(&fleet.replicas[0].post(&json!({"query": query, "variables": {"id": id}})).await);
    // What is left depends on the other source alone, or on what no write changes.
    let after = fleet.redis.values().await;
    assert!(!after.is_empty() && after.len() < before.len(), "{} of {}", after.len(), before.len());
    let newcomer = fleet.join().await;
    fleet.requests();
    assert_eq!(fleet.replicas[newcomer].query(&node).await["data"]["node"], Value::Null);
    assert!(fleet.requests() > 0, "it was asked for upstream");
    let haut_ai: Vec<String> = indexes(&fleet, 0).await;
    assert!(haut_ai.iter().all(|index| index.ends_with(":0:1")), "{haut_ai:?}");
}

/// The indexes of what depends on a kind of part.
async fn indexes(fleet: &Fleet, part: u8) -> Vec<String> {
    let keys = fleet.redis.keys().await;
    keys.into_iter().filter(|key| key.contains(&format!(":index:{part}:"))).collect()
}

/// A write of which nobody knows whether it was carried out may be at any time: for as long as that may be, what it may have
/// touched is neither served from Redis nor brought there, by any replica, and be it one that has just begun.
#[tokio::test]
async fn all_replicas_are_wary_after_a_write_of_unknown_outcome() {
    let mut fleet = Fleet::of(2).await;
    let [writer, reader] = &fleet.replicas[..] else { panic!("two") };
    reader.query(&subject(ANIMAL)).await;
    let mut told = reader.app.sources().listen();
    hang_up_on_writes(&fleet.upstreams);
    let answer = writer.post(&update(ANIMAL, "perhaps")).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "WRITE_OUTCOME_UNKNOWN", "{answer}");
    told.next().await.unwrap().unwrap();
    fleet.join().await;
    fleet.requests();
    for replica in &fleet.replicas {
        for _ in 0..2 {
            replica.query(&subject(ANIMAL)).await;
            assert_eq!(fleet.requests(), 1);
        }
    }
}

fn hang_up_on_writes(upstreams: &TestApp) {
    let fault = Fault::new(FaultKind::Reset).on_method("PATCH");
    upstreams.brainstem().set_knobs(|knobs| knobs.faults = vec![fault]);
}

/// Many writes and reads by several clients at once: in the end all replicas agree with the upstream.
#[tokio::test]
async fn replicas_agree_after_concurrent_writes() {
    let fleet = Fleet::of(3).await;
    let fleet = &fleet;
    let client = async |number: usize| {
        for round in 0..10 {
            let replica = &fleet.replicas[(number + round) % 3];
            no_errors(&replica.post(&update(ANIMAL, &format!("{number} {round}"))).await);
            replica.query(&subject(ANIMAL)).await;
            fleet.replicas[(number + round + 1) % 3].query(&subject(ANIMAL)).await;
        }
    };
    join_all((0..4).map(client)).await;
    let stored = stored(fleet.upstreams.brainstem(), "subjects", ANIMAL);
    for replica in &fleet.replicas {
        let is_so = async || {
            let answer = replica.query(&subject(ANIMAL)).await;
            (description(&answer) == stored["description"].as_str().unwrap()).then_some(())
        };
        fleet::eventually(is_so).await;
    }
}
