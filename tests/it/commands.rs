//! What the program tells on the command line, beside serving.

use std::fs;

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::process::{Serving, run};

const SOURCE: [(&str, &str); 2] = [("BRAINSTEM_PORTAL", "public"), ("BRAINSTEM_URL", "http://127.0.0.1:9")];

#[test]
fn the_effective_configuration_is_shown_with_its_origins_and_without_secrets() {
    let files = TempDir::new().unwrap();
    let (file, secret) = (files.path().join("gateway.toml"), files.path().join("secret"));
    fs::write(&file, "[limits]\ndepth = 7\n[gateway]\ncors_origins = [\"http://a.example\", \"localhost\"]\n").unwrap();
    fs::write(&secret, "hunter1\n").unwrap();
    let (file, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());
    let variables = [
        ("GATEWAY_CONFIG", file),
        ("HAUT_AI_TOKEN_FILE", secret),
        ("HAUT_AI_COMPANY_ID", "123e4567-e89b-12d3-a456-426614174000"),
        ("BRAINSTEM_TOKEN", "hunter2"),
        ("LIMITS_ALIASES", "11"),
    ];
    for command in ["serve", "check"] {
        let (code, text, words) = run(&[command, "--print-config", "--limits-batch", "5"], &variables);
        assert_eq!((code, words.as_str()), (Some(0), ""), "{words}");
        for line in [
            "[gateway]",
            "listen = \"127.0.0.1:8080\" # default",
            "playground = true # default",
            &format!("cors_origins = \"http://a.example,localhost\" # file {file}"),
            &format!("depth = 7 # file {file}"),
            "aliases = 11 # environment LIMITS_ALIASES",
            "batch = 5 # flag --limits-batch",
            &format!("token_file = \"{secret}\" # environment HAUT_AI_TOKEN_FILE"),
            "# token is set and not shown (environment BRAINSTEM_TOKEN)",
            "# trusted_documents_file is not set: none",
            "# [jwt] is not used.",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
        assert!(!text.contains("hunter"), "{text}");
    }
    let (code, text, words) = run(&["serve", "--print-config"], &[("LIMITS_DEPTH", "x")]);
    assert_eq!((code, text.as_str()), (Some(1), ""));
    assert!(words.contains("LIMITS_DEPTH (environment)"), "{words}");
}

#[test]
fn what_is_shown_is_a_configuration_file_that_says_the_same() {
    let (_, text, _) = run(&["serve", "--print-config", "--gateway-playground"], &SOURCE);
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), &text).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, again, words) = run(&["serve", "--print-config", "--config", path], &[]);
    assert_eq!(code, Some(0), "{words}");
    let values = |text: &str| -> toml::Table { text.parse().unwrap() };
    assert_eq!(values(&again), values(&text));
    assert!(again.contains(&format!("portal = \"public\" # file {path}")), "{again}");
}

#[test]
fn completions_know_commands_flags_and_choices() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, text, words) = run(&["completions", shell], &[]);
        assert_eq!(code, Some(0), "{words}");
        for word in ["subject-gateway", "print-config", "limits-max-cost", "sandbox"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "cmd"], &[]).0, Some(2));
}

#[test]
fn health_tells_ready_from_not() {
    let serving = Serving::start_with(&[("GATEWAY_DRAIN_MS", "60000")]);
    let address = serving.address.to_string();
    let listen = [("GATEWAY_LISTEN", address.as_str())];
    let (code, text, words) = run(&["health"], &listen);
    assert_eq!((code, text.trim()), (Some(0), r#"{"status":"ready"}"#), "{words}");
    let everywhere = format!("0.0.0.0:{}", serving.address.port());
    assert_eq!(run(&["health"], &[("GATEWAY_LISTEN", &everywhere)]).0, Some(0));
    let mut serving = serving;
    serving.terminate();
    serving.logged("shutting down");
    let (code, _, words) = run(&["health"], &listen);
    assert!(code == Some(1) && words.contains("it answered 503") && words.contains("shutting down"), "{words}");
    let live = format!("http://{address}/health/live");
    assert_eq!(run(&["health", "--url", &live], &[]).0, Some(0));
    drop(serving);
    let (code, _, words) = run(&["health"], &listen);
    assert!(code == Some(1) && words.contains("no answer"), "{words}");
    for url in ["https://localhost/", "localhost:8080", "http://"] {
        let (code, _, words) = run(&["health", "--url", url], &[]);
        assert!(code == Some(1) && words.contains("expected an http URL"), "{words}");
    }
}

#[test]
fn a_check_is_told_to_programs_too() {
    let (code, text, _) = run(&["check", "--format", "json"], &SOURCE);
    assert_eq!(code, Some(1));
    let outcome: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&outcome["ok"], &outcome["checks"][0]["name"]), (&Value::Bool(false), &Value::from("BrainSTEM")));
    assert_eq!(outcome["checks"][0]["ok"], false);
    assert!(outcome["checks"][0]["ms"].is_number() && outcome["checks"][0]["message"].is_string(), "{text}");
}
