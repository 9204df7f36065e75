//! `subject-gateway check`.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::ArgMatches;
use subject_gateway::{app::App, cache::Checked, config::Config, telemetry};

use super::{FAILED, input, output};

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let config = Config::load(input(flags))?;
    telemetry::install(&config.gateway)?;
    // All of the gateway, so that whatever would keep it from starting is found here.
    let app = App::new(&config)?;
    let (sources, access, redis) = tokio::join!(app.sources().check(), app.check_access(), check_redis(&app));
    let lines = sources.into_iter().map(|Checked { source, outcome, took }| Line { name: source, outcome, took });
    let access = access.map(|access| Line { name: "JWKS", outcome: access.outcome, took: access.took });
    let lines: Vec<Line> = lines.chain(access).chain(redis).collect();
    for line in &lines {
        output::print(&line.text())?;
    }
    let failed = lines.iter().any(|line| line.outcome.is_err());
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
    fn text(&self) -> String {
        let (verdict, words) = match &self.outcome {
            Ok(words) => ("ok", words),
            Err(words) => ("failed", words),
        };
        format!("{:<9}  {verdict:<6}  {:>6} ms  {words}", self.name, self.took.as_millis())
    }
}
