//! What is wrong with a configuration, in words. Never holds a secret's value.

use std::fmt;

use super::keys::Key;

/// Where a setting came from; later ones win.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Set by the command itself, as `sandbox` does.
    Preset,
    /// The path as it was given.
    File(String),
    Environment,
    CommandLine,
}

impl Origin {
    /// The key's name as it is written there.
    pub(super) fn name_of(&self, key: &Key) -> String {
        match self {
            Self::File(_) => format!("[{}] {}", key.section.name(), key.name),
            Self::CommandLine => format!("--{}", key.flag()),
            Self::Environment | Self::Preset => key.variable(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset => formatter.write_str("preset"),
            Self::File(path) => write!(formatter, "file {path}"),
            Self::Environment => formatter.write_str("environment"),
            Self::CommandLine => formatter.write_str("command line"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    name: String,
    origin: Option<Origin>,
    problem: String,
}

impl Fault {
    /// A fault of something that was set.
    pub(super) fn at(name: impl Into<String>, origin: &Origin, problem: impl Into<String>) -> Self {
        Self { name: name.into(), origin: Some(origin.clone()), problem: problem.into() }
    }

    /// A fault between settings, or of what is missing.
    pub(super) fn of(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), origin: None, problem: problem.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(formatter, "{} ({origin}): {}", self.name, self.problem),
            None => write!(formatter, "{}: {}", self.name, self.problem),
        }
    }
}

/// Everything that is wrong, at once, so that nobody has to start the gateway five times to learn of five slips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// The faults one by one, as they are shown.
    pub fn messages(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(formatter, "the configuration is not usable: {only}"),
            faults => {
                write!(formatter, "the configuration has {} faults:", faults.len())?;
                faults.iter().try_for_each(|fault| write!(formatter, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for Faults {}
