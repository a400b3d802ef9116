//! How a command of an earlier agent ended, from its own word and from what its lines said. Nobody there looks at the
//! host's links, so nothing more is claimed.

use super::follower::Follower;
use crate::run::event::Outcome;
use crate::run::phase::RunState;
use crate::run::summary::{Ended, Interference, outcome};
use crate::run::system::GroundTruth;
use crate::wire::v2::Status;

/// SIGTERM: what a stop sends first.
const SIGTERM: i32 = 15;

impl Follower {
    /// The outcome that a `status` tells. `stopped_by` is who asked for a stop.
    pub fn outcome(&self, status: &Status, stopped_by: Option<&str>) -> Outcome {
        let code = status.exit_code;
        let judge = |ended: &Ended, stopped_by: Option<&str>| {
            let interference = Interference {
                stopped_by: stopped_by.map(str::to_owned),
                timed_out_s: None,
            };
            let truth = GroundTruth::default();
            outcome(
                Some(&self.kind),
                ended,
                &self.tracker,
                &interference,
                &truth,
            )
        };
        let mut told = match (status.status.as_str(), code) {
            ("ok", code) => judge(&Ended::Exited(code.unwrap_or(0)), None),
            ("stopped", Some(code)) if code != 0 => {
                judge(&Ended::Exited(code), Some(stopped_by.unwrap_or_default()))
            }
            ("stopped", _) => judge(
                &Ended::Signaled(SIGTERM),
                Some(stopped_by.unwrap_or_default()),
            ),
            ("error", Some(code)) if code != 0 => judge(&Ended::Exited(code), stopped_by),
            ("error", _) => plain(RunState::Failed, "the agent says that it failed"),
            ("warning", _) => plain(
                RunState::Degraded,
                "the agent says that it ended with a warning",
            ),
            ("", Some(code)) => judge(&Ended::Exited(code), stopped_by),
            (other, _) => plain(
                RunState::Lost,
                &format!(
                    "the agent says that it ended as `{}`, which is no end that is known here",
                    other.escape_default()
                ),
            ),
        };
        // Which signal it was, and whether any, the agent does not say.
        (told.exit_code, told.signal) = (code, None);
        let message = status.message.trim();
        if told.state != RunState::Succeeded && !message.is_empty() {
            let reason = told.reason.take().unwrap_or_default();
            told.reason = Some(if reason.contains(message) {
                reason
            } else {
                format!("{reason}; the agent says: {message}")
            });
        }
        told
    }
}

/// An end in words alone.
pub(super) fn plain(state: RunState, reason: &str) -> Outcome {
    Outcome {
        state,
        exit_code: None,
        signal: None,
        reason: Some(reason.to_owned()),
        failure: None,
    }
}
