//! What a rebuild's lines mean: one table of texts, each with the program that prints it.
//!
//! A line is looked at only if its first shown byte begins one of the texts, so ordinary build output costs a table look-up.

use std::sync::LazyLock;

use crate::run::ansi::after_escapes;
use crate::run::kind::RebuildTool;

mod parts;

pub(super) use parts::{
    bytes, drv_name, exit_status, failed_unit, plain, plan_bytes, plan_size, units,
};

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The rebuild tool begins with the configuration itself; what came before was its own re-execution.
    Marker,
    /// `these N derivations will be built:`
    BuildPlan,
    /// `these N paths will be fetched (…)`
    FetchPlan,
    /// `building '….drv'...`
    BuildStart,
    /// `copying path '…' from '…'...`
    CopyStart,
    /// A line of the activation: of its first half, before units are started again.
    Activating,
    /// A line of its second half.
    Switching,
    Warning,
    Error,
    /// An error of the activation, which has no `error:` before it.
    ActivationError,
    /// The activation script itself failed.
    ScriptFailed,
    /// `Failed to start nginx.service`
    UnitFailed,
    /// `warning: the following units failed: a, b`
    UnitsFailed,
    /// The bash tool's only word on a switch-to-configuration that did not exit with 0.
    SwitchErrors,
    /// The kernel or init of the new configuration needs a reboot.
    InitChanged,
    /// `Command '…' returned non-zero exit status N.`
    CommandFailed,
    /// `Done. The new configuration is /nix/store/…`
    Done,
    /// One internal-json record.
    Record,
}

struct Rule {
    meaning: Meaning,
    /// Which tool prints it; none for Nix and for all tools.
    tool: Option<RebuildTool>,
    /// The line, without escapes, begins with one of these.
    prefixes: &'static [&'static str],
}

const fn rule(meaning: Meaning, prefixes: &'static [&'static str]) -> Rule {
    Rule {
        meaning,
        tool: None,
        prefixes,
    }
}

const fn tool_rule(meaning: Meaning, tool: RebuildTool, prefixes: &'static [&'static str]) -> Rule {
    Rule {
        meaning,
        tool: Some(tool),
        prefixes,
    }
}

use Meaning as M;
use RebuildTool::{DarwinRebuild, HomeManager, NixosRebuild};

const RULES: &[Rule] = &[
    // nixos-rebuild-ng models.py and nixos-rebuild.sh (nixpkgs 24.11 to 26.05); darwin-rebuild.sh (nix-darwin 2026-06).
    rule(M::Marker, &["building the system configuration..."]),
    // Nix 2.18 to 2.36: src/libmain/shared.cc printMissing, src/libstore derivation and substitution goals.
    rule(M::BuildPlan, &["this derivation will be built:", "these "]),
    rule(M::FetchPlan, &["this path will be fetched ("]),
    rule(M::BuildStart, &["building '/"]),
    rule(M::CopyStart, &["copying path '"]),
    // Nix src/libutil/logging.cc; `evaluation warning` since 2.23.
    rule(M::Record, &["@nix {"]),
    rule(M::Error, &["error:"]),
    // switch-to-configuration-ng main.rs and switch-to-configuration.pl (nixpkgs 24.05 to 26.05).
    tool_rule(
        M::UnitsFailed,
        NixosRebuild,
        &[
            "warning: the following units failed: ",
            "warning: the following user units failed: ",
        ],
    ),
    // nixos-rebuild.sh, up to 25.05.
    tool_rule(
        M::SwitchErrors,
        NixosRebuild,
        &["warning: error(s) occurred while switching to the new configuration"],
    ),
    rule(
        M::Warning,
        &["warning:", "evaluation warning:", "trace: warning:"],
    ),
    // Boot loaders: install-grub.pl, systemd-boot-builder.py (nixpkgs).
    tool_rule(
        M::Activating,
        NixosRebuild,
        &[
            "Checking switch inhibitors",
            "Not checking switch inhibitors",
            "updating GRUB 2 menu...",
            "installing the GRUB 2 boot loader",
            "updating systemd-boot from ",
            "installing systemd-boot",
            "Skipping \"/",
            "stopping swap device: ",
            "stopping the following units: ",
            "NOT restarting the following changed units: ",
            "activating the configuration...",
        ],
    ),
    tool_rule(
        M::InitChanged,
        NixosRebuild,
        &[
            "Warning: the new NixOS configuration has an",
            "Warning: do not know how to make this configuration bootable",
        ],
    ),
    tool_rule(
        M::ScriptFailed,
        NixosRebuild,
        &[
            "Activation script snippet '",
            "Failed to run activate script",
        ],
    ),
    tool_rule(
        M::ActivationError,
        NixosRebuild,
        &[
            "Failed to install bootloader",
            "Pre-switch check '",
            "Pre-switch checks failed",
            "Could not acquire lock",
            "This is not a NixOS installation!",
        ],
    ),
    tool_rule(
        M::Switching,
        NixosRebuild,
        &[
            "restarting systemd...",
            "reloading user units for ",
            "restarting sysinit-reactivation.target",
            "reloading the following units: ",
            "restarting the following units: ",
            "starting the following units: ",
            "the following new units were started: ",
        ],
    ),
    tool_rule(
        M::UnitFailed,
        NixosRebuild,
        &[
            "Failed to start ",
            "Failed to restart ",
            "Failed to reload ",
            "Failed to stop ",
        ],
    ),
    // nixos-rebuild-ng: Python's CalledProcessError, and its last line.
    tool_rule(
        M::CommandFailed,
        NixosRebuild,
        &["Command '", "subprocess.CalledProcessError: Command '"],
    ),
    tool_rule(M::Done, NixosRebuild, &["Done. The new configuration is /"]),
    // nix-darwin modules/system/activation-scripts.nix and the modules it joins (2026-06).
    tool_rule(
        M::Activating,
        DarwinRebuild,
        &[
            "setting up /run via /etc/synthetic.conf...",
            "setting up groups...",
            "setting up users...",
            "setting up /Applications/Nix Apps...",
            "setting up pam...",
            "applying patches...",
            "setting up /etc...",
            "system defaults...",
            "user defaults...",
            "setting up launchd services...",
            "setting up user launchd services...",
            "reloading nix-daemon...",
            "configuring networking...",
            "Homebrew bundle...",
        ],
    ),
    // home-manager modules/home-environment.nix (release 24.05 to 26.05).
    tool_rule(
        M::Activating,
        HomeManager,
        &[
            "Starting Home Manager activation",
            "Activating checkFilesChanged",
            "Activating checkLinkTargets",
        ],
    ),
];

