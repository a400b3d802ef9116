//! Which run an earlier agent speaks of.

use tokio::time::Instant;

use super::follower::Follower;
use super::{LATER, PROTOCOL, RETURNS, Standing, UNHEARD};
use crate::dashboard::hub::Hub;
use crate::dashboard::hub::draft::Draft;
use crate::dashboard::hub::track::Track;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{CommandName, HostName, RunId};
use crate::run::kind::RunKind;
use crate::run::phase::RunState;

impl Hub {
    /// What is known of an agent.
    pub(super) fn standing(&mut self, host: &HostName) -> &mut Standing {
        self.v2.hosts.entry(host.clone()).or_default()
    }

    /// Whether a host's agent speaks the earlier protocol.
    pub(in crate::dashboard::hub) fn is_v2(&self, host: &HostName) -> bool {
        self.fleet.protocol(host) == Some(PROTOCOL)
    }

    /// The run that goes on there.
    pub(super) fn current(&mut self, draft: &Draft, host: &HostName) -> Option<RunId> {
        let known = self.v2.hosts.get(host).and_then(|standing| standing.run);
        if let Some(run) = known
            && let Some(follower) = self.v2.followers.get(&run)
            && !follower.ended
        {
            let drafted = draft.runs.get(&run).map(|changed| &changed.track);
            let track = drafted.or_else(|| self.runs.get(&run));
            if track.map_or(follower.is_new(), Track::is_busy) {
                return Some(run);
            }
        }
        let busy = self
            .tracks(draft)
            .find(|track| &track.row.host == host && track.is_busy());
        let run = busy.map(|track| track.row.id);
        self.standing(host).run = run;
        run
    }

    /// The one who follows it.
    pub(super) fn follower(&mut self, draft: &Draft, host: &HostName) -> Option<&mut Follower> {
        let run = self.current(draft, host)?;
        if !self.v2.followers.contains_key(&run) {
            let host_type = self.fleet.host_type(host);
            let drafted = draft.runs.get(&run).map(|changed| &changed.track);
            let track = drafted.or_else(|| self.runs.get(&run))?;
            let follower = Follower::of(track, &host_type);
            self.v2.followers.insert(run, follower);
        }
        self.v2.followers.get_mut(&run)
    }

    /// The one who follows the run that a line belongs to, which may be one that nobody asked for here. None for a line that
    /// comes after the end of its run.
    pub(super) async fn following(
        &mut self,
        draft: &mut Draft,
        host: &HostName,
        command: &str,
    ) -> Option<&mut Follower> {
        let now = draft.now;
        if let Some(run) = self.current(draft, host) {
            let standing = self.standing(host);
            standing.idle = None;
            if standing.unsure.take() == Some(run) {
                self.note_unheard(draft, run, UNHEARD).await;
            }
            return self.follower(draft, host);
        }
        if let Some(run) = self.current_or_given_up(draft, host, command) {
            self.revive_v2(draft, host, run).await;
            return self.v2.followers.get_mut(&run);
        }
        if let Some((run, at)) = self.standing(host).last
            && at.elapsed() < LATER
            && (command.is_empty()
                || self.stored_command(draft, run).await.as_deref() == Some(command))
        {
            return None;
        }
        let row = unasked(host, command, now);
        let run = row.id;
        tracing::info!(%host, %run, "the host does something that was not asked for here");
        let follower = Follower::of_new(row.clone(), &self.fleet.host_type(host));
        draft.insert(row);
        self.v2.followers.insert(run, follower);
        self.standing(host).run = Some(run);
        self.v2.followers.get_mut(&run)
    }

    /// The command of a run that goes on.
    pub(super) fn command_of(&self, draft: &Draft, run: RunId) -> String {
        let drafted = draft.runs.get(&run).map(|changed| &changed.track);
        let track = drafted.or_else(|| self.runs.get(&run));
        track.map_or_else(String::new, |track| track.row.command.clone())
    }

    async fn stored_command(&self, draft: &mut Draft, run: RunId) -> Option<String> {
        let changed = self.changed(draft, run).await.ok()??;
        Some(changed.track.row.command.clone())
    }

