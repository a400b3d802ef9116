//! Messages from the dashboard to an agent.

use serde::{Deserialize, Serialize};

use crate::run::id::{CommandName, RunId, Seq};
use crate::wire::subject::Subject;

/// A text frame to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// A message on a subject to which this connection listens.
    Message(Box<Message>),
    /// The answer to `publish`.
    Published(Published),
    /// Messages that were dropped because too many waited.
    MessagesDropped {
        /// How many since this was said last.
        n: u64,
    },
    /// First of all for an agent that showed a key: sign this.
    Challenge {
        /// Random, of this connection alone; base64.
        nonce: String,
    },
}

/// A message on a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    #[serde(default)]
    pub payload: serde_json::Value,
    /// Where an answer is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Subject>,
    /// Who sent it: a host's name, or `operator NAME`. The dashboard's word.
    #[serde(default)]
    pub from: String,
}

/// What became of a `publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Which.
    pub id: u64,
    /// To how many it went.
    #[serde(default)]
    pub delivered: u32,
    /// Why it went to nobody, where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
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
    /// Whether messages by subject are taken here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub subjects: bool,
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
