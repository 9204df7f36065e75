//! Takes changed settings over while the gateway runs: on SIGHUP, and when the configuration file or the manifest has changed.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use subject_gateway::{
    app::App,
    config::{Config, Effective, Input, keys::Key},
};
use tokio::{
    task::{block_in_place, spawn_blocking},
    time::sleep,
};
use tracing::{error, info, warn};

/// How often the files are looked at. They count once they are the same twice in a row: who writes one may not be done yet.
const LOOK: Duration = Duration::from_secs(1);

/// What the configuration is read from, and what it said.
pub(crate) struct Reload {
    input: Input,
    at_start: Effective,
    now: Effective,
    files: Files,
    hangups: Hangups,
}

impl Reload {
    /// From now on SIGHUP does not end the process.
    pub(crate) fn new(input: Input, at_start: Effective) -> anyhow::Result<Self> {
        let files = Files::of(at_start.files().to_vec());
        Ok(Self { input, now: at_start.clone(), at_start, files, hangups: Hangups::new()? })
    }

    /// Reloads whenever there is an occasion, for as long as it is awaited; does not end.
    pub(crate) async fn keep_up(&mut self, app: &App) {
        loop {
            let occasion = tokio::select! {
                () = self.hangups.next() => "SIGHUP",
                () = self.files.changed() => "a file has changed",
            };
            // It reads files, and a manifest may be long.
            block_in_place(|| self.reload(app, occasion));
        }
    }

    fn reload(&mut self, app: &App, occasion: &str) {
        self.files.seen = self.files.read();
        let loaded = Config::load_with_origins(self.input.clone()).map_err(|faults| faults.messages().join("; "));
        let taken = loaded.and_then(|(config, effective)| {
            app.reload(&config).map_err(|error| format!("{error:#}"))?;
            Ok(effective)
        });
        app.reloaded(taken.is_ok());
        match taken {
            Ok(effective) => self.tell(effective, occasion),
            Err(fault) => error!(occasion, fault, "the configuration can't be reloaded: all stays as it was"),
        }
    }

    fn tell(&mut self, effective: Effective, occasion: &str) {
        let changed = names(effective.differing(&self.now).filter(|key| key.is_live()));
        let needs_restart = names(effective.differing(&self.at_start).filter(|key| !key.is_live()));
        if needs_restart.is_empty() {
            info!(occasion, changed, "the configuration was reloaded");
        } else {
            warn!(occasion, changed, needs_restart, "the configuration was reloaded, but for what needs a restart");
        }
        self.now = effective;
    }
}

fn names(keys: impl Iterator<Item = &'static Key>) -> String {
    keys.map(Key::variable).collect::<Vec<_>>().join(", ")
}

/// Files, and what was in them.
struct Files {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Vec<u8>>>,
}

impl Files {
    fn of(paths: Vec<PathBuf>) -> Self {
        let mut files = Self { paths, seen: Vec::new() };
        files.seen = files.read();
        files
    }

    /// `None`: one that is not there.
    fn read(&self) -> Vec<Option<Vec<u8>>> {
        self.paths.iter().map(|path| std::fs::read(path).ok()).collect()
    }

    /// Ends when there is something else in one of them.
    async fn changed(&self) {
        let mut before = None;
        loop {
            sleep(LOOK).await;
            let paths = Self { paths: self.paths.clone(), seen: Vec::new() };
            let Ok(read) = spawn_blocking(move || paths.read()).await else {
                // The process ends.
                return std::future::pending().await;
            };
            if read != self.seen && before.as_ref() == Some(&read) {
                return;
            }
            before = Some(read);
        }
    }
}

/// SIGHUP, where there is one.
struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Hangups {
    fn new() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { signal: signal(SignalKind::hangup()).context("signals cannot be received")? })
    }

    async fn next(&mut self) {
        if self.signal.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
impl Hangups {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
