//! Messages from the dashboard to an agent.

use serde::{Deserialize, Serialize};

use crate::run::id::{CommandName, RunId, Seq};

/// A text frame to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum ToAgent {
    /// The answer to `register`.
    Registered(Registered),
    /// The answer to a heartbeat.
    HeartbeatAck {
        /// Its number.
        n: u64,
    },
    /// Start a run.
    Run(RunRequest),
    /// All records up to `seq` are committed.
    RunAck(RunAck),
    /// Stop a run.
    RunStop(RunStop),
    /// How long output of a run may wait for more.
    FlushInterval(FlushInterval),
}

/// How long output of a run may wait for more before it is sent. The first bytes after a pause, phases and the end never wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlushInterval {
    /// Which run.
    pub run: RunId,
    /// Milliseconds; [`WATCHED_MS`](super::WATCHED_MS) while somebody watches.
    pub ms: u32,
}

/// The answer to `register`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registered {
    /// The dashboard's id of the host.
    pub host_id: String,
    /// The protocol from here on; absent from earlier dashboards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
    /// Where to continue, for each run that `register` named.
    pub resume: Vec<RunAck>,
}

/// Asks for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The run's id, made by the dashboard.
    pub run: RunId,
    /// What to run.
    pub command: CommandName,
    /// Arguments, where the command takes any; checked by the agent, never given to a shell.
    #[serde(default)]
    pub args: Vec<String>,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
}

/// Says how far a run's journal is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAck {
    /// Which run.
    pub run: RunId,
    /// The last committed record; 0 for none.
    pub seq: Seq,
    /// Records after `seq` were missing or damaged: continue after it.
    #[serde(default)]
    pub rewind: bool,
}

/// Asks to stop a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStop {
    /// Which run.
    pub run: RunId,
    /// Also in the middle of an activation.
    #[serde(default)]
    pub force: bool,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
}
