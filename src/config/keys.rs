//! The table of keys: what the file, the environment, the command line, the help and the documentation are made from.
//! Knows names and words only; `values` knows how a key's text becomes a value.

mod live;
mod table;

use std::fmt::Write as _;

pub use self::table::KEYS;

/// A group of keys: a TOML table, the first words of a variable and of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Gateway,
    ApiKeys,
    Jwt,
    HautAi,
    BrainStem,
    Cache,
    Redis,
    Limits,
    Metrics,
}

impl Section {
    /// In the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Gateway,
        Self::ApiKeys,
        Self::Jwt,
        Self::HautAi,
        Self::BrainStem,
        Self::Cache,
        Self::Redis,
        Self::Limits,
        Self::Metrics,
    ];

    /// The TOML table's name; in capitals, the prefix of the variables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::ApiKeys => "api_keys",
            Self::Jwt => "jwt",
            Self::HautAi => "haut_ai",
            Self::BrainStem => "brainstem",
            Self::Cache => "cache",
            Self::Redis => "redis",
            Self::Limits => "limits",
            Self::Metrics => "metrics",
        }
    }

    /// The heading in the help and the documentation.
    pub fn title(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::ApiKeys => "API keys",
            Self::Jwt => "JWTs",
            Self::HautAi => "Haut.AI",
            Self::BrainStem => "BrainSTEM",
            Self::Cache => "Cache",
            Self::Redis => "Redis",
            Self::Limits => "Limits",
            Self::Metrics => "Metrics",
        }
    }

    /// Whether the section describes an upstream.
    pub fn is_source(self) -> bool {
        matches!(self, Self::HautAi | Self::BrainStem)
    }
}

/// What kind of value a key takes: decides how its text is read and how an error describes it.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Listen,
    Switch,
    Choice(&'static [&'static str]),
    /// One or several of these words.
    Choices(&'static [&'static str]),
    Millis {
        min: u64,
        max: u64,
    },
    Count {
        min: u64,
        max: u64,
        unit: &'static str,
    },
    Url,
    /// Where a set of keys is.
    JwksUrl,
    Text,
    Texts,
    /// Names as GraphQL has them.
    Names,
    Uuid,
    Uuids,
    ApiPath,
    Hosts,
    Origins,
    LogFilter,
    /// A secret that travels in a header.
    Token,
    /// Any other secret.
    Secret,
    /// Where a Redis is, with what it takes to be let in.
    RedisUrls,
    /// A secret of 32 bytes.
    EncryptionKey,
    /// A file that holds the secret of the same name without `_file`.
    SecretFile,
    /// A file whose text is read at the start.
    TextFile,
}

impl Kind {
    /// What a value should have been, for errors and the documentation.
    pub fn expected(self) -> String {
        match self {
            Self::Listen => "an address and port such as 127.0.0.1:8080 or [::1]:8080".into(),
            Self::Switch => "true or false".into(),
            Self::Choice([only]) => format!("`{only}`"),
            Self::Choice(words) => {
                format!("one of {}", quoted(words))
            }
            Self::Choices(words) => format!("one or several of {}, separated by commas", quoted(words)),
            Self::Millis { min, max } => {
                format!("a whole number of milliseconds from {min} to {max}")
            }
            Self::Count { min, max, unit } => {
                format!("a whole number of {unit} from {min} to {max}")
            }
            Self::Url => "an http or https URL without credentials, query, fragment or API path".into(),
            Self::JwksUrl => "an https URL, or an http one on loopback, without credentials and fragment".into(),
            Self::Text => "some text without spaces".into(),
            Self::Texts => "texts without spaces, separated by commas".into(),
            Self::Names => "at most 500 names of operations, separated by commas".into(),
            Self::Uuid => "a UUID".into(),
            Self::Uuids => "UUIDs separated by commas".into(),
            Self::ApiPath => "a relative path such as api/v1/things/".into(),
            Self::Hosts => "host names or addresses, without scheme and port, separated by commas".into(),
            Self::Origins => "origins such as https://app.example.org, or `localhost`, separated by commas".into(),
            Self::LogFilter => "a tracing filter such as info or subject_gateway=debug,warn".into(),
            Self::Token => "visible ASCII characters without spaces".into(),
            Self::Secret => "some text".into(),
            Self::RedisUrls => {
                "a URL such as redis://redis:6379 or rediss://user:password@redis:6380/0, or several of one Cluster, separated by commas".into()
            }
            Self::EncryptionKey => "32 bytes in base64, such as `openssl rand -base64 32` makes".into(),
            Self::SecretFile => "the path of a readable text file that is not empty".into(),
            Self::TextFile => "the path of a readable text file".into(),
        }
    }

