//! How many journal bytes may be on their way: enough to fill the link, too few to keep heartbeats waiting.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::run::id::{RunId, Seq};
use crate::wire::MAX_IN_FLIGHT;

/// The limit on a new connection.
const FIRST: usize = 256 * 1024;
/// The limit never falls below this.
const LEAST: usize = 16 * 1024;
/// An acknowledgement that takes longer says that the link, or the dashboard, is slow.
const SLOW: Duration = Duration::from_millis(500);

/// Bytes on their way, and how many there may be.
///
/// The limit grows by what is acknowledged in time and is halved by what is not, at most once for what was on its way
/// together.
#[derive(Debug)]
pub struct Window {
    limit: usize,
    in_flight: usize,
    sent: VecDeque<Sent>,
    /// Batches sent before this moment have already cost half the limit.
    punished_until: Option<Instant>,
}

#[derive(Debug)]
struct Sent {
    run: RunId,
    last_seq: Seq,
    bytes: usize,
    at: Instant,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            limit: FIRST,
            in_flight: 0,
            sent: VecDeque::new(),
            punished_until: None,
        }
    }
}

impl Window {
    /// How many bytes may be sent now.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.in_flight)
    }

    /// Bytes that wait for their acknowledgement.
    #[cfg(test)]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Notes a batch. A single record larger than the whole limit may go when nothing else is on its way.
    pub fn sent(&mut self, run: RunId, last_seq: Seq, bytes: usize) {
        self.in_flight += bytes;
        self.sent.push_back(Sent {
            run,
            last_seq,
            bytes,
            at: Instant::now(),
        });
    }

    /// All records of `run` up to `seq` are committed.
    pub fn acknowledged(&mut self, run: RunId, seq: Seq) {
        let now = Instant::now();
        let (mut bytes, mut slow, mut news) = (0, false, false);
        let punished_until = self.punished_until;
        self.sent.retain(|batch| {
            let done = batch.run == run && batch.last_seq <= seq;
            if done {
                bytes += batch.bytes;
                slow |= now - batch.at > SLOW;
                news |= punished_until.is_none_or(|until| batch.at >= until);
            }
            !done
        });
        self.in_flight -= bytes;
        if !slow {
            self.limit = (self.limit + bytes).min(MAX_IN_FLIGHT);
        } else if news {
            self.limit = (self.limit / 2).max(LEAST);
            self.punished_until = Some(now);
        }
    }

    /// What was sent of `run` is to be sent again.
    pub fn forget(&mut self, run: RunId) {
        self.sent.retain(|batch| {
            if batch.run == run {
                self.in_flight -= batch.bytes;
            }
            batch.run != run
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn grows_while_acknowledgements_come_in_time_and_never_beyond_the_limit() {
        let (run, mut window) = (RunId::new(), Window::default());
        for seq in 1..100 {
            let bytes = window.room();
            window.sent(run, Seq(seq), bytes);
            assert_eq!(window.room(), 0);
            assert!(window.in_flight() <= MAX_IN_FLIGHT);
            tokio::time::advance(Duration::from_millis(20)).await;
            window.acknowledged(run, Seq(seq));
        }
        assert_eq!(window.room(), MAX_IN_FLIGHT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_shrinks_it_to_the_least_but_one_round_halves_it_once() {
        let (run, mut window) = (RunId::new(), Window::default());
        for seq in 1..=4 {
            window.sent(run, Seq(seq), FIRST / 4);
        }
        for seq in 1..=4 {
            tokio::time::advance(Duration::from_secs(1)).await;
            window.acknowledged(run, Seq(seq));
        }
        assert!(window.room() >= FIRST / 2, "halved once: {}", window.room());
        for seq in 5..30 {
            window.sent(run, Seq(seq), window.room());
            tokio::time::advance(Duration::from_secs(1)).await;
            window.acknowledged(run, Seq(seq));
        }
        assert_eq!(window.room(), LEAST);
    }

    #[tokio::test(start_paused = true)]
    async fn acknowledgements_are_cumulative_and_per_run() {
        let (a, b, mut window) = (RunId::new(), RunId::new(), Window::default());
        window.sent(a, Seq(3), 100);
        window.sent(a, Seq(9), 100);
        window.sent(b, Seq(2), 50);
        window.acknowledged(a, Seq(8));
        assert_eq!(window.in_flight(), 150);
        window.forget(a);
        assert_eq!(window.in_flight(), 50);
        window.acknowledged(b, Seq(2));
        assert_eq!(window.in_flight(), 0);
    }
}
