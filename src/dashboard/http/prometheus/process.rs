//! The dashboard's own process, by the names that all programs use.

use super::text::{Kind, Text};

/// What the kernel counts processor time in, in one second: the same on every Linux.
const TICKS: f64 = 100.0;

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Process {
    cpu_seconds: f64,
    start_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
    max_fds: Option<u64>,
}

/// Writes what can be seen; nothing on systems without `/proc`.
pub fn write(text: &mut Text) {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    let found = parse(
        &read("/proc/self/stat"),
        &read("/proc/self/status"),
        &read("/proc/self/limits"),
        &read("/proc/stat"),
    );
    let Some(process) = found else {
        return;
    };
    text.family(
        "process_cpu_seconds_total",
        Kind::Counter,
        "Processor time of the dashboard.",
    )
    .only(process.cpu_seconds);
    text.family(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the dashboard started, since the epoch.",
    )
    .only(process.start_seconds);
    let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    for (name, help, value) in [
        (
            "process_resident_memory_bytes",
            "Memory that the dashboard occupies.",
            Some(process.resident_bytes),
        ),
        (
            "process_virtual_memory_bytes",
            "Address space of the dashboard.",
            Some(process.virtual_bytes),
        ),
        (
            "process_threads",
            "Threads of the dashboard.",
            Some(process.threads),
        ),
        (
            "process_open_fds",
            "Files and sockets that the dashboard has open.",
            // One of them is the directory that was just read.
            open.map(|n| n.saturating_sub(1) as u64),
        ),
        (
            "process_max_fds",
            "How many it may have open.",
            process.max_fds,
        ),
    ] {
        if let Some(value) = value {
            text.family(name, Kind::Gauge, help).only_count(value);
        }
    }
}

fn parse(stat: &str, status: &str, limits: &str, system: &str) -> Option<Process> {
    // The program's name may have spaces and parentheses of its own.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |n: usize| fields.get(n - 3)?.parse::<f64>().ok();
    let line = |text: &str, name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Process {
        cpu_seconds: (field(14)? + field(15)?) / TICKS,
        start_seconds: line(system, "btime")? as f64 + field(22)? / TICKS,
        resident_bytes: line(status, "VmRSS:")? * 1024,
        virtual_bytes: line(status, "VmSize:")? * 1024,
        threads: line(status, "Threads:")?,
        max_fds: line(limits, "Max open files"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 5 0 1234 9 9 9";
        let status = "Name:\ta\nVmSize:\t  2048 kB\nVmRSS:\t     4 kB\nThreads:\t5\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024      4096      files\n";
        let found = parse(stat, status, limits, "cpu 1 2\nbtime 1000\n");
        let expected = Process {
            cpu_seconds: 3.0,
            start_seconds: 1012.34,
            resident_bytes: 4096,
            virtual_bytes: 2 << 20,
            threads: 5,
            max_fds: Some(1024),
        };
        assert_eq!(found, Some(expected));
        assert_eq!(parse("", status, limits, ""), None);
        let endless = limits.replace("1024", "unlimited");
        let found = parse(stat, status, &endless, "btime 1000").unwrap();
        assert_eq!(found.max_fds, None);
    }
}
