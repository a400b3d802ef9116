//! Exit statuses. Scripts rely on them.

use std::io;
use std::process::ExitCode;

use super::client::ClientError;
use crate::run::phase::RunState;
use crate::wire::api::Run;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; also when whoever reads our output has gone.
    Success,
    /// Something is wrong; standard error says what.
    Error,
    /// The dashboard cannot be reached (`EX_UNAVAILABLE`).
    Unreachable,
    /// The run failed with this status of its program.
    Failed(u8),
    /// The new configuration is active, but units failed.
    Degraded,
    /// Nobody knows how the run ended (`EX_TEMPFAIL`).
    Lost,
    /// The new configuration needs a reboot.
    RebootRequired,
    /// The run took too long, as `timeout` says it.
    TimedOut,
    /// The run was stopped, as a shell says it of SIGINT.
    Stopped,
}

impl Exit {
    /// The run's own outcome.
    pub fn of_run(run: &Run) -> Self {
        match run.state {
            RunState::Succeeded => Self::Success,
            RunState::Degraded => Self::Degraded,
            RunState::RebootRequired => Self::RebootRequired,
            RunState::Stopped => Self::Stopped,
            RunState::TimedOut => Self::TimedOut,
            RunState::Failed | RunState::RolledBack => {
                let status = run.exit_code.and_then(|code| u8::try_from(code).ok());
                Self::Failed(status.filter(|status| *status != 0).unwrap_or(1))
            }
            RunState::Lost | RunState::Queued | RunState::Starting | RunState::Running => {
                Self::Lost
            }
        }
    }

    /// A closed pipe is success: `nixfleet logs … | head` is no error.
    pub fn of_error(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::BrokenPipe
            {
                return Self::Success;
            }
            match cause.downcast_ref() {
                Some(ClientError::Unreachable { .. }) => return Self::Unreachable,
                // Nobody answered a request.
                Some(ClientError::Refused { status, .. }) if status.as_u16() == 504 => {
                    return Self::TimedOut;
                }
                _ => {}
            }
        }
        Self::Error
    }

    /// The number.
    pub fn status(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Error => 1,
            Self::Unreachable => 69,
            Self::Failed(status) => status,
            Self::Degraded => 4,
            Self::Lost => 75,
            Self::RebootRequired => 100,
            Self::TimedOut => 124,
            Self::Stopped => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::runs::sample;

    #[test]
    fn the_exit_status_is_the_runs_outcome() {
        for (state, code, expected) in [
            (RunState::Succeeded, Some(0), 0),
            (RunState::Failed, Some(1), 1),
            (RunState::Failed, Some(101), 101),
            (RunState::Failed, Some(0), 1),
            (RunState::Failed, Some(-1), 1),
            (RunState::Failed, None, 1),
            (RunState::RolledBack, None, 1),
            (RunState::Degraded, Some(4), 4),
            (RunState::RebootRequired, Some(100), 100),
            (RunState::Stopped, None, 130),
            (RunState::TimedOut, None, 124),
            (RunState::Lost, None, 75),
        ] {
            let run = Run {
                state,
                exit_code: code,
                ..sample()
            };
            assert_eq!(Exit::of_run(&run).status(), expected, "{}", state.name());
        }
    }

    #[test]
    fn a_closed_pipe_is_success() {
        let closed = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(Exit::of_error(&closed.context("printing")), Exit::Success);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("no")), Exit::Error);
    }
}
