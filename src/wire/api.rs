//! The JSON of the HTTP API, for the page, the CLI and scripts. Times are RFC 3339 in UTC with milliseconds.
//!
//! `GET /api/session` answers who is logged in: `{"user", "role", "csrf_token"}`; the page sends `csrf_token` as
//! `X-CSRF-Token` with everything but `GET`. With an API token there is none (null), and none is needed.
//!
//! `GET /api/runs?host=&state=&before=&limit=` answers runs, newest first; `before` is a run's id, and only older runs are
//! answered: the id of the last run of one answer asks for the next.
//!
//! # Server-sent events
//! `GET /api/events` sends `host` ([`Host`]) and `run` ([`Run`]) whenever one changes, after a first `hosts` ([`Hosts`])
//! that holds them all. A later `hosts` replaces everything before it. `alerts` (`{}`) says that `/api/alerts` has changed.
//!
//! `GET /api/runs/{id}/events` sends
//! - `run` ([`Run`]): always first, and then on every change; while only its counters grow, a few times a second;
//! - `lines` ([`LogLines`]): their event id is the number of the last line in it;
//! - `skipped` ([`Skipped`]): only with `?behind=N` (at least 100), when more than N lines wait for this reader: the newest N
//!   come next, and those before them do not come at all; its event id is the number of the last of these;
//! - `partial` ([`Partial`]): the line that is not finished yet;
//! - `end` (`{}`): after the last line of a run that is over, and the stream ends. If the run was over before and no line
//!   is left to send, it comes at once after `run`.
//!
//! The first line is `?from=N`, line N itself included, and 1 without. `Last-Event-ID` continues after that line, and wins
//! over `from`, because a browser reconnects to the same address.
//!
//! Both streams send `ping` (`{}`) when they had nothing else to send for 10 seconds: any event is a sign of life. A reader
//! ignores events that it does not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod alerts;
mod builds;
mod error;
mod lamps;
mod liveness;
mod log;
mod metrics;

pub use alerts::{Alert, AlertChannel, AlertChannels, AlertDelivery, Alerts, ChannelTest};
pub use builds::{BuildLogLine, BuildLogLines, BuildLogs, LoggedBuild};
pub use error::{ApiError, ErrorBody};
pub use lamps::{MarkedLines, UpdateLamps};
pub use liveness::{
    Absence, AbsenceBody, HostEvent, HostEventKind, HostEvents, HostLiveness, Maintenance,
    MaintenanceBody,
};
pub use log::{LogGap, LogGaps, LogLine, LogLines, Partial, Skipped};
pub use metrics::{
    Capacity, HostCapacity, HostEdit, HostResources, LeftOut, MetricsHistory, RecentHost,
    RecentMetrics, SeriesValues,
};

use crate::run::event::{Failure, Progress};
use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};
use crate::wire::resources::{AgentUsage, HostFacts};
use crate::wire::to_dashboard::{Metrics, OfferedCommand};

/// `GET /api/hosts`, and the first event of `GET /api/events`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Hosts {
    /// All of them, by name.
    pub hosts: Vec<Host>,
}

/// Whether a host is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// Heartbeats arrive.
    Online,
    /// None for longer than the host's deadline.
    Offline,
    /// Disconnected in the middle of an activation, or the dashboard has just started; a deadline is set.
    Reconnecting,
    /// Known by name only.
    NeverSeen,
}

/// A host, with the earlier dashboard's fields first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// The dashboard's id of the host; its name.
    pub id: String,
    /// Its name.
    pub hostname: String,
    /// `nixos`, `macos` or `linux`.
    pub host_type: String,
    /// The agent's version.
    pub agent_version: String,
    /// The operating system's version.
    pub os_version: String,
    /// The nixpkgs version of the running system.
    pub nixpkgs_version: String,
    /// The running system.
    pub generation: String,
    /// When the last heartbeat arrived, by the dashboard's clock.
    pub last_seen: Option<String>,
    /// Whether it is there.
    pub status: HostStatus,
    /// The command that runs.
    pub pending_command: Option<String>,
    /// An operator's note.
    pub comment: String,
    /// What it is doing.
    pub activity: Option<HostActivity>,
    /// Age of the last heartbeat when this was made, in milliseconds.
    pub last_heartbeat_age_ms: Option<u64>,
    /// Milliseconds until a reconnecting host counts as offline.
    pub reconnect_deadline_ms: Option<u64>,
    /// Heartbeats since the dashboard started.
    pub heartbeats: u64,
    /// Seconds between its heartbeats.
    pub heartbeat_interval: u32,
    /// StaSysMo's metrics of the last heartbeat.
    pub metrics: Option<Metrics>,
    /// The agent's own readings; none from agents that send none, and of hosts that are not online.
    pub resources: Option<HostResources>,
    /// What stays the same while the host runs.
    #[serde(default)]
    pub facts: Option<HostFacts>,
    /// What the agent itself needs.
    #[serde(default)]
    pub agent: Option<AgentUsage>,
    /// An operator's words for it, sorted.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What a program that is an agent by the library says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_text: Option<String>,
    /// Its numbers, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_metrics: BTreeMap<String, f64>,
    /// 2 or 3.
    pub protocol: u32,
    /// What an agent of the earlier protocol last found out about what is outdated, with its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_status: Option<UpdateLamps>,
    /// How many runs wait for it.
    #[serde(default)]
    pub queued: usize,
    /// A colour for its name.
    pub theme_color: String,
    /// Where it stands.
    pub location: String,
    /// What kind of machine it is.
    pub device_type: String,
    /// The commands that it offers.
    pub commands: Vec<OfferedCommand>,
    /// How well it keeps in touch.
    #[serde(flatten)]
    pub liveness: HostLiveness,
}

