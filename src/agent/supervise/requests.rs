//! What a supervisor does when its run is to stop: who may stop it when, and who is refused.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Supervisor;
use super::stop::{Cause, Ladder, Target};
use crate::agent::pty::Pty;
use crate::base::clock;
use crate::run::event::{MAX_TEXT, RunEvent};

impl Supervisor {
    /// Signals that came, and what is due of a stop.
    pub(super) fn stops(&mut self, pty: &Pty) {
        if self.signals.stop.swap(false, Ordering::Relaxed) {
            self.take_stop(pty, false);
        }
        if self.signals.terminate.swap(false, Ordering::Relaxed) {
            self.take_stop(pty, true);
        }
        let activating = self.output.tracker.is_activating();
        if self.timeout_at.is_some_and(|at| Instant::now() >= at) && self.ladder.is_none() {
            self.timeout_at = None;
            if activating {
                let by = format!(
                    "the limit of {} s",
                    self.request.timeout_s.unwrap_or_default()
                );
                self.refuse(
                    by,
                    "the activation has begun; the run goes on, stop it with force if it hangs",
                );
            } else {
                let ladder = Ladder::start(Cause::TimedOut, self.grace(), self.target(pty));
                self.ladder = Some(ladder);
            }
        }
        let target = Target {
            pty,
            unit: &self.unit,
            ended: self.ended,
        };
        if let Some(ladder) = &mut self.ladder {
            if activating && !ladder.forced() {
                // It did not heed the first signal and has begun to change the host.
                if ladder.due().is_some_and(|due| Instant::now() >= due) {
                    let by = match &ladder.cause {
                        Cause::Asked { by, .. } => by.clone(),
                        Cause::TimedOut => "the run's time limit".to_owned(),
                    };
                    self.ladder = None;
                    self.refuse(
                        by,
                        "the run did not heed the first signal, and now its activation has begun",
                    );
                }
            } else {
                ladder.tick(target);
            }
        }
    }

    /// `by_signal`: the supervisor itself was told to end (a shutdown, an administrator).
    pub(super) fn take_stop(&mut self, pty: &Pty, by_signal: bool) {
        let (by, force) = match self.dir.stop_request() {
            Ok(Some(request)) => (request.requested_by, request.force),
            Ok(None) if by_signal => ("the host (SIGTERM)".to_owned(), false),
            Ok(None) => return,
            Err(error) => {
                let why = format!("what was asked for cannot be read: {error:#}");
                self.refuse("an operator".to_owned(), &why);
                return;
            }
        };
        if self
            .ladder
            .as_ref()
            .is_some_and(|ladder| ladder.forced() || !force)
        {
            return;
        }
        if self.output.tracker.is_activating() && !force {
            self.refuse(
                by,
                "the activation has begun, and stopping it would leave the host half-way; ask with force if you must",
            );
            return;
        }
        self.output.event(RunEvent::StopRequested {
            at: clock::now(),
            by: by.clone(),
            force,
            refused: None,
        });
        let cause = Cause::Asked { by, force };
        self.ladder = Some(Ladder::start(cause, self.grace(), self.target(pty)));
    }

    pub(super) fn target<'a>(&'a self, pty: &'a Pty) -> Target<'a> {
        Target {
            pty,
            unit: &self.unit,
            ended: self.ended,
        }
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(self.request.grace_s)
    }

    /// Says why a stop is not carried out: in the run's own view, where operators look.
    fn refuse(&mut self, by: String, why: &str) {
        let refused = format!("stop asked for by {by} is refused: {why}");
        let refused = refused.chars().take(MAX_TEXT).collect();
        self.output.event(RunEvent::StopRequested {
            at: clock::now(),
            by,
            force: false,
            refused: Some(refused),
        });
    }
}
