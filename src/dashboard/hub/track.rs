//! A run as the hub keeps it while it goes on.

use tokio::time::Instant;

use super::pushed;
use crate::base::clock::rfc3339;
use crate::dashboard::live::Tip;
use crate::dashboard::store::output::{OutputEnd, Sizes};
use crate::dashboard::store::runs::RunRow;
use crate::run::event::Outcome;
use crate::run::id::Seq;
use crate::run::phase::RunState;
use crate::wire::api::HostActivity;
use crate::wire::api::Run;

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
}

impl Track {
    pub fn new(row: RunRow, end: OutputEnd) -> Self {
        Self {
            row,
            end,
            sizes: Sizes::default(),
            heard: Instant::now(),
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

    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        self.row.view.state.is_terminal()
    }

    /// Ends it in the dashboard's own words.
    pub fn conclude(&mut self, at: u64, state: RunState, reason: String) {
        let outcome = Outcome {
            state,
            exit_code: None,
            signal: None,
            reason: Some(reason),
        };
        self.row.view.conclude(at, outcome);
    }

    /// Takes back that it was lost: its journal has come after all.
    pub fn revive(&mut self) {
        if self.row.view.state == RunState::Lost {
            self.row.view.state = if self.row.view.started_at.is_some() {
                RunState::Running
            } else {
                RunState::Starting
            };
            self.row.view.outcome = None;
            self.row.view.finished_at = None;
        }
    }

    /// What its readers see.
    pub fn tip(&self) -> Tip {
        let partial = crate::dashboard::store::output::lines::visible(&self.end.tail);
        Tip {
            run: std::sync::Arc::new(Run::from(&self.row)),
            lines: self.end.lines,
            partial: if self.is_over() { "" } else { &partial }.into(),
        }
    }

    /// What its host is doing.
    pub fn activity(&self) -> Option<HostActivity> {
        let view = &self.row.view;
        (!self.is_over()).then(|| HostActivity {
            run: self.row.id,
            command: self.row.command.clone(),
            phase: view.phase(),
            progress: view.progress.clone(),
            since: rfc3339(view.started_at.unwrap_or(self.row.created_at)),
        })
    }
}
