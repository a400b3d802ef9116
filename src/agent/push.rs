//! Heartbeats pushed over HTTP to back-ends, each on a task of its own: what one does is nothing to the others, and nothing to
//! the connection to the dashboard.

mod address;
mod post;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::agent::config::{self, Compression};
use crate::agent::facts;
use crate::agent::status::Status;
use crate::agent::uplink::ClientConfig;
use crate::base::VERSION;
use crate::base::clock::{self, rfc3339};
use crate::base::secret::Secret;
use crate::wire::{local_api, push};
use verdict::Verdict;

pub use address::Address;

/// How often one push is tried.
const TRIES: u32 = 3;
/// Level of compression: heartbeats are small, and a level that needs more memory gains nothing.
const LEVEL: i32 = 3;

/// How long things take; tests are in a hurry.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Between two tries.
    pub between: Duration,
    /// For one try, from looking up the name to the answer.
    pub one_try: Duration,
    /// After a refused key: nothing changes until a person does something.
    pub refused: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            between: Duration::from_secs(5),
            one_try: Duration::from_secs(10),
            refused: Duration::from_secs(300),
        }
    }
}

/// One back-end.
#[derive(Debug)]
pub struct Backend {
    address: Address,
    key_file: Option<PathBuf>,
    interval: Duration,
    compression: Compression,
    /// What `compression = "auto"` has come to.
    compressed: bool,
    tls: Option<Arc<ClientConfig>>,
    host: facts::Host,
    state: watch::Sender<local_api::Push>,
    times: Times,
    n: u64,
}

/// Why a push did not arrive, and how long to leave the back-end alone.
struct Failure {
    reason: String,
    pause: Duration,
}

impl Backend {
    /// Pushes nothing yet. `tls` is for `https://`, `host` says what this host is.
    pub fn new(
        push: config::Push,
        tls: Option<Arc<ClientConfig>>,
        host: facts::Host,
        times: Times,
    ) -> Self {
        let state = local_api::Push {
            url: push.address.to_string(),
            ..local_api::Push::default()
        };
        Self {
            address: push.address,
            key_file: push.key_file,
            interval: push.interval,
            compressed: push.compression == Compression::Zstd,
            compression: push.compression,
            tls,
            host,
            state: watch::channel(state).0,
            times,
            n: 0,
        }
    }

    /// How it goes.
    pub fn state(&self) -> watch::Receiver<local_api::Push> {
        self.state.subscribe()
    }

    /// Pushes at once and then every interval, until `stop`.
    pub async fn run(mut self, status: Arc<Status>, stop: CancellationToken) {
        loop {
            let began = Instant::now();
            let pushed = tokio::select! {
                () = stop.cancelled() => return,
                pushed = self.push(&status) => pushed,
            };
            let next = began + self.interval;
            let next = match pushed {
                Ok(()) => next,
                Err(failure) => next.max(Instant::now() + failure.pause),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(next) => {}
            }
        }
    }

    /// Pushes once.
    ///
    /// # Errors
    /// It did not arrive; says where and why.
    pub async fn once(&mut self, status: &Status) -> anyhow::Result<()> {
        let pushed = self.push(status).await;
        pushed.map_err(|failure| anyhow!("{}: {}", self.address, failure.reason))
    }

    /// One push with its tries.
    async fn push(&mut self, status: &Status) -> Result<(), Failure> {
        let mut left = TRIES;
        let outcome = loop {
            left -= 1;
            match self.attempt(status).await {
                Verdict::Delivered => break Ok(()),
                Verdict::Later(reason, pause) => break Err(Failure { reason, pause }),
                Verdict::Refused(reason) => {
                    let pause = self.times.refused;
                    break Err(Failure { reason, pause });
                }
                Verdict::Again(reason) if left == 0 => {
                    let pause = Duration::ZERO;
                    break Err(Failure { reason, pause });
                }
                Verdict::Again(reason) => {
                    tracing::debug!("push to {}: {reason}; trying again", self.address);
                    sleep(self.times.between).await;
                }
            }
        };
        self.tell(outcome.as_ref().err());
        outcome
    }

    /// Notes how it went. Only a change is worth a line that everybody sees.
    fn tell(&self, failure: Option<&Failure>) {
        let address = &self.address;
        self.state.send_modify(|state| match failure {
            None => {
                if state.error.take().is_some() {
                    tracing::info!("heartbeats arrive at {address} again");
                }
                state.healthy = true;
                state.delivered += 1;
                state.last_success = Some(rfc3339(clock::now()));
            }
            Some(Failure { reason, .. }) => {
                if state.error.as_ref() == Some(reason) {
                    tracing::debug!("heartbeats do not arrive at {address}: {reason}");
                } else {
                    tracing::warn!("heartbeats do not arrive at {address}: {reason}");
                }
                state.healthy = false;
                state.failed += 1;
                state.error = Some(reason.clone());
            }
        });
    }

    async fn attempt(&mut self, status: &Status) -> Verdict {
        let due = Instant::now() + self.times.one_try;
        let Ok(key) = timeout_at(due, read_key(self.key_file.clone())).await else {
            return Verdict::Again("the disk with its key does not move".into());
        };
        let request = match key.and_then(|key| self.request(status, key.as_ref())) {
            Ok(request) => request,
            Err(error) => return Verdict::Refused(format!("{error:#}")),
        };
        let compressed = self.compressed;
        let posted = post::post(&self.address, self.tls.as_ref(), &request);
        let answer = match timeout_at(due, posted).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Verdict::Again(format!("{error:#}")),
            Err(_) => {
                let seconds = self.times.one_try.as_secs();
                return Verdict::Again(format!("no answer within {seconds} s"));
            }
        };
        if self.compression == Compression::Auto {
            self.compressed = answer.takes_zstd && answer.status != 415;
            if compressed && answer.status == 415 {
                return Verdict::Again("it takes no zstd after all".into());
            }
        }
        verdict::of(&answer)
    }

    /// What is sent: the heartbeat of this moment.
    fn request(&mut self, status: &Status, key: Option<&Secret>) -> anyhow::Result<Vec<u8>> {
        self.n += 1;
        let body = push::Push {
            hostname: status.hostname().to_owned(),
            host_type: self.host.host_type.clone(),
            os_version: self.host.os_version.clone(),
            agent_version: VERSION.to_owned(),
            interval: u32::try_from(self.interval.as_secs()).unwrap_or(u32::MAX),
            heartbeat: status.heartbeat(self.n),
        };
        let mut body = serde_json::to_vec(&body)?;
        if self.compressed {
            body = zstd::bulk::compress(&body, LEVEL)?;
        }
        post::request(&self.address, key, &body, self.compressed)
    }
}

/// Reads the key where a disk may be waited for: heartbeats and the other back-ends go on.
async fn read_key(file: Option<PathBuf>) -> anyhow::Result<Option<Secret>> {
    let Some(file) = file else { return Ok(None) };
    Ok(Some(spawn_blocking(move || Secret::read(&file)).await??))
}

#[cfg(test)]
mod tests;
