//! The agent's own HTTP API, for programs and people on its host: on a Unix socket in the state directory, always, and where
//! the configuration says.
//!
//! It reads cells and nothing else, so a question never waits, and never delays a heartbeat. Only `GET` and `HEAD` are
//! answered, and no request has a body.

mod exchange;
mod listen;
mod prometheus;
mod request;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use crate::agent::config::Listen;
use crate::agent::status::Status;
use crate::base::secret::Secret;

/// The socket in the state directory, for `nixfleet-agent status`.
pub const SOCKET: &str = "agent.sock";
/// Connections at once where the configuration says to listen. Who comes beyond them waits to be taken.
pub const MAX_CONNECTIONS: usize = 512;
/// Connections at once on the own socket: people and scripts of this host.
pub const MAX_OWN: usize = 32;
/// Between two looks at the cells, so that there are last values to tell when a collector fails.
const LOOK: Duration = Duration::from_secs(10);

/// Where to listen, and who may ask there.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where.
    pub listen: Listen,
    /// The mode of a Unix socket.
    pub mode: u32,
    /// The most connections at once.
    pub most: usize,
    /// What whoever asks must show.
    pub token: Option<Secret>,
}

impl Door {
    /// The socket in the state directory: the user's own.
    pub fn own(state_dir: &Path) -> Self {
        Self {
            listen: Listen::Unix(own_socket(state_dir)),
            mode: 0o600,
            most: MAX_OWN,
            token: None,
        }
    }

    /// Where the configuration says.
    pub fn configured(listen: Listen, token: Option<Secret>) -> Self {
        Self {
            listen,
            mode: 0o660,
            most: MAX_CONNECTIONS,
            token,
        }
    }

    /// Whether `authorization` opens it.
    fn opens(&self, authorization: Option<&str>) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let shown = authorization.and_then(|value| {
            let (scheme, shown) = value.split_once(' ')?;
            scheme
                .eq_ignore_ascii_case("bearer")
                .then_some(shown.trim())
        });
        shown.is_some_and(|shown| shown.as_bytes().ct_eq(token.expose().as_bytes()).into())
    }

    /// Whether a page that was loaded under the name `host` may be asking. Without a token, a name that leads here could be
    /// anybody's: a browser of this host would ask for a page of the network.
    fn is_own_name(&self, host: Option<&str>) -> bool {
        let (Listen::Tcp(_), None, Some(host)) = (&self.listen, &self.token, host) else {
            return true;
        };
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok()
    }
}

/// The socket in the state directory.
pub fn own_socket(state_dir: &Path) -> PathBuf {
    state_dir.join(SOCKET)
}

/// What all doors share.
#[derive(Debug)]
pub struct Api {
    /// What is told.
    pub status: Arc<Status>,
    requests: AtomicU64,
}

impl Api {
    /// Tells `status`.
    pub fn new(status: Arc<Status>) -> Self {
        Self {
            status,
            requests: AtomicU64::new(0),
        }
    }
}

/// Answers at `door` until `stop`. Where it cannot listen, it says so and tries again: heartbeats matter more.
pub async fn serve(api: Arc<Api>, door: Door, stop: CancellationToken) {
    let mut said = None;
    loop {
        match listen::bind(&door.listen, door.mode).await {
            Ok(listener) => {
                tracing::info!("the local API listens on {}", door.listen);
                listen::accept(&listener, api, Arc::new(door), &stop).await;
                return;
            }
            Err(error) => {
                let error = format!("the local API cannot listen on {}: {error}", door.listen);
                if said.as_ref() != Some(&error) {
                    tracing::warn!("{error}");
                    said = Some(error);
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(listen::AGAIN) => {}
        }
    }
}

/// Keeps the last values known, until `stop`.
pub async fn remember(api: Arc<Api>, stop: CancellationToken) {
    loop {
        api.status.newest();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK.max(api.status.interval())) => {}
        }
    }
}

#[cfg(test)]
mod tests;
