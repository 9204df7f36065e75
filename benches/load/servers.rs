//! The three servers: the gateway as it is built, the stock server and fixed bytes, which are this program under another
//! name. Each runs over the same upstreams on the same core.

use std::{env, ffi::OsString, net::SocketAddr, path::Path, process::Command};

use anyhow::Context as _;
use subject_gateway::sandbox::{BRAINSTEM_TOKEN, COMPANY_ID, HAUT_AI_TOKEN};

use crate::{fixed, process::Process, stock, upstreams::Upstreams};

const FIXED: &str = "serve-fixed";
const STOCK: &str = "serve-stock";
const CACHING: &str = "caching";
const ASKING: &str = "asking";

/// Variables under which nothing that was read gets old while a measurement runs.
pub(crate) const WARM: &[(&str, &str)] = &[
    ("CACHE_FRESH_MS", DAY),
    ("CACHE_LISTS_FRESH_MS", DAY),
    ("CACHE_REFERENCE_FRESH_MS", DAY),
    ("CACHE_ABSENT_MS", DAY),
];
const DAY: &str = "86400000";
/// Variables under which nothing is kept.
pub(crate) const COLD: &[(&str, &str)] = &[("CACHE_FRESH_MS", "0")];
/// The cache as it is configured by default.
pub(crate) const DEFAULT: &[(&str, &str)] = &[];

/// The gateway, as `serve` runs it, with these variables.
pub(crate) async fn gateway(upstreams: &Upstreams, variables: &[(&str, &str)]) -> anyhow::Result<Process> {
    let sandbox = &upstreams.sandbox;
    let mut command = Command::new(env!("CARGO_BIN_EXE_subject-gateway"));
    command.arg("serve").env_clear();
    command.env("HAUT_AI_URL", sandbox.haut_ai().url());
    command.env("HAUT_AI_TOKEN", HAUT_AI_TOKEN).env("HAUT_AI_COMPANY_ID", COMPANY_ID);
    command.env("BRAINSTEM_URL", sandbox.brainstem().url()).env("BRAINSTEM_TOKEN", BRAINSTEM_TOKEN);
    command.envs(variables.iter().copied());
    Process::start(command, |command, address| _ = command.env("GATEWAY_LISTEN", address.to_string())).await
}

/// The stock server, which keeps what it read or asks each time.
pub(crate) async fn stock(upstreams: &Upstreams, is_caching: bool) -> anyhow::Result<Process> {
    let sandbox = &upstreams.sandbox;
    let urls = [sandbox.haut_ai().url(), sandbox.brainstem().url()];
    myself(STOCK, &urls.map(OsString::from), if is_caching { CACHING } else { ASKING }).await
}

/// The files of a folder, each under its name.
pub(crate) async fn fixed(folder: &Path) -> anyhow::Result<Process> {
    myself(FIXED, &[folder.into()], CACHING).await
}

async fn myself(mode: &str, arguments: &[OsString], last: &str) -> anyhow::Result<Process> {
    let mut command = Command::new(env::current_exe().context("this program does not know where it is")?);
    command.env_clear().arg(mode).args(arguments).arg(last);
    Process::start(command, |command, address| _ = command.arg(address.to_string())).await
}

/// Runs as one of the servers, where the command line says so; `None`: it does not.
pub(crate) async fn serve(arguments: &[String]) -> Option<anyhow::Result<()>> {
    let address = |text: &String| text.parse::<SocketAddr>().context("the address cannot be read");
    match arguments {
        [mode, folder, _, listen] if mode == FIXED => Some(match address(listen) {
            Ok(listen) => fixed::serve(listen, Path::new(folder)).await,
            Err(error) => Err(error),
        }),
        [mode, haut_ai, brainstem, caching, listen] if mode == STOCK => Some(match address(listen) {
            Ok(listen) => {
                let (haut_ai, brainstem) = (haut_ai.clone(), brainstem.clone());
                let options = stock::Options { haut_ai, brainstem, is_caching: caching == CACHING };
                stock::serve(listen, options).await
            }
            Err(error) => Err(error),
        }),
        _ => None,
    }
}
