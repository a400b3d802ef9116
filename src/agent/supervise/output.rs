//! From the terminal's bytes to the journal: lines, phases, and when to write them.

use std::time::{Duration, Instant};

use crate::agent::journal::BackgroundWriter;
use crate::base::clock;
use crate::run::event::{LineMark, MAX_OUTPUT_CHUNK, RunEvent};
use crate::run::lines::{Found, LineAssembler};
use crate::run::tracker::{Tracked, Tracker};
use crate::run::work::MAX_WAITING;

/// Output that comes soon after other output waits this long for more; the first bytes after a pause do not wait.
const COALESCE: Duration = Duration::from_millis(20);
/// Lines that a program may still draw over are given away after this time, or the next time that it has passed: nobody waits
/// for a line for more than twice as long.
const SETTLE: Duration = Duration::from_millis(100);
/// The shortest time between two progress events.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How long lines of builds' logs wait for more after others were written: each event names its derivation, which is often
/// longer than a line.
const LOGS_EVERY: Duration = Duration::from_secs(1);
/// So many bytes of them do not wait.
const LOGS_AT_ONCE: usize = MAX_WAITING / 4;

/// The way of one run's output.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) journal: BackgroundWriter,
    pub(super) tracker: Tracker,
    assembler: LineAssembler,
    /// [`MAX_OUTPUT_CHUNK`] bytes, of which the first `filled` are output that is not in the journal yet.
    chunk: Vec<u8>,
    filled: usize,
    /// The lines that end in them, and when each end was read.
    marks: Vec<LineMark>,
    read_at: Vec<u64>,
    /// Written after the output in which they were found.
    found: Vec<Tracked>,
    /// Bytes of lines that say nothing to people, before the line that is being written: they belong to that one, as what
    /// a redraw has covered does.
    silent: u64,
    /// Position of `chunk` in the whole output.
    offset: u64,
    /// Lines that ended, in all.
    pub(super) lines: u64,
    checksum: u32,
    flushed: Option<Instant>,
    progressed: Option<Instant>,
    /// The newest line that was held back at that time.
    held: Option<(u64, Instant)>,
    logged: Option<Instant>,
}

impl Output {
    pub(super) fn new(journal: BackgroundWriter, tracker: Tracker) -> Self {
        Self {
            journal,
            tracker,
            assembler: LineAssembler::default(),
            chunk: vec![0; MAX_OUTPUT_CHUNK],
            filled: 0,
            marks: Vec::new(),
            read_at: Vec::new(),
            found: Vec::new(),
            silent: 0,
            offset: 0,
            lines: 0,
            checksum: 0,
            flushed: None,
            progressed: None,
            held: None,
            logged: None,
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
        self.journal.append(event, Vec::new());
    }

    /// Where the next bytes of the terminal go; never empty.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.chunk[self.filled..]
    }

    /// Takes the first `count` bytes of [`space`](Self::space), which were just read.
    pub(super) fn take(&mut self, count: usize) {
        let now = clock::now();
        let from = self.filled;
        self.filled += count;
        self.tracker.set_now(now);
        let bytes = &self.chunk[from..self.filled];
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        let (assembler, mut lines) = self.lines(from);
        assembler.push(lines.bytes, &mut |piece| lines.take(piece));
        self.read_at.resize(self.marks.len(), now);
        self.hold();
        let phase = self
            .found
            .iter()
            .any(|found| matches!(found, Tracked::Phase { .. }));
        let full = self.filled == self.chunk.len();
        if phase || full || self.output_due().is_some_and(|due| due <= Instant::now()) {
            self.flush();
        }
    }

    /// Takes one record of Nix's, from beside the terminal; none when its writer is gone.
    pub(super) fn record(&mut self, writer: u32, record: Option<&[u8]>) {
        self.tracker.set_now(clock::now());
        match record {
            Some(json) => self.tracker.side_record(writer, json, &mut self.found),
            None => self.tracker.side_gone(writer),
        }
        if self.tracker.build_logs_waiting().0 >= LOGS_AT_ONCE {
            self.build_logs();
        }
    }

