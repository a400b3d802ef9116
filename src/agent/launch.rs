//! Starting this program again in another role: as a run's supervisor, or to perform a command's steps.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::agent::environment;
use crate::agent::steps::Step;

/// What a supervisor says on its standard error, in its run's directory; the last words when it dies.
const SUPERVISOR_LOG: &str = "supervisor.log";
/// The most of it that is quoted, in characters.
const MAX_LAST_WORDS: usize = 300;

/// How to execute this program: `nixfleet-agent`, or another program that can take the agent's role.
#[derive(Debug, Clone)]
pub struct SelfCommand {
    /// The program.
    pub program: PathBuf,
    /// What comes before the agent's own arguments.
    pub leading_args: Vec<String>,
}

impl SelfCommand {
    /// The running program, with `leading_args` before the agent's own arguments.
    ///
    /// # Errors
    /// The system does not say where the running program is.
    pub fn of_process(leading_args: &[&str]) -> anyhow::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()
                .context("cannot find the running program's own path")?,
            leading_args: leading_args.iter().map(|arg| (*arg).to_owned()).collect(),
        })
    }

    /// The arguments that perform `steps`; none when a path in them is not text.
    pub fn steps(&self, steps: &[Step]) -> Option<Vec<String>> {
        let mut argv = vec![self.program.to_str()?.to_owned()];
        argv.extend(self.leading_args.iter().cloned());
        argv.extend(["steps".to_owned(), serde_json::to_string(steps).ok()?]);
        Some(argv)
    }

    /// Starts the supervisor of the run in `run_dir`. It makes itself a session of its own and outlives this process.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn supervise(&self, run_dir: &Path) -> anyhow::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(run_dir.join(SUPERVISOR_LOG))
            .with_context(|| format!("{}: cannot write {SUPERVISOR_LOG}", run_dir.display()))?;
        Command::new(&self.program)
            .args(&self.leading_args)
            .arg("supervise")
            .arg(run_dir)
            .current_dir("/")
            .env_remove(environment::TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| {
                format!(
                    "{}: the supervisor cannot be started",
                    self.program.display()
                )
            })
    }
}

/// The last line that a supervisor wrote on its standard error.
pub fn last_words(run_dir: &Path) -> Option<String> {
    let text = std::fs::read(run_dir.join(SUPERVISOR_LOG)).ok()?;
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(
        line.chars()
            .filter(|c| !c.is_control())
            .take(MAX_LAST_WORDS)
            .collect(),
    )
}
