//! The rebuild tools and their actions.

use std::path::Path;

use super::Command;
use super::built_in::known;
use super::programs::Programs;
use crate::agent::config::Execution;
use crate::agent::config_file::Tool;
use crate::run::kind::{RebuildTool, RunKind};

/// An action of a rebuild tool: name, arguments, whether it changes the host, description.
type Action = (&'static str, &'static [&'static str], bool, &'static str);

const NIXOS: [Action; 6] = [
    (
        "switch",
        &["switch"],
        true,
        "Build the configuration, activate it and make it the boot default",
    ),
    (
        "boot",
        &["boot"],
        true,
        "Build the configuration and make it the boot default; active after a reboot",
    ),
    (
        "try",
        &["test"],
        true,
        "Build the configuration and activate it until the next reboot",
    ),
    (
        "dry-activate",
        &["dry-activate"],
        false,
        "Build the configuration and show what activating it would do",
    ),
    (
        "build",
        &["build"],
        false,
        "Build the configuration without activating it",
    ),
    (
        "rollback",
        &["switch", "--rollback"],
        true,
        "Activate the generation before this one",
    ),
];
const DARWIN: [Action; 4] = [
    (
        "switch",
        &["switch"],
        true,
        "Build the configuration and activate it",
    ),
    (
        "build",
        &["build"],
        false,
        "Build the configuration without activating it",
    ),
    (
        "rollback",
        &["--rollback"],
        true,
        "Activate the generation before this one",
    ),
    (
        "check",
        &["check"],
        false,
        "Build the configuration and run its activation checks",
    ),
];
const HOME: [Action; 2] = [
    (
        "switch",
        &["switch"],
        true,
        "Build the home configuration and activate it",
    ),
    (
        "build",
        &["build", "--no-out-link"],
        false,
        "Build the home configuration without activating it",
    ),
];

/// Whether any of the tools has an action of that name.
pub fn is_action(name: &str) -> bool {
    let mut actions = NIXOS.iter().chain(&DARWIN).chain(&HOME);
    actions.any(|(action, ..)| *action == name)
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::NixosRebuild => "nixos-rebuild",
            Self::DarwinRebuild => "darwin-rebuild",
            Self::HomeManager => "home-manager",
        }
    }

    fn kind(self, action: &str) -> RunKind {
        RunKind::Rebuild {
            tool: match self {
                Self::NixosRebuild => RebuildTool::NixosRebuild,
                Self::DarwinRebuild => RebuildTool::DarwinRebuild,
                Self::HomeManager => RebuildTool::HomeManager,
            },
            action: action.to_owned(),
        }
    }

    fn actions(self) -> &'static [Action] {
        match self {
            Self::NixosRebuild => &NIXOS,
            Self::DarwinRebuild => &DARWIN,
            Self::HomeManager => &HOME,
        }
    }
}

/// The actions of the configured tool, when its program is there.
pub fn find(
    execution: &Execution,
    flake: Option<&str>,
    state_dir: &Path,
    programs: &Programs,
) -> Vec<Command> {
    let tool = execution
        .rebuild
        .tool
        .unwrap_or(if cfg!(target_os = "macos") {
            Tool::DarwinRebuild
        } else {
            Tool::NixosRebuild
        });
    let wanted = execution
        .rebuild
        .program
        .as_ref()
        .map_or_else(|| tool.name().to_owned(), |path| path.display().to_string());
    let Some(program) = programs.find(&wanted) else {
        if execution.rebuild.tool.is_some() || execution.rebuild.program.is_some() {
            tracing::warn!(
                "no rebuild command is offered: {wanted} is not there or not executable; install it, or write its path as rebuild.program"
            );
        }
        return Vec::new();
    };
    tool.actions()
        .iter()
        .filter_map(|(name, action, changes_host, description)| {
            let rolls_back = action.contains(&"--rollback");
            let mut argv = vec![program.clone()];
            argv.extend(action.iter().map(|part| (*part).to_owned()));
            // The generation before is there already; a configuration is not needed to go back to it.
            if let (Some(flake), false) = (flake, rolls_back) {
                argv.extend(["--flake".to_owned(), flake.to_owned()]);
            }
            argv.extend(execution.rebuild.args.iter().cloned());
            Some(Command {
                changes_host: *changes_host,
                kind: tool.kind(if rolls_back {
                    "switch"
                } else {
                    action.first()?
                }),
                // `build` leaves a link named `result` where it runs.
                cwd: Some(state_dir.to_owned()),
                ..Command::plain(known(name)?, description, argv)
            })
        })
        .collect()
}
