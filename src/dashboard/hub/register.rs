//! What a new connection changes: resume points, runs that the dashboard did not know, runs that the agent does not know.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use super::draft::Draft;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{RunId, Seq};
use crate::run::phase::RunState;
use crate::wire::to_dashboard::{CommandRejected, KnownRun, Register};

/// The most runs that one `register` may name; an agent that keeps more names the others on its next connection.
pub const MAX_KNOWN_RUNS: usize = 1000;
/// How long an agent may take to start a run; after a restart of the dashboard, from then on.
const UNTAKEN: Duration = Duration::from_secs(60);

impl Hub {
    /// A host registered.
    pub(super) async fn registered(
        &mut self,
        draft: &mut Draft,
        peer: &Arc<Peer>,
        register: Register,
    ) {
        if peer.is_visit {
            // It knows nothing of the runs of the agent that stays there, and is asked for none.
            draft.hosts.push((peer.host.clone(), register));
            draft.welcomes.push((Arc::clone(peer), Vec::new()));
            return;
        }
        let mut named = Vec::new();
        for known in register.runs.iter().take(MAX_KNOWN_RUNS) {
            match self.known_run(draft, peer, known).await {
                Ok(true) => named.push(known.run),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(host = %peer.host, "cannot welcome the host: {error}");
                    peer.close(1011, "the dashboard's store does not answer; try again");
                    return;
                }
            }
        }
        if peer.protocol >= 3 {
            let known: HashSet<RunId> = register.runs.iter().map(|known| known.run).collect();
            let lost: Vec<RunId> = self
                .runs
                .values()
                .filter(|track| {
                    track.row.host == peer.host
                        && !known.contains(&track.row.id)
                        && !track.is_pushed()
                        && !track.row.is_waiting()
                })
                .map(|track| track.row.id)
                .collect();
            for run in lost {
                self.conclude(draft, run, RunState::Lost, why_lost).await;
            }
        }
        if self.is_v2(&peer.host) {
            self.registered_v2(draft, peer).await;
        }
        peer.welcome();
        draft.hosts.push((peer.host.clone(), register));
        draft.welcomes.push((Arc::clone(peer), named));
    }

    /// A run whose journal is on the host. Says whether the host may continue it.
    async fn known_run(
        &self,
        draft: &mut Draft,
        peer: &Arc<Peer>,
        known: &KnownRun,
    ) -> Result<bool, crate::dashboard::store::StoreError> {
        let now = draft.now;
        if let Some(changed) = self.changed(draft, known.run).await? {
            if changed.track.row.host != peer.host {
                tracing::warn!(host = %peer.host, run = %known.run, "the host names another host's run");
                return Ok(false);
            }
            if changed.track.is_pushed() {
                tracing::warn!(host = %peer.host, run = %known.run, "the host names a run whose lines are pushed");
                return Ok(false);
            }
            // There is more of it: whatever was feared, it is found again.
            if known.last_seq > changed.track.last_seq() {
                changed.track.revive();
            }
            if changed.track.row.view.state == RunState::Queued {
                changed.track.row.notes.queued_until = None;
                changed.track.row.view.state = RunState::Starting;
            }
            return Ok(true);
        }
        tracing::info!(host = %peer.host, run = %known.run, "the host brings a run that was not known here");
        let command = known.command.to_string();
        draft.insert(RunRow::unasked(known.run, &peer.host, command, now));
        Ok(true)
    }

    /// Ends a run in the dashboard's own words.
    pub(super) async fn conclude(
        &self,
        draft: &mut Draft,
        run: RunId,
        state: RunState,
        reason: impl FnOnce(&RunRow) -> String,
    ) {
        let now = draft.now;
        if let Ok(Some(changed)) = self.changed(draft, run).await
            && !changed.track.is_over()
        {
            let reason = reason(&changed.track.row);
            changed.take_back();
            changed.track.conclude(now, state, reason);
        }
    }

    /// An agent did not start a run.
    pub(super) async fn rejected(
        &mut self,
        draft: &mut Draft,
        peer: &Arc<Peer>,
        rejected: CommandRejected,
    ) {
        let Some(run) = rejected.run else {
            self.rejected_v2(draft, &peer.host, &rejected).await;
            return;
        };
        let own = |host| host == &peer.host;
        let known = match draft.runs.get(&run) {
            Some(changed) => own(&changed.track.row.host),
            None => self
                .runs
                .get(&run)
                .is_some_and(|track| own(&track.row.host)),
        };
        if !known {
            tracing::warn!(host = %peer.host, %run, "the host rejects a run that is not its own, or over");
            return;
        }
        let reason = |_: &RunRow| {
            let mut reason = format!("the host did not start it: {}", rejected.reason);
            super::sanitize::cut(&mut reason);
            reason
        };
        self.conclude(draft, run, RunState::Failed, reason).await;
    }

    /// Ends runs that a connected agent did not take in time. Should their journal come later, they live again.
    pub(super) async fn give_up_untaken(&mut self, draft: &mut Draft) {
        let untaken: Vec<RunId> = self
            .runs
            .values()
            .filter(|track| {
                track.row.view.state == RunState::Queued
                    && !track.row.is_waiting()
                    && track.heard.elapsed() > UNTAKEN
                    && self.fleet.peer(&track.row.host).is_some()
            })
            .map(|track| track.row.id)
            .collect();
        for run in untaken {
            let reason = |_: &RunRow| {
                format!(
                    "the host is connected, but did not take the run within {} seconds; look at the agent's log, then ask again",
                    UNTAKEN.as_secs()
                )
            };
            self.remember_v2(draft, run);
            self.conclude(draft, run, RunState::Lost, reason).await;
        }
    }
}

/// What is known of a run whose host came back without it.
fn why_lost(row: &RunRow) -> String {
    if row.last_seq == Seq(0) {
        return "the connection broke before the host took it, and the host does not know it; it did nothing, ask again".into();
    }
    let phase = row
        .shown()
        .phase()
        .map_or_else(String::new, |phase| format!(" in phase {}", phase.name()));
    format!(
        "the host came back without this run's journal, after {} lines{phase}; how it ended is not known: look at the host's generation before asking again",
        row.view.lines
    )
}
