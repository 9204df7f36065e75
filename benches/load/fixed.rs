//! The limit: an axum handler that reads the request and answers with bytes that it has. Knows nothing of what they are.

use std::{net::SocketAddr, path::Path};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    response::IntoResponse as _,
    routing::post,
};
use tokio::net::TcpListener;

/// How the name of a body's file ends when it is compressed.
pub(crate) const GZIP: &str = ".gz";

/// Serves every file of a folder under its name.
pub(crate) async fn serve(address: SocketAddr, folder: &Path) -> anyhow::Result<()> {
    let mut router = Router::new();
    for file in folder.read_dir().context("the bodies cannot be read")? {
        let file = file?;
        let name = file.file_name().into_string().ok().context("a file's name is no text")?;
        let body = Bytes::from(std::fs::read(file.path())?);
        let encoding = if name.ends_with(GZIP) { "gzip" } else { "identity" };
        // The request is read as the gateway has to read it.
        let handler = async move |_: Bytes| {
            let headers = [(CONTENT_TYPE, "application/json; charset=utf-8"), (CONTENT_ENCODING, encoding)];
            (headers, body).into_response()
        };
        router = router.route(&format!("/{name}"), post(handler));
    }
    axum::serve(TcpListener::bind(address).await?, router).await?;
    Ok(())
}
