//! What is in effect, for people: each key's text and where it came from. Knows no meaning of a value, and never holds a secret.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use ahash::RandomState;
use toml::Value;

use super::{
    Auth, Config,
    fault::Origin,
    keys::{Fallback, KEYS, Key, Kind, Section},
    settings::Settings,
};

/// The settings that a [`Config`] was made of.
#[derive(Clone)]
pub struct Effective {
    entries: Vec<Entry>,
    /// Sections that nothing is made of.
    idle: Vec<Section>,
    files: Vec<PathBuf>,
}

#[derive(Clone)]
struct Entry {
    key: &'static Key,
    shown: Shown,
    /// `None`: the default.
    origin: Option<Origin>,
    /// Tells another value, also of what is not shown.
    print: u64,
}

#[derive(Clone)]
enum Shown {
    Text(String),
    Secret,
    Unset,
}

impl Effective {
    pub(super) fn of(settings: &Settings, config: &Config) -> Self {
        let gateway = &config.gateway;
        let is_idle = |section: &Section| match section {
            Section::ApiKeys => !matches!(gateway.auth, Auth::ApiKey(_)),
            Section::Jwt => !matches!(gateway.auth, Auth::Jwt(_)),
            Section::HautAi => config.haut_ai.is_none(),
            Section::BrainStem => config.brainstem.is_none(),
            _ => false,
        };
        let manifest = gateway.persisted.manifest.as_ref().map(|file| PathBuf::from(&file.path));
        Self {
            entries: KEYS.iter().map(|key| Entry::of(key, settings, config)).collect(),
            idle: Section::ALL.into_iter().filter(is_idle).collect(),
            files: settings.file.iter().cloned().chain(manifest).collect(),
        }
    }

    /// The files whose change asks for a reload: the configuration's own and the manifest's. Files of keys are looked after where
    /// they are used.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The keys whose value is another one here. Of a file that holds a secret its text counts, too.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'static Key> + 'a {
        let pairs = self.entries.iter().zip(&other.entries);
        pairs.filter(|(own, other)| own.print != other.print).map(|(own, _)| own.key)
    }

    /// As a configuration file that says the same, but for secrets, with the origin of each value behind it.
    pub fn to_toml(&self) -> String {
        let mut text = format!(
            "# The configuration that subject-gateway {} goes by, with where each value is from. Secrets are not shown.\n",
            env!("CARGO_PKG_VERSION")
        );
        for section in Section::ALL {
            if self.idle.contains(&section) {
                let _ = writeln!(text, "\n# [{}] is not used.", section.name());
                continue;
            }
            let _ = writeln!(text, "\n[{}]", section.name());
            for entry in self.entries.iter().filter(|entry| entry.key.section == section) {
                text.push_str(&entry.line());
                text.push('\n');
            }
        }
        text
    }
}

impl Entry {
    fn of(key: &'static Key, settings: &Settings, config: &Config) -> Self {
        let setting = settings.get(key);
        let text = setting.map(|setting| setting.text.clone()).or_else(|| default_of(key, config));
        Self {
            key,
            print: print(key, text.as_deref()),
            shown: match text {
                Some(_) if key.kind.is_secret() => Shown::Secret,
                Some(text) => Shown::Text(text),
                None => Shown::Unset,
            },
            origin: setting.map(|setting| setting.origin.clone()),
        }
    }

    fn line(&self) -> String {
        let name = self.key.name;
        let origin = match &self.origin {
            None => "default".to_owned(),
            Some(Origin::File(path)) => format!("file {path}"),
            Some(origin @ Origin::Environment) => format!("environment {}", origin.name_of(self.key)),
            Some(origin @ Origin::CommandLine) => format!("flag {}", origin.name_of(self.key)),
            Some(Origin::Preset) => "preset".to_owned(),
        };
        // A path may have any character in it; a comment ends with its line.
        let origin = origin.replace(char::is_control, "\u{fffd}");
        match &self.shown {
            Shown::Text(text) => format!("{name} = {} # {origin}", value(self.key.kind, text)),
            Shown::Secret => format!("# {name} is set and not shown ({origin})"),
            Shown::Unset => format!("# {name} is not set: {}", self.key.default_in_words()),
        }
    }
}

/// What holds where nobody set the key.
fn default_of(key: &Key, config: &Config) -> Option<String> {
    match key.fallback {
        Fallback::Value(text) => Some(text.to_owned()),
        // These follow from another key.
        Fallback::Nothing(_) => match key.path().as_str() {
            "gateway.playground" => Some(config.gateway.playground.to_string()),
            "gateway.introspection" => Some(config.gateway.introspection.to_string()),
            _ => None,
        },
    }
}

/// In TOML.
fn value(kind: Kind, text: &str) -> String {
    let number = || text.parse().map(Value::Integer).ok();
    let value = match kind {
        Kind::Millis { .. } | Kind::Count { .. } => number(),
        Kind::Switch => text.to_ascii_lowercase().parse().map(Value::Boolean).ok(),
        _ => None,
    };
    value.unwrap_or_else(|| Value::String(text.to_owned())).to_string()
}

/// A number for a value, another one in each process, which says nothing of it.
fn print(key: &Key, text: Option<&str>) -> u64 {
    static NUMBERS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let held = match (key.kind, text) {
        (Kind::SecretFile, Some(path)) => std::fs::read(Path::new(path)).ok(),
        _ => None,
    };
    NUMBERS.hash_one((text, held))
}
