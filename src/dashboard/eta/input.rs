//! What estimates are made of.

use super::{LATE, OVERDUE, TAIL};
use crate::run::event::Fetches;
use crate::run::view::PhaseSpan;

/// How long something takes, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expect {
    /// The median.
    pub ms: u64,
    /// The 90th percentile.
    pub most: u64,
}

impl Expect {
    /// Of times, in any order; none of none.
    pub fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let n = times.len();
        let upper = *times.get(n / 2)?;
        let ms = if n % 2 == 1 {
            upper
        } else {
            upper.midpoint(times[n / 2 - 1])
        };
        // Nearest rank, which for fewer than ten is the largest.
        let most = times[(n * 9).div_ceil(10) - 1];
        Some(Self { ms, most })
    }

    /// The same on a machine that takes `factor` times as long.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let scale = |ms: u64| (ms as f64 * factor) as u64;
        Self {
            ms: scale(self.ms),
            most: scale(self.most),
        }
    }

    pub(super) fn pick(self, view: Look) -> u64 {
        match view {
            Look::Usual => self.ms,
            Look::Cautious => self.most.max(self.ms),
        }
    }

    /// What is left of it.
    pub(super) fn left(self, elapsed: u64, view: Look) -> u64 {
        let tail = TAIL.max(elapsed / OVERDUE);
        self.pick(view).saturating_sub(elapsed).max(tail)
    }

    /// Whether it takes clearly longer than nine of ten times before.
    pub(super) fn is_overdue(self, elapsed: u64) -> bool {
        let most = self.pick(Look::Cautious);
        elapsed > most.saturating_add(most / 4).saturating_add(LATE)
    }
}

/// Which of the two numbers counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Usual,
    Cautious,
}

/// What the stages of a host's runs of one command took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usual {
    /// Evaluation.
    pub evaluating: Option<Expect>,
    /// Fetching and building; a run without either counts as zero.
    pub work: Option<Expect>,
    /// Activation.
    pub activating: Option<Expect>,
    /// Restarting units.
    pub switching: Option<Expect>,
    /// The one phase of a command that is no rebuild.
    pub running: Option<Expect>,
    /// What each run had to do, and how long that took.
    pub runs: Vec<PastWork>,
    /// Fetched bytes a second; 0 while unknown.
    pub bytes_per_second: u64,
}

/// The fetching and building of an earlier run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PastWork {
    /// Derivations that were built.
    pub builds: u64,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Milliseconds.
    pub ms: u64,
}

/// A build that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// When it began, by the host's clock.
    pub since: u64,
    /// How long it takes, if anything is known to tell it from.
    pub expect: Option<Expect>,
    /// Whether it was ever built before; if not, `expect` is what any build takes.
    pub known: bool,
}

/// The builds of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildsLeft {
    /// In all.
    pub planned: u64,
    /// Those that go on and whose names are known.
    pub running: Vec<Running>,
    /// How many are neither done nor in `running`.
    pub waiting: u64,
    /// How long the waiting ones take, all together; none while nothing is known to tell it from.
    pub work: Option<Expect>,
    /// How long the longest of them takes.
    pub longest: u64,
    /// How many are built at the same time; the most that were seen.
    pub slots: u64,
}

/// What was said of a run before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// The percentage; it never falls.
    pub percent: u8,
    /// Milliseconds until the end.
    pub left: Option<u64>,
    /// When, by the host's clock.
    pub at: u64,
    /// What it was told from: another plan is a reason to think anew.
    pub plan: Plan,
}

/// What is to be done, as far as the host has said: the stage, builds and paths in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    pub(super) stage: u8,
    pub(super) builds: u64,
    pub(super) paths: u64,
}

/// All that an estimate is made of. Times are milliseconds by the host's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Input {
    /// The phases so far.
    pub spans: Vec<PhaseSpan>,
    /// What earlier runs took, if there were any.
    pub usual: Option<Usual>,
    /// The builds, where there is a plan with any.
    pub builds: Option<BuildsLeft>,
    /// What is fetched, where there is a plan with any.
    pub fetches: Option<Fetches>,
    /// What was said before.
    pub before: Before,
}
