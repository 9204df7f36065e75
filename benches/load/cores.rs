//! Which processor core does what: the server under test has one of its own, so that what it can do is told from what
//! the load costs to make. Knows nothing of servers.

use std::thread;

/// One of the two sides of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// The server under test.
    Server,
    /// The load and the upstreams.
    Load,
}

impl Core {
    #[cfg(target_os = "linux")]
    fn number(self) -> usize {
        let last = thread::available_parallelism().map_or(0, |cores| cores.get() - 1);
        match self {
            Self::Server => 0,
            Self::Load => last.min(1),
        }
    }

    /// Runs something with the calling thread tied to this core; threads and processes that it starts are, too.
    ///
    /// Where the system has no such thing, it runs anywhere.
    pub(crate) fn run<T: Send>(self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let tied = scope.spawn(move || {
                self.tie();
                work()
            });
            tied.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    #[cfg(target_os = "linux")]
    fn tie(self) {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(self.number());
        // A container may not allow it; the table says what share of its core a server used.
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }

    #[cfg(not(target_os = "linux"))]
    fn tie(self) {}
}
