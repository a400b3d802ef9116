//! How often a host may push: a short burst, then so many a second.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::run::id::HostName;

/// Pushes that may come at once: several programs of a host, and their second tries.
pub const BURST: u32 = 20;
/// Between pushes for long: twice as many as a heartbeat a second.
pub const EVERY: Duration = Duration::from_millis(500);

/// When each host's pushes would be used up again, had it waited. Only hosts with a key are here, so it is as small as the
/// fleet; those that have waited long enough are forgotten.
#[derive(Debug, Default)]
pub struct PushRate(HashMap<HostName, Instant>);

impl PushRate {
    /// Counts a push; or answers how many seconds to wait.
    ///
    /// # Errors
    /// There were too many.
    pub fn take(&mut self, host: &HostName) -> Result<(), u64> {
        let now = Instant::now();
        let full = EVERY * BURST;
        if !self.0.contains_key(host) {
            self.0.retain(|_, at| *at > now);
            self.0.insert(host.clone(), now);
        }
        let Some(at) = self.0.get_mut(host) else {
            return Ok(());
        };
        let next = (*at).max(now) + EVERY;
        let ahead = next.duration_since(now);
        if ahead > full {
            return Err(ahead.saturating_sub(full).as_secs() + 1);
        }
        *at = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_and_then_two_a_second_for_each_host() {
        let mut rate = PushRate::default();
        let (one, other) = ("web1".parse().unwrap(), "web2".parse().unwrap());
        for n in 0..BURST {
            assert_eq!(rate.take(&one), Ok(()), "{n}");
        }
        assert_eq!(rate.take(&one), Err(1));
        assert_eq!(rate.take(&other), Ok(()));
        for _ in 0..10 {
            tokio::time::advance(EVERY).await;
            assert_eq!(rate.take(&one), Ok(()));
            assert_eq!(rate.take(&one), Err(1));
        }
        // A heartbeat a second never waits.
        let steady = "web3".parse().unwrap();
        for _ in 0..100 {
            assert_eq!(rate.take(&steady), Ok(()));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        tokio::time::advance(EVERY * BURST).await;
        assert_eq!(rate.take(&other), Ok(()));
        assert_eq!(rate.0.len(), 1, "those that have waited are forgotten");
    }
}
