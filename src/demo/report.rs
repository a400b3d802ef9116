//! What `demo --headless` reports: one rebuild, measured from outside as a reader of the page would see it.

use serde::Serialize;

use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};

/// The report, one JSON object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The run's id.
    pub run: RunId,
    /// How it ended.
    pub state: RunState,
    /// Its phases, in order.
    pub phases: Vec<Phase>,
    /// Lines that the host counted.
    pub lines: u64,
    /// Bytes that the host counted.
    pub bytes: u64,
    /// Line numbers that never arrived live, and bytes that the stored log lacks.
    pub lines_lost: u64,
    /// Line numbers that arrived more than once.
    pub lines_doubled: u64,
    /// Heartbeats that reached the dashboard while the run was going on.
    pub heartbeats_during_run: u64,
    /// The longest time between two heartbeats while the run was going on.
    pub longest_heartbeat_gap_ms: u64,
    /// From the moment that a line was read from the terminal to its arrival at the reader.
    pub line_latency_ms: Latency,
    /// `nix VERSION` or `recording`.
    pub rebuild: String,
}

/// Percentiles of a latency, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of all were faster.
    pub p50: u64,
    /// 99 of 100 were faster.
    pub p99: u64,
}

impl Latency {
    /// Of all samples; zero without any.
    pub fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let rank = |percent: usize| {
            let index = (samples.len() * percent).div_ceil(100).saturating_sub(1);
            samples.get(index).copied().unwrap_or(0)
        };
        Self {
            p50: rank(50),
            p99: rank(99),
        }
    }
}

/// Numbers of lines as they arrived.
#[derive(Debug, Default)]
pub struct Arrivals {
    seen: std::collections::HashSet<u64>,
    /// Numbers that arrived again.
    pub doubled: u64,
}

impl Arrivals {
    /// One line arrived.
    pub fn add(&mut self, number: u64) {
        if !self.seen.insert(number) {
            self.doubled += 1;
        }
    }

    /// How many of the lines 1 to `lines` never arrived.
    pub fn lost(&self, lines: u64) -> u64 {
        (1..=lines)
            .filter(|number| !self.seen.contains(number))
            .count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        assert_eq!(Latency::of(vec![]), Latency { p50: 0, p99: 0 });
        assert_eq!(Latency::of(vec![7]), Latency { p50: 7, p99: 7 });
        assert_eq!(
            Latency::of((1..=200).rev().collect()),
            Latency { p50: 100, p99: 198 }
        );
    }

    #[test]
    fn losses_and_doubles_are_counted() {
        let mut arrivals = Arrivals::default();
        for number in [1, 2, 2, 4] {
            arrivals.add(number);
        }
        assert_eq!((arrivals.lost(5), arrivals.doubled), (2, 1));
    }
}