    /// The host of a run that goes on.
    pub(super) fn host_of(&self, draft: &Draft, run: RunId) -> Option<HostName> {
        let drafted = draft.runs.get(&run).map(|changed| &changed.track);
        let track = drafted.or_else(|| self.runs.get(&run))?;
        Some(track.row.host.clone())
    }

    /// Whether a message that names `command` can be about that run.
    pub(super) fn is_of(&self, draft: &Draft, run: RunId, command: &str) -> bool {
        let own = self.command_of(draft, run);
        command.is_empty() || own == command
    }

    /// The run that goes on, or the one that was given up, if a message that names `command` can be about it.
    pub(super) fn current_or_given_up(
        &mut self,
        draft: &Draft,
        host: &HostName,
        command: &str,
    ) -> Option<RunId> {
        if let Some(run) = self.current(draft, host) {
            return Some(run).filter(|run| self.is_of(draft, *run, command));
        }
        let given_up = self.standing(host).given_up.as_ref();
        let same = |(_, own): &&(RunId, String)| command.is_empty() || own == command;
        given_up.filter(same).map(|(run, _)| *run)
    }

    /// Notes why a run's output may not be whole.
    pub(super) async fn note_unheard(&self, draft: &mut Draft, run: RunId, why: &str) {
        if let Ok(Some(changed)) = self.changed(draft, run).await {
            changed
                .track
                .row
                .notes
                .unheard
                .get_or_insert_with(|| why.to_owned());
        }
    }

    /// Takes back that a run was given up: its agent is still at it.
    pub(super) async fn revive_v2(&mut self, draft: &mut Draft, host: &HostName, run: RunId) {
        self.standing(host).given_up = None;
        let host_type = self.fleet.host_type(host);
        let Ok(Some(changed)) = self.changed(draft, run).await else {
            return;
        };
        changed.track.revive();
        let notes = &mut changed.track.row.notes;
        notes.unheard.get_or_insert_with(|| UNHEARD.to_owned());
        let follower = Follower::of(&changed.track, &host_type);
        self.v2.followers.insert(run, follower);
        self.standing(host).run = Some(run);
    }

    /// Ends a run in the dashboard's own words, but remembers it: the agent may still be at it.
    pub(super) async fn give_up(
        &mut self,
        draft: &mut Draft,
        host: &HostName,
        run: RunId,
        reason: impl FnOnce(&RunRow) -> String,
    ) {
        let command = self.command_of(draft, run);
        self.write_followed(draft, run).await;
        self.conclude(draft, run, RunState::Lost, reason).await;
        self.leave(host, run);
        self.standing(host).given_up = Some((run, command));
    }

    /// Remembers a run that is given up elsewhere, if it is an earlier agent's.
    pub(in crate::dashboard::hub) fn remember_v2(&mut self, draft: &Draft, run: RunId) {
        if let Some(host) = self.host_of(draft, run).filter(|host| self.is_v2(host)) {
            let command = self.command_of(draft, run);
            self.standing(&host).given_up = Some((run, command));
        }
    }

    /// A run is over: nobody follows it any more.
    pub(super) fn leave(&mut self, host: &HostName, run: RunId) {
        self.v2.followers.remove(&run);
        self.settle(host);
    }

    /// Forgets what was known of the run that went on.
    pub(super) fn settle(&mut self, host: &HostName) {
        let standing = self.standing(host);
        (standing.idle, standing.unsure, standing.stop) = (None, None, None);
        (standing.ended, standing.complete, standing.offline) = (None, None, None);
    }

    /// After a switch the agent exits and comes back as the new program.
    pub(super) fn expect_return(&mut self, host: &HostName, kind: &RunKind) {
        if matches!(kind, RunKind::Rebuild { action, .. } if action == "switch") {
            self.fleet.expect_return(host);
            self.standing(host).returns = Some(Instant::now() + RETURNS);
        }
    }
}

/// A run that an agent does, and nobody asked for here.
fn unasked(host: &HostName, command: &str, now: u64) -> RunRow {
    let command = command.parse::<CommandName>();
    let command = command.map_or_else(|_| "unknown".into(), String::from);
    RunRow::unasked(RunId::new(), host, command, now)
}
