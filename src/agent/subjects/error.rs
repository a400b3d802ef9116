//! Why a message did not go through.

use std::time::Duration;

use crate::wire::MAX_PAYLOAD;
use crate::wire::subject::{Subject, SubjectError};

/// Why a message did not go through, by what a program can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The subject is none.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The payload cannot be written as JSON.
    #[error("the payload cannot be written as JSON: {0}")]
    Payload(String),
    /// The payload is larger than [`MAX_PAYLOAD`].
    #[error("the payload has {0} bytes, more than {MAX_PAYLOAD}; send less, or where to fetch it")]
    TooLarge(usize),
    /// There is no connection now. Nothing was sent, and nothing is kept for later.
    #[error(
        "not connected; messages are live only: send it again once `connection_health` says so"
    )]
    NotConnected,
    /// The connection ended meanwhile. The message may have arrived.
    #[error("the connection ended before the answer came; the message may have arrived")]
    Disconnected,
    /// The dashboard passes no messages on.
    #[error("this dashboard passes no messages on; it is too old")]
    Unsupported,
    /// The dashboard refused it: too much in a short time.
    #[error("the dashboard refused the message: {0}")]
    Refused(String),
    /// Nobody listens to a request's subject.
    #[error("nobody listens to `{0}`")]
    NobodyListens(Subject),
    /// No answer came in time.
    #[error("no answer within {:.1} s", .0.as_secs_f64())]
    NoAnswer(Duration),
    /// The message that was to be answered awaits none.
    #[error("this message awaits no answer; it came by `publish`")]
    NoReply,
}
