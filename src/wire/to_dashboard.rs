//! Messages from an agent to the dashboard. Names and fields of the earlier protocol are kept; new ones are added.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::event::Progress;
use crate::run::id::{CommandName, RunId, Seq};
use crate::run::phase::Phase;
use crate::run::view::RunView;
use crate::wire::resources::{AgentUsage, HostFacts, Resources};
use crate::wire::subject::{Pattern, Subject};

/// A text frame from an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum ToDashboard {
    /// First on every connection.
    Register(Box<Register>),
    /// Once an interval, the first at once.
    Heartbeat(Box<Heartbeat>),
    /// A command that was not started.
    CommandRejected(CommandRejected),
    /// How a run stands, ahead of its records: a flood of output delays no outcome.
    RunStatus(Box<RunStatus>),
    /// Sends a message to all who listen.
    Publish(Box<Publish>),
    /// All that this connection listens to, from here on.
    Subscribe(Subscribe),
    /// The answer to `challenge`, before `register`.
    Proof(Proof),
}

/// A message to all who listen. Live only: it is not stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publish {
    /// The sender's number for it, which `published` names.
    pub id: u64,
    /// What it is about.
    pub subject: Subject,
    /// At most [`MAX_PAYLOAD`](super::MAX_PAYLOAD) bytes as JSON.
    #[serde(default)]
    pub payload: serde_json::Value,
    /// Where an answer is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Subject>,
}

/// What a connection listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscribe {
    /// At most [`MAX_PATTERNS`](super::MAX_PATTERNS); none to hear nothing.
    pub patterns: Vec<Pattern>,
}

/// Shows that the agent has the private half of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The host that it speaks for.
    pub hostname: String,
    /// The dashboard's host as the agent's `url` names it ([`dashboard_host`](super::key::dashboard_host)).
    pub dashboard: String,
    /// The host's clock, in milliseconds since the epoch.
    pub at: u64,
    /// Of [`Signed`](super::key::Signed), base64 with padding.
    pub signature: String,
}

/// How a run stands by all records in its journal, however few of them have been shipped. Sent at once when the state
/// or the phase changes, else at most once a second; the newest one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Which run.
    pub run: RunId,
    /// The newest record that it is made of.
    pub last_seq: Seq,
    /// The run.
    pub view: RunView,
}

/// Who the agent is and what it offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Register {
    /// The host's name; parsed by the dashboard before use.
    pub hostname: String,
    /// `nixos` or `macos`; another Linux says `linux`.
    pub host_type: String,
    /// The agent's version.
    pub agent_version: String,
    /// The operating system's version.
    pub os_version: String,
    /// The version of nixpkgs that the running system was built from.
    pub nixpkgs_version: String,
    /// The running system: its configuration revision where one is built in, else its store path's name.
    pub generation: String,
    /// Seconds between heartbeats.
    pub heartbeat_interval: u32,
    /// A colour for the host's name, `#rrggbb`.
    pub theme_color: String,
    /// Where the host stands: `home`, `work`, a data centre's name.
    pub location: String,
    /// What kind of machine it is: `server`, `desktop`, `laptop`.
    pub device_type: String,
    /// The configuration's repository.
    pub repo_url: String,
    /// Its working copy on the host.
    pub repo_dir: String,
    /// The protocol that the agent speaks; the earlier ones do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// After how many intervals without a heartbeat the host counts as offline; the dashboard's own setting where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline_after: Option<u32>,
    /// The host's clock when this was sent, in milliseconds since the epoch; protocol 3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What stays the same while the host runs.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "readable")]
    pub facts: Option<HostFacts>,
    /// The commands that it offers.
    pub commands: Vec<OfferedCommand>,
    /// Whose subjects it speaks and hears; the usual ones where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The runs whose journals it keeps because the dashboard has not acknowledged all of them, and the one that runs.
    pub runs: Vec<KnownRun>,
    /// Whether this is a single heartbeat (`--once`) and no agent that stays: it replaces no connection, names no runs, is
    /// asked for none, and says nothing about those that it does not name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

/// A command that an agent offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedCommand {
    /// Its name.
    pub name: CommandName,
    /// What it does, in a sentence.
    pub description: String,
    /// Whether it changes the host. The page asks before such a command.
    #[serde(default)]
    pub changes_host: bool,
    /// Whether it takes arguments.
    #[serde(default)]
    pub takes_args: bool,
}

/// A run whose journal is on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRun {
    /// Which run.
    pub run: RunId,
    /// Its command.
    pub command: CommandName,
    /// The newest record in its journal.
    pub last_seq: Seq,
    /// Whether its supervisor is alive.
    pub alive: bool,
}

/// A sign of life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// Number of the heartbeat on this connection, from 1; 0 from peers that do not number.
    pub n: u64,
    /// As in [`Register::generation`].
    pub generation: String,
    /// As in [`Register::nixpkgs_version`].
    pub nixpkgs_version: String,
    /// The command that runs.
    pub pending_command: Option<String>,
    /// Its process.
    pub command_pid: Option<i64>,
    /// StaSysMo's metrics, fresh only.
    #[serde(deserialize_with = "readable")]
    pub metrics: Option<Metrics>,
    /// What the host is doing, in protocol 3.
    pub activity: Option<Activity>,
    /// The host's clock when this was made, in milliseconds since the epoch; protocol 3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// What the agent reads of its host by itself.
    #[serde(
        with = "crate::wire::resources::short",
        skip_serializing_if = "Option::is_none",
        default
    )]
    pub resources: Option<Resources>,
    /// What the agent itself needs.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "readable")]
    pub agent: Option<AgentUsage>,
    /// What a program that uses the agent as a library says of itself, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_text: Option<String>,
    /// Numbers of such a program, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_metrics: BTreeMap<String, f64>,
}

/// What a host is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The run.
    pub run: RunId,
    /// Its command.
    pub command: CommandName,
    /// Its phase, once there is one.
    pub phase: Option<Phase>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// When it started, in milliseconds since the epoch by the host's clock.
    pub since: u64,
}

/// StaSysMo's four numbers. Peers may write them as JSON strings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// CPU in use, percent.
    #[serde(deserialize_with = "number_or_text")]
    pub cpu: f64,
    /// Memory in use, percent.
    #[serde(deserialize_with = "number_or_text")]
    pub ram: f64,
    /// Swap in use, percent.
    #[serde(deserialize_with = "number_or_text")]
    pub swap: f64,
    /// Load average over one minute.
    #[serde(deserialize_with = "number_or_text")]
    pub load: f64,
}

/// A value that cannot be read is none: it must not cost the sign of life that it came with.
pub(super) fn readable<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<T> {
        Readable(T),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Option::deserialize(deserializer)? {
        Some(Either::Readable(value)) => Some(value),
        Some(Either::Other(_)) | None => None,
    })
}

fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }
    let value = match Either::deserialize(deserializer)? {
        Either::Number(number) => number,
        Either::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| serde::de::Error::custom("a metric that is no number"))?,
    };
    if value.is_finite() {
        Ok(value)
    } else {
        Err(serde::de::Error::custom("a metric that is not finite"))
    }
}

/// A command that the agent did not start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandRejected {
    /// The run that was asked for; protocol 3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Why, in words.
    pub reason: String,
    /// The command that runs instead.
    pub current_command: Option<String>,
    /// Its process.
    pub current_pid: Option<i64>,
}
