//! When records of a run go: output waits a little for more, so that a run is not a frame per line.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::{MAX_BATCH, UNWATCHED_MS, WATCHED_MS};

/// The shortest interval that a dashboard may set, in milliseconds.
const LEAST_MS: u32 = 10;
/// The longest one.
const MOST_MS: u32 = 10_000;
/// What the way takes beside the waiting here: the supervisor collects bytes for up to 20 ms, journals are looked at
/// every 10 ms, and the dashboard has to commit. The interval is a promise to who reads, so that much of it is spent.
const WAY: Duration = Duration::from_millis(40);
/// So many pending bytes go at once while somebody watches.
const WATCHED_BATCH: u64 = 64 * 1024;

/// What of a run is not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Bytes of records; none when that is not known, because records of an earlier connection are to be sent again.
    pub bytes: Option<u64>,
    /// Among them is something that must not wait: a phase, an error, a failed unit, the end.
    pub urgent: bool,
}

/// The pace of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    interval: Duration,
    /// When records were sent last.
    sent: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(UNWATCHED_MS.into()),
            sent: None,
        }
    }
}

impl Pace {
    /// The dashboard says how long output may wait.
    pub fn set(&mut self, ms: u32) {
        self.interval = Duration::from_millis(ms.clamp(LEAST_MS, MOST_MS).into());
    }

    /// When what is pending goes; none for at once. The first bytes after a pause go at once, and then there is one frame
    /// in each interval, as long as they are small.
    pub fn due(&self, pending: Pending) -> Option<Instant> {
        let bytes = pending.bytes?;
        let full = if self.interval <= Duration::from_millis(WATCHED_MS.into()) {
            WATCHED_BATCH
        } else {
            MAX_BATCH as u64
        };
        if pending.urgent || bytes >= full {
            return None;
        }
        Some(self.sent? + self.interval.saturating_sub(WAY))
    }

    /// A frame was sent.
    pub fn sent(&mut self) {
        self.sent = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds after a frame until so much goes.
    #[track_caller]
    fn check(ms: Option<u32>, bytes: Option<u64>, urgent: bool, expected: u64) {
        let mut pace = Pace::default();
        if let Some(ms) = ms {
            pace.set(ms);
        }
        let pending = Pending { bytes, urgent };
        assert_eq!(pace.due(pending), None, "the first bytes");
        pace.sent();
        let waits = pace
            .due(pending)
            .map_or(0, |due| due.duration_since(Instant::now()).as_millis());
        assert_eq!(u64::try_from(waits).unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn output_waits_and_nothing_else_does() {
        check(None, Some(1), false, 960);
        check(Some(WATCHED_MS), Some(1), false, 10);
        check(Some(0), Some(1), false, 0);
        check(Some(u32::MAX), Some(1), false, 9960);
        check(None, None, false, 0);
        check(None, Some(1), true, 0);
        check(None, Some(MAX_BATCH as u64 - 1), false, 960);
        check(None, Some(MAX_BATCH as u64), false, 0);
        check(Some(WATCHED_MS), Some(WATCHED_BATCH), false, 0);
        check(Some(WATCHED_MS), Some(WATCHED_BATCH - 1), false, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_of_the_interval_the_first_bytes_do_not_wait() {
        let mut pace = Pace::default();
        pace.sent();
        tokio::time::advance(Duration::from_secs(1)).await;
        let pending = Pending {
            bytes: Some(1),
            urgent: false,
        };
        assert!(pace.due(pending).is_some_and(|due| due <= Instant::now()));
    }
}
