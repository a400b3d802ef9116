//! What a run looks like after some of its events: the one meaning of events, for agent, dashboard and page alike.

use super::event::{NoticeKind, Outcome, Progress, RunEvent};
use super::phase::{Phase, RunState};

/// The most failed units and error notices that a view keeps; further ones are only counted.
pub const MAX_KEPT: usize = 50;

/// One phase of a run, with its times in milliseconds since the epoch by the host's clock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PhaseSpan {
    /// Which one.
    pub phase: Phase,
    /// When it began.
    pub started_at: u64,
    /// When it ended; none while it goes on.
    pub ended_at: Option<u64>,
    /// Number of its first line.
    pub first_line: u64,
}

/// A run, as its events so far tell it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RunView {
    /// How it stands.
    pub state: RunState,
    /// The phases so far; the last one is the current one until the run ends.
    pub phases: Vec<PhaseSpan>,
    /// The newest progress.
    pub progress: Option<Progress>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// When the program started.
    pub started_at: Option<u64>,
    /// When it ended.
    pub finished_at: Option<u64>,
    /// Complete lines so far.
    pub lines: u64,
    /// Output bytes so far, gaps included.
    pub bytes: u64,
    /// Output bytes that no journal could keep.
    pub bytes_missing: u64,
    /// Warnings seen.
    pub warnings: u64,
    /// Errors seen.
    pub errors: u64,
    /// Units that failed, by name, at most [`MAX_KEPT`].
    pub failed_units: Vec<String>,
    /// The running system's store path after the run.
    pub generation: Option<String>,
    /// It was taken for lost, and then found again.
    #[serde(default)]
    pub recovered: bool,
    /// Why the newest stop that was asked for is not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_refused: Option<String>,
}

impl Default for RunView {
    fn default() -> Self {
        Self {
            state: RunState::Queued,
            phases: Vec::new(),
            progress: None,
            outcome: None,
            started_at: None,
            finished_at: None,
            lines: 0,
            bytes: 0,
            bytes_missing: 0,
            warnings: 0,
            errors: 0,
            failed_units: Vec::new(),
            generation: None,
            recovered: false,
            stop_refused: None,
        }
    }
}

impl RunView {
    /// The current phase; after the end, the last one.
    pub fn phase(&self) -> Option<Phase> {
        self.phases.last().map(|span| span.phase)
    }

    /// Takes one event, with the number of output bytes that stand beside it. Events after a final one change nothing.
    pub fn apply(&mut self, event: &RunEvent, n_bytes: u64) {
        if self.state.is_terminal() {
            return;
        }
        match event {
            RunEvent::Started { at, .. } => {
                self.state = RunState::Running;
                self.started_at = Some(*at);
            }
            RunEvent::Phase { at, phase, line } => {
                self.end_phase(*at);
                self.phases.push(PhaseSpan {
                    phase: *phase,
                    started_at: *at,
                    ended_at: None,
                    first_line: *line,
                });
            }
            RunEvent::Progress { progress, .. } => self.progress = Some(progress.clone()),
            RunEvent::Output { lines, .. } => {
                self.lines += lines.len() as u64;
                self.bytes += n_bytes;
            }
            RunEvent::Gap { bytes, lines, .. } => {
                self.lines += lines;
                self.bytes += bytes;
                self.bytes_missing += bytes;
            }
            RunEvent::Notice { kind, text, .. } => match kind {
                NoticeKind::Warning => self.warnings += 1,
                NoticeKind::Error => self.errors += 1,
                NoticeKind::FailedUnit => {
                    if self.failed_units.len() < MAX_KEPT && !self.failed_units.contains(text) {
                        self.failed_units.push(text.clone());
                    }
                }
            },
            RunEvent::StopRequested { refused, .. } => self.stop_refused.clone_from(refused),
            RunEvent::Built { .. } | RunEvent::BuildLog { .. } | RunEvent::Checkpoint { .. } => {}
            RunEvent::Finished {
                at,
                outcome,
                lines,
                bytes,
                generation,
                ..
            } => {
                self.end_phase(*at);
                self.state = outcome.state;
                self.outcome = Some(outcome.clone());
                self.finished_at = Some(*at);
                self.lines = *lines;
                self.bytes = *bytes;
                self.generation.clone_from(generation);
            }
        }
    }

