//! What one replica read, the others need not read.

use futures::future::join_all;
use sha2::Digest as _;

use super::*;

#[tokio::test]
async fn one_cold_query_makes_the_requests_of_one_for_all_replicas() {
    let fleet = Fleet::of(3).await;
    let [first, second, third] = &fleet.replicas[..] else { panic!("three") };
    let answer = first.query(LIST).await;
    assert!(fleet.requests() > 0);
    fleet.settled().await;
    // The answer itself, and what it was made from for a question that nobody asked yet.
    assert_eq!(second.query(LIST).await, answer);
    let another = LIST.replace("nodes { id name", "nodes { name identifier");
    assert!(third.query(&another).await["data"]["subjects"]["nodes"][0]["projects"][0]["name"].is_string());
    assert_eq!(fleet.requests(), 0);
}

/// Every kind of record, of page and of whole list that is kept.
#[tokio::test]
async fn all_that_is_kept_is_shared() {
    let fleet = Fleet::of(2).await;
    let queries = [
        "{ subjects(first: 20) { nodes { id name sex birthDate age tags metadata createdAt status \
           species { name } strain { name } biologicalSex { name } dataset { name } company { name } \
           projects { name subjectIds } procedures(first: 5) { nodes { type details dateTime brainRegion { name } } } \
           logs(first: 5) { nodes { type } } licenses { name } supplier { name } breeding { name mother { name } } \
           hautAi { rawSex } brainStem { rawStatus nameUsedInStorage } } } }",
        "{ subjects(first: 30, orderBy: {field: NAME}) { totalCount nodes { name } } }",
        "{ subjects(first: 10, orderBy: {field: BIRTH_DATE}) { nodes { name birthDate } } }",
        "{ biologicalSexes { name } datasets { name } strains(first: 5) { nodes { name } } \
           species(first: 5) { nodes { name } } suppliers(first: 5) { nodes { name } } \
           projects(first: 5) { nodes { name } } procedures(first: 5) { nodes { type } } }",
    ];
    let mut answers = Vec::new();
    for query in queries {
        answers.push(fleet.replicas[0].query(query).await);
    }
    fleet.settled().await;
    fleet.requests();
    for (query, answer) in queries.iter().zip(answers) {
        // The name makes it another request, so that the whole answer is not taken.
        let renamed = format!("query Renamed {query}");
        assert_eq!(fleet.replicas[1].query(&renamed).await, answer);
        let log = [fleet.upstreams.haut_ai().take_log(), fleet.upstreams.brainstem().take_log()].concat();
        assert!(log.is_empty(), "{query}: {log:?}");
    }
}

/// What one caller's credential was shown is nobody else's, through whatever replica, and whatever the answer to the same question
/// is called.
#[tokio::test]
async fn nothing_is_shared_between_credentials() {
    let fleet = Fleet::with(2, crate::util::Builder::forward).await;
    let of = |token: &str| vec![("x-brainstem-authorization", format!("Bearer {token}"))];
    let ask = async |replica: usize, token: &str| {
        let body = json!({"query": LIST});
        fleet.replicas[replica].send_with("/graphql", &body, &of(token)).await
    };
    let own = ask(0, subject_gateway::sandbox::BRAINSTEM_TOKEN).await;
    assert!(own.contains("Grid cells") || own.contains("\"name\""), "{own}");
    fleet.settled().await;
    fleet.requests();
    let others = ask(1, "somebody-else").await;
    assert!(others.contains("UNAUTHENTICATED") && !others.contains("Grid cells"), "{others}");
    assert!(fleet.requests() > 0);
    assert_eq!(ask(1, subject_gateway::sandbox::BRAINSTEM_TOKEN).await, own);
    assert_eq!(fleet.requests(), 0);
}