/// What a host is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostActivity {
    /// The run.
    pub run: RunId,
    /// Its command.
    pub command: String,
    /// Its phase.
    pub phase: Option<Phase>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// When it started.
    pub since: String,
    /// When it will be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Eta>,
}

/// `GET /api/runs`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// Newest first.
    pub runs: Vec<Run>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// On which host.
    pub host: String,
    /// What.
    pub command: String,
    /// With which arguments.
    pub args: Vec<String>,
    /// How it stands.
    pub state: RunState,
    /// Its phase; the last one after the end.
    pub phase: Option<Phase>,
    /// All phases so far.
    pub phases: Vec<RunPhase>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// When it will be over; none before it has started and after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta: Option<Eta>,
    /// The build that failed, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
    /// The program's exit status.
    pub exit_code: Option<i32>,
    /// Why it ended as it did, in words.
    pub reason: Option<String>,
    /// Who asked.
    pub requested_by: String,
    /// When it was asked for.
    pub created_at: String,
    /// When the program started, by the host's clock.
    pub started_at: Option<String>,
    /// When it ended, by the host's clock.
    pub finished_at: Option<String>,
    /// Complete lines so far.
    pub lines: u64,
    /// Output bytes so far.
    pub bytes: u64,
    /// Output bytes that are not kept: the host could not, or the dashboard removed them because its store was too large.
    pub bytes_missing: u64,
    /// Output bytes that the host has and the dashboard does not have yet.
    pub bytes_pending: u64,
    /// The run is over and its output is not all here: some is still to come (`bytes_pending`), some is not kept
    /// (`bytes_missing`), or its checksum is another one.
    pub incomplete: bool,
    /// Why output may be missing that nobody can count: an agent of the earlier protocol cannot send again what was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<String>,
    /// Whether the checksum of the whole output is the one that the host computed; none while not all of it is here.
    pub verified: Option<bool>,
    /// It was taken for lost, and then found again.
    pub recovered: bool,
    /// A run that waits for its host: when it stops waiting.
    pub queued_until: Option<String>,
    /// Its host has gone away in the middle of the activation: milliseconds until the run counts as lost.
    pub reconnect_deadline_ms: Option<u64>,
    /// Warnings seen.
    pub warnings: u64,
    /// Errors seen.
    pub errors: u64,
    /// Units that failed.
    pub failed_units: Vec<String>,
    /// The running system's store path after the run.
    pub generation: Option<String>,
    /// Why the newest stop that was asked for is not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_refused: Option<String>,
}

/// When a run that goes on is expected to end, from how long such runs, and the builds in them, took before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// How much of the expected time is over, 0 to 99. Never falls in a run's life.
    pub percent: u8,
    /// Seconds until the end, by the dashboard's clock when this was sent; none while nothing is known to tell it from.
    pub seconds: Option<u64>,
    /// The most seconds that it may take, where that is much more than `seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_most: Option<u64>,
    /// What goes on takes clearly longer than nine of ten times before: `seconds` is no more than what it has left at the least.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
}

/// One phase of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPhase {
    /// Which one.
    pub phase: Phase,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Number of its first line.
    pub first_line: u64,
}

/// `POST /api/hosts/{host}/command`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandBody {
    /// The command's name.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Wait for a host that is offline or busy, instead of being refused.
    #[serde(default)]
    pub queue: bool,
    /// As earlier dashboards took it: with `stop`, also in the middle of an activation. Anything else that they would have
    /// refused without it is not refused here.
    #[serde(default)]
    pub force: bool,
    /// How many seconds it may wait; a day by default, at most 7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// The answer to [`CommandBody`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandQueued {
    /// Always `queued`.
    pub status: String,
    /// The command's name.
    pub command: String,
    /// The run's id.
    pub command_id: RunId,
    /// When it stops waiting for its host, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_until: Option<String>,
}

/// `POST /api/runs/{id}/stop`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StopBody {
    /// Also in the middle of an activation.
    pub force: bool,
}
