//! Where output of a run is missing.

use serde::{Deserialize, Serialize};

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
