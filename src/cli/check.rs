//! `subject-gateway check`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Arg, ArgMatches, builder::PossibleValuesParser};
use serde_json::{Value, json};
use subject_gateway::{app::App, cache::Checked, config::Config, telemetry};

use super::{FAILED, PRINT_CONFIG, input, output};

/// The flag for how the outcome is written.
const FORMAT: &str = "format";

/// As people or programs read it.
pub(crate) fn format() -> Arg {
    let formats = PossibleValuesParser::new(["text", "json"]);
    Arg::new(FORMAT).long(FORMAT).value_name("CHOICE").value_parser(formats).default_value("text").help(
        "How the outcome is written: a line for each server, or one JSON object with `ok` and `checks` (`name`, `ok`, `ms`, `message`)",
    )
}

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (config, effective) = Config::load_with_origins(input(flags))?;
    if flags.get_flag(PRINT_CONFIG) {
        output::print(effective.to_toml().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::install(&config.gateway)?;
    // All of the gateway, so that whatever would keep it from starting is found here.
    let app = App::new(&config)?;
    let (sources, access, redis) = tokio::join!(app.sources().check(), app.check_access(), check_redis(&app));
    let lines = sources.into_iter().map(|Checked { source, outcome, took }| Line { name: source, outcome, took });
    let access = access.map(|access| Line { name: "JWKS", outcome: access.outcome, took: access.took });
    let lines: Vec<Line> = lines.chain(access).chain(redis).collect();
    let failed = lines.iter().any(|line| line.outcome.is_err());
    if flags.get_one::<String>(FORMAT).is_some_and(|format| format == "json") {
        let checks: Vec<_> = lines.iter().map(Line::json).collect();
        output::print(&json!({"ok": !failed, "checks": checks}).to_string())?;
    } else {
        for line in &lines {
            output::print(&line.text())?;
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// Reaches for what replicas share, where they do.
async fn check_redis(app: &App) -> Option<Line> {
    let replicas = app.sources().replicas()?;
    let started = Instant::now();
    let outcome = replicas.check().await;
    Some(Line { name: "Redis", outcome, took: started.elapsed() })
}

/// What became of one server.
struct Line {
    name: &'static str,
    outcome: Result<String, String>,
    took: Duration,
}

impl Line {
    fn json(&self) -> Value {
        let (ok, message) = match &self.outcome {
            Ok(words) => (true, words),
            Err(words) => (false, words),
        };
        let ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        json!({"name": self.name, "ok": ok, "ms": ms, "message": message})
    }

    fn text(&self) -> String {
        let (verdict, words) = match &self.outcome {
            Ok(words) => ("ok", words),
            Err(words) => ("failed", words),
        };
        format!("{:<9}  {verdict:<6}  {:>6} ms  {words}", self.name, self.took.as_millis())
    }
}