#[tokio::test]
async fn whoever_reads_redis_learns_nothing() {
    let fleet = Fleet::of(1).await;
    let query = "{ subjects(first: 50) { nodes { id sourceId name birthDate projects { name } } } }";
    let answer = fleet.replicas[0].query(query).await;
    fleet.replicas[0].post(&update(ANIMAL, "a word of its own")).await;
    fleet.replicas[0].query(query).await;
    fleet.settled().await;
    let everything = fleet.redis.dump().await;
    assert!(everything.len() > 10_000);
    let nodes = answer["data"]["subjects"]["nodes"].as_array().unwrap();
    let mut words = vec!["a word of its own".to_owned(), ANIMAL.to_owned(), "subject".to_owned()];
    for node in nodes {
        for field in ["id", "sourceId", "name", "birthDate"] {
            words.extend(node[field].as_str().filter(|word| word.len() > 3).map(str::to_owned));
        }
    }
    words.extend(
        [subject_gateway::sandbox::BRAINSTEM_TOKEN, subject_gateway::sandbox::HAUT_AI_TOKEN].map(str::to_owned),
    );
    for word in words.iter().filter(|word| *word != "subject") {
        assert!(!contains(&everything, word.as_bytes()), "{word} lies there");
        let id = uuid::Uuid::try_parse(word);
        assert!(!id.is_ok_and(|id| contains(&everything, id.as_bytes())), "{word} lies there");
    }
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// What cannot be shared, because it would be told otherwise by others: stale, failed, refused.
#[tokio::test]
async fn what_failed_is_not_shared() {
    use subject_gateway::sandbox::{Fault, FaultKind};
    let fleet = Fleet::with(2, |builder| builder.set("LIMITS_UPSTREAM_TRIES", "1")).await;
    let fault = Fault::new(FaultKind::Html(502));
    fleet.upstreams.brainstem().set_knobs(|knobs| knobs.faults = vec![fault]);
    let answer = fleet.replicas[0].post(&json!({"query": LIST})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_UNAVAILABLE", "{answer}");
    fleet.upstreams.brainstem().set_knobs(|knobs| knobs.faults.clear());
    fleet.replicas[1].query(LIST).await;
}

#[tokio::test]
async fn callers_are_counted_on_all_replicas_together() {
    let fleet = Fleet::with(3, |builder| builder.set("LIMITS_RATE", "1").set("LIMITS_BURST", "40")).await;
    let body = json!({"query": "{ __typename }"});
    let began = std::time::Instant::now();
    let ask = async |round: usize| fleet.replicas[round % 3].send("/graphql", &body).await.0;
    let statuses = join_all((0..100).map(ask)).await;
    let let_in = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    // A slow machine gives one more each second.
    let more = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!((40..=40 + more).contains(&let_in), "{let_in}");
}

#[tokio::test]
async fn a_query_that_was_registered_with_one_is_known_to_all() {
    let fleet = Fleet::of(2).await;
    let query = "{ sources { source } }";
    let hash = sha2::Sha256::digest(query).iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
    let mut body = json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": hash}}});
    let unknown = fleet.replicas[1].post(&body).await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    body["query"] = json!(query);
    fleet.replicas[0].post(&body).await;
    body.as_object_mut().unwrap().remove("query");
    assert!(fleet.replicas[1].post(&body).await["data"]["sources"].is_array());
}

#[tokio::test]
async fn all_replicas_use_one_login() {
    use subject_gateway::sandbox::{DATASET_IDS, HAUT_AI_PASSWORD, HAUT_AI_USERNAME};
    let mut fleet = Fleet::with(3, |builder| {
        let builder = builder.without_brainstem().unset("HAUT_AI_TOKEN").unset("HAUT_AI_COMPANY_ID");
        let builder = builder.set("HAUT_AI_USERNAME", HAUT_AI_USERNAME).set("HAUT_AI_PASSWORD", HAUT_AI_PASSWORD);
        builder.set("HAUT_AI_DATASET_IDS", DATASET_IDS[0]).set("CACHE_FRESH_MS", "0")
    })
    .await;
    let list = "{ subjects(first: 3) { nodes { name } } }";
    let logins = |fleet: &Fleet| crate::util::to_path(&fleet.upstreams.haut_ai().take_log(), "/auth/login/").len();
    join_all(fleet.replicas.iter().map(|replica| replica.query(list))).await;
    assert_eq!(logins(&fleet), 1);
    let newcomer = fleet.join().await;
    fleet.replicas[newcomer].query(list).await;
    assert_eq!(logins(&fleet), 0);
    // One notices that the token is no longer good, and all use the next one.
    fleet.upstreams.haut_ai().expire_logins();
    for replica in &fleet.replicas {
        replica.query(list).await;
    }
    let again = fleet.upstreams.haut_ai().take_log();
    let renewals =
        crate::util::to_path(&again, "/auth/login/").len() + crate::util::to_path(&again, "/auth/refresh/").len();
    assert!((1..=2).contains(&renewals), "{again:?}");
}
