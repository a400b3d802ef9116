//! What every refusal looks like.

use serde::{Deserialize, Serialize};

/// Every error's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ApiError,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A fixed word: `unauthorized`, `forbidden`, `not_found`, `unknown_command`, `conflict`, `too_many_requests`, …
    pub code: String,
    /// What is wrong, with the name of the thing.
    pub message: String,
    /// What to do.
    pub hint: String,
}
