//! The figures in Prometheus' text format. Values that could not be read lately are absent: nothing old is drawn as new.

mod host;

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering::Relaxed;

use super::Api;
use crate::agent::health::Health;
use crate::base::VERSION;
use crate::run::phase::Phase;
use crate::wire::local_api::Push;
#[cfg(test)]
use crate::wire::resources::Resources;
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
        host::host(&mut text, resources);
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
    let each = |value: fn(&Push) -> u64| {
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

/// The host's figures alone.
#[cfg(test)]
pub(super) fn host_text(resources: &Resources) -> String {
    let mut text = Text(String::new());
    host::host(&mut text, resources);
    text.0
}
