//! Reads the TOML file into settings.

use std::path::Path;

use toml::{Table, Value};

use super::{
    fault::{Fault, Origin},
    keys::{KEYS, Key, Kind, Section},
    settings::{Settings, closest, unknown},
};

pub(super) fn read(path: &Path, ignore_sources: bool, settings: &mut Settings) {
    let origin = Origin::File(path.display().to_string());
    let problem = match std::fs::read_to_string(path) {
        Ok(text) => match text.parse::<Table>() {
            Ok(table) => return take_table(table, &origin, ignore_sources, settings),
            Err(error) => syntax_error(&text, &error),
        },
        Err(error) => format!("cannot be read: {error}"),
    };
    settings.fault(Fault::at("the configuration", &origin, problem));
}

/// The parser's own words show the line, which may hold a secret: only its number and the reason are told.
fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let reason = error.message().lines().next().unwrap_or_default();
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line} is not TOML: {reason}"),
        None => format!("is not TOML: {reason}"),
    }
}

fn take_table(table: Table, origin: &Origin, ignore_sources: bool, settings: &mut Settings) {
    for (name, value) in table {
        let section = Section::ALL.into_iter().find(|section| section.name() == name);
        match (section, value) {
            (Some(section), _) if ignore_sources && section.is_source() => {}
            (Some(section), Value::Table(entries)) => {
                take_section(section, entries, origin, settings);
            }
            (Some(_), _) => {
                let problem = format!("expected a table, [{name}]");
                settings.fault(Fault::at(name, origin, problem));
            }
            (None, Value::Table(_)) => {
                let problem = unknown_table(&name);
                settings.fault(Fault::at(format!("[{name}]"), origin, problem));
            }
            (None, _) => {
                let problem = stray_key(&name);
                settings.fault(Fault::at(name, origin, problem));
            }
        }
    }
}

fn take_section(section: Section, entries: Table, origin: &Origin, settings: &mut Settings) {
    for (name, value) in entries {
        let known = KEYS.iter().find(|key| key.section == section && key.name == name);
        if let Some(key) = known {
            take_value(key, &value, origin, settings);
        } else {
            let problem = unknown_key(section, &name);
            settings.fault(Fault::at(format!("[{}] {name}", section.name()), origin, problem));
        }
    }
}

fn take_value(key: &'static Key, value: &Value, origin: &Origin, settings: &mut Settings) {
    if let Some(text) = text_of(key.kind, value) {
        settings.set(key, text, origin.clone());
    } else {
        let expected = key.kind.expected();
        let problem = format!("expected {expected}, found a TOML {}", value.type_str());
        settings.fault(Fault::at(origin.name_of(key), origin, problem));
    }
}

/// Lists may be written as an array or, as everywhere else, with commas.
fn text_of(kind: Kind, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(switch) => Some(switch.to_string()),
        Value::Array(items) if kind.is_list() => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}

fn unknown_table(name: &str) -> String {
    let tables = Section::ALL.into_iter().map(|section| section.name().to_owned());
    let suggestion = closest(name, tables).map(|section| format!("[{section}]"));
    unknown("table", suggestion)
}

fn stray_key(name: &str) -> String {
    unknown("key outside the tables", owner(name))
}

fn unknown_key(section: Section, name: &str) -> String {
    let own = KEYS.iter().filter(|key| key.section == section).map(|key| key.name.to_owned());
    let suggestion = closest(name, own).map(|name| format!("`{name}`"));
    unknown("key", suggestion.or_else(|| owner(name)))
}

/// Another table that has a key of this name.
fn owner(name: &str) -> Option<String> {
    let key = KEYS.iter().find(|key| key.name == name)?;
    Some(format!("`{name}` in [{}]", key.section.name()))
}
