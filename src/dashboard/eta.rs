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
/// No more is ever said to be left, in milliseconds: seven days.
pub const MOST: u64 = 7 * 24 * 3600 * 1000;
/// A new estimate counts half when the one before it is so old, in milliseconds, and more when it is older.
const SMOOTH: u64 = 5000;
/// A range is told where the cautious estimate is more than so many times the usual one.
const UNSURE: u64 = 2;

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

    /// How long a stage has gone on.
    fn elapsed(&self, of: u8, now: u64) -> u64 {
        let first = self.spans.iter().find(|span| stage(span.phase) == of);
        first.map_or(0, |span| now.saturating_sub(span.started_at))
    }

    /// What is to be done, as far as it is known.
    pub fn plan(&self) -> Plan {
        Plan {
            stage: self.stage().unwrap_or_default(),
            builds: self.builds.as_ref().map_or(0, |builds| builds.planned),
            paths: self.fetches.map_or(0, |fetches| fetches.planned),
        }
    }

    /// Milliseconds until the end; none while nothing is known to tell it from.
    fn left(&self, now: u64, look: Look) -> Option<u64> {
        let here = self.stage()?;
        let usual = self.usual.clone().unwrap_or_default();
        let rest = |of: u8, expect: Option<Expect>| match expect {
            Some(expect) if of == here => Some(expect.left(self.elapsed(of, now), look)),
            Some(expect) => Some(expect.pick(look)),
            None => None,
        };
        if here == stage(Phase::Running) {
            return rest(here, usual.running);
        }
        let mut left = 0_u64;
        if here == 0 {
            match rest(0, usual.evaluating) {
                Some(ms) => left = ms,
                None if self.builds.is_none() && self.fetches.is_none() => return None,
                None => {}
            }
        }
        if here <= 1 {
            left = left.saturating_add(self.work_left(now, look)?);
        }
        if here <= 2 {
            let activating = rest(2, usual.activating);
            if here == 2 && activating.is_none() {
                return None;
            }
            left = left.saturating_add(activating.unwrap_or_default());
        }
        let switching = rest(3, usual.switching);
        if here == 3 && switching.is_none() {
            return None;
        }
        Some(left.saturating_add(switching.unwrap_or_default()))
    }
}

/// When the run will end. With what was said before in `input`, percentages never fall and seconds change gently.
pub fn estimate(input: &Input, now: u64) -> (Eta, Before) {
    let before = input.before;
    let plan = input.plan();
    let passed = now.saturating_sub(before.at);
    let counted = before
        .left
        .map(|left| left.saturating_sub(passed).max(TAIL));
    let left = match (input.left(now, Look::Usual), counted) {
        (Some(new), Some(old)) if plan == before.plan => Some(smooth(old, new, passed)),
        // What could once be told is not taken back.
        (new, old) => new.or(old),
    };
    let left = left.map(|left| left.clamp(TAIL, MOST));
    let started = input.spans.first().map_or(now, |span| span.started_at);
    let elapsed = now.saturating_sub(started).min(MOST);
    let percent = left.map_or(0, |left| (elapsed * 100 / (elapsed + left)).min(99) as u8);
    let most = input.left(now, Look::Cautious).map(|most| most.min(MOST));
    let unsure = |most: &u64| left.is_some_and(|left| *most > left.saturating_mul(UNSURE));
    let eta = Eta {
        percent: percent.max(before.percent).min(99),
        seconds: left.map(|left| left.div_ceil(1000)),
        seconds_most: most.filter(unsure).map(|most| most.div_ceil(1000)),
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
