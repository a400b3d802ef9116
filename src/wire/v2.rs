//! The earlier protocol, which knows no runs, no numbers and no acknowledgements: agents and dashboards of the earlier
//! NixFleet say these messages, and this project's own say them to such peers.
//!
//! Text frames as in the newer protocol, `{"type": …, "payload": …}`. `register` is the same message ([`Register`]), and
//! so is `command_rejected`; a `registered` without `protocol` and a `register` without it are what tells a peer apart.
//! Everything has a default: what an earlier program leaves out is no reason to drop the rest.
//!
//! What it cannot do: a lost link loses the output and the end of a command without a trace; a message names a command,
//! and not which of its runs; nothing says that a command was taken but what comes of it.
//!
//! [`Register`]: super::to_dashboard::Register

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::to_dashboard::{CommandRejected, Metrics, Register};

/// The number of the protocol of peers that name none.
pub const PROTOCOL: u32 = 2;

/// A text frame from an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum ToDashboard {
    /// First on every connection.
    Register(Box<Register>),
    /// Once an interval.
    Heartbeat(Box<Heartbeat>),
    /// One line of the command that runs.
    Output(Output),
    /// A command ended.
    Status(Status),
    /// A command that was not started.
    CommandRejected(CommandRejected),
    /// How far the command is.
    OperationProgress(OperationProgress),
    /// How far the host's test scripts are.
    TestProgress(TestProgress),
    /// A command ended, and how the host stands after it.
    CommandComplete(CommandComplete),
}

/// A text frame to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum ToAgent {
    /// The answer to `register`.
    Registered {
        /// The dashboard's id of the host.
        #[serde(default)]
        host_id: String,
    },
    /// Run a command.
    Command {
        /// Which one.
        command: String,
    },
    /// Signal the command that runs.
    KillCommand {
        /// `SIGTERM` or `SIGKILL`.
        #[serde(default)]
        signal: String,
        /// Its process; 0 for whatever runs.
        #[serde(default)]
        pid: i64,
    },
}

/// A sign of life.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// The commit of the configuration on the host.
    pub generation: String,
    /// The version of nixpkgs of the running system.
    pub nixpkgs_version: String,
    /// The command that runs.
    pub pending_command: Option<String>,
    /// Its process.
    pub command_pid: Option<i64>,
    /// StaSysMo's metrics.
    pub metrics: Option<Metrics>,
    /// What the agent last found out about what is outdated.
    pub update_status: Option<UpdateStatus>,
}

/// Four lamps; none where the agent has not looked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateStatus {
    /// Whether the working copy is that of the repository.
    pub git: Option<Lamp>,
    /// Whether the flake's lock is recent.
    pub lock: Option<Lamp>,
    /// Whether the running system is that of the working copy.
    pub system: Option<Lamp>,
    /// Whether the host's tests passed.
    pub tests: Option<Lamp>,
}

/// One of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lamp {
    /// `ok`, `outdated`, `error`, `unknown` or `working`.
    pub status: String,
    /// In words.
    pub message: String,
    /// When it was looked at, as the agent writes it.
    pub checked_at: Value,
}

/// One line of output.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    /// The line, without its end.
    pub line: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The command; may be empty.
    pub command: String,
    /// Whether the agent takes it for an error.
    pub is_error: bool,
}

/// The end of a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// `ok`, `error`, `stopped` or `warning`.
    pub status: String,
    /// Which command.
    pub command: String,
    /// Its exit status.
    pub exit_code: Option<i32>,
    /// In words.
    pub message: String,
    /// The commit of the configuration after it.
    pub generation: String,
}

/// How far a command is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationProgress {
    /// The parts of it.
    pub progress: Operations,
}

/// The parts of a command, those that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operations {
    /// Bringing the working copy up to date.
    pub pull: Option<Stage>,
    /// Updating the flake's lock.
    pub lock: Option<Stage>,
    /// Rebuilding the system.
    pub system: Option<Stage>,
    /// The host's test scripts.
    pub tests: Option<Stage>,
}

/// One part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stage {
    /// Steps that are done.
    pub current: u64,
    /// Steps in all.
    pub total: u64,
    /// `pending`, `in_progress`, `complete` or `error`.
    pub status: String,
    /// Of tests: `pending`, `pass` or `fail` each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<String>,
}

/// How far the host's test scripts are. What `passed`, `running` and `result` look like differs from agent to agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TestProgress {
    /// Scripts that have been started.
    pub current: u64,
    /// Scripts in all.
    pub total: u64,
    /// How many passed.
    pub passed: Value,
    /// Whether one runs, or which.
    pub running: Value,
    /// How the last one ended.
    pub result: Value,
}

/// The end of a command, with how the host stands after it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandComplete {
    /// Which command.
    pub command: String,
    /// Its exit status.
    pub exit_code: Option<i32>,
    /// What is outdated now.
    pub fresh_status: Option<UpdateStatus>,
}

#[cfg(test)]
mod tests;
