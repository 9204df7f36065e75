//! `subject-gateway sandbox`: starts the upstreams, points a gateway at them, and says how to use it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{ArgMatches, parser::ValueSource};
use subject_gateway::{
    app::App,
    config::{
        Config, Credentials, Gateway, Input,
        keys::{Key, key},
    },
    domain::Source,
    sandbox::{
        BRAINSTEM_OTHER_TOKEN, BRAINSTEM_TOKEN, COMPANY_ID, HAUT_AI_OTHER_TOKEN, HAUT_AI_PASSWORD, HAUT_AI_TOKEN,
        HAUT_AI_USERNAME, Options, Sandbox,
    },
    sources::header_of,
    telemetry,
};

use super::{
    input, output,
    serve::{Signals, listen, not_listening, serve},
};

/// What to try first: the same fields of a person and of an animal.
const FIRST_QUERY: &str = "\
{
  people: subjects(first: 3, filter: {sources: [HAUT_AI]}) {
    nodes { name sex biologicalSex { name } age }
  }
  animals: subjects(first: 3, filter: {sources: [BRAINSTEM]}) {
    nodes { name sex projects { name } procedures(first: 2) { nodes { type dateTime } } }
  }
}";

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let legacy = flags.get_one::<String>("brainstem-generation").is_some_and(|generation| generation == "legacy");
    let mut signals = Signals::new()?;
    let sandbox = start(flags, legacy).await?;
    if flags.get_flag("upstreams-only") {
        output::print(&upstreams(&sandbox, legacy))?;
        signals.next().await;
        return Ok(ExitCode::SUCCESS);
    }
    let presets = presets(&sandbox, legacy);
    let config = Config::load(Input { presets, ignore_sources: true, ..input(flags) })?;
    telemetry::install(&config.gateway)?;
    let app = App::new(&config)?;
    let (listener, address) = listen(&config.gateway).await?;
    output::print(&welcome(&config.gateway, address, &sandbox))?;
    serve(&config, &app, listener, signals, None).await
}

async fn start(flags: &ArgMatches, legacy: bool) -> anyhow::Result<Sandbox> {
    let address = flags.get_one::<IpAddr>("upstreams-listen").copied().unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let listen = |flag| SocketAddr::from((address, flags.get_one::<u16>(flag).copied().unwrap_or_default()));
    let options = Options {
        haut_ai_listen: listen("haut-ai-port"),
        brainstem_listen: listen("brainstem-port"),
        brainstem_legacy: legacy,
        ..Options::default()
    };
    Sandbox::start(options).await.map_err(|error| not_started(flags, &error))
}

/// Names the flags that were given: the sandbox does not say which of its two ports it could not have.
fn not_started(flags: &ArgMatches, error: &io::Error) -> anyhow::Error {
    let given = |name: &&str| flags.value_source(name) == Some(ValueSource::CommandLine);
    let names: Vec<&str> = ["haut-ai-port", "brainstem-port", "upstreams-listen"].into_iter().filter(given).collect();
    if names.is_empty() {
        return anyhow::Error::new(io::Error::from(error.kind())).context("the upstreams could not be started");
    }
    let flags: Vec<String> = names.iter().map(|name| format!("--{name}")).collect();
    not_listening("an address of the upstreams", &flags.join(" or "), error)
}

/// What points a gateway at the sandbox, and opens it to pages on this computer.
fn presets(sandbox: &Sandbox, legacy: bool) -> Vec<(&'static Key, String)> {
    let texts = [
        ("gateway.cors_origins", "localhost"),
        // There is no load balancer to be waited for.
        ("gateway.drain_ms", "0"),
        ("gateway.playground", "true"),
        ("gateway.introspection", "true"),
        ("haut_ai.url", sandbox.haut_ai().url()),
        ("haut_ai.token", HAUT_AI_TOKEN),
        ("haut_ai.company_id", COMPANY_ID),
        ("brainstem.url", sandbox.brainstem().url()),
        ("brainstem.portal", "private"),
        ("brainstem.token", BRAINSTEM_TOKEN),
        ("brainstem.generation", if legacy { "legacy" } else { "current" }),
        ("brainstem.auth_scheme", if legacy { "Token" } else { "Bearer" }),
    ];
    texts.into_iter().map(|(path, text)| (key(path), text.to_owned())).collect()
}

