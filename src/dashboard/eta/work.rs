//! What is left to fetch and to build.

use super::{BuildsLeft, Expect, Input, Look, PastWork, Running, TAIL, stage};
use crate::run::event::Fetches;
use crate::run::phase::Phase;

/// Two plans are alike when neither has more than this many times as much to do as the other.
const ALIKE: f64 = 1.5;
/// Plans that differ by no more than this many builds are alike, too.
const FEW_BUILDS: u64 = 2;
/// Downloads that differ by no more than this many bytes are alike, too.
const FEW_BYTES: u64 = 20_000_000;

impl Input {
    /// Milliseconds until everything is fetched and built; none while nothing is known to tell it from.
    pub(super) fn work_left(&self, now: u64, look: Look) -> Option<u64> {
        let elapsed = self.elapsed(stage(Phase::Building), now);
        let builds = self.builds.as_ref().filter(|builds| builds.planned > 0);
        let fetches = self
            .fetches
            .filter(|fetches| fetches.planned > 0 || fetches.bytes_total > 0);
        if builds.is_none() && fetches.is_none() {
            let work = self.usual.as_ref()?.work?;
            return Some(if elapsed == 0 {
                work.pick(look)
            } else {
                work.left(elapsed, look)
            });
        }
        let habit = self.habit(builds, fetches.as_ref());
        let habit = habit.map(|habit| habit.left(elapsed, look));
        // Both go on at the same time.
        let built = builds.map(|builds| builds.left(now, look));
        let fetched = fetches.map(|fetches| self.fetch_left(&fetches, elapsed));
        let counted = match (built, fetched) {
            (Some(built), Some(fetched)) => built.and_then(|built| Some(built.max(fetched?))),
            (built, fetched) => built.or(fetched).flatten(),
        };
        let left = match (counted, habit) {
            // A list knows what is left and not what waits for what; the runs before know that, and not what is left.
            (Some(counted), Some(habit)) => Some(counted.midpoint(habit)),
            (counted, habit) => counted.or(habit),
        };
        // All that is known is done, and the run goes on: what it evaluated may have needed that (import from derivation).
        let usual = self.usual.as_ref().and_then(|usual| usual.work);
        match usual.filter(|_| self.is_between_plans()) {
            Some(work) => left.map(|left| left.max(work.left(elapsed, look))),
            None => left,
        }
    }

    /// Whether nothing that is known is still to be built, though the work is not over.
    pub(super) fn is_between_plans(&self) -> bool {
        let idle = |builds: &BuildsLeft| builds.waiting == 0 && builds.running.is_empty();
        self.stage().is_some_and(|stage| stage < 2) && self.builds.as_ref().is_some_and(idle)
    }

    /// Whether everything that is still fetched and built takes clearly longer than nine of ten times before.
    pub(super) fn is_work_overdue(&self, now: u64) -> bool {
        match &self.builds {
            Some(builds) => builds.are_overdue(now),
            None if self.fetches.is_some() => false,
            None => {
                let elapsed = self.elapsed(stage(Phase::Building), now);
                let work = self.usual.as_ref().and_then(|usual| usual.work);
                work.is_some_and(|work| work.is_overdue(elapsed))
            }
        }
    }

    /// What the same amount of work took in earlier runs.
    fn habit(&self, builds: Option<&BuildsLeft>, fetches: Option<&Fetches>) -> Option<Expect> {
        let builds = builds.map_or(0, |builds| builds.planned);
        let bytes = fetches.map(|fetches| fetches.bytes_total);
        let alike = |run: &&PastWork| {
            is_alike(run.builds, builds, FEW_BUILDS)
                && bytes.is_none_or(|bytes| is_alike(run.bytes, bytes, FEW_BYTES))
        };
        let runs = &self.usual.as_ref()?.runs;
        Expect::of(runs.iter().filter(alike).map(|run| run.ms).collect())
    }

    fn fetch_left(&self, fetches: &Fetches, elapsed: u64) -> Option<u64> {
        let bytes = fetches.bytes_total.saturating_sub(fetches.bytes_done);
        if bytes == 0 && fetches.planned <= fetches.done {
            return Some(0);
        }
        let so_far = (fetches.bytes_done.saturating_mul(1000))
            .checked_div(elapsed)
            .unwrap_or_default();
        let usual = self
            .usual
            .as_ref()
            .map_or(0, |usual| usual.bytes_per_second);
        let known = [fetches.bytes_per_second, usual, so_far];
        let rate = known.into_iter().find(|rate| *rate > 0)?;
        (fetches.bytes_total > 0).then(|| (bytes.saturating_mul(1000) / rate).max(TAIL))
    }
}

fn is_alike(one: u64, other: u64, few: u64) -> bool {
    let ratio = (one.max(other) as f64) / (one.min(other).max(1) as f64);
    one.abs_diff(other) <= few || ratio <= ALIKE
}

impl BuildsLeft {
    /// By list scheduling: no sooner than the longest one, and no sooner than all of them by `slots` builders.
    fn left(&self, now: u64, look: Look) -> Option<u64> {
        let (mut longest, mut work) = (0, 0_u64);
        for running in &self.running {
            let left = running
                .expect?
                .left(now.saturating_sub(running.since), look);
            longest = longest.max(left);
            work = work.saturating_add(left);
        }
        if self.waiting > 0 {
            work = work.saturating_add(self.work?.pick(look));
            longest = longest.max(self.longest);
        }
        Some(longest.max(work / self.slots.max(1)))
    }

    /// Whether nothing waits and all that goes on takes longer than nine of ten times before.
    fn are_overdue(&self, now: u64) -> bool {
        let late = |build: &Running| {
            let elapsed = now.saturating_sub(build.since);
            let expect = build.expect.filter(|_| build.known);
            expect.is_some_and(|expect| expect.is_overdue(elapsed))
        };
        self.waiting == 0 && !self.running.is_empty() && self.running.iter().all(late)
    }
}
