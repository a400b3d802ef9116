//! Tells how runs stand, ahead of their records: a flood of output delays no outcome.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::agent::runs::{Runs, Standing};
use crate::run::id::{RunId, Seq};
use crate::wire::to_dashboard::ToDashboard;

/// The shortest time between two statuses of a run that only prints or goes ahead.
const EVERY: Duration = Duration::from_secs(1);

/// What was told of a run last, and when.
type Told = HashMap<RunId, (Standing, Instant)>;

/// Tells until the queue's other end is gone: every kept run at first, then each one at once when its state, its phase
/// or its failed units change, and otherwise once a second while there are new records.
///
/// A status is made when the queue has a place for it. So what waits is never old, and of each run only the newest counts.
pub async fn report(runs: Arc<Runs>, queue: mpsc::Sender<ToDashboard>) {
    let mut changes = runs.changes();
    let mut told = Told::new();
    loop {
        changes.borrow_and_update();
        let standings = runs.standings();
        told.retain(|run, _| standings.iter().any(|standing| standing.run == *run));
        let next = standings
            .iter()
            .filter_map(|standing| Some((due(told.get(&standing.run), standing)?, standing.run)))
            .min_by_key(|(due, _)| *due);
        let Some((due, run)) = next else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        if due.is_some_and(|due| due > Instant::now()) {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep_until(due.unwrap_or_else(Instant::now)) => {}
            }
            continue;
        }
        let Ok(permit) = queue.reserve().await else {
            return;
        };
        if let Some(status) = runs.status(run) {
            told.insert(run, (Standing::of(&status), Instant::now()));
            permit.send(ToDashboard::RunStatus(Box::new(status)));
        }
    }
}

/// When a run is to be told of: `None` when there is nothing new, `Some(None)` at once.
#[expect(clippy::option_option, reason = "never, at once, or at a time")]
fn due(told: Option<&(Standing, Instant)>, now: &Standing) -> Option<Option<Instant>> {
    match told {
        // Nothing is known yet that the dashboard does not know.
        None if now.seen == Seq(0) => None,
        None => Some(None),
        Some((before, _)) if now.differs(before) => Some(None),
        Some((before, at)) => (now.seen != before.seen).then(|| Some(*at + EVERY)),
    }
}
