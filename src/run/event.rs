//! What happens in a run, as a closed list. A journal is a sequence of these; so is what crosses the wire.

use serde::{Deserialize, Serialize};

use super::phase::{Phase, RunState};
use super::system::SystemState;
use super::view::RunView;

mod progress;

pub use progress::{BuildTime, Builds, Fetches, Progress, ProgressUnit, RunningBuild};

/// The most output bytes that one [`RunEvent::Output`] carries.
pub const MAX_OUTPUT_CHUNK: usize = 64 * 1024;
/// A line longer than this many bytes (counted from its last redraw) is cut into several lines; no byte is lost.
pub const MAX_LINE: usize = 64 * 1024;
/// The longest `reason`, `activity` or notice text, in characters; longer ones are cut.
pub const MAX_TEXT: usize = 1000;
/// The most running builds that [`Progress::running`] names.
pub const MAX_RUNNING: usize = 16;
/// The most lines of a failed build's log that a [`Failure`] keeps: what Nix's own `log-lines` is since 2.24.
pub const MAX_FAILURE_LINES: usize = 25;
/// The most builds that one [`RunEvent::Built`] tells of.
pub const MAX_BUILT: usize = 256;
/// The most lines that one [`RunEvent::BuildLog`] carries.
pub const MAX_LOG_LINES: usize = 256;
/// The most bytes that the lines of one [`RunEvent::BuildLog`] take in JSON.
pub const MAX_LOG_BYTES: usize = 64 * 1024;
/// The most bytes of one line of a build's log; of a longer one the rest is cut, and the line ends in a mark that says so.
pub const MAX_LOG_LINE: usize = 4096;

/// At most [`MAX_TEXT`] characters.
pub(in crate::run) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text
}

