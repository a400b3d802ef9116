//! Logs of single builds.

use serde::{Deserialize, Serialize};

/// `GET /api/runs/{id}/builds`: the builds of which Nix told what they print, beside the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLogs {
    /// In the order in which they first printed something; at most 1,000.
    pub builds: Vec<LoggedBuild>,
    /// There are further ones.
    pub more: bool,
    /// Lines at the ends of logs, or whole logs, may be missing: a limit of the journal, of the run or of the store.
    pub incomplete: bool,
}

/// A build that has a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedBuild {
    /// The derivation's name, without hash: `hello-2.12`.
    pub name: String,
    /// Its store path.
    pub drv: String,
    /// How many lines it has printed so far, as far as that is known.
    pub lines: u64,
    /// What it printed after them was not kept.
    pub rest_dropped: bool,
}

/// `GET /api/runs/{id}/builds/log`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLogLines {
    /// The lines, in order. Numbers that are missing are lines that could not be kept.
    pub lines: Vec<BuildLogLine>,
    /// The number to ask for next.
    pub next: u64,
    /// How many lines it has printed so far, as far as that is known.
    pub total: u64,
    /// Whether no further line will ever come.
    pub complete: bool,
    /// What it printed after its last line was not kept.
    pub rest_dropped: bool,
    /// It may have printed more after its last line: records of the run were given up, removed, or never came.
    pub incomplete: bool,
}

/// One line of a build's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLogLine {
    /// Its number within this log, from 1.
    pub n: u64,
    /// Its visible text, colours (SGR sequences) kept, other escapes dropped.
    pub text: String,
}
