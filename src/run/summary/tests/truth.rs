//! Outcomes where the host's links are known.

use super::*;
use crate::run::system::SystemState;

/// A state with that running system, that profile and generation.
fn state(current: &str, profile: &str, generation: u64) -> SystemState {
    SystemState {
        boot_id: Some("b".into()),
        current: Some(format!("/nix/store/{current}")),
        profile: Some(format!("/nix/store/{profile}")),
        generation: Some(generation),
        kernel_changed: Some(false),
        ..SystemState::default()
    }
}

fn before() -> SystemState {
    state("old", "old", 41)
}

struct Case {
    tool: RebuildTool,
    action: &'static str,
    text: String,
    ended: Ended,
    interference: Interference,
    before: SystemState,
    after: SystemState,
    elsewhere: bool,
}

/// A `nixos-rebuild switch` that printed that and exited so, and the state after it.
fn switch(text: &str, code: i32, after: SystemState) -> Case {
    Case {
        tool: RebuildTool::NixosRebuild,
        action: "switch",
        text: text.to_owned(),
        ended: Ended::Exited(code),
        interference: Interference::default(),
        before: before(),
        after,
        elsewhere: false,
    }
}

#[track_caller]
fn check(case: &Case, state: RunState, reason: &str) {
    let kind = RunKind::Rebuild {
        tool: case.tool,
        action: case.action.into(),
    };
    let mut tracker = Tracker::new(&kind);
    let mut found = Vec::new();
    tracker.start(&mut found);
    for (number, line) in case.text.lines().enumerate() {
        tracker.line(number as u64 + 1, line.as_bytes(), &mut found);
    }
    tracker.finish(case.ended == Ended::Exited(0), &mut found);
    let truth = GroundTruth {
        before: Some(&case.before),
        after: Some(&case.after),
        elsewhere: case.elsewhere,
    };
    let outcome = outcome(
        Some(&kind),
        &case.ended,
        &tracker,
        &case.interference,
        &truth,
    );
    assert_eq!(
        (outcome.state, outcome.reason.as_deref().unwrap_or_default()),
        (state, reason)
    );
}

fn new() -> SystemState {
    state("new", "new", 42)
}

fn half() -> SystemState {
    state("old", "new", 42)
}

const NG: &str =
    "Command '/nix/store/new/bin/switch-to-configuration switch' returned non-zero exit status ";
const BASH: &str = "warning: error(s) occurred while switching to the new configuration\n";
const UNITS: &str = "Failed to start a.service\nwarning: the following units failed: a.service\n";

#[test]
fn exit_0_is_believed_only_if_the_new_system_runs() {
    check(&switch(ACTIVE, 0, new()), RunState::Succeeded, "");
    // Nothing to do.
    check(&switch(ACTIVE, 0, before()), RunState::Succeeded, "");
    check(
        &switch(ACTIVE, 0, half()),
        RunState::Failed,
        "exit status 0, but the running system is old and not the profile's generation 42; look at the log, then switch again",
    );
    let other = |change: &dyn Fn(&mut Case)| {
        let mut case = switch(ACTIVE, 0, half());
        change(&mut case);
        case
    };
    check(
        &other(&|case| case.elsewhere = true),
        RunState::Succeeded,
        "",
    );
    for action in ["test", "boot", "build", "dry-activate"] {
        let case = other(&|case| case.action = action);
        check(&case, RunState::Succeeded, "");
    }
    check(
        &other(&|case| case.after.profile = None),
        RunState::Succeeded,
        "",
    );
    let home = other(&|case| case.tool = RebuildTool::HomeManager);
    check(&home, RunState::Succeeded, "");
}

#[test]
fn another_kernel_needs_a_reboot() {
    let kernel = |before: Option<bool>, names: Option<(&str, &str)>| {
        let mut case = switch(ACTIVE, 0, new());
        case.before.kernel_changed = before;
        case.after.kernel_changed = Some(true);
        case.after.booted_kernel = names.map(|(booted, _)| booted.into());
        case.after.kernel = names.map(|(_, kernel)| kernel.into());
        case
    };
    let names = Some(("linux-6.12.8", "linux-6.12.9"));
    check(
        &kernel(Some(false), names),
        RunState::RebootRequired,
        "the configuration is active, but the host runs linux-6.12.8 and not linux-6.12.9: reboot it",
    );
    check(
        &kernel(Some(true), names),
        RunState::RebootRequired,
        "the configuration is active, but the host still runs linux-6.12.8 and not linux-6.12.9: reboot it",
    );
    check(
        &kernel(None, Some(("linux-6", "linux-6"))),
        RunState::RebootRequired,
        "the configuration is active, but the host runs another kernel, initrd or set of modules than the configuration's: reboot it",
    );
    let mut boot = kernel(Some(false), names);
    boot.action = "boot";
    check(&boot, RunState::Succeeded, "");
    boot.action = "test";
    boot.after.profile = before().profile;
    check(
        &boot,
        RunState::RebootRequired,
        "the configuration is active, but the host runs linux-6.12.8 and not linux-6.12.9: reboot it",
    );
}

