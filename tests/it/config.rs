//! What a configuration is read from, and what it becomes.

mod faults;

use std::{ffi::OsString, fs, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::ExposeSecret as _;
use subject_gateway::config::{
    Config, CorsOrigins, Generation, HautAiAccess, Input, LogFormat, Portal, Untrusted,
    keys::{KEYS, Key, key, markdown},
};

const COMPANY: &str = "8a2d0a52-6e0c-4b8b-9d6e-1f0a3c5b7d90";
const PUBLIC: (&str, &str) = ("BRAINSTEM_PORTAL", "public");

fn load(variables: &[(&str, &str)]) -> Config {
    Config::from_variables(variables.iter().copied()).unwrap()
}

fn faults(variables: &[(&str, &str)]) -> Vec<String> {
    Config::from_variables(variables.iter().copied()).unwrap_err().messages()
}

fn pairs(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// A file in a directory of its own, which lives as long as the first part of the answer.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn defaults_hold_where_nothing_is_set() {
    let config = load(&[PUBLIC]);
    assert_eq!(config.gateway.listen, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert!(config.gateway.playground && config.gateway.introspection);
    assert!(!config.gateway.auth_none_anywhere);
    assert_eq!(config.gateway.cors_origins, CorsOrigins::default());
    assert_eq!(config.gateway.log_format, LogFormat::Text);
    assert_eq!(config.gateway.shutdown, Duration::from_secs(10));
    assert!(config.haut_ai.is_none());
    let brainstem = config.brainstem.unwrap();
    assert_eq!(brainstem.url.as_str(), "https://www.brainstem.org/");
    assert_eq!((brainstem.portal, brainstem.generation), (Portal::Public, Generation::Current));
    assert!(brainstem.token.is_none());
    assert_eq!(config.cache.max_bytes, 134_217_728);
    assert_eq!(config.limits.deadline, Duration::from_secs(30));
    assert_eq!(config.limits.body_bytes, 1_048_576);
    assert_eq!((config.limits.batch, config.cache.persisted_bytes), (0, 8_388_608));
    let persisted = config.gateway.persisted;
    assert!(persisted.automatic && persisted.manifest.is_none());
    assert_eq!(persisted.untrusted, Untrusted::Run);
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    load(&[("BRAINSTEM_PORTAL", "public"), ("CACHE_DIR", "/var/cache"), ("LIMITS_NOFILE", "1024")]);
}

#[test]
fn either_credential_configures_haut_ai() {
    const OTHER: &str = "5b1c4f0e-6a39-4d5b-9d0a-2f6c3b7e8a11";
    let config = load(&[("HAUT_AI_TOKEN", "t0ken"), ("HAUT_AI_COMPANY_ID", COMPANY)]);
    let haut_ai = config.haut_ai.unwrap();
    assert_eq!(haut_ai.url.as_str(), "https://saas.haut.ai/");
    assert_eq!(haut_ai.company_id, Some(COMPANY.parse().unwrap()));
    assert!(matches!(haut_ai.access, HautAiAccess::Token(token) if token.expose_secret() == "t0ken"));

    let login = [("HAUT_AI_USERNAME", "me@example.org"), ("HAUT_AI_PASSWORD", "pass word")];
    let config = load(&[login[0], login[1], ("HAUT_AI_DATASET_IDS", &format!("{COMPANY}, {OTHER}, {COMPANY}"))]);
    let haut_ai = config.haut_ai.unwrap();
    assert_eq!((haut_ai.company_id, haut_ai.dataset_ids.unwrap().len()), (None, 2));
    assert!(matches!(haut_ai.access, HautAiAccess::Login { password, .. } if password.expose_secret() == "pass word"));
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let text = "[limits]\ndeadline_ms = 1\nbody_bytes = 2000\n[cache]\nfresh_ms = 3\n[brainstem]\nportal = \"public\"";
    let (_directory, path) = file(text);
    let environment = pairs(&[("LIMITS_DEADLINE_MS", "10"), ("LIMITS_BODY_BYTES", "20000"), ("CACHE_ABSENT_MS", "")]);
    let flags = vec![(key("limits.deadline_ms"), "100".to_owned())];
    let config = Config::load(Input { file: Some(path), environment, flags, ..Input::default() }).unwrap();
    assert_eq!(config.limits.deadline, Duration::from_millis(100));
    assert_eq!(config.limits.body_bytes, 20_000);
    assert_eq!(config.cache.records.fresh, Duration::from_millis(3));
    assert_eq!(config.cache.absent, Duration::from_secs(2), "an empty variable counts as not set");
}

#[test]
fn the_file_may_be_named_by_a_variable_and_hold_arrays() {
    let text = "[brainstem]\nportal = \"public\"\n[gateway]\nplayground = false\nlisten = \"[::1]:0\"\n\
                cors_origins = [\"localhost\", \"HTTPS://App.example.org:443/\"]\nallowed_hosts = \"A.example, [::2]\"";
    let (_directory, path) = file(text);
    let config = load(&[("GATEWAY_CONFIG", path.to_str().unwrap())]);
    assert!(!config.gateway.playground);
    assert!(config.gateway.cors_origins.localhost);
    assert_eq!(config.gateway.cors_origins.exact, ["https://app.example.org"]);
    assert_eq!(config.gateway.allowed_hosts, ["a.example", "::2"]);
}

#[test]
fn urls_end_with_a_slash() {
    let url = |text| load(&[PUBLIC, ("BRAINSTEM_URL", text)]).brainstem.unwrap().url.to_string();
    assert_eq!(url("http://127.0.0.1:9000"), "http://127.0.0.1:9000/");
    assert_eq!(url("https://proxy.example/brainstem"), "https://proxy.example/brainstem/");
}

#[test]
fn secrets_may_come_from_files() {
    let (_directory, path) = file("s3cret\n");
    let path = path.to_str().unwrap();
    let config = load(&[("BRAINSTEM_TOKEN_FILE", path)]);
    assert_eq!(config.brainstem.unwrap().token.unwrap().expose_secret(), "s3cret");
    assert_eq!(
        faults(&[("BRAINSTEM_TOKEN_FILE", path), ("BRAINSTEM_TOKEN", "other")]),
        ["BRAINSTEM_TOKEN_FILE (environment): is set beside BRAINSTEM_TOKEN; set one or the other"]
    );
    let (_directory, empty) = file("\n");
    assert_eq!(
        faults(&[("BRAINSTEM_TOKEN_FILE", empty.to_str().unwrap())]),
        [
            "BRAINSTEM_TOKEN_FILE (environment): the file should hold visible ASCII characters without spaces, in one line"
        ]
    );
    let missing = faults(&[("BRAINSTEM_TOKEN_FILE", "/nowhere/token")]);
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].starts_with("BRAINSTEM_TOKEN_FILE (environment): the file cannot be read: No such file"));
}

