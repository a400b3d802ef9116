//! Events come from a host, and a host may be anybody's. What would break an invariant is put right here, before it counts.

use crate::run::event::{
    MAX_BUILT, MAX_FAILURE_LINES, MAX_LOG_LINE, MAX_LOG_LINES, MAX_RUNNING, MAX_TEXT, Outcome,
    Progress, RunEvent,
};
use crate::run::phase::RunState;
use crate::run::view::{MAX_KEPT, RunView};

/// The most phases of one run; a rebuild has five.
const MAX_PHASES: usize = 100;
/// The most bytes and lines that a run's output can have; far more than any disk.
pub(super) const MAX_OUTPUT: u64 = 1 << 50;

/// The event as it may be applied to `view`; none if it may not.
pub(super) fn sanitized(event: RunEvent, view: &RunView) -> Option<RunEvent> {
    match event {
        RunEvent::Phase { .. } if view.phases.len() >= MAX_PHASES => None,
        RunEvent::Gap {
            at,
            offset,
            bytes,
            lines,
            mut reason,
        } => {
            let fits = bytes > 0
                && bytes <= MAX_OUTPUT
                && lines <= bytes
                && view.bytes.saturating_add(bytes) <= MAX_OUTPUT
                && view.lines.saturating_add(lines) <= MAX_OUTPUT;
            cut(&mut reason);
            fits.then_some(RunEvent::Gap {
                at,
                offset,
                bytes,
                lines,
                reason,
            })
        }
        RunEvent::Notice {
            at,
            kind,
            line,
            mut text,
        } => {
            cut(&mut text);
            Some(RunEvent::Notice {
                at,
                kind,
                line,
                text,
            })
        }
        RunEvent::Progress { at, mut progress } => {
            sanitize_progress(&mut progress);
            Some(RunEvent::Progress { at, progress })
        }
        RunEvent::Built { at, mut builds } => {
            builds.truncate(MAX_BUILT);
            for build in &mut builds {
                cut(&mut build.name);
                build.host.iter_mut().for_each(cut);
            }
            Some(RunEvent::Built { at, builds })
        }
        RunEvent::BuildLog {
            at,
            mut name,
            mut drv,
            first,
            mut lines,
            rest_dropped,
        } => {
            cut(&mut name);
            cut(&mut drv);
            lines.truncate(MAX_LOG_LINES);
            lines.iter_mut().for_each(one_line);
            let fits = !drv.is_empty() && (1..MAX_OUTPUT).contains(&first);
            fits.then_some(RunEvent::BuildLog {
                at,
                name,
                drv,
                first,
                lines,
                rest_dropped,
            })
        }
        RunEvent::StopRequested {
            at,
            mut by,
            force,
            mut refused,
        } => {
            cut(&mut by);
            refused.iter_mut().for_each(cut);
            Some(RunEvent::StopRequested {
                at,
                by,
                force,
                refused,
            })
        }
        RunEvent::Finished {
            at,
            outcome,
            lines,
            bytes,
            crc32c,
            mut generation,
            system,
        } => {
            if let Some(generation) = &mut generation {
                cut(generation);
            }
            Some(RunEvent::Finished {
                at,
                outcome: sanitized_outcome(outcome),
                lines: lines.min(MAX_OUTPUT),
                bytes: bytes.min(MAX_OUTPUT),
                crc32c,
                generation,
                system,
            })
        }
        other => Some(other),
    }
}

/// Makes of a run that a host describes one that could be: what it says ahead of its records, and in checkpoints.
pub fn view(view: &mut RunView) {
    view.phases.truncate(MAX_PHASES);
    view.phases.shrink_to_fit();
    view.failed_units.truncate(MAX_KEPT);
    view.progress.iter_mut().for_each(sanitize_progress);
    let texts = view.failed_units.iter_mut().chain(&mut view.generation);
    let texts = texts.chain(&mut view.stop_refused);
    texts.for_each(cut);
    for number in [
        &mut view.lines,
        &mut view.bytes,
        &mut view.bytes_missing,
        &mut view.warnings,
        &mut view.errors,
    ] {
        *number = (*number).min(MAX_OUTPUT);
    }
    if view.state.is_terminal() {
        let said = view.outcome.take().filter(|said| said.state == view.state);
        view.outcome = Some(sanitized_outcome(said.unwrap_or(Outcome {
            state: view.state,
            exit_code: None,
            signal: None,
            reason: None,
            failure: None,
        })));
    } else {
        view.outcome = None;
        view.finished_at = None;
    }
}

