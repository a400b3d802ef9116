//! Signs of life, on a task of their own. It reads cells and fills one place in a queue; it waits for nothing else.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::agent::health::Health;
use crate::agent::identity::Identity;
use crate::agent::metrics::Sample;
use crate::agent::runs::Current;
use crate::agent::statement::Statement;
use crate::base::clock;
use crate::wire::to_dashboard::{Heartbeat, ToDashboard};

/// What heartbeats are made of.
#[derive(Debug, Clone)]
pub struct Cells {
    /// Metrics, resources and generation.
    pub sample: watch::Receiver<Sample>,
    /// The run that goes on.
    pub current: watch::Receiver<Option<Current>>,
    /// What the program says of itself.
    pub statement: watch::Receiver<Statement>,
    /// Reported where the system does not say its own.
    pub nixpkgs_version: String,
}

impl Cells {
    /// Reads no cell yet.
    pub fn new(
        identity: &Identity,
        sample: watch::Receiver<Sample>,
        current: watch::Receiver<Option<Current>>,
        statement: watch::Receiver<Statement>,
    ) -> Self {
        Self {
            sample,
            current,
            statement,
            nixpkgs_version: identity.labels.nixpkgs_version.clone(),
        }
    }

    /// The heartbeat of this moment.
    pub fn heartbeat(&self, n: u64) -> Heartbeat {
        let sample = self.sample.borrow();
        let current = self.current.borrow();
        let statement = self.statement.borrow();
        let current = current.as_ref();
        let mut nixpkgs_version = sample.generation.nixpkgs_version.clone();
        if nixpkgs_version.is_empty() {
            nixpkgs_version.clone_from(&self.nixpkgs_version);
        }
        Heartbeat {
            n,
            generation: sample.generation.generation.clone(),
            nixpkgs_version,
            pending_command: current.map(|current| current.activity.command.to_string()),
            command_pid: current.and_then(|current| current.pid),
            metrics: sample.metrics(),
            activity: current.map(|current| current.activity.clone()),
            at: Some(clock::now()),
            status_text: statement.status_text.clone(),
            custom_metrics: statement.metrics.clone(),
            resources: sample.resources(),
            agent: sample.usage(),
        }
    }
}

/// Sends a heartbeat at once and then one every `interval`, numbered from 1, until the queue's other end is gone.
///
/// When the queue is full the socket has not moved for a while: the beat is skipped, because a late one says nothing.
/// Each one leaves its trace in `health`, and wakes nobody who waits for a change there.
pub async fn beat(
    cells: Cells,
    interval: Duration,
    queue: mpsc::Sender<ToDashboard>,
    health: watch::Sender<Health>,
) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut n = 0;
    loop {
        ticks.tick().await;
        n += 1;
        if !send(&cells, n, &queue, &health) {
            return;
        }
    }
}

/// Sends the only heartbeat of `--once`.
pub fn beat_once(cells: &Cells, queue: &mpsc::Sender<ToDashboard>, health: &watch::Sender<Health>) {
    send(cells, 1, queue, health);
}

/// Sends heartbeat `n`; answers whether anybody still takes them.
fn send(
    cells: &Cells,
    n: u64,
    queue: &mpsc::Sender<ToDashboard>,
    health: &watch::Sender<Health>,
) -> bool {
    let sent = match queue.try_send(ToDashboard::Heartbeat(Box::new(cells.heartbeat(n)))) {
        Ok(()) => true,
        Err(mpsc::error::TrySendError::Full(_)) => {
            tracing::warn!("heartbeat {n} skipped: the connection does not move");
            false
        }
        Err(mpsc::error::TrySendError::Closed(_)) => return false,
    };
    health.send_if_modified(|health| {
        health.beat(sent);
        false
    });
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::resources::Reader;

    fn cells() -> (Cells, watch::Sender<Option<Current>>) {
        let (_, sample) = watch::channel(Sample::take(
            &[],
            std::path::Path::new("/nowhere"),
            Reader::off(),
        ));
        let (current, receiver) = watch::channel(None);
        (
            Cells {
                sample,
                current: receiver,
                statement: watch::channel(Statement::default()).1,
                nixpkgs_version: "24.11".into(),
            },
            current,
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_at_once_then_one_every_interval_and_a_full_queue_delays_none() {
        let (queue, mut received) = mpsc::channel(2);
        let (cells, _current) = cells();
        let mut tasks = tokio::task::JoinSet::new();
        let health = watch::channel(Health::default()).0;
        tasks.spawn(beat(cells, Duration::from_secs(1), queue, health.clone()));
        let started = tokio::time::Instant::now();
        let mut numbers = Vec::new();
        let mut take = |message: Option<ToDashboard>| match message {
            Some(ToDashboard::Heartbeat(beat)) => numbers.push(beat.n),
            other => panic!("{other:?}"),
        };
        take(received.recv().await);
        assert_eq!(started.elapsed(), Duration::ZERO);
        take(received.recv().await);
        assert_eq!(started.elapsed(), Duration::from_secs(1));
        // Nobody reads for 9.5 s: two beats wait, seven are skipped.
        tokio::time::sleep(Duration::from_millis(9500)).await;
        take(received.recv().await);
        take(received.recv().await);
        take(received.recv().await);
        assert_eq!(numbers, [1, 2, 3, 4, 12]);
        assert_eq!(health.borrow().sent, 5, "skipped ones are not sent");
    }

    /// When the first beats come, at that interval.
    async fn times(interval: Duration) -> Vec<u64> {
        let (queue, mut received) = mpsc::channel(2);
        let (cells, _current) = cells();
        let mut tasks = tokio::task::JoinSet::new();
        let health = watch::channel(Health::default()).0;
        tasks.spawn(beat(cells, interval, queue, health));
        let started = tokio::time::Instant::now();
        let mut times = Vec::new();
        while times.len() < 4 {
            received.recv().await.unwrap();
            times.push(started.elapsed().as_secs());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeat_sent_every_config_interval() {
        for seconds in [30, 60, 90] {
            let times = times(Duration::from_secs(seconds)).await;
            assert_eq!(times, [0, seconds, 2 * seconds, 3 * seconds]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn config_driven_interval_respected() {
        use crate::agent::{config, environment::Environment};
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        for (key, seconds) in [("", 30), ("interval = 1", 1), ("interval = 45", 45)] {
            let text = format!("url = \"ws://a\"\ntoken_file = \"/t\"\n{key}\n");
            std::fs::write(&file, text).unwrap();
            let config = config::load(Some(&file), Environment::default()).unwrap();
            let times = times(config.interval).await;
            assert_eq!(times, [0, seconds, 2 * seconds, 3 * seconds], "{key}");
        }
    }

    #[tokio::test]
    async fn a_heartbeat_reads_what_is_in_the_cells() {
        let (cells, current) = cells();
        let heartbeat = cells.heartbeat(3);
        assert_eq!(
            (heartbeat.n, heartbeat.pending_command.as_deref()),
            (3, None)
        );
        assert_eq!(
            (heartbeat.nixpkgs_version.as_str(), heartbeat.metrics),
            ("24.11", None)
        );
        current.send_replace(Some(Current::for_test("switch", 42)));
        let heartbeat = cells.heartbeat(4);
        assert_eq!(
            (heartbeat.pending_command.as_deref(), heartbeat.command_pid),
            (Some("switch"), Some(42))
        );
    }
}
