//! What a supervisor would have journaled, from the words of an agent of the earlier protocol: numbers, marks, phases.

use std::time::Duration;

use tokio::time::Instant;

use super::lines::{Lines, kind};
use super::steps::Steps;
use crate::base::clock::Millis;
use crate::dashboard::hub::draft::Changed;
use crate::dashboard::hub::track::Track;
use crate::dashboard::store::output::OutputEnd;
use crate::dashboard::store::runs::RunRow;
use crate::run::event::{LineMark, Outcome, Progress, RunEvent};
use crate::run::id::Seq;
use crate::run::kind::RunKind;
use crate::run::lines::LineAssembler;
use crate::run::phase::{Phase, RunState};
use crate::run::tracker::{Tracked, Tracker};
use crate::wire::api::MarkedLines;
use crate::wire::v2::Output;

/// The shortest time between two progress events.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// The most changes of stream in one run that are noted; after that, lines only have their text.
const MAX_MARKED: usize = 20_000;
/// Why output is missing that was too much for this dashboard.
const TOO_MUCH: &str = "the dashboard could not store these lines as fast as they came, and an agent of protocol 2 cannot send them again";

/// Follows one run.
#[derive(Debug)]
pub(super) struct Follower {
    /// What it is: it decides what its lines mean.
    pub kind: RunKind,
    /// Reads the lines.
    pub tracker: Tracker,
    /// Whether anything was heard of it.
    pub started: bool,
    /// Whether its last event is made.
    pub ended: bool,
    assembler: LineAssembler,
    silent: u64,
    lines: u64,
    bytes: u64,
    raw: Vec<u8>,
    marks: Vec<LineMark>,
    marked: Vec<MarkedLines>,
    /// How many times it was marked otherwise than the line before.
    n_marked: usize,
    found: Vec<Tracked>,
    /// The newest phase that was told.
    phase: Option<Phase>,
    progressed: Option<Instant>,
    steps: Steps,
    /// Lines and bytes that had no place since the last event.
    dropped: (u64, u64),
    /// The run itself, while the store may not have it.
    row: Option<RunRow>,
}

impl Follower {
    /// Continues a run from what is stored of it.
    pub fn of(track: &Track, host_type: &str) -> Self {
        let row = &track.row;
        let kind = kind(&row.command, host_type);
        let mut tracker = Tracker::new(&kind);
        let started = row.view.started_at.is_some();
        if started {
            // Its first phase is told already.
            tracker.start(&mut Vec::new());
        }
        Self {
            kind,
            tracker,
            started,
            ended: false,
            assembler: LineAssembler::default(),
            silent: 0,
            lines: track.end.lines,
            bytes: track.end.bytes,
            raw: Vec::new(),
            marks: Vec::new(),
            marked: Vec::new(),
            n_marked: 0,
            found: Vec::new(),
            phase: row.view.phase(),
            progressed: None,
            steps: Steps::after(row.last_seq),
            dropped: (0, 0),
            row: None,
        }
    }

    /// Begins a run that the store does not have.
    pub fn of_new(row: RunRow, host_type: &str) -> Self {
        let track = Track::new(row.clone(), OutputEnd::default());
        Self {
            row: Some(row),
            ..Self::of(&track, host_type)
        }
    }

    /// The run, if the store may not have it.
    pub fn row(&self) -> Option<RunRow> {
        self.row.clone()
    }

    /// Something was heard of it: its program runs.
    pub fn begin(&mut self, at: Millis) {
        if self.started {
            return;
        }
        self.started = true;
        self.event(RunEvent::Started {
            at,
            argv: Vec::new(),
            agent_version: String::new(),
            boot_id: None,
            generation: None,
            system: None,
        });
        self.tracker.start(&mut self.found);
        self.flush(at);
    }

    /// Takes a line.
    pub fn line(&mut self, at: Millis, output: &Output) {
        let line = &output.line;
        let before = self.lines;
        self.begin(at);
        self.tracker.set_now(at);
        let line = line.trim_end_matches(['\n', '\r']);
        let from = self.raw.len();
        self.raw.extend_from_slice(line.as_bytes());
        self.raw.push(b'\n');
        let mut lines = Lines {
            tracker: &mut self.tracker,
            marks: &mut self.marks,
            found: &mut self.found,
            silent: &mut self.silent,
            count: &mut self.lines,
        };
        self.assembler
            .push(&self.raw[from..], &mut |found| lines.take(found));
        // These are lines already: nothing is drawn over any more.
        if let Some(newest) = self.assembler.waiting() {
            self.assembler
                .settle(newest, &mut |found| lines.take(found));
        }
        self.mark(before, output);
        if self.raw.len() >= crate::run::event::MAX_OUTPUT_CHUNK {
            self.flush(at);
        }
    }

    /// Notes where the lines after `before` come from, unless that goes without saying.
    fn mark(&mut self, before: u64, output: &Output) {
        let stream = if output.stream == "stderr" {
            "stderr"
        } else {
            "stdout"
        };
        if self.lines == before || (stream == "stdout" && !output.is_error) {
            return;
        }
        let (first, last, is_error) = (before + 1, self.lines, output.is_error);
        if let Some(same) = self.marked.last_mut()
            && (same.last, same.stream.as_str(), same.is_error) == (before, stream, is_error)
        {
            same.last = last;
        } else if self.n_marked < MAX_MARKED {
            self.n_marked += 1;
            let stream = stream.to_owned();
            self.marked.push(MarkedLines {
                first,
                last,
                stream,
                is_error,
            });
        }
    }

