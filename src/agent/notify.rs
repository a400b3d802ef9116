//! What systemd is told: that the agent is up, how its connection is, and that its heart beats (`sd_notify(3)`).

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::agent::health::Health;

/// Variables that a service manager hands to its service and to nobody else.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];
/// The longest status, in characters.
const MAX_STATUS: usize = 200;

/// The way to the service manager.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
    /// Between two signs of life that it wants to see.
    watchdog: Option<Duration>,
}

impl Notify {
    /// Where the process's environment says; none without a service manager that wants to know.
    pub fn of_process() -> Option<Self> {
        let notify = Self::from(|name| std::env::var_os(name), std::process::id());
        notify.unwrap_or_else(|error| {
            tracing::warn!("NOTIFY_SOCKET cannot be used: {error}");
            None
        })
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>, pid: u32) -> io::Result<Option<Self>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
        let own = number("WATCHDOG_PID").is_none_or(|own| own == u64::from(pid));
        let microseconds = number("WATCHDOG_USEC").filter(|microseconds| own && *microseconds > 0);
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read shall not hold the agent up.
        socket.set_nonblocking(true)?;
        Ok(Some(Self {
            socket,
            manager: address(&name)?,
            watchdog: microseconds.map(|microseconds| Duration::from_micros(microseconds / 2)),
        }))
    }

    fn say(&self, text: &str) {
        if let Err(error) = self.socket.send_to_addr(text.as_bytes(), &self.manager) {
            tracing::debug!("the service manager was not told {text:?}: {error}");
        }
    }
}

#[cfg(target_os = "linux")]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    match name.as_bytes() {
        [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(name)
}

/// How the connection is, in a line.
fn status(health: &Health) -> String {
    let text = match (&health.error, health.connected) {
        (_, true) => "connected to the dashboard".to_owned(),
        (Some(error), false) => format!("not connected: {error}"),
        (None, false) => "not connected yet".to_owned(),
    };
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MAX_STATUS).collect()
}

/// Says that the agent is ready, then how its connection is, and as long as its heart beats that it lives; until `stop`.
/// `limit` is how long the host may be silent before it counts as offline.
pub async fn watch(
    notify: Notify,
    mut health: watch::Receiver<Health>,
    limit: Duration,
    stop: CancellationToken,
) {
    let mut last = status(&health.borrow_and_update());
    notify.say(&format!("READY=1\nSTATUS={last}"));
    // Without a watchdog the ticks are of no use, and rare.
    let pace = notify.watchdog.unwrap_or(Duration::from_secs(3600));
    let mut ticks = tokio::time::interval(pace.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                notify.say("STOPPING=1\nSTATUS=stopping");
                return;
            }
            changed = health.changed() => {
                if changed.is_err() {
                    stop.cancelled().await;
                    continue;
                }
                let now = status(&health.borrow_and_update());
                if now != last {
                    notify.say(&format!("STATUS={now}"));
                    last = now;
                }
            }
            _ = ticks.tick() => {
                if health.borrow().beats(limit) {
                    if notify.watchdog.is_some() {
                        notify.say("WATCHDOG=1");
                    }
                } else {
                    tracing::error!("heartbeats have stopped; the service manager may start the agent again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
