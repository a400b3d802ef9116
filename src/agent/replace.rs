//! The agent makes room for a newer one: it exits when its service manager would start another program than this one, and
//! is started again as that. No switch has to restart it, so none cuts itself off, and it does not matter who switched.
//!
//! Looked at are the unit file that the agent was started from and the program which that names; nothing is executed. The
//! agent goes only when the difference is steady and the host idle, and once for each difference: where starting it again
//! changed nothing (nobody made systemd read the new unit), it says so and stays.

mod plist;
mod service;
mod unit;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use service::Service;
use service::{Observation, Own};

/// How often unit and program are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long a difference must stay the same: a switch writes the unit some seconds before systemd reads it.
const STEADY: Duration = Duration::from_secs(10);
/// No agent exits by itself before it has lived this long.
const LIFETIME: Duration = Duration::from_secs(60);
/// In the state directory: for which difference the agent exited last.
const MARKER: &str = "replaced";

/// Watches over the service that this process is, and cancels `token` when it is to be started again. `idle` answers
/// whether nothing would be disturbed. Does nothing where no service is found.
pub async fn watch(
    service: Option<Service>,
    state_dir: PathBuf,
    idle: impl Fn() -> bool,
    token: CancellationToken,
) {
    let Some(service) = service else {
        tracing::debug!("no unit of a service manager is found, so none is watched");
        return token.cancelled().await;
    };
    let own = service.own.clone();
    let mut decision: Option<Decision> = None;
    loop {
        let (looking, dir) = (service.clone(), state_dir.clone());
        let looked = spawn_blocking(move || (looking.observe(), last_marker(&dir)));
        // A disk that does not move must not hold up the end.
        let looked = tokio::select! {
            () = token.cancelled() => return,
            looked = looked => looked,
        };
        let Ok((observed, marker)) = looked else {
            return;
        };
        let decision = decision.get_or_insert_with(|| {
            Decision::new(own.clone(), observed.clone(), marker, Instant::now())
        });
        match decision.look(&observed, idle(), Instant::now()) {
            Step::Stay => {}
            Step::Warn(why) => tracing::warn!(
                "{why}, and starting again did not change that; have the service manager read its configuration (systemctl daemon-reload), then restart {}",
                service.name
            ),
            Step::Exit(why) => {
                let (dir, marker) = (state_dir.clone(), observed.marker());
                match spawn_blocking(move || std::fs::write(dir.join(MARKER), marker)).await {
                    Ok(Ok(())) => {
                        tracing::info!("{why}: exiting, so that the service manager starts that");
                        token.cancel();
                        return;
                    }
                    // Without the note it might exit again and again.
                    Ok(Err(error)) => {
                        tracing::warn!(
                            "{}: cannot be written: {error}",
                            state_dir.join(MARKER).display()
                        );
                    }
                    Err(_) => return,
                }
            }
        }
        tokio::select! {
            () = token.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn last_marker(state_dir: &Path) -> Option<String> {
    std::fs::read_to_string(state_dir.join(MARKER)).ok()
}

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Stay,
    /// To be said once.
    Warn(String),
    /// For this reason.
    Exit(String),
}

/// When to go; without files and clocks.
#[derive(Debug)]
struct Decision {
    own: Own,
    /// At this process's start.
    first: Observation,
    started: Instant,
    /// The difference for which a process before this one exited.
    tried: Option<String>,
    warned: bool,
    /// What was different, and since when it has been just that.
    since: Option<(Observation, Instant)>,
}

impl Decision {
    fn new(own: Own, first: Observation, tried: Option<String>, started: Instant) -> Self {
        Self {
            own,
            first,
            started,
            tried,
            warned: false,
            since: None,
        }
    }

    fn look(&mut self, observed: &Observation, idle: bool, now: Instant) -> Step {
        let Some(why) = observed.difference(&self.first, &self.own) else {
            self.since = None;
            return Step::Stay;
        };
        if self.tried.as_ref() == Some(&observed.marker()) {
            let again = std::mem::replace(&mut self.warned, true);
            return if again { Step::Stay } else { Step::Warn(why) };
        }
        let since = match &self.since {
            Some((before, since)) if before == observed => *since,
            _ => {
                self.since = Some((observed.clone(), now));
                now
            }
        };
        let steady = now.duration_since(since) >= STEADY;
        let old = now.duration_since(self.started) >= LIFETIME;
        if steady && old && idle && observed.can_start() {
            return Step::Exit(why);
        }
        Step::Stay
    }
}

#[cfg(test)]
mod tests;
