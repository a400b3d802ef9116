//! How a run ended, from its exit status, from what its texts said and from what the host's links say. The exit status
//! outranks texts, except that the bash `nixos-rebuild` turns every failed activation into 1: there the texts tell which
//! one it was. The links outrank both: what does not run was not switched to.

use crate::run::event::{Failure, Outcome, cut};
use crate::run::kind::{RebuildTool, RunKind};
use crate::run::phase::{Phase, RunState};
use crate::run::rules::sentence;
use crate::run::system::GroundTruth;
use crate::run::tracker::Tracker;

mod lost;
mod nixos;
mod success;

pub use lost::{LastKnown, lost};

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

/// The outcome of a run. Where the host's links are not known, `truth` is the default one.
pub fn outcome(
    kind: Option<&RunKind>,
    ended: &Ended,
    tracker: &Tracker,
    interference: &Interference,
    truth: &GroundTruth<'_>,
) -> Outcome {
    let (exit_code, signal) = match ended {
        Ended::Exited(code) => (Some(*code), None),
        Ended::Signaled(signal) => (None, Some(*signal)),
        Ended::NotStarted(_) | Ended::Unknown => (None, None),
    };
    let (state, reason) = judge(kind, ended, tracker, interference, truth);
    let reason = reason.map(|reason| cut(format!("{reason}{}", question(state, tracker))));
    Outcome {
        state,
        exit_code,
        signal,
        reason,
        failure: tracker
            .failure()
            .filter(|_| state != RunState::Succeeded)
            .map(Box::new),
    }
}

/// That something asked a question, where the run did not get beyond the phase of it.
fn question(state: RunState, tracker: &Tracker) -> String {
    use RunState::{Failed, Lost, Stopped, TimedOut};
    match &tracker.facts().question {
        Some((advice, phase))
            if matches!(state, Failed | Lost | Stopped | TimedOut)
                && tracker.phase() == Some(*phase)
                && tracker.failure().is_none() =>
        {
            format!("; {advice}")
        }
        _ => String::new(),
    }
}

fn judge(
    kind: Option<&RunKind>,
    ended: &Ended,
    tracker: &Tracker,
    interference: &Interference,
    truth: &GroundTruth<'_>,
) -> (RunState, Option<String>) {
    let phase = phase(tracker);
    if let Ended::NotStarted(why) = ended {
        return (RunState::Failed, Some(format!("not started: {why}")));
    }
    // A program that ended well just before it was stopped, ended well.
    if *ended == Ended::Exited(0) {
        return success::judge(kind, truth);
    }
    let half_way = half_way(kind, tracker, truth);
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
                "the exit status is not known; its last phase was {phase}{half_way}"
            )),
        ),
        Ended::Exited(code) => match tool(kind) {
            Some(RebuildTool::NixosRebuild) => nixos::judge(kind, *code, tracker, truth),
            Some(RebuildTool::DarwinRebuild) => {
                (RunState::Failed, Some(darwin(*code, tracker, truth)))
            }
            Some(RebuildTool::HomeManager) | None => {
                (RunState::Failed, Some(failed(*code, tracker)))
            }
        },
        Ended::NotStarted(_) => (RunState::Failed, None),
    }
}

/// The tool whose exit statuses count; a recording without a kind is taken for nixos-rebuild's.
fn tool(kind: Option<&RunKind>) -> Option<RebuildTool> {
    match kind {
        None => Some(RebuildTool::NixosRebuild),
        Some(RunKind::Rebuild { tool, .. }) => Some(*tool),
        Some(RunKind::Plain) => None,
    }
}

/// The rebuild's action; only the tools that set the system profile have one here.
fn system_action(kind: Option<&RunKind>) -> Option<&str> {
    match kind {
        Some(RunKind::Rebuild { tool, action }) if *tool != RebuildTool::HomeManager => {
            Some(action)
        }
        _ => None,
    }
}

fn phase(tracker: &Tracker) -> &'static str {
    tracker.phase().map_or("starting", Phase::name)
}

/// For a run that was cut off: what became of the host, when it was in the middle of an activation or has changed.
fn half_way(kind: Option<&RunKind>, tracker: &Tracker, truth: &GroundTruth<'_>) -> String {
    let activating = tracker.is_activating();
    let words = system_action(kind).and_then(|_| truth.words());
    match words {
        Some(words) if activating => {
            format!("; {words}, and the activation did not come to its end: switch again")
        }
        Some(words) if truth.profile_changed() || truth.current_changed() => format!("; {words}"),
        None if activating => {
            "; the host may be between the old and the new configuration, switch again".to_owned()
        }
        _ => String::new(),
    }
}

/// `failed while building: the first error`
fn failed(code: i32, tracker: &Tracker) -> String {
    let phase = phase(tracker);
    let facts = tracker.facts();
    let step = || {
        let step = facts
            .last_step
            .as_deref()
            .filter(|_| tracker.is_activating());
        let step = step.map(|step| step.trim_end_matches('.'));
        step.map_or_else(String::new, |step| format!(" at `{step}`"))
    };
    if let Some(failure) = tracker.failure() {
        let Failure {
            name, cause, host, ..
        } = failure;
        let host = host.map_or_else(String::new, |host| format!(" on {host}"));
        return format!("failed while building {name}{host}: {cause}");
    }
    match &facts.first_error {
        Some((error, Phase::Running)) => {
            format!("failed with exit status {code}: {}", sentence(error))
        }
        // Units are started even after the activation script failed: name the phase of the error.
        Some((error, phase)) => format!("failed while {}: {}", phase.name(), sentence(error)),
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
                format!("failed while {phase}{}: exit status {code}; {said}", step())
            }
        }
    }
}

/// darwin-rebuild: its `activate` ends at the first step that fails, with that step's exit status; its checks come before
/// all of them, exit status 2, and leave the host as it was.
fn darwin(code: i32, tracker: &Tracker, truth: &GroundTruth<'_>) -> String {
    let facts = tracker.facts();
    let checks = facts
        .first_error
        .as_ref()
        .filter(|(error, _)| error.contains("aborting activation"));
    let mut reason = match checks {
        Some((error, _)) => {
            format!("failed in the checks before the activation, which changed nothing: {error}")
        }
        None => failed(code, tracker),
    };
    if tracker.is_activating() || truth.profile_changed() {
        if checks.is_none()
            && let (Some(_), Some(step)) = (&facts.first_error, &facts.last_step)
        {
            reason = format!("{reason} (at `{}`)", step.trim_end_matches('.'));
        }
        if let Some(words) = truth.words() {
            reason = format!("{reason}; {words}");
        }
    }
    reason
}

#[cfg(test)]
mod tests;
