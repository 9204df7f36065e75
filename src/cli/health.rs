//! `subject-gateway health`: asks a gateway that runs, for container images that have nothing else to ask with.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::{Arg, ArgMatches, Command};
use subject_gateway::{
    config::{keys::key, process_environment},
    outgoing,
};
use url::Url;

use super::output;

const URL: &str = "url";

/// Where a gateway listens that was not told.
const DEFAULT: &str = "127.0.0.1:8080";

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The longest answer that is shown.
const LONGEST: usize = 200;

pub(crate) fn command() -> Command {
    let url = Arg::new(URL).long(URL).value_name("URL").help(
        "What to ask, over http; the answer has to be 200 [default: /health/ready at the port of GATEWAY_LISTEN on this computer]",
    );
    Command::new("health").about("Ask a gateway that runs how it is; exit code 1 where it is not ready").arg(url)
}

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let url = match flags.get_one::<String>(URL) {
        Some(text) => read(text)?,
        None => nearby()?,
    };
    let client = outgoing::build(outgoing::builder(&url, None)?.timeout(PATIENCE))?;
    let answer = client.get(url).send().await.map_err(reqwest::Error::without_url).context("no answer")?;
    let status = answer.status();
    let text = answer.text().await.map_err(reqwest::Error::without_url).context("the answer broke off")?;
    let shown: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
    ensure!(status == reqwest::StatusCode::OK, "it answered {}: {shown}", status.as_u16());
    output::print(&shown)?;
    Ok(ExitCode::SUCCESS)
}

fn read(text: &str) -> anyhow::Result<Url> {
    match Url::parse(text) {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => bail!("--url: expected an http URL such as http://127.0.0.1:8080/health/ready"),
    }
}

/// The gateway that this environment configures. One that listens everywhere listens on loopback, too.
fn nearby() -> anyhow::Result<Url> {
    let listen = key("gateway.listen");
    let variable = listen.variable();
    let set = process_environment().into_iter().find(|(name, value)| *name == *variable && !value.is_empty());
    let text = set.and_then(|(_, value)| value.into_string().ok()).unwrap_or_else(|| DEFAULT.to_owned());
    let address = text.replace("localhost:", "127.0.0.1:").parse::<SocketAddr>();
    let mut address = address.with_context(|| format!("{variable}: expected {}", listen.kind.expected()))?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    read(&format!("http://{address}/health/ready"))
}