#[test]
fn what_switch_to_configuration_exited_with() {
    let degraded = "the new configuration is active, but failed: a.service; see `systemctl status`";
    let ng = |text: &str, code: i32, after| switch(&format!("{text}{NG}{code}."), code, after);
    check(
        &ng(&format!("{ACTIVE}{UNITS}"), 4, new()),
        RunState::Degraded,
        degraded,
    );
    let bash = format!("{ACTIVE}{UNITS}{BASH}");
    check(&switch(&bash, 1, new()), RunState::Degraded, degraded);
    check(
        &switch(&bash, 1, half()),
        RunState::Failed,
        "failed while switching: these failed: a.service; the running system is old and not the profile's generation 42; switch again",
    );
    // Its output went to the journal (nixpkgs 25.11), or was lost.
    let silent = "building the system configuration...\n";
    let unnamed = "the new configuration is active, but failed: units of the new configuration; see `systemctl --failed`";
    check(&ng(silent, 4, new()), RunState::Degraded, unnamed);
    check(&switch(silent, 4, new()), RunState::Degraded, unnamed);
    check(
        &switch(&format!("{silent}{BASH}"), 1, new()),
        RunState::Degraded,
        unnamed,
    );
    check(
        &ng(silent, 100, half()),
        RunState::RebootRequired,
        "generation 42 takes effect after a reboot: its init is another one",
    );
    check(
        &ng(silent, 2, new()),
        RunState::Failed,
        "failed while activating: the activation script or the restart of systemd failed (exit status 2); the running system did change to generation 42",
    );
    check(
        &ng(ACTIVE, 3, new()),
        RunState::Failed,
        "failed while activating: systemd did not reload its units (exit status 3); the running system did change to generation 42",
    );
    check(
        &ng(ACTIVE, 101, half()),
        RunState::Failed,
        "failed while activating: switch-to-configuration crashed, as it does when its output goes away (exit status 101); \
         generation 42 is set as the system profile but is not running; switch again",
    );
    check(
        &ng(
            &format!("{silent}Failed to install bootloader\n"),
            1,
            half(),
        ),
        RunState::Failed,
        "failed while activating: Failed to install bootloader; generation 42 is set as the system profile but is not running",
    );
    let script = "Activation script snippet 'users' failed (1)\n";
    check(
        &switch(&format!("{ACTIVE}{script}{BASH}"), 1, new()),
        RunState::Failed,
        "failed while activating: Activation script snippet 'users' failed (1); the running system did change to generation 42",
    );
    check(
        &ng(&format!("{ACTIVE}{script}"), 2, before()),
        RunState::Failed,
        "failed while activating: Activation script snippet 'users' failed (1); the host still runs generation 41",
    );
    // Nothing was activated: the links are nothing to the reader.
    let failed = "building '/nix/store/a-b.drv'...\nerror: builder for 'b' failed with exit code 2";
    for code in [1, 4, 100] {
        check(
            &switch(&format!("{silent}{failed}"), code, before()),
            RunState::Failed,
            "failed while building: builder for 'b' failed with exit code 2",
        );
    }
}

#[test]
fn statuses_of_other_tools_mean_other_things() {
    let tool = |tool, text: &str, code, after| Case {
        tool,
        ..switch(text, code, after)
    };
    let darwin = |text: &str, code, after| tool(RebuildTool::DarwinRebuild, text, code, after);
    check(
        &darwin("setting up launchd services...\n", 0, new()),
        RunState::Succeeded,
        "",
    );
    check(
        &darwin(
            "setting up launchd services...\nLoad failed: 5\n",
            4,
            half(),
        ),
        RunState::Failed,
        "failed while activating at `setting up launchd services`: exit status 4; its last line: Load failed: 5; \
         generation 42 is set as the system profile but is not running",
    );
    check(
        &darwin("setting up pam...\nerror: no such file\n", 1, half()),
        RunState::Failed,
        "failed while activating: no such file (at `setting up pam`); generation 42 is set as the system profile but is not running",
    );
    check(
        &darwin(
            "error: Unexpected files in /etc, aborting activation\n",
            2,
            half(),
        ),
        RunState::Failed,
        "failed in the checks before the activation, which changed nothing: Unexpected files in /etc, aborting activation; \
         generation 42 is set as the system profile but is not running",
    );
    check(
        &darwin("error: attribute 'x' missing\n", 100, before()),
        RunState::Failed,
        "failed while evaluating: attribute 'x' missing",
    );
    check(
        &tool(
            RebuildTool::HomeManager,
            "Activating linkGeneration\nln: no space\n",
            4,
            before(),
        ),
        RunState::Failed,
        "failed while activating at `Activating linkGeneration`: exit status 4; its last line: ln: no space",
    );
}

#[test]
fn a_run_that_was_cut_off_says_what_became_of_the_host() {
    let stopped = |text: &str, after| Case {
        ended: Ended::Signaled(9),
        interference: Interference {
            stopped_by: Some("mba".into()),
            timed_out_s: None,
        },
        ..switch(text, 0, after)
    };
    check(
        &stopped(ACTIVE, half()),
        RunState::Stopped,
        "stopped by mba while activating; generation 42 is set as the system profile but is not running, and the activation did not come to its end: switch again",
    );
    check(
        &stopped(ACTIVE, new()),
        RunState::Stopped,
        "stopped by mba while activating; the running system did change to generation 42, and the activation did not come to its end: switch again",
    );
    check(
        &stopped("", half()),
        RunState::Stopped,
        "stopped by mba while evaluating; generation 42 is set as the system profile but is not running",
    );
    check(
        &stopped("", before()),
        RunState::Stopped,
        "stopped by mba while evaluating",
    );
    let late = Case {
        interference: Interference {
            stopped_by: None,
            timed_out_s: Some(60),
        },
        ..stopped(ACTIVE, before())
    };
    check(
        &late,
        RunState::TimedOut,
        "timed out while activating: it ran longer than its limit of 60 s; the host still runs generation 41, and the activation did not come to its end: switch again",
    );
    let killed = Case {
        interference: Interference::default(),
        ..stopped(ACTIVE, before())
    };
    check(
        &killed,
        RunState::Failed,
        "failed while activating: killed by signal 9; the host still runs generation 41, and the activation did not come to its end: switch again",
    );
}
