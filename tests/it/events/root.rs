//! What stands at the root of a subscription: the field itself, or fragments that hold it.

use serde_json::json;

use super::{animal, brief, change, socket::Gateway};

#[tokio::test]
async fn fragments_at_the_root_are_followed() {
    let gateway = Gateway::new().await;
    let id = animal(&gateway.app, 0);
    for query in [
        "subscription { ...F } fragment F on Subscription { subjectChanged { kind id } }",
        "subscription { ... on Subscription { subjectChanged { kind id } } }",
        "subscription { ... @include(if: true) { ...F } } \
            fragment F on Subscription { ...G } fragment G on Subscription { subjectChanged { kind id } }",
        "subscription S { subjectChanged { kind id } ...F @skip(if: true) } query Q { __typename } \
            fragment F on Subscription { subjectChanged { at } }",
    ] {
        let mut socket = gateway.socket().await;
        let payload = if query.contains("query Q") {
            json!({"query": query, "operationName": "S"})
        } else {
            json!({"query": query})
        };
        socket.send(json!({"type": "subscribe", "id": "1", "payload": payload})).await;
        socket.settle().await;
        gateway.purge(json!({"ids": [&id]})).await;
        assert_eq!(change(&socket.event().await), &brief("UPDATED", &id), "{query}");
    }
}

#[tokio::test]
async fn arguments_within_a_fragment_are_read_and_refused() {
    let gateway = Gateway::new().await;
    let (own, other) = (animal(&gateway.app, 0), animal(&gateway.app, 1));
    let query = "subscription($ids: [ID!]) { ...F } \
        fragment F on Subscription { changed: subjectChanged(ids: $ids) { ...G } } \
        fragment G on SubjectChange { kind id }";
    let mut socket = gateway.subscribed(query, json!({"ids": [&own]})).await;
    gateway.purge(json!({"ids": [&other]})).await;
    gateway.purge(json!({"ids": [&own]})).await;
    assert_eq!(socket.event().await, json!({"data": {"changed": brief("UPDATED", &own)}}));

    socket.subscribe("2", query, json!({"ids": ["nonsense"]})).await;
    let refused = socket.next().await;
    assert_eq!((&refused["type"], super::code(&refused["payload"])), (&json!("error"), "BAD_USER_INPUT"));
    let wrong = "subscription { ...F } fragment F on Subscription { nothingOfThatName }";
    socket.subscribe("3", wrong, json!({})).await;
    let refused = socket.next().await;
    assert_eq!((&refused["type"], super::code(&refused["payload"])), (&json!("error"), "GRAPHQL_VALIDATION_FAILED"));
}

#[tokio::test]
async fn what_selects_nothing_ends_at_once() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.socket().await;
    let query = "subscription($no: Boolean!) { subjectChanged @include(if: $no) { id } }";
    socket.subscribe("1", query, json!({"no": false})).await;
    assert_eq!(socket.next().await, json!({"type": "complete", "id": "1"}));
    gateway.stream(query, json!({"no": false})).await.completes().await;
    socket.subscribe("1", query, json!({"no": true})).await;
    socket.settle().await;
    let id = animal(&gateway.app, 0);
    gateway.purge(json!({"ids": [&id]})).await;
    assert_eq!(change(&socket.event().await)["id"], json!(id));
}