#[test]
fn a_sandbox_ignores_what_a_shell_says_of_the_sources() {
    let (_directory, path) = file("[haut_ai]\nnonsense = 1\n[limits]\ndeadline_ms = 7");
    let environment = pairs(&[("HAUT_AI_TOKEN", "real"), ("BRAINSTEM_TOKN", "real"), ("GATEWAY_CORS_ORIGINS", "")]);
    let presets =
        vec![(key("gateway.cors_origins"), "localhost".to_owned()), (key("brainstem.token"), "made-up".to_owned())];
    let input = Input { presets, file: Some(path), environment, ignore_sources: true, ..Input::default() };
    let config = Config::load(input).unwrap();
    assert!(config.haut_ai.is_none() && config.gateway.cors_origins.localhost);
    assert_eq!(config.brainstem.unwrap().token.unwrap().expose_secret(), "made-up");
    assert_eq!(config.limits.deadline, Duration::from_millis(7));
}

#[test]
fn no_secret_is_in_the_debug_text() {
    let config =
        load(&[("HAUT_AI_USERNAME", "hunter1"), ("HAUT_AI_PASSWORD", "hunter2"), ("BRAINSTEM_TOKEN", "hunter3")]);
    assert!(!format!("{config:?}").contains("hunter"));
}

#[test]
fn every_name_is_there_once() {
    for names in [KEYS.iter().map(Key::variable).collect::<Vec<_>>(), KEYS.iter().map(Key::flag).collect::<Vec<_>>()] {
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
    }
}

/// `UPDATE_DOCS=1 cargo test --test it documentation` writes the table anew.
#[test]
fn the_documentation_holds_the_table() {
    const MARK: &str = "<!-- keys: written by the table in src/config/keys/table.rs; a test compares -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let text = fs::read_to_string(path).unwrap();
    let (prose, _) = text.split_once(MARK).unwrap();
    let expected = format!("{prose}{MARK}\n{}\n", markdown().trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &expected).unwrap();
    } else {
        assert!(text == expected, "docs/configuration.md is behind the table; UPDATE_DOCS=1 writes it anew");
    }
}
