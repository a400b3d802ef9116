//! What operators ask of the hub, and why it may refuse.

use tokio::sync::oneshot;

use super::draft::{Draft, Reply};
use super::pushed::{Push, Pushed};
use super::{Hub, HubHandle};
use crate::dashboard::live::lock;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{CommandName, HostName, RunId, Seq};
use crate::run::view::RunView;
use crate::wire::to_agent::{RunRequest, RunStop, ToAgent};

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such host.
    UnknownHost(HostName),
    /// No such run.
    UnknownRun(RunId),
    /// The host does not offer that command.
    UnknownCommand {
        /// Which host.
        host: HostName,
        /// Which command.
        command: CommandName,
        /// The ones that it offers.
        offered: Vec<CommandName>,
    },
    /// The command takes no arguments there.
    NoArguments {
        /// Which host.
        host: HostName,
        /// Which command.
        command: CommandName,
    },
    /// The host is not connected.
    Offline(HostName),
    /// It is connected, and must not be for this.
    Connected(HostName),
    /// The host's agent speaks protocol 2.
    OldProtocol(HostName),
    /// The host runs something.
    Busy {
        /// Which host.
        host: HostName,
        /// What it runs.
        command: String,
        /// Which run.
        run: RunId,
    },
    /// Nothing runs there that could be stopped.
    Idle(HostName),
    /// The run is over.
    Over(RunId),
    /// The run's lines are pushed: there is no agent that could do something about it.
    Pushed(RunId),
    /// The run is an agent's own: nobody else may add lines to it.
    NotPushed(RunId),
    /// The store failed.
    Store(String),
    /// The dashboard is stopping.
    Stopping,
}

type Answer = oneshot::Sender<Result<RunId, Refusal>>;

/// What an operator asks.
#[derive(Debug)]
pub enum HubRequest {
    /// A run.
    Run {
        /// Where.
        host: HostName,
        /// What.
        command: CommandName,
        /// With which arguments.
        args: Vec<String>,
        /// Who asks.
        by: String,
        /// The run's id, once it is stored and on its way.
        reply: Answer,
    },
    /// Stop a run.
    Stop {
        /// Which one.
        run: RunId,
        /// Also in the middle of an activation.
        force: bool,
        /// Who asks.
        by: String,
        /// Once the host is told.
        reply: Answer,
    },
    /// Lines that are pushed.
    Push {
        /// Which, and where to.
        push: Box<Push>,
        /// Once they are stored.
        reply: oneshot::Sender<Result<Pushed, Refusal>>,
    },
    /// Remove a host and all its runs.
    Remove {
        /// Which one.
        host: HostName,
        /// Once it is gone.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
}

impl HubHandle {
    /// Asks for a run and answers its id once it is stored.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn run(
        &self,
        host: HostName,
        command: CommandName,
        args: Vec<String>,
        by: String,
    ) -> Result<RunId, Refusal> {
        self.ask(|reply| HubRequest::Run {
            host,
            command,
            args,
            by,
            reply,
        })
        .await
    }

    /// Asks to stop a run.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn stop(&self, run: RunId, force: bool, by: String) -> Result<RunId, Refusal> {
        self.ask(|reply| HubRequest::Stop {
            run,
            force,
            by,
            reply,
        })
        .await
    }

    /// Removes a host that is not connected.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn remove(&self, host: HostName) -> Result<(), Refusal> {
        self.ask(|reply| HubRequest::Remove { host, reply }).await
    }

    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> HubRequest,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_| Refusal::Stopping)?;
        answer.await.map_err(|_| Refusal::Stopping)?
    }
}

impl Hub {
    pub(super) async fn request(&mut self, draft: &mut Draft, request: HubRequest) {
        match request {
            HubRequest::Run {
                host,
                command,
                args,
                by,
                reply,
            } => match self.start(draft, &host, command, args, by) {
                Ok((run, message)) => draft.replies.push(Reply {
                    to: reply,
                    run,
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
            } => {
                let answer = self.stop(draft, run, force, by).await;
                let _ = reply.send(answer.map(|()| run));
            }
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

    fn start(
        &self,
        draft: &mut Draft,
        host: &HostName,
        command: CommandName,
        args: Vec<String>,
        by: String,
    ) -> Result<
        (
            RunId,
            (
                std::sync::Arc<crate::dashboard::agents::peer::Peer>,
                ToAgent,
            ),
        ),
        Refusal,
    > {
        let commands = self
            .fleet
            .commands(host)
            .ok_or_else(|| Refusal::UnknownHost(host.clone()))?;
        let peer = self
            .fleet
            .peer(host)
            // Before its welcome, nobody knows which runs the host has.
            .filter(|peer| peer.is_welcome())
            .ok_or_else(|| Refusal::Offline(host.clone()))?;
        if peer.protocol < 3 {
            return Err(Refusal::OldProtocol(host.clone()));
        }
        let offered = commands.iter().find(|offered| offered.name == command);
        if offered.is_some_and(|offered| !offered.takes_args) && !args.is_empty() {
            return Err(Refusal::NoArguments {
                host: host.clone(),
                command,
            });
        }
        if offered.is_none() {
            return Err(Refusal::UnknownCommand {
                host: host.clone(),
                command,
                offered: commands.into_iter().map(|offered| offered.name).collect(),
            });
        }
        let drafted = draft.runs.values().map(|changed| &changed.track);
        let kept = self
            .runs
            .values()
            .filter(|track| !draft.runs.contains_key(&track.row.id));
        if let Some(busy) = drafted
            .chain(kept)
            // Pushed lines do not keep a host from working.
            .find(|track| &track.row.host == host && !track.is_over() && !track.is_pushed())
        {
            return Err(Refusal::Busy {
                host: host.clone(),
                command: busy.row.command.clone(),
                run: busy.row.id,
            });
        }
        let row = RunRow {
            id: RunId::new(),
            host: host.clone(),
            command: command.to_string(),
            args: args.clone(),
            requested_by: by.clone(),
            created_at: draft.now,
            view: RunView::default(),
            last_seq: Seq(0),
        };
        let run = row.id;
        draft.insert(row);
        let message = ToAgent::Run(RunRequest {
            run,
            command,
            args,
            requested_by: by,
        });
        Ok((run, (peer, message)))
    }

    async fn stop(
        &self,
        draft: &Draft,
        run: RunId,
        force: bool,
        by: String,
    ) -> Result<(), Refusal> {
        let drafted = draft.runs.get(&run).map(|changed| &changed.track);
        let Some(track) = drafted.or_else(|| self.runs.get(&run)) else {
            return match self.store.run(run).await {
                Ok(Some(_)) => Err(Refusal::Over(run)),
                Ok(None) => Err(Refusal::UnknownRun(run)),
                Err(error) => Err(Refusal::Store(error.to_string())),
            };
        };
        if track.is_over() {
            return Err(Refusal::Over(run));
        }
        if track.is_pushed() {
            return Err(Refusal::Pushed(run));
        }
        let host = &track.row.host;
        let peer = self
            .fleet
            .peer(host)
            .ok_or_else(|| Refusal::Offline(host.clone()))?;
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
        if !done.map_err(|error| Refusal::Store(error.to_string()))? {
            return Err(Refusal::UnknownHost(host.clone()));
        }
        draft.forget(host);
        self.fleet.forget(host);
        let live = &self.live;
        self.runs.retain(|id, track| {
            let keep = &track.row.host != host;
            if !keep {
                live.forget(*id);
            }
            keep
        });
        lock(&self.ready.peers).retain(|peer| &peer.host != host);
        Ok(())
    }
}
