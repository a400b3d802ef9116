//! Starting this program again in another role: as a run's supervisor, or to perform a command's steps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::agent::environment;
use crate::agent::notify;
use crate::agent::run_dir::RunDir;
use crate::agent::steps::Step;

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

    /// The arguments that supervise the run in `run_dir`, the program first.
    pub fn supervisor(&self, run_dir: &Path) -> Vec<OsString> {
        let mut argv = vec![self.program.clone().into_os_string()];
        argv.extend(self.leading_args.iter().map(OsString::from));
        argv.extend(["supervise".into(), run_dir.into()]);
        argv
    }

    /// Starts the supervisor of the run in `dir` as a child. It makes itself a session of its own and outlives this process.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn supervise(&self, dir: &RunDir) -> anyhow::Result<Child> {
        let log = dir.log()?;
        let mut command = Command::new(&self.program);
        for name in notify::VARIABLES {
            command.env_remove(name);
        }
        command
            .args(self.supervisor(dir.path()).into_iter().skip(1))
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
