//! Exit status 0, held against the host's links.

use super::system_action;
use crate::run::kind::RunKind;
use crate::run::phase::RunState;
use crate::run::system::GroundTruth;

/// A rebuild that claims success: whether the host agrees.
pub(super) fn judge(kind: Option<&RunKind>, truth: &GroundTruth<'_>) -> (RunState, Option<String>) {
    let action = system_action(kind);
    // `test` leaves the profile alone, so there the two may well differ.
    if action == Some("switch")
        && let Some((running, profile)) = truth.running_another()
    {
        let reason = format!(
            "exit status 0, but the running system is {running} and not the profile's {profile}; look at the log, then switch again"
        );
        return (RunState::Failed, Some(reason));
    }
    if matches!(action, Some("switch" | "test"))
        && !truth.elsewhere
        && let Some(reason) = reboot(truth)
    {
        return (RunState::RebootRequired, Some(reason));
    }
    (RunState::Succeeded, None)
}

/// Why the host needs a reboot: it was booted with another kernel than the one that its configuration has. That it was so
/// before the run changes nothing but the words.
fn reboot(truth: &GroundTruth<'_>) -> Option<String> {
    let after = truth.after?;
    if after.kernel_changed != Some(true) {
        return None;
    }
    let before = truth.before.and_then(|before| before.kernel_changed);
    let still = if before == Some(true) { "still " } else { "" };
    let kernels = match (&after.booted_kernel, &after.kernel) {
        (Some(booted), Some(kernel)) if booted != kernel => {
            format!("the host {still}runs {booted} and not {kernel}")
        }
        _ => format!(
            "the host {still}runs another kernel, initrd or set of modules than the configuration's"
        ),
    };
    Some(format!(
        "the configuration is active, but {kernels}: reboot it"
    ))
}
