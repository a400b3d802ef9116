//! How the connection to the dashboard is, for whoever asks: the local API, systemd, a person.

use std::time::Duration;

use tokio::time::Instant;

/// A connection without an acknowledgement for so many intervals is not healthy.
const INTERVALS: u32 = 3;
/// What an acknowledgement may take on top of that, however short the interval is.
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
    /// Whether the dashboard has acknowledged a heartbeat within three intervals, or has had no time to do so yet.
    pub fn is_healthy(&self, interval: Duration) -> bool {
        let patience = interval * INTERVALS + ROUND_TRIP;
        let recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() <= patience);
        self.connected && (!self.acknowledges || recent(self.last_ack) || recent(self.since))
    }

    /// Whether heartbeats have their turn as they should. Without a connection there are none, and nothing is wrong here.
    pub fn beats(&self, interval: Duration) -> bool {
        let patience = interval * INTERVALS + ROUND_TRIP;
        let newest = self.last_beat.max(self.since);
        !self.connected || newest.is_none_or(|at| at.elapsed() <= patience)
    }

    /// How long ago a heartbeat was acknowledged.
    pub fn since_ack(&self) -> Option<Duration> {
        self.last_ack.map(|at| at.elapsed())
    }

    /// The dashboard has answered `register`.
    pub(super) fn registered(&mut self, acknowledges: bool) {
        self.connected = true;
        self.since = Some(Instant::now());
        self.acknowledges = acknowledges;
        self.attempts = 0;
        self.error = None;
    }

    /// The connection is gone.
    pub(super) fn gone(&mut self) {
        self.connected = false;
        self.since = None;
    }

    /// A heartbeat is due; `sent` says whether the connection took it.
    pub fn beat(&mut self, sent: bool) {
        self.last_beat = Some(Instant::now());
        self.sent += u64::from(sent);
    }

    /// A heartbeat was acknowledged.
    pub(super) fn acknowledged(&mut self) {
        self.last_ack = Some(Instant::now());
        self.acknowledged += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn healthy_is_connected_and_lately_acknowledged() {
        let mut health = Health::default();
        assert!(!health.is_healthy(INTERVAL), "never connected");
        health.registered(true);
        assert!(health.is_healthy(INTERVAL), "just connected");
        tokio::time::advance(Duration::from_secs(35)).await;
        assert!(health.is_healthy(INTERVAL));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!health.is_healthy(INTERVAL), "never acknowledged");
        health.acknowledged();
        assert!(health.is_healthy(INTERVAL));
        tokio::time::advance(Duration::from_secs(36)).await;
        assert!(!health.is_healthy(INTERVAL), "no longer acknowledged");
        assert_eq!(health.since_ack(), Some(Duration::from_secs(36)));
        health.acknowledged();
        health.gone();
        assert!(!health.is_healthy(INTERVAL), "connection lost");
        health.registered(false);
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(
            health.is_healthy(INTERVAL),
            "this dashboard acknowledges nothing"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn beats_are_missed_only_while_connected() {
        let mut health = Health::default();
        assert!(health.beats(INTERVAL));
        health.registered(true);
        health.beat(true);
        tokio::time::advance(Duration::from_secs(35)).await;
        assert!(health.beats(INTERVAL));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!health.beats(INTERVAL));
        health.beat(false);
        assert!(
            health.beats(INTERVAL),
            "a connection that does not move is not the task's fault"
        );
        assert_eq!(health.sent, 1);
        tokio::time::advance(Duration::from_secs(100)).await;
        health.gone();
        assert!(health.beats(INTERVAL), "an outage is no fault of the agent");
        health.registered(true);
        assert!(health.beats(INTERVAL), "a new connection has had no time");
    }
}
