//! `subject-gateway key new`.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser};
use subject_gateway::access::{Scope, keys::NewKey};

use super::output;

pub(crate) fn command() -> Command {
    let name = Arg::new("name").long("name").value_name("NAME").required(true).help("Whose key it is, for logs");
    let scope = Arg::new("scope")
        .long("scope")
        .value_name("SCOPE")
        .required(true)
        .action(ArgAction::Append)
        .value_parser(PossibleValuesParser::new(Scope::ALL.map(Scope::name)))
        .help("What it is good for; may be given again");
    let new = Command::new("new").arg(name).arg(scope).about(
        "Make a key: prints its entry for API_KEYS_FILE on standard output, and the key itself, once, on standard error",
    );
    Command::new("key").about("Manage API keys").subcommand_required(true).arg_required_else_help(true).subcommand(new)
}

pub(crate) fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let Some(("new", flags)) = flags.subcommand() else { unreachable!("clap insists on a command of the list") };
    let name = flags.get_one::<String>("name").map_or("", String::as_str);
    let scopes = flags.get_many::<String>("scope").into_iter().flatten();
    let scopes: Vec<Scope> = scopes.filter_map(|scope| Scope::named(scope)).collect();
    let made = NewKey::make(name, &scopes)?;
    output::print(&made.entry)?;
    eprintln!("The key of `{name}`, which is shown only now: {}", made.key);
    Ok(ExitCode::SUCCESS)
}
