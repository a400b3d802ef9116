//! What is known of a run whose end nobody saw.

use crate::run::event::cut;
use crate::run::phase::Phase;
use crate::run::system::{GroundTruth, SystemState};

/// What a journal without an end tells of its run.
#[derive(Debug, Clone, Default)]
pub struct LastKnown {
    /// What is known of the supervisor's end: `its supervisor ended without a word`.
    pub why: String,
    /// The ground truth at the start; none when the journal has no start.
    pub before: Option<SystemState>,
    /// The last phase.
    pub phase: Option<Phase>,
    /// The command line acted on something else than the host's own profile.
    pub elsewhere: bool,
    /// Lines that are kept.
    pub lines: u64,
}

/// The reason of a lost run: what happened, what is kept, how the host is now, what to do next.
pub fn lost(known: &LastKnown, now: &SystemState) -> String {
    let Some(before) = &known.before else {
        return cut(format!(
            "lost before its program was started: {}; run the command again",
            known.why
        ));
    };
    let truth = GroundTruth {
        before: Some(before),
        after: Some(now),
        elsewhere: known.elsewhere,
    };
    let phase = known.phase.map_or("starting", Phase::name);
    let rebooted = now.rebooted_since(before);
    let happened = match rebooted {
        Some(true) => format!("the host was rebooted ({})", known.why),
        Some(false) => format!("{}, and the host was not rebooted", known.why),
        None => known.why.clone(),
    };
    let lines = match known.lines {
        0 => "it had printed nothing".to_owned(),
        1 => "its one line is kept".to_owned(),
        n => format!("its {n} lines are kept"),
    };
    let activating = known.phase.is_some_and(Phase::expects_disconnect);
    let new_runs = truth.profile_changed() && now.runs_its_profile() == Some(true);
    let system = match (&now.current, truth.words()) {
        (Some(current), Some(_)) if activating && new_runs => format!(
            "; the host runs {}, the one that was being activated",
            truth.name(current)
        ),
        (_, Some(words)) if activating || truth.current_changed() || truth.profile_changed() => {
            format!("; {words}")
        }
        _ => String::new(),
    };
    let next = match known.phase {
        Some(Phase::Running) => "see how far it came before you run it again",
        _ if activating && new_runs => "look at `systemctl --failed`, then switch again",
        _ if activating => "switch again",
        _ => "run the command again",
    };
    cut(format!(
        "lost while {phase}: {happened}; {lines}{system}; {next}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(boot: &str, current: &str, profile: &str, generation: u64) -> SystemState {
        SystemState {
            boot_id: Some(boot.into()),
            current: Some(format!("/nix/store/{current}")),
            profile: Some(format!("/nix/store/{profile}")),
            generation: Some(generation),
            ..SystemState::default()
        }
    }

    #[track_caller]
    fn check(phase: Phase, now: &SystemState, expected: &str) {
        let known = LastKnown {
            why: "its supervisor ended without a word".into(),
            before: Some(state("a", "old", "old", 41)),
            phase: Some(phase),
            elsewhere: false,
            lines: 12,
        };
        assert_eq!(lost(&known, now), expected);
    }

    #[test]
    fn what_is_known_and_the_next_step() {
        check(
            Phase::Switching,
            &state("b", "new", "new", 42),
            "lost while switching: the host was rebooted (its supervisor ended without a word); its 12 lines are kept; \
             the host runs generation 42, the one that was being activated; look at `systemctl --failed`, then switch again",
        );
        check(
            Phase::Activating,
            &state("a", "old", "new", 42),
            "lost while activating: its supervisor ended without a word, and the host was not rebooted; its 12 lines are kept; \
             generation 42 is set as the system profile but is not running; switch again",
        );
        check(
            Phase::Activating,
            &state("b", "old", "old", 41),
            "lost while activating: the host was rebooted (its supervisor ended without a word); its 12 lines are kept; \
             the host still runs generation 41; switch again",
        );
        check(
            Phase::Building,
            &state("a", "old", "old", 41),
            "lost while building: its supervisor ended without a word, and the host was not rebooted; its 12 lines are kept; \
             run the command again",
        );
        check(
            Phase::Running,
            &SystemState::default(),
            "lost while running: its supervisor ended without a word; its 12 lines are kept; see how far it came before you run it again",
        );
    }

    #[test]
    fn a_run_without_a_start() {
        let known = LastKnown {
            why: "its supervisor ended without a word".into(),
            ..LastKnown::default()
        };
        assert_eq!(
            lost(&known, &SystemState::default()),
            "lost before its program was started: its supervisor ended without a word; run the command again"
        );
    }
}
