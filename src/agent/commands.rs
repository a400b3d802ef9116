//! The closed list of what an operator can have executed here. A name from the wire is looked up; what is executed is
//! decided by this host's configuration alone, and no shell ever reads any of it.

pub mod arguments;
pub mod built_in;
pub mod programs;
pub mod rebuild;
pub mod repo;

use std::path::{Path, PathBuf};

use crate::agent::config::Execution;
use crate::agent::launch::SelfCommand;
use crate::run::id::CommandName;
use crate::run::kind::RunKind;
use crate::wire::to_dashboard::OfferedCommand;

use arguments::ArgKind;
pub use built_in::is_built_in;
use programs::Programs;

/// The command after which the agent exits so that its service manager starts it again.
pub const RESTART: &str = "restart";

/// A command that can be executed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name.
    pub name: CommandName,
    /// What it does, in a sentence.
    pub description: String,
    /// Whether it changes the host.
    pub changes_host: bool,
    /// How its output is read.
    pub kind: RunKind,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables for it.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub cwd: Option<PathBuf>,
    /// Seconds after which it is stopped.
    pub timeout_s: Option<u64>,
    /// Whether an operator may add arguments of any kind.
    pub allow_args: bool,
    /// What an operator must add.
    pub args: Vec<ArgKind>,
}

impl Command {
    /// A command that changes nothing, takes no arguments and is no rebuild.
    pub(crate) fn plain(name: CommandName, description: &str, argv: Vec<String>) -> Self {
        Self {
            name,
            description: description.to_owned(),
            changes_host: false,
            kind: RunKind::Plain,
            argv,
            env: Vec::new(),
            cwd: None,
            timeout_s: None,
            allow_args: false,
            args: Vec::new(),
        }
    }
}

/// All commands that can work on this host.
#[derive(Debug, Clone, Default)]
pub struct Commands(Vec<Command>);

impl Commands {
    /// Finds out which commands can work here. What is configured but cannot is logged with the reason.
    pub fn find(execution: &Execution, self_command: &SelfCommand, state_dir: &Path) -> Self {
        let programs = Programs::of_process();
        let mut commands = built_in::find(execution, self_command, state_dir, &programs);
        for (name, declared) in &execution.commands {
            let argv = declared.argv.clone().get();
            let Some(program) = argv.first().and_then(|program| programs.find(program)) else {
                tracing::warn!(
                    "the command {name} is not offered: its program {} is not there or not executable; correct commands.{name}.argv",
                    argv.first().map_or("", String::as_str)
                );
                continue;
            };
            let description = declared
                .description
                .clone()
                .map_or_else(|| argv.join(" "), crate::agent::config_file::Label::get);
            let mut command = Command::plain(name.clone(), &description, argv);
            if let Some(first) = command.argv.first_mut() {
                *first = program;
            }
            // What a declared command does is not known: better ask once too often.
            command.changes_host = true;
            command.timeout_s = declared
                .timeout
                .clone()
                .map(|timeout| u64::from(timeout.get()));
            command.allow_args = declared.allow_args;
            command.args.clone_from(&declared.args);
            commands.push(command);
        }
        for command in &mut commands {
            command.timeout_s = command.timeout_s.or(execution.limits.timeout_s);
        }
        if let Some(allowed) = &execution.allowed_commands {
            commands.retain(|command| allowed.contains(&command.name));
        }
        Self(commands)
    }

    /// What to tell the dashboard.
    pub fn offered(&self) -> Vec<OfferedCommand> {
        self.0
            .iter()
            .map(|command| OfferedCommand {
                name: command.name.clone(),
                description: command.description.clone(),
                changes_host: command.changes_host,
                takes_args: command.allow_args || !command.args.is_empty(),
            })
            .collect()
    }

    /// The command of that name with the operator's arguments added.
    ///
    /// # Errors
    /// In words: the name is not offered, or the arguments are not allowed.
    pub fn with_args(&self, name: &CommandName, args: &[String]) -> Result<Command, String> {
        let Some(command) = self.0.iter().find(|command| command.name == *name) else {
            let names: Vec<&str> = self.0.iter().map(|command| command.name.as_str()).collect();
            return Err(format!(
                "this host offers no command `{name}`; it offers {}",
                if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                }
            ));
        };
        let mut command = command.clone();
        arguments::check(
            args,
            &command.args,
            command.allow_args,
            Path::new(arguments::STORE),
        )
        .map_err(|why| format!("`{name}` {why}"))?;
        command.argv.extend_from_slice(args);
        Ok(command)
    }
}

#[cfg(test)]
mod tests;
