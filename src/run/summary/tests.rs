use super::*;
mod questions;
mod truth;

use crate::run::kind::RebuildTool;

/// State and reason of a `nixos-rebuild switch` that printed that.
fn judge_text(text: &str, ended: &Ended, interference: &Interference) -> (RunState, String) {
    let kind = RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    };
    let mut tracker = Tracker::new(&kind);
    let mut found = Vec::new();
    tracker.start(&mut found);
    for (number, line) in text.lines().enumerate() {
        tracker.line(number as u64 + 1, line.as_bytes(), &mut found);
    }
    tracker.finish(*ended == Ended::Exited(0), &mut found);
    let outcome = outcome(
        Some(&kind),
        ended,
        &tracker,
        interference,
        &GroundTruth::default(),
    );
    (outcome.state, outcome.reason.unwrap_or_default())
}

#[track_caller]
fn check(text: &str, ended: &Ended, interference: &Interference, state: RunState, part: &str) {
    let (found, reason) = judge_text(text, ended, interference);
    assert_eq!(found, state, "{text}: {reason}");
    assert!(reason.contains(part), "{reason}");
    assert_eq!(reason.is_empty(), state == RunState::Succeeded);
}

const ACTIVE: &str = "building the system configuration...\nactivating the configuration...\n";

#[track_caller]
fn exits(text: &str, code: i32, state: RunState, part: &str) {
    check(
        text,
        &Ended::Exited(code),
        &Interference::default(),
        state,
        part,
    );
}

#[test]
fn exit_statuses() {
    exits(ACTIVE, 0, RunState::Succeeded, "");
    let units = "Failed to start a.service\nwarning: the following units failed: a.service\n";
    exits(
        &format!("{ACTIVE}{units}"),
        4,
        RunState::Degraded,
        "failed: a.service;",
    );
    let bash = "warning: error(s) occurred while switching to the new configuration";
    exits(
        &format!("{ACTIVE}{units}{bash}"),
        1,
        RunState::Degraded,
        "failed: a.service;",
    );
    let script = "Activation script snippet 'users' failed (1)\nFailed to run activate script\n";
    exits(
        &format!("{ACTIVE}{script}"),
        2,
        RunState::Failed,
        "failed while activating: Activation script snippet",
    );
    exits(
        &format!("{ACTIVE}{script}restarting systemd...\n{bash}"),
        1,
        RunState::Failed,
        "failed while activating: Act",
    );
    exits(
        &format!("{ACTIVE}{script}{units}"),
        4,
        RunState::Degraded,
        "its activation script failed too",
    );
    let init = "building the system configuration...\nupdating GRUB 2 menu...\nWarning: the new NixOS configuration has an ‘init’ that is\n";
    exits(init, 100, RunState::RebootRequired, "after a reboot");
    exits(
        &format!("{init}{bash}"),
        1,
        RunState::RebootRequired,
        "after a reboot",
    );
    // Classic nix-build fails with the same statuses before anything is activated.
    let failed = "building the system configuration...\nbuilding '/nix/store/a-b.drv'...\nerror: builder for 'b' failed with exit code 2";
    exits(
        failed,
        100,
        RunState::Failed,
        "failed while building: builder for 'b' failed",
    );
    exits(failed, 4, RunState::Failed, "failed while building");
    exits(
        "usage: x",
        2,
        RunState::Failed,
        "exit status 2; its last line: usage: x",
    );
    exits("", 1, RunState::Failed, "it printed nothing");
    exits("", 130, RunState::Stopped, "interrupted on the host");
}

#[test]
fn other_ends() {
    let none = Interference::default();
    let asked = Interference {
        stopped_by: Some("mba".into()),
        timed_out_s: None,
    };
    let late = Interference {
        stopped_by: None,
        timed_out_s: Some(60),
    };
    check(
        "",
        &Ended::Signaled(9),
        &none,
        RunState::Failed,
        "killed by signal 9",
    );
    check(
        "",
        &Ended::Signaled(2),
        &asked,
        RunState::Stopped,
        "stopped by mba while evaluating",
    );
    check(
        ACTIVE,
        &Ended::Exited(1),
        &asked,
        RunState::Stopped,
        "between the old and the new",
    );
    check(
        "",
        &Ended::Signaled(15),
        &late,
        RunState::TimedOut,
        "limit of 60 s",
    );
    check("", &Ended::Exited(0), &asked, RunState::Succeeded, "");
    check("", &Ended::Unknown, &none, RunState::Lost, "not known");
    let missing = Ended::NotStarted("the program x is not there".into());
    check(
        "",
        &missing,
        &none,
        RunState::Failed,
        "not started: the program x",
    );
}
