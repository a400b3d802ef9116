//! `nixfleet-agent parse --follow`: passes a rebuild's output through and says beside it how far it is.
//!
//! Every byte goes on as soon as it was read, before anything is made of it: a prompt without a newline appears at once,
//! and a program that writes here never waits for more than the next reader.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::base::clock;
use crate::run::lines::{Found, LineAssembler};
use crate::run::phase::Phase;
use crate::run::progress_line::{ERASE, drawing, progress_line};
use crate::run::tracker::{Facts, Tracked, Tracker};

/// Bytes that are read at a time: what a pipe holds on Linux.
const CHUNK: usize = 64 * 1024;
/// Without output, the line is drawn anew this often, in milliseconds: the time of a build ticks.
const TICK: u16 = 1000;
/// Failed units that the summary names.
const MAX_UNITS: usize = 10;

/// Follows `file`, or standard input without one, to its end. Returns the exit status: 1 if the texts say that it failed.
/// A standard output that nobody reads any more ends it well.
///
/// # Errors
/// The input cannot be read or the output not be written.
pub fn run(file: Option<&Path>) -> anyhow::Result<i32> {
    let mut input = if let Some(file) = file {
        File::open(file).with_context(|| format!("{}: cannot be read", file.display()))?
    } else {
        outlive_interrupt()?;
        File::from(io::stdin().as_fd().try_clone_to_owned()?)
    };
    // Not through `Stdout`, which keeps what follows the last newline.
    let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let screen = Screen {
        draws: io::stderr().is_terminal(),
        shared: io::stdout().is_terminal(),
    };
    let mut follower = Follower::new(out, io::stderr(), screen);
    let mut buffer = vec![0; CHUNK];
    loop {
        if screen.draws && !has_input(&input) {
            follower.tick();
            continue;
        }
        match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => match follower.take(&buffer[..count]) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
                done => done.context("standard output cannot be written")?,
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("the input cannot be read"),
        }
    }
    Ok(follower.finish())
}

/// Ctrl-C reaches every program of a pipe. The first one is for the rebuild, whose last words still come through: it could
/// not end its activation without a reader. The second one ends this program too.
fn outlive_interrupt() -> io::Result<()> {
    if io::stdin().is_terminal() {
        return Ok(());
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let signal = signal_hook::consts::SIGINT;
    signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted))?;
    signal_hook::flag::register(signal, interrupted)?;
    Ok(())
}

/// Waits for input or for the next tick. What cannot be waited for is read.
fn has_input(input: &File) -> bool {
    let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
    !matches!(poll(&mut fds, PollTimeout::from(TICK)), Ok(0))
}

/// Where the line is drawn.
#[derive(Debug, Clone, Copy)]
struct Screen {
    /// Standard error is a terminal.
    draws: bool,
    /// Standard output is one too, most likely the same: an unfinished line there must not be drawn over.
    shared: bool,
}

type Sink<'a> = dyn FnMut(Found<'_>) + 'a;

struct Follower<O, E> {
    out: O,
    err: E,
    screen: Screen,
    tracker: Tracker,
    assembler: LineAssembler,
    lines: u64,
    found: Vec<Tracked>,
    /// Whether what was passed through ends with a newline.
    at_start: bool,
    shown: bool,
}

impl<O: Write, E: Write> Follower<O, E> {
    fn new(out: O, err: E, screen: Screen) -> Self {
        let mut tracker = Tracker::for_recording();
        let mut found = Vec::new();
        tracker.start(&mut found);
        Self {
            out,
            err,
            screen,
            tracker,
            assembler: LineAssembler::default(),
            lines: 0,
            found,
            at_start: true,
            shown: false,
        }
    }

