use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Router, http::StatusCode, response::IntoResponse as _};
use serde_json::json;
use tokio::{net::TcpListener, task::yield_now};

use super::*;
use crate::http::server;

const HOUR: Duration = Duration::from_secs(3_600);

/// A server of one key, which is known by its id.
struct Server {
    asked: AtomicUsize,
    /// `None`: it is out of order.
    id: Mutex<Option<&'static str>>,
}

impl Server {
    /// The server, and an issuer that is asked there at these times.
    async fn start(times: Times) -> (Arc<Self>, Arc<Issuer>) {
        let server = Arc::new(Self { asked: AtomicUsize::new(0), id: Mutex::new(Some("a")) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap()).parse().unwrap();
        let serving = Arc::clone(&server);
        let router = Router::new().fallback(async move || {
            serving.asked.fetch_add(1, Ordering::SeqCst);
            let id = *serving.id.lock().unwrap();
            match id {
                Some(id) => {
                    json!({"keys": [{"kid": id, "kty": "RSA", "n": "AQAB", "e": "AQAB"}]}).to_string().into_response()
                }
                None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        });
        tokio::spawn(server::serve(listener, router, std::future::pending(), server::Terms::default()));
        let issuer = Issuer::new(&JwksAt::Url(url), vec![Algorithm::RS256], times).unwrap();
        (server, Arc::new(issuer))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn answer(&self, id: Option<&'static str>) {
        *self.id.lock().unwrap() = id;
    }

    /// Waits until it was asked so often more.
    async fn asked_again(&self, times: usize) {
        let until = self.asked() + times;
        while self.asked() < until {
            yield_now().await;
        }
    }
}

fn has(issuer: &Issuer, id: &str) -> bool {
    issuer.held().is_some_and(|keys| keys.set.find(Some(id), Algorithm::RS256).is_ok())
}

#[tokio::test]
async fn keys_are_fetched_anew_and_stay_while_they_cannot_be() {
    let short = Duration::from_millis(1);
    let (server, issuer) = Server::start(Times { refresh: short, retry: short, ..Times::default() }).await;
    let changes = async {
        while !has(&issuer, "a") {
            yield_now().await;
        }
        server.answer(Some("b"));
        while has(&issuer, "a") {
            yield_now().await;
        }
        assert!(has(&issuer, "b"));
        server.answer(None);
        server.asked_again(5).await;
        assert!(has(&issuer, "b") && issuer.fetching().fault.is_some());
        server.answer(Some("c"));
        while !has(&issuer, "c") {
            yield_now().await;
        }
    };
    tokio::select! {
        () = changes => {}
        () = issuer.keep_up() => unreachable!("it does not end"),
    }
}

#[tokio::test]
async fn keys_that_could_not_be_confirmed_for_long_are_good_no_more() {
    let (server, issuer) = Server::start(Times { keep: Duration::ZERO, ..Times::default() }).await;
    assert!(issuer.keys().await.is_none());
    assert_eq!(server.asked(), 1);
    let (_server, issuer) = Server::start(Times { keep: HOUR, ..Times::default() }).await;
    assert!(issuer.keys().await.is_some());
}

#[tokio::test]
async fn a_fetch_goes_on_when_whoever_began_it_goes_away() {
    let (server, issuer) = Server::start(Times::default()).await;
    assert!(issuer.keys().now_or_never().is_none());
    while issuer.held().is_none() {
        yield_now().await;
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_fetch_that_failed_is_not_tried_again_at_once_and_then_it_is() {
    let (server, issuer) = Server::start(Times { retry_without: HOUR, ..Times::default() }).await;
    server.answer(None);
    for _ in 0..3 {
        assert!(issuer.keys().await.is_none());
    }
    assert_eq!(server.asked(), 1);
    let (server, issuer) = Server::start(Times { retry_without: Duration::ZERO, ..Times::default() }).await;
    server.answer(None);
    assert!(issuer.keys().await.is_none());
    server.answer(Some("a"));
    assert!(issuer.keys().await.is_some());
    assert_eq!((server.asked(), issuer.fetching().fault.as_deref()), (2, None));
}

#[tokio::test]
async fn the_same_text_leaves_what_was_verified_remembered() {
    let (_, issuer) = Server::start(Times { unknown: Duration::ZERO, ..Times::default() }).await;
    let before = issuer.keys().await.unwrap();
    let after = issuer.keys_after_another().await.unwrap();
    assert!(Arc::ptr_eq(&before, &after));
}
