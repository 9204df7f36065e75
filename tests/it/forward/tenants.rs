//! Tenants that see different records, at the same time and in every state of the caches: each is answered what it would be
//! alone, by a gateway that nobody used before.

use std::sync::Arc;

use futures::{StreamExt as _, future::join_all, stream};
use serde_json::{Value, json};
use subject_gateway::{app::App, sandbox::DATASET_IDS};

use super::{ALL, By, FEW, MIXED, Tenant, ask, query};
use crate::{
    events::socket::{Gateway, PROTOCOL, Socket},
    util::{Builder, TestApp},
    writes::{animal_id, dataset_id, person_id, project_id},
};

const TENANTS: [Tenant; 3] = [ALL, FEW, MIXED];

/// Upstream answers take so long that flights overlap, and in stale times that nothing is fresh by the next round.
const LATENCY: std::time::Duration = std::time::Duration::from_millis(4);

fn texts(records: &Value) -> Vec<String> {
    records.as_array().unwrap().iter().map(|record| record["sourceId"].as_str().unwrap().to_owned()).collect()
}

/// What one tenant sees and another does not, by the sources' own ids.
pub(super) struct Seen {
    /// Animals that only [`ALL`] sees.
    pub(super) hidden: Vec<String>,
    /// One that all see, in a project that not all do.
    pub(super) in_projects_of_both: String,
    /// Dataset and id of one that all see.
    pub(super) person: (String, String),
    /// Of one that [`FEW`] does not.
    pub(super) hidden_person: (String, String),
}

impl Seen {
    pub(super) async fn of(app: &TestApp) -> Self {
        let list = "{ subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { sourceId projects { id } } } }";
        let fresh = App::new(app.config()).unwrap();
        let (all, few) = (query(&fresh, ALL, list).await, query(&fresh, FEW, list).await);
        let of = |answer: &Value| answer["data"]["subjects"]["nodes"].as_array().unwrap().clone();
        let (all, few) = (of(&all), of(&few));
        let seen = |animal: &Value| few.iter().find(|seen| seen["sourceId"] == animal["sourceId"]);
        let differs = |animal: &&Value| seen(animal).is_some_and(|seen| seen["projects"] != animal["projects"]);
        let id = |animal: &Value| animal["sourceId"].as_str().unwrap().to_owned();
        let people = crate::walk::people(app.haut_ai());
        let person = |dataset: &str| {
            let of = people.iter().find(|person| person["dataset"]["id"] == dataset);
            (dataset.to_owned(), of.unwrap()["id"].as_str().unwrap().to_owned())
        };
        let is_plain =
            |animal: &&Value| seen(animal).is_none() && animal["projects"].as_array().is_some_and(|of| of.len() > 1);
        Self {
            hidden: all.iter().filter(is_plain).map(id).collect(),
            in_projects_of_both: id(all.iter().find(differs).unwrap()),
            person: person(DATASET_IDS[1]),
            hidden_person: person(DATASET_IDS[0]),
        }
    }
}

