//! The machine that the figures are of, in a line. Names no host.

use std::fs;

use jiff::Timestamp;

/// Cores, memory, kernel and date.
pub(crate) fn described() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (processors, memory, kernel) =
        (read("/proc/cpuinfo"), read("/proc/meminfo"), read("/proc/sys/kernel/osrelease"));
    let after = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let kib = after(&memory, "MemTotal").split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok());
    let gib = kib.unwrap_or_default() / (1 << 20);
    let cores = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = kernel.trim().split('-').next().unwrap_or_default().to_owned();
    let profile = if cfg!(debug_assertions) { "without optimisation" } else { "optimised" };
    format!(
        "Measured on {}: {cores} cores of {}, {gib} GiB of memory, Linux {kernel}; built {profile}, {}.",
        Timestamp::now().strftime("%Y-%m-%d"),
        after(&processors, "model name"),
        if cfg!(feature = "mimalloc") { "with mimalloc" } else { "with the system's allocator" },
    )
}
