//! Agents' journal records, and what agents say ahead of them.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Hub;
use super::draft::{Changed, Draft};
use super::track::Track;
use crate::dashboard::agents::peer::{Batch, Peer};
use crate::dashboard::store::StoreError;
use crate::run::event::RunEvent;
use crate::run::id::RunId;
use crate::wire::to_dashboard::RunStatus;

impl Hub {
    /// A run that is to change, from this draft, from memory, or from the store.
    pub(super) async fn changed<'a>(
        &self,
        draft: &'a mut Draft,
        run: RunId,
    ) -> Result<Option<&'a mut Changed>, StoreError> {
        let slot = match draft.runs.entry(run) {
            Entry::Occupied(slot) => return Ok(Some(slot.into_mut())),
            Entry::Vacant(slot) => slot,
        };
        let track = match self.runs.get(&run) {
            Some(track) => track.clone(),
            None => match self.store.run(run).await? {
                Some(row) => Track::new(row, self.store.output_end(run).await?),
                None => return Ok(None),
            },
        };
        let watched = self.live.is_watched(run);
        Ok(Some(slot.insert(Changed::of(track, watched))))
    }

    /// The run that an agent speaks of, if it is its own.
    async fn own<'a>(
        &self,
        draft: &'a mut Draft,
        peer: &Arc<Peer>,
        run: RunId,
    ) -> Option<&'a mut Changed> {
        let changed = match self.changed(draft, run).await {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                tracing::warn!(host = %peer.host, %run, "records of a run that was never asked for or announced are ignored");
                return None;
            }
            Err(error) => {
                tracing::error!(%run, "records are not taken: {error}");
                peer.close(1011, "the dashboard's store does not answer; try again");
                return None;
            }
        };
        if changed.track.row.host != peer.host {
            tracing::warn!(host = %peer.host, %run, "records of another host's run are ignored");
            return None;
        }
        if changed.track.is_pushed() {
            tracing::warn!(host = %peer.host, %run, "records of a run whose lines are pushed are ignored");
            return None;
        }
        Some(changed)
    }

    /// Takes an agent's records.
    pub(super) async fn records(&self, draft: &mut Draft, peer: &Arc<Peer>, batch: Batch) {
        let run = batch.run;
        let Some(changed) = self.own(draft, peer, run).await else {
            return;
        };
        let mut rewind = batch.damaged;
        let mut n_records = 0;
        for record in batch.records {
            let last = changed.track.last_seq();
            if record.seq <= last {
                continue;
            }
            let next = record.seq == last.next();
            if !next && !matches!(record.event, RunEvent::Checkpoint { .. }) {
                rewind = true;
                break;
            }
            changed.track.revive();
            n_records += 1;
            if changed.take(record) {
                rewind = true;
                break;
            }
        }
        draft.n_records += n_records;
        let ack = draft
            .acks
            .entry((peer.id, run))
            .or_insert_with(|| (Arc::clone(peer), false));
        ack.1 |= rewind;
    }

    /// Takes what an agent says of a run ahead of its records.
    pub(super) async fn status(&self, draft: &mut Draft, peer: &Arc<Peer>, status: RunStatus) {
        if let Some(changed) = self.own(draft, peer, status.run).await {
            changed.track.overtake(status.last_seq, status.view);
        }
    }
}
