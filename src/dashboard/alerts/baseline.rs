//! What is usual for a metric in each hour of the week.
//!
//! For each of the 168 hours (in UTC) the mean and the spread are kept, older weeks counting less. An hour is judged by the
//! same hour of earlier weeks once there are [`WEEKS`]; before that by the same hour of all days, once there are [`DAYS`].

use serde::{Deserialize, Serialize};

use crate::base::clock::Millis;

/// Hours in a week.
const HOURS: usize = 168;
/// Weeks of an hour that are enough to judge it by.
const WEEKS: u32 = 3;
/// Days of an hour that are enough.
const DAYS: u32 = 5;
/// No older hour counts for less than a newer one until there are so many.
const REMEMBERED: f64 = 8.0;
/// Milliseconds in an hour.
const HOUR: Millis = 3_600_000;
/// Fewer values in an hour say nothing of it.
const LEAST: f64 = 10.0;

/// An hour of the week.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Hour {
    /// How often it came.
    #[serde(rename = "n")]
    times: u32,
    #[serde(rename = "m")]
    mean: f64,
    #[serde(rename = "v")]
    variance: f64,
}

/// The values of the hour that goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Now {
    /// Hours since the epoch.
    hour: Millis,
    n: f64,
    mean: f64,
    /// The sum of squared distances.
    squares: f64,
}

/// What is usual for one metric of one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    hours: Vec<Hour>,
    now: Now,
    /// Whether the store does not have all of it.
    pub unsaved: bool,
}

/// The mean, and the standard deviation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usual {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Baseline {
    /// Reads what [`json`](Self::json) wrote; nothing that cannot be read counts.
    pub fn read(text: &str) -> Self {
        let hours: Vec<Hour> = serde_json::from_str(text).unwrap_or_default();
        let is_whole = hours.len() == HOURS
            && hours
                .iter()
                .all(|hour| hour.mean.is_finite() && hour.variance >= 0.0);
        Self {
            hours: if is_whole { hours } else { Vec::new() },
            ..Self::default()
        }
    }

    /// What the store keeps.
    pub fn json(&self) -> String {
        serde_json::to_string(&self.hours).unwrap_or_default()
    }

    /// Takes a value. An hour is learnt when it is over.
    pub fn take(&mut self, at: Millis, value: f64) {
        let hour = at / HOUR;
        if self.now.hour != hour {
            self.learn();
            self.now = Now {
                hour,
                ..Now::default()
            };
        }
        let now = &mut self.now;
        now.n += 1.0;
        let before = value - now.mean;
        now.mean += before / now.n;
        now.squares += before * (value - now.mean);
    }

    fn learn(&mut self) {
        if self.now.n < LEAST {
            return;
        }
        self.hours.resize(HOURS, Hour::default());
        let (mean, variance) = (self.now.mean, self.now.squares / self.now.n);
        let hour = &mut self.hours[(self.now.hour % HOURS as Millis) as usize];
        hour.times = hour.times.saturating_add(1);
        let weight = 1.0 / f64::from(hour.times).min(REMEMBERED);
        let moved = mean - hour.mean;
        hour.mean += weight * moved;
        // The spread within the hours, and the one between them.
        hour.variance =
            (1.0 - weight) * (hour.variance + weight * moved * moved) + weight * variance;
        self.unsaved = true;
    }

    /// What is usual at that time; none while too little is known.
    pub fn usual(&self, at: Millis) -> Option<Usual> {
        let place = (at / HOUR % HOURS as Millis) as usize;
        let same = self.hours.get(place)?;
        if same.times >= WEEKS {
            return Some(Usual {
                mean: same.mean,
                deviation: same.variance.sqrt(),
            });
        }
        let days = || self.hours.iter().skip(place % 24).step_by(24);
        let weight: u32 = days().map(|hour| hour.times).sum();
        if weight < DAYS {
            return None;
        }
        let over = |part: &dyn Fn(&Hour) -> f64| {
            days()
                .map(|hour| f64::from(hour.times) * part(hour))
                .sum::<f64>()
                / f64::from(weight)
        };
        let mean = over(&|hour| hour.mean);
        let variance = over(&|hour| hour.variance + (hour.mean - mean).powi(2));
        Some(Usual {
            mean,
            deviation: variance.sqrt(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three weeks and a day: 20 by day and 80 at night, give or take 2, each minute.
    fn learnt(days: u64) -> Baseline {
        let mut baseline = Baseline::default();
        for minute in 0..days * 24 * 60 {
            let night = minute / 60 % 24 < 6;
            let value = if night { 80.0 } else { 20.0 } + (minute % 5) as f64 - 2.0;
            baseline.take(minute * 60_000, value);
        }
        baseline
    }

    #[track_caller]
    fn check(usual: Option<Usual>, mean: f64, deviation: f64) {
        let usual = usual.unwrap();
        assert!((usual.mean - mean).abs() < 0.1, "{usual:?}");
        assert!((usual.deviation - deviation).abs() < 0.1, "{usual:?}");
    }

    #[test]
    fn each_hour_has_its_own_usual() {
        let baseline = learnt(22);
        check(baseline.usual(3 * HOUR), 80.0, 2.0_f64.sqrt());
        check(baseline.usual(12 * HOUR), 20.0, 2.0_f64.sqrt());
        let back = Baseline::read(&baseline.json());
        assert_eq!(back.usual(3 * HOUR), baseline.usual(3 * HOUR));
    }

    #[test]
    fn before_there_are_weeks_the_days_count_and_before_days_nothing() {
        assert_eq!(learnt(4).usual(3 * HOUR), None);
        let evening = learnt(6).usual(23 * HOUR + 6 * 24 * HOUR);
        check(evening, 20.0, 2.0_f64.sqrt());
        check(learnt(7).usual(3 * HOUR), 80.0, 2.0_f64.sqrt());
        assert_eq!(Baseline::default().usual(0), None);
        for text in ["", "[]", "[{\"n\":1,\"m\":1,\"v\":1}]", "null"] {
            assert_eq!(Baseline::read(text).usual(0), None);
        }
    }

    #[test]
    fn what_changes_for_good_becomes_usual() {
        let mut baseline = learnt(21);
        for week in 3..120 {
            for minute in 0..61 {
                baseline.take(week * 168 * HOUR + minute * 60_000, 50.0);
            }
        }
        check(baseline.usual(0), 50.0, 0.0);
    }
}
