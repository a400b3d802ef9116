//! Watches a host's heartbeats from outside: how many, and the longest time between two.

use std::time::{Duration, Instant};

/// Heartbeats as seen through repeated looks at the host: the dashboard's count, and the age of the newest one.
#[derive(Debug, Default)]
pub struct Heartbeats {
    first_count: Option<u64>,
    last_count: u64,
    last_beat: Option<Instant>,
    longest_gap: Duration,
}

impl Heartbeats {
    /// One look at time `now`: heartbeats so far, and the age of the newest.
    pub fn look(&mut self, now: Instant, count: u64, age: Duration) {
        let first = *self.first_count.get_or_insert(count);
        let beat = now.checked_sub(age).unwrap_or(now);
        match self.last_beat {
            // A new count is a new heartbeat; otherwise the newest one only grows older.
            Some(last) if count > self.last_count => {
                let gap = beat.saturating_duration_since(last);
                // Two between two looks share the time.
                let beats = u32::try_from(count - self.last_count).unwrap_or(u32::MAX);
                self.longest_gap = self.longest_gap.max(gap / beats);
            }
            Some(_) if count > first || age > self.longest_gap => {
                self.longest_gap = self.longest_gap.max(age);
            }
            _ => {}
        }
        if count > self.last_count || self.last_beat.is_none() {
            self.last_beat = Some(beat);
        }
        self.last_count = self.last_count.max(count);
    }

    /// Heartbeats since the first look.
    pub fn count(&self) -> u64 {
        self.last_count - self.first_count.unwrap_or(self.last_count)
    }

    /// The longest time without one.
    pub fn longest_gap(&self) -> Duration {
        self.longest_gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_between_beats_and_a_silence_counts_while_it_lasts() {
        let start = Instant::now() + Duration::from_secs(60);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let age = Duration::from_millis;
        let mut heartbeats = Heartbeats::default();
        heartbeats.look(at(0), 10, age(100));
        heartbeats.look(at(500), 10, age(600));
        heartbeats.look(at(950), 11, age(50)); // beat at 900, the one before at -100
        assert_eq!(heartbeats.longest_gap(), Duration::from_secs(1));
        heartbeats.look(at(1950), 12, age(40));
        assert_eq!(heartbeats.count(), 2);
        assert_eq!(heartbeats.longest_gap(), Duration::from_millis(1010));
        heartbeats.look(at(6000), 12, age(4090));
        assert_eq!(heartbeats.longest_gap(), Duration::from_millis(4090));
    }
}