/// Everything that can be asked for, of records that all see and of some that not all do.
pub(super) async fn queries(app: &TestApp) -> Vec<Value> {
    let list = "{ animals: subjects(first: 100, filter: {sources: [BRAINSTEM]}) { nodes { sourceId name } } \
                 projects(first: 100) { nodes { sourceId } } }";
    let fresh = App::new(app.config()).unwrap();
    let (all, few) = (query(&fresh, ALL, list).await, query(&fresh, FEW, list).await);
    let seen = texts(&few["data"]["animals"]["nodes"]);
    let hidden: Vec<_> = texts(&all["data"]["animals"]["nodes"]).into_iter().filter(|id| !seen.contains(id)).collect();
    let name = all["data"]["animals"]["nodes"].as_array().unwrap().iter();
    let name = name.clone().find(|animal| animal["sourceId"] == hidden[0].as_str()).unwrap()["name"].clone();
    let people = crate::walk::people(app.haut_ai());
    let person = |dataset: &str| {
        let of = people.iter().find(|person| person["dataset"]["id"] == dataset);
        person_id(dataset, of.unwrap()["id"].as_str().unwrap())
    };
    let (shared_person, hidden_person) = (person(DATASET_IDS[1]), person(DATASET_IDS[0]));
    let hidden_project = texts(&all["data"]["projects"]["nodes"]);
    let own = texts(&few["data"]["projects"]["nodes"]);
    let hidden_project = project_id(hidden_project.iter().find(|id| !own.contains(id)).unwrap());
    let mut ids: Vec<_> = seen.iter().take(3).chain(hidden.iter().take(3)).map(|id| animal_id(id)).collect();
    ids.extend([shared_person.clone(), hidden_person.clone(), hidden_project.clone()]);
    let entities: Vec<_> = ids[..8].iter().map(|id| json!({"__typename": "Subject", "id": id})).collect();

    let relations = "subjects(first: 25, filter: {sources: [BRAINSTEM]}) { nodes { id projects { id name } licenses { id } \
                      procedures(first: 3) { totalCount nodes { id type brainRegion { name } } } logs(first: 2) { nodes { id } } \
                      strain { name species { name } } supplier { name } breeding { id mother { id name } } } }";
    let plain = [
        "{ subjects(first: 60) { totalCount nodes { id name } pageInfo { hasNextPage endCursor } } }".to_owned(),
        "{ subjects(last: 30) { edges { cursor node { id } } } }".to_owned(),
        "{ subjects(first: 20, orderBy: {field: NAME}) { nodes { id name } pageInfo { endCursor hasNextPage } } }"
            .to_owned(),
        "{ subjects(first: 20, orderBy: {field: BIRTH_DATE, direction: DESC}) { nodes { id birthDate } } }".to_owned(),
        "{ subjects(first: 20, filter: {sex: [FEMALE], sources: [HAUT_AI]}) { totalCount nodes { id sex } } }"
            .to_owned(),
        "{ subjects(first: 20, filter: {name: {contains: \"a\"}}) { totalCount nodes { id } } }".to_owned(),
        "{ subjects { totalCount } }".to_owned(),
        format!("{{ {relations} }}"),
        "{ projects(first: 8) { totalCount nodes { id name subjects(first: 3) { totalCount nodes { id name } } } } }"
            .to_owned(),
        "{ procedures(first: 15) { totalCount nodes { id subject { id name } } } }".to_owned(),
        "{ logs(first: 15) { totalCount nodes { id subject { id } } } }".to_owned(),
        "{ datasets { id name } biologicalSexes { id name } strains(first: 50) { nodes { id name } } }".to_owned(),
        format!("{{ subject(by: {{brainStemName: {name}}}) {{ id name }} }}"),
        format!(
            "{{ node(id: \"{hidden_project}\") {{ id ... on Project {{ name subjects(first: 3) {{ nodes {{ id }} }} }} }} }}"
        ),
    ];
    let mut queries: Vec<Value> = plain.into_iter().map(|query| json!({"query": query, "variables": {}})).collect();
    for id in [&ids[0], &ids[4], &shared_person, &hidden_person] {
        let text =
            "query($id: ID!) { subject(by: {id: $id}) { id name sex tags dataset { name } projects { id name } } }";
        queries.push(json!({"query": text, "variables": {"id": id}}));
    }
    let nodes =
        "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Subject { name procedures(first: 2) { nodes { id } } } } }";
    queries.push(json!({"query": nodes, "variables": {"ids": ids}}));
    let of_entities =
        "query($of: [_Any!]!) { _entities(representations: $of) { ... on Subject { id name projects { id } } } }";
    queries.push(json!({"query": of_entities, "variables": {"of": entities}}));
    for (name, id) in
        [("datasetId", dataset_id(subject_gateway::sandbox::COMPANY_ID, DATASET_IDS[0])), ("projectId", hidden_project)]
    {
        let text = format!(
            "query($id: ID!) {{ subjects(first: 10, filter: {{{name}: [$id]}}) {{ totalCount nodes {{ id }} }} }}"
        );
        queries.push(json!({"query": text, "variables": {"id": id}}));
    }
    queries
}

