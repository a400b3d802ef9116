//! What a run's texts said beyond phases and counters.

use crate::run::event::Failure;
use crate::run::phase::Phase;

/// What the texts said beyond phases and counters; the outcome needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Warnings seen.
    pub warnings: u64,
    /// Errors seen.
    pub errors: u64,
    /// The error that those after it follow from, and the phase it came in: the first one that is no consequence itself. None
    /// where the tool went on all the same.
    pub first_error: Option<(String, Phase)>,
    /// That error is one of a step, after which an activation may go on: another one outranks it.
    pub first_of_step: bool,
    /// The first build that failed itself, as the error's text tells it.
    pub failure: Option<Failure>,
    /// Units that failed, at most [`MAX_FAILED_UNITS`](crate::run::tracker::MAX_FAILED_UNITS).
    pub failed_units: Vec<String>,
    /// Users whose own activation failed, at most [`MAX_FAILED_UNITS`](crate::run::tracker::MAX_FAILED_UNITS).
    pub failed_users: Vec<String>,
    /// The activation script failed.
    pub script_failed: Option<String>,
    /// `the following units failed` was printed.
    pub units_failed: bool,
    /// `error(s) occurred while switching` was printed: the bash tool's word for any failed activation.
    pub switch_errors: bool,
    /// The new configuration needs a reboot.
    pub init_changed: bool,
    /// The exit status that the rebuild tool reported of its last failed command.
    pub command_status: Option<i32>,
    /// That status, where the failed command was switch-to-configuration: the Python tool hands it on.
    pub switch_status: Option<i32>,
    /// The last line that said what an activation does next.
    pub last_step: Option<String>,
    /// `activating the configuration...` or something after it was printed.
    pub activated: bool,
    /// The new configuration's store path, said by the tool at the end.
    pub new_system: Option<String>,
    /// Nix said it was interrupted.
    pub interrupted: bool,
    /// Something asked a question that nobody answers here: what to do, and the phase it came in.
    pub question: Option<(String, Phase)>,
    /// What git said last: Nix's error after it only tells its exit status.
    pub git: Option<String>,
}

impl Facts {
    /// Forgets how the switch went that was seen last: another one follows.
    pub(super) fn forget_switch(&mut self) {
        self.switch_errors = false;
        self.switch_status = None;
        self.command_status = None;
    }
}
