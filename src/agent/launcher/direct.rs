//! Starting runs with this process's own rights.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Offer, Started, gc_root, operator, run_dir, unit};
use crate::agent::commands::Commands;
use crate::agent::config::{Execution, Limits, Repo};
use crate::agent::journal::{self, JournalError};
use crate::agent::launch::SelfCommand;
use crate::agent::register::without_password;
use crate::agent::run_dir::{RunDir, SupervisorRequest};
use crate::agent::runs::prune::{self, Keep};
use crate::base::clock;
use crate::run::event::RunEvent;
use crate::run::id::{CommandName, RunId};
use crate::run::kind::RunKind;
use crate::wire::to_agent::RunRequest;

/// What is to be run, as the dashboard asks for it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCommand {
    /// The run's id.
    pub run: RunId,
    /// The command's name.
    pub command: CommandName,
    /// What the operator adds to it.
    pub args: Vec<String>,
    /// Who asked.
    pub requested_by: String,
}

impl From<&RunRequest> for RunCommand {
    fn from(request: &RunRequest) -> Self {
        Self {
            run: request.run,
            command: request.command.clone(),
            args: request.args.clone(),
            requested_by: operator(&request.requested_by),
        }
    }
}

/// Starts runs with this process's own rights: as units of systemd where it is there, else as sessions of their own.
#[derive(Debug)]
pub struct Direct {
    state_dir: PathBuf,
    self_command: SelfCommand,
    commands: Commands,
    repo: Option<Repo>,
    grace_s: u64,
    limits: Limits,
    /// Who else may read the directories of runs.
    group: Option<u32>,
    /// How units are made, where they can be.
    systemd: Option<unit::Systemd>,
    gc_roots: Option<PathBuf>,
}

impl Direct {
    /// Takes over `state_dir`. Runs that another process started there are known by their directories.
    pub fn new(
        state_dir: &Path,
        self_command: SelfCommand,
        execution: Execution,
        group: Option<u32>,
    ) -> Self {
        let commands = Commands::find(&execution, &self_command, state_dir);
        let gc_roots = gc_root::directory(Path::new("/"));
        if let Some(dir) = &gc_roots {
            gc_root::remove_stale(dir, |run| {
                // One that has just been started may have no supervisor yet; one without an end is concluded, and its
                // root removed, when somebody asks.
                run_dir(state_dir, run).is_ok_and(|dir| dir.is_alive() || !has_end(&dir))
            });
        }
        Self {
            state_dir: state_dir.to_owned(),
            self_command,
            commands,
            repo: execution.repo,
            grace_s: execution.grace_s,
            limits: execution.limits,
            group,
            systemd: unit::Systemd::find(),
            gc_roots,
        }
    }

    /// As [`new`](Self::new), but without systemd and Nix, whatever this host has.
    #[cfg(test)]
    pub fn detached(state_dir: &Path, self_command: SelfCommand, execution: Execution) -> Self {
        Self {
            systemd: None,
            gc_roots: None,
            ..Self::new(state_dir, self_command, execution, None)
        }
    }

    /// Where the directories of the runs are, in `runs`.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// How runs are started, in words.
    pub fn manner(&self) -> String {
        match &self.systemd {
            Some(systemd) => format!("runs are systemd units of their own{}", systemd.whose()),
            None => "runs are sessions of their own".into(),
        }
    }

    /// What can be executed here.
    pub fn offer(&self) -> Offer {
        let repo = self.repo.as_ref();
        let url = repo.and_then(|repo| repo.url.as_deref());
        let dir = repo.and_then(|repo| repo.dir.as_ref());
        Offer {
            commands: self.commands.offered(),
            repo_url: url.map_or_else(String::new, without_password),
            repo_dir: dir.map_or_else(String::new, |dir| dir.display().to_string()),
        }
    }

    /// Starts a run.
    ///
    /// # Errors
    /// In words: the command is not offered, its arguments are not allowed, the run was started before, or the supervisor
    /// cannot be started.
    pub fn start(&self, asked: &RunCommand) -> anyhow::Result<Started> {
        let command = self
            .commands
            .with_args(&asked.command, &asked.args)
            .map_err(anyhow::Error::msg)?;
        let mut env = command.env;
        if self.systemd.is_some() {
            env.extend(unit::passed(|name| std::env::var(name).ok()));
        }
        let journal_max = prune::make_room(&self.state_dir, self.keep(), self.limits.journal_max)?;
        let program = &self.self_command.program;
        let gc_root = self
            .gc_roots
            .as_deref()
            .and_then(|dir| gc_root::add(dir, asked.run, program));
        let request = SupervisorRequest {
            run: asked.run,
            command: command.name.clone(),
            kind: command.kind,
            argv: command.argv,
            env,
            inherit_env: true,
            cwd: command.cwd,
            timeout_s: command.timeout_s,
            grace_s: self.grace_s,
            journal_max,
            requested_by: operator(&asked.requested_by),
            gc_root: gc_root.clone(),
        };
        let started = RunDir::create_for(&self.state_dir, &request, self.group).and_then(|dir| {
            let child = self.supervise(&dir, &request).inspect_err(|_| {
                if let Err(error) = dir.remove() {
                    tracing::warn!("{error:#}");
                }
            })?;
            Ok(Started {
                dir,
                command: command.name,
                child,
            })
        });
        if started.is_err()
            && let Some(root) = &gc_root
        {
            gc_root::remove(root);
        }
        started
    }

