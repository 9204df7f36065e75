//! An upstream of a few lines, for answers that the sandbox does not give.

use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::Request, response::Response};
use serde_json::Value;
use tokio::{net::TcpListener, task::AbortHandle};

/// A server that answers every request the same way and remembers their targets.
pub(crate) struct Double {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
    serving: AbortHandle,
}

impl Double {
    /// Answers with what `answer` makes of a request's target.
    pub(crate) async fn serve(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&requests);
        let router = Router::new().fallback(move |request: Request| {
            let target = request.uri().to_string();
            log.lock().unwrap().push(target.clone());
            let response = answer(&target);
            async move { response }
        });
        let serving = tokio::spawn(axum::serve(listener, router).into_future()).abort_handle();
        Self { url, requests, serving }
    }

    /// Answers 200 with JSON.
    pub(crate) async fn json(answer: impl Fn(&str) -> Value + Clone + Send + Sync + 'static) -> Self {
        Self::serve(move |target| Response::new(answer(target).to_string().into())).await
    }

    /// The targets so far, in order of arrival.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
