//! The playground: what the page names is there, and nothing comes from elsewhere.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use subject_gateway::http::playground;
use tower::ServiceExt as _;

async fn get(path: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let response = playground::routes()
        .oneshot(request.body(Body::empty()).expect("a valid request"))
        .await
        .expect("routes do not fail");
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, to_bytes(body, usize::MAX).await.expect("a body in memory"))
}

async fn page() -> String {
    let (status, _, body) = get("/graphiql", &[]).await;
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body.to_vec()).expect("HTML is UTF-8")
}

/// Every address in an attribute `href` or `src`.
fn addresses(html: &str) -> Vec<&str> {
    ["href=\"", "src=\""]
        .into_iter()
        .flat_map(|attribute| html.split(attribute).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|address| !address.starts_with("data:"))
        .collect()
}

/// Those that this server answers; the others are the CDN's, in a build without npm.
async fn own_addresses() -> Vec<String> {
    let html = page().await;
    addresses(&html).into_iter().filter(|a| !a.contains("//")).map(|a| format!("/{a}")).collect()
}

#[tokio::test]
async fn every_file_that_the_page_names_is_served() {
    let addresses = own_addresses().await;
    assert_eq!(addresses.len(), if playground::is_embedded() { 6 } else { 1 }, "{addresses:?}");
    for address in addresses {
        let (status, headers, body) = get(&address, &[]).await;
        assert_eq!(status, StatusCode::OK, "{address}");
        assert!(!body.is_empty(), "{address}");
        let expected = match address.split('?').next().unwrap().rsplit('.').next() {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!(headers[header::CONTENT_TYPE], expected, "{address}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{address}");
        let is_versioned = address.contains("?v=");
        assert_eq!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), is_versioned, "{address}");
    }
}

#[tokio::test]
async fn an_address_of_another_version_is_not_kept() {
    let (status, headers, _) = get("/graphiql/app.js?v=older", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
}

#[tokio::test]
async fn the_page_is_closed_to_the_outside() {
    let (_, headers, _) = get("/graphiql", &[]).await;
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    for directive in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{directive} is not in {policy}");
    }
    assert!(!policy.contains("unsafe-eval"), "{policy}");
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(headers[header::CACHE_CONTROL], "no-cache");
    if playground::is_embedded() {
        assert!(!policy.contains("//"), "{policy}");
    }
}

#[tokio::test]
async fn an_embedded_page_names_nothing_outside() {
    let html = page().await;
    assert!(html.contains("<title>subject-gateway</title>"));
    assert!(html.contains("<noscript>"));
    if playground::is_embedded() {
        assert!(!html.contains("//"), "{html}");
    }
}

#[tokio::test]
async fn the_page_opens_with_the_example_queries() {
    let html = page().await;
    let (_, rest) = html.split_once("id=\"tabs\">").unwrap();
    let (tabs, _) = rest.split_once("</script>").unwrap();
    let tabs: Vec<serde_json::Value> = serde_json::from_str(tabs).unwrap();
    let queries: Vec<&str> = tabs.iter().map(|tab| tab["query"].as_str().unwrap()).collect();
    assert_eq!(queries, playground::QUERIES);
    for query in queries {
        async_graphql::parser::parse_query(query).unwrap();
    }
}

#[tokio::test]
async fn what_the_browser_has_is_not_sent_again() {
    for address in own_addresses().await.into_iter().chain(["/graphiql".to_owned()]) {
        let (_, headers, _) = get(&address, &[]).await;
        let tag = headers[header::ETAG].to_str().unwrap();
        let (status, again, body) = get(&address, &[(header::IF_NONE_MATCH, &format!("\"other\", {tag}"))]).await;
        assert_eq!(status, StatusCode::NOT_MODIFIED, "{address}");
        assert!(body.is_empty(), "{address}");
        assert_eq!(again[header::ETAG], tag, "{address}");

        let (status, ..) = get(&address, &[(header::IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!(status, StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn embedded_files_are_compressed_for_those_who_take_it() {
    for address in own_addresses().await.iter().filter(|address| !address.contains("app.js")) {
        let (_, headers, plain) = get(address, &[]).await;
        assert!(!headers.contains_key(header::CONTENT_ENCODING), "{address}");
        assert_eq!(headers[header::VARY], "accept-encoding", "{address}");

        let (_, headers, packed) = get(address, &[(header::ACCEPT_ENCODING, "br, gzip")]).await;
        assert_eq!(headers[header::CONTENT_ENCODING], "gzip", "{address}");
        assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len(), "{address}");
    }
}