/// What a tenant is answered by a gateway that nobody used before.
pub(super) async fn alone(app: &TestApp, tenant: Tenant, body: &Value) -> Value {
    let fresh = App::new(app.config()).unwrap();
    ask(&fresh, tenant, By::Post, body).await
}

/// Of every tenant and query what it is answered alone.
async fn all_alone(app: &TestApp, queries: &[Value]) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for tenant in TENANTS {
        let answers = stream::iter(queries).map(|body| alone(app, tenant, body)).buffered(4);
        all.push(answers.collect().await);
    }
    all
}

/// Nothing may be given up here: the machine may be slow.
pub(super) fn patient(builder: Builder) -> Builder {
    let keys = ["HAUT_AI_TIMEOUT_MS", "BRAINSTEM_TIMEOUT_MS", "LIMITS_DEADLINE_MS", "LIMITS_UPSTREAM_IDLE_MS"];
    keys.into_iter().fold(builder.forward().set("GATEWAY_PING_MS", "600000"), |builder, key| builder.set(key, "300000"))
}

async fn socket(gateway: &Gateway, tenant: Tenant, by_payload: bool) -> Socket {
    let shown = if by_payload { Vec::new() } else { tenant.headers() };
    let headers: Vec<_> = [PROTOCOL].into_iter().chain(shown).collect();
    let mut socket = gateway.open(&headers).await;
    let payload = if by_payload { tenant.payload() } else { json!({}) };
    socket.send(json!({"type": "connection_init", "payload": payload})).await;
    assert_eq!(socket.next().await["type"], "connection_ack");
    socket
}

/// Asks everything over one WebSocket at once.
async fn by_socket(gateway: &Gateway, tenant: Tenant, by_payload: bool, queries: &[Value]) -> Vec<Value> {
    let mut socket = socket(gateway, tenant, by_payload).await;
    for (at, body) in queries.iter().enumerate() {
        socket.send(json!({"type": "subscribe", "id": at.to_string(), "payload": body})).await;
    }
    let mut answers = vec![Value::Null; queries.len()];
    let mut left = queries.len();
    while left > 0 {
        let mut message = socket.next().await;
        let at: usize = message["id"].as_str().unwrap().parse().unwrap();
        match message["type"].as_str().unwrap() {
            "next" => answers[at] = message["payload"].take(),
            _ => left -= 1,
        }
    }
    answers
}

/// Everything by everybody in every way, at once; who comes first is another one in each round and for each query.
async fn round(gateway: &Arc<Gateway>, queries: &Arc<Vec<Value>>, expected: &[Vec<Value>], round: usize) {
    let mut asked = Vec::new();
    for at in 0..queries.len() {
        for by in [By::Post, By::Get, By::Stream] {
            for turn in 0..TENANTS.len() {
                let who = (turn + at + round) % TENANTS.len();
                let (gateway, queries) = (Arc::clone(gateway), Arc::clone(queries));
                let answer = async move { ask(&gateway.app.app, TENANTS[who], by, &queries[at]).await };
                asked.push((who, at, by, tokio::spawn(answer)));
            }
        }
    }
    let sockets = join_all((0..TENANTS.len()).map(|who| by_socket(gateway, TENANTS[who], who % 2 == 0, queries))).await;
    for (who, answers) in sockets.into_iter().enumerate() {
        for (at, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, expected[who][at], "round {round}, WebSocket, {:?}: {}", TENANTS[who], queries[at]);
        }
    }
    for (who, at, by, answer) in asked {
        let answer = answer.await.unwrap();
        assert_eq!(answer, expected[who][at], "round {round}, {by:?}, {:?}: {}", TENANTS[who], queries[at]);
    }
}

