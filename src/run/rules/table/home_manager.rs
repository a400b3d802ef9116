//! home-manager's activation (modules/lib-bash, modules/files, modules/home-environment.nix; release 24.05 to 26.05). It is
//! darwin-rebuild's too where it is a module of nix-darwin. On NixOS it runs in a unit and prints nothing here.

use super::{Rule, tool_rule};
use crate::run::kind::RebuildTool::{self, DarwinRebuild, HomeManager};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[HomeManager, DarwinRebuild];

pub(super) const RULES: &[Rule] = &[
    tool_rule(M::Activating, TOOL, &[r"^Starting Home Manager activation"]),
    tool_rule(
        M::Activating,
        &[HomeManager],
        &[r"^Activating [A-Za-z][A-Za-z0-9_-]*$"],
    ),
    // In nix-darwin's activation it never comes first; `Activating virtualenv` is any builder's.
    tool_rule(
        M::Step,
        &[DarwinRebuild],
        &[r"^Activating [A-Za-z][A-Za-z0-9_-]*$"],
    ),
    tool_rule(
        M::Step,
        TOOL,
        &[
            r"^Creating (?:new )?profile generation",
            r"^No change so reusing latest profile generation",
            r"^Creating home file links in ",
            r"^Cleaning up orphan links from ",
            r"^Migrating profile from ",
            r"^Starting units: ",
            r"^Stopping units: ",
            r"^Restarting units: ",
            r"^User systemd daemon not running\. Skipping reload\.",
        ],
    ),
    // The last form up to 25.05; where it goes on, it says what it does with the file.
    tool_rule(
        M::ActivationError,
        TOOL,
        &[
            r"^Existing file '.*' would be clobbered",
            r"^Existing file '.*' is in the way of '[^']*'$",
        ],
    ),
    tool_rule(
        M::Warning,
        TOOL,
        &[
            r"^Existing file '.*' is in the way of '.*' ?(?:,|and '.*' exists)",
            r"^Path '.*' does not link into a Home Manager generation",
            r"^The user systemd session is degraded",
        ],
    ),
    tool_rule(
        M::StepError,
        TOOL,
        &[
            r"^Oops, Nix failed to install your new Home Manager profile!",
            r"^A link target changed while resolving symlinks; retry activation\.",
            r"^Could not find suitable profile directory, tried ",
            r"^Failed to activate one or more LaunchAgents",
            r"^Failed to start agent '",
            r"^Moving '.*' failed!",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{HomeManager, M};
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_home_manager_says() {
        check_all(
            Some(HomeManager),
            &[
                ("Starting Home Manager activation", Some(M::Activating)),
                (
                    "\u{1b}[1m\u{1b}[36mActivating checkLinkTargets\u{1b}(B\u{1b}[m",
                    Some(M::Activating),
                ),
                ("Activating the units", None),
                ("Creating profile generation 42", Some(M::Step)),
                ("Creating new profile generation", Some(M::Step)),
                ("Creating directory", None),
                (
                    "Existing file '/home/a/.bashrc' would be clobbered",
                    Some(M::ActivationError),
                ),
                (
                    "Existing file '/home/a/.bashrc.old' would be clobbered by backing up '/home/a/.bashrc'",
                    Some(M::ActivationError),
                ),
                (
                    "Existing file '/home/a/.bashrc' is in the way of '/nix/store/x'",
                    Some(M::ActivationError),
                ),
                (
                    "Existing file '/home/a/.bashrc' is in the way of '/nix/store/x', will be moved to '/home/a/.bashrc.old'",
                    Some(M::Warning),
                ),
                (
                    "Existing file '/a' is in the way of '/b' and '/a.old' exists. Backup will be clobbered due to HOME_MANAGER_BACKUP_OVERWRITE=1",
                    Some(M::Warning),
                ),
                (
                    "Oops, Nix failed to install your new Home Manager profile!",
                    Some(M::StepError),
                ),
            ],
        );
    }
}
