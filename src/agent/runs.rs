//! The runs that this host keeps: the one that goes on, and those whose journals are not acknowledged to their end.
//!
//! All that is known comes from the run directories, so a new agent takes over where another one ended. The lock is held
//! for look-ups only, never while a disk is waited for.

pub mod prune;
mod request;
mod standing;
mod tail;

use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::agent::commands::RESTART;
use crate::agent::launcher::{Launcher, Offer};
use crate::agent::run_dir::RunDir;
use crate::base::clock;
use crate::run::id::{CommandName, RunId, Seq};
use crate::run::phase::RunState;
use crate::run::view::RunView;
use crate::wire::to_dashboard::{Activity, KnownRun};

pub use request::{MAX_REQUESTS, Request, perform};
pub use standing::Standing;
pub use tail::watch;

/// The run that goes on, for heartbeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// What it is doing.
    pub activity: Activity,
    /// Its supervisor's process.
    pub pid: Option<i64>,
}

/// All runs of this host.
#[derive(Debug)]
pub struct Runs {
    launcher: Arc<Launcher>,
    entries: Mutex<Vec<Entry>>,
    /// Held while a run is being started, by threads that may block; so a request that is sent again meets the first.
    starting: Mutex<()>,
    /// Supervisors that have written their last event and are about to exit; asked for now and then, so none stays a zombie.
    ended: Mutex<Vec<Child>>,
    /// Counts changes: a journal grew, a run came or went.
    changes: watch::Sender<u64>,
    current: watch::Sender<Option<Current>>,
    restart: tokio_util::sync::CancellationToken,
}

#[derive(Debug)]
struct Entry {
    id: RunId,
    command: CommandName,
    dir: RunDir,
    /// The supervisor, when this process started it.
    child: Option<Child>,
    /// When this process learnt of the run.
    known_since: Instant,
    /// When it last tried to write the end of a run without a supervisor.
    concluded: Option<Instant>,
    /// By the wall clock, for those who look at it before its first event.
    since: u64,
    view: RunView,
    /// The newest record that was looked at.
    seen: Seq,
    /// The newest of those that must not wait for others.
    urgent: Seq,
    /// Bytes of the records that were looked at.
    journaled: u64,
    /// The supervisor's process, once it has written it.
    pid: Option<i64>,
}

impl Entry {
    fn is_over(&self) -> bool {
        self.view.state.is_terminal()
    }
}

/// A run as the shipper needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which run.
    pub run: RunId,
    /// Its journal.
    pub journal: PathBuf,
    /// The last record of a journal that has its end.
    pub end: Option<Seq>,
    /// The newest record that is known.
    pub seen: Seq,
    /// The newest one that must not wait for others.
    pub urgent: Seq,
    /// Bytes of the records up to `seen`.
    pub journaled: u64,
}

impl Runs {
    /// Takes over what is in the state directory. `restart` is cancelled when a `restart` is acknowledged.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn open(
        launcher: Launcher,
        restart: tokio_util::sync::CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let mut entries = Vec::new();
        for dir in RunDir::list(launcher.state_dir())? {
            if prune::is_acknowledged(&dir) {
                continue;
            }
            match (dir.run_id(), dir.request()) {
                (Some(id), Ok(request)) => {
                    let mut entry = Entry::new(id, request.command, dir, None);
                    entry.catch_up();
                    entries.push(entry);
                }
                (_, Err(error)) => tracing::warn!("left alone: {error:#}"),
                (None, _) => {}
            }
        }
        let runs = Self {
            launcher: Arc::new(launcher),
            entries: Mutex::new(entries),
            starting: Mutex::new(()),
            ended: Mutex::new(Vec::new()),
            changes: watch::channel(0).0,
            current: watch::channel(None).0,
            restart,
        };
        runs.changed();
        Ok(Arc::new(runs))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can be executed here.
    ///
    /// # Errors
    /// The root helper does not answer.
    pub async fn offer(&self) -> anyhow::Result<Offer> {
        let launcher = Arc::clone(&self.launcher);
        spawn_blocking(move || launcher.offer()).await?
    }

