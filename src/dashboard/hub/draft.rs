//! One transaction in the making: changed copies of runs, and what is to be said once it is on the disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Hub;
use super::output::Added;
use super::pushed::Pushed;
use super::requests::{Asked, Refusal};
use super::track::Track;
use crate::base::clock::Millis;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::history::Built;
use crate::dashboard::live::Change;
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
    /// The builds that its new records tell of.
    pub built: Vec<Built>,
    /// When the newest of them was written, by the host's clock.
    pub heard: Option<Millis>,
    /// How it stood before.
    before: Option<RunState>,
    /// The last record that is in the store already.
    stored_seq: Seq,
}

impl Changed {
    /// A run that the store has, as it is there. Lines for readers are put together if it is `watched`.
    pub fn of(track: Track, watched: bool) -> Self {
        Self {
            before: Some(track.row.shown().state),
            new: false,
            added: Added::new(watched),
            built: Vec::new(),
            heard: None,
            stored_seq: track.last_seq(),
            track,
        }
    }
}

/// A message, and the connection that it goes to.
pub(super) type Addressed = (Arc<Peer>, ToAgent);

/// An answer that is due after the commit.
#[derive(Debug)]
pub(super) struct Reply {
    pub to: oneshot::Sender<Result<Asked, Refusal>>,
    pub asked: Asked,
    /// The message that starts the run; none for a run that waits.
    pub message: Option<Addressed>,
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
    /// Messages that start runs that have waited.
    pub starts: Vec<Addressed>,
    /// Who asked to stop a run, and which.
    pub stops: Vec<(oneshot::Sender<Result<RunId, Refusal>>, RunId)>,
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
        let track = Track::new(row, crate::dashboard::store::output::OutputEnd::default());
        let changed = Changed {
            new: true,
            before: None,
            ..Changed::of(track, false)
        };
        self.runs.insert(changed.track.row.id, changed);
    }

    /// Leaves out a host that is being removed.
    pub fn forget(&mut self, host: &HostName) {
        self.runs
            .retain(|_, changed| &changed.track.row.host != host);
        // Who asked for a run in the same moment is not told of one that is not stored.
        let (kept, gone) = std::mem::take(&mut self.replies)
            .into_iter()
            .partition(|reply| self.runs.contains_key(&reply.asked.run));
        self.replies = kept;
        for reply in gone {
            let _ = reply.to.send(Err(Refusal::UnknownHost(host.clone())));
        }
        self.hosts.retain(|(own, _)| own != host);
        self.welcomes.retain(|(peer, _)| &peer.host != host);
        self.starts.retain(|(peer, _)| &peer.host != host);
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
            let state = track.row.shown().state;
            if *before != Some(state) {
                commit.events.push(NewEvent {
                    at: self.now,
                    host: track.row.host.clone(),
                    run: Some(track.row.id),
                    what: state.name(),
                });
            }
            commit.updates.push(RunUpdate {
                row: track.row.clone(),
                output: std::mem::take(&mut added.steps),
            });
        }
        commit
    }

    /// It is on the disk: acknowledge, then publish.
    pub fn succeed(self, event: u64, hub: &mut Hub) {
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
                let seq = seq_of(run).or_else(|| hub.runs.get(run).map(Track::last_seq))?;
                Some(RunAck {
                    run: *run,
                    seq,
                    rewind: false,
                })
            };
            peer.send(ToAgent::Registered(Registered {
                subjects: peer.protocol >= 3,
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
        let changed: Vec<RunId> = self.runs.keys().copied().collect();
        for (id, changed) in self.runs {
            let Changed {
                track,
                added,
                before,
                ..
            } = changed;
            let state = track.row.shown().state;
            hub.live.publish(track.tip(&hub.fleet), added.lines);
            hub.show_activity(&track);
            if before != Some(state) {
                let view = &track.row.view;
                let took = view.finished_at.zip(view.started_at);
                let took = took.map(|(end, start)| end.saturating_sub(start));
                hub.counters.ended(state, took.map(Duration::from_millis));
            }
            let event = (before != Some(state)).then_some(event);
            hub.live.changed(Change::Run(id, event));
            hub.note_waiting(&track.row);
            if track.is_over() {
                hub.runs.remove(&id);
            } else {
                hub.runs.insert(id, track);
            }
        }
        for (peer, message) in self.starts {
            peer.send(message);
        }
        for Reply { to, asked, message } in self.replies {
            if let Some((peer, message)) = message {
                peer.send(message);
            }
            // Who asked may have gone; the run is started all the same.
            let _ = to.send(Ok(asked));
        }
        // After the messages that start runs.
        for run in changed {
            hub.tell_interval(run);
        }
        for (to, run) in self.stops {
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
        let refusal = Refusal::from(error);
        for reply in self.replies {
            let _ = reply.to.send(Err(refusal.clone()));
        }
        for (to, _) in self.pushes {
            let _ = to.send(Err(refusal.clone()));
        }
        for (to, _) in self.stops {
            let _ = to.send(Err(refusal.clone()));
        }
    }
}
