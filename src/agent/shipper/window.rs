//! How many journal bytes may be on their way: enough to fill the link, too few to keep heartbeats waiting.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::run::id::{RunId, Seq};
use crate::wire::{MAX_BATCH, MAX_IN_FLIGHT};

/// The limit on a new connection.
const FIRST: usize = 256 * 1024;
/// The limit never falls below this.
const LEAST: usize = 16 * 1024;
/// The first batch on a new connection, which shows how long an acknowledgement takes at least.
const FIRST_BATCH: usize = 16 * 1024;
/// An acknowledgement that takes so much longer than the quickest one waited behind too much that was on its way.
const SLOW: Duration = Duration::from_millis(500);

/// Bytes on their way, and how many there may be.
///
/// The limit grows by what is acknowledged in time and is halved by what is not, at most once for what was on its way
/// together. From then on it grows an eighth as fast, so that it stays near what the link takes: whatever overtakes output
/// still comes after what is on its way. What even a small batch takes, on a far link or with a dashboard whose disk is
/// slow, is not what a smaller window could spare, and does not count.
#[derive(Debug)]
pub struct Window {
    limit: usize,
    in_flight: usize,
    sent: VecDeque<Sent>,
    /// How long the quickest acknowledgement took.
    least: Option<Duration>,
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
            least: None,
            punished_until: None,
        }
    }
}

impl Window {
    /// How many bytes may be sent now.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.in_flight)
    }

    /// How many of them may go in the next batch.
    pub fn batch(&self) -> usize {
        let is_first = self.least.is_none() && self.in_flight == 0;
        let most = if is_first { FIRST_BATCH } else { MAX_BATCH };
        self.room().min(most)
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
        let done = |batch: &Sent| batch.run == run && batch.last_seq <= seq;
        // The newest one of them waited the least.
        let took = self.sent.iter().filter(|batch| done(batch));
        let took = took.map(|batch| now - batch.at).min();
        self.least = self.least.into_iter().chain(took).min();
        let too_long = SLOW + self.least.unwrap_or_default();
        self.sent.retain(|batch| {
            let done = done(batch);
            if done {
                bytes += batch.bytes;
                slow |= now - batch.at > too_long;
                news |= punished_until.is_none_or(|until| batch.at >= until);
            }
            !done
        });
        self.in_flight -= bytes;
        tracing::debug!(limit = self.limit, bytes, slow, "acknowledged");
        if !slow {
            let more = self.punished_until.map_or(bytes, |_| bytes / 8);
            self.limit = (self.limit + more).min(MAX_IN_FLIGHT);
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

    /// Fills the window again and again, for so many acknowledgements, and answers its limit. Each one comes after a fixed
    /// time and what all bytes before it take at a rate.
    async fn limit_after(acks: u64, fixed: Duration, bytes_per_second: usize) -> usize {
        let (run, mut window) = (RunId::new(), Window::default());
        let mut on_their_way = VecDeque::new();
        let (mut next, mut link_is_free) = (1, Instant::now());
        for _ in 0..acks {
            while window.batch() > 0 {
                let bytes = window.batch();
                window.sent(run, Seq(next), bytes);
                let took = Duration::from_secs_f64(bytes as f64 / bytes_per_second as f64);
                link_is_free = link_is_free.max(Instant::now()) + took;
                on_their_way.push_back((Seq(next), link_is_free + fixed));
                next += 1;
            }
            let (seq, at) = on_their_way.pop_front().unwrap();
            tokio::time::sleep_until(at).await;
            window.acknowledged(run, seq);
        }
        window.limit
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_shrinks_it_to_what_it_takes_in_half_a_second() {
        for kilobytes in [20, 50, 100, 200] {
            let limit = limit_after(500, Duration::from_millis(10), kilobytes * 1000).await;
            let half_a_second = kilobytes * 500;
            let fits = half_a_second / 3..half_a_second * 2 + LEAST;
            assert!(fits.contains(&limit), "{kilobytes} kB/s: {limit}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dashboard_whose_disk_is_slow_does_not_shrink_it() {
        for fixed in [100, 600, 3000] {
            let limit = limit_after(20, Duration::from_millis(fixed), 100_000_000).await;
            assert_eq!(limit, MAX_IN_FLIGHT, "{fixed} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_round_halves_it_once() {
        let (run, mut window) = (RunId::new(), Window::default());
        window.sent(run, Seq(1), window.batch());
        window.acknowledged(run, Seq(1));
        for seq in 2..=5 {
            window.sent(run, Seq(seq), FIRST / 4);
        }
        for seq in 2..=5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            window.acknowledged(run, Seq(seq));
        }
        assert_eq!(window.room(), usize::midpoint(FIRST, FIRST_BATCH));
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