    fn supervise(
        &self,
        dir: &RunDir,
        request: &SupervisorRequest,
    ) -> anyhow::Result<Option<std::process::Child>> {
        let Some(systemd) = &self.systemd else {
            return self.self_command.supervise(dir).map(Some);
        };
        dir.log()?;
        systemd.start(&unit::Unit {
            run: request.run,
            command: &request.command,
            supervisor: self.self_command.supervisor(dir.path()),
            log: &dir.log_path(),
            grace_s: request.grace_s,
            timeout_s: request.timeout_s,
            activates: matches!(request.kind, RunKind::Rebuild { .. }),
            limits: &self.limits,
        })?;
        Ok(None)
    }

    /// Asks the supervisor of a run to stop it. Answers false when there is none.
    ///
    /// # Errors
    /// There is no such run, or it cannot be asked.
    pub fn stop(&self, run: RunId, by: &str, force: bool) -> anyhow::Result<bool> {
        run_dir(&self.state_dir, run)?.request_stop(&operator(by), force)
    }

    /// The runs that are kept, with their commands and whether their supervisors live.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn list(&self) -> anyhow::Result<Vec<(RunId, CommandName, bool)>> {
        let dirs = RunDir::list(&self.state_dir)?;
        Ok(dirs
            .iter()
            .filter_map(|dir| Some((dir.run_id()?, dir.request().ok()?.command, dir.is_alive())))
            .collect())
    }

    /// Writes the end of a journal whose supervisor is gone. What is behind a damage is given up.
    ///
    /// # Errors
    /// There is a supervisor after all, or the journal cannot be written.
    pub fn conclude(&self, run: RunId) -> anyhow::Result<()> {
        let dir = run_dir(&self.state_dir, run)?;
        // The lock's file is one of the marks of a beginning.
        let begun = dir.was_begun();
        let _lock = dir.lock_only()?;
        if let Ok(request) = dir.request()
            && let Some(root) = request.gc_root
        {
            gc_root::remove(&root);
        }
        let mut reason = String::from("its supervisor ended without a word");
        if !begun {
            reason = "its supervisor did not come up".into();
        }
        if let Some(words) = dir.last_words() {
            reason = format!("{reason} (its last one: {words})");
        }
        let concluded = journal::conclude(&dir.journal(), clock::now(), &reason);
        let Err(error) = concluded else {
            return Ok(());
        };
        let Some(JournalError::Damaged {
            path, offset, why, ..
        }) = error.downcast_ref()
        else {
            return Err(error);
        };
        tracing::error!("run {run}: {error}");
        std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(*offset))
            .with_context(|| format!("{}: cannot be cut at its damage", path.display()))?;
        let reason = format!("{reason}, and its journal was damaged at byte {offset} ({why})");
        journal::conclude(&dir.journal(), clock::now(), &reason)
    }

    /// The dashboard has all of a run: its directory is deleted in time.
    ///
    /// # Errors
    /// The run goes on, or its directory cannot be marked or deleted.
    pub fn release(&self, run: RunId) -> anyhow::Result<()> {
        if let Ok(dir) = run_dir(&self.state_dir, run) {
            anyhow::ensure!(
                has_end(&dir),
                "run {run} has no end; its journal is not given up"
            );
        }
        prune::release(&self.state_dir, run, self.keep())
    }

    /// A run that goes on: its supervisor lives and has not written the end yet. One that was started a moment ago and has
    /// nothing to show yet is the caller's to know.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn goes_on(&self) -> anyhow::Result<Option<RunId>> {
        let dirs = RunDir::list(&self.state_dir)?;
        let going_on = dirs.iter().find(|dir| dir.is_alive() && !has_end(dir));
        Ok(going_on.and_then(RunDir::run_id))
    }

    /// Whether a run that was started has neither begun nor failed to.
    pub fn is_coming_up(&self, run: RunId) -> bool {
        run_dir(&self.state_dir, run).is_ok_and(|dir| !dir.was_begun())
    }

    /// Deletes journals that have become old.
    ///
    /// # Errors
    /// The directory of the runs cannot be read.
    pub fn prune(&self) -> anyhow::Result<()> {
        prune::prune(&self.state_dir, self.keep())
    }

    fn keep(&self) -> Keep {
        Keep {
            time: self.limits.journal_keep,
            bytes: self.limits.journals_max,
        }
    }
}

/// Whether the journal has its last record. One that is damaged, and that nobody writes any more, counts.
fn has_end(dir: &RunDir) -> bool {
    match journal::last_event(&dir.journal()) {
        Ok(last) => matches!(last, Some(RunEvent::Finished { .. })),
        Err(_) => !dir.is_alive(),
    }
}
