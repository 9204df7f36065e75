//! What every client of other servers begins with. Knows nothing of whom it talks to.

use reqwest::{Certificate, Client, ClientBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use url::Url;

/// A client for the server of this URL: it follows no redirect, repeats nothing, goes by no proxy, and speaks TLS wherever the URL
/// says so. `root`: a certificate to trust beside the system's.
///
/// # Errors
///
/// None that the machine it runs on has a part in.
pub fn builder(url: &Url, root: Option<Certificate>) -> anyhow::Result<ClientBuilder> {
    let builder = Client::builder()
        .user_agent(concat!("subject-gateway/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        // Whether a request may go again is decided by whoever sends it.
        .retry(reqwest::retry::never())
        .no_proxy();
    let provider = ring::default_provider();
    Ok(if url.scheme() == "https" {
        // Already installed by another client of this process: the same one.
        provider.install_default().ok();
        builder.tls_backend_rustls().tls_certs_merge(root).https_only(true)
    } else {
        // Without TLS no root certificates have to be there.
        let unused = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        builder.tls_backend_preconfigured(unused)
    })
}

/// # Errors
///
/// For an https URL on a machine without root certificates.
pub fn build(builder: ClientBuilder) -> anyhow::Result<Client> {
    builder.build().map_err(|error| {
        anyhow::Error::new(error.without_url())
            .context("TLS can't be set up; are root certificates (ca-certificates) installed?")
    })
}