    /// Ends a run whose own last event will never come: refused, lost, cancelled.
    pub fn conclude(&mut self, at: u64, outcome: Outcome) {
        if self.state.is_terminal() {
            return;
        }
        self.end_phase(at);
        self.state = outcome.state;
        self.outcome = Some(outcome);
        self.finished_at = Some(at);
    }

    fn end_phase(&mut self, at: u64) {
        if let Some(span) = self.phases.last_mut() {
            span.ended_at.get_or_insert(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::LineMark;

    fn finished(state: RunState) -> RunEvent {
        RunEvent::Finished {
            at: 9,
            outcome: Outcome {
                state,
                exit_code: Some(0),
                signal: None,
                reason: None,
                failure: None,
            },
            lines: 2,
            bytes: 10,
            crc32c: 0,
            generation: None,
            system: None,
        }
    }

    #[test]
    fn events_add_up() {
        let mut view = RunView::default();
        let events = [
            RunEvent::Started {
                at: 1,
                argv: vec!["true".into()],
                agent_version: "0".into(),
                boot_id: None,
                generation: None,
                system: None,
            },
            RunEvent::Phase {
                at: 1,
                phase: Phase::Evaluating,
                line: 1,
            },
            RunEvent::Output {
                at: 2,
                offset: 0,
                first_line: 1,
                lines: vec![LineMark {
                    len: 6,
                    skip: 0,
                    ago: 0,
                }],
                tail_skip: 0,
            },
            RunEvent::Phase {
                at: 3,
                phase: Phase::Building,
                line: 2,
            },
            RunEvent::Gap {
                at: 4,
                offset: 6,
                bytes: 4,
                lines: 1,
                reason: "no space".into(),
            },
            RunEvent::Notice {
                at: 5,
                kind: NoticeKind::FailedUnit,
                line: 1,
                text: "nginx.service".into(),
            },
        ];
        for event in &events {
            view.apply(event, 6);
        }
        assert_eq!(
            (view.state, view.lines, view.bytes),
            (RunState::Running, 2, 10)
        );
        assert_eq!(view.bytes_missing, 4);
        assert_eq!(view.phases[0].ended_at, Some(3));
        assert_eq!(view.phase(), Some(Phase::Building));
        let stop = |refused: Option<&str>| RunEvent::StopRequested {
            at: 6,
            by: "ann".into(),
            force: refused.is_none(),
            refused: refused.map(str::to_owned),
        };
        view.apply(&stop(Some("the activation has begun")), 0);
        assert_eq!(
            view.stop_refused.as_deref(),
            Some("the activation has begun")
        );
        view.apply(&stop(None), 0);
        assert_eq!(view.stop_refused, None);
        view.apply(&finished(RunState::Degraded), 0);
        assert_eq!(view.phases[1].ended_at, Some(9));
        assert_eq!(view.failed_units, ["nginx.service"]);
        view.apply(&finished(RunState::Succeeded), 0);
        assert_eq!(view.state, RunState::Degraded, "a final state stays");
    }

    #[test]
    fn a_concluded_run_ends_its_phase_once() {
        let mut view = RunView::default();
        let outcome = |state| Outcome {
            state,
            exit_code: None,
            signal: None,
            reason: Some("the agent refused".into()),
            failure: None,
        };
        view.conclude(5, outcome(RunState::Failed));
        view.conclude(6, outcome(RunState::Lost));
        assert_eq!(view.state, RunState::Failed);
        assert_eq!(view.finished_at, Some(5));
    }
}
