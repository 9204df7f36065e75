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
        "subscription { ... { ...F } } \
            fragment F on Subscription { ...G } fragment G on Subscription { subjectChanged { kind id } }",
        "subscription S { ...F } query Q { __typename } fragment F on Subscription { subjectChanged { kind id } }",
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

/// The specification has no subscription that may turn out to select nothing, or more than one thing.
#[tokio::test]
async fn the_root_is_one_field_for_certain() {
    let gateway = Gateway::new().await;
    let mut socket = gateway.socket().await;
    for query in [
        "subscription($no: Boolean!) { subjectChanged @include(if: $no) { id } }",
        "subscription { subjectChanged { id } ... @skip(if: true) { subjectChanged { at } } }",
        "subscription { one: subjectChanged { id } two: subjectChanged { id } }",
        "subscription { __typename }",
    ] {
        socket.subscribe("1", query, json!({"no": false})).await;
        let refused = socket.next().await;
        assert_eq!(refused["type"], "error", "{query}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{query} {refused}");
    }
}
