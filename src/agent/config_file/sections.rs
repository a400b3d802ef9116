//! The sections that say what is executed on this host. The agent's file has them, or the root helper's: never both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::values::{Argv, Hours, Label, Mebibytes, Memory, Nice, Seconds, TasksMax, Weight};
use crate::agent::commands::arguments::ArgKind;
use crate::run::id::CommandName;

/// All of them, as one file has them.
#[derive(Debug, Default)]
pub struct Sections {
    /// `allowed_commands`
    pub allowed_commands: Option<Vec<CommandName>>,
    /// `[rebuild]`
    pub rebuild: Option<Rebuild>,
    /// `[repo]`
    pub repo: Option<Repo>,
    /// `[commands.NAME]`
    pub commands: Option<BTreeMap<CommandName, DeclaredCommand>>,
    /// `[tests]`
    pub tests: Option<Tests>,
    /// `[stop]`
    pub stop: Option<Stop>,
    /// `[limits]`
    pub limits: Option<LimitsTable>,
}

impl Sections {
    /// The key of one that is there, if any is.
    pub fn any(&self) -> Option<&'static str> {
        let there = [
            (self.allowed_commands.is_some(), "allowed_commands"),
            (self.rebuild.is_some(), "rebuild"),
            (self.repo.is_some(), "repo"),
            (self.commands.is_some(), "commands"),
            (self.tests.is_some(), "tests"),
            (self.stop.is_some(), "stop"),
            (self.limits.is_some(), "limits"),
        ];
        there.into_iter().find(|(is, _)| *is).map(|(_, key)| key)
    }
}

/// `[rebuild]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// Which tool; by default the one of the operating system.
    pub tool: Option<Tool>,
    /// The program, a path or a name on PATH; by default the tool's name.
    pub program: Option<PathBuf>,
    /// The flake reference for `--flake`; the repository's directory by default.
    pub flake: Option<String>,
    /// Further arguments for every action.
    #[serde(default)]
    pub args: Vec<String>,
}

/// A program that rebuilds a system or a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// NixOS.
    NixosRebuild,
    /// macOS with nix-darwin.
    DarwinRebuild,
    /// A home without its system.
    HomeManager,
}

/// `[repo]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repo {
    /// Where to clone from. With it the directory is the agent's own clone: `pull` makes it equal to the branch.
    pub url: Option<String>,
    /// The working copy; without `url` it is its user's, and `pull` only fast-forwards it.
    pub dir: Option<PathBuf>,
    /// The branch; `main` by default.
    pub branch: Option<String>,
    /// Private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
}

/// `[commands.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredCommand {
    /// Program and arguments; no shell reads them.
    pub argv: Argv,
    /// What it does, in a sentence.
    pub description: Option<Label>,
    /// Seconds after which it is stopped; none by default.
    pub timeout: Option<Seconds>,
    /// Whether the operator may add arguments; any text, but no options.
    #[serde(default)]
    pub allow_args: bool,
    /// What the operator must add: one argument of each kind, in this order, at the end.
    #[serde(default)]
    pub args: Vec<ArgKind>,
}

/// `[tests]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// Directory whose executable files the command `test` runs.
    pub dir: Option<PathBuf>,
}

/// `[stop]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Seconds between SIGTERM and SIGKILL; 10 by default.
    pub grace: Option<Seconds>,
}

/// `[limits]`: what a run may use. Memory, tasks and weights hold where runs are systemd units; they bind what the unit
/// itself executes, not builds, which the Nix daemon performs.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsTable {
    /// Memory beyond which the run's processes are killed: bytes with K, M, G or T, or a percentage of the host's.
    pub memory_max: Option<Memory>,
    /// Memory beyond which they are slowed down; written as `memory_max`.
    pub memory_high: Option<Memory>,
    /// The most processes and threads.
    pub tasks_max: Option<TasksMax>,
    /// Share of the processor under contention, 1 to 10000; systemd's own default is 100.
    pub cpu_weight: Option<Weight>,
    /// Share of the disks under contention, likewise.
    pub io_weight: Option<Weight>,
    /// Politeness towards everything else, 0 to 19.
    pub nice: Option<Nice>,
    /// Seconds after which a command is stopped that has no time limit of its own.
    pub timeout: Option<Seconds>,
    /// The most MiB of one run's journal; beyond it, its middle is given up. 256 by default.
    pub journal_max: Option<Mebibytes>,
    /// The most MiB of all acknowledged journals together; 2048 by default.
    pub journals_max: Option<Mebibytes>,
    /// Hours that an acknowledged journal is kept; 24 by default.
    pub journal_keep: Option<Hours>,
}
