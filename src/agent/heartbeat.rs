//! Signs of life, on a task of their own. It reads cells and fills one place in a queue; it waits for nothing else.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::agent::identity::Identity;
use crate::agent::metrics::Sample;
use crate::agent::runs::Current;
use crate::wire::to_dashboard::{Heartbeat, ToDashboard};

/// What heartbeats are made of.
#[derive(Debug, Clone)]
pub struct Cells {
    /// Metrics and generation.
    pub sample: watch::Receiver<Sample>,
    /// The run that goes on.
    pub current: watch::Receiver<Option<Current>>,
    /// Reported where the system does not say its own.
    pub nixpkgs_version: String,
}

impl Cells {
    /// Reads no cell yet.
    pub fn new(
        identity: &Identity,
        sample: watch::Receiver<Sample>,
        current: watch::Receiver<Option<Current>>,
    ) -> Self {
        Self {
            sample,
            current,
            nixpkgs_version: identity.labels.nixpkgs_version.clone(),
        }
    }

    /// The heartbeat of this moment.
    pub fn heartbeat(&self, n: u64) -> Heartbeat {
        let sample = self.sample.borrow();
        let current = self.current.borrow();
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
        }
    }
}

/// Sends a heartbeat at once and then one every `interval`, numbered from 1, until the queue's other end is gone.
///
/// When the queue is full the socket has not moved for a while: the beat is skipped, because a late one says nothing.
pub async fn beat(cells: Cells, interval: Duration, queue: mpsc::Sender<ToDashboard>) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut n = 0;
    loop {
        ticks.tick().await;
        n += 1;
        match queue.try_send(ToDashboard::Heartbeat(Box::new(cells.heartbeat(n)))) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("heartbeat {n} skipped: the connection does not move");
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells() -> (Cells, watch::Sender<Option<Current>>) {
        let (_, sample) = watch::channel(Sample::take(&[], std::path::Path::new("/nowhere")));
        let (current, receiver) = watch::channel(None);
        (
            Cells {
                sample,
                current: receiver,
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
        tasks.spawn(beat(cells, Duration::from_secs(1), queue));
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
