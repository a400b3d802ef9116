//! What the hub did since it started, for `/metrics`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::run::phase::RunState;

/// Upper bounds of commits' times, in seconds.
const COMMIT_BOUNDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// Upper bounds of runs' times, in seconds: from a pull to a kernel that is built.
const RUN_BOUNDS: &[f64] = &[
    1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 36_000.0,
];

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last is for what took longer.
    counts: Vec<AtomicU64>,
    micros: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            micros: AtomicU64::new(0),
        }
    }

    /// Counts one that took so long.
    pub fn observe(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let place = self.bounds.partition_point(|bound| *bound < seconds);
        self.counts[place].fetch_add(1, Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Relaxed);
    }

    /// For each upper bound, how many took no longer.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let mut sum = 0;
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds
            .zip(&self.counts)
            .map(|(bound, count)| {
                sum += count.load(Relaxed);
                (bound, sum)
            })
            .collect()
    }

    /// All of them together, in seconds.
    pub fn sum(&self) -> f64 {
        self.micros.load(Relaxed) as f64 / 1e6
    }
}

/// What the hub did since it started.
#[derive(Debug)]
pub struct Counters {
    /// Transactions that were committed.
    pub commits: AtomicU64,
    /// Transactions that failed.
    pub failures: AtomicU64,
    /// Journal records that were committed.
    pub records: AtomicU64,
    /// How long transactions took, failed ones too.
    pub commit_time: Histogram,
    /// For each final state, how many runs came to it, and how long those of them took that started.
    pub ends: Vec<(RunState, AtomicU64, Histogram)>,
}

impl Default for Counters {
    fn default() -> Self {
        let over = RunState::ALL.into_iter().filter(|own| own.is_terminal());
        Self {
            commits: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            records: AtomicU64::new(0),
            commit_time: Histogram::new(COMMIT_BOUNDS),
            ends: over
                .map(|state| (state, AtomicU64::new(0), Histogram::new(RUN_BOUNDS)))
                .collect(),
        }
    }
}

impl Counters {
    /// A run came to a state; only final ones are counted.
    pub fn ended(&self, state: RunState, took: Option<Duration>) {
        if let Some((_, n, times)) = self.ends.iter().find(|(own, ..)| *own == state) {
            n.fetch_add(1, Relaxed);
            if let Some(took) = took {
                times.observe(took);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up() {
        let histogram = Histogram::new(&[0.1, 1.0]);
        for ms in [50, 100, 101, 1000, 5000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let expected = [(0.1, 2), (1.0, 4), (f64::INFINITY, 5)];
        assert_eq!(histogram.buckets(), expected);
        assert!((histogram.sum() - 6.251).abs() < 1e-9);
    }

    #[test]
    fn only_ends_are_counted() {
        let counters = Counters::default();
        counters.ended(RunState::Running, None);
        counters.ended(RunState::Failed, Some(Duration::from_secs(2)));
        counters.ended(RunState::Failed, None);
        let counted: Vec<_> = counters
            .ends
            .iter()
            .filter(|(_, n, _)| n.load(Relaxed) > 0)
            .map(|(state, n, times)| (*state, n.load(Relaxed), times.buckets()[1]))
            .collect();
        assert_eq!(counted, [(RunState::Failed, 2, (5.0, 1))]);
    }
}
