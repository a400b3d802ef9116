//! The connection to the dashboard: dial, serve, and dial again, for ever or until there is a reason not to.

mod dial;
mod offer;
mod proof;
mod session;
mod tls;
mod v2;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::sync::CancellationToken;

use crate::agent::health::Health;
use crate::agent::heartbeat::Cells;
use crate::agent::identity::Identity;
use crate::agent::metrics::Sample;
use crate::agent::runs::Runs;
use crate::agent::shipper::v2::Sent;
use crate::agent::statement::Statement;
use crate::agent::subjects::Subjects;
use crate::base::backoff::{AWAY, Backoff};

pub use dial::reach;
pub use rustls::ClientConfig;
pub use tls::{Tls, client_config};

/// With `--once`: how long an open connection may take to acknowledge the heartbeat.
const ONCE_DEADLINE: Duration = Duration::from_secs(30);

/// What happens when there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// Whether it is tried again at all.
    pub auto: bool,
    /// The longest first pause. Pauses double, and each is a random part of that, so that a fleet does not come at once.
    pub first: Duration,
    /// No pause is longer; while no dashboard is reached at all, none is longer than 12 seconds either.
    pub longest: Duration,
    /// Failed attempts in a row after which to give up; without, never.
    pub max_attempts: Option<u32>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            auto: true,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            max_attempts: None,
        }
    }
}

impl Reconnect {
    /// Gives up after so many failed attempts in a row; at least one.
    pub fn attempts(most: u32) -> Self {
        Self {
            max_attempts: Some(most.max(1)),
            ..Self::default()
        }
    }

    /// The agent ends with its first connection, or with the first attempt that fails.
    pub fn never() -> Self {
        Self {
            auto: false,
            ..Self::default()
        }
    }
}

/// All that a connection needs.
#[derive(Debug)]
pub struct Uplink {
    /// Who this agent is.
    pub identity: Identity,
    /// For `wss://`.
    pub tls: Tls,
    /// The host's runs; none where a program uses the agent as a library.
    pub runs: Option<Arc<Runs>>,
    /// How far they are told to an earlier dashboard.
    pub sent: Option<Arc<Sent>>,
    /// Metrics and generation.
    pub sample: watch::Receiver<Sample>,
    /// What the program says of itself.
    pub statement: watch::Receiver<Statement>,
    /// Messages by subject.
    pub subjects: Arc<Subjects>,
    /// What happens when there is no connection.
    pub reconnect: Reconnect,
    /// Ends with the first acknowledged heartbeat.
    pub once: bool,
    /// How the connection is.
    pub health: watch::Sender<Health>,
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// This process is to end.
    Shutdown,
    /// With `--once`: the heartbeat was acknowledged.
    Acknowledged,
    /// The connection is gone.
    Lost {
        /// In words.
        reason: String,
        /// The dashboard had answered `register`: what failed before does not count any more.
        registered: bool,
    },
}

/// That the dashboard closed the connection, and why.
fn closed(frame: Option<CloseFrame>) -> String {
    let said = frame.map_or_else(String::new, |frame| {
        let reason: String = frame.reason.chars().filter(|c| !c.is_control()).collect();
        format!(" with {} {reason}", u16::from(frame.code))
    });
    format!("the dashboard closed the connection{said}")
}

impl Uplink {
    /// What its heartbeats are made of.
    pub fn cells(&self) -> Cells {
        let current = match &self.runs {
            Some(runs) => runs.current(),
            None => watch::channel(None).1,
        };
        let (sample, statement) = (self.sample.clone(), self.statement.clone());
        Cells::new(&self.identity, sample, current, statement)
    }

    async fn serve(&self, socket: dial::Dialled, shutdown: &CancellationToken) -> End {
        let served = session::serve(self, socket, shutdown);
        if !self.once {
            return served.await;
        }
        tokio::time::timeout(ONCE_DEADLINE, served)
            .await
            .unwrap_or_else(|_| End::Lost {
                reason: format!(
                    "{}: connected, but no heartbeat was acknowledged within {} s",
                    self.identity.url,
                    ONCE_DEADLINE.as_secs()
                ),
                registered: false,
            })
    }

    /// Keeps a connection until `shutdown`.
    ///
    /// # Errors
    /// The attempts are used up, or with `--once` the first one failed.
    pub async fn run(&self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(self.reconnect.first, self.reconnect.longest);
        loop {
            let dialled = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                dialled = dial::dial(&self.identity, &self.tls) => dialled,
            };
            let mut longest = self.reconnect.longest;
            let mut was_registered = false;
            let reason = match dialled {
                Err(error) => {
                    if error.is_away {
                        longest = longest.min(AWAY);
                    }
                    error.to_string()
                }
                Ok(socket) => match self.serve(socket, shutdown).await {
                    End::Shutdown | End::Acknowledged => return Ok(()),
                    End::Lost { reason, registered } => {
                        was_registered = registered;
                        reason
                    }
                },
            };
            if was_registered {
                backoff.reset();
            }
            anyhow::ensure!(!self.once, "{reason}");
            let delay = backoff.next_within(longest, fastrand::f64());
            if was_registered {
                // A connection that was one is no failed attempt.
                backoff.reset();
            }
            self.health.send_modify(|health| {
                health.gone();
                health.attempts = backoff.attempts();
                health.error = Some(reason.clone());
            });
            anyhow::ensure!(self.reconnect.auto, "{reason}");
            if let Some(most) = self
                .reconnect
                .max_attempts
                .filter(|most| backoff.attempts() >= *most)
            {
                anyhow::bail!(
                    "giving up after {most} failed attempts (reconnect.max_attempts): {reason}"
                );
            }
            tracing::warn!("{reason}; trying again in {:.1} s", delay.as_secs_f64());
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(delay) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
