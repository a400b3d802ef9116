//! A host's history as points of equal length, gaps included.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::ladder::{N_RUNGS, RUNGS, pick};
use super::series::SERIES;
use crate::base::clock::{Millis, rfc3339};
use crate::wire::api::{MetricsHistory, SeriesValues};

/// The most points of one answer.
pub const MAX_POINTS: u64 = 1000;
/// About so many points are answered where no step is asked for.
const USUAL_POINTS: u64 = 300;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// From when on.
    pub since: Millis,
    /// Until when.
    pub until: Millis,
    /// The length of a point in seconds; one that fits without.
    pub step_s: Option<u64>,
    /// Seconds between the host's heartbeats: shorter points would have gaps that say nothing.
    pub interval_s: u64,
    /// The time now.
    pub now: Millis,
}

/// How it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// From which rung.
    pub rung: usize,
    /// The length of a point in seconds: a multiple of the rung's.
    pub step_s: u64,
    /// When the first point begins, in seconds since the epoch.
    pub from_s: u64,
    /// How many points.
    pub points: u64,
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `since` is not before `until`.
    #[error("`since` is not before `until`")]
    Backwards,
    /// The step is none.
    #[error("`step` 0 is no length of time")]
    NoStep,
    /// There would be too many points.
    #[error(
        "that makes {points} points of {step_s} s, more than {MAX_POINTS}; the shortest step for this time is {least} s"
    )]
    TooMany {
        /// How many.
        points: u64,
        /// How long each.
        step_s: u64,
        /// The shortest step that would do.
        least: u64,
    },
}

impl Plan {
    /// Chooses rung and step.
    ///
    /// # Errors
    /// See [`PlanError`].
    pub fn new(asked: &Asked) -> Result<Self, PlanError> {
        if asked.since >= asked.until {
            return Err(PlanError::Backwards);
        }
        let (since_s, until_s) = (asked.since / 1000, asked.until.div_ceil(1000));
        let now_s = asked.now / 1000;
        let length = until_s - since_s;
        let wanted = match asked.step_s {
            Some(0) => return Err(PlanError::NoStep),
            Some(step) => step,
            // Two heartbeats in each point: one that comes a moment late leaves no gap.
            None => length
                .div_ceil(USUAL_POINTS)
                .max(asked.interval_s.saturating_mul(2)),
        };
        let rung = pick(wanted, since_s, now_s);
        let plan = Self::with(rung, wanted, since_s, until_s);
        if plan.points > MAX_POINTS {
            // The points' edges may add one.
            let least = length.div_ceil(MAX_POINTS - 1);
            let rung = pick(least, since_s, now_s);
            let least = Self::with(rung, least, since_s, until_s).step_s;
            return Err(PlanError::TooMany {
                points: plan.points,
                step_s: plan.step_s,
                least,
            });
        }
        Ok(plan)
    }

    fn with(rung: usize, wanted: u64, since_s: u64, until_s: u64) -> Self {
        let unit = RUNGS[rung.min(N_RUNGS - 1)].step_s;
        let step_s = wanted
            .div_ceil(unit)
            .max(1)
            .saturating_mul(unit)
            .min(u64::MAX / 4);
        let from_s = since_s / step_s * step_s;
        Self {
            rung,
            step_s,
            from_s,
            points: (until_s - from_s).div_ceil(step_s).max(1),
        }
    }

    /// The first and the last bucket of the rung that belong to it.
    pub fn buckets(&self) -> (u64, u64) {
        let unit = RUNGS[self.rung].step_s;
        let end = self.from_s + self.points * self.step_s;
        (self.from_s / unit, end / unit - 1)
    }

    /// The answer from buckets by their number.
    pub fn answer(&self, host: &str, buckets: &BTreeMap<u64, Bucket>) -> MetricsHistory {
        let unit = RUNGS[self.rung].step_s;
        let mut points = vec![Bucket::default(); self.points as usize];
        let (first, last) = self.buckets();
        for (number, bucket) in buckets.range(first..=last) {
            let place = (number * unit - self.from_s) / self.step_s;
            if let Some(point) = points.get_mut(place as usize) {
                point.merge(bucket);
            }
        }
        let mut series = BTreeMap::new();
        for (place, name) in SERIES.iter().enumerate() {
            if points.iter().all(|point| point.0[place].n == 0) {
                continue;
            }
            let mut values = SeriesValues::default();
            for point in &points {
                let stat = &point.0[place];
                values.avg.push(stat.avg().map(rounded));
                values.min.push((stat.n > 0).then(|| rounded(stat.min)));
                values.max.push((stat.n > 0).then(|| rounded(stat.max)));
            }
            series.insert((*name).to_owned(), values);
        }
        MetricsHistory {
            host: host.to_owned(),
            from: rfc3339(self.from_s * 1000),
            step_s: self.step_s,
            points: self.points,
            series,
        }
    }
}