/// For each first byte, the texts that begin with it.
type Buckets = [Vec<(&'static str, Meaning, Option<RebuildTool>)>; 128];

static BUCKETS: LazyLock<Buckets> = LazyLock::new(|| {
    let mut buckets: Buckets = std::array::from_fn(|_| Vec::new());
    for rule in RULES {
        for prefix in rule.prefixes {
            let first = usize::from(prefix.as_bytes()[0]);
            buckets[first].push((prefix, rule.meaning, rule.tool));
        }
    }
    buckets
});

/// What the shown bytes of a line mean to `tool` (none: any of them), with the line's text. None for ordinary output.
pub(super) fn meaning(visible: &[u8], tool: Option<RebuildTool>) -> Option<(Meaning, String)> {
    let bytes = after_escapes(visible);
    let first = usize::from(*bytes.first()?);
    let (_, found, _) = BUCKETS.get(first)?.iter().find(|(prefix, _, of)| {
        bytes.starts_with(prefix.as_bytes()) && (of.is_none() || tool.is_none() || *of == tool)
    })?;
    let text = plain(visible);
    let found = match found {
        M::BuildPlan if text.starts_with("these ") => {
            if text.ends_with(" derivations will be built:") {
                M::BuildPlan
            } else if text.contains(" paths will be fetched (") {
                M::FetchPlan
            } else {
                return None;
            }
        }
        M::UnitFailed if failed_unit(&text).is_none() => return None,
        M::CommandFailed if exit_status(&text).is_none() => return None,
        found => *found,
    };
    Some((found, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<Meaning>) {
        assert_eq!(
            meaning(line.as_bytes(), None).map(|(found, _)| found),
            expected,
            "{line}"
        );
    }

    #[test]
    fn lines_and_their_meaning() {
        check("\u{1b}[K\u{1b}[31;1merror:\u{1b}[0m x", Some(M::Error));
        check("warning: Git tree is dirty", Some(M::Warning));
        check(
            "warning: the following units failed: a.service",
            Some(M::UnitsFailed),
        );
        check("these 10 derivations will be built:", Some(M::BuildPlan));
        check(
            "these 5 paths will be fetched (2.3 KiB download, 6.1 KiB unpacked):",
            Some(M::FetchPlan),
        );
        check("these are words", None);
        check("Failed to start nginx.service", Some(M::UnitFailed));
        check("Failed to start Nginx Web Server.", None);
        check(
            "Command 'x' returned non-zero exit status 4.",
            Some(M::CommandFailed),
        );
        check("Command 'x' is fine", None);
        check("would activate the configuration...", None);
        check("web> activating the configuration...", None);
        check("  CC  src/file1.o", None);
        check("", None);
        check("ü", None);
    }

    #[test]
    fn a_tool_prints_only_its_own_lines() {
        let of = |tool| meaning(b"setting up users...", tool).is_some();
        assert!(of(None) && of(Some(DarwinRebuild)) && !of(Some(NixosRebuild)));
    }
}
