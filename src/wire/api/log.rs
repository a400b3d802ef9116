//! A run's output.

use serde::{Deserialize, Serialize};

use super::lamps::MarkedLines;

/// Lines that a reader who cannot keep up was not sent; `GET /api/runs/{id}/log` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// `GET /api/runs/{id}/log`, and the `lines` events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// The lines, in order.
    pub lines: Vec<LogLine>,
    /// The number to ask for next.
    pub next: u64,
    /// Whether no further line will ever come.
    pub complete: bool,
    /// What agents of the earlier protocol say of lines beside their text; lines of standard output are left out. Only in
    /// the answer of `/log`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marked: Vec<MarkedLines>,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Its number, from 1.
    pub n: u64,
    /// When it was printed, by the host's clock.
    pub at: String,
    /// Its visible text, colours (SGR sequences) kept, other escapes dropped.
    pub text: String,
}

/// `GET /api/runs/{id}/gaps`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGaps {
    /// In order; at most 1000.
    pub gaps: Vec<LogGap>,
}

/// A place where output is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogGap {
    /// Number of the first line that is missing; of the line that has a hole if none is missing as a whole.
    pub line: u64,
    /// How many lines are missing from there on; 0 if only a part of one is.
    pub lines: u64,
    /// How many bytes are missing.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

/// The line that is not finished yet, as it looks now: a progress bar, a prompt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Its visible text; empty once it is finished.
    pub text: String,
}
