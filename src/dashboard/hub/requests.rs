//! What operators ask of the hub, and why it may refuse.

use std::time::Duration;

use tokio::sync::oneshot;

use super::HubHandle;
use super::pushed::{Push, Pushed};
use crate::base::clock::Millis;
use crate::dashboard::store::StoreError;
use crate::run::id::{CommandName, HostName, RunId};

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
    /// The host pushes heartbeats and has no agent that takes commands.
    OnlyPushes(HostName),
    /// It is connected, and must not be for this.
    Connected(HostName),
    /// The host runs something.
    Busy {
        /// Which host.
        host: HostName,
        /// What it runs.
        command: String,
        /// Which run.
        run: RunId,
    },
    /// Enough runs wait for the host.
    QueueFull {
        /// Which host.
        host: HostName,
        /// How many wait.
        waiting: usize,
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
    Store {
        /// Why, in words.
        why: String,
        /// Stored data is damaged: waiting does not help.
        damaged: bool,
    },
    /// The dashboard is stopping.
    Stopping,
}

impl From<&StoreError> for Refusal {
    fn from(error: &StoreError) -> Self {
        Self::Store {
            why: error.to_string(),
            damaged: error.is_damage(),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

/// A run that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where.
    pub host: HostName,
    /// What.
    pub command: CommandName,
    /// With which arguments.
    pub args: Vec<String>,
    /// Who asks.
    pub by: String,
    /// How long it may wait for a host that is offline or busy; without, such a host is a refusal.
    pub wait: Option<Duration>,
}

/// A run that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub run: RunId,
    /// Until when it waits, by the dashboard's clock; none if it is on its way to the host.
    pub queued_until: Option<Millis>,
}

/// What an operator asks.
#[derive(Debug)]
pub enum HubRequest {
    /// A run.
    Run {
        /// Which one.
        ask: Ask,
        /// Once it is stored, and on its way or waiting.
        reply: oneshot::Sender<Result<Asked, Refusal>>,
    },
    /// Stop a run.
    Stop {
        /// Which one.
        run: RunId,
        /// Also in the middle of an activation.
        force: bool,
        /// Who asks.
        by: String,
        /// Once the host is told, or the run is cancelled.
        reply: oneshot::Sender<Result<RunId, Refusal>>,
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
    /// Asks for a run, and answers once it is stored.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn run(&self, ask: Ask) -> Result<Asked, Refusal> {
        self.ask(|reply| HubRequest::Run { ask, reply }).await
    }

    /// Asks to stop a run, or cancels one that waits.
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
