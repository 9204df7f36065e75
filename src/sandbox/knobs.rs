//! What a test or bench can change about an upstream while it serves.

use std::time::Duration;

/// How one upstream behaves. The default is the behaviour that its documentation describes.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a knob by itself")]
pub struct Knobs {
    /// Waited before each answer.
    pub latency: Duration,
    /// Larger `page_size`, `limit` and `per_page` are cut to this without a word.
    pub page_cap: usize,
    /// BrainSTEM: where the total of a list stands.
    pub totals: Totals,
    /// BrainSTEM: which parameters page a list.
    pub paging: Paging,
    /// BrainSTEM: `include[]` embeds the records in place of their ids instead of sideloading them.
    pub nested_include: bool,
    /// BrainSTEM: sideloaded lists stand before the primary list.
    pub primary_last: bool,
    /// BrainSTEM: the primary list stands under this key.
    pub list_key: Option<String>,
    /// BrainSTEM: how `sort[]` and comparing filters order text.
    pub collation: Collation,
    /// BrainSTEM: ascending order begins with nulls, descending order ends with them.
    pub nulls_first: bool,
    /// Haut.AI: GET of one subject answers 405.
    pub detail_405: bool,
    /// Haut.AI: the shape of the dictionary of biological sexes.
    pub dictionary: Dictionary,
    /// Haut.AI: more logins than this within a minute answer 429.
    pub login_limit: Option<usize>,
    /// Kept-alive connections that are idle for this long are closed.
    pub close_idle_after: Option<Duration>,
    /// Answers that go wrong; the first that matches a request wins.
    pub faults: Vec<Fault>,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            page_cap: 100,
            totals: Totals::Count,
            paging: Paging::LimitOffset,
            nested_include: false,
            primary_last: false,
            list_key: None,
            collation: Collation::CodePoint,
            nulls_first: false,
            detail_405: false,
            dictionary: Dictionary::List,
            login_limit: None,
            close_idle_after: None,
            faults: Vec::new(),
        }
    }
}

impl Knobs {
    /// What a server from before BrainSTEM's renaming does.
    pub(super) fn legacy() -> Self {
        Self { totals: Totals::MetaTotalResults, paging: Paging::PagePerPage, ..Self::default() }
    }

    /// Takes the fault that meets a request, counting down its `times`.
    pub(super) fn take_fault(&mut self, method: &str, path: &str, query: &str) -> Option<FaultKind> {
        let fault = self.faults.iter_mut().find_map(|fault| fault.meets(method, path, query).then_some(fault))?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.what.clone())
    }
}

/// Where the total of a BrainSTEM list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totals {
    /// `count`, with `next` and `previous` beside it.
    Count,
    /// `meta.count`
    MetaCount,
    /// `meta.total_results`
    MetaTotalResults,
    /// In no place; neither are `next` and `previous`.
    Nowhere,
}

/// Which parameters page a BrainSTEM list; the others are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `limit` and `offset`
    LimitOffset,
    /// `page` and `per_page`; past the end is 404.
    PagePerPage,
}

/// How text is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    /// By code point, as a database with the C collation does.
    CodePoint,
    /// Upper and lower case fall together, as in most other collations.
    IgnoreCase,
    /// Code points from the last to the first: agrees with no client's own order.
    Reversed,
}

/// The shape of Haut.AI's dictionary of biological sexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dictionary {
    /// A bare list.
    List,
    /// `{"results": […]}`
    Results,
    /// 404
    Missing,
}

/// Which requests go wrong, how often and in what way.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Only requests of this method.
    pub method: Option<String>,
    /// Only requests whose path contains this.
    pub path_contains: Option<String>,
    /// Only requests whose query contains this, before or after percent-decoding.
    pub query_contains: Option<String>,
    /// How many requests go wrong; `None`: all.
    pub times: Option<usize>,
    /// Of so many matching requests the last goes wrong; 1: each does.
    pub every: usize,
    /// Matching requests since the last one that went wrong.
    passed: usize,
    /// What happens to them.
    pub what: FaultKind,
}

impl Fault {
    /// A fault that meets every request, for ever.
    pub fn new(what: FaultKind) -> Self {
        Self { method: None, path_contains: None, query_contains: None, times: None, every: 1, passed: 0, what }
    }

    /// Restricts the fault to requests of one method.
    #[must_use]
    pub fn on_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Restricts the fault to requests whose path contains a text.
    #[must_use]
    pub fn on_path(mut self, text: &str) -> Self {
        self.path_contains = Some(text.to_owned());
        self
    }

    /// Restricts the fault to requests whose query contains a text.
    #[must_use]
    pub fn on_query(mut self, text: &str) -> Self {
        self.query_contains = Some(text.to_owned());
        self
    }

    /// Restricts the fault to the first matching requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Restricts the fault to each second, third, … of the matching requests.
    #[must_use]
    pub fn every(mut self, every: usize) -> Self {
        self.every = every;
        self
    }

    /// Whether it is the turn of this request, which is counted.
    fn meets(&mut self, method: &str, path: &str, query: &str) -> bool {
        if !self.matches(method, path, query) {
            return false;
        }
        self.passed += 1;
        let is_its_turn = self.passed >= self.every;
        if is_its_turn {
            self.passed = 0;
        }
        is_its_turn
    }

    fn matches(&self, method: &str, path: &str, query: &str) -> bool {
        let in_query = |text: &String| {
            query.contains(text)
                || url::form_urlencoded::parse(query.as_bytes())
                    .any(|(name, value)| format!("{name}={value}").contains(text))
        };
        self.times != Some(0)
            && self.method.as_ref().is_none_or(|only| only.eq_ignore_ascii_case(method))
            && self.path_contains.as_ref().is_none_or(|text| path.contains(text))
            && self.query_contains.as_ref().is_none_or(in_query)
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// This status, body (JSON or text) and headers in place of the answer.
    Status(u16, String, Vec<(String, String)>),
    /// An HTML page with this status.
    Html(u16),
    /// No answer until the client goes away.
    Hang,
    /// The connection is closed without an answer.
    Reset,
    /// The answer breaks off in the middle of its body.
    Truncate,
    /// The body comes byte by byte, with this pause between them.
    SlowBytes(Duration),
    /// 200 and a JSON body of this many bytes, its length not announced.
    HugeBody(u64),
    /// 302 to this address.
    Redirect(String),
    /// 200 and a body that is not JSON although it says so.
    Malformed,
    /// The answer comes this much later.
    Delay(Duration),
    /// Haut.AI: access tokens from logins so far are no longer valid from here on.
    ExpireLogins,
}
