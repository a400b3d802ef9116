//! What the dashboard knows of each host. A host has at most one series of each family here.

use super::text::{Kind, Text};
use crate::dashboard::fleet::HostSample;
use crate::wire::api::HostStatus;

/// A number of a host, where there is one.
type Value = fn(&HostSample) -> Option<f64>;

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// A share of StaSysMo's, which counts in percent.
fn share(percent: Option<f64>) -> Option<f64> {
    Some(percent? / 100.0)
}

const FAMILIES: &[(&str, Kind, &str, Value)] = &[
    (
        "nixfleet_host_up",
        Kind::Gauge,
        "Whether the host's heartbeats arrive.",
        |own| Some(flag(own.shown.status == HostStatus::Online)),
    ),
    (
        "nixfleet_host_reconnecting",
        Kind::Gauge,
        "Whether the host has just gone away and has time to come back.",
        |own| Some(flag(own.shown.status == HostStatus::Reconnecting)),
    ),
    (
        "nixfleet_host_absence_expected",
        Kind::Gauge,
        "Whether nobody is to be alarmed when the host is away: it is under maintenance, or comes and goes as it likes.",
        |own| Some(flag(own.suppressed)),
    ),
    (
        "nixfleet_host_maintenance",
        Kind::Gauge,
        "Whether the host is under maintenance.",
        |own| Some(flag(own.shown.liveness.maintenance.is_some())),
    ),
    (
        "nixfleet_host_last_heartbeat_age_seconds",
        Kind::Gauge,
        "How long ago the host's last heartbeat came.",
        |own| own.age.map(|age| age.as_secs_f64()),
    ),
    (
        "nixfleet_host_heartbeat_interval_seconds",
        Kind::Gauge,
        "Time between the host's heartbeats.",
        |own| Some(f64::from(own.shown.heartbeat_interval)),
    ),
    (
        "nixfleet_host_offline_after_seconds",
        Kind::Gauge,
        "How long the host may be silent before it counts as offline.",
        |own| {
            let interval = f64::from(own.shown.heartbeat_interval);
            Some(interval * f64::from(own.shown.liveness.offline_after))
        },
    ),
    (
        "nixfleet_host_heartbeats_total",
        Kind::Counter,
        "Heartbeats of the host since the dashboard started.",
        |own| Some(own.shown.heartbeats as f64),
    ),
    (
        "nixfleet_host_flaps",
        Kind::Gauge,
        "How often the host went away in the last hour, activations and maintenances aside.",
        |own| Some(f64::from(own.shown.liveness.flaps)),
    ),
    (
        "nixfleet_host_clock_skew_seconds",
        Kind::Gauge,
        "The host's clock less the dashboard's.",
        |own| Some(own.shown.liveness.clock_skew_ms? as f64 / 1000.0),
    ),
    (
        "nixfleet_host_run_in_progress",
        Kind::Gauge,
        "Whether the host runs a command.",
        |own| Some(flag(own.shown.activity.is_some())),
    ),
    (
        "nixfleet_host_run_progress_ratio",
        Kind::Gauge,
        "How far the host's run is, by what such runs took before.",
        |own| {
            let eta = own.shown.activity.as_ref()?.eta?;
            Some(f64::from(eta.percent) / 100.0)
        },
    ),
    (
        "nixfleet_host_runs_waiting",
        Kind::Gauge,
        "Runs that wait for the host.",
        |own| Some(own.shown.queued as f64),
    ),
    (
        "nixfleet_host_cpu_used_ratio",
        Kind::Gauge,
        "Processor time in use, by StaSysMo.",
        |own| share(own.shown.metrics.map(|metrics| metrics.cpu)),
    ),
    (
        "nixfleet_host_memory_used_ratio",
        Kind::Gauge,
        "Memory in use, by StaSysMo.",
        |own| share(own.shown.metrics.map(|metrics| metrics.ram)),
    ),
    (
        "nixfleet_host_swap_used_ratio",
        Kind::Gauge,
        "Swap in use, by StaSysMo.",
        |own| share(own.shown.metrics.map(|metrics| metrics.swap)),
    ),
    (
        "nixfleet_host_load",
        Kind::Gauge,
        "Load average over 1 minute, by StaSysMo.",
        |own| own.shown.metrics.map(|metrics| metrics.load),
    ),
    (
        "nixfleet_host_agent_memory_bytes",
        Kind::Gauge,
        "Memory that the host's agent occupies.",
        |own| Some(own.heartbeat.as_ref()?.agent?.memory as f64),
    ),
    (
        "nixfleet_host_agent_cpu_seconds_total",
        Kind::Counter,
        "Processor time of the host's agent since it started.",
        |own| Some(own.heartbeat.as_ref()?.agent?.cpu_ms as f64 / 1000.0),
    ),
];

/// Writes what is known of `hosts`.
pub fn write(text: &mut Text, hosts: &[HostSample]) {
    for (name, kind, help, value) in FAMILIES {
        let mut family = text.family(name, *kind, help);
        for own in hosts {
            if let Some(value) = value(own).filter(|value| value.is_finite()) {
                family.sample(&[("host", &own.shown.hostname)], value);
            }
        }
    }
    let help = "Who the host is.";
    let mut family = text.family("nixfleet_host_info", Kind::Gauge, help);
    for HostSample { shown, .. } in hosts {
        let labels = [
            ("host", &*shown.hostname),
            ("host_type", &shown.host_type),
            ("agent_version", &shown.agent_version),
            ("os_version", &shown.os_version),
            ("generation", &shown.generation),
            ("location", &shown.location),
            ("device_type", &shown.device_type),
        ];
        family.count(&labels, 1);
    }
    let help = "What the host runs, where it runs something.";
    let mut family = text.family("nixfleet_host_activity", Kind::Gauge, help);
    for HostSample { shown, .. } in hosts {
        if let Some(activity) = &shown.activity {
            let phase = activity.phase.map_or("starting", |phase| phase.name());
            let labels = [
                ("host", &*shown.hostname),
                ("command", &activity.command),
                ("phase", phase),
            ];
            family.count(&labels, 1);
        }
    }
}

/// Series of one host, resources aside.
#[cfg(test)]
pub const MOST: usize = FAMILIES.len() + 2;
