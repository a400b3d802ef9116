//! The rungs: how long a bucket of each one is, and how many are kept.

use crate::base::clock::Millis;

/// How many rungs there are.
pub const N_RUNGS: usize = 4;

/// One resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// The length of a bucket in seconds. Each rung's divides the next one's.
    pub step_s: u64,
    /// How many buckets are kept: so many rows of the store for each host, and no more.
    pub buckets: u64,
}

/// Ten seconds for an hour, a minute for a day, ten minutes for two weeks, an hour for a year.
pub const RUNGS: [Rung; N_RUNGS] = [
    Rung {
        step_s: 10,
        buckets: 360,
    },
    Rung {
        step_s: 60,
        buckets: 1440,
    },
    Rung {
        step_s: 600,
        buckets: 2016,
    },
    Rung {
        step_s: 3600,
        buckets: 8784,
    },
];

/// The most rows that one host has in the store.
pub const MAX_ROWS: u64 = RUNGS[0].buckets + RUNGS[1].buckets + RUNGS[2].buckets + RUNGS[3].buckets;

impl Rung {
    /// The bucket that a moment is in.
    pub fn bucket(self, at: Millis) -> u64 {
        at / 1000 / self.step_s
    }

    /// When a bucket begins, in seconds since the epoch.
    pub fn start_s(self, bucket: u64) -> u64 {
        bucket.saturating_mul(self.step_s)
    }

    /// How far back it reaches, in seconds.
    pub fn reach_s(self) -> u64 {
        self.step_s * self.buckets
    }

    /// The oldest bucket that is kept at `now`, where nothing older than `keep_s` seconds is.
    pub fn oldest(self, now: Millis, keep_s: u64) -> u64 {
        let kept = self.buckets.min(keep_s.div_ceil(self.step_s));
        (self.bucket(now) + 1).saturating_sub(kept.max(1))
    }
}

/// The rung to read for points of `step_s` seconds from `since_s` on: the coarsest one whose buckets are no longer than that,
/// among those that reach back so far; else the finest one that does.
pub fn pick(step_s: u64, since_s: u64, now_s: u64) -> usize {
    // A bucket goes when it is over, and a reader may ask for the last moment of it.
    let back = now_s.saturating_sub(since_s);
    let reaches = |rung: &Rung| back <= rung.reach_s();
    let fine = |rung: &Rung| rung.step_s <= step_s;
    let fits = |rung: &Rung| reaches(rung) && fine(rung);
    RUNGS
        .iter()
        .rposition(fits)
        .or_else(|| RUNGS.iter().position(reaches))
        .unwrap_or(N_RUNGS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_follow_each_other() {
        for pair in RUNGS.windows(2) {
            assert!(pair[1].step_s.is_multiple_of(pair[0].step_s));
            // An open bucket can be made again from finer ones.
            assert!(pair[0].reach_s() > 2 * pair[1].step_s);
        }
        let reach = RUNGS.map(|rung| rung.reach_s() / 3600);
        assert_eq!(reach, [1, 24, 14 * 24, 366 * 24]);
        assert_eq!(MAX_ROWS, 12_600);
    }

    #[test]
    fn the_coarsest_rung_that_is_fine_enough_and_reaches_back() {
        let now = 400 * 86_400;
        for (step, back, expected) in [
            (1, 60, 0),
            (10, 3600, 0),
            (59, 3600, 0),
            (60, 3600, 1),
            (10, 3601, 1),
            (600, 3600, 2),
            (300, 86_400, 1),
            (300, 86_401, 2),
            (3600, 60, 3),
            (60, 30 * 86_400, 3),
            (60, 4000 * 86_400, 3),
        ] {
            assert_eq!(
                pick(step, now - back.min(now), now),
                expected,
                "{step} {back}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_the_rung_or_less() {
        let minute = RUNGS[1];
        let now = 100_000 * 60_000;
        assert_eq!(minute.oldest(now, u64::MAX), 100_001 - 1440);
        assert_eq!(minute.oldest(now, 3600), 100_001 - 60);
        assert_eq!(minute.oldest(now, 0), 100_000);
        assert_eq!(minute.oldest(0, u64::MAX), 0);
    }
}
