//! Commands and flags; the flags of the configuration come from its table of keys.

mod apart;
mod check;
mod health;
mod key;
mod output;
mod reload;
mod sandbox;
mod serve;

use std::{future::Future, net::IpAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use clap_complete::Shell;
use subject_gateway::{
    config::{
        Input,
        keys::{KEYS, Key, Kind},
        process_environment,
    },
    schema,
};

const NAME: &str = "subject-gateway";

/// The flag that shows what is configured.
const PRINT_CONFIG: &str = "print-config";

/// How long what is cut off at the end may take to be dropped.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Exit code of a failure that was explained on standard error.
const FAILED: u8 = 1;

/// Runs what the command line says.
pub(crate) fn run() -> ExitCode {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help goes to standard output with code 0, a slip to standard error with code 2.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let done = match matches.subcommand() {
        Some(("serve", flags)) => in_runtime(serve::run(flags)),
        Some(("sandbox", flags)) => in_runtime(sandbox::run(flags)),
        Some(("check", flags)) => in_runtime(check::run(flags)),
        Some(("schema", flags)) => print_schema(flags),
        Some(("key", flags)) => key::run(flags),
        Some(("health", flags)) => in_runtime(health::run(flags)),
        Some(("completions", flags)) => print_completions(flags),
        _ => unreachable!("clap insists on a command of the list"),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(FAILED)
    })
}

fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the asynchronous runtime could not be started")?;
    let done = runtime.block_on(work);
    // What was to finish has finished; of the rest each request still writes its line, and nothing may hold up the end.
    runtime.shutdown_timeout(LAST_WORDS);
    done
}

fn print_schema(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    output::print(schema::sdl(flags.get_flag("federation")).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn print_completions(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    if let Some(shell) = flags.get_one::<Shell>("shell") {
        clap_complete::generate(*shell, &mut command(), NAME, &mut text);
    }
    output::print(String::from_utf8_lossy(&text).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn command() -> Command {
    Command::new(NAME)
        .about("One GraphQL schema over the Haut.AI and BrainSTEM subject APIs")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            configured("serve", |_| true).about("Serve GraphQL over the configured upstreams").arg(print_config()),
        )
        .subcommand(sandbox_command())
        .subcommand(
            Command::new("schema")
                .about("Print the schema (SDL)")
                .arg(switch("federation", "Print it as a federation router composes it")),
        )
        .subcommand(key::command())
        .subcommand(
            configured("check", |_| true)
                .about("Check the configuration and reach every configured upstream once")
                .arg(print_config())
                .arg(check::format()),
        )
        .subcommand(health::command())
        .subcommand(
            Command::new("completions")
                .about("Print completions of this command line for a shell")
                .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell))),
        )
}

fn sandbox_command() -> Command {
    let port = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("PORT").value_parser(value_parser!(u16)).default_value("0").help(help)
    };
    let address = Arg::new("upstreams-listen")
        .long("upstreams-listen")
        .value_name("IP")
        .value_parser(value_parser!(IpAddr))
        .default_value("127.0.0.1")
        .help("Address of the two upstreams");
    let generation = Arg::new("brainstem-generation")
        .long("brainstem-generation")
        .value_name("CHOICE")
        .value_parser(PossibleValuesParser::new(["current", "legacy"]))
        .default_value("current")
        .help("Which generation of BrainSTEM to play");
    configured("sandbox", |key| !key.section.is_source())
        .about("Serve GraphQL over two built-in upstreams with made-up records; needs no configuration and no network")
        .next_help_heading("Sandbox")
        .arg(switch("upstreams-only", "Serve the two upstreams and no gateway"))
        .arg(port("haut-ai-port", "Port of the Haut.AI upstream; 0 takes a free one"))
        .arg(port("brainstem-port", "Port of the BrainSTEM upstream; 0 takes a free one"))
        .arg(address)
        .arg(generation)
}

fn print_config() -> Arg {
    let help =
        "Print the configuration that is in effect, as TOML with the origin of each value and without secrets, and end";
    switch(PRINT_CONFIG, help)
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

/// A command with flags for these keys.
fn configured(name: &'static str, takes: fn(&Key) -> bool) -> Command {
    let file = Arg::new("config").long("config").value_name("PATH").value_parser(value_parser!(PathBuf));
    let file = file.help("The configuration file, TOML [env: GATEWAY_CONFIG]");
    Command::new(name).arg(file).args(KEYS.iter().filter(|key| takes(key)).map(key_flag))
}

fn key_flag(key: &Key) -> Arg {
    let help = format!("{} [env: {}] [default: {}]", key.help, key.variable(), key.default_in_words());
    let flag = Arg::new(key.flag()).long(key.flag()).value_name(key.kind.placeholder());
    let flag = flag.help(help.replace('`', "")).help_heading(key.section.title());
    // `--gateway-playground` alone means true.
    if matches!(key.kind, Kind::Switch) { flag.num_args(0..=1).default_missing_value("true") } else { flag }
}

/// What the configuration is read from, given a command's flags.
fn input(flags: &ArgMatches) -> Input {
    let flag = |key: &'static Key| {
        let text = flags.try_get_one::<String>(&key.flag()).ok().flatten()?;
        Some((key, text.clone()))
    };
    Input {
        file: flags.get_one::<PathBuf>("config").cloned(),
        environment: process_environment(),
        flags: KEYS.iter().filter_map(flag).collect(),
        ..Input::default()
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }
}
