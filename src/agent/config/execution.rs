//! What is executed on this host, checked: from the agent's own file and environment, or from the root helper's file.

use std::path::PathBuf;
use std::time::Duration;

use crate::agent::commands::is_built_in;
use crate::agent::config_file::{
    DeclaredCommand, LimitsTable, MAX_COMMANDS, Memory, Nice, Sections, TasksMax, Tool, Weight,
};
use crate::agent::run_dir::{DEFAULT_GRACE_S, DEFAULT_JOURNAL_MAX};
use crate::run::id::CommandName;

/// The most bytes of all acknowledged journals together when nobody says otherwise.
pub const DEFAULT_JOURNALS_MAX: u64 = 2048 * MIB;
/// How long an acknowledged journal is kept when nobody says otherwise.
pub const DEFAULT_JOURNAL_KEEP: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1024 * 1024;

/// What an operator can have executed here, and within which limits.
#[derive(Debug, Default)]
pub struct Execution {
    /// Something starts the agent again whenever it exits: `restart` is offered.
    pub service_manager: bool,
    /// How the host is rebuilt.
    pub rebuild: Rebuild,
    /// The configuration's repository, when there is one.
    pub repo: Option<Repo>,
    /// The only commands that may be offered; none for all that can work here.
    pub allowed_commands: Option<Vec<CommandName>>,
    /// Declared commands.
    pub commands: Vec<(CommandName, DeclaredCommand)>,
    /// Directory of the host's test scripts.
    pub tests_dir: Option<PathBuf>,
    /// Seconds between the steps of a stop.
    pub grace_s: u64,
    /// What a run may use.
    pub limits: Limits,
}

/// How the host is rebuilt.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// Which tool; none for the operating system's.
    pub tool: Option<Tool>,
    /// The program; none for the tool's name on PATH.
    pub program: Option<PathBuf>,
    /// For `--flake`.
    pub flake: Option<String>,
    /// Further arguments for every action.
    pub args: Vec<String>,
}

/// The configuration's repository.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Where to clone from; none when the working copy is its user's.
    pub url: Option<String>,
    /// The working copy; none for a clone in the state directory.
    pub dir: Option<PathBuf>,
    /// The branch.
    pub branch: String,
    /// Private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
}

/// What a run may use; none for no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `MemoryMax=` of the run's unit.
    pub memory_max: Option<String>,
    /// `MemoryHigh=`
    pub memory_high: Option<String>,
    /// `TasksMax=`
    pub tasks_max: Option<u32>,
    /// `CPUWeight=`
    pub cpu_weight: Option<u32>,
    /// `IOWeight=`
    pub io_weight: Option<u32>,
    /// `Nice=`
    pub nice: Option<u32>,
    /// Seconds, for commands without a time limit of their own.
    pub timeout_s: Option<u64>,
    /// Bytes of one run's journal.
    pub journal_max: u64,
    /// Bytes of all acknowledged journals together.
    pub journals_max: u64,
    /// How long an acknowledged journal is kept.
    pub journal_keep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(LimitsTable::default())
    }
}

impl Limits {
    fn of(table: LimitsTable) -> Self {
        let bytes = |mib: u32| u64::from(mib) * MIB;
        Self {
            memory_max: table.memory_max.map(Memory::get),
            memory_high: table.memory_high.map(Memory::get),
            tasks_max: table.tasks_max.map(TasksMax::get),
            cpu_weight: table.cpu_weight.map(Weight::get),
            io_weight: table.io_weight.map(Weight::get),
            nice: table.nice.map(Nice::get),
            timeout_s: table.timeout.map(|seconds| u64::from(seconds.get())),
            journal_max: table
                .journal_max
                .map_or(DEFAULT_JOURNAL_MAX, |mib| bytes(mib.get())),
            journals_max: table
                .journals_max
                .map_or(DEFAULT_JOURNALS_MAX, |mib| bytes(mib.get())),
            journal_keep: table.journal_keep.map_or(DEFAULT_JOURNAL_KEEP, |hours| {
                Duration::from_secs(u64::from(hours.get()) * 3600)
            }),
        }
    }
}

impl Execution {
    /// Checks the sections as a whole.
    ///
    /// # Errors
    /// The key, what is wrong with it, and what to write instead.
    pub fn check(raw: Sections, service_manager: bool) -> Result<Self, String> {
        let repo = raw.repo.unwrap_or_default();
        for (key, text) in [("url", &repo.url), ("branch", &repo.branch)] {
            // git would take it for an option.
            if text.as_deref().is_some_and(|text| text.starts_with('-')) {
                return Err(format!("`repo.{key}` begins with `-`; write it without"));
            }
        }
        if let Some(dir) = repo.dir.as_ref().filter(|dir| !dir.is_absolute()) {
            return Err(format!(
                "`repo.dir` = \"{}\" is relative; write an absolute path",
                dir.display()
            ));
        }
        let commands = raw.commands.unwrap_or_default();
        if commands.len() > MAX_COMMANDS {
            return Err(format!(
                "`commands` has {} entries; at most {MAX_COMMANDS} are possible",
                commands.len()
            ));
        }
        if let Some(name) = commands.keys().find(|name| is_built_in(name)) {
            return Err(format!(
                "`commands.{name}` has the name of a built-in command; choose another name"
            ));
        }
        if let Some((name, _)) = commands
            .iter()
            .find(|(_, command)| command.allow_args && !command.args.is_empty())
        {
            return Err(format!(
                "`commands.{name}` has both `allow_args` and `args`; keep `args` for arguments of known kinds, or `allow_args` for any"
            ));
        }
        let mut allowed = raw.allowed_commands.iter().flatten();
        if let Some(name) = allowed.find(|name| !is_built_in(name) && !commands.contains_key(name))
        {
            return Err(format!(
                "`allowed_commands` names `{name}`, which is neither built in nor declared; correct the name or declare [commands.{name}]"
            ));
        }
        let rebuild = raw.rebuild.unwrap_or_default();
        Ok(Self {
            service_manager,
            rebuild: Rebuild {
                tool: rebuild.tool,
                program: rebuild.program,
                flake: rebuild.flake,
                args: rebuild.args,
            },
            repo: (repo.url.is_some() || repo.dir.is_some()).then(|| Repo {
                url: repo.url,
                dir: repo.dir,
                branch: repo.branch.unwrap_or_else(|| "main".into()),
                ssh_key_file: repo.ssh_key_file,
            }),
            allowed_commands: raw.allowed_commands,
            commands: commands.into_iter().collect(),
            tests_dir: raw.tests.and_then(|tests| tests.dir),
            grace_s: raw
                .stop
                .and_then(|stop| stop.grace)
                .map_or(DEFAULT_GRACE_S, |grace| u64::from(grace.get())),
            limits: Limits::of(raw.limits.unwrap_or_default()),
        })
    }
}