/// One thing that happened in a run. `at` is in milliseconds since the epoch by the host's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunEvent {
    /// The supervisor started the program. Always the first event.
    Started {
        /// When.
        at: u64,
        /// The program and its arguments, as executed.
        argv: Vec<String>,
        /// The agent's version that supervises.
        agent_version: String,
        /// The kernel's boot id, to see a reboot later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        boot_id: Option<String>,
        /// The running system's store path before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<String>,
        /// The ground truth before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<Box<SystemState>>,
    },
    /// A phase began. The phase before it ended at the same time.
    Phase {
        /// When.
        at: u64,
        /// Which one.
        phase: Phase,
        /// The number of the first line that belongs to it.
        line: u64,
    },
    /// How far the run is now; the newest one counts. At most 5 a second.
    Progress {
        /// When.
        at: u64,
        /// All that is known.
        progress: Progress,
    },
    /// Derivations that were built, and how long each one took. Only those whose time is known: by exact records, and where
    /// one end can belong to no other build.
    Built {
        /// When.
        at: u64,
        /// In the order in which they were done; at most [`MAX_BUILT`].
        builds: Vec<BuildTime>,
    },
    /// Lines that one derivation's builder printed, as Nix's records beside the terminal attribute them. Where records stand
    /// in the output, so do these lines, and there is no such event.
    BuildLog {
        /// When the newest of them was read.
        at: u64,
        /// The derivation's name, without hash: `hello-2.12`.
        name: String,
        /// Its store path.
        drv: String,
        /// Number of the first of these lines within that build's log, from 1. Numbers that no event has are lines that
        /// could not be kept; an event without lines says that all before `first` were printed.
        first: u64,
        /// At most [`MAX_LOG_LINES`] of at most [`MAX_LOG_BYTES`] in all, each at most [`MAX_LOG_LINE`] bytes long; escapes
        /// are as the builder printed them.
        lines: Vec<String>,
        /// The run's limit of build logs is reached: nothing more of this build will be kept, nor of builds that had
        /// printed nothing before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rest_dropped: bool,
    },
    /// Bytes that the command wrote to its terminal, exactly. The bytes stand beside the event, not in it.
    ///
    /// A line runs from the end of the one before it to its mark's end; `lines` may be empty, and bytes after the last
    /// mark belong to a line that is not finished yet.
    Output {
        /// When the last byte was read.
        at: u64,
        /// Position of the first byte in the run's whole output.
        offset: u64,
        /// Number of the first line that ends here, counted from 1 over the whole run.
        first_line: u64,
        /// The lines that are known to have ended by now, the oldest first. Lines that a program may still have drawn over are
        /// told later than their bytes, even with none.
        lines: Vec<LineMark>,
        /// In the unfinished line: bytes from its start to the start of what is visible of it (its last redraw).
        #[serde(default, skip_serializing_if = "is_zero")]
        tail_skip: u64,
    },
    /// Output that could not be journaled (a full disk). It is gone; these are its measures.
    Gap {
        /// When journaling worked again.
        at: u64,
        /// Position of the first missing byte in the run's whole output.
        offset: u64,
        /// How many bytes are missing.
        bytes: u64,
        /// How many lines were told of in what is missing.
        lines: u64,
        /// Why, in words.
        reason: String,
    },
    /// Something a reader must not miss: an error, a warning, a failed unit.
    Notice {
        /// When.
        at: u64,
        /// What kind it is.
        kind: NoticeKind,
        /// The line it was found in.
        line: u64,
        /// In words; for a failed unit, the unit's name.
        text: String,
    },
    /// An operator, the host or the run's time limit asked to stop the run.
    StopRequested {
        /// When the supervisor learnt of it.
        at: u64,
        /// Who asked.
        by: String,
        /// Also in the middle of an activation.
        force: bool,
        /// Why it is not carried out, in words; absent when it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
    /// The run ended. Always the last event.
    Finished {
        /// When.
        at: u64,
        /// How, with the reason.
        outcome: Outcome,
        /// Lines in all.
        lines: u64,
        /// Output bytes in all, gaps included.
        bytes: u64,
        /// CRC32C of all output bytes that were read, gaps included.
        crc32c: u32,
        /// The running system's store path after.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<String>,
        /// The ground truth after.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<Box<SystemState>>,
    },
    /// All that the records before this one add up to; the first record of every further part of a journal. Whoever
    /// has all of them learns nothing from it. A journal over its limit has lost parts in its middle, and then this is
    /// the one record that may follow another than the one before it: what is between is gone, and counted by the
    /// difference to what was there.
    Checkpoint {
        /// When.
        at: u64,
        /// Position in the run's whole output: bytes before it.
        offset: u64,
        /// Lines that ended before it.
        lines: u64,
        /// CRC32C of the output before it.
        crc32c: u32,
        /// The run, as those records tell it.
        view: Box<RunView>,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl RunEvent {
    /// What is left to say of a [`BuildLog`](Self::BuildLog) whose lines cannot be kept: that they were printed.
    #[must_use]
    pub fn without_log_lines(mut self) -> Self {
        if let Self::BuildLog { first, lines, .. } = &mut self {
            *first += lines.len() as u64;
            *lines = Vec::new();
        }
        self
    }

    /// When it happened.
    pub fn at(&self) -> u64 {
        match self {
            Self::Started { at, .. }
            | Self::Phase { at, .. }
            | Self::Progress { at, .. }
            | Self::Built { at, .. }
            | Self::BuildLog { at, .. }
            | Self::Output { at, .. }
            | Self::Gap { at, .. }
            | Self::Notice { at, .. }
            | Self::StopRequested { at, .. }
            | Self::Checkpoint { at, .. }
            | Self::Finished { at, .. } => *at,
        }
    }
}

/// Where one line ends, and what of it is visible. In JSON an array `[len, skip, ms]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u32)", into = "(u64, u64, u32)")]
pub struct LineMark {
    /// Bytes from the end of the line before to the end of this one, its newline included.
    pub len: u64,
    /// Bytes from the line's start to the start of what is visible: what came before its last redraw (a carriage return).
    pub skip: u64,
    /// Milliseconds before the event's `at` when the line's end was read.
    pub ago: u32,
}

impl From<(u64, u64, u32)> for LineMark {
    fn from((len, skip, ago): (u64, u64, u32)) -> Self {
        Self { len, skip, ago }
    }
}

impl From<LineMark> for (u64, u64, u32) {
    fn from(mark: LineMark) -> Self {
        (mark.len, mark.skip, mark.ago)
    }
}

/// Kinds of [`RunEvent::Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A warning of Nix or of the rebuild tool.
    Warning,
    /// An error of Nix or of the rebuild tool.
    Error,
    /// A systemd unit that failed; the text is its name.
    FailedUnit,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// A final state.
    pub state: RunState,
    /// The program's exit status, when it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the program, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why, in words and with the phase, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The build that failed, when one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Failure>>,
}

/// A build that failed, for the head of the run's page and the last words of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The derivation's name, without hash: `hello-2.12`.
    pub name: String,
    /// Its store path, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drv: Option<String>,
    /// The remote builder; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The shortest true sentence about the cause: `builder failed with exit code 2`.
    pub cause: String,
    /// The last lines of its log, at most [`MAX_FAILURE_LINES`] of at most [`MAX_TEXT`] characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}
