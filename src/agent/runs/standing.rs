//! How the runs stand, for telling it ahead of their records.

use super::Runs;
use crate::run::id::{RunId, Seq};
use crate::run::phase::{Phase, RunState};
use crate::run::view::RunView;
use crate::wire::to_dashboard::RunStatus;

/// As much of a run as decides when its status is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which run.
    pub run: RunId,
    /// The newest record that is known.
    pub seen: Seq,
    /// How it stands.
    pub state: RunState,
    /// Its phase, and the how manieth that is.
    pub phase: (Option<Phase>, usize),
    /// How many units have failed.
    pub failed_units: usize,
}

impl Standing {
    fn new(run: RunId, seen: Seq, view: &RunView) -> Self {
        Self {
            run,
            seen,
            state: view.state,
            phase: (view.phase(), view.phases.len()),
            failed_units: view.failed_units.len(),
        }
    }

    /// As the status tells it.
    pub fn of(status: &RunStatus) -> Self {
        Self::new(status.run, status.last_seq, &status.view)
    }

    /// Whether anything but output and progress has come since `earlier`.
    pub fn differs(&self, earlier: &Self) -> bool {
        (self.state, self.phase, self.failed_units)
            != (earlier.state, earlier.phase, earlier.failed_units)
    }
}

impl Runs {
    /// How each kept run stands.
    pub fn standings(&self) -> Vec<Standing> {
        let entries = self.lock();
        let standing = entries
            .iter()
            .map(|entry| Standing::new(entry.id, entry.seen, &entry.view));
        standing.collect()
    }

    /// All that is known of a run now; none once it is not kept any more.
    pub fn status(&self, run: RunId) -> Option<RunStatus> {
        let entries = self.lock();
        let entry = entries.iter().find(|entry| entry.id == run)?;
        Some(RunStatus {
            run,
            last_seq: entry.seen,
            view: entry.view.clone(),
        })
    }
}
