//! How the connection to the dashboard is: the cell that the uplink writes, and what it says to whoever asks.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::{self, Millis};

/// The cell's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The dashboard has answered `register` on the connection that stands.
    pub connected: bool,
    /// When it did.
    pub registered: Option<Instant>,
    /// When a heartbeat was acknowledged last, on whichever connection.
    pub last_ack: Option<Instant>,
    /// The same by the wall clock.
    pub last_ack_at: Option<Millis>,
    /// Failed attempts since the last connection.
    pub attempts: u32,
    /// Why there is no connection.
    pub error: Option<String>,
}

/// How the connection is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionHealth {
    /// There is a connection, and the dashboard has taken this agent in.
    pub connected: bool,
    /// Connected, and the dashboard acknowledges heartbeats in time: the last acknowledgement, or the connection itself,
    /// is no older than the time after which the dashboard would take the host for offline.
    pub healthy: bool,
    /// When a heartbeat was acknowledged last, in milliseconds since the epoch.
    pub last_ack: Option<Millis>,
    /// How long ago that was, by a clock that nobody sets.
    pub since_ack: Option<Duration>,
    /// Failed attempts to connect since there was a connection.
    pub attempts: u32,
}

impl Health {
    /// The dashboard has taken the agent in.
    pub fn is_connected(&mut self) {
        self.connected = true;
        self.registered = Some(Instant::now());
        self.attempts = 0;
        self.error = None;
    }

    /// A heartbeat was acknowledged.
    pub fn is_acknowledged(&mut self) {
        self.last_ack = Some(Instant::now());
        self.last_ack_at = Some(clock::now());
    }

    /// What is to be said of it now. `limit` is how long a host may be silent before it counts as offline.
    pub fn now(&self, limit: Duration) -> ConnectionHealth {
        let now = Instant::now();
        let newest = self.last_ack.max(self.registered);
        ConnectionHealth {
            connected: self.connected,
            healthy: self.connected && newest.is_some_and(|at| now.duration_since(at) <= limit),
            last_ack: self.last_ack_at,
            since_ack: self.last_ack.map(|at| now.duration_since(at)),
            attempts: self.attempts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(90);

    #[tokio::test(start_paused = true)]
    async fn healthy_is_connected_and_acknowledged_in_time() {
        let mut health = Health::default();
        let seen = |health: &Health| {
            let now = health.now(LIMIT);
            (
                now.connected,
                now.healthy,
                now.since_ack.map(|since| since.as_secs()),
            )
        };
        assert_eq!(seen(&health), (false, false, None));
        health.is_connected();
        assert_eq!(seen(&health), (true, true, None));
        tokio::time::advance(Duration::from_secs(80)).await;
        health.is_acknowledged();
        assert!(health.now(LIMIT).last_ack.is_some());
        tokio::time::advance(LIMIT).await;
        assert_eq!(seen(&health), (true, true, Some(90)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(seen(&health), (true, false, Some(90)));
        health.connected = false;
        health.attempts = 3;
        assert_eq!(health.now(LIMIT).attempts, 3);
        health.is_connected();
        assert_eq!((health.now(LIMIT).attempts, seen(&health).1), (0, true));
    }
}
