//! What is told to whom of changes.

use serde_json::{Value, json};

use super::{ALL, By, FEW, STRANGER, Tenant, ask, query, tenants::Seen};
use crate::{
    events::socket::{Gateway, PROTOCOL, Socket},
    util::TestApp,
    writes::animal_id,
};

const CHANGES: &str = "subscription { subjectChanged { kind id subject { id projects { name } } } }";

async fn subscribed(gateway: &Gateway, tenant: Tenant) -> Socket {
    let mut socket = gateway.open(&[vec![PROTOCOL], tenant.headers()].concat()).await;
    socket.init().await;
    socket.subscribe("1", CHANGES, json!({})).await;
    socket.settle().await;
    socket
}

/// Kind and id of the next event, and the projects of its subject.
async fn next(socket: &mut Socket) -> (String, String, Value) {
    let event = socket.event().await;
    assert_eq!(event.get("errors"), None, "{event}");
    let change = &event["data"]["subjectChanged"];
    let text = |name: &str| change[name].as_str().unwrap().to_owned();
    (text("kind"), text("id"), change["subject"]["projects"].clone())
}

async fn update(gateway: &Gateway, tenant: Tenant, id: &str, description: &str) {
    let text = format!(
        "mutation {{ subjectUpdate(id: \"{id}\", input: {{brainStem: {{description: \"{description}\"}}}}) \
         {{ subject {{ id }} userErrors {{ message }} }} }}"
    );
    let answer = query(&gateway.app.app, tenant, &text).await;
    assert_eq!(answer["data"]["subjectUpdate"]["subject"]["id"], id, "{answer}");
}

async fn delete(gateway: &Gateway, tenant: Tenant, id: &str) {
    let text = format!("mutation {{ subjectDelete(id: \"{id}\") {{ deletedId }} }}");
    assert_eq!(query(&gateway.app.app, tenant, &text).await["data"]["subjectDelete"]["deletedId"], id);
}

/// The names of a subject's projects, as a tenant sees them.
async fn projects(gateway: &Gateway, tenant: Tenant, id: &str) -> Value {
    let text = format!("{{ subject(by: {{id: \"{id}\"}}) {{ projects {{ name }} }} }}");
    let body = json!({"query": text, "variables": {}});
    ask(&gateway.app.app, tenant, By::Post, &body).await["data"]["subject"]["projects"].clone()
}

#[tokio::test]
async fn each_hears_of_what_it_may_see_as_it_sees_it() {
    let gateway = Gateway::of(TestApp::builder().forward()).await;
    let seen = Seen::of(&gateway.app).await;
    let (hidden, shared) = (animal_id(&seen.hidden[0]), animal_id(&seen.in_projects_of_both));
    let people = Tenant { brainstem: None, ..ALL };
    let mut all = subscribed(&gateway, ALL).await;
    let mut few = subscribed(&gateway, FEW).await;
    let mut others = [subscribed(&gateway, people).await, subscribed(&gateway, STRANGER).await];

    let updated = |id: &String, projects: &Value| ("UPDATED".to_owned(), id.clone(), projects.clone());
    update(&gateway, ALL, &hidden, "one").await;
    // Read while it is still there.
    assert_eq!(next(&mut all).await, updated(&hidden, &projects(&gateway, ALL, &hidden).await));
    update(&gateway, ALL, &shared, "two").await;
    update(&gateway, FEW, &shared, "three").await;
    delete(&gateway, ALL, &hidden).await;
    update(&gateway, ALL, &shared, "four").await;
    let [own, whole] = [projects(&gateway, FEW, &shared).await, projects(&gateway, ALL, &shared).await];
    assert_ne!(own, whole);
    for _ in 0..2 {
        assert_eq!(next(&mut all).await, updated(&shared, &whole));
    }
    assert_eq!(next(&mut all).await, ("DELETED".to_owned(), hidden.clone(), Value::Null));
    assert_eq!(next(&mut all).await, updated(&shared, &whole));
    for _ in 0..3 {
        assert_eq!(next(&mut few).await, updated(&shared, &own));
    }
    // A purge names anything: those that see it hear of it, and whoever shows nothing, or nothing that is known, of nothing.
    gateway.purge(json!({"ids": [animal_id(&seen.hidden[1]), &shared]})).await;
    assert_eq!(next(&mut all).await.1, animal_id(&seen.hidden[1]));
    assert_eq!(next(&mut all).await, updated(&shared, &whole));
    assert_eq!(next(&mut few).await, updated(&shared, &own));
    let person = crate::writes::person_id(&seen.person.0, &seen.person.1);
    gateway.purge(json!({"ids": [&person]})).await;
    assert_eq!(next(&mut others[0]).await.1, person);
    // Of what is gone hears who reads as the one who deleted it.
    assert_eq!((next(&mut all).await.1, next(&mut few).await.1), (person.clone(), person));
    delete(&gateway, FEW, &shared).await;
    update(&gateway, ALL, &animal_id(&seen.hidden[1]), "five").await;
    assert_eq!(next(&mut few).await, ("DELETED".to_owned(), shared, Value::Null));
    assert_eq!(next(&mut all).await.1, animal_id(&seen.hidden[1]));
    for socket in &mut others {
        socket.settle().await;
    }
}