    /// Whether output has waited long enough to be written.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.output_due().is_some_and(|due| due <= now)
    }

    fn output_due(&self) -> Option<Instant> {
        self.has_output().then(|| {
            self.flushed
                .map_or_else(Instant::now, |flushed| flushed + COALESCE)
        })
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let output = self.output_due();
        let progress = self
            .tracker
            .has_progress()
            .then(|| self.progressed.map_or(now, |last| last + PROGRESS_EVERY));
        let held = self.held.map(|(_, since)| since + SETTLE);
        let logs = self
            .tracker
            .build_logs_waiting()
            .1
            .then_some(())
            // While the disk is slow nothing is due: it is looked at again when other things are.
            .filter(|()| self.journal.has_room())
            .map(|()| self.logged.map_or(now, |logged| logged + LOGS_EVERY));
        output
            .into_iter()
            .chain(progress)
            .chain(held)
            .chain(logs)
            .min()
    }

    /// Writes what has waited long enough.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if let Some((newest, since)) = self.held
            && since + SETTLE <= now
        {
            self.held = None;
            let (assembler, mut lines) = self.lines(0);
            assembler.settle(newest, &mut |piece| lines.take(piece));
            self.read_at.resize(self.marks.len(), clock::now());
            self.hold();
        }
        let waited = self.flushed.is_none_or(|flushed| flushed + COALESCE <= now);
        if waited && self.has_output() {
            self.flush();
        }
        let waited = self
            .progressed
            .is_none_or(|last| last + PROGRESS_EVERY <= now);
        if waited {
            self.progress();
        }
        if self.logged.is_none_or(|logged| logged + LOGS_EVERY <= now) {
            self.build_logs();
        }
    }

    /// The output is over: the unfinished line becomes the last one, and all is written.
    pub(super) fn finish(&mut self, success: bool) {
        self.flush();
        let (assembler, mut lines) = self.lines(0);
        assembler.finish(&mut |piece| lines.take(piece));
        self.read_at.resize(self.marks.len(), clock::now());
        self.tracker.finish(success, &mut self.found);
        self.flush();
        // The program is over: nobody waits for these.
        while let Some(event) = self.tracker.take_build_log() {
            self.journal.append(event, Vec::new());
        }
        self.progress();
    }

    /// Output bytes and their checksum, in all.
    pub(super) fn totals(&self) -> (u64, u32) {
        (self.offset + self.filled as u64, self.checksum)
    }

    fn has_output(&self) -> bool {
        self.filled > 0 || !self.marks.is_empty() || !self.found.is_empty()
    }

    /// Begins to wait, if lines are held back.
    fn hold(&mut self) {
        self.held = match (self.assembler.waiting(), self.held) {
            (None, _) => None,
            (Some(_), Some(held)) => Some(held),
            (Some(newest), None) => Some((newest, Instant::now())),
        };
    }

    /// The assembler, the newest bytes from `from` on, and where what is found goes.
    fn lines(&mut self, from: usize) -> (&mut LineAssembler, Lines<'_>) {
        let lines = Lines {
            bytes: &self.chunk[from..self.filled],
            tracker: &mut self.tracker,
            marks: &mut self.marks,
            found: &mut self.found,
            silent: &mut self.silent,
            count: &mut self.lines,
        };
        (&mut self.assembler, lines)
    }

    fn flush(&mut self) {
        let at = clock::now();
        if self.filled > 0 || !self.marks.is_empty() {
            for (mark, read_at) in self.marks.iter_mut().zip(&self.read_at) {
                mark.ago = at.saturating_sub(*read_at) as u32;
            }
            let lines = std::mem::take(&mut self.marks);
            let event = RunEvent::Output {
                at,
                offset: self.offset,
                first_line: self.lines - lines.len() as u64 + 1,
                lines,
                tail_skip: self.silent + self.assembler.tail_skip(),
            };
            let mut chunk = std::mem::replace(&mut self.chunk, self.journal.spare());
            chunk.truncate(self.filled);
            self.journal.append(event, chunk);
            self.chunk.resize(MAX_OUTPUT_CHUNK, 0);
            self.offset += self.filled as u64;
            self.filled = 0;
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
            self.journal.append(event, Vec::new());
        }
    }

    /// Writes lines of builds' logs, as long as the journal takes them at once: what reads the terminal never waits for them.
    fn build_logs(&mut self) {
        while self.journal.has_room()
            && let Some(event) = self.tracker.take_build_log()
        {
            self.journal.append(event, Vec::new());
            self.logged = Some(Instant::now());
        }
    }

    fn progress(&mut self) {
        loop {
            let builds = self.tracker.take_built();
            if builds.is_empty() {
                break;
            }
            let at = clock::now();
            self.journal
                .append(RunEvent::Built { at, builds }, Vec::new());
        }
        if let Some(progress) = self.tracker.take_progress() {
            let at = clock::now();
            self.journal
                .append(RunEvent::Progress { at, progress }, Vec::new());
            self.progressed = Some(Instant::now());
        }
    }
}

/// Takes what the assembler finds.
struct Lines<'a> {
    bytes: &'a [u8],
    tracker: &'a mut Tracker,
    marks: &'a mut Vec<LineMark>,
    found: &'a mut Vec<Tracked>,
    silent: &'a mut u64,
    count: &'a mut u64,
}

impl Lines<'_> {
    fn take(&mut self, piece: Found<'_>) {
        let number = *self.count + 1;
        match piece {
            Found::Line { mark, visible } => {
                if self.tracker.line(number, visible, self.found) {
                    *self.count = number;
                    self.marks.push(after(self.silent, mark));
                } else {
                    *self.silent += mark.len;
                }
            }
            Found::Redraw { visible } => self.tracker.redraw(number, visible, self.found),
        }
    }
}

/// A line's mark, with the silent bytes before it.
fn after(silent: &mut u64, mark: LineMark) -> LineMark {
    let silent = std::mem::take(silent);
    LineMark {
        len: mark.len + silent,
        skip: mark.skip + silent,
        ..mark
    }
}
