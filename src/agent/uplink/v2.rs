//! A connection to an earlier dashboard: its words and ours, one translated into the other at the border.

use tokio_tungstenite::tungstenite::Message;

use crate::agent::runs::{Request, Runs};
use crate::run::id::{CommandName, RunId};
use crate::wire::to_agent::{RunRequest, RunStop};
use crate::wire::to_dashboard::{CommandRejected, ToDashboard};
use crate::wire::v2;

/// Who asks, where the dashboard does not say it.
const BY: &str = "the dashboard";
/// What stops the current command, said as a command.
const STOP: &str = "stop";

/// Our word in theirs; none where they have none for it.
pub(super) fn say(message: &ToDashboard) -> Option<Result<Message, String>> {
    let message = match message {
        ToDashboard::Register(register) => v2::ToDashboard::Register(register.clone()),
        ToDashboard::Heartbeat(beat) => v2::ToDashboard::Heartbeat(Box::new(v2::Heartbeat {
            generation: beat.generation.clone(),
            nixpkgs_version: beat.nixpkgs_version.clone(),
            pending_command: beat.pending_command.clone(),
            command_pid: beat.command_pid,
            metrics: beat.metrics,
            // This agent never evaluates by itself, so it does not know.
            update_status: None,
        })),
        ToDashboard::CommandRejected(rejected) => {
            v2::ToDashboard::CommandRejected(CommandRejected {
                run: None,
                ..rejected.clone()
            })
        }
        ToDashboard::RunStatus(_)
        | ToDashboard::Publish(_)
        | ToDashboard::Subscribe(_)
        | ToDashboard::Proof(_) => return None,
    };
    let text = serde_json::to_string(&message);
    let text = text.map_err(|error| format!("a message cannot be written: {error}"));
    Some(text.map(Message::text))
}

/// What is to be done for a word of the dashboard.
#[derive(Debug)]
pub(super) enum Taken {
    /// A request.
    Request(Request),
    /// An answer.
    Answer(ToDashboard),
    /// Nothing, for this reason.
    Ignored(String),
}

/// What an earlier dashboard's word asks for. Its commands name no run: each is given one here.
pub(super) fn take(message: v2::ToAgent, runs: &Runs) -> Taken {
    match message {
        v2::ToAgent::Registered { .. } => Taken::Ignored("a second `registered`".into()),
        v2::ToAgent::Command { command } if command == STOP => stop(runs, 0, false),
        v2::ToAgent::Command { command } => match command.parse::<CommandName>() {
            Ok(command) => Taken::Request(Request::Start(RunRequest {
                run: RunId::new(),
                command,
                args: Vec::new(),
                requested_by: BY.into(),
            })),
            Err(error) => Taken::Answer(ToDashboard::CommandRejected(CommandRejected {
                reason: error.to_string(),
                ..CommandRejected::default()
            })),
        },
        v2::ToAgent::KillCommand { signal, pid } => stop(runs, pid, signal == "SIGKILL"),
    }
}

/// Stops what runs: SIGTERM and, after a grace time, SIGKILL are the supervisor's. Who says SIGKILL means it, also in the
/// middle of an activation.
fn stop(runs: &Runs, pid: i64, force: bool) -> Taken {
    let current = runs.current().borrow().clone();
    match current {
        Some(current) if pid == 0 || current.pid == Some(pid) => {
            Taken::Request(Request::Stop(RunStop {
                run: current.activity.run,
                force,
                requested_by: BY.into(),
            }))
        }
        Some(_) => Taken::Ignored(format!("a request to end process {pid}, which is no run's")),
        None => Taken::Ignored("a stop, while nothing runs".into()),
    }
}
