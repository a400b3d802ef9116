//! Runs of agents of the earlier protocol. They say lines and ends of commands, and never of which run; what a supervisor
//! would have journaled is made of that here, and stored, shown and ended like all other runs.
//!
//! What such an agent cannot promise is said: output that a lost link has swallowed is gone (the run is *incomplete*), and
//! a command whose end nobody reports is *lost*, as soon as the agent says that it does nothing, or has been away too long.

mod current;
mod deadlines;
mod ends;
mod follower;
mod lines;
mod progress;
mod steps;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use super::draft::Draft;
use super::track::Track;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::agents::v2::Heard;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{HostName, RunId};
use crate::run::phase::RunState;
use crate::wire::to_dashboard::CommandRejected;
use crate::wire::v2::{PROTOCOL, Status};
use ends::plain;
use follower::Follower;
use progress::{of_operations, of_tests};

/// The last lines of a command may come after its `status`: so long they are waited for.
const LATE: Duration = Duration::from_millis(200);
/// Lines that come after that, and belong to no other command, are said to be missing.
const LATER: Duration = Duration::from_secs(10);
/// After a switch such an agent exits: what it is sent before that is lost, so nothing is, for so long.
const RETURNS: Duration = Duration::from_secs(60);
/// What is said of output that a lost link may have swallowed.
const UNHEARD: &str = "the link to this agent was lost while it ran, and an agent of protocol 2 cannot send again what was lost";

/// All that is known of such agents and their runs beside what is stored.
#[derive(Debug, Default)]
pub(super) struct V2 {
    followers: HashMap<RunId, Follower>,
    hosts: HashMap<HostName, Standing>,
}

/// One agent.
#[derive(Debug, Default)]
struct Standing {
    /// Its current run, if it is known.
    run: Option<RunId>,
    /// It was asked for a run on an earlier connection, and has said nothing of it.
    unsure: Option<RunId>,
    /// Since when it says that it does nothing while a run goes on.
    idle: Option<Instant>,
    /// How the run ended, and when that was said.
    ended: Option<(Instant, Status)>,
    /// The same, said by a message that leaves out the words.
    complete: Option<(Instant, Option<i32>)>,
    /// Until when it is expected to exit.
    returns: Option<Instant>,
    /// Who asked to stop the run, when, and whether SIGKILL was sent.
    stop: Option<(String, Instant, bool)>,
    /// Since when it is offline.
    offline: Option<Instant>,
    /// A run that was given up: should the agent still be at it, it lives again.
    given_up: Option<(RunId, String)>,
    /// The last run that ended, and when.
    last: Option<(RunId, Instant)>,
}

impl V2 {
    /// Forgets a host.
    pub fn forget(&mut self, host: &HostName) {
        if let Some(standing) = self.hosts.remove(host) {
            standing.run.map(|run| self.followers.remove(&run));
        }
    }

    /// Whether a host's agent is about to exit.
    pub fn is_leaving(&self, host: &HostName) -> bool {
        let returns = self.hosts.get(host).and_then(|standing| standing.returns);
        returns.is_some_and(|until| Instant::now() < until)
    }

    /// When a run is to be ended.
    pub fn due(&self) -> Option<Instant> {
        let ends = self.hosts.values().filter_map(|host| host.ended.as_ref());
        ends.map(|(at, _)| *at + LATE).min()
    }
}

impl Hub {
    /// Takes a word.
    pub(super) async fn heard(&mut self, draft: &mut Draft, peer: &Arc<Peer>, heard: Heard) {
        let (host, now) = (&peer.host, draft.now);
        match heard {
            Heard::Line(output) => {
                if let Some(follower) = self.following(draft, host, &output.command).await {
                    follower.line(now, &output);
                } else if let Some((run, _)) = self.standing(host).last {
                    tracing::warn!(%host, %run, "a line that came after the end of its run is dropped");
                    self.note_unheard(draft, run, "lines came after its end and are not kept")
                        .await;
                }
            }
            Heard::Dropped { lines, bytes } => {
                if let Some(follower) = self.following(draft, host, "").await {
                    follower.gap(now, lines, bytes);
                }
            }
            Heard::Progress(operations) => {
                if let Some(progress) = of_operations(&operations)
                    && let Some(follower) = self.follower(draft, host)
                {
                    follower.progress(now, progress);
                }
            }
            Heard::Tests(tests) => {
                if let Some(follower) = self.follower(draft, host) {
                    follower.progress(now, of_tests(&tests));
                }
            }
            Heard::Doing(doing) => self.doing(draft, host, doing.as_deref()).await,
            Heard::Status(status) => self.ended(draft, host, status).await,
            Heard::Complete { command, exit_code } => {
                let run = self.current(draft, host);
                if run.is_some_and(|run| self.is_of(draft, run, &command)) {
                    self.standing(host).complete = Some((Instant::now(), exit_code));
                }
            }
        }
    }

    /// Writes what was heard of a host's run.
    pub(super) async fn write_heard(&mut self, draft: &mut Draft, host: &HostName) {
        let run = self.v2.hosts.get(host).and_then(|standing| standing.run);
        if let Some(run) = run {
            self.write_followed(draft, run).await;
        }
    }

