//! How far a host's clock is off the dashboard's. People are told; nothing depends on it.

use crate::base::clock::Millis;

/// How many of the newest messages are looked at. A clock that is set right shows as that after as many.
const WINDOW: usize = 8;
/// So many are needed before anything is said: a single one may have been under way for long.
const SURE: usize = 3;
/// From here on it is said, in milliseconds.
const TOLD: u64 = 2000;
/// Below this it is right again.
const RIGHT: u64 = 1000;

/// A host's clock against the dashboard's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skew {
    samples: [i64; WINDOW],
    n: usize,
    /// Whether it was said that the clock is wrong.
    told: bool,
}

impl Skew {
    /// Takes a message that the host wrote at `theirs` by its clock and that came at `ours`. Answers what is to be said.
    pub fn take(&mut self, theirs: Millis, ours: Millis) -> Option<String> {
        let signed = |at: Millis| i64::try_from(at).unwrap_or(i64::MAX);
        self.samples[self.n % WINDOW] = signed(theirs).saturating_sub(signed(ours));
        self.n += 1;
        let ms = self.ms()?;
        if !self.told && ms.unsigned_abs() >= TOLD {
            self.told = true;
            let (seconds, way) = (ms.unsigned_abs() as f64 / 1000.0, side(ms));
            return Some(format!("its clock is {seconds:.1} s {way} the dashboard's"));
        }
        if self.told && ms.unsigned_abs() < RIGHT {
            self.told = false;
            return Some("its clock is right again".into());
        }
        None
    }

    /// The host's clock less the dashboard's, once that is known. The way of a message only makes a clock seem late: the
    /// largest difference of several is the nearest to the truth.
    pub fn ms(&self) -> Option<i64> {
        if self.n < SURE {
            return None;
        }
        self.samples[..self.n.min(WINDOW)].iter().max().copied()
    }
}

fn side(ms: i64) -> &'static str {
    if ms < 0 { "behind" } else { "ahead of" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    /// What is said of messages that came with these differences, and what is known at the end.
    fn check(differences: &[i64], said: &[&str], known: Option<i64>) {
        let mut skew = Skew::default();
        let found: Vec<String> = differences
            .iter()
            .filter_map(|ms| skew.take(NOW.saturating_add_signed(*ms), NOW))
            .collect();
        assert_eq!(found, said);
        assert_eq!(skew.ms(), known);
    }

    #[test]
    fn a_slow_way_is_no_skew_and_a_wrong_clock_is_said_once() {
        check(&[-20, -30], &[], None);
        // One was under way for a minute.
        check(&[-20, -60_000, -30, -25], &[], Some(-20));
        let ahead = ["its clock is 3600.0 s ahead of the dashboard's"];
        check(&[3_600_000; 5], &ahead, Some(3_600_000));
        let behind = ["its clock is 5.0 s behind the dashboard's"];
        check(&[-5000, -5100, -9000, -5050], &behind, Some(-5000));
        check(&[1999; 9], &[], Some(1999));
    }

    #[test]
    fn a_clock_that_was_set_is_right_again_after_a_window() {
        let mut differences = vec![4000; 5];
        differences.extend([0; WINDOW]);
        let said = [
            "its clock is 4.0 s ahead of the dashboard's",
            "its clock is right again",
        ];
        check(&differences, &said, Some(0));
        // Around the limit it is not said again and again.
        differences.truncate(5);
        differences.extend([1500; 9]);
        differences.extend([2500; 9]);
        check(&differences, &said[..1], Some(2500));
    }

    #[test]
    fn a_clock_that_nobody_can_have_does_no_harm() {
        let mut skew = Skew::default();
        for theirs in [0, u64::MAX, u64::MAX, 0, NOW] {
            skew.take(theirs, NOW);
        }
        assert_eq!(skew.ms(), Some(i64::MAX - NOW as i64));
    }
}
