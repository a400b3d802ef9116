//! The figures in Prometheus' text format. Values that could not be read lately are absent: nothing old is drawn as new.

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering::Relaxed;

use super::Api;
use crate::agent::health::Health;
use crate::base::VERSION;
use crate::run::phase::Phase;
use crate::wire::resources::{Amount, Resources};
use crate::wire::to_dashboard::{Activity, Heartbeat, Metrics};

/// Resources older than this are not told.
const FRESH_MS: u64 = 60_000;
const PREFIX: &str = "nixfleet_agent";
const PHASES: [Phase; 6] = [
    Phase::Evaluating,
    Phase::Building,
    Phase::Fetching,
    Phase::Activating,
    Phase::Switching,
    Phase::Running,
];

/// A text of families, each with its HELP and TYPE.
struct Text(String);

impl Text {
    /// One family; without samples it is left out.
    fn family<L: Display, V: Display>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            self.0,
            "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} {kind}"
        );
        for (labels, value) in samples {
            let _ = writeln!(self.0, "{PREFIX}_{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl IntoIterator<Item = f64>) {
        let samples = value.into_iter().map(|value| ("", value));
        self.family((name, "gauge", help), samples);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family((name, "counter", help), [("", value)]);
    }

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

/// `{name="value"}` with the value escaped.
fn label(name: &str, value: &str) -> String {
    let mut text = format!("{{{name}=\"");
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push_str("\"}");
    text
}

/// All figures.
pub(super) fn text(api: &Api) -> String {
    let status = &api.status;
    let heartbeat = status.heartbeat(0);
    let mut text = Text(String::with_capacity(6 * 1024));
    text.family(
        ("build_info", "gauge", "The agent's version."),
        [(label("version", VERSION), 1)],
    );
    text.gauge(
        "start_time_seconds",
        "When the agent started, since the epoch.",
        [status.started_at() as f64 / 1000.0],
    );
    let health = status.health();
    connection(
        &mut text,
        &health,
        health.is_healthy(status.silence_limit()),
    );
    agent(&mut text, api, &heartbeat);
    run(&mut text, heartbeat.activity.as_ref());
    stasysmo(&mut text, heartbeat.metrics);
    let fresh = heartbeat.resources.as_ref();
    if let Some(resources) = fresh.filter(|resources| resources.age_ms < FRESH_MS) {
        host(&mut text, resources);
    }
    text.0
}

fn connection(text: &mut Text, health: &Health, healthy: bool) {
    let flag = |is: bool| [f64::from(u8::from(is))];
    text.gauge(
        "connected",
        "Whether the agent is registered at the dashboard.",
        flag(health.connected),
    );
    text.gauge(
        "healthy",
        "Whether the dashboard acknowledges heartbeats.",
        flag(healthy),
    );
    text.gauge(
        "last_ack_age_seconds",
        "How long ago a heartbeat was acknowledged.",
        health.since_ack().map(|ago| ago.as_secs_f64()),
    );
    text.gauge(
        "reconnect_attempts",
        "Failed attempts since the last connection.",
        [f64::from(health.attempts)],
    );
    text.counter(
        "heartbeats_sent_total",
        "Heartbeats sent to the dashboard.",
        health.sent,
    );
    text.counter(
        "heartbeats_acknowledged_total",
        "Heartbeats that the dashboard acknowledged.",
        health.acknowledged,
    );
}

fn agent(text: &mut Text, api: &Api, heartbeat: &Heartbeat) {
    let usage = heartbeat.agent;
    text.gauge(
        "resident_memory_bytes",
        "Memory of the agent itself.",
        usage.map(|usage| usage.memory as f64),
    );
    if let Some(usage) = usage {
        let seconds = usage.cpu_ms as f64 / 1000.0;
        text.counter(
            "cpu_seconds_total",
            "CPU time of the agent itself.",
            seconds,
        );
    }
    text.counter(
        "local_api_requests_total",
        "Requests that the local API answered.",
        api.requests.load(Relaxed),
    );
    let pushes = api.status.pushes();
    let each = |value: fn(&crate::wire::local_api::Push) -> u64| {
        let samples = pushes
            .iter()
            .map(move |push| (label("url", &push.url), value(push)));
        samples.collect::<Vec<_>>()
    };
    text.family(
        (
            "push_healthy",
            "gauge",
            "Whether the newest push to a back-end arrived.",
        ),
        each(|push| u64::from(push.healthy)),
    );
    text.family(
        ("push_delivered_total", "counter", "Pushes that arrived."),
        each(|push| push.delivered),
    );
    text.family(
        (
            "push_failed_total",
            "counter",
            "Pushes that did not arrive.",
        ),
        each(|push| push.failed),
    );
}

fn run(text: &mut Text, activity: Option<&Activity>) {
    let active = f64::from(u8::from(activity.is_some()));
    text.gauge("run_active", "Whether a run goes on.", [active]);
    let Some(activity) = activity else { return };
    text.family(
        ("run_info", "gauge", "The run that goes on."),
        [(label("command", activity.command.as_str()), 1)],
    );
    let phases = PHASES.map(|phase| {
        let is = activity.phase == Some(phase);
        (label("phase", phase.name()), u8::from(is))
    });
    text.family(
        ("run_phase", "gauge", "The phase of the run that goes on."),
        phases,
    );
    text.gauge(
        "run_start_time_seconds",
        "When the run that goes on started, since the epoch.",
        [activity.since as f64 / 1000.0],
    );
    if let Some(progress) = &activity.progress {
        text.gauge(
            "run_progress_done",
            "Steps of the phase that are done.",
            [progress.done as f64],
        );
        text.gauge(
            "run_progress_expected",
            "Steps that the phase has.",
            [progress.total as f64],
        );
    }
}

fn stasysmo(text: &mut Text, metrics: Option<Metrics>) {
    let ratio = |percent: fn(Metrics) -> f64| metrics.map(|metrics| percent(metrics) / 100.0);
    text.gauge(
        "stasysmo_cpu_ratio",
        "CPU in use, as StaSysMo says.",
        ratio(|metrics| metrics.cpu),
    );
    text.gauge(
        "stasysmo_memory_ratio",
        "Memory in use, as StaSysMo says.",
        ratio(|metrics| metrics.ram),
    );
    text.gauge(
        "stasysmo_swap_ratio",
        "Swap in use, as StaSysMo says.",
        ratio(|metrics| metrics.swap),
    );
    text.gauge(
        "stasysmo_load1",
        "Load over one minute, as StaSysMo says.",
        metrics.map(|metrics| metrics.load),
    );
}

fn host(text: &mut Text, resources: &Resources) {
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
    let gpus = |value: fn(&crate::wire::resources::Gpu) -> Option<f64>| {
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

/// The host's figures alone.
#[cfg(test)]
pub(super) fn host_text(resources: &Resources) -> String {
    let mut text = Text(String::new());
    host(&mut text, resources);
    text.0
}