    async fn write_followed(&mut self, draft: &mut Draft, run: RunId) {
        let Some(mut follower) = self.v2.followers.remove(&run) else {
            return;
        };
        follower.flush(draft.now);
        let stored = self.runs.get(&run).map(Track::last_seq);
        follower.stored(stored);
        if !follower.has_steps() {
            self.v2.followers.insert(run, follower);
            return;
        }
        if let Some(row) = follower.row()
            && stored.is_none()
            && !draft.runs.contains_key(&run)
        {
            draft.insert(row);
        }
        if let Ok(Some(changed)) = self.changed(draft, run).await {
            follower.write(changed);
        }
        self.v2.followers.insert(run, follower);
    }

    /// The agent registered: what it was doing before, it does not say.
    pub(super) async fn registered_v2(&mut self, draft: &mut Draft, peer: &Arc<Peer>) {
        let host = &peer.host;
        let run = self.current(draft, host);
        let standing = self.standing(host);
        standing.returns = None;
        standing.idle = None;
        standing.unsure = None;
        let Some(run) = run else { return };
        let command = self.command_of(draft, run);
        if matches!(command.as_str(), "restart" | "reboot") {
            let reason = format!(
                "the agent has come back after `{command}`; what it did in between it cannot tell"
            );
            self.finish_v2(draft, run, None, |_| plain(RunState::Succeeded, &reason))
                .await;
            return;
        }
        let begun = self
            .follower(draft, host)
            .is_some_and(|follower| follower.started);
        if begun {
            self.note_unheard(draft, run, UNHEARD).await;
        } else {
            self.standing(host).unsure = Some(run);
        }
    }

    /// What a heartbeat says.
    async fn doing(&mut self, draft: &mut Draft, host: &HostName, doing: Option<&str>) {
        let now = draft.now;
        self.standing(host).offline = None;
        let current = self.current(draft, host);
        let Some(command) = doing else {
            let Some(run) = current else { return };
            if self.standing(host).unsure.take() == Some(run) {
                let reason = |row: &RunRow| {
                    format!(
                        "the connection broke after `{}` was sent, and the agent is idle: whether it ran, an agent of protocol 2 cannot tell; look at the host's generation before asking again",
                        row.command
                    )
                };
                self.give_up(draft, host, run, reason).await;
            } else if self
                .follower(draft, host)
                .is_some_and(|follower| follower.started)
            {
                self.standing(host).idle.get_or_insert_with(Instant::now);
            }
            return;
        };
        if let Some(run) = self.current_or_given_up(draft, host, command) {
            if current.is_none() {
                self.revive_v2(draft, host, run).await;
            }
            let standing = self.standing(host);
            standing.idle = None;
            let unsure = standing.unsure.take() == Some(run);
            if let Some(follower) = self.follower(draft, host) {
                follower.begin(now);
            }
            if unsure {
                self.note_unheard(draft, run, UNHEARD).await;
            }
        }
    }

    /// A `status`.
    async fn ended(&mut self, draft: &mut Draft, host: &HostName, status: Status) {
        self.fleet.command_ended(host, &status.generation);
        let current = self.current(draft, host);
        let Some(run) = self.current_or_given_up(draft, host, &status.command) else {
            tracing::info!(%host, command = status.command, "the end of a command that was not asked for here");
            return;
        };
        if current.is_none() {
            self.revive_v2(draft, host, run).await;
        }
        let standing = self.standing(host);
        standing.complete = None;
        standing.idle = None;
        standing.ended.get_or_insert((Instant::now(), status));
    }

    /// A run was not started.
    pub(super) async fn rejected_v2(
        &mut self,
        draft: &mut Draft,
        host: &HostName,
        rejected: &CommandRejected,
    ) {
        let run = self.current(draft, host);
        let begun = self
            .follower(draft, host)
            .is_some_and(|follower| follower.started);
        let Some(run) = run.filter(|_| !begun) else {
            tracing::info!(%host, "a command was rejected: {}", rejected.reason);
            return;
        };
        let reason = |_: &RunRow| {
            let busy = rejected
                .current_command
                .as_deref()
                .filter(|command| !rejected.reason.contains(command));
            let busy = busy.map_or_else(String::new, |command| {
                format!("; `{command}` is running there")
            });
            let mut reason = format!("the host did not start it: {}{busy}", rejected.reason);
            super::sanitize::cut(&mut reason);
            reason
        };
        self.conclude(draft, run, RunState::Failed, reason).await;
        self.leave(host, run);
    }

    /// Ends a run as its agent says, or as its silence does.
    async fn finish_v2(
        &mut self,
        draft: &mut Draft,
        run: RunId,
        generation: Option<String>,
        outcome: impl FnOnce(&Follower) -> crate::run::event::Outcome,
    ) {
        let Some(host) = self.host_of(draft, run) else {
            return;
        };
        let Some(follower) = self.follower(draft, &host) else {
            return;
        };
        if follower.ended {
            return;
        }
        let now = draft.now;
        follower.flush(now);
        let told = outcome(follower);
        follower.finish(now, generation, told);
        self.write_followed(draft, run).await;
        let standing = self.standing(&host);
        standing.last = Some((run, Instant::now()));
        standing.given_up = None;
        self.settle(&host);
    }
}
