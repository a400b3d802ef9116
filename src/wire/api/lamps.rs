//! What agents of the earlier protocol say, and no others.

use serde::{Deserialize, Serialize};

use crate::wire::v2::UpdateStatus;

/// The lamps of the earlier protocol. The agent writes when it looked into each of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateLamps {
    /// Milliseconds since they came.
    pub age_ms: u64,
    /// The lamps.
    #[serde(flatten)]
    pub status: UpdateStatus,
}

/// Lines that an earlier agent did not read from standard output, or takes for errors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkedLines {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Whether the agent takes them for errors.
    pub is_error: bool,
}
