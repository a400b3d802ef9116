//! Phases and states: the closed lists that every part of NixFleet names alike.

use serde::{Deserialize, Serialize};

/// What a run is doing. A command that is no rebuild has the single phase [`Running`](Phase::Running).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nix evaluates the configuration.
    Evaluating,
    /// Paths are downloaded or copied.
    Fetching,
    /// Derivations are built.
    Building,
    /// switch-to-configuration stops units and runs the activation script; on macOS, `activate` runs.
    Activating,
    /// switch-to-configuration restarts, reloads and starts units with the new configuration.
    Switching,
    /// The one phase of a command that is no rebuild.
    Running,
}

impl Phase {
    /// The name in JSON, in the page and in the CLI.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evaluating => "evaluating",
            Self::Fetching => "fetching",
            Self::Building => "building",
            Self::Activating => "activating",
            Self::Switching => "switching",
            Self::Running => "running",
        }
    }

    /// Whether the host may disconnect now because its own units are being replaced.
    pub fn expects_disconnect(self) -> bool {
        matches!(self, Self::Activating | Self::Switching)
    }
}

/// How a run stands. The ones after [`Running`](RunState::Running) are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for; the agent has not taken it yet.
    Queued,
    /// The agent has it; its supervisor has not written yet.
    Starting,
    /// The supervisor has started the program.
    Running,
    /// Exit status 0.
    Succeeded,
    /// The new configuration is active, but units failed (switch-to-configuration's exit status 4).
    Degraded,
    /// The new configuration needs a reboot (exit status 100).
    RebootRequired,
    /// It failed; the reason says in which phase and why.
    Failed,
    /// Stopped by an operator.
    Stopped,
    /// It ran longer than its limit.
    TimedOut,
    /// Nobody knows how it ended; the reason says what is known.
    Lost,
    /// The previous configuration was put back.
    RolledBack,
}

impl RunState {
    /// All states, in the order of a run's life.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Succeeded,
        Self::Degraded,
        Self::RebootRequired,
        Self::Failed,
        Self::Stopped,
        Self::TimedOut,
        Self::Lost,
        Self::RolledBack,
    ];

    /// The name in JSON, in the page and in the CLI.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Degraded => "degraded",
            Self::RebootRequired => "reboot_required",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::RolledBack => "rolled_back",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more will happen.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Starting | Self::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_json_names_and_read_back() {
        for state in RunState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
            assert_eq!(RunState::from_name(state.name()), Some(state));
        }
        assert_eq!(RunState::from_name("done"), None);
        for phase in [
            Phase::Evaluating,
            Phase::Fetching,
            Phase::Building,
            Phase::Activating,
            Phase::Switching,
            Phase::Running,
        ] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
