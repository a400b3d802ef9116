//! Connections of agents of the earlier protocol: their words and ours, one translated into the other at the border.
//! What their words mean for runs is the hub's.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::connection::{Gone, Log};
use super::handshake;
use super::peer::{FromAgent, Peer};
use crate::dashboard::app::AppState;
use crate::dashboard::hub::sanitize;
use crate::run::id::CommandName;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{CommandRejected, Heartbeat, OfferedCommand, Register};
use crate::wire::v2;

/// The commands that earlier agents know; they do not say so themselves. `stop` is no run.
const COMMANDS: [(&str, &str, bool); 14] = [
    (
        "pull",
        "Bring the configuration's working copy up to date",
        false,
    ),
    ("switch", "Build the configuration and switch to it", true),
    (
        "pull-switch",
        "Bring the configuration up to date, then switch to it",
        true,
    ),
    ("test", "Run the host's own test scripts one by one", false),
    ("rollback", "Switch to the generation before", true),
    (
        "update",
        "Update the flake's inputs in the working copy",
        false,
    ),
    ("force-update", "Update the agent, past any cache", true),
    (
        "refresh-git",
        "Look whether the working copy is up to date",
        false,
    ),
    (
        "refresh-lock",
        "Look whether the flake's inputs are recent",
        false,
    ),
    (
        "refresh-system",
        "Look whether the running system is the configuration's",
        false,
    ),
    ("refresh-all", "Look at all of these", false),
    (
        "check-version",
        "Look which version of the agent is installed and which one runs",
        false,
    ),
    ("restart", "Restart the agent", true),
    ("reboot", "Reboot the host", true),
];

/// How long a line waits for a place.
const ROOM: Duration = Duration::from_secs(1);
/// The longest text of a message that is kept, in characters.
const MAX_TEXT: usize = 300;

/// What the hub hears of such an agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A line.
    Line(v2::Output),
    /// Lines that nobody could take.
    Dropped {
        /// How many.
        lines: u64,
        /// Their bytes, line ends included.
        bytes: u64,
    },
    /// The end of a command.
    Status(v2::Status),
    /// How far a command is.
    Progress(v2::Operations),
    /// How far the test scripts are.
    Tests(v2::TestProgress),
    /// The end of a command, without a word of how.
    Complete {
        /// Which command.
        command: String,
        /// Its exit status.
        exit_code: Option<i32>,
    },
    /// What a heartbeat says that the agent is doing.
    Doing(Option<String>),
}

impl Heard {
    /// Bytes that it takes while it waits, about.
    pub fn n_bytes(&self) -> usize {
        match self {
            Self::Line(output) => output.line.len() + output.command.len() + size_of::<Self>(),
            _ => size_of::<Self>(),
        }
    }
}

/// What one message is.
#[derive(Debug)]
pub(super) enum Taken {
    /// A heartbeat, its lamps, and what it says of commands.
    Beat(Box<Heartbeat>, Option<v2::UpdateStatus>),
    /// Lamps beside it.
    Lamps(v2::UpdateStatus),
    /// A command that was not started.
    Rejected(CommandRejected),
    /// Something for the hub.
    Heard(Heard),
    /// Another `register`.
    Register,
}

/// Puts what an agent does not say of itself into its `register`.
pub(super) fn complete(register: &mut Register) {
    // What it names are not runs of that protocol.
    register.runs.clear();
    register.commands = COMMANDS.into_iter().filter_map(offered).collect();
}

fn offered((name, description, changes_host): (&str, &str, bool)) -> Option<OfferedCommand> {
    Some(OfferedCommand {
        name: name.parse::<CommandName>().ok()?,
        description: description.into(),
        changes_host,
        takes_args: false,
    })
}

/// What the text says. Two answers where the message says two things.
///
/// # Errors
/// It is no message of the protocol.
pub(super) fn take(text: &str) -> Result<Vec<Taken>, serde_json::Error> {
    Ok(match serde_json::from_str(text)? {
        v2::ToDashboard::Register(_) => vec![Taken::Register],
        v2::ToDashboard::Heartbeat(beat) => {
            let v2::Heartbeat {
                generation,
                nixpkgs_version,
                pending_command,
                command_pid,
                metrics,
                update_status,
            } = *beat;
            let pending_command = pending_command.filter(|command| !command.is_empty());
            let mut doing = pending_command.clone();
            doing.iter_mut().for_each(cut);
            let heartbeat = Heartbeat {
                generation,
                nixpkgs_version,
                pending_command,
                command_pid,
                metrics,
                ..Heartbeat::default()
            };
            vec![
                Taken::Beat(Box::new(heartbeat), update_status.map(cut_lamps)),
                Taken::Heard(Heard::Doing(doing)),
            ]
        }
        v2::ToDashboard::Output(output) => vec![Taken::Heard(Heard::Line(output))],
        v2::ToDashboard::Status(mut status) => {
            [&mut status.command, &mut status.generation]
                .into_iter()
                .for_each(cut);
            sanitize::cut(&mut status.message);
            vec![Taken::Heard(Heard::Status(status))]
        }
        v2::ToDashboard::CommandRejected(mut rejected) => {
            // A run of the newer protocol is not theirs to reject.
            rejected.run = None;
            rejected.current_command.iter_mut().for_each(cut);
            vec![Taken::Rejected(rejected)]
        }
        v2::ToDashboard::OperationProgress(progress) => {
            vec![Taken::Heard(Heard::Progress(progress.progress))]
        }
        v2::ToDashboard::TestProgress(progress) => vec![Taken::Heard(Heard::Tests(progress))],
        v2::ToDashboard::CommandComplete(mut complete) => {
            cut(&mut complete.command);
            let lamps = complete.fresh_status.map(cut_lamps).map(Taken::Lamps);
            let heard = Taken::Heard(Heard::Complete {
                command: complete.command,
                exit_code: complete.exit_code,
            });
            lamps.into_iter().chain([heard]).collect()
        }
    })
}

