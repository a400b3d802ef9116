//! What the dashboard may ask for: a run, and its stop.

use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Entry, Runs};
use crate::agent::launcher::operator;
use crate::wire::to_agent::{RunRequest, RunStop};
use crate::wire::to_dashboard::{CommandRejected, ToDashboard};

/// Requests that may wait for the one before them. An operator asks for one at a time, so more mean that the disk hangs.
pub const MAX_REQUESTS: usize = 16;

/// What the dashboard may ask for.
#[derive(Debug)]
pub enum Request {
    /// Start a run.
    Start(RunRequest),
    /// Stop one.
    Stop(RunStop),
}

/// Performs requests one after the other, beside everything else: a slow disk delays them and nothing else. What is
/// rejected is answered through `answers`.
///
/// # Errors
/// The answers' queue is full.
pub async fn perform(
    runs: Arc<Runs>,
    mut requests: mpsc::Receiver<Request>,
    answers: mpsc::Sender<ToDashboard>,
) -> Result<(), String> {
    while let Some(request) = requests.recv().await {
        let runs = runs.clone();
        let performed = spawn_blocking(move || match request {
            Request::Start(request) => runs
                .start(&request)
                .inspect_err(|rejected| {
                    tracing::warn!(
                        "run {}: {} refused: {}",
                        request.run,
                        request.command,
                        rejected.reason
                    );
                })
                .err(),
            Request::Stop(stop) => {
                runs.stop(&stop);
                None
            }
        });
        match performed.await {
            Ok(None) => {}
            Ok(Some(rejected)) => answers
                .try_send(ToDashboard::CommandRejected(rejected))
                .map_err(|_| "the connection does not move: too many messages wait".to_owned())?,
            Err(panicked) => tracing::error!("a request failed: {panicked}"),
        }
    }
    Ok(())
}

impl Runs {
    /// Starts a run. A run that is known already is not started again. Blocks while the request is made durable.
    ///
    /// # Errors
    /// What to answer: the command is not offered, another run goes on, or the supervisor cannot be started.
    pub fn start(&self, request: &RunRequest) -> Result<(), CommandRejected> {
        let _one = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = self.lock();
        if entries.iter().any(|entry| entry.id == request.run) {
            tracing::debug!("run {} is known already", request.run);
            return Ok(());
        }
        let rejected = |reason: String| CommandRejected {
            run: Some(request.run),
            reason,
            current_command: None,
            current_pid: None,
        };
        if let Some(busy) = entries.iter().find(|entry| !entry.is_over()) {
            let reason = format!(
                "`{}` is running; wait for its end or stop it first",
                busy.command
            );
            return Err(CommandRejected {
                current_command: Some(busy.command.to_string()),
                current_pid: busy.dir.pid().map(i64::from),
                ..rejected(reason)
            });
        }
        drop(entries);
        let started = self
            .launcher
            .start(request)
            .map_err(|error| rejected(format!("{error:#}")))?;
        tracing::info!(
            "run {}: {} for {:?}",
            request.run,
            started.command,
            operator(&request.requested_by)
        );
        let entry = Entry::new(request.run, started.command, started.dir, started.child);
        self.lock().push(entry);
        self.changed();
        Ok(())
    }

    /// Passes an operator's stop on to the run's supervisor. Blocks as [`start`](Self::start) does.
    pub fn stop(&self, stop: &RunStop) {
        let entries = self.lock();
        let goes_on = entries
            .iter()
            .any(|entry| entry.id == stop.run && !entry.is_over());
        drop(entries);
        let by = operator(&stop.requested_by);
        let asked = goes_on.then(|| self.launcher.stop(stop.run, &by, stop.force));
        match asked {
            Some(Ok(true)) => tracing::info!("run {}: stop asked for by {by:?}", stop.run),
            Some(Ok(false)) | None => {
                tracing::info!("run {}: nothing to stop, it is over", stop.run);
            }
            Some(Err(error)) => tracing::error!("run {}: cannot be stopped: {error:#}", stop.run),
        }
    }
}
