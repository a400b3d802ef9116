//! The connection to the dashboard: dial, serve, and dial again, for ever or until there is a reason not to.

mod dial;
mod offer;
mod session;
mod tls;
mod v2;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agent::identity::Identity;
use crate::agent::metrics::Sample;
use crate::agent::runs::Runs;
use crate::agent::shipper::v2::Sent;
use crate::base::backoff::Backoff;

pub use tls::Tls;

/// With `--once`: how long an open connection may take to acknowledge the heartbeat.
const ONCE_DEADLINE: Duration = Duration::from_secs(30);
/// The first delay between attempts, at most.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// No delay is longer.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// How the connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The dashboard has answered `register` on the connection that stands.
    pub connected: bool,
    /// When a heartbeat was acknowledged last.
    pub last_ack: Option<Instant>,
    /// Failed attempts since the last connection.
    pub attempts: u32,
    /// Why there is no connection.
    pub error: Option<String>,
}

/// All that a connection needs.
#[derive(Debug)]
pub struct Uplink {
    /// Who this agent is.
    pub identity: Identity,
    /// For `wss://`.
    pub tls: Tls,
    /// The host's runs.
    pub runs: Arc<Runs>,
    /// How far runs are told to an earlier dashboard.
    pub sent: Arc<Sent>,
    /// Metrics and generation.
    pub sample: watch::Receiver<Sample>,
    /// Failed attempts in a row after which to give up.
    pub max_attempts: Option<u32>,
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

impl Uplink {
    async fn serve(&self, socket: dial::Socket, shutdown: &CancellationToken) -> End {
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
        let mut backoff = Backoff::new(FIRST_DELAY, LONGEST_DELAY);
        loop {
            let dialled = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                dialled = dial::dial(&self.identity, &self.tls) => dialled,
            };
            let reason = match dialled {
                Err(error) => format!("{error:#}"),
                Ok(socket) => match self.serve(socket, shutdown).await {
                    End::Shutdown | End::Acknowledged => return Ok(()),
                    End::Lost { reason, registered } => {
                        if registered {
                            backoff.reset();
                        }
                        reason
                    }
                },
            };
            anyhow::ensure!(!self.once, "{reason}");
            let delay = backoff.next(fastrand::f64());
            self.health.send_modify(|health| {
                health.connected = false;
                health.attempts = backoff.attempts();
                health.error = Some(reason.clone());
            });
            if let Some(most) = self.max_attempts.filter(|most| backoff.attempts() >= *most) {
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
