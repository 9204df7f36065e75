//! `subject-gateway serve`, and what it shares with `sandbox`: listening, signals, the end.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::ArgMatches;
use subject_gateway::{
    app::App,
    config::{Config, Gateway, Limits},
    http::server::{self, Terms},
    telemetry,
};
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::{FAILED, PRINT_CONFIG, apart, input, output, reload::Reload};

/// What telling other replicas of the last changes may take.
const TELLS: Duration = Duration::from_secs(1);

/// What sending the last spans may take.
const LAST_SPANS: Duration = Duration::from_secs(5);

pub(crate) async fn run(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let input = input(flags);
    let (config, effective) = Config::load_with_origins(input.clone())?;
    if flags.get_flag(PRINT_CONFIG) {
        output::print(effective.to_toml().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::install(&config.gateway)?;
    // Before anything that takes time: a signal that comes early must not end it without a word.
    let (signals, reload) = (Signals::new()?, Reload::new(input, effective)?);
    raise_file_limit(&config.limits);
    let app = App::new(&config)?;
    let (listener, address) = listen(&config.gateway).await?;
    info!(
        %address,
        haut_ai = config.haut_ai.is_some(),
        brainstem = config.brainstem.is_some(),
        "listening"
    );
    serve(&config, &app, listener, signals, Some(reload)).await
}

/// Every connection is an open file, and many systems allow a process few unless it asks for more.
fn raise_file_limit(limits: &Limits) {
    let needed = limits.sockets + limits.connections + 2 * limits.upstream.concurrency;
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < needed as u64 => {
            warn!(files, needed, "this process may have fewer open files than its limits of connections need");
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files could not be raised"),
    }
}

/// Takes the configured address.
pub(crate) async fn listen(gateway: &Gateway) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(gateway.listen).await;
    let listener = listener.map_err(|error| not_listening(&gateway.listen.to_string(), "--gateway-listen", &error))?;
    let address = listener.local_addr().context("the socket has no address")?;
    Ok((listener, address))
}

/// Says which flag to change.
pub(crate) fn not_listening(address: &str, flag: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!("{address} is in use; choose another with {flag}"),
        _ => anyhow!("cannot listen on {address}: {error}; choose another with {flag}"),
    }
}

/// Serves until one of the signals, then until what is in flight has finished; a second one ends at once. `reload`: what takes changed
/// settings over meanwhile.
pub(crate) async fn serve(
    config: &Config,
    app: &App,
    listener: TcpListener,
    signals: Signals,
    reload: Option<Reload>,
) -> anyhow::Result<ExitCode> {
    let traces = telemetry::traces::start(config.traces.as_ref())?;
    let served = apart::beside(config, app, serve_callers(config, app, listener, signals, reload)).await;
    if let Some(traces) = traces {
        traces.end(config.gateway.shutdown.min(LAST_SPANS)).await;
    }
    served
}

async fn serve_callers(
    config: &Config,
    app: &App,
    listener: TcpListener,
    mut signals: Signals,
    mut reload: Option<Reload>,
) -> anyhow::Result<ExitCode> {
    let gateway = &config.gateway;
    let (stopping, stop) = tokio::sync::oneshot::channel::<()>();
    let stop = async { drop(stop.await) };
    let limits = &config.limits;
    let terms = Terms { head: limits.head, sockets: limits.sockets, grace: gateway.shutdown, ..Terms::default() };
    let serving = server::serve(listener, app.front(), stop, terms);
    let keeping_up = keep_up(app, reload.as_mut());
    tokio::pin!(serving, keeping_up);
    let drain = tokio::select! {
        _ = &mut serving => return Ok(ExitCode::FAILURE),
        signal = signals.next() => if signal == Signal::Terminate { gateway.drain } else { Duration::ZERO },
        () = &mut keeping_up => Duration::ZERO,
    };
    info!("shutting down");
    app.readiness().set_shutting_down();
    let stop = async {
        // Until load balancers have noticed, it goes on.
        tokio::time::sleep(drain).await;
        drop(stopping);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = async {
            let _ = (&mut serving).await;
            // What was cut short at the end counts, too.
            let _ = tokio::time::timeout(TELLS, app.all_told()).await;
        } => {
            info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        () = stop => Ok(ExitCode::FAILURE),
        () = &mut keeping_up => Ok(ExitCode::FAILURE),
        _ = signals.next() => {
            warn!("stopped at once by a second signal");
            Ok(ExitCode::from(FAILED))
        }
    }
}

async fn keep_up(app: &App, reload: Option<&mut Reload>) {
    let reload = async {
        match reload {
            Some(reload) => reload.keep_up(app).await,
            None => std::future::pending().await,
        }
    };
    tokio::join!(app.keep_up(), reload);
}

/// What asks for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C: somebody waits.
    Interrupt,
    /// SIGTERM: a process manager, which may have to tell load balancers.
    Terminate,
}

/// Ctrl-C and, where there is one, SIGTERM.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let on = |kind| signal(kind).context("signals cannot be received");
        Ok(Self { interrupt: on(SignalKind::interrupt())?, terminate: on(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
