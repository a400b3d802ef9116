//! Delays between attempts: exponential, with full jitter, so that a fleet does not come back in one wave.

use std::time::Duration;

/// The longest pause of an agent while no dashboard is reached: there is nobody to be overrun, and a fleet shall be back in
/// 20 seconds, however long the dashboard was away.
pub const AWAY: Duration = Duration::from_secs(12);

/// Exponential backoff with full jitter.
///
/// The `n`-th delay is drawn evenly from zero to `min(first * 2^n, cap)`; a floor of a tenth of that span keeps a lucky
/// draw from hammering a server that is down.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    attempts: u32,
}

impl Backoff {
    /// Starts at `first`, never waits longer than `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            attempts: 0,
        }
    }

    /// Failed attempts since the last [`reset`](Self::reset).
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The longest the next delay can be.
    pub fn span(&self) -> Duration {
        self.first
            .saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX))
            .min(self.cap)
    }

    /// Counts one failed attempt and answers how long to wait; `random` is in `0.0..1.0`.
    pub fn next(&mut self, random: f64) -> Duration {
        self.next_within(self.cap, random)
    }

    /// The same for one attempt whose delay may be no longer than `most`.
    pub fn next_within(&mut self, most: Duration, random: f64) -> Duration {
        let span = self.span().min(most);
        self.attempts = self.attempts.saturating_add(1);
        span.mul_f64(random.clamp(0.1, 1.0))
    }

    /// To be called after a connection that worked.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap_and_starts_again_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let seconds: Vec<u64> = (0..8).map(|_| backoff.next(1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        for _ in 0..100 {
            assert_eq!(backoff.next(1.0), Duration::from_secs(60));
        }
        backoff.reset();
        assert_eq!(backoff.next(1.0), Duration::from_secs(1));
    }

    #[test]
    fn one_delay_may_be_held_shorter_and_counts_all_the_same() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let most = Duration::from_secs(12);
        let seconds: Vec<u64> = (0..6)
            .map(|_| backoff.next_within(most, 1.0).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 8, 12, 12]);
        assert_eq!(backoff.next(1.0), Duration::from_secs(60));
    }

    #[test]
    fn jitter_stays_between_a_tenth_and_the_whole_span() {
        let mut backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60));
        assert_eq!(backoff.next(0.0), Duration::from_secs(1));
        assert_eq!(backoff.next(0.5), Duration::from_secs(10));
    }
}