    /// The word that stands for the value in the help.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Listen => "ADDRESS",
            Self::Switch => "BOOL",
            Self::Choice(_) => "CHOICE",
            Self::Choices(_) => "CHOICES",
            Self::Millis { .. } => "MS",
            Self::Count { .. } => "NUMBER",
            Self::Url | Self::JwksUrl | Self::RedisUrls => "URL",
            Self::Text => "TEXT",
            Self::Texts => "TEXTS",
            Self::Names => "NAMES",
            Self::Uuid => "UUID",
            Self::Uuids => "UUIDS",
            Self::ApiPath | Self::SecretFile | Self::TextFile => "PATH",
            Self::Hosts => "HOSTS",
            Self::Origins => "ORIGINS",
            Self::LogFilter => "FILTER",
            Self::Token | Self::Secret | Self::EncryptionKey => "SECRET",
        }
    }

    /// Whether a value may have several items.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Choices(_) | Self::Texts | Self::Names | Self::Uuids | Self::Hosts | Self::Origins)
    }

    /// Whether a value must never be shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Token | Self::Secret | Self::RedisUrls | Self::EncryptionKey)
    }
}

fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// What holds when a key is not set.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// This text, read as if somebody had set it.
    Value(&'static str),
    /// Nothing; the words say what that means.
    Nothing(&'static str),
}

/// One thing that can be configured.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub section: Section,
    pub name: &'static str,
    pub kind: Kind,
    pub fallback: Fallback,
    pub help: &'static str,
}

impl Key {
    /// The environment variable, `SECTION_KEY`.
    pub fn variable(&self) -> String {
        format!("{}_{}", self.section.name(), self.name).to_uppercase()
    }

    /// The flag without its dashes, `section-key`.
    pub fn flag(&self) -> String {
        format!("{}-{}", self.section.name(), self.name).replace('_', "-")
    }

    /// `section.key`: how the code names it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section.name(), self.name)
    }

    /// The default in words.
    pub fn default_in_words(&self) -> String {
        match self.fallback {
            Fallback::Value("") => "none".into(),
            Fallback::Value(value) => format!("`{value}`"),
            Fallback::Nothing(words) => words.into(),
        }
    }
}

/// The key with this `section.key`.
///
/// Panics when the table has no such key: a slip in this crate, which any start of the gateway would show.
pub fn key(path: &str) -> &'static Key {
    let found = KEYS.iter().find(|key| key.path() == path);
    found.unwrap_or_else(|| panic!("no key `{path}` in the table"))
}

/// The documentation's tables, one a section.
pub fn markdown() -> String {
    let mut text = String::new();
    for section in Section::ALL {
        let _ = write!(text, "### {} (`[{}]`)\n\n", section.title(), section.name());
        text.push_str("| variable | flag | default | takes | |\n| --- | --- | --- | --- | --- |\n");
        for key in KEYS.iter().filter(|key| key.section == section) {
            let (variable, flag) = (key.variable(), key.flag());
            let (default, expected, help) = (key.default_in_words(), key.kind.expected(), key.help);
            let secret = if key.kind.is_secret() { " Secret." } else { "" };
            let live = if key.is_live() { " *Reloads.*" } else { "" };
            let _ = writeln!(text, "| `{variable}` | `--{flag}` | {default} | {expected} | {help}{secret}{live} |");
        }
        text.push('\n');
    }
    text
}
