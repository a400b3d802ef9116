//! How a run ended, from its exit status and what its texts said. The exit status outranks texts, except that the bash
//! `nixos-rebuild` turns every failed activation into 1: there the texts tell which one it was.

use crate::run::event::{MAX_TEXT, Outcome};
use crate::run::kind::RunKind;
use crate::run::phase::{Phase, RunState};
use crate::run::tracker::Tracker;

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With an exit status.
    Exited(i32),
    /// By a signal.
    Signaled(i32),
    /// It was never started, for this reason.
    NotStarted(String),
    /// Nobody knows.
    Unknown,
}

/// What the supervisor did to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interference {
    /// Who asked for a stop that was carried out.
    pub stopped_by: Option<String>,
    /// It ran longer than these seconds and was stopped for that.
    pub timed_out_s: Option<u64>,
}

const SIGINT: i32 = 2;
/// What a shell and Python report of a program that SIGINT ended.
const INTERRUPTED: i32 = 128 + SIGINT;

/// The outcome of a run.
pub fn outcome(
    kind: Option<&RunKind>,
    ended: &Ended,
    tracker: &Tracker,
    interference: &Interference,
) -> Outcome {
    let (exit_code, signal) = match ended {
        Ended::Exited(code) => (Some(*code), None),
        Ended::Signaled(signal) => (None, Some(*signal)),
        Ended::NotStarted(_) | Ended::Unknown => (None, None),
    };
    let (state, reason) = judge(kind, ended, tracker, interference);
    let reason = reason.map(|reason| reason.chars().take(MAX_TEXT).collect());
    Outcome {
        state,
        exit_code,
        signal,
        reason,
    }
}

fn judge(
    kind: Option<&RunKind>,
    ended: &Ended,
    tracker: &Tracker,
    interference: &Interference,
) -> (RunState, Option<String>) {
    let phase = tracker.phase().map_or("starting", Phase::name);
    let half_way = if tracker.is_activating() {
        "; the host may be between the old and the new configuration, switch again"
    } else {
        ""
    };
    if let Ended::NotStarted(why) = ended {
        return (RunState::Failed, Some(format!("not started: {why}")));
    }
    // A program that ended well just before it was stopped, ended well.
    if *ended == Ended::Exited(0) {
        return (RunState::Succeeded, None);
    }
    if let Some(seconds) = interference.timed_out_s {
        let reason = format!(
            "timed out while {phase}: it ran longer than its limit of {seconds} s{half_way}"
        );
        return (RunState::TimedOut, Some(reason));
    }
    if let Some(by) = &interference.stopped_by {
        let by = if by.is_empty() { "an operator" } else { by };
        return (
            RunState::Stopped,
            Some(format!("stopped by {by} while {phase}{half_way}")),
        );
    }
    match ended {
        Ended::Exited(INTERRUPTED) | Ended::Signaled(SIGINT) => (
            RunState::Stopped,
            Some(format!(
                "interrupted on the host (SIGINT) while {phase}{half_way}"
            )),
        ),
        Ended::Signaled(signal) => (
            RunState::Failed,
            Some(format!(
                "failed while {phase}: killed by signal {signal}{half_way}"
            )),
        ),
        Ended::Unknown => (
            RunState::Lost,
            Some(format!(
                "the exit status is not known; its last phase was {phase}"
            )),
        ),
        Ended::Exited(code) if is_rebuild(kind) => rebuild(*code, tracker),
        Ended::Exited(code) => (RunState::Failed, Some(failed(*code, tracker))),
        Ended::NotStarted(_) => (RunState::Failed, None),
    }
}

fn is_rebuild(kind: Option<&RunKind>) -> bool {
    kind.is_none_or(|kind| matches!(kind, RunKind::Rebuild { .. }))
}

/// A rebuild that did not exit with 0.
fn rebuild(code: i32, tracker: &Tracker) -> (RunState, Option<String>) {
    let facts = tracker.facts();
    let activating = tracker.is_activating();
    // What switch-to-configuration exited with: the Python tool hands it on, the bash tool only says that it was not 0.
    let hidden = code == 1 && facts.switch_errors;
    let units = facts.units_failed || !facts.failed_units.is_empty();
    let status = match facts.command_status {
        Some(status) if activating => status,
        _ if hidden && units => 4,
        _ if hidden && facts.init_changed => 100,
        _ => code,
    };
    match status {
        4 if activating || hidden => {
            let units = if facts.failed_units.is_empty() {
                "units of the new configuration".to_owned()
            } else {
                facts.failed_units.join(", ")
            };
            let script = facts
                .script_failed
                .as_ref()
                .map_or_else(String::new, |text| {
                    format!("; its activation script failed too: {text}")
                });
            (
                RunState::Degraded,
                Some(format!(
                    "the new configuration is active, but failed: {units}{script}; see `systemctl status`"
                )),
            )
        }
        100 if facts.init_changed && (activating || hidden) => (
            RunState::RebootRequired,
            Some(
                "the new configuration takes effect after a reboot: its init is another one"
                    .to_owned(),
            ),
        ),
        _ => (RunState::Failed, Some(failed(code, tracker))),
    }
}

/// `failed while building: the first error`
fn failed(code: i32, tracker: &Tracker) -> String {
    let phase = tracker.phase().map_or("starting", Phase::name);
    match &tracker.facts().first_error {
        Some((error, Phase::Running)) => {
            format!("failed with exit status {code}: {error}")
        }
        // Units are started even after the activation script failed: name the phase of the error.
        Some((error, phase)) => format!("failed while {}: {error}", phase.name()),
        None => {
            let last = tracker.last_line();
            let said = if last.is_empty() {
                "it printed nothing".to_owned()
            } else {
                format!("its last line: {last}")
            };
            if phase == "running" {
                format!("failed with exit status {code}; {said}")
            } else {
                format!("failed while {phase}: exit status {code}; {said}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
