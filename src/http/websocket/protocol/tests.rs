//! The rules, message by message.

use serde_json::{Map, Value, json};

use super::{Close, Name, Protocol, REFUSED, Received, Sent};

/// A connection that was acknowledged.
fn open(max_operations: usize) -> Protocol {
    let mut protocol = Protocol::new(max_operations);
    assert_eq!(protocol.receive(r#"{"type":"connection_init"}"#), Ok(Received::Init(Map::new())));
    assert_eq!(protocol.send(r#"{"type":"connection_ack"}"#), Sent::AsItIs);
    protocol
}

fn subscribe(protocol: &mut Protocol, id: &str) -> Result<Received, Close> {
    protocol.receive(&json!({"type": "subscribe", "id": id, "payload": {"query": "{ a }"}}).to_string())
}

/// What async-graphql is to call the operation.
fn started(protocol: &mut Protocol, id: &str) -> Name {
    match subscribe(protocol, id) {
        Ok(Received::Start { name, .. }) => name,
        other => panic!("{other:?}"),
    }
}

fn complete(protocol: &mut Protocol, id: &str) -> Received {
    protocol.receive(&json!({"type": "complete", "id": id}).to_string()).unwrap()
}

/// What goes out when async-graphql says this of an operation; `None`: nothing.
fn sent(protocol: &mut Protocol, name: Name, message: Value) -> Option<Value> {
    let mut message = message;
    message["id"] = json!(name.to_string());
    match protocol.send(&message.to_string()) {
        Sent::Instead(text) => Some(serde_json::from_str(&text).unwrap()),
        Sent::Nothing => None,
        Sent::AsItIs => panic!("{message} went out with a name that is not the client's"),
    }
}

fn next() -> Value {
    json!({"type": "next", "payload": {"data": {"a": 1}}})
}

fn end() -> Value {
    json!({"type": "complete"})
}

fn refused() -> Value {
    json!({"type": "next", "payload": {"data": null, "errors": [{"message": "no"}], "extensions": {REFUSED: true}}})
}

#[test]
fn what_is_said_of_an_operation_goes_out_under_the_clients_id() {
    let mut protocol = open(10);
    let (one, other) = (started(&mut protocol, "\"quoted\""), started(&mut protocol, "2"));
    let expected = json!({"type": "next", "id": "\"quoted\"", "payload": {"data": {"a": 1}}});
    assert_eq!(sent(&mut protocol, one, next()), Some(expected));
    assert_eq!(sent(&mut protocol, other, end()), Some(json!({"type": "complete", "id": "2"})));
    assert_eq!(sent(&mut protocol, one, end()), Some(json!({"type": "complete", "id": "\"quoted\""})));
    assert_eq!(complete(&mut protocol, "2"), Received::Ignore);
}

#[test]
fn late_words_of_an_operation_that_the_client_completed_are_swallowed_also_when_its_id_is_used_again() {
    let mut protocol = open(10);
    let old = started(&mut protocol, "1");
    assert_eq!(complete(&mut protocol, "1"), Received::Stop(old));
    let new = started(&mut protocol, "1");
    assert_eq!(sent(&mut protocol, old, next()), None);
    assert!(sent(&mut protocol, new, next()).is_some());
    assert_eq!(sent(&mut protocol, old, end()), None);
    // The end of the old one was not that of the new one.
    assert!(sent(&mut protocol, new, next()).is_some());
    assert!(sent(&mut protocol, new, end()).is_some());
    assert_eq!(sent(&mut protocol, new, next()), None);
}

#[test]
fn a_refusal_is_the_last_word_also_when_its_id_is_used_before_async_graphql_is_done() {
    let mut protocol = open(10);
    let old = started(&mut protocol, "1");
    let expected = json!({"type": "error", "id": "1", "payload": [{"message": "no"}]});
    assert_eq!(sent(&mut protocol, old, refused()), Some(expected));
    let new = started(&mut protocol, "1");
    // Whether the old one's end comes or not is all the same to the new one.
    assert!(sent(&mut protocol, new, next()).is_some());
    assert_eq!(sent(&mut protocol, old, end()), None);
    assert!(sent(&mut protocol, new, next()).is_some());
    assert!(subscribe(&mut protocol, "1").is_err());
    // One that is not even begun.
    assert_eq!(complete(&mut protocol, "1"), Received::Stop(new));
    let third = started(&mut protocol, "1");
    let told: Value = serde_json::from_str(&protocol.refuse(third, &json!({"message": "no"}))).unwrap();
    assert_eq!(told, json!({"type": "error", "id": "1", "payload": [{"message": "no"}]}));
    assert_eq!(complete(&mut protocol, "1"), Received::Ignore);
}

#[test]
fn nothing_is_kept_of_what_has_ended() {
    let mut protocol = open(2);
    for round in 0..1_000 {
        let id = round.to_string();
        let (name, other) = (started(&mut protocol, &id), started(&mut protocol, "other"));
        assert!(
            matches!(subscribe(&mut protocol, "third"), Ok(Received::Answer(answer)) if answer.contains("OVERLOADED"))
        );
        match round % 3 {
            0 => assert_eq!(complete(&mut protocol, &id), Received::Stop(name)),
            1 => assert!(sent(&mut protocol, name, end()).is_some()),
            _ => assert!(sent(&mut protocol, name, refused()).is_some()),
        }
        complete(&mut protocol, "other");
        assert_eq!(sent(&mut protocol, other, end()), None);
    }
    assert!(protocol.running.is_empty() && protocol.ids.is_empty());
}

#[test]
fn what_breaks_the_protocol_ends_the_connection() {
    let code = |protocol: &mut Protocol, text: &str| protocol.receive(text).unwrap_err().code;
    let mut protocol = Protocol::new(10);
    let early = r#"{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}"#;
    assert_eq!(code(&mut protocol, early), 4401);
    assert_eq!(
        protocol.receive(r#"{"type":"connection_init","payload":{"any":1}}"#),
        Ok(Received::Init(Map::from_iter([("any".to_owned(), 1.into())])))
    );
    // Not before it is acknowledged.
    assert_eq!(code(&mut protocol, early), 4401);
    assert_eq!(code(&mut protocol, r#"{"type":"connection_init"}"#), 4429);
    let mut protocol = open(10);
    started(&mut protocol, "1");
    let twice = subscribe(&mut protocol, "1").unwrap_err();
    assert_eq!((twice.code, &*twice.reason), (4409, "Subscriber for 1 already exists"));
    let long = "ä".repeat(128);
    started(&mut protocol, &long);
    // A close frame has room for so much.
    assert!(subscribe(&mut protocol, &long).unwrap_err().reason.len() <= 123);
    for text in [
        "",
        "nonsense",
        "null",
        "[]",
        "{}",
        r#"{"type":"start","id":"1","payload":{"query":"{ a }"}}"#,
        r#"{"type":"stop","id":"1"}"#,
        r#"{"type":"next","id":"1","payload":{}}"#,
        r#"{"type":"subscribe","payload":{"query":"{ a }"}}"#,
        r#"{"type":"subscribe","id":"","payload":{"query":"{ a }"}}"#,
        r#"{"type":"subscribe","id":7,"payload":{"query":"{ a }"}}"#,
        r#"{"type":"subscribe","id":"7"}"#,
        r#"{"type":"subscribe","id":"7","payload":"{ a }"}"#,
        r#"{"type":"complete"}"#,
        r#"{"type":"ping","payload":"text"}"#,
        r#"{"type":"connection_init","payload":[]}"#,
    ] {
        assert_eq!(code(&mut protocol, text), 4400, "{text}");
    }
    let too_long = "x".repeat(257);
    assert_eq!(subscribe(&mut protocol, &too_long).unwrap_err().code, 4400);
    for text in [r#"{"type":"ping"}"#, r#"{"type":"ping","payload":null}"#, r#"{"type":"ping","payload":{"a":1}}"#] {
        assert_eq!(protocol.receive(text), Ok(Received::PassOn));
    }
    assert_eq!(protocol.receive(r#"{"type":"pong"}"#), Ok(Received::Ignore));
}
