//! How fast bytes come.

/// The shortest time between two samples, in milliseconds.
const SAMPLE_MS: u64 = 250;
/// How far back the mean looks, in milliseconds.
const WINDOW_MS: f64 = 5000.0;

/// A mean of the last seconds, in which newer ones weigh more.
#[derive(Debug, Default)]
pub(super) struct Rate {
    at: Option<u64>,
    bytes: u64,
    per_second: Option<f64>,
}

impl Rate {
    /// Whether [`sample`](Self::sample) would look at its bytes.
    pub(super) fn is_due(&self, now: u64) -> bool {
        self.at.is_none_or(|at| now.saturating_sub(at) >= SAMPLE_MS)
    }

    /// So many bytes were there at that time, in milliseconds.
    pub(super) fn sample(&mut self, bytes: u64, now: u64) {
        if !self.is_due(now) {
            return;
        }
        let Some(at) = self.at.replace(now) else {
            self.bytes = bytes;
            return;
        };
        let passed = now.saturating_sub(at) as f64;
        let new = bytes.saturating_sub(self.bytes) as f64 * 1000.0 / passed;
        let weight = 1.0 - (-passed / WINDOW_MS).exp();
        let mean = self
            .per_second
            .map_or(new, |mean| mean + weight * (new - mean));
        self.per_second = Some(mean);
        self.bytes = bytes;
    }

    pub(super) fn per_second(&self) -> u64 {
        self.per_second.map_or(0, |mean| mean.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_a_change_is_followed() {
        let mut rate = Rate::default();
        rate.sample(0, 1000);
        assert_eq!(rate.per_second(), 0, "one look tells nothing");
        rate.sample(10, 1100);
        assert_eq!(rate.per_second(), 0, "too soon");
        for n in 1..=20 {
            rate.sample(n * 1_000_000, 1000 + n * 1000);
        }
        assert_eq!(rate.per_second(), 1_000_000);
        for n in 21..=50 {
            rate.sample(20_000_000 + (n - 20) * 4_000_000, 1000 + n * 1000);
        }
        let now = rate.per_second();
        assert!((3_900_000..=4_000_000).contains(&now), "{now}");
        rate.sample(0, 100_000);
        assert!(rate.per_second() < 1_000_000, "it fell still");
    }
}
