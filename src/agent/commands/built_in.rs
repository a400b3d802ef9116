//! The commands that the agent knows by itself.

use std::path::{Path, PathBuf};

use super::programs::Programs;
use super::{Command, RESTART, repo};
use crate::agent::config::Config;
use crate::agent::config_file::Tool;
use crate::agent::launch::SelfCommand;
use crate::agent::steps::Step;
use crate::run::id::CommandName;
use crate::run::kind::{RebuildTool, RunKind};

/// Generations older than this are deleted by `collect-garbage`, as Nix writes it.
const KEEP_GENERATIONS: &str = "14d";

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

/// Commands that are no rebuild action.
const OTHERS: [&str; 7] = [
    "pull",
    "update",
    "pull-switch",
    "test",
    "reboot",
    "collect-garbage",
    RESTART,
];

/// Whether the agent knows a command of that name by itself, on whatever system. `stop` is none that runs, but its name
/// is taken.
pub fn is_built_in(name: &CommandName) -> bool {
    let name = name.as_str();
    let mut actions = NIXOS.iter().chain(&DARWIN).chain(&HOME);
    name == "stop" || OTHERS.contains(&name) || actions.any(|(action, ..)| *action == name)
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

/// The built-in commands that can work here.
pub fn find(
    config: &Config,
    self_command: &SelfCommand,
    state_dir: &Path,
    programs: &Programs,
) -> Vec<Command> {
    let repo = config
        .repo
        .as_ref()
        .map(|repo| repo::Checkout::new(repo, state_dir));
    let flake = config
        .rebuild
        .flake
        .clone()
        .or_else(|| repo.as_ref().map(|repo| repo.dir.display().to_string()));
    let mut commands = rebuild(config, flake.as_deref(), state_dir, programs);
    let steps =
        |name: &str, description: &str, changes_host: bool, kind: RunKind, steps: &[Step]| {
            let mut command = Command::plain(known(name)?, description, self_command.steps(steps)?);
            command.changes_host = changes_host;
            command.kind = kind;
            Some(command)
        };
    if let Some(git) = programs.find("git")
        && let Some(repo) = &repo
    {
        let pull = Step::Pull(repo.pull(git));
        commands.extend(steps(
            "pull",
            "Bring the configuration's working copy up to date",
            false,
            RunKind::Plain,
            std::slice::from_ref(&pull),
        ));
        if let Some(switch) = commands
            .iter()
            .find(|command| command.name.as_str() == "switch")
            .cloned()
        {
            let rebuild = Step::Run {
                argv: switch.argv,
                cwd: switch.cwd,
            };
            commands.extend(steps(
                "pull-switch",
                "Bring the configuration up to date, then switch to it",
                true,
                switch.kind,
                &[pull, rebuild],
            ));
        }
    }
    let lock_dir = flake
        .as_deref()
        .and_then(local_flake)
        .or_else(|| repo.map(|repo| repo.dir));
    if let (Some(nix), Some(dir)) = (programs.find("nix"), lock_dir) {
        let features = ["--extra-experimental-features", "nix-command flakes"];
        let argv = [nix.as_str(), features[0], features[1], "flake", "update"].map(str::to_owned);
        commands.extend(known("update").map(|name| Command {
            cwd: Some(dir),
            ..Command::plain(
                name,
                "Update the flake's inputs in the working copy",
                argv.to_vec(),
            )
        }));
    }
    if let Some(dir) = &config.tests_dir {
        let tests = [Step::Tests { dir: dir.clone() }];
        commands.extend(steps(
            "test",
            "Run the host's own test scripts one by one",
            false,
            RunKind::Plain,
            &tests,
        ));
    }
    if let Some(program) = programs.find("nix-collect-garbage") {
        let argv = vec![
            program,
            "--delete-older-than".into(),
            KEEP_GENERATIONS.into(),
        ];
        commands.extend(known("collect-garbage").map(|name| Command {
            changes_host: true,
            ..Command::plain(
                name,
                "Delete generations older than 14 days and what only they need",
                argv,
            )
        }));
    }
    let reboot = if cfg!(target_os = "macos") {
        ["shutdown", "-r", "now"].as_slice()
    } else {
        &["systemctl", "reboot"]
    };
    // Without root the system would ask for a password, and there is nobody to answer.
    if nix::unistd::geteuid().is_root()
        && let Some(program) = reboot.first().and_then(|program| programs.find(program))
    {
        let argv = std::iter::once(program)
            .chain(reboot[1..].iter().map(|part| (*part).to_owned()))
            .collect();
        commands.extend(known("reboot").map(|name| Command {
            changes_host: true,
            ..Command::plain(name, "Reboot the host", argv)
        }));
    }
    if config.service_manager {
        let say = [Step::Say {
            text:
                "The agent exits as soon as this is reported; its service manager starts it again."
                    .into(),
        }];
        commands.extend(steps(
            RESTART,
            "Restart the agent",
            true,
            RunKind::Plain,
            &say,
        ));
    }
    commands
}

fn rebuild(
    config: &Config,
    flake: Option<&str>,
    state_dir: &Path,
    programs: &Programs,
) -> Vec<Command> {
    let tool = config.rebuild.tool.unwrap_or(if cfg!(target_os = "macos") {
        Tool::DarwinRebuild
    } else {
        Tool::NixosRebuild
    });
    let wanted = config
        .rebuild
        .program
        .as_ref()
        .map_or_else(|| tool.name().to_owned(), |path| path.display().to_string());
    let Some(program) = programs.find(&wanted) else {
        if config.rebuild.tool.is_some() || config.rebuild.program.is_some() {
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
            argv.extend(config.rebuild.args.iter().cloned());
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

/// The directory of a flake reference that is a local path.
fn local_flake(flake: &str) -> Option<PathBuf> {
    let path = flake.strip_prefix("path:").unwrap_or(flake);
    let path = path.split(['#', '?']).next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// The names above are valid by a test.
fn known(name: &str) -> Option<CommandName> {
    name.parse().ok()
}
