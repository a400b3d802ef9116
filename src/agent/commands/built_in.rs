//! The commands that the agent knows by itself.

use std::path::{Path, PathBuf};

use super::programs::Programs;
use super::{Command, RESTART, rebuild, repo};
use crate::agent::config::Execution;
use crate::agent::launch::SelfCommand;
use crate::agent::steps::Step;
use crate::run::id::CommandName;
use crate::run::kind::RunKind;

/// Generations older than this are deleted by `collect-garbage`, as Nix writes it.
const KEEP_GENERATIONS: &str = "14d";

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
    name == "stop" || OTHERS.contains(&name) || rebuild::is_action(name)
}

/// The built-in commands that can work here.
pub fn find(
    execution: &Execution,
    self_command: &SelfCommand,
    state_dir: &Path,
    programs: &Programs,
) -> Vec<Command> {
    let repo = execution
        .repo
        .as_ref()
        .map(|repo| repo::Checkout::new(repo, state_dir));
    let flake = execution
        .rebuild
        .flake
        .clone()
        .or_else(|| repo.as_ref().map(|repo| repo.dir.display().to_string()));
    let mut commands = rebuild::find(execution, flake.as_deref(), state_dir, programs);
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
    if let Some(dir) = &execution.tests_dir {
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
    if execution.service_manager {
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

/// The directory of a flake reference that is a local path.
fn local_flake(flake: &str) -> Option<PathBuf> {
    let path = flake.strip_prefix("path:").unwrap_or(flake);
    let path = path.split(['#', '?']).next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// A built-in command's name; that they all are valid is tested.
pub(super) fn known(name: &str) -> Option<CommandName> {
    name.parse().ok()
}
