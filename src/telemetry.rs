//! Logs, on standard error, and traces. Knows nothing of what is logged and traced.

mod line;
pub mod traces;

use std::io::{IsTerminal as _, stderr};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::{EnvFilter, fmt::format::JsonFields};

use self::line::JsonLine;
use crate::config::{Gateway, LogFormat};

/// Starts the log for the whole process; a second call is an error.
pub fn install(gateway: &Gateway) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&gateway.log_level).context("GATEWAY_LOG_LEVEL is not a filter")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let installed = match gateway.log_format {
        LogFormat::Json => log.event_format(JsonLine).fmt_fields(JsonFields::new()).try_init(),
        // Colours only for eyes, and not for those who set NO_COLOR, which the subscriber looks at by itself.
        LogFormat::Text if stderr().is_terminal() => log.try_init(),
        LogFormat::Text => log.with_ansi(false).try_init(),
    };
    installed.map_err(|error| anyhow!(error)).context("the log could not be started")
}
