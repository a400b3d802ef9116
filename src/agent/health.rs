//! How the connection to the dashboard is: the cell that the uplink writes, and what it says to whoever asks: a program that
//! uses the library, the local API, systemd, a person.

use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock::{self, Millis};

/// What an acknowledgement may take on top of the time that a host may be silent, however short that is.
const ROUND_TRIP: Duration = Duration::from_secs(5);

/// How the connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The dashboard has answered `register` on the connection that stands.
    pub connected: bool,
    /// Since when, while connected.
    pub since: Option<Instant>,
    /// Whether this dashboard acknowledges heartbeats; those of the earlier NixFleet do not.
    pub acknowledges: bool,
    /// When the task that sends heartbeats last had its turn.
    pub last_beat: Option<Instant>,
    /// When a heartbeat was acknowledged last, on whichever connection.
    pub last_ack: Option<Instant>,
    /// The same by the wall clock.
    pub last_ack_at: Option<Millis>,
    /// Heartbeats sent since the agent started.
    pub sent: u64,
    /// Those that were acknowledged.
    pub acknowledged: u64,
    /// Failed attempts since the last connection.
    pub attempts: u32,
    /// Why there is no connection.
    pub error: Option<String>,
}

impl Health {
    /// Whether the dashboard has acknowledged a heartbeat in time, or has had no time to do so yet. `limit` is how long the
    /// host may be silent before it counts as offline.
    pub fn is_healthy(&self, limit: Duration) -> bool {
        let patience = limit + ROUND_TRIP;
        let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() <= patience);
        self.connected && (!self.acknowledges || recent(self.last_ack) || recent(self.since))
    }

    /// Whether heartbeats have their turn as they should. Without a connection there are none, and nothing is wrong here.
    pub fn beats(&self, limit: Duration) -> bool {
        let patience = limit + ROUND_TRIP;
        let newest = self.last_beat.max(self.since);
        !self.connected || newest.is_none_or(|at| at.elapsed() <= patience)
    }

    /// What is to be said of it now; `limit` as for [`is_healthy`](Self::is_healthy).
    pub fn now(&self, limit: Duration) -> ConnectionHealth {
        ConnectionHealth {
            connected: self.connected,
            healthy: self.is_healthy(limit),
            last_ack: self.last_ack_at,
            since_ack: self.since_ack(),
            attempts: self.attempts,
        }
    }

    /// How long ago a heartbeat was acknowledged.
    pub fn since_ack(&self) -> Option<Duration> {
        self.last_ack.map(|at| at.elapsed())
    }

    /// The dashboard has answered `register`.
    pub fn registered(&mut self, acknowledges: bool) {
        self.connected = true;
        self.since = Some(Instant::now());
        self.acknowledges = acknowledges;
        self.attempts = 0;
        self.error = None;
    }

    /// The connection is gone.
    pub fn gone(&mut self) {
        self.connected = false;
        self.since = None;
    }

    /// A heartbeat is due; `sent` says whether the connection took it.
    pub fn beat(&mut self, sent: bool) {
        self.last_beat = Some(Instant::now());
        self.sent += u64::from(sent);
    }

    /// A heartbeat was acknowledged.
    pub fn acknowledged(&mut self) {
        self.last_ack = Some(Instant::now());
        self.last_ack_at = Some(clock::now());
        self.acknowledged += 1;
    }
}

/// How the connection is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionHealth {
    /// There is a connection, and the dashboard has taken this agent in.
    pub connected: bool,
    /// Connected, and the dashboard acknowledges heartbeats in time: before it would take the host for offline.
    pub healthy: bool,
    /// When a heartbeat was acknowledged last, in milliseconds since the epoch.
    pub last_ack: Option<Millis>,
    /// How long ago that was, by a clock that nobody sets.
    pub since_ack: Option<Duration>,
    /// Failed attempts to connect since there was a connection.
    pub attempts: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn healthy_is_connected_and_lately_acknowledged() {
        let mut health = Health::default();
        assert!(!health.is_healthy(LIMIT), "never connected");
        health.registered(true);
        assert!(health.is_healthy(LIMIT), "just connected");
        tokio::time::advance(Duration::from_secs(35)).await;
        assert!(health.is_healthy(LIMIT));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!health.is_healthy(LIMIT), "never acknowledged");
        health.acknowledged();
        assert!(health.now(LIMIT).healthy && health.now(LIMIT).last_ack.is_some());
        tokio::time::advance(Duration::from_secs(36)).await;
        assert!(!health.is_healthy(LIMIT), "no longer acknowledged");
        assert_eq!(health.since_ack(), Some(Duration::from_secs(36)));
        health.acknowledged();
        health.gone();
        assert!(!health.is_healthy(LIMIT), "connection lost");
        health.registered(false);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(
            health.is_healthy(LIMIT),
            "this dashboard acknowledges nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beats_are_missed_only_while_connected() {
        let mut health = Health::default();
        assert!(health.beats(LIMIT));
        health.registered(true);
        health.beat(true);
        tokio::time::advance(Duration::from_secs(35)).await;
        assert!(health.beats(LIMIT));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!health.beats(LIMIT));
        health.beat(false);
        assert!(
            health.beats(LIMIT),
            "a connection that does not move is not the task's fault"
        );
        assert_eq!(health.sent, 1);
        tokio::time::advance(Duration::from_secs(100)).await;
        health.gone();
        assert!(health.beats(LIMIT), "an outage is no fault of the agent");
        health.registered(true);
        assert!(health.beats(LIMIT), "a new connection has had no time");
    }
}
