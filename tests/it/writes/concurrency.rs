//! Readers and a writer side by side: whoever starts to read after a write was answered sees it, or a later one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use subject_gateway::sandbox::{Fault, FaultKind};

use super::{create, new_animal, new_person, update};
use crate::util::TestApp;

const ROUNDS: u64 = 200;
const READERS: usize = 3;
/// On a slow machine fewer rounds have to do.
const LONGEST: Duration = Duration::from_secs(8);

/// What the writer was told to be done, for the readers.
#[derive(Default)]
struct Progress {
    answered: AtomicU64,
    is_over: AtomicBool,
}

/// Reads until the writer is done; gives the number of reads.
async fn read(app: Arc<TestApp>, progress: Arc<Progress>, id: String, source: &'static str) -> u64 {
    let query = format!(
        "query($id: ID!) {{ node(id: $id) {{ ... on Subject {{ metadata projects {{ subjectIds }} }} }} \
         subjects(first: 1, filter: {{sources: [{source}]}}) {{ totalCount nodes {{ metadata }} }} }}"
    );
    let mut reads = 0;
    while !progress.is_over.load(Ordering::SeqCst) {
        let answered = progress.answered.load(Ordering::SeqCst);
        let answer = app.query_with(&query, json!({"id": id})).await;
        let data = answer.data();
        let version = |subject: &Value| subject["metadata"]["version"].as_u64().unwrap();
        let seen = [
            version(&data["node"]),
            version(&data["subjects"]["nodes"][0]),
            // The first one was there before.
            data["subjects"]["totalCount"].as_u64().unwrap() - 1,
        ];
        assert!(seen.iter().all(|seen| *seen >= answered), "{source}: {seen:?} is from before {answered}");
        // People have none; every animal that is made joins the first one's project.
        if let Some(related) = data["node"]["projects"][0]["subjectIds"].as_array() {
            assert!(related.len() as u64 > answered, "{} animals are from before {answered}", related.len());
        }
        assert_eq!(data["node"]["projects"].is_array(), source == "BRAINSTEM");
        reads += 1;
        tokio::task::yield_now().await;
    }
    reads
}

/// Every round changes the first subject and makes one more.
async fn write(app: &TestApp, progress: &Progress, id: &str, member: &str, new: impl Fn(u64) -> Value) {
    let started = Instant::now();
    for round in 1..=ROUNDS {
        update(app, id, json!({member: {"metadata": {"version": round}}})).await;
        create(app, new(round)).await;
        progress.answered.store(round, Ordering::SeqCst);
        if started.elapsed() > LONGEST {
            assert!(round > 10, "only {round} rounds");
            break;
        }
    }
    progress.is_over.store(true, Ordering::SeqCst);
}

async fn race(member: &'static str, source: &'static str, new: fn(u64) -> Value) {
    let app = Arc::new(TestApp::builder().empty().build().await);
    // The state is read at once and the answer takes its time: that is what makes an answer old when it lands.
    for upstream in [app.haut_ai(), app.brainstem()] {
        let slow = Fault::new(FaultKind::SlowBytes(Duration::ZERO)).on_method("GET");
        upstream.set_knobs(|knobs| knobs.faults.push(slow));
    }
    let mut first = new(0);
    first[member]["metadata"] = json!({"version": 0});
    let subject = create(&app, first).await;
    let id = subject["id"].as_str().unwrap().to_owned();
    let progress = Arc::new(Progress::default());
    let readers: Vec<_> =
        (0..READERS).map(|_| tokio::spawn(read(Arc::clone(&app), Arc::clone(&progress), id.clone(), source))).collect();
    write(&app, &progress, &id, member, new).await;
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_animals() {
    race("brainStem", "BRAINSTEM", |round| new_animal(&json!({"name": format!("{round:06}")}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_people() {
    race("hautAi", "HAUT_AI", |round| new_person(&json!({"name": format!("{round:06}")}))).await;
}
