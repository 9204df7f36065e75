//! What is fuzzed: everything that reads what somebody else wrote. Each must not panic, hang or answer anything but what is
//! documented, whatever it is given. `fuzz_targets/` runs them under libFuzzer, `tests/it/fuzz.rs` for a moment by proptest.

use std::sync::LazyLock;

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use subject_gateway::{
    app::App,
    config::Config,
    domain::{
        NodeId,
        cursor::{self, Behind, Fingerprint, ListPosition, SubjectPosition},
    },
    sources,
};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// A gateway whose one source can't be reached.
static GATEWAY: LazyLock<(Runtime, App)> = LazyLock::new(|| {
    let config = Config::from_variables([
        ("BRAINSTEM_PORTAL", "public"),
        ("BRAINSTEM_URL", "http://127.0.0.1:9"),
        ("LIMITS_UPSTREAM_TRIES", "1"),
        ("LIMITS_BATCH", "10"),
        ("CACHE_FRESH_MS", "0"),
    ]);
    let config = config.expect("the variables are sound");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    (runtime, App::new(&config).expect("the configuration is sound"))
});

/// Global ids: one that is read is written the same way again.
pub(crate) fn ids(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(id) = NodeId::decode(text) {
        assert_eq!(NodeId::decode(&id.to_string()), Ok(id));
    }
}

/// Cursors: as text, and as the position in one that is of the right list.
pub(crate) fn cursors(data: &[u8]) {
    let list = Fingerprint::of(&"subjects");
    let head = URL_SAFE_NO_PAD.decode(cursor::encode(list, &())).expect("a cursor is base64");
    let framed = URL_SAFE_NO_PAD.encode([&head, data].concat());
    for text in [str::from_utf8(data).unwrap_or_default(), &framed] {
        let _ = cursor::decode::<SubjectPosition>(list, text);
        let _ = cursor::decode::<ListPosition>(list, text);
        let _ = cursor::decode::<Behind>(list, text);
    }
}

/// Upstreams' answers.
pub(crate) fn wire(data: &[u8]) {
    sources::read_anything(data);
}

/// The body of `POST /graphql`: whatever it is, the answer is JSON with data or errors, or both, and every error has a code.
pub(crate) fn body(data: &[u8]) {
    let request = Request::post("/graphql")
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(data.to_vec()))
        .expect("a request");
    let (runtime, app) = &*GATEWAY;
    let bytes = runtime.block_on(async {
        let Ok(response) = app.front().oneshot(request).await;
        to_bytes(response.into_body(), usize::MAX).await.expect("the body is at hand")
    });
    let answer: Value = serde_json::from_slice(&bytes).expect("the answer is JSON");
    let all = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
    for one in all {
        let errors = one["errors"].as_array();
        assert!(errors.is_some() || one["data"].is_object(), "neither data nor errors: {one}");
        for error in errors.into_iter().flatten() {
            let code = error["extensions"]["code"].as_str().expect("every error has a code");
            assert_ne!(code, "INTERNAL", "{one}");
        }
    }
}

/// A document: its limits, and what executes it.
pub(crate) fn document(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    body(json!({ "query": text }).to_string().as_bytes());
}
