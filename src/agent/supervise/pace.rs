//! How often output is looked at: each look costs a switch of tasks, and a program that prints line by line would pay for one
//! per line.

use std::time::{Duration, Instant};

/// After a look that found little, nothing is looked at for so long; less than output waits for more before it is written.
const REST: Duration = Duration::from_millis(8);
/// As much of the terminal in one look is a flood: its buffer (4 KiB, and 64 KiB behind it: Linux drivers/tty) must not run
/// full, because the program would wait.
const FLOOD: usize = 4096;
/// The same of records: a socket's buffer holds some 270 short ones.
const FLOOD_RECORDS: usize = 24 * 1024;

/// When to look next.
#[derive(Debug, Default)]
pub(super) struct Pace {
    until: Option<Instant>,
}

impl Pace {
    /// One look found so many bytes of the terminal and of records.
    pub(super) fn found(&mut self, now: Instant, terminal: usize, records: usize) {
        let little = terminal < FLOOD && records < FLOOD_RECORDS;
        self.until = (terminal + records > 0 && little).then(|| now + REST);
    }

    /// Until when nothing is looked at, if that is not over.
    pub(super) fn rests(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_output_rests_and_a_flood_does_not() {
        let mut pace = Pace::default();
        let now = Instant::now();
        assert_eq!(pace.rests(now), None);
        for (terminal, records, rests) in [
            (1, 0, true),
            (0, 1, true),
            (FLOOD - 1, FLOOD_RECORDS - 1, true),
            (0, 0, false),
            (FLOOD, 0, false),
            (0, FLOOD_RECORDS, false),
        ] {
            pace.found(now, terminal, records);
            let until = rests.then(|| now + REST);
            assert_eq!(pace.rests(now), until, "{terminal} {records}");
            assert_eq!(pace.rests(now + REST), None);
        }
    }
}