    /// Lines that were dropped before they came here.
    pub fn gap(&mut self, at: Millis, lines: u64, bytes: u64) {
        self.begin(at);
        self.flush(at);
        self.lines += lines;
        self.missing(at, lines, bytes);
    }

    /// What the agent itself says of how far it is.
    pub fn progress(&mut self, at: Millis, progress: Progress) {
        self.begin(at);
        let due = self
            .progressed
            .is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        let end = progress.total > 0 && progress.done >= progress.total;
        if (due || end) && !self.steps.is_full(0) {
            self.progressed = Some(Instant::now());
            self.flush(at);
            self.event(RunEvent::Progress { at, progress });
        }
    }

    /// Makes events of all that has been heard.
    pub fn flush(&mut self, at: Millis) {
        if !self.raw.is_empty() || !self.marks.is_empty() {
            let raw = std::mem::take(&mut self.raw);
            let marks = std::mem::take(&mut self.marks);
            let marked = std::mem::take(&mut self.marked);
            let (n_lines, n_bytes) = (marks.len() as u64, raw.len() as u64);
            if self.steps.is_full(raw.len()) {
                self.dropped.0 += n_lines;
                self.dropped.1 += n_bytes;
            } else {
                let (lines, bytes) = std::mem::take(&mut self.dropped);
                self.missing(at, lines, bytes);
                let event = RunEvent::Output {
                    at,
                    offset: self.bytes,
                    first_line: self.lines.saturating_sub(n_lines) + 1,
                    lines: marks,
                    tail_skip: self.silent + self.assembler.tail_skip(),
                };
                self.bytes += n_bytes;
                self.steps.push(event, raw, marked);
            }
        }
        for found in std::mem::take(&mut self.found) {
            self.tell(at, found);
        }
        let due = self
            .progressed
            .is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due && !self.steps.is_full(0) {
            self.tracked_progress(at);
        }
    }

    /// Its last event.
    pub fn finish(&mut self, at: Millis, generation: Option<String>, outcome: Outcome) {
        self.begin(at);
        let mut lines = Lines {
            tracker: &mut self.tracker,
            marks: &mut self.marks,
            found: &mut self.found,
            silent: &mut self.silent,
            count: &mut self.lines,
        };
        self.assembler.finish(&mut |found| lines.take(found));
        let success = outcome.state == RunState::Succeeded;
        self.tracker.finish(success, &mut self.found);
        self.flush(at);
        let (lines, bytes) = std::mem::take(&mut self.dropped);
        self.missing(at, lines, bytes);
        self.tracked_progress(at);
        self.event(RunEvent::Finished {
            at,
            outcome,
            lines: self.lines,
            bytes: self.bytes,
            crc32c: 0,
            generation,
            system: None,
        });
        self.ended = true;
    }

    /// The store has the run up to there, if it has it.
    pub fn stored(&mut self, stored: Option<Seq>) {
        if let Some(stored) = stored {
            self.row = None;
            self.steps.forget(stored);
        }
    }

    /// Puts into `changed` what it does not have.
    pub fn write(&self, changed: &mut Changed) {
        self.steps.write(changed);
    }

    /// Whether there are events that the store may not have.
    pub fn has_steps(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether there is something that the store may not have, or that no event is made of.
    pub fn has_news(&self) -> bool {
        self.has_steps() || !self.raw.is_empty() || self.tracker.has_progress()
    }

    /// Whether the store may not have the run itself.
    pub fn is_new(&self) -> bool {
        self.row.is_some()
    }

    fn tracked_progress(&mut self, at: Millis) {
        loop {
            let builds = self.tracker.take_built();
            if builds.is_empty() {
                break;
            }
            self.event(RunEvent::Built { at, builds });
        }
        if let Some(progress) = self.tracker.take_progress() {
            self.progressed = Some(Instant::now());
            self.event(RunEvent::Progress { at, progress });
        }
    }

    fn tell(&mut self, at: Millis, found: Tracked) {
        match found {
            // After a restart of the dashboard, what is read again is not new.
            Tracked::Phase { phase, .. } if self.phase.is_some_and(|told| told >= phase) => {}
            Tracked::Phase { phase, line } => {
                self.phase = Some(phase);
                self.event(RunEvent::Phase { at, phase, line });
            }
            Tracked::Notice { kind, line, text } => self.event(RunEvent::Notice {
                at,
                kind,
                line,
                text,
            }),
        }
    }

    fn missing(&mut self, at: Millis, lines: u64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let offset = self.bytes;
        self.bytes += bytes;
        self.event(RunEvent::Gap {
            at,
            offset,
            bytes,
            lines,
            reason: TOO_MUCH.into(),
        });
    }

    /// Any event without output.
    pub fn event(&mut self, event: RunEvent) {
        self.steps.push(event, Vec::new(), Vec::new());
    }
}