    /// Passes bytes through, and then looks at them.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hide();
        self.out.write_all(bytes)?;
        self.out.flush()?;
        self.at_start = bytes.last().map_or(self.at_start, |last| *last == b'\n');
        self.tracker.set_now(clock::now());
        self.look(|assembler, mut sink| assembler.push(bytes, &mut sink));
        // Phases and notices are asked of the tracker when they are needed.
        self.found.clear();
        self.draw();
        Ok(())
    }

    /// Nothing came for a while: a line that a program may still draw over is none that it draws over soon.
    fn tick(&mut self) {
        if let Some(newest) = self.assembler.waiting() {
            self.look(|assembler, mut sink| assembler.settle(newest, &mut sink));
        }
        self.draw();
    }

    /// What the assembler finds goes to the tracker.
    fn look(&mut self, of: impl FnOnce(&mut LineAssembler, &mut Sink<'_>)) {
        let Self {
            assembler,
            tracker,
            lines,
            found,
            ..
        } = self;
        of(assembler, &mut |piece| match piece {
            Found::Line { visible, .. } => {
                *lines += u64::from(tracker.line(*lines + 1, visible, found));
            }
            Found::Redraw { visible } => tracker.redraw(*lines + 1, visible, found),
        });
    }

    /// Draws the line, where it does not stand in the way of what is passed through. A terminal that is gone is no error.
    fn draw(&mut self) {
        if !self.screen.draws || (self.screen.shared && !self.at_start) {
            return;
        }
        let phase = self.tracker.phase().unwrap_or(Phase::Evaluating);
        let text = progress_line(phase, &self.tracker.progress(), clock::now(), None);
        let _ = self.err.write_all(drawing(&text).as_bytes());
        let _ = self.err.flush();
        self.shown = true;
    }

    fn hide(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = self.err.write_all(ERASE.as_bytes());
            let _ = self.err.flush();
        }
    }

    /// The input ended: the summary, and the exit status.
    fn finish(&mut self) -> i32 {
        self.hide();
        if self.screen.draws && self.screen.shared && !self.at_start {
            let _ = self.err.write_all(b"\n");
        }
        self.look(|assembler, mut sink| assembler.finish(&mut sink));
        let Self { tracker, found, .. } = self;
        let said_success = tracker.facts().new_system.is_some();
        tracker.finish(said_success, found);
        let failed = is_failure(tracker);
        let _ = self.err.write_all(summary(tracker, failed).as_bytes());
        i32::from(failed)
    }
}

/// Whether the texts say that it failed. There is no exit status to ask; where the tool told its own, that one counts.
fn is_failure(tracker: &Tracker) -> bool {
    let facts = tracker.facts();
    let Facts {
        command_status,
        interrupted,
        ..
    } = facts;
    if let Some(status) = command_status {
        return *status != 0;
    }
    let activation = facts.units_failed
        || facts.switch_errors
        || facts.script_failed.is_some()
        || !facts.failed_units.is_empty();
    // An error before the end that the tool calls a success was not its last word.
    *interrupted || activation || (facts.errors > 0 && facts.new_system.is_none())
}

/// What a reader wants to know at the end, in at most three lines.
fn summary(tracker: &Tracker, failed: bool) -> String {
    let facts = tracker.facts();
    let phase = tracker.phase().map_or("starting", Phase::name);
    let ended = match (failed, facts.new_system.is_some()) {
        (true, _) => format!("failed while {phase}"),
        (false, true) => "succeeded".to_owned(),
        (false, false) => format!("ended while {phase}, nothing failed"),
    };
    let built = tracker
        .progress()
        .builds
        .map_or_else(String::new, |builds| {
            let failed = match builds.failed {
                0 => String::new(),
                failed => format!(", {failed} failed"),
            };
            format!("; {} of {} built{failed}", builds.done, builds.planned)
        });
    let mut lines = vec![format!("nixfleet-agent: {ended}{built}")];
    if let Some((error, phase)) = &facts.first_error {
        lines.push(format!("  first error, while {}: {error}", phase.name()));
    }
    let units = &facts.failed_units;
    if !units.is_empty() {
        let named = units[..units.len().min(MAX_UNITS)].join(", ");
        let more = match units.len().saturating_sub(MAX_UNITS) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        lines.push(format!("  failed units: {named}{more}"));
    }
    let visible = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    lines
        .iter()
        .flat_map(|line| line.chars().map(visible).chain(['\n']))
        .collect()
}

#[cfg(test)]
mod tests;