/// To hundredths, as they are stored.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_769_847_330_250;

    fn asked(back_s: u64, step_s: Option<u64>) -> Asked {
        Asked {
            since: NOW - back_s * 1000,
            until: NOW,
            step_s,
            interval_s: 30,
            now: NOW,
        }
    }

    #[test]
    fn a_step_and_a_rung_for_every_length_of_time() {
        let mut shown = String::new();
        for (back, step) in [
            (600, None),
            (3600, None),
            (3600, Some(60)),
            (3600, Some(45)),
            (86_400, None),
            (14 * 86_400, None),
            (366 * 86_400, None),
            (86_400, Some(10_000)),
            (3600, Some(1)),
            (86_400, Some(60)),
            (366 * 86_400, Some(3600)),
            (3600, Some(0)),
        ] {
            use std::fmt::Write as _;
            let plan = Plan::new(&asked(back, step));
            let words = match plan {
                Ok(plan) => format!(
                    "rung {} step {} points {}",
                    plan.rung, plan.step_s, plan.points
                ),
                Err(error) => error.to_string(),
            };
            writeln!(shown, "{back} s, step {step:?}: {words}").unwrap();
        }
        expect_test::expect![[r"
            600 s, step None: rung 1 step 60 points 11
            3600 s, step None: rung 1 step 60 points 61
            3600 s, step Some(60): rung 1 step 60 points 61
            3600 s, step Some(45): rung 0 step 50 points 73
            86400 s, step None: rung 1 step 300 points 289
            1209600 s, step None: rung 3 step 7200 points 169
            31622400 s, step None: rung 3 step 108000 points 294
            86400 s, step Some(10000): rung 3 step 10800 points 9
            3600 s, step Some(1): rung 0 step 10 points 361
            86400 s, step Some(60): that makes 1441 points of 60 s, more than 1000; the shortest step for this time is 120 s
            31622400 s, step Some(3600): that makes 8785 points of 3600 s, more than 1000; the shortest step for this time is 32400 s
            3600 s, step Some(0): `step` 0 is no length of time
        "]]
        .assert_eq(&shown);
        let backwards = Asked {
            since: NOW,
            ..asked(0, None)
        };
        assert_eq!(Plan::new(&backwards), Err(PlanError::Backwards));
    }

    #[test]
    fn the_least_step_that_an_error_names_is_taken() {
        for back in [999, 9_990, 10_001, 86_400, 1_000_000, 366 * 86_400] {
            let Err(PlanError::TooMany { least, .. }) = Plan::new(&asked(back, Some(1))) else {
                continue;
            };
            assert!(Plan::new(&asked(back, Some(least))).is_ok(), "{back}");
        }
    }

    #[test]
    fn gaps_are_gaps() {
        let plan = Plan::new(&Asked {
            since: 6_000_000,
            until: 6_300_000,
            step_s: Some(60),
            interval_s: 30,
            now: 6_300_000,
        })
        .unwrap();
        let mut buckets = BTreeMap::new();
        let mut bucket = Bucket::default();
        let mut sample = crate::dashboard::metrics::series::Sample::default();
        for value in [1.0, 3.0] {
            sample.0[4] = Some(value);
            bucket.push(&sample);
        }
        buckets.insert(plan.buckets().0, bucket);
        buckets.insert(plan.buckets().1, bucket);
        buckets.insert(plan.buckets().1 + 1, bucket);
        let answer = plan.answer("web1", &buckets);
        assert_eq!(answer.points, 5);
        assert_eq!(answer.series.len(), 1);
        let load = &answer.series["load1"];
        assert_eq!(load.avg, [Some(2.0), None, None, None, Some(2.0)]);
        assert_eq!((load.min[0], load.max[0]), (Some(1.0), Some(3.0)));
    }
}