/// A final state, with a reason unless all went well.
fn sanitized_outcome(mut outcome: Outcome) -> Outcome {
    if !outcome.state.is_terminal() {
        outcome.reason = Some(format!(
            "the agent said that the run ended as `{}`, which is no end; update the agent",
            outcome.state.name()
        ));
        outcome.state = RunState::Failed;
    }
    if outcome.state != RunState::Succeeded && outcome.reason.is_none() {
        outcome.reason = Some(match (outcome.exit_code, outcome.signal) {
            (Some(code), _) => format!("the program ended with exit status {code}"),
            (None, Some(signal)) => format!("the program was ended by signal {signal}"),
            (None, None) => "the agent gave no reason; see the end of the log".into(),
        });
    }
    if let Some(reason) = &mut outcome.reason {
        cut(reason);
    }
    if let Some(failure) = &mut outcome.failure {
        failure.log.truncate(MAX_FAILURE_LINES);
        let texts = [&mut failure.name, &mut failure.cause].into_iter();
        let texts = texts.chain(&mut failure.drv).chain(&mut failure.host);
        texts.chain(&mut failure.log).for_each(cut);
    }
    outcome
}

/// Bounds what a run says of its progress.
pub fn sanitize_progress(progress: &mut Progress) {
    progress.running.truncate(MAX_RUNNING);
    progress.activity.iter_mut().for_each(cut);
    for running in &mut progress.running {
        cut(&mut running.name);
        let texts = running.host.iter_mut().chain(&mut running.phase);
        texts.for_each(cut);
    }
}

/// One line of a build's log: of bounded length, and one line, because they are stored with newlines between them.
fn one_line(line: &mut String) {
    if line.len() > MAX_LOG_LINE {
        let mut end = MAX_LOG_LINE - '…'.len_utf8();
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line.truncate(end);
        line.push('…');
    }
    if line.contains('\n') {
        *line = line.replace('\n', " ");
    }
}

/// Cuts a text that is longer than [`MAX_TEXT`] characters.
/// A text as it is kept.
pub fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::phase::Phase;

    #[test]
    fn no_end_that_is_none_and_no_end_without_a_reason() {
        for (state, exit_code, expected, part) in [
            (RunState::Running, None, RunState::Failed, "is no end"),
            (RunState::Failed, Some(3), RunState::Failed, "exit status 3"),
            (RunState::Stopped, None, RunState::Stopped, "no reason"),
        ] {
            let outcome = sanitized_outcome(Outcome {
                state,
                exit_code,
                signal: None,
                reason: None,
                failure: None,
            });
            assert_eq!(outcome.state, expected);
            assert!(outcome.reason.unwrap().contains(part));
        }
    }

    #[test]
    fn lines_of_a_build_are_lines_of_a_build() {
        let log = |drv: &str, first, lines: Vec<String>| {
            let event = RunEvent::BuildLog {
                at: 0,
                name: "x".repeat(5000),
                drv: drv.into(),
                first,
                lines,
                rest_dropped: false,
            };
            sanitized(event, &RunView::default())
        };
        assert!(log("", 1, vec![]).is_none());
        assert!(log("/a.drv", 0, vec![]).is_none());
        assert!(log("/a.drv", u64::MAX, vec![]).is_none());
        let mut lines = vec!["a\nb".to_owned(), "é".repeat(MAX_LOG_LINE)];
        lines.resize(5000, String::new());
        let Some(RunEvent::BuildLog { lines, name, .. }) = log("/a.drv", 1, lines) else {
            panic!("refused");
        };
        assert_eq!(name.chars().count(), MAX_TEXT + 1);
        assert_eq!((lines.len(), lines[0].as_str()), (MAX_LOG_LINES, "a b"));
        assert!(lines[1].len() <= MAX_LOG_LINE && lines[1].ends_with("é…"));
    }

    #[test]
    fn numbers_and_counts_that_would_overflow_are_refused() {
        let gap = |bytes, lines| RunEvent::Gap {
            at: 0,
            offset: 0,
            bytes,
            lines,
            reason: "x".repeat(5000),
        };
        let mut view = RunView::default();
        assert!(sanitized(gap(u64::MAX, 1), &view).is_none());
        assert!(sanitized(gap(5, 6), &view).is_none());
        assert!(sanitized(gap(0, 0), &view).is_none());
        let Some(RunEvent::Gap { reason, .. }) = sanitized(gap(5, 5), &view) else {
            panic!("refused");
        };
        assert_eq!(reason.chars().count(), MAX_TEXT + 1);
        view.bytes = MAX_OUTPUT;
        assert!(sanitized(gap(5, 5), &view).is_none());
        let phase = RunEvent::Phase {
            at: 0,
            phase: Phase::Building,
            line: 1,
        };
        for _ in 0..MAX_PHASES {
            view.apply(&sanitized(phase.clone(), &view).unwrap(), 0);
        }
        assert!(sanitized(phase, &view).is_none());
    }
}
