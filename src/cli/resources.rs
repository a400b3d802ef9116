//! What a host has and uses, in words.

use super::text;
use crate::wire::api::{Host, HostResources};
use crate::wire::resources::{Amount, GpuKind, Resources};

/// Bytes in decimal units: `812 B`, `1.4 GB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    if unit == "B" {
        return format!("{number} B");
    }
    format!("{value:.1} {unit}")
}

fn of(amount: Amount) -> String {
    format!(
        "{:.0} % of {} in use, {} free",
        amount.percent(),
        bytes(amount.total),
        bytes(amount.available)
    )
}

/// Rows of a name and a value for `host H`.
pub fn rows(host: &Host) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(facts) = &host.facts {
        let words = [&facts.os, &facts.kernel, &facts.architecture];
        let words: Vec<&str> = words.into_iter().map(String::as_str).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        rows.push(("Machine", words.join(", ")));
    }
    if let Some(HostResources { resources, stale }) = &host.resources {
        let age = text::age(resources.age_ms);
        let word = if *stale {
            ", too old to be how it is"
        } else {
            ""
        };
        rows.push(("Resources", format!("read {age} ago{word}")));
        readings(resources, &mut rows);
    }
    if let Some(agent) = host.agent.filter(|agent| agent.memory > 0) {
        rows.push((
            "Agent needs",
            format!(
                "{}, {:.1} s of CPU time",
                bytes(agent.memory),
                agent.cpu_ms as f64 / 1000.0
            ),
        ));
    }
    rows.push(("Tags", host.tags.join(" ")));
    rows
}

fn readings(resources: &Resources, rows: &mut Vec<(&'static str, String)>) {
    if let Some([one, five, fifteen]) = resources.load {
        let cores = resources
            .cores
            .map_or_else(String::new, |cores| format!(" on {cores} cores"));
        rows.push(("Load", format!("{one:.2} {five:.2} {fifteen:.2}{cores}")));
    }
    for (name, amount) in [("Memory", resources.memory), ("Swap", resources.swap)] {
        rows.extend(amount.map(|amount| (name, of(amount))));
    }
    for disk in &resources.disks {
        let store = if disk.store { " (the Nix store)" } else { "" };
        rows.push((
            "Disk",
            format!("{}{store}: {}", disk.mount, of(disk.amount)),
        ));
    }
    for gpu in &resources.gpus {
        let vram = gpu
            .vram
            .map_or_else(String::new, |vram| format!(": {}", of(vram)));
        rows.push(("GPU", format!("{}{vram}", gpu.name)));
    }
    if resources.gpus.is_empty() && !matches!(resources.gpu, None | Some(GpuKind::None)) {
        rows.push((
            "GPU",
            format!("{:?}", resources.gpu.unwrap_or(GpuKind::None)).to_lowercase(),
        ));
    }
    rows.extend(
        resources
            .temperature
            .map(|degrees| ("Temperature", format!("{degrees:.0} °C"))),
    );
    rows.extend(
        resources
            .uptime_s
            .map(|seconds| ("Up", text::age(seconds.saturating_mul(1000)))),
    );
    if let Some(units) = resources
        .failed_units
        .as_ref()
        .filter(|units| units.count > 0)
    {
        rows.push((
            "Failed units",
            format!("{}: {}", units.count, units.names.join(" ")),
        ));
    }
    if let Some(reasons) = resources
        .reboot_for
        .as_ref()
        .filter(|reasons| !reasons.is_empty())
    {
        rows.push(("Reboot", format!("needed for {}", reasons.join(", "))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        for (number, expected) in [
            (812, "812 B"),
            (1_440_000_000, "1.4 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }
}