/// In so many rounds, of which the first finds the caches cold.
async fn tell_apart(builder: Builder, rounds: usize) {
    let gateway = Arc::new(Gateway::of(patient(builder)).await);
    let queries = Arc::new(queries(&gateway.app).await);
    let expected = all_alone(&gateway.app, &queries).await;
    for (at, body) in queries.iter().enumerate() {
        assert_eq!(expected[0][at].get("errors"), None, "{body}: {}", expected[0][at]);
    }
    let differ = (0..queries.len()).filter(|at| expected[0][*at] != expected[1][*at]).count();
    assert!(differ + 3 >= queries.len(), "{differ} of {} tell tenants apart", queries.len());
    for upstream in [gateway.app.haut_ai(), gateway.app.brainstem()] {
        upstream.set_knobs(|knobs| knobs.latency = LATENCY);
    }
    gateway.app.clear_logs();
    for number in 0..rounds {
        round(&gateway, &queries, &expected, number).await;
    }
    // Each source was only ever shown what is its own.
    let tokens = [
        (gateway.app.haut_ai(), TENANTS.map(|of| of.haut_ai)),
        (gateway.app.brainstem(), TENANTS.map(|of| of.brainstem)),
    ];
    for (upstream, tokens) in tokens {
        let own: Vec<_> = tokens.into_iter().flatten().map(|token| format!("Bearer {token}")).collect();
        for asked in upstream.take_log() {
            assert!(own.contains(asked.authorization.as_ref().unwrap()), "{}", asked.path);
            assert!(asked.headers.iter().all(|(name, _)| ![super::HAUT_AI, super::BRAINSTEM].contains(&name.as_str())));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_its_own_while_the_caches_are_cold_and_warm() {
    tell_apart(TestApp::builder(), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_its_own_while_all_is_stale_and_read_anew() {
    let fresh = ["CACHE_FRESH_MS", "CACHE_LISTS_FRESH_MS", "CACHE_REFERENCE_FRESH_MS"];
    let stale = ["CACHE_STALE_MS", "CACHE_LISTS_STALE_MS", "CACHE_REFERENCE_STALE_MS"];
    let builder = fresh.into_iter().fold(TestApp::builder(), |builder, key| builder.set(key, "1"));
    tell_apart(stale.into_iter().fold(builder, |builder, key| builder.set(key, "60000")), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sees_its_own_where_nothing_is_kept_and_flights_alone_are_shared() {
    tell_apart(TestApp::builder().set("CACHE_FRESH_MS", "0").set("BRAINSTEM_SIDELOAD", "true"), 2).await;
}

/// One after the other, so that the second finds what the first left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_query_again_asks_nobody_and_the_first_of_another_tenant_asks_for_itself() {
    let app = TestApp::builder().forward().build().await;
    for body in queries(&app).await {
        let mut expected = Vec::new();
        for tenant in TENANTS {
            app.clear_logs();
            let answer = alone(&app, tenant, &body).await;
            expected.push((tenant, answer, asked(&app)));
        }
        let shared = App::new(app.config()).unwrap();
        for (tenant, answer, requests) in &expected {
            // What shares a half with one that came before finds that half.
            let first = if *tenant == MIXED { [0, 0] } else { *requests };
            for requests in [first, [0, 0]] {
                app.clear_logs();
                assert_eq!(ask(&shared, *tenant, By::Post, &body).await, *answer, "{tenant:?}: {body}");
                assert_eq!(asked(&app), requests, "{tenant:?}: {body}");
            }
        }
    }
}

fn asked(app: &TestApp) -> [usize; 2] {
    [app.haut_ai(), app.brainstem()].map(|upstream| upstream.log().len())
}
