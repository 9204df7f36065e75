//! Processes under test: started on their core, asked for what they use, ended with their owner. Knows no protocol.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{net::TcpStream, time::sleep};

use crate::cores::Core;

/// How long a server may take until it accepts connections.
const START: Duration = Duration::from_secs(20);

/// A process that listens on a port of its own; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a server on the core of servers, and waits until it accepts connections. `with_address` tells the command
    /// where to listen. What it writes is thrown away: writing it is part of the cost, reading it is not.
    pub(crate) async fn start(
        mut command: Command,
        with_address: fn(&mut Command, SocketAddr),
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        with_address(&mut command, address);
        // One worker thread: the server has one core.
        command.env("TOKIO_WORKER_THREADS", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Core::Server.run(|| command.spawn()).context("a server could not be started")?;
        let mut process = Self { child, address };
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = process.child.try_wait()? {
                bail!("a server ended before it listened ({status}): {command:?}");
            }
            if began.elapsed() > START {
                bail!("a server did not listen within {START:?}: {command:?}");
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(process)
    }

    /// What it has used of processors so far, in all its threads that still live. Zero where the system does not tell.
    pub(crate) fn processor_time(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let nanoseconds = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    /// Memory that it has in use, in KiB. Zero where the system does not tell.
    pub(crate) fn resident_kib(&self) -> u32 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no free port")?;
    Ok(listener.local_addr()?)
}
