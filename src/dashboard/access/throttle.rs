//! Failed logins per address: five a minute, then wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Failures that one address may have in [`WINDOW`].
pub const MAX_FAILURES: usize = 5;
/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered. When more come within a minute, the one whose last failure is oldest is forgotten.
pub const MAX_ADDRESSES: usize = 4096;

/// The table of failures.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: HashMap<IpAddr, Vec<Instant>>,
}

impl Throttle {
    /// Counts a try as failed before its password is looked at, so that many at once do not slip through; or answers how
    /// many seconds to wait. A login that turns out right is taken back by [`succeeded`](Self::succeeded).
    pub fn attempt(&mut self, address: IpAddr) -> Result<(), u64> {
        let now = Instant::now();
        if !self.failures.contains_key(&address) && self.failures.len() >= MAX_ADDRESSES {
            self.make_room(now);
        }
        let times = self.failures.entry(address).or_default();
        times.retain(|at| now.duration_since(*at) < WINDOW);
        match times.first() {
            Some(first) if times.len() >= MAX_FAILURES => {
                let left = WINDOW.saturating_sub(now.duration_since(*first));
                Err(left.as_secs() + 1)
            }
            _ => {
                times.push(now);
                Ok(())
            }
        }
    }

    /// Takes back the newest try of an address that has logged in.
    pub fn succeeded(&mut self, address: IpAddr) {
        if let Some(times) = self.failures.get_mut(&address) {
            times.pop();
            if times.is_empty() {
                self.failures.remove(&address);
            }
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.failures.retain(|_, times| {
            times
                .last()
                .is_some_and(|at| now.duration_since(*at) < WINDOW)
        });
        if self.failures.len() >= MAX_ADDRESSES {
            let oldest = self
                .failures
                .iter()
                .min_by_key(|(_, times)| times.last().copied())
                .map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.failures.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[tokio::test(start_paused = true)]
    async fn five_failures_then_wait_a_minute() {
        let mut throttle = Throttle::default();
        let (one, other) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([2, 2, 2, 2]));
        for _ in 0..MAX_FAILURES {
            throttle.attempt(one).unwrap();
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        assert_eq!(throttle.attempt(one), Err(51));
        throttle.attempt(other).unwrap();
        tokio::time::advance(Duration::from_secs(51)).await;
        throttle.attempt(one).unwrap();
        assert!(throttle.attempt(one).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn logins_that_succeed_do_not_count() {
        let mut throttle = Throttle::default();
        let one = IpAddr::from([1, 1, 1, 1]);
        for _ in 0..50 {
            throttle.attempt(one).unwrap();
            throttle.succeeded(one);
        }
        assert!(throttle.failures.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_is_bounded() {
        let mut throttle = Throttle::default();
        for number in 0..MAX_ADDRESSES as u32 + 10 {
            throttle.attempt(Ipv4Addr::from(number).into()).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(throttle.failures.len(), MAX_ADDRESSES);
        assert!(!throttle.failures.contains_key(&IpAddr::from([0, 0, 0, 0])));
    }
}
