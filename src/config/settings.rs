//! Gathers the settings' texts from the file, the environment and the command line. Does not know what they mean.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use super::{
    fault::{Fault, Origin},
    file,
    keys::{KEYS, Key, Section},
    traces::{self, Traces},
};

/// The variable that names the configuration file.
pub(super) const CONFIG_VARIABLE: &str = "GATEWAY_CONFIG";

/// Everything a configuration is read from. Built by the command line, and by tests without touching the process.
#[derive(Clone, Default)]
pub struct Input {
    /// What the command itself sets; the weakest.
    pub presets: Vec<(&'static Key, String)>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Variables and values; [`process_environment`](super::process_environment) or a test's own.
    pub environment: Vec<(OsString, OsString)>,
    pub flags: Vec<(&'static Key, String)>,
    /// Leaves out what the file and the environment say about the sources: a sandbox brings its own, and must never
    /// reach for real ones because of a variable left in a shell.
    pub ignore_sources: bool,
}

/// One setting's text.
pub(super) struct Setting {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// What was set, by `section.key`; the strongest origin of each.
#[derive(Default)]
pub(super) struct Settings {
    by_path: BTreeMap<String, Setting>,
    /// The configuration file, if one was named.
    pub(super) file: Option<PathBuf>,
    /// What OpenTelemetry's variables say.
    pub(super) traces: Option<Traces>,
    pub(super) faults: Vec<Fault>,
}

impl Settings {
    /// Reads all of the input.
    pub(super) fn gather(input: Input) -> Self {
        let mut settings = Self::default();
        for (key, text) in input.presets {
            settings.set(key, text, Origin::Preset);
        }
        match traces::read(&input.environment) {
            Ok(traces) => settings.traces = traces,
            Err(faults) => settings.faults.extend(faults),
        }
        let environment = settings.text_of(input.environment);
        let named = environment.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty());
        let path = input.file.or_else(|| named.map(|(_, value)| PathBuf::from(value)));
        if let Some(path) = path {
            file::read(&path, input.ignore_sources, &mut settings);
            settings.file = Some(path);
        }
        settings.take_environment(&environment, input.ignore_sources);
        for (key, text) in input.flags {
            settings.set(key, text, Origin::CommandLine);
        }
        settings
    }

    pub(super) fn set(&mut self, key: &'static Key, text: String, origin: Origin) {
        self.by_path.insert(key.path(), Setting { text, origin });
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Setting> {
        self.by_path.get(&key.path())
    }

    /// The keys of a section that somebody set, in the table's order.
    pub(super) fn of_section(&self, section: Section) -> impl Iterator<Item = (&'static Key, &Setting)> {
        KEYS.iter().filter(move |key| key.section == section).filter_map(|key| Some((key, self.get(key)?)))
    }

    /// Variables of ours as text; one that is not UTF-8 is a fault.
    fn text_of(&mut self, environment: Vec<(OsString, OsString)>) -> Vec<(String, String)> {
        let named = environment.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let mut pairs = Vec::new();
        for (name, value) in named.filter(|(name, _)| section_of(name).is_some()) {
            if let Ok(value) = value.into_string() {
                pairs.push((name, value));
            } else {
                self.fault(Fault::at(name, &Origin::Environment, "expected UTF-8 text"));
            }
        }
        pairs.sort();
        pairs
    }

    fn take_environment(&mut self, environment: &[(String, String)], ignore_sources: bool) {
        // An empty variable counts as not set: that is how a compose file or a chart leaves one out.
        for (name, value) in environment.iter().filter(|(_, value)| !value.is_empty()) {
            let ignored = ignore_sources && section_of(name).is_some_and(Section::is_source);
            if ignored || name == CONFIG_VARIABLE {
                continue;
            }
            match KEYS.iter().find(|key| key.variable() == *name) {
                Some(key) => self.set(key, value.clone(), Origin::Environment),
                None if is_from_kubernetes(name, value) || is_somebody_elses(name) => {}
                None => self.fault(Fault::at(name, &Origin::Environment, unknown_variable(name))),
            }
        }
    }
}

/// Build systems have variables such as `CACHE_DIR`, too: under the names that are not ours alone only slips are faults.
fn is_somebody_elses(name: &str) -> bool {
    let shared = matches!(section_of(name), Some(Section::ApiKeys | Section::Jwt | Section::Cache | Section::Limits));
    shared && closest(name, KEYS.iter().map(Key::variable)).is_none()
}

fn section_of(variable: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| {
        let rest = variable.strip_prefix(&section.name().to_uppercase());
        rest.is_some_and(|rest| rest.starts_with('_'))
    })
}

fn unknown_variable(name: &str) -> String {
    let known = KEYS.iter().map(Key::variable).chain([CONFIG_VARIABLE.to_owned()]);
    unknown("variable", closest(name, known))
}

/// The words for something that is not in the table.
pub(super) fn unknown(what: &str, suggestion: Option<String>) -> String {
    match suggestion {
        Some(suggestion) => format!("there is no such {what}; did you mean {suggestion}?"),
        None => format!("there is no such {what}"),
    }
}

/// The candidate a slip most likely meant.
pub(super) fn closest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::normalized_damerau_levenshtein(name, &candidate), candidate))
        .filter(|(likeness, _)| *likeness >= 0.7)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

/// Whether Kubernetes put the variable there: it tells every pod of every service, and a service called `gateway` or
/// `cache-redis` makes names that begin like ours (`GATEWAY_SERVICE_HOST`, `GATEWAY_PORT_8080_TCP_ADDR`).
fn is_from_kubernetes(name: &str, value: &str) -> bool {
    let link = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    name.ends_with("_SERVICE_HOST")
        || name.split_once("_SERVICE_PORT").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('_'))
        || (name.ends_with("_PORT") && link)
        || name.split("_PORT_").skip(1).any(is_port_link)
}

/// `8080_TCP`, `8080_TCP_ADDR` and the like.
fn is_port_link(rest: &str) -> bool {
    let mut words = rest.split('_');
    let port = words.next().is_some_and(|port| port.parse::<u16>().is_ok());
    let protocol = words.next().is_some_and(|word| matches!(word, "TCP" | "UDP" | "SCTP"));
    port && protocol
}

#[cfg(test)]
mod tests {
    use super::is_from_kubernetes;

    #[test]
    fn kubernetes_service_variables_are_told_from_slips() {
        let injected = [
            ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
            ("GATEWAY_SERVICE_PORT", "80"),
            ("GATEWAY_SERVICE_PORT_HTTP", "80"),
            ("GATEWAY_PORT", "tcp://10.0.0.1:80"),
            ("GATEWAY_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("GATEWAY_PORT_80_TCP_PROTO", "tcp"),
            ("GATEWAY_PORT_80_TCP_PORT", "80"),
            ("CACHE_REDIS_PORT_6379_UDP_ADDR", "10.0.0.1"),
        ];
        for (name, value) in injected {
            assert!(is_from_kubernetes(name, value), "{name}");
        }
        for (name, value) in [("GATEWAY_PORT", "8080"), ("GATEWAY_PORTS", "1"), ("GATEWAY_PORT_TCP", "1")] {
            assert!(!is_from_kubernetes(name, value), "{name}");
        }
    }
}
