//! What the dashboard may ask for: a run, and its stop.

use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Entry, Runs};
use crate::agent::run_dir::{RunDir, SupervisorRequest};
use crate::wire::to_agent::{RunRequest, RunStop};
use crate::wire::to_dashboard::{CommandRejected, ToDashboard};

/// The longest name of an operator that is written down, in characters.
const MAX_OPERATOR: usize = 200;

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
        let command = self
            .commands
            .with_args(&request.command, &request.args)
            .map_err(rejected)?;
        let supervisor_request = SupervisorRequest {
            run: request.run,
            command: command.name.clone(),
            kind: command.kind,
            argv: command.argv,
            env: command.env,
            inherit_env: true,
            cwd: command.cwd,
            timeout_s: command.timeout_s,
            grace_s: self.grace_s,
            requested_by: operator(&request.requested_by),
        };
        let dir = RunDir::create(&self.state_dir, &supervisor_request)
            .map_err(|error| rejected(format!("{error:#}")))?;
        let child = match self.self_command.supervise(dir.path()) {
            Ok(child) => child,
            Err(error) => {
                if let Err(error) = dir.remove() {
                    tracing::warn!("{error:#}");
                }
                return Err(rejected(format!("{error:#}")));
            }
        };
        tracing::info!(
            "run {}: {} for {:?}",
            request.run,
            command.name,
            supervisor_request.requested_by
        );
        let entry = Entry::new(request.run, command.name, dir, Some(child));
        self.lock().push(entry);
        self.changed();
        Ok(())
    }

    /// Passes an operator's stop on to the run's supervisor. Blocks as [`start`](Self::start) does.
    pub fn stop(&self, stop: &RunStop) {
        let entries = self.lock();
        let dir = entries
            .iter()
            .find(|entry| entry.id == stop.run && !entry.is_over())
            .map(|entry| entry.dir.clone());
        drop(entries);
        match dir.map(|dir| dir.request_stop(&operator(&stop.requested_by), stop.force)) {
            Some(Ok(true)) => tracing::info!(
                "run {}: stop asked for by {:?}",
                stop.run,
                operator(&stop.requested_by)
            ),
            Some(Ok(false)) | None => {
                tracing::info!("run {}: nothing to stop, it is over", stop.run);
            }
            Some(Err(error)) => tracing::error!("run {}: cannot be stopped: {error:#}", stop.run),
        }
    }
}

/// An operator's name as it is written down: short, and without control characters.
fn operator(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(MAX_OPERATOR)
        .collect()
}
