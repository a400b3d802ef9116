//! What the dashboard may ask for: a run, and its stop.

use super::{Entry, Runs};
use crate::agent::run_dir::{RunDir, SupervisorRequest};
use crate::wire::to_agent::{RunRequest, RunStop};
use crate::wire::to_dashboard::CommandRejected;

/// The longest name of an operator that is written down, in characters.
const MAX_OPERATOR: usize = 200;

impl Runs {
    /// Starts a run. A run that is known already is not started again.
    ///
    /// # Errors
    /// What to answer: the command is not offered, another run goes on, or the supervisor cannot be started.
    pub fn start(&self, request: &RunRequest) -> Result<(), CommandRejected> {
        let mut entries = self.lock();
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
        entries.push(Entry::new(request.run, command.name, dir, Some(child)));
        drop(entries);
        self.changed();
        Ok(())
    }

    /// Passes an operator's stop on to the run's supervisor.
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
