//! switch-to-configuration, in the order in which it works: the Perl script (nixpkgs up to 24.05) and the Rust program
//! (`switch-to-configuration-ng/src/main.rs`, 24.11 to 26.11), which says the same and more.
//!
//! What `dry-activate` prints begins with `would` and is in no rule: it activates nothing.

use super::{Rule, tool_rule};
use crate::run::kind::RebuildTool::{self, NixosRebuild};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[NixosRebuild];

pub(super) const RULES: &[Rule] = &[
    // Before anything is changed. The inhibitors: nixos/modules/system/activation/switchable-system.nix, since 26.05.
    tool_rule(
        M::ActivationError,
        TOOL,
        &[
            r"^This is not a NixOS installation!",
            r"^Could not open lock$",
            r"^Could not acquire lock(?: at .* line \d+\.)?$",
            r"^Pre-switch check '",
            r"^Pre-switch checks failed",
        ],
    ),
    tool_rule(
        M::Activating,
        TOOL,
        &[
            r"^Checking switch inhibitors",
            r"^Not checking switch inhibitors",
        ],
    ),
    // Boot loaders say more, in a file of their own.
    tool_rule(
        M::ActivationError,
        TOOL,
        &[r"^Failed to install bootloader"],
    ),
    tool_rule(
        M::InitChanged,
        TOOL,
        &[
            r"^Warning: the new NixOS configuration has an",
            r"^Warning: do not know how to make this configuration bootable",
        ],
    ),
    tool_rule(
        M::Activating,
        TOOL,
        &[
            r"^stopping swap device: ",
            r"^stopping the following units: ",
            r"^NOT restarting the following changed units: ",
            r"^activating the configuration\.\.\.",
        ],
    ),
    tool_rule(
        M::Warning,
        TOOL,
        &[
            r"^Failed to stop swapping to ",
            r"^WARN: restarting or reloading systemd units",
            r"^\[agenix\] WARNING",
        ],
    ),
    // The activation script: setup-etc.pl, update-users-groups.pl, etc-activation.nix; agenix and sops-nix.
    tool_rule(
        M::Step,
        TOOL,
        &[
            r"^setting up /etc\.\.\.",
            r"^remounting /etc\.\.\.",
            r"^setting up tmpfiles",
            r"^removing obsolete symlink ",
            r"^removing (?:user|group) ",
            r"^reviving (?:user|group) ",
            r"^\[agenix\] ",
            r"^sops-install-secrets: ",
            r"^Setting up sops templates\.\.\.",
        ],
    ),
    tool_rule(
        M::ScriptFailed,
        TOOL,
        &[
            r"^Activation script snippet '",
            r"^Failed to run activate script",
        ],
    ),
    tool_rule(
        M::Switching,
        TOOL,
        &[
            r"^restarting systemd\.\.\.",
            r"^reloading user units for ",
            // Of each user's manager, since 26.05.
            r"^stopping the following user units: ",
            r"^NOT restarting (?:\(post-activation\) )?the following user units: ",
            r"^reloading (?:\(post-activation\) )?the following user units: ",
            r"^restarting (?:\(post-activation\) )?the following user units: ",
            r"^starting (?:\(post-activation\) )?the following user units: ",
            r"^restarting sysinit-reactivation\.target",
            r"^reloading the following units: ",
            r"^restarting the following units: ",
            r"^starting the following units: ",
            r"^the following new units were started: ",
        ],
    ),
    tool_rule(
        M::UnitFailed,
        TOOL,
        &[concat!(
            r"^Failed to (?:start|restart|reload|stop) (?:user unit )?",
            unit!(),
            r"(?:: .*)?$"
        )],
    ),
    tool_rule(
        M::UnitsFailed,
        TOOL,
        &[r"^warning: the following (?:user )?units failed: (?<units>.*)"],
    ),
    tool_rule(
        M::UserFailed,
        TOOL,
        &[r"^warning: user activation for (?<said>.+) failed$"],
    ),
    // Only within an activation: anybody may print these.
    tool_rule(
        M::StepError,
        TOOL,
        &[
            r"^Unable to list users with logind: ",
            r"^Error: ",
            r"^thread 'main' panicked at ",
            r"^thread 'main' \(\d+\) panicked at ",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{M, NixosRebuild};
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_switch_to_configuration_says() {
        check_all(
            Some(NixosRebuild),
            &[
                ("Could not acquire lock", Some(M::ActivationError)),
                (
                    "Pre-switch check 'switchInhibitors' failed",
                    Some(M::ActivationError),
                ),
                ("Checking switch inhibitors... done", Some(M::Activating)),
                (
                    "Not checking switch inhibitors (action = boot)",
                    Some(M::Activating),
                ),
                ("Failed to install bootloader", Some(M::ActivationError)),
                (
                    "Warning: the new NixOS configuration has an ‘init’ that is",
                    Some(M::InitChanged),
                ),
                ("stopping swap device: /dev/sda2", Some(M::Activating)),
                (
                    "stopping the following units: a.service, b.timer",
                    Some(M::Activating),
                ),
                (
                    "NOT restarting the following changed units: getty@tty1.service",
                    Some(M::Activating),
                ),
                ("activating the configuration...", Some(M::Activating)),
                ("web> activating the configuration...", None),
                ("setting up /etc...", Some(M::Step)),
                ("removing user ‘bob’", Some(M::Step)),
                ("reviving user 'bob' with UID 1000", Some(M::Step)),
                ("removing unused boot files", None),
                ("[agenix] decrypting secrets...", Some(M::Step)),
                ("Setting up sops templates...", Some(M::Step)),
                ("[agenix] WARNING: no key", Some(M::Warning)),
                (
                    "Activation script snippet 'users' failed (1)",
                    Some(M::ScriptFailed),
                ),
                ("restarting systemd...", Some(M::Switching)),
                ("reloading user units for alice...", Some(M::Switching)),
                (
                    "stopping the following user units: x.service",
                    Some(M::Switching),
                ),
                (
                    "NOT restarting (post-activation) the following user units: x.service",
                    Some(M::Switching),
                ),
                (
                    "restarting the following user units: nixos-activation.service",
                    Some(M::Switching),
                ),
                ("restarting sysinit-reactivation.target", Some(M::Switching)),
                (
                    "the following new units were started: x.mount",
                    Some(M::Switching),
                ),
                ("Failed to start nginx.service", Some(M::UnitFailed)),
                (
                    "Failed to reload user unit x.service: No such unit",
                    Some(M::UnitFailed),
                ),
                (
                    "Failed to start local-fs.target: Unit -.mount is masked.",
                    Some(M::UnitFailed),
                ),
                ("Failed to start Nginx Web Server.", None),
                ("Failed to start transient", None),
                (
                    "warning: the following units failed: a.service",
                    Some(M::UnitsFailed),
                ),
                ("warning: the following units", Some(M::Warning)),
                (
                    "warning: user activation for alice failed",
                    Some(M::UserFailed),
                ),
                ("Error: Failed to open dbus connection", Some(M::StepError)),
            ],
        );
    }

    #[test]
    fn a_dry_activation_says_nothing_of_that() {
        for line in [
            "would stop swap device: /dev/sda2",
            "would stop the following units: a.service",
            "would NOT stop the following changed units: a.service",
            "would activate the configuration...",
            "would restart systemd",
            "would reload the following units: a.service",
            "would restart the following units: a.service",
            "would start the following units: a.service",
            "would start the following user units: a.service",
            "would NOT restart the following user units: a.service",
        ] {
            check_all(Some(NixosRebuild), &[(line, None)]);
            check_all(None, &[(line, None)]);
        }
    }
}
