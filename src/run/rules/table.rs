//! The table of texts: each rule an anchored regular expression, under the programs that print it and their versions.
//!
//! A pattern begins with `^` and at least one literal character, by which lines are sorted out before anything is
//! matched. Its named groups are what [`Said`](crate::run::rules::Said) hands out.

use crate::run::kind::RebuildTool::{self, DarwinRebuild, HomeManager, NixosRebuild};
use crate::run::rules::Meaning::{self, self as M};

pub(super) struct Rule {
    pub(super) meaning: Meaning,
    /// Which tool prints it; none for Nix and for all tools.
    pub(super) tool: Option<RebuildTool>,
    /// The line, without escapes, matches one of these.
    pub(super) patterns: &'static [&'static str],
}

const fn rule(meaning: Meaning, patterns: &'static [&'static str]) -> Rule {
    Rule {
        meaning,
        tool: None,
        patterns,
    }
}

const fn tool_rule(meaning: Meaning, tool: RebuildTool, patterns: &'static [&'static str]) -> Rule {
    Rule {
        meaning,
        tool: Some(tool),
        patterns,
    }
}

/// A quoted store path: `'/nix/store/…-hello-2.12.drv'`; its name is `hello-2.12`.
macro_rules! store_path {
    () => {
        r"'/(?:[^'/]*/)*[^'/-]*-(?<name>[^'/]+?)(?:\.drv)?'"
    };
}

/// What Nix says of a download after `(`: `2.5 KiB download, 6.1 KiB unpacked):`.
macro_rules! download {
    () => {
        r"(?:(?<size>\d+(?:\.\d+)?) (?<unit>B|KiB|MiB|GiB|TiB) download)?"
    };
}

/// A store path in the text of a record, which is a sentence that varies (Nix src/libstore, 2.18 to 2.36).
pub(super) const STORE_PATH: &str = store_path!();

pub(super) const RULES: &[Rule] = &[
    // nixos-rebuild-ng models.py and nixos-rebuild.sh (nixpkgs 24.11 to 26.05); darwin-rebuild.sh (nix-darwin 2026-06).
    rule(M::Marker, &[r"^building the system configuration\.\.\."]),
    // Nix 2.18 to 2.36: src/libmain/shared.cc printMissing, src/libstore derivation and substitution goals.
    rule(
        M::BuildPlan,
        &[
            r"^this derivation will be built:",
            r"^these (?<count>\d{1,18}) derivations will be built:$",
        ],
    ),
    rule(
        M::FetchPlan,
        &[
            concat!(r"^this path will be fetched \(", download!()),
            concat!(
                r"^these (?<count>\d{1,18}) paths will be fetched \(",
                download!()
            ),
        ],
    ),
    rule(M::BuildStart, &[concat!(r"^building ", store_path!())]),
    rule(M::CopyStart, &[concat!(r"^copying path ", store_path!())]),
    // Nix src/libutil/logging.cc; `evaluation warning` since 2.23.
    rule(M::Record, &[r"^@nix \{"]),
    rule(M::Error, &[r"^error:"]),
    // switch-to-configuration-ng main.rs and switch-to-configuration.pl (nixpkgs 24.05 to 26.05).
    tool_rule(
        M::UnitsFailed,
        NixosRebuild,
        &[r"^warning: the following (?:user )?units failed: (?<units>.*)"],
    ),
    // nixos-rebuild.sh, up to 25.05.
    tool_rule(
        M::SwitchErrors,
        NixosRebuild,
        &[r"^warning: error\(s\) occurred while switching to the new configuration"],
    ),
    rule(
        M::Warning,
        &[r"^warning:", r"^evaluation warning:", r"^trace: warning:"],
    ),
    // Boot loaders: install-grub.pl, systemd-boot-builder.py (nixpkgs).
    tool_rule(
        M::Activating,
        NixosRebuild,
        &[
            r"^Checking switch inhibitors",
            r"^Not checking switch inhibitors",
            r"^updating GRUB 2 menu\.\.\.",
            r"^installing the GRUB 2 boot loader",
            r"^updating systemd-boot from ",
            r"^installing systemd-boot",
            r#"^Skipping "/"#,
            r"^stopping swap device: ",
            r"^stopping the following units: ",
            r"^NOT restarting the following changed units: ",
            r"^activating the configuration\.\.\.",
        ],
    ),
    tool_rule(
        M::InitChanged,
        NixosRebuild,
        &[
            r"^Warning: the new NixOS configuration has an",
            r"^Warning: do not know how to make this configuration bootable",
        ],
    ),
    tool_rule(
        M::ScriptFailed,
        NixosRebuild,
        &[
            r"^Activation script snippet '",
            r"^Failed to run activate script",
        ],
    ),
    tool_rule(
        M::ActivationError,
        NixosRebuild,
        &[
            r"^Failed to install bootloader",
            r"^Pre-switch check '",
            r"^Pre-switch checks failed",
            r"^Could not acquire lock",
            r"^This is not a NixOS installation!",
        ],
    ),
    tool_rule(
        M::Switching,
        NixosRebuild,
        &[
            r"^restarting systemd\.\.\.",
            r"^reloading user units for ",
            r"^restarting sysinit-reactivation\.target",
            r"^reloading the following units: ",
            r"^restarting the following units: ",
            r"^starting the following units: ",
            r"^the following new units were started: ",
        ],
    ),
    // Journal lines name a description there, which has no suffix of a unit.
    tool_rule(
        M::UnitFailed,
        NixosRebuild,
        &[concat!(
            r"^Failed to (?:start|restart|reload|stop) ",
            r"(?<unit>[^ ]*\.(?:service|socket|timer|mount|automount|target|path|swap|slice|device))$"
        )],
    ),
    // nixos-rebuild-ng: Python's CalledProcessError, and its last line.
    tool_rule(
        M::CommandFailed,
        NixosRebuild,
        &[
            r"^Command '.* returned non-zero exit status (?<status>\d{1,9})\.*$",
            r"^subprocess\.CalledProcessError: Command '.* returned non-zero exit status (?<status>\d{1,9})\.*$",
        ],
    ),
    tool_rule(
        M::Done,
        NixosRebuild,
        &[r"^Done\. The new configuration is (?<path>/[^ ]*)"],
    ),
    // nix-darwin modules/system/activation-scripts.nix and the modules it joins (2026-06).
    tool_rule(
        M::Activating,
        DarwinRebuild,
        &[
            r"^setting up /run via /etc/synthetic\.conf\.\.\.",
            r"^setting up groups\.\.\.",
            r"^setting up users\.\.\.",
            r"^setting up /Applications/Nix Apps\.\.\.",
            r"^setting up pam\.\.\.",
            r"^applying patches\.\.\.",
            r"^setting up /etc\.\.\.",
            r"^system defaults\.\.\.",
            r"^user defaults\.\.\.",
            r"^setting up launchd services\.\.\.",
            r"^setting up user launchd services\.\.\.",
            r"^reloading nix-daemon\.\.\.",
            r"^configuring networking\.\.\.",
            r"^Homebrew bundle\.\.\.",
        ],
    ),
    // home-manager modules/home-environment.nix (release 24.05 to 26.05).
    tool_rule(
        M::Activating,
        HomeManager,
        &[
            r"^Starting Home Manager activation",
            r"^Activating [A-Za-z][A-Za-z0-9_-]*$",
        ],
    ),
];
