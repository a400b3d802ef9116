//! nixos-rebuild's exit statuses. Its Python implementation hands on what switch-to-configuration exited with; the bash
//! one exits with 1 and says that errors occurred.
//!
//! switch-to-configuration (nixpkgs 24.05 to 26.05, Perl and Rust): 1 refused, or no boot loader; 2 the activation script
//! (or the re-execution of systemd) failed; 3 systemd did not reload; 4 units failed, and the new system is active; 100
//! needs a reboot; 101 it panicked. 4 hides 2 when both happen. Builds exit with 1 or, by classic nix-build, with 100 and
//! other bits: before anything is activated these statuses mean nothing here.

use super::{failed, phase, system_action};
use crate::run::kind::RunKind;
use crate::run::phase::RunState;
use crate::run::system::GroundTruth;
use crate::run::tracker::{Facts, Tracker};

/// What a Rust program exits with after a panic.
const CRASHED: i32 = 101;

/// A nixos-rebuild that did not exit with 0.
pub(super) fn judge(
    kind: Option<&RunKind>,
    code: i32,
    tracker: &Tracker,
    truth: &GroundTruth<'_>,
) -> (RunState, Option<String>) {
    let facts = tracker.facts();
    let hidden = code == 1 && facts.switch_errors;
    // The profile is set when all is built: a change shows an activation even where none of its lines came (nixpkgs 25.11
    // sent them to the journal).
    let reached = tracker.is_activating()
        || hidden
        || facts.switch_status.is_some()
        || truth.profile_changed()
        || truth.current_changed();
    let status = if reached {
        switch_status(code, hidden, tracker, truth)
    } else {
        code
    };
    match status {
        4 if reached => units_failed(kind, facts, truth),
        100 if reached && (facts.init_changed || code == 100) => {
            (RunState::RebootRequired, Some(after_a_reboot(truth)))
        }
        _ => {
            let mut reason = explained(status, code, reached, tracker);
            if reached && let Some(words) = truth.words() {
                reason = format!("{reason}; {words}");
            }
            if reached && status == CRASHED {
                reason.push_str("; switch again");
            }
            (RunState::Failed, Some(reason))
        }
    }
}

/// What switch-to-configuration exited with, as well as it can be known.
fn switch_status(code: i32, hidden: bool, tracker: &Tracker, truth: &GroundTruth<'_>) -> i32 {
    let facts = tracker.facts();
    let units =
        facts.units_failed || !facts.failed_units.is_empty() || !facts.failed_users.is_empty();
    // The bash tool names no status of a command: a text that does is a builder's.
    let told = facts
        .switch_status
        .or(facts.command_status)
        .filter(|_| !hidden);
    match told {
        Some(status) => status,
        None if hidden && units => 4,
        None if hidden && facts.init_changed => 100,
        None if hidden && facts.script_failed.is_some() => 2,
        // None of its words came, but its system runs: then units are all that can have failed.
        None if hidden
            && facts.first_error.is_none()
            && truth.current_changed()
            && truth.running_another().is_none() =>
        {
            4
        }
        None => code,
    }
}

fn units_failed(
    kind: Option<&RunKind>,
    facts: &Facts,
    truth: &GroundTruth<'_>,
) -> (RunState, Option<String>) {
    let failed = || {
        let users = facts.failed_users.iter();
        let users = users.map(|user| format!("the activation of user {user}"));
        facts.failed_units.iter().cloned().chain(users)
    };
    let units = if failed().next().is_none() {
        "units of the new configuration".to_owned()
    } else {
        failed().collect::<Vec<_>>().join(", ")
    };
    let script = facts
        .script_failed
        .as_ref()
        .map_or_else(String::new, |text| {
            format!("; its activation script failed too: {text}")
        });
    if system_action(kind) == Some("switch")
        && let Some((running, profile)) = truth.running_another()
    {
        let reason = format!(
            "failed while switching: these failed: {units}{script}; the running system is {running} and not the profile's {profile}; switch again"
        );
        return (RunState::Failed, Some(reason));
    }
    let see = if facts.failed_units.is_empty() {
        "systemctl --failed"
    } else {
        "systemctl status"
    };
    let reason =
        format!("the new configuration is active, but failed: {units}{script}; see `{see}`");
    (RunState::Degraded, Some(reason))
}

fn after_a_reboot(truth: &GroundTruth<'_>) -> String {
    let after = truth.after.and_then(|after| after.profile.as_deref());
    let what = match after {
        Some(profile) if truth.profile_changed() => truth.name(profile),
        _ => "the new configuration".to_owned(),
    };
    format!("{what} takes effect after a reboot: its init is another one")
}

/// What a status of switch-to-configuration means, unless its texts said it.
fn explained(status: i32, code: i32, reached: bool, tracker: &Tracker) -> String {
    // The Python tool's own last line only repeats the status.
    let first = tracker.facts().first_error.as_ref();
    let told = first.is_some_and(|(error, _)| !error.starts_with("Command '"));
    let meaning = match status {
        CRASHED if reached => {
            "switch-to-configuration crashed, as it does when its output goes away"
        }
        2 if reached && !told => "the activation script or the restart of systemd failed",
        3 if reached && !told => "systemd did not reload its units",
        _ => return failed(code, tracker),
    };
    let phase = match phase(tracker) {
        // Its output went elsewhere.
        phase if tracker.is_activating() => phase,
        _ => "activating",
    };
    format!("failed while {phase}: {meaning} (exit status {status})")
}
