//! `GraphiQL` at `/graphiql`, embedded by `build.rs`, under a policy that lets the page talk to this server alone.
//!
//! A build without npm or without a network has no files to embed: its page loads the same files from a CDN, each
//! named in the policy and checked by the browser against its hash. Knows nothing of the schema but the queries that
//! the page starts with.

mod file;

use std::fmt::Write as _;

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    routing::get,
};
use file::File;

/// What the build made of `playground/integrity.json`.
struct Table {
    /// In the order in which the page loads them.
    assets: &'static [Asset],
    licenses: Option<Bytes>,
}

/// A file of `GraphiQL` or React.
struct Asset {
    name: &'static str,
    /// Package, version and path, as npm and the CDN name them.
    source: &'static str,
    integrity: &'static str,
    /// `None`: not embedded in this build.
    bytes: Option<Bytes>,
}

/// Compressed when the gateway was built: it is the same for every browser.
#[derive(Clone, Copy)]
struct Bytes {
    plain: &'static [u8],
    gzip: &'static [u8],
}

const TABLE: Table = include!(concat!(env!("OUT_DIR"), "/playground.rs"));

const CDN: &str = "https://cdn.jsdelivr.net/npm/";

const TEMPLATE: &str = include_str!("../../playground/index.html");

const START_UP: &str = include_str!("../../playground/app.js");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The queries that the page opens with, one a tab. They run against the gateway's own schema.
pub const QUERIES: [&str; 7] = [
    include_str!("../../playground/queries/first-look.graphql"),
    include_str!("../../playground/queries/find.graphql"),
    include_str!("../../playground/queries/next-page.graphql"),
    include_str!("../../playground/queries/relations.graphql"),
    include_str!("../../playground/queries/write.graphql"),
    include_str!("../../playground/queries/subscribe.graphql"),
    include_str!("../../playground/queries/sources.graphql"),
];

/// Whether the page works offline, which is whether the build had npm and a network.
pub const fn is_embedded() -> bool {
    TABLE.licenses.is_some()
}

/// The page and every file that it loads from this server. Its addresses are relative: a proxy may put a prefix before
/// them, as long as `/graphql` gets the same one.
pub fn routes() -> Router {
    let start_up = File::of_text("app.js", JAVASCRIPT, START_UP.to_owned());
    let page = Page::new(&TABLE, &start_up);
    let mut router = Router::new().route(
        "/graphiql",
        get(async move |uri: Uri, headers: HeaderMap| (page.headers, page.file.respond(&uri, &headers))),
    );
    for file in TABLE.files().chain([start_up]) {
        let path = format!("/graphiql/{}", file.name);
        router = router.route(&path, get(async move |uri: Uri, headers: HeaderMap| file.respond(&uri, &headers)));
    }
    router
}

impl Table {
    fn files(&self) -> impl Iterator<Item = File> {
        let licenses = self.licenses.map(|bytes| File::embedded("licenses.txt", bytes, env!("CARGO_PKG_VERSION")));
        self.assets
            .iter()
            .filter_map(|asset| Some(File::embedded(asset.name, asset.bytes?, asset.integrity)))
            .chain(licenses)
    }
}

impl Asset {
    /// Where the page finds it, and the attributes that let the browser check what it got.
    fn attributes(&self) -> (String, String) {
        match self.bytes {
            Some(bytes) => (File::embedded(self.name, bytes, self.integrity).address(), String::new()),
            None => (
                format!("{CDN}{}", self.source),
                format!(" integrity=\"{}\" crossorigin=\"anonymous\"", self.integrity),
            ),
        }
    }

    fn tag(&self) -> String {
        let Self { name, .. } = self;
        let (address, check) = self.attributes();
        if is_stylesheet(name) {
            format!("<link rel=\"stylesheet\" data-file=\"{name}\" href=\"{address}\"{check}>\n")
        } else {
            format!("<script defer data-file=\"{name}\" src=\"{address}\"{check}></script>\n")
        }
    }
}

/// The HTML and the headers that belong to it alone.
#[derive(Clone)]
struct Page {
    file: File,
    headers: [(HeaderName, HeaderValue); 2],
}

