//! From the terminal's bytes to the journal: lines, phases, and when to write them.

use std::time::{Duration, Instant};

use crate::agent::journal::BackgroundWriter;
use crate::base::clock;
use crate::run::event::{LineMark, MAX_OUTPUT_CHUNK, RunEvent};
use crate::run::lines::{Found, LineAssembler};
use crate::run::tracker::{Tracked, Tracker};

/// Output that comes soon after other output waits this long for more; the first bytes after a pause do not wait.
const COALESCE: Duration = Duration::from_millis(20);
/// The shortest time between two progress events.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The way of one run's output.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) journal: BackgroundWriter,
    pub(super) tracker: Tracker,
    assembler: LineAssembler,
    /// Bytes that are not in the journal yet, at most [`MAX_OUTPUT_CHUNK`].
    chunk: Vec<u8>,
    /// The lines that end in them, and when each end was read.
    marks: Vec<LineMark>,
    read_at: Vec<u64>,
    /// Written after the output in which they were found.
    found: Vec<Tracked>,
    /// Position of `chunk` in the whole output.
    offset: u64,
    /// Lines that ended, in all.
    pub(super) lines: u64,
    checksum: u32,
    flushed: Option<Instant>,
    progressed: Option<Instant>,
}

impl Output {
    pub(super) fn new(journal: BackgroundWriter, tracker: Tracker) -> Self {
        Self {
            journal,
            tracker,
            assembler: LineAssembler::default(),
            chunk: Vec::with_capacity(MAX_OUTPUT_CHUNK),
            marks: Vec::new(),
            read_at: Vec::new(),
            found: Vec::new(),
            offset: 0,
            lines: 0,
            checksum: 0,
            flushed: None,
            progressed: None,
        }
    }

    /// The program starts: its first phase.
    pub(super) fn start(&mut self) {
        self.tracker.start(&mut self.found);
        self.write_found(clock::now());
    }

    /// Appends an event that is no output, after the output that came before it.
    pub(super) fn event(&mut self, event: RunEvent) {
        self.flush();
        self.journal.append(event, &[]);
    }

    /// How many bytes [`take`](Self::take) may be given now.
    pub(super) fn room(&self) -> usize {
        MAX_OUTPUT_CHUNK - self.chunk.len()
    }

    /// Takes bytes that were just read.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let now = clock::now();
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.chunk.extend_from_slice(bytes);
        let Self {
            assembler,
            tracker,
            marks,
            read_at,
            found,
            lines,
            ..
        } = self;
        assembler.push(bytes, &mut |piece| match piece {
            Found::Line { mark, visible } => {
                *lines += 1;
                marks.push(mark);
                tracker.line(*lines, visible, found);
            }
            Found::Redraw { visible } => tracker.redraw(*lines + 1, visible, found),
        });
        read_at.resize(marks.len(), now);
        let phase = self
            .found
            .iter()
            .any(|found| matches!(found, Tracked::Phase { .. }));
        if phase || self.room() == 0 || self.due().is_some_and(|due| due <= Instant::now()) {
            self.flush();
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let now = Instant::now();
        let output = (!self.chunk.is_empty() || !self.found.is_empty())
            .then(|| self.flushed.map_or(now, |flushed| flushed + COALESCE));
        let progress = self
            .tracker
            .has_progress()
            .then(|| self.progressed.map_or(now, |last| last + PROGRESS_EVERY));
        output.into_iter().chain(progress).min()
    }

    /// Writes what has waited long enough.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let waited = self.flushed.is_none_or(|flushed| flushed + COALESCE <= now);
        if waited && (!self.chunk.is_empty() || !self.found.is_empty()) {
            self.flush();
        }
        let waited = self
            .progressed
            .is_none_or(|last| last + PROGRESS_EVERY <= now);
        if waited {
            self.progress();
        }
    }

    /// The output is over: the unfinished line becomes the last one, and all is written.
    pub(super) fn finish(&mut self, success: bool) {
        self.flush();
        let Self {
            assembler,
            tracker,
            marks,
            found,
            lines,
            ..
        } = self;
        assembler.finish(&mut |piece| {
            if let Found::Line { mark, visible } = piece {
                *lines += 1;
                marks.push(mark);
                tracker.line(*lines, visible, found);
            }
        });
        self.read_at.resize(self.marks.len(), clock::now());
        self.tracker.finish(success, &mut self.found);
        self.flush();
        self.progress();
    }

    /// Output bytes and their checksum, in all.
    pub(super) fn totals(&self) -> (u64, u32) {
        (self.offset + self.chunk.len() as u64, self.checksum)
    }

    fn flush(&mut self) {
        let at = clock::now();
        if !self.chunk.is_empty() || !self.marks.is_empty() {
            for (mark, read_at) in self.marks.iter_mut().zip(&self.read_at) {
                mark.ago = at.saturating_sub(*read_at) as u32;
            }
            let lines = std::mem::take(&mut self.marks);
            let event = RunEvent::Output {
                at,
                offset: self.offset,
                first_line: self.lines - lines.len() as u64 + 1,
                lines,
                tail_skip: self.assembler.tail_skip(),
            };
            self.journal.append(event, &self.chunk);
            self.offset += self.chunk.len() as u64;
            self.chunk.clear();
            self.read_at.clear();
            self.flushed = Some(Instant::now());
        }
        self.write_found(at);
    }

    fn write_found(&mut self, at: u64) {
        for found in self.found.drain(..) {
            let event = match found {
                Tracked::Phase { phase, line } => RunEvent::Phase { at, phase, line },
                Tracked::Notice { kind, line, text } => RunEvent::Notice {
                    at,
                    kind,
                    line,
                    text,
                },
            };
            self.journal.append(event, &[]);
        }
    }

    fn progress(&mut self) {
        if let Some(progress) = self.tracker.take_progress() {
            let at = clock::now();
            self.journal
                .append(RunEvent::Progress { at, progress }, &[]);
            self.progressed = Some(Instant::now());
        }
    }
}