fn welcome(gateway: &Gateway, address: SocketAddr, sandbox: &Sandbox) -> String {
    let playground = if gateway.playground { format!("http://{address}/graphiql") } else { "off".into() };
    let (haut_ai, brainstem) = (sandbox.haut_ai().url(), sandbox.brainstem().url());
    let (credentials, headers) = match gateway.credentials {
        Credentials::Service => (String::new(), Vec::new()),
        Credentials::Forward => (to_bring(), brought(HAUT_AI_TOKEN, BRAINSTEM_TOKEN)),
    };
    let curl = curl(address, &headers).unwrap_or_default();
    format!(
        "\
Playground  {playground}
GraphQL     http://{address}/graphql
Haut.AI     {haut_ai}  (token {HAUT_AI_TOKEN}, company {COMPANY_ID})
BrainSTEM   {brainstem}  (token {BRAINSTEM_TOKEN})
{credentials}
A first query:

{FIRST_QUERY}

{curl}

Ctrl-C ends it."
    )
}

/// What callers may bring, where they bring their own credentials.
fn to_bring() -> String {
    let all = brought(HAUT_AI_TOKEN, BRAINSTEM_TOKEN).join("\n");
    let few = brought(HAUT_AI_OTHER_TOKEN, BRAINSTEM_OTHER_TOKEN).join("\n");
    format!(
        "
Callers bring their own credentials. These see everything:

{all}

and these one dataset, and the few projects of their user:

{few}
"
    )
}

/// The headers with these tokens, whose schemes the gateway knows.
fn brought(haut_ai: &str, brainstem: &str) -> Vec<String> {
    let header = |(source, token)| format!("{}: {token}", header_of(source));
    [(Source::HautAi, haut_ai), (Source::BrainStem, brainstem)].map(header).to_vec()
}

/// The first query for a shell; it has no single quote in it.
fn curl(address: SocketAddr, headers: &[String]) -> anyhow::Result<String> {
    let query = FIRST_QUERY.split_whitespace().collect::<Vec<_>>().join(" ");
    let body = serde_json::to_string(&serde_json::json!({ "query": query })).context("a text is JSON")?;
    let headers = headers.iter().map(|header| format!(" -H '{header}'")).collect::<Vec<_>>().concat();
    Ok(format!("curl -s http://{address}/graphql -H 'content-type: application/json'{headers} -d '{body}'"))
}

/// The upstreams with the lines that point `serve` at them, in each flavour.
fn upstreams(sandbox: &Sandbox, legacy: bool) -> String {
    let (haut_ai, brainstem) = (sandbox.haut_ai().url(), sandbox.brainstem().url());
    let (generation, scheme) = if legacy {
        ("\nexport BRAINSTEM_GENERATION=legacy", "\nexport BRAINSTEM_AUTH_SCHEME=Token")
    } else {
        ("", "")
    };
    format!(
        "\
# Haut.AI, with a token
export HAUT_AI_URL={haut_ai}
export HAUT_AI_TOKEN='{HAUT_AI_TOKEN}'
export HAUT_AI_COMPANY_ID={COMPANY_ID}

# Haut.AI, with a login instead
export HAUT_AI_URL={haut_ai}
export HAUT_AI_USERNAME='{HAUT_AI_USERNAME}'
export HAUT_AI_PASSWORD='{HAUT_AI_PASSWORD}'

# BrainSTEM, with a token
export BRAINSTEM_URL={brainstem}
export BRAINSTEM_TOKEN='{BRAINSTEM_TOKEN}'{generation}{scheme}

# BrainSTEM, the public portal instead
export BRAINSTEM_URL={brainstem}
export BRAINSTEM_PORTAL=public{generation}

# Ctrl-C ends them."
    )
}
