//! nixos-rebuild: the Python program (nixpkgs 24.11 to 26.05, `nixos_rebuild/*.py`) and the bash one before it
//! (`nixos-rebuild.sh`, up to 25.05). The line of the marker is darwin-rebuild's too.

use super::{Rule, rule, tool_rule};
use crate::run::kind::RebuildTool::{self, NixosRebuild};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[NixosRebuild];

pub(super) const RULES: &[Rule] = &[
    // services.py build_and_activate_system; nixos-rebuild.sh; darwin-rebuild.sh (nix-darwin 2026-06).
    rule(M::Marker, &[r"^building the system configuration\.\.\."]),
    // nixos-rebuild.sh, without a flake: it builds Nix for itself.
    tool_rule(M::ToolBuild, TOOL, &[r"^building Nix\.\.\.$"]),
    // Nix src/nix/nix-env/nix-env.cc, for `--rollback`; darwin-rebuild's too.
    rule(
        M::Activity,
        &[r"^switching profile from version \d+ to \d+"],
    ),
    // nixos-rebuild.sh
    tool_rule(
        M::SwitchErrors,
        TOOL,
        &[r"^warning: error\(s\) occurred while switching to the new configuration"],
    ),
    // Python's CalledProcessError, and what it is in the last line of a traceback.
    tool_rule(
        M::CommandFailed,
        TOOL,
        &[
            r"^Command '.* returned non-zero exit status (?<status>\d{1,9})\.*$",
            r"^subprocess\.CalledProcessError: Command '.* returned non-zero exit status (?<status>\d{1,9})\.*$",
        ],
    ),
    // Python's argparse.
    tool_rule(M::Failed, TOOL, &[r"^nixos-rebuild: error: (?<said>.+)"]),
    // systemd-run (systemd 255 to 258): another switch runs, or nobody may start one.
    tool_rule(
        M::ActivationError,
        TOOL,
        &[r"^Failed to start transient service unit: .+"],
    ),
    tool_rule(
        M::Done,
        TOOL,
        &[r"^Done\. The new configuration is (?<path>/[^ ]*)"],
    ),
];

#[cfg(test)]
mod tests {
    use super::{M, NixosRebuild};
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_nixos_rebuild_says() {
        check_all(
            Some(NixosRebuild),
            &[
                ("building the system configuration...", Some(M::Marker)),
                ("building Nix...", Some(M::ToolBuild)),
                ("switching profile from version 42 to 41", Some(M::Activity)),
                (
                    "\u{1b}[1;33mwarning: error(s) occurred while switching to the new configuration\u{1b}[0m",
                    Some(M::SwitchErrors),
                ),
                (
                    "Command '/nix/store/x/bin/switch-to-configuration switch' returned non-zero exit status 4.",
                    Some(M::CommandFailed),
                ),
                ("Command 'x' is fine", None),
                (
                    "subprocess.CalledProcessError: Command '['nix', 'build']' returned non-zero exit status 1.",
                    Some(M::CommandFailed),
                ),
                (
                    "nixos-rebuild: error: argument action: invalid choice: 'swich'",
                    Some(M::Failed),
                ),
                (
                    "Failed to start transient service unit: Unit nixos-rebuild-switch-to-configuration.service was already loaded or has a fragment file.",
                    Some(M::ActivationError),
                ),
                (
                    "Done. The new configuration is /nix/store/x-nixos-system-web",
                    Some(M::Done),
                ),
                (
                    "Done. The virtual machine can be started by running /nix/store/x/bin/run-web-vm",
                    None,
                ),
            ],
        );
    }
}
