//! `subject-gateway check`.

use std::process::ExitCode;

use clap::ArgMatches;
use subject_gateway::{app::App, cache::Checked, config::Config, telemetry};

use super::{FAILED, input, output};

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let config = Config::load(input(flags))?;
    telemetry::install(&config.gateway)?;
    // All of the gateway, so that whatever would keep it from starting is found here.
    let checked = App::new(&config)?.sources().check().await;
    for source in &checked {
        output::print(&line(source))?;
    }
    let failed = checked.iter().any(|source| source.outcome.is_err());
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn line(checked: &Checked) -> String {
    let (verdict, words) = match &checked.outcome {
        Ok(words) => ("ok", words),
        Err(words) => ("failed", words),
    };
    format!("{:<9}  {verdict:<6}  {:>6} ms  {words}", checked.source, checked.took.as_millis())
}
