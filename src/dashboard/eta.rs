//! When a run will end: pure arithmetic on what is known of the run and of the ones before it.
//!
//! A rebuild has four stages one after the other: evaluation, then fetching and building at the same time, then activation,
//! then switching. What is left is the rest of the stage that goes on and all of those after it, each by what it usually
//! takes. Builds are scheduled as a list: no sooner than the longest one is done, and no sooner than all work is done by the
//! builders there are.

mod input;
mod work;

#[cfg(test)]
mod tests;

use crate::run::phase::Phase;
use crate::wire::api::Eta;
use input::Look;

pub use input::{Before, BuildsLeft, Expect, Input, PastWork, Plan, Running, Usual};

/// What goes on has at least so much left, in milliseconds: nothing that is not over is shown as over.
pub const TAIL: u64 = 1000;
/// What takes longer than usual has at least this part of its time so far left.
const OVERDUE: u64 = 20;
/// What takes a quarter longer than nine of ten times before, and so many milliseconds, is overdue.
const LATE: u64 = 5000;
/// No more is ever said to be left, in milliseconds: seven days.
pub const MOST: u64 = 7 * 24 * 3600 * 1000;
/// A new estimate counts half when the one before it is so old, in milliseconds, and more when it is older.
const SMOOTH: u64 = 5000;
/// A range is told where the cautious estimate is more than so many times the usual one.
const UNSURE: u64 = 2;
/// Where no earlier run of the command is known on the host, so many milliseconds may follow what is fetched and built:
/// nobody knows yet how long it activates, or whether it does.
const UNLEARNT: u64 = 60_000;

/// The order in which the stages of a rebuild follow each other.
fn stage(phase: Phase) -> u8 {
    match phase {
        Phase::Evaluating => 0,
        Phase::Fetching | Phase::Building => 1,
        Phase::Activating => 2,
        Phase::Switching => 3,
        Phase::Running => 4,
    }
}

impl Input {
    fn stage(&self) -> Option<u8> {
        self.spans.last().map(|span| stage(span.phase))
    }

    /// How long a stage has gone on, all times together: a rebuild that builds its own tool first evaluates twice.
    fn elapsed(&self, of: u8, now: u64) -> u64 {
        let spans = self.spans.iter().filter(|span| stage(span.phase) == of);
        let times = spans.map(|span| span.ended_at.unwrap_or(now).saturating_sub(span.started_at));
        times.fold(0, u64::saturating_add)
    }

    /// What is to be done, as far as it is known.
    pub fn plan(&self) -> Plan {
        Plan {
            stage: self.stage().unwrap_or_default(),
            builds: self.builds.as_ref().map_or(0, |builds| builds.planned),
            paths: self.fetches.map_or(0, |fetches| fetches.planned),
        }
    }

    /// How long a stage usually takes, but for fetching and building.
    fn expect(&self, of: u8) -> Option<Expect> {
        let usual = self.usual.as_ref()?;
        match of {
            0 => usual.evaluating,
            2 => usual.activating,
            3 => usual.switching,
            _ => usual.running,
        }
    }

    /// Milliseconds until the end; none while nothing is known to tell it from.
    fn left(&self, now: u64, look: Look) -> Option<u64> {
        let here = self.stage()?;
        let mut left = match here {
            1 => self.work_left(now, look)?,
            _ => match self.expect(here) {
                Some(expect) => expect.left(self.elapsed(here, now), look),
                // An evaluation nobody has seen before, while its builds are known already.
                None if here == 0 && (self.builds.is_some() || self.fetches.is_some()) => 0,
                None => return None,
            },
        };
        if here == 0 {
            left = left.saturating_add(self.work_left(now, look)?);
        }
        if here < 2 && self.usual.is_none() && matches!(look, Look::Cautious) {
            left = left.saturating_add(UNLEARNT);
        }
        let later = (here + 1..=3).filter(|stage| *stage > 1);
        let later = later.filter_map(|stage| self.expect(stage));
        Some(later.fold(left, |left, expect| left.saturating_add(expect.pick(look))))
    }

    /// Whether what goes on takes clearly longer than nine of ten times before.
    fn is_overdue(&self, now: u64) -> bool {
        match self.stage() {
            None => false,
            Some(1) => self.is_work_overdue(now),
            Some(here) => {
                let elapsed = self.elapsed(here, now);
                self.expect(here)
                    .is_some_and(|expect| expect.is_overdue(elapsed))
            }
        }
    }
}

/// When the run will end. With what was said before in `input`, percentages never fall and seconds change gently.
pub fn estimate(input: &Input, now: u64) -> (Eta, Before) {
    let before = input.before;
    let plan = input.plan();
    let passed = now.saturating_sub(before.at);
    let counted = before.left.map(|left| left.saturating_sub(passed));
    let left = match (input.left(now, Look::Usual), counted) {
        (Some(new), Some(old)) if plan == before.plan => Some(smooth(old.max(TAIL), new, passed)),
        (Some(new), _) => Some(new),
        // What was told stands until its time is over; then nobody knows.
        (None, old) => old.filter(|left| *left > 0),
    };
    let left = left.map(|left| left.clamp(TAIL, MOST));
    let started = input.spans.first().map_or(now, |span| span.started_at);
    let elapsed = now.saturating_sub(started).min(MOST);
    // A part of a plan that is not known says nothing: what was never told cannot have to fall.
    let known = left.filter(|_| input.usual.is_some() || !input.is_between_plans());
    let percent = known.map_or(0, |left| (elapsed * 100 / (elapsed + left)).min(99) as u8);
    let most = input.left(now, Look::Cautious).map(|most| most.min(MOST));
    let unsure = |most: &u64| left.is_some_and(|left| *most > left.saturating_mul(UNSURE));
    let eta = Eta {
        percent: percent.max(before.percent).min(99),
        seconds: left.map(|left| left.div_ceil(1000)),
        seconds_most: most.filter(unsure).map(|most| most.div_ceil(1000)),
        overdue: left.is_some() && input.is_overdue(now),
    };
    let before = Before {
        percent: eta.percent,
        left,
        at: now,
        plan,
    };
    (eta, before)
}

/// Between what the estimate before has come down to and the new one.
fn smooth(old: u64, new: u64, passed: u64) -> u64 {
    let weight = passed as f64 / (passed + SMOOTH) as f64;
    (old as f64 + (new as f64 - old as f64) * weight) as u64
}

/// An estimate that was made `by` ago, as it is said now.
#[must_use]
pub fn aged(eta: Eta, by: std::time::Duration) -> Eta {
    let older = |seconds: u64| seconds.saturating_sub(by.as_secs()).max(1);
    Eta {
        seconds: eta.seconds.map(older),
        seconds_most: eta.seconds_most.map(older),
        ..eta
    }
}
