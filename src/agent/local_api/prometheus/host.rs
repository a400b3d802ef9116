//! What the agent reads of its host by itself.

use super::{Text, label};
use crate::wire::resources::{Amount, Gpu, Resources};

impl Text {
    fn amount(&mut self, name: &str, what: &str, amount: Option<Amount>) {
        let total = amount.map(|amount| amount.total as f64);
        let available = amount.map(|amount| amount.available as f64);
        self.gauge(
            &format!("host_{name}_size_bytes"),
            &format!("{what} of the host."),
            total,
        );
        self.gauge(
            &format!("host_{name}_available_bytes"),
            &format!("{what} that could still be used."),
            available,
        );
    }
}

/// All figures of a host.
pub(super) fn host(text: &mut Text, resources: &Resources) {
    text.gauge(
        "resources_age_seconds",
        "How old the oldest figure of the host is.",
        [resources.age_ms as f64 / 1000.0],
    );
    for (at, name) in ["load1", "load5", "load15"].into_iter().enumerate() {
        let value = resources.load.and_then(|load| load.get(at).copied());
        text.gauge(&format!("host_{name}"), "Load average of the host.", value);
    }
    text.gauge(
        "host_cores",
        "Processors that may be used.",
        resources.cores.map(f64::from),
    );
    text.gauge(
        "host_cores_available",
        "Processors less the load of the last minute.",
        resources.cores_available,
    );
    text.amount("memory", "Memory", resources.memory);
    text.amount("swap", "Swap", resources.swap);
    let disks = |value: fn(Amount) -> u64| {
        let samples = resources.disks.iter();
        samples.map(move |disk| (label("mount", &disk.mount), value(disk.amount)))
    };
    text.family(
        ("host_disk_size_bytes", "gauge", "Size of a file system."),
        disks(|amount| amount.total),
    );
    text.family(
        (
            "host_disk_available_bytes",
            "gauge",
            "What could still be written there.",
        ),
        disks(|amount| amount.available),
    );
    text.gauge(
        "host_uptime_seconds",
        "How long the host has been running.",
        resources.uptime_s.map(|seconds| seconds as f64),
    );
    text.gauge(
        "host_temperature_celsius",
        "The hottest sensor.",
        resources.temperature,
    );
    let gpus = |value: fn(&Gpu) -> Option<f64>| {
        let samples = resources.gpus.iter().enumerate();
        samples.filter_map(move |(at, gpu)| Some((label("gpu", &at.to_string()), value(gpu)?)))
    };
    text.family(
        ("host_gpu_memory_size_bytes", "gauge", "Memory of a GPU."),
        gpus(|gpu| gpu.vram.map(|vram| vram.total as f64)),
    );
    text.family(
        (
            "host_gpu_memory_available_bytes",
            "gauge",
            "Memory of a GPU that could still be used.",
        ),
        gpus(|gpu| gpu.vram.map(|vram| vram.available as f64)),
    );
    text.family(
        ("host_gpu_busy_ratio", "gauge", "How busy a GPU is."),
        gpus(|gpu| gpu.percent.map(|percent| percent / 100.0)),
    );
    text.gauge(
        "host_failed_units",
        "systemd units that have failed.",
        resources
            .failed_units
            .as_ref()
            .map(|units| f64::from(units.count)),
    );
    text.gauge(
        "host_reboot_needed",
        "Whether the next boot starts another kernel or its like.",
        resources
            .reboot_for
            .as_ref()
            .map(|parts| f64::from(u8::from(!parts.is_empty()))),
    );
}
