//! What the hub does for operators: starts, stops, removals.

use std::sync::Arc;

use tokio::time::Instant;

use super::Hub;
use super::draft::{Addressed, Draft, Reply};
use super::requests::{Ask, Asked, HubRequest, Refusal};
use super::track::Track;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::live::lock;
use crate::dashboard::store::runs::{Notes, RunRow};
use crate::run::id::{CommandName, HostName, RunId, Seq};
use crate::run::phase::RunState;
use crate::run::view::RunView;
use crate::wire::to_agent::{RunRequest, RunStop, ToAgent};

impl Hub {
    pub(super) async fn request(&mut self, draft: &mut Draft, request: HubRequest) {
        match request {
            HubRequest::Run { ask, reply } => match self.start(draft, ask) {
                Ok((asked, message)) => draft.replies.push(Reply {
                    to: reply,
                    asked,
                    message,
                }),
                Err(refusal) => {
                    let _ = reply.send(Err(refusal));
                }
            },
            HubRequest::Stop {
                run,
                force,
                by,
                reply,
            } => match self.stop(draft, run, force, by).await {
                Ok(()) => draft.stops.push((reply, run)),
                Err(refusal) => {
                    let _ = reply.send(Err(refusal));
                }
            },
            HubRequest::Push { push, reply } => match self.push(draft, *push).await {
                Ok(run) => draft.pushes.push((reply, run)),
                Err(refusal) => {
                    let _ = reply.send(Err(refusal));
                }
            },
            HubRequest::Remove { host, reply } => {
                let _ = reply.send(self.remove(draft, &host).await);
            }
        }
    }

    /// A new run, and the message that starts it unless it waits.
    fn start(&self, draft: &mut Draft, ask: Ask) -> Result<(Asked, Option<Addressed>), Refusal> {
        let host = &ask.host;
        if self.fleet.commands(host).is_none() {
            return Err(Refusal::UnknownHost(host.clone()));
        }
        if self.fleet.only_pushes(host) {
            return Err(Refusal::OnlyPushes(host.clone()));
        }
        let peer = self.welcome_peer(host);
        let waits = ask.wait.is_some();
        if !waits && peer.is_none() {
            return Err(Refusal::Offline(host.clone()));
        }
        // A host that never was here offers what nobody knows yet: that is looked at when it comes.
        if !waits || self.fleet.protocol(host).is_some() {
            self.offers(host, &ask.command, &ask.args)?;
        }
        let busy = self.busy(draft, host);
        let queued_until = match ask.wait {
            None => match busy {
                Some(busy) => return Err(busy),
                None => None,
            },
            Some(wait) => {
                let waiting = self.waiting(draft, host).len();
                if peer.is_some() && busy.is_none() && waiting == 0 {
                    None
                } else if waiting >= super::queue::MAX_WAITING {
                    return Err(Refusal::QueueFull {
                        host: host.clone(),
                        waiting,
                    });
                } else {
                    Some(draft.now.saturating_add(wait.as_millis() as u64))
                }
            }
        };
        let row = RunRow {
            id: RunId::new(),
            host: ask.host,
            command: ask.command.to_string(),
            args: ask.args,
            requested_by: ask.by,
            created_at: draft.now,
            view: RunView::default(),
            last_seq: Seq(0),
            notes: Notes {
                queued_until,
                ..Notes::new()
            },
        };
        let asked = Asked {
            run: row.id,
            queued_until,
        };
        let message = peer
            .filter(|_| queued_until.is_none())
            .map(|peer| (peer, request(&row, ask.command)));
        draft.insert(row);
        Ok((asked, message))
    }

    /// The connection of a host that may be asked for runs: before its welcome, nobody knows which ones it has.
    pub(super) fn welcome_peer(&self, host: &HostName) -> Option<Arc<Peer>> {
        self.fleet.peer(host).filter(|peer| peer.is_welcome())
    }

