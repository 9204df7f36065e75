//! What the system tells of this process, under the names that Prometheus' client libraries have for it. Read when it is
//! asked for. Elsewhere than on Linux only the time of the start is told.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::gauge::ConstGauge,
};

/// The process.
#[derive(Debug)]
pub(super) struct Process {
    /// In seconds since 1970.
    started: f64,
}

impl Process {
    /// One that starts now.
    pub(super) fn new() -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: started.as_secs_f64() }
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    metric(encoder, name, help, &ConstGauge::new(value))
}

fn metric(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(&mut encoder, "process_start_time_seconds", "When it started, in seconds since 1970", self.started)?;
        #[cfg(target_os = "linux")]
        linux::encode(&mut encoder)?;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fmt;

    use procfs::process::Process;
    use prometheus_client::{encoding::DescriptorEncoder, metrics::counter::ConstCounter};

    use super::{gauge, metric};

    /// What can't be read is left out.
    #[expect(clippy::cast_precision_loss, reason = "whoever draws it sees less")]
    pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(process) = Process::myself() else { return Ok(()) };
        if let Ok(stat) = process.stat() {
            let seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
            metric(encoder, "process_cpu_seconds", "Time of processors that it took", &ConstCounter::new(seconds))?;
            let resident = stat.rss as f64 * procfs::page_size() as f64;
            gauge(encoder, "process_resident_memory_bytes", "Memory that it has", resident)?;
            gauge(encoder, "process_virtual_memory_bytes", "Addresses that it has", stat.vsize as f64)?;
            gauge(encoder, "process_threads", "Threads that it has", stat.num_threads as f64)?;
        }
        if let Ok(files) = process.fd_count() {
            gauge(encoder, "process_open_fds", "Files and connections that it has open", files as f64)?;
        }
        if let Ok((soft, _)) = rlimit::Resource::NOFILE.get() {
            gauge(encoder, "process_max_fds", "Files and connections that it may have open", soft as f64)?;
        }
        Ok(())
    }
}
