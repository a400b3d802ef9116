//! One transaction in the making: changed copies of runs, and what is to be said once it is on the disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::Hub;
use super::output::Added;
use super::pushed::Pushed;
use super::requests::Refusal;
use super::track::Track;
use crate::base::clock::Millis;
use crate::dashboard::agents::peer::{Batch, Peer};
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::{Change, Live};
use crate::dashboard::store::StoreError;
use crate::dashboard::store::commit::{Commit, RunUpdate};
use crate::dashboard::store::events::NewEvent;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{HostName, RunId, Seq};
use crate::run::phase::RunState;
use crate::wire::to_agent::{Registered, RunAck, ToAgent};
use crate::wire::to_dashboard::Register;

/// A run that changes.
#[derive(Debug)]
pub(super) struct Changed {
    pub track: Track,
    /// Whether the store does not have it yet.
    pub new: bool,
    pub added: Added,
    /// How it stood before.
    before: Option<RunState>,
    /// The last record that is in the store already.
    stored_seq: Seq,
}

/// An answer that is due after the commit.
#[derive(Debug)]
pub(super) struct Reply {
    pub to: oneshot::Sender<Result<RunId, Refusal>>,
    pub run: RunId,
    /// The message that starts the run, and the connection it goes to.
    pub message: (Arc<Peer>, ToAgent),
}

/// One transaction in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub now: Millis,
    pub runs: HashMap<RunId, Changed>,
    pub hosts: Vec<(HostName, Register)>,
    /// Whom to tell how far which run is, and whether to go back.
    pub acks: HashMap<(u64, RunId), (Arc<Peer>, bool)>,
    /// Whom to welcome, with the runs that it named.
    pub welcomes: Vec<(Arc<Peer>, Vec<RunId>)>,
    pub replies: Vec<Reply>,
    /// Who pushed lines, and to which run.
    pub pushes: Vec<(oneshot::Sender<Result<Pushed, Refusal>>, RunId)>,
    pub n_records: u64,
}

impl Draft {
    pub fn new(now: Millis) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// A new run.
    pub fn insert(&mut self, row: RunRow) {
        let changed = Changed {
            track: Track::new(row, crate::dashboard::store::output::OutputEnd::default()),
            new: true,
            added: Added::default(),
            before: None,
            stored_seq: Seq(0),
        };
        self.runs.insert(changed.track.row.id, changed);
    }

    /// Leaves out a host that is being removed.
    pub fn forget(&mut self, host: &HostName) {
        self.runs
            .retain(|_, changed| &changed.track.row.host != host);
        self.hosts.retain(|(own, _)| own != host);
        self.welcomes.retain(|(peer, _)| &peer.host != host);
    }

    /// What is to be written.
    pub fn commit(&mut self) -> Commit {
        let mut commit = Commit {
            hosts: self.hosts.clone(),
            now: self.now,
            ..Commit::default()
        };
        for changed in self.runs.values_mut() {
            let over = changed.track.is_over();
            changed.added.flush(&mut changed.track.sizes);
            let Changed {
                track,
                added,
                new,
                before,
                ..
            } = changed;
            if over && let Some(offset) = track.sizes.finish() {
                added
                    .steps
                    .push(crate::dashboard::store::commit::OutputStep::Merge(offset));
            }
            if *new {
                commit.runs.push(track.row.clone());
            }
            if *before != Some(track.row.view.state) {
                commit.events.push(NewEvent {
                    at: self.now,
                    host: track.row.host.clone(),
                    run: Some(track.row.id),
                    what: track.row.view.state.name(),
                });
            }
            commit.updates.push(RunUpdate {
                run: track.row.id,
                view: track.row.view.clone(),
                last_seq: track.row.last_seq,
                output: std::mem::take(&mut added.steps),
            });
        }
        commit
    }

