//! Reasons that say what to do about a question, and which users' activation failed.

use super::*;

#[track_caller]
fn reason(text: &str, ended: &Ended, expected: &str) {
    let (state, reason) = judge_text(text, ended, &Interference::default());
    assert_ne!(state, RunState::Succeeded, "{text}");
    assert_eq!(reason, expected, "{text}");
}

const MARKER: &str = "building the system configuration...\n";

#[test]
fn a_question_is_in_the_reason_where_the_run_ended_with_it() {
    let advice = crate::run::rules::Question::Password.advice();
    let asked = "sudo: a password is required\n";
    reason(
        &format!("{MARKER}{asked}"),
        &Ended::Exited(1),
        &format!(
            "failed while evaluating: exit status 1; its last line: sudo: a password is required; {advice}"
        ),
    );
    reason(
        &format!("{MARKER}{asked}"),
        &Ended::Signaled(15),
        &format!("failed while evaluating: killed by signal 15; {advice}"),
    );
    // The run came further, or a build failed: that is why.
    reason(
        &format!("{MARKER}{asked}activating the configuration...\n"),
        &Ended::Signaled(15),
        "failed while activating: killed by signal 15; the host may be between the old and the new configuration, switch again",
    );
    reason(
        &format!(
            "{MARKER}{asked}error: builder for '/nix/store/h-x.drv' failed with exit code 2\n"
        ),
        &Ended::Exited(1),
        "failed while building x: builder failed with exit code 2",
    );
}

#[test]
fn reasons_are_short() {
    reason(
        &format!(
            "{MARKER}error: some substitutes for the outputs of derivation '/nix/store/h-x.drv' failed (usually happens due to networking issues); try '--fallback' to build derivation from source \n"
        ),
        &Ended::Exited(1),
        "failed while evaluating: some substitutes for the outputs of derivation '/nix/store/h-x.drv' failed",
    );
    reason(
        &format!(
            "{ACTIVE}warning: user activation for alice failed\nCommand '/x/switch-to-configuration switch' returned non-zero exit status 4.\n"
        ),
        &Ended::Exited(4),
        "the new configuration is active, but failed: the activation of user alice; see `systemctl --failed`",
    );
}
