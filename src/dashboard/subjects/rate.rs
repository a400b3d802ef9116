//! How much each publisher may send: a bucket of messages and one of bytes, which fill up with time.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::wire::{MESSAGE_BYTES_PER_SECOND, MESSAGES_PER_SECOND};

/// How many seconds' worth a bucket holds.
const BURST: f64 = 2.0;
/// Beyond so many publishers, those that could send at their full rate again are forgotten: a new bucket is full, too.
const MAX_REMEMBERED: usize = 4096;

#[derive(Debug)]
struct Bucket {
    messages: f64,
    bytes: f64,
    at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self {
            messages: f64::from(MESSAGES_PER_SECOND) * BURST,
            bytes: f64::from(MESSAGE_BYTES_PER_SECOND) * BURST,
            at: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.duration_since(self.at).as_secs_f64();
        let full = Self::full(now);
        let grown = |left: f64, rate: u32, most: f64| (left + seconds * f64::from(rate)).min(most);
        self.messages = grown(self.messages, MESSAGES_PER_SECOND, full.messages);
        self.bytes = grown(self.bytes, MESSAGE_BYTES_PER_SECOND, full.bytes);
        self.at = now;
    }
}

/// The buckets, by the publisher's name.
#[derive(Debug, Default)]
pub struct Rates(HashMap<Box<str>, Bucket>);

impl Rates {
    /// Takes one message of that size out of the publisher's bucket.
    ///
    /// # Errors
    /// What there was too much of; nothing is taken then.
    pub fn take(&mut self, name: &str, n_bytes: usize, now: Instant) -> Result<(), &'static str> {
        if !self.0.contains_key(name) {
            if self.0.len() >= MAX_REMEMBERED {
                self.0.retain(|_, bucket| {
                    bucket.fill(now);
                    bucket.messages < f64::from(MESSAGES_PER_SECOND) * BURST
                });
            }
            self.0.insert(name.into(), Bucket::full(now));
        }
        let Some(bucket) = self.0.get_mut(name) else {
            return Ok(());
        };
        bucket.fill(now);
        if bucket.messages < 1.0 {
            return Err("more than 100 messages a second");
        }
        if bucket.bytes < n_bytes as f64 {
            return Err("more than 1 MiB of messages a second");
        }
        bucket.messages -= 1.0;
        bucket.bytes -= n_bytes as f64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_then_the_rate_and_each_publisher_for_itself() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let mut burst = 0;
        while rates.take("web1", 10, now).is_ok() {
            burst += 1;
        }
        assert_eq!(burst, 2 * MESSAGES_PER_SECOND);
        assert!(rates.take("web2", 10, now).is_ok());
        let later = now + Duration::from_millis(100);
        for _ in 0..MESSAGES_PER_SECOND / 10 {
            rates.take("web1", 10, later).unwrap();
        }
        let refused = rates.take("web1", 10, later).unwrap_err();
        assert_eq!(
            refused,
            format!("more than {MESSAGES_PER_SECOND} messages a second")
        );
    }

    #[test]
    fn bytes_are_counted_too() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for _ in 0..32 {
            rates.take("web1", 64 * 1024, now).unwrap();
        }
        let refused = rates.take("web1", 64 * 1024, now).unwrap_err();
        assert!(refused.contains("1 MiB"), "{refused}");
        assert_eq!(MESSAGE_BYTES_PER_SECOND, 1024 * 1024);
        assert!(rates.take("web1", 1, now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn who_has_been_quiet_is_forgotten() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for n in 0..MAX_REMEMBERED {
            rates.take(&n.to_string(), 1, now).unwrap();
        }
        rates
            .take("one more", 1, now + Duration::from_secs(9))
            .unwrap();
        assert_eq!(rates.0.len(), 1);
    }
}
