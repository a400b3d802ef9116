//! What a supervisor is asked: the contents of `request.json` and `stop.json`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::run::id::{CommandName, RunId};
use crate::run::kind::RunKind;

/// Seconds between the steps of a stop when nobody says otherwise.
pub const DEFAULT_GRACE_S: u64 = 10;
/// The most bytes of one run's journal when nobody says otherwise.
pub const DEFAULT_JOURNAL_MAX: u64 = 256 * 1024 * 1024;

/// What the supervisor shall do. Everything in it was decided by the agent on this host; nothing is given to a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorRequest {
    /// The run.
    pub run: RunId,
    /// The command's name.
    pub command: CommandName,
    /// What kind of command it is.
    pub kind: RunKind,
    /// The program (an absolute path, or a name that is looked up in `PATH`) and its arguments.
    pub argv: Vec<String>,
    /// Variables that are set in the program's environment, after everything else.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// The program sees the supervisor's own environment, without its secrets; else an empty one.
    #[serde(default = "yes")]
    pub inherit_env: bool,
    /// Where the program starts.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Seconds until the program is stopped and the run has timed out.
    #[serde(default)]
    pub timeout_s: Option<u64>,
    /// Seconds between the steps of a stop.
    #[serde(default = "default_grace")]
    pub grace_s: u64,
    /// The most bytes that the journal may have; beyond it, its middle is given up.
    #[serde(default = "default_journal_max")]
    pub journal_max: u64,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
    /// The link that keeps the supervisor's store path alive, for the supervisor to remove at its end.
    #[serde(default)]
    pub gc_root: Option<PathBuf>,
}

fn default_journal_max() -> u64 {
    DEFAULT_JOURNAL_MAX
}

fn yes() -> bool {
    true
}

fn default_grace() -> u64 {
    DEFAULT_GRACE_S
}

/// Asks a supervisor to stop its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Also in the middle of an activation.
    #[serde(default)]
    pub force: bool,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
}

#[cfg(test)]
impl SupervisorRequest {
    /// A new run for tests that need any.
    pub fn sample(command: &str) -> Self {
        Self {
            run: RunId::new(),
            command: command.parse().unwrap(),
            kind: RunKind::Plain,
            argv: vec!["x".into()],
            env: Vec::new(),
            inherit_env: true,
            cwd: None,
            timeout_s: None,
            grace_s: DEFAULT_GRACE_S,
            journal_max: DEFAULT_JOURNAL_MAX,
            requested_by: String::new(),
            gc_root: None,
        }
    }
}