    /// Deletes journals that have become old, for ever.
    pub async fn prune_regularly(&self) {
        loop {
            let launcher = Arc::clone(&self.launcher);
            match spawn_blocking(move || launcher.prune()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!("{error:#}"),
                Err(panicked) => tracing::error!("deleting old journals failed: {panicked}"),
            }
            tokio::time::sleep(prune::EVERY).await;
        }
    }

    /// Wakes whoever waits for new records.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// What heartbeats say of the run that goes on.
    pub fn current(&self) -> watch::Receiver<Option<Current>> {
        self.current.subscribe()
    }

    /// Whether no run goes on.
    pub fn is_idle(&self) -> bool {
        self.lock().iter().all(Entry::is_over)
    }

    fn changed(&self) {
        let mut entries = self.lock();
        let current = entries
            .iter_mut()
            .find(|entry| !entry.is_over())
            .map(Entry::current);
        drop(entries);
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        self.current.send_if_modified(|known| {
            let modified = *known != current;
            *known = current;
            modified
        });
        self.changes.send_modify(|n| *n += 1);
    }

    /// For `register`.
    pub fn known(&self) -> Vec<KnownRun> {
        let entries = self.lock();
        let known = entries.iter().map(|entry| KnownRun {
            run: entry.id,
            command: entry.command.clone(),
            last_seq: entry.seen,
            alive: !entry.is_over(),
        });
        known.collect()
    }

    /// The command of a run that is kept.
    pub fn command(&self, run: RunId) -> Option<CommandName> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.id == run)?;
        Some(entry.command.clone())
    }

    /// For the shipper: the run that goes on first, because somebody watches it.
    pub fn kept(&self) -> Vec<Kept> {
        let entries = self.lock();
        let mut kept: Vec<Kept> = entries
            .iter()
            .map(|entry| Kept {
                run: entry.id,
                journal: entry.dir.journal(),
                end: entry.is_over().then_some(entry.seen),
                seen: entry.seen,
                urgent: entry.urgent,
                journaled: entry.journaled,
            })
            .collect();
        kept.sort_by_key(|kept| kept.end.is_some());
        kept
    }

    /// The dashboard has all of the run up to `seq`. A run that ends there is no more kept for it.
    pub async fn acknowledged(&self, run: RunId, seq: Seq) {
        let entry = {
            let mut entries = self.lock();
            let over = entries
                .iter()
                .position(|entry| entry.id == run && entry.is_over() && entry.seen <= seq);
            over.map(|index| entries.swap_remove(index))
        };
        let Some(mut entry) = entry else { return };
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(entry.child.take());
        // Deleting large journals takes a while.
        let launcher = Arc::clone(&self.launcher);
        match spawn_blocking(move || launcher.release(run)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("{error:#}"),
            Err(panicked) => tracing::error!("run {run}: {panicked}"),
        }
        tracing::info!("run {run}: {} and acknowledged", entry.view.state.name());
        if entry.command.as_str() == RESTART && entry.view.state == RunState::Succeeded {
            tracing::info!("exiting, so that the service manager starts the agent again");
            self.restart.cancel();
        }
        self.changed();
    }
}

impl Entry {
    fn new(id: RunId, command: CommandName, dir: RunDir, child: Option<Child>) -> Self {
        Self {
            id,
            command,
            dir,
            child,
            known_since: Instant::now(),
            concluded: None,
            since: clock::now(),
            view: RunView::default(),
            seen: Seq(0),
            urgent: Seq(0),
            journaled: 0,
            pid: None,
        }
    }

    fn current(&mut self) -> Current {
        if self.pid.is_none() {
            self.pid = self.dir.pid().map(i64::from);
        }
        Current {
            activity: Activity {
                run: self.id,
                command: self.command.clone(),
                phase: self.view.phase(),
                progress: self.view.progress.clone(),
                since: self.view.started_at.unwrap_or(self.since),
            },
            pid: self.pid,
        }
    }
}

#[cfg(test)]
impl Current {
    /// A run for tests that need any.
    pub fn for_test(command: &str, pid: i64) -> Self {
        Self {
            activity: Activity {
                run: RunId::new(),
                command: command.parse().unwrap(),
                phase: None,
                progress: None,
                since: 0,
            },
            pid: Some(pid),
        }
    }
}

#[cfg(test)]
mod tests;
