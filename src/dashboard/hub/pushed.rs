//! Runs whose lines are pushed over HTTP: by simple agents without a WebSocket, and by scripts. They are stored and
//! published like all runs; but no agent owns them, and they do not keep a host from working.

use std::time::Duration;

use tokio::time::Instant;

use super::draft::{Changed, Draft};
use super::requests::{HubRequest, Refusal};
use super::track::Track;
use super::{Hub, HubHandle};
use crate::dashboard::store::runs::{Notes, RunRow};
use crate::run::event::{Outcome, RunEvent};
use crate::run::id::{CommandName, HostName, RunId, Seq};
use crate::run::lines::{Found, LineAssembler};
use crate::run::phase::{Phase, RunState};
use crate::run::view::RunView;

/// How `requested_by` begins for such runs, and for no others: no user's and no token's name has a space after this word.
pub const BY: &str = "pushed by ";
/// The most pushes that wait for the hub; further ones wait for them.
pub const MAX_WAITING: usize = 16;
/// A pushed run without new lines for so long counts as lost. Lines that come later revive it.
const SILENT: Duration = Duration::from_secs(60 * 60);

/// Lines that somebody pushes.
#[derive(Debug, Clone)]
pub struct Push {
    /// To which host.
    pub host: HostName,
    /// To which run; without, to the open one of `command`, or a new one.
    pub run: Option<RunId>,
    /// What the lines are of.
    pub command: CommandName,
    /// The lines, each with its newline.
    pub raw: Vec<u8>,
    /// Whether they are the last ones.
    pub end: Option<End>,
    /// Who pushes.
    pub by: String,
    /// Whether a host that is not known is made known.
    pub create_host: bool,
}

/// How a pushed run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The exit status of what printed the lines, if it was said.
    pub exit_code: Option<i32>,
}

/// What became of pushed lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Pushed {
    /// The run they are in.
    pub run: RunId,
    /// Its lines in all.
    pub lines: u64,
}

impl HubHandle {
    /// Adds lines to a run, and answers once they are stored.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn push(&self, push: Push) -> Result<Pushed, Refusal> {
        let room = self.pushes.acquire().await;
        let _room = room.map_err(|_| Refusal::Stopping)?;
        self.ask(|reply| HubRequest::Push {
            push: Box::new(push),
            reply,
        })
        .await
    }
}

impl HubRequest {
    /// Bytes of output in it.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Push { push, .. } => push.raw.len(),
            _ => 0,
        }
    }
}

impl Hub {
    pub(super) async fn push(&self, draft: &mut Draft, push: Push) -> Result<RunId, Refusal> {
        let run = match push.run.or_else(|| self.open_push(draft, &push)) {
            Some(run) => run,
            None => self.open_run(draft, &push).await?,
        };
        let now = draft.now;
        let changed = self.changed(draft, run).await?;
        let changed = changed.ok_or(Refusal::UnknownRun(run))?;
        if changed.track.row.host != push.host {
            return Err(Refusal::UnknownRun(run));
        }
        if !changed.track.is_pushed() {
            return Err(Refusal::NotPushed(run));
        }
        changed.track.revive();
        if changed.track.is_over() {
            return Err(Refusal::Over(run));
        }
        changed.track.heard = Instant::now();
        changed.pushed(now, &push);
        Ok(run)
    }

    /// The newest run that lines of this command are being pushed to.
    fn open_push(&self, draft: &Draft, push: &Push) -> Option<RunId> {
        let drafted = draft.runs.values().map(|changed| &changed.track);
        let kept = self.runs.values();
        let kept = kept.filter(|track| !draft.runs.contains_key(&track.row.id));
        let same = |track: &&Track| {
            let row = &track.row;
            row.host == push.host && row.command == push.command.as_str()
        };
        drafted
            .chain(kept)
            .filter(|track| track.is_pushed() && !track.is_over())
            .filter(same)
            .map(|track| track.row.id)
            .max()
    }

    async fn open_run(&self, draft: &mut Draft, push: &Push) -> Result<RunId, Refusal> {
        let host = &push.host;
        if self.fleet.commands(host).is_none() {
            if !push.create_host {
                return Err(Refusal::UnknownHost(host.clone()));
            }
            let made = self.store.comment_host(host, "", draft.now).await;
            made?;
            self.fleet.comment(host, "");
        }
        let row = RunRow {
            id: RunId::new(),
            host: host.clone(),
            command: push.command.to_string(),
            args: Vec::new(),
            requested_by: format!("{BY}{}", push.by),
            created_at: draft.now,
            view: RunView::default(),
            last_seq: Seq(0),
            notes: Notes::new(),
        };
        let run = row.id;
        draft.insert(row);
        Ok(run)
    }

    /// Ends pushed runs that nobody pushes to any more.
    pub(super) async fn give_up_silent(&self, draft: &mut Draft) {
        let silent: Vec<RunId> = self
            .runs
            .values()
            .filter(|track| track.is_pushed() && track.heard.elapsed() > SILENT)
            .map(|track| track.row.id)
            .collect();
        for run in silent {
            let reason = |_: &RunRow| {
                format!(
                    "no lines were pushed for {} minutes, and nobody said how it ended; the next lines continue it",
                    SILENT.as_secs() / 60
                )
            };
            self.conclude(draft, run, RunState::Lost, reason).await;
        }
    }
}

impl Changed {
    /// Takes lines as if a supervisor had journaled them.
    fn pushed(&mut self, at: u64, push: &Push) {
        if self.track.row.view.started_at.is_none() {
            let started = RunEvent::Started {
                at,
                argv: Vec::new(),
                agent_version: String::new(),
                boot_id: None,
                generation: None,
                system: None,
            };
            self.next(started, b"");
            let phase = Phase::Running;
            self.next(RunEvent::Phase { at, phase, line: 1 }, b"");
        }
        if !push.raw.is_empty() {
            let mut lines = Vec::new();
            LineAssembler::default().push(&push.raw, &mut |found| {
                if let Found::Line { mark, .. } = found {
                    lines.push(mark);
                }
            });
            let output = RunEvent::Output {
                at,
                offset: self.track.end.bytes,
                first_line: self.track.end.lines + 1,
                lines,
                tail_skip: 0,
            };
            self.next(output, &push.raw);
        }
        if let Some(end) = push.end {
            let row = &mut self.track.row;
            row.notes.verified = row.notes.crc32c.map(|_| true);
            let finished = RunEvent::Finished {
                at,
                outcome: outcome(end),
                lines: row.view.lines,
                bytes: row.view.bytes,
                crc32c: row.notes.crc32c.unwrap_or_default(),
                generation: None,
                system: None,
            };
            self.next(finished, b"");
        }
    }

    fn next(&mut self, event: RunEvent, raw: &[u8]) {
        self.track.row.last_seq = self.track.row.last_seq.next();
        self.apply(event, raw);
    }
}

fn outcome(End { exit_code }: End) -> Outcome {
    let (state, reason) = match exit_code {
        Some(0) => (RunState::Succeeded, None),
        Some(code) => (
            RunState::Failed,
            Some(format!("the program ended with exit status {code}")),
        ),
        None => (
            RunState::Failed,
            Some(
                "whoever pushed the lines did not say how it ended; send `exit_code` with `done`"
                    .into(),
            ),
        ),
    };
    Outcome {
        state,
        exit_code,
        signal: None,
        reason,
        failure: None,
    }
}