    /// Whether the host can run that, by what it last said of itself.
    pub(super) fn offers(
        &self,
        host: &HostName,
        command: &CommandName,
        args: &[String],
    ) -> Result<(), Refusal> {
        let commands = self.fleet.commands(host).unwrap_or_default();
        match commands.iter().find(|offered| &offered.name == command) {
            Some(offered) if !offered.takes_args && !args.is_empty() => Err(Refusal::NoArguments {
                host: host.clone(),
                command: command.clone(),
            }),
            Some(_) => Ok(()),
            None => Err(Refusal::UnknownCommand {
                host: host.clone(),
                command: command.clone(),
                offered: commands.into_iter().map(|offered| offered.name).collect(),
            }),
        }
    }

    /// All runs of which more may come, as the draft has them.
    pub(super) fn tracks<'a>(&'a self, draft: &'a Draft) -> impl Iterator<Item = &'a Track> {
        let drafted = draft.runs.values().map(|changed| &changed.track);
        let kept = self.runs.values();
        drafted.chain(kept.filter(|track| !draft.runs.contains_key(&track.row.id)))
    }

    /// What keeps the host from working.
    pub(super) fn busy(&self, draft: &Draft, host: &HostName) -> Option<Refusal> {
        let busy = self
            .tracks(draft)
            .find(|track| &track.row.host == host && track.is_busy())?;
        Some(Refusal::Busy {
            host: host.clone(),
            command: busy.row.command.clone(),
            run: busy.row.id,
        })
    }

    async fn stop(
        &mut self,
        draft: &mut Draft,
        run: RunId,
        force: bool,
        by: String,
    ) -> Result<(), Refusal> {
        let drafted = draft.runs.get(&run).map(|changed| &changed.track);
        let Some(track) = drafted.or_else(|| self.runs.get(&run)) else {
            return match self.store.run(run).await {
                Ok(Some(_)) => Err(Refusal::Over(run)),
                Ok(None) => Err(Refusal::UnknownRun(run)),
                Err(error) => Err(error.into()),
            };
        };
        if track.row.has_ended() {
            return Err(Refusal::Over(run));
        }
        if track.is_pushed() {
            return Err(Refusal::Pushed(run));
        }
        if track.row.is_waiting() {
            let reason = |_: &RunRow| format!("cancelled by {by} before it began");
            self.conclude(draft, run, RunState::Stopped, reason).await;
            return Ok(());
        }
        let host = &track.row.host;
        let peer = self
            .fleet
            .peer(host)
            .ok_or_else(|| Refusal::Offline(host.clone()))?;
        if self.is_v2(host) {
            self.stop_v2(draft, &peer, run, force, &by).await;
            return Ok(());
        }
        peer.send(ToAgent::RunStop(RunStop {
            run,
            force,
            requested_by: by,
        }));
        Ok(())
    }

    async fn remove(&mut self, draft: &mut Draft, host: &HostName) -> Result<(), Refusal> {
        if self.fleet.peer(host).is_some() {
            return Err(Refusal::Connected(host.clone()));
        }
        let done = self.store.delete_host(host).await;
        if !done? {
            return Err(Refusal::UnknownHost(host.clone()));
        }
        draft.forget(host);
        self.fleet.forget(host);
        self.queue.remove(host);
        self.v2.forget(host);
        self.history.forget(host.as_str());
        let (live, forecasts) = (&self.live, &mut self.forecasts);
        self.runs.retain(|id, track| {
            let keep = &track.row.host != host;
            if !keep {
                forecasts.remove(id);
                live.forget(*id);
            }
            keep
        });
        lock(&self.ready.peers).retain(|peer| &peer.host != host);
        Ok(())
    }
}

/// The message that starts a run.
pub(super) fn request(row: &RunRow, command: CommandName) -> ToAgent {
    ToAgent::Run(RunRequest {
        run: row.id,
        command,
        args: row.args.clone(),
        requested_by: row.requested_by.clone(),
    })
}

impl Track {
    /// It is on its way to its host.
    pub(super) fn sent(&mut self) {
        self.row.notes.queued_until = None;
        self.heard = Instant::now();
    }
}