impl Page {
    fn new(table: &Table, start_up: &File) -> Self {
        let mut files: String = table.assets.iter().map(Asset::tag).collect();
        if table.licenses.is_some() {
            files.push_str("<link rel=\"license\" href=\"graphiql/licenses.txt\">\n");
        }
        // Last, since deferred scripts run in the order of their tags.
        let _ = write!(files, "<script defer src=\"{}\"></script>", start_up.address());
        let html = TEMPLATE.replace("<!-- files -->", &files).replace("<!-- tabs -->", &tabs());
        let policy = HeaderValue::try_from(policy(table)).expect("the CDN's addresses are ASCII");
        Self {
            file: File::of_text("graphiql", "text/html; charset=utf-8", html),
            headers: [
                (header::CONTENT_SECURITY_POLICY, policy),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            ],
        }
    }
}

/// What `GraphiQL` opens with, as JSON that cannot end the script element it stands in.
fn tabs() -> String {
    let tabs = QUERIES.map(|query| {
        let variables = query.contains("$after").then_some("{\n  \"first\": 5,\n  \"after\": null\n}");
        serde_json::json!({ "query": query, "variables": variables })
    });
    serde_json::Value::from_iter(tabs).to_string().replace('<', "\\u003c")
}

/// Everything from here, nothing from elsewhere. `GraphiQL` sets inline styles and its stylesheet carries its fonts; it
/// starts no workers.
fn policy(table: &Table) -> String {
    let (mut scripts, mut styles) = (String::new(), String::new());
    for asset in table.assets.iter().filter(|asset| asset.bytes.is_none()) {
        // The whole address, not the origin: that serves every package there is.
        let sources = if is_stylesheet(asset.name) { &mut styles } else { &mut scripts };
        let _ = write!(sources, " {CDN}{}", asset.source);
    }
    format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'{styles}; \
         font-src 'self' data:; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

fn is_stylesheet(name: &str) -> bool {
    media_type(name).starts_with("text/css")
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => JAVASCRIPT,
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of a build that had no npm.
    fn without_npm() -> Page {
        let assets: Vec<Asset> = TABLE
            .assets
            .iter()
            .map(|&Asset { name, source, integrity, .. }| Asset { name, source, integrity, bytes: None })
            .collect();
        let start_up = File::of_text("app.js", JAVASCRIPT, START_UP.to_owned());
        Page::new(&Table { assets: assets.leak(), licenses: None }, &start_up)
    }

    #[test]
    fn without_npm_the_page_names_the_cdn_with_hashes() {
        let html = without_npm().file.text();
        for asset in TABLE.assets {
            let tag = html.lines().find(|line| line.contains(&format!("\"{}\"", asset.name))).unwrap();
            assert!(tag.contains(&format!("\"{CDN}{}\"", asset.source)), "{tag}");
            assert!(tag.contains(&format!("integrity=\"{}\" crossorigin=\"anonymous\"", asset.integrity)), "{tag}");
        }
    }

    #[test]
    fn without_npm_the_policy_names_the_cdn_and_no_other_origin() {
        let page = without_npm();
        let policy = page.headers[0].1.to_str().unwrap();
        let origins: Vec<&str> = policy.split([' ', ';']).filter(|word| word.contains("//")).collect();
        assert_eq!(origins.len(), TABLE.assets.len(), "{policy}");
        assert!(origins.iter().all(|origin| origin.starts_with(CDN)), "{policy}");
    }

    #[test]
    fn the_queries_cannot_end_the_element_they_stand_in() {
        assert!(!tabs().contains('<'));
    }

    #[test]
    fn the_cdn_serves_the_versions_that_npm_installs() {
        let manifest: serde_json::Value = serde_json::from_str(include_str!("../../playground/package.json")).unwrap();
        for asset in TABLE.assets {
            let (package, rest) = asset.source.split_once('@').unwrap();
            let (version, _) = rest.split_once('/').unwrap();
            assert_eq!(manifest["dependencies"][package], version, "{package}");
        }
    }
}
