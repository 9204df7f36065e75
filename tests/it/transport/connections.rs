//! Connections that are kept alive, and closed by the other side.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{LIST, animals, only_error};

const PROJECTS: &str = "{\"projects\": [], \"count\": 0}";

/// Answers the first `good` requests of each connection; closes it on the next, or after the first bytes of an answer.
struct Closing {
    url: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Closing {
    async fn serve(good: usize, last_words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (opened, asked) = (Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::SeqCst);
                let asked = Arc::clone(&asked);
                tokio::spawn(async move {
                    for number in 0.. {
                        if !read_head(&mut stream).await {
                            return;
                        }
                        asked.fetch_add(1, Ordering::SeqCst);
                        if number == good {
                            stream.write_all(last_words.as_bytes()).await.ok();
                            return;
                        }
                        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length:";
                        let answer = format!("{head} {}\r\n\r\n{PROJECTS}", PROJECTS.len());
                        stream.write_all(answer.as_bytes()).await.ok();
                    }
                });
            }
        });
        Self { url, connections, requests }
    }

    fn seen(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// Reads to the end of a request without a body.
async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}

#[tokio::test]
async fn a_read_on_a_connection_that_closes_is_sent_once_more_and_nobody_sees_it() {
    let upstream = Closing::serve(1, "").await;
    let app = animals().set("BRAINSTEM_URL", &upstream.url).set("CACHE_FRESH_MS", "0");
    let app = app.build().await;
    app.query(LIST).await.data();
    assert_eq!(upstream.seen(), (1, 1));
    app.query(LIST).await.data();
    // The kept connection took the request and closed; a fresh one answered it.
    assert_eq!(upstream.seen(), (2, 3));
}

#[tokio::test]
async fn a_server_that_closes_every_connection_is_asked_four_times_and_not_for_ever() {
    let upstream = Closing::serve(0, "").await;
    let app = animals().set("BRAINSTEM_URL", &upstream.url).build().await;
    let expected = json!({"code": "UPSTREAM_UNAVAILABLE", "source": "BRAINSTEM", "retryable": true});
    assert_eq!(only_error(&app.query(LIST).await, "projects"), expected);
    // Three tries, and one more at once on a connection that cannot have been idle.
    assert!(upstream.seen().1 <= 4, "{:?}", upstream.seen());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_as_often_as_any() {
    let upstream = Closing::serve(0, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"projects\"").await;
    let app = animals().set("BRAINSTEM_URL", &upstream.url).build().await;
    assert_eq!(only_error(&app.query(LIST).await, "projects")["code"], "UPSTREAM_UNAVAILABLE");
    assert_eq!(upstream.seen(), (3, 3));
}

#[tokio::test]
async fn connections_are_kept_and_their_closing_when_idle_harms_nobody() {
    let app = animals().set("CACHE_FRESH_MS", "0").build().await;
    for _ in 0..5 {
        app.query(LIST).await.data();
    }
    assert!(app.brainstem().take_log().iter().all(|request| request.connection == 1));
    app.brainstem().set_knobs(|knobs| knobs.close_idle_after = Some(Duration::from_millis(1)));
    for _ in 0..20 {
        app.query(LIST).await.data();
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn there_are_no_more_connections_than_may_be_in_use_and_they_are_used_again() {
    let app = animals().set("CACHE_FRESH_MS", "0").set("LIMITS_UPSTREAM_CONCURRENCY", "4").build().await;
    for _ in 0..3 {
        let lists = (1..=20).map(|first| format!("{{ projects(first: {first}) {{ nodes {{ name }} }} }}"));
        let lists: Vec<_> = lists.collect();
        for answer in join_all(lists.iter().map(|list| app.query(list))).await {
            answer.data();
        }
    }
    let log = app.brainstem().take_log();
    assert_eq!(log.len(), 60);
    let connections: BTreeSet<u64> = log.iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 4, "{connections:?}");
    assert!(log.iter().all(|request| request.headers.contains(&("accept-encoding".to_owned(), "gzip".to_owned()))));
}