    /// It is on the disk: acknowledge, then publish.
    pub fn succeed(self, event: u64, live: &Live, fleet: &Fleet, runs: &mut HashMap<RunId, Track>) {
        let seq_of = |run: &RunId| self.runs.get(run).map(|changed| changed.track.last_seq());
        for ((_, run), (peer, rewind)) in &self.acks {
            if let Some(seq) = seq_of(run) {
                peer.send(ToAgent::RunAck(RunAck {
                    run: *run,
                    seq,
                    rewind: *rewind,
                }));
            }
        }
        for (peer, named) in self.welcomes {
            let resume = |run: &RunId| {
                let seq = seq_of(run).or_else(|| runs.get(run).map(Track::last_seq))?;
                Some(RunAck {
                    run: *run,
                    seq,
                    rewind: false,
                })
            };
            peer.send(ToAgent::Registered(Registered {
                host_id: peer.host.to_string(),
                protocol: (peer.protocol >= 3).then_some(crate::wire::PROTOCOL),
                resume: named.iter().filter_map(resume).collect(),
            }));
        }
        let pushed: Vec<_> = self
            .pushes
            .into_iter()
            .map(|(to, run)| {
                let changed = self.runs.get(&run).ok_or(Refusal::UnknownRun(run));
                let lines = |changed: &Changed| changed.track.end.lines;
                (
                    to,
                    changed.map(|changed| Pushed {
                        run,
                        lines: lines(changed),
                    }),
                )
            })
            .collect();
        for (id, changed) in self.runs {
            let Changed {
                track,
                added,
                before,
                ..
            } = changed;
            let state = track.row.view.state;
            live.publish(track.tip(), added.lines);
            // What an agent does counts more than what somebody pushes.
            let hidden = track.is_pushed() && fleet.peer(&track.row.host).is_some();
            let activity = track.activity().filter(|_| !hidden);
            fleet.set_activity(&track.row.host, id, activity);
            live.changed(Change::Run(id, (before != Some(state)).then_some(event)));
            if track.is_over() {
                runs.remove(&id);
            } else {
                runs.insert(id, track);
            }
        }
        for Reply { to, run, message } in self.replies {
            message.0.send(message.1);
            // Who asked may have gone; the run is started all the same.
            let _ = to.send(Ok(run));
        }
        for (to, answer) in pushed {
            let _ = to.send(answer);
        }
    }

    /// It is not on the disk: nothing has changed, and agents continue from what is.
    pub fn fail(self, error: &StoreError) {
        for ((_, run), (peer, _)) in self.acks {
            if let Some(changed) = self.runs.get(&run) {
                peer.send(ToAgent::RunAck(RunAck {
                    run,
                    seq: changed.stored_seq,
                    rewind: true,
                }));
            }
        }
        for (peer, _) in self.welcomes {
            peer.close(1011, "the dashboard's store does not answer; try again");
        }
        let why = error.to_string();
        for reply in self.replies {
            let _ = reply.to.send(Err(Refusal::Store(why.clone())));
        }
        for (to, _) in self.pushes {
            let _ = to.send(Err(Refusal::Store(why.clone())));
        }
    }
}

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
        Ok(Some(slot.insert(Changed {
            before: Some(track.row.view.state),
            new: false,
            added: Added::new(self.live.is_watched(run)),
            stored_seq: track.last_seq(),
            track,
        })))
    }

    /// Takes an agent's records.
    pub(super) async fn records(&self, draft: &mut Draft, peer: &Arc<Peer>, batch: Batch) {
        let changed = match self.changed(draft, batch.run).await {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                tracing::warn!(host = %peer.host, run = %batch.run, "records of a run that was never asked for or announced are ignored");
                return;
            }
            Err(error) => {
                tracing::error!(run = %batch.run, "records are not taken: {error}");
                peer.close(1011, "the dashboard's store does not answer; try again");
                return;
            }
        };
        if changed.track.row.host != peer.host {
            tracing::warn!(host = %peer.host, run = %batch.run, "records of another host's run are ignored");
            return;
        }
        if changed.track.is_pushed() {
            tracing::warn!(host = %peer.host, run = %batch.run, "records of a run whose lines are pushed are ignored");
            return;
        }
        let mut rewind = batch.damaged;
        let mut n_records = 0;
        for record in batch.records {
            let last = changed.track.last_seq();
            if record.seq <= last {
                continue;
            }
            if record.seq != last.next() {
                rewind = true;
                break;
            }
            changed.track.revive();
            changed.track.row.last_seq = record.seq;
            changed.apply(record.event, &record.raw);
            n_records += 1;
        }
        draft.n_records += n_records;
        let ack = draft
            .acks
            .entry((peer.id, batch.run))
            .or_insert_with(|| (Arc::clone(peer), false));
        ack.1 |= rewind;
    }
}
