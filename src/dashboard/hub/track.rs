//! A run as the hub keeps it while it goes on.

use tokio::time::Instant;

use super::foresee::Said;
use super::pushed;
use crate::base::clock::rfc3339;
use crate::dashboard::eta::aged;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::Tip;
use crate::dashboard::store::output::{OutputEnd, Sizes};
use crate::dashboard::store::runs::{Ahead, Cut, RunRow};
use crate::run::event::Outcome;
use crate::run::id::Seq;
use crate::run::phase::RunState;
use crate::run::view::RunView;
use crate::wire::api::HostActivity;

/// A run with the end of its output.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// What is stored of it.
    pub row: RunRow,
    /// Where its output ends.
    pub end: OutputEnd,
    /// The small chunks at its end.
    pub sizes: Sizes,
    /// When lines were last pushed to it, or this process first saw it: what its deadlines count from.
    pub heard: Instant,
    /// Whether its readers were told that its host has gone away in its activation.
    pub away: bool,
    /// What is said of its end.
    pub said: Option<Said>,
    /// The connection that was told how long output may wait, and how long.
    pub told: Option<(u64, u32)>,
}

impl Track {
    pub fn new(row: RunRow, end: OutputEnd) -> Self {
        Self {
            row,
            end,
            sizes: Sizes::default(),
            heard: Instant::now(),
            away: false,
            said: None,
            told: None,
        }
    }

    /// Whether its lines are pushed over HTTP, not shipped by an agent.
    pub fn is_pushed(&self) -> bool {
        self.row.requested_by.starts_with(pushed::BY)
    }

    /// The last committed record.
    pub fn last_seq(&self) -> Seq {
        self.row.last_seq
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.row.is_complete()
    }

    /// Whether it keeps its host from working: pushed lines, runs that wait and runs that have ended do not.
    pub fn is_busy(&self) -> bool {
        !self.is_pushed() && !self.row.is_waiting() && !self.row.has_ended()
    }

    /// Takes what the host says of it ahead of its records. Nothing moves backwards by it.
    pub fn overtake(&mut self, last_seq: Seq, view: RunView) {
        if last_seq <= self.row.last_seq {
            return;
        }
        self.revive();
        let rank = |state: RunState| match state {
            RunState::Queued => 0,
            RunState::Starting => 1,
            RunState::Running => 2,
            _ => 3,
        };
        let shown = rank(self.row.shown().state);
        let known = self.row.notes.ahead.as_ref();
        if self.is_over()
            || rank(view.state) < shown
            || known
                .is_some_and(|known| known.last_seq >= last_seq || known.view.state.is_terminal())
        {
            return;
        }
        self.row.notes.queued_until = None;
        self.row.notes.ahead = Some(Ahead { last_seq, view });
    }

    /// Drops what was said ahead of records that are here now.
    pub fn forget_overtaken(&mut self) {
        let (last, over) = (self.row.last_seq, self.is_over());
        let ahead = &mut self.row.notes.ahead;
        ahead.take_if(|ahead| over || ahead.last_seq <= last);
    }

    /// Ends it in the dashboard's own words. A run that is known to have ended keeps its end; only its output is cut off.
    pub fn conclude(&mut self, at: u64, state: RunState, reason: String) {
        let pending = self.row.bytes_pending();
        let shown = self.row.shown().into_owned();
        let cut = Cut {
            ahead: self.row.notes.ahead.take(),
            view: std::mem::replace(&mut self.row.view, shown),
        };
        self.row.notes.queued_until = None;
        if self.is_over() {
            self.row.notes.cut = Some(Box::new(cut));
            self.row.view.bytes_missing += pending;
            self.row.notes.verified = Some(false);
            self.row.notes.doubt.get_or_insert(reason);
            return;
        }
        let outcome = Outcome {
            state,
            exit_code: None,
            signal: None,
            reason: Some(reason),
            failure: None,
        };
        self.row.view.conclude(at, outcome);
    }

    /// Takes back that it was lost, or its output: its journal has come after all.
    pub fn revive(&mut self) {
        if let Some(cut) = self.row.notes.cut.take() {
            self.row.view = cut.view;
            self.row.notes.ahead = cut.ahead;
            self.row.notes.verified = None;
            self.row.notes.doubt = None;
            return;
        }
        if self.row.view.state == RunState::Lost {
            self.row.view.state = if self.row.view.started_at.is_some() {
                RunState::Running
            } else {
                RunState::Starting
            };
            self.row.view.outcome = None;
            self.row.view.finished_at = None;
            self.row.view.recovered = true;
        }
    }

    /// What its readers see.
    pub fn tip(&self, fleet: &Fleet) -> Tip {
        let partial = crate::dashboard::store::output::lines::visible(&self.end.tail);
        let mut run = self.row.show(fleet);
        run.eta = self.said.map(|said| said.eta);
        Tip {
            run: std::sync::Arc::new(run),
            at: self.said.map_or_else(Instant::now, |said| said.at),
            lines: self.end.lines,
            partial: if self.is_over() { "" } else { &partial }.into(),
            over: self.is_over(),
        }
    }

    /// What its host is doing.
    pub fn activity(&self) -> Option<HostActivity> {
        let view = self.row.shown();
        let going_on = !view.state.is_terminal() && !self.row.is_waiting();
        going_on.then(|| HostActivity {
            run: self.row.id,
            command: self.row.command.clone(),
            phase: view.phase(),
            progress: view.progress.clone(),
            since: rfc3339(view.started_at.unwrap_or(self.row.created_at)),
            eta: self.said.map(|said| aged(said.eta, said.at.elapsed())),
        })
    }
}