/// Takes one message, and passes on what it says.
pub(super) async fn deliver(
    app: &AppState,
    peer: &Arc<Peer>,
    log: &mut Log,
    text: &str,
) -> Result<(), Gone> {
    let taken = match take(text) {
        Ok(taken) => taken,
        Err(error) => {
            log.ignored(&error.to_string(), text);
            return Ok(());
        }
    };
    for taken in taken {
        match taken {
            Taken::Beat(mut heartbeat, lamps) => {
                handshake::cut_heartbeat(&mut heartbeat);
                app.fleet.beat(peer, *heartbeat);
                app.fleet.lamps(peer, lamps);
            }
            Taken::Lamps(lamps) => app.fleet.lamps(peer, Some(lamps)),
            Taken::Rejected(rejected) => {
                let message = FromAgent::Rejected(rejected);
                app.hub.deliver(peer, message).map_err(Gone::Close)?;
            }
            Taken::Heard(heard) => {
                // Its heartbeats come on the same socket: they are worth more than a line.
                let _ = timeout(ROOM, peer.room(heard.n_bytes())).await;
                let message = FromAgent::V2(heard);
                app.hub.deliver(peer, message).map_err(Gone::Close)?;
            }
            Taken::Register => log.ignored("a second register", ""),
        }
    }
    Ok(())
}

/// Our word in theirs; none where they have none for it.
///
/// # Errors
/// It cannot be written.
pub(super) fn say(message: &ToAgent) -> Result<Option<String>, serde_json::Error> {
    let message = match message {
        ToAgent::Registered(registered) => v2::ToAgent::Registered {
            host_id: registered.host_id.clone(),
        },
        ToAgent::Run(request) => v2::ToAgent::Command {
            command: request.command.to_string(),
        },
        // The hub asks gently first; see `hub::v2`.
        ToAgent::RunStop(stop) => v2::ToAgent::KillCommand {
            signal: if stop.force { "SIGKILL" } else { "SIGTERM" }.into(),
            pid: 0,
        },
        ToAgent::HeartbeatAck { .. }
        | ToAgent::RunAck(_)
        | ToAgent::FlushInterval(_)
        | ToAgent::Message(_)
        | ToAgent::Published(_)
        | ToAgent::MessagesDropped { .. }
        | ToAgent::Challenge { .. } => return Ok(None),
    };
    serde_json::to_string(&message).map(Some)
}

fn cut_lamps(mut lamps: v2::UpdateStatus) -> v2::UpdateStatus {
    let all = [
        &mut lamps.git,
        &mut lamps.lock,
        &mut lamps.system,
        &mut lamps.tests,
    ];
    for lamp in all.into_iter().flatten() {
        cut(&mut lamp.status);
        cut(&mut lamp.message);
        match &mut lamp.checked_at {
            serde_json::Value::String(text) => cut(text),
            serde_json::Value::Number(_) => {}
            other => *other = serde_json::Value::Null,
        }
    }
    lamps
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_name_that_is_one() {
        let mut register = Register::default();
        complete(&mut register);
        assert_eq!(register.commands.len(), COMMANDS.len());
    }

    #[test]
    fn a_complete_says_two_things_and_long_texts_are_cut() {
        let long = "x".repeat(5000);
        let text = format!(
            r#"{{"type":"command_complete","payload":{{"command":"pull","exit_code":0,"fresh_status":{{"git":{{"status":"ok","message":"{long}","checked_at":[1]}}}}}}}}"#
        );
        let taken = take(&text).unwrap();
        let [
            Taken::Lamps(lamps),
            Taken::Heard(Heard::Complete { exit_code, .. }),
        ] = &taken[..]
        else {
            panic!("{taken:?}");
        };
        let git = lamps.git.as_ref().unwrap();
        assert_eq!((git.message.len(), exit_code), (MAX_TEXT, &Some(0)));
        assert!(git.checked_at.is_null());
    }
}
