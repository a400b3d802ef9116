//! How a run ended, and what else is said about one beside its output.

use std::collections::VecDeque;

use super::{runs, text};
use crate::base::clock;
use crate::run::event::{Failure, MAX_FAILURE_LINES};
use crate::run::id::{HostName, RunId};
use crate::run::phase::RunState;
use crate::wire::api::Run;

pub fn is_error(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("error:") || line.starts_with("Error:") || line.contains(": error:")
}

/// Says them, on standard error: what failed, the errors or the end of the failed build's log, and last the reason.
pub fn conclude(run: &Run, prefix: &str, errors: &VecDeque<String>) {
    if run.state != RunState::Succeeded {
        match &run.failure {
            Some(failure) => {
                for line in failure_lines(failure) {
                    eprintln!("{prefix}{line}");
                }
            }
            None => {
                for line in errors {
                    eprintln!("{prefix}{line}");
                }
            }
        }
    }
    eprintln!("{prefix}{}", summary(run, clock::now()));
}

/// `hello-2.12: builder failed with exit code 2 (on big)`, its derivation, and the last lines of its log, indented.
fn failure_lines(failure: &Failure) -> Vec<String> {
    let host = failure.host.as_ref();
    let host = host.map_or_else(String::new, |host| format!(" (on {host})"));
    let head = format!("{}: {}{host}", failure.name, failure.cause);
    let first = failure.log.len().saturating_sub(MAX_FAILURE_LINES);
    std::iter::once(text::plain(&head).into_owned())
        .chain(failure.drv.iter().map(|drv| text::plain(drv).into_owned()))
        // A log's own colours are dropped; whatever else could move the cursor is shown instead.
        .chain(failure.log[first..].iter().map(|line| {
            let line = text::line(line, false).replace('\t', "        ");
            format!("    {}", text::plain(&line))
        }))
        .collect()
}

/// `switch on web1: failed after 2m 05s: the build of hello failed`.
pub fn summary(run: &Run, now: clock::Millis) -> String {
    let after = runs::took(run, now).map_or_else(String::new, |took| format!(" after {took}"));
    let reason = run
        .reason
        .as_deref()
        .filter(|_| run.state != RunState::Succeeded);
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let missing = if run.bytes_pending > 0 {
        format!(" (incomplete, {} bytes missing)", run.bytes_pending)
    } else if run.bytes_missing > 0 {
        format!(
            " (incomplete, {} bytes of output could not be kept)",
            run.bytes_missing
        )
    } else if let Some(why) = run.unheard.as_deref().filter(|_| run.incomplete) {
        format!(" (lines may be missing: {why})")
    } else {
        String::new()
    };
    let state = run.state.name().replace('_', " ");
    let text = format!(
        "{} on {}: {state}{after}{reason}{missing}",
        run.command, run.host
    );
    text::plain(&text).into_owned()
}

/// What is said of a run that waits for its host.
pub fn waiting(host: &HostName, run: &RunId, until: &str) -> String {
    format!(
        "{host} is offline or busy: the run waits until {}; `nixfleet stop {run}` cancels it",
        text::minute(until)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::runs::sample;

    #[test]
    fn the_last_words_say_how_and_why() {
        let ended = Run {
            state: RunState::Succeeded,
            finished_at: Some("2026-01-31T08:15:41.000Z".into()),
            reason: Some("all is well".into()),
            ..sample()
        };
        assert_eq!(summary(&ended, 0), "switch on web1: succeeded after 10s");
        let failed = Run {
            state: RunState::RebootRequired,
            reason: Some("a\u{1b}[2J reason".into()),
            bytes_missing: 5,
            ..ended
        };
        let coming = Run {
            bytes_pending: 7,
            ..failed.clone()
        };
        assert!(summary(&coming, 0).ends_with("(incomplete, 7 bytes missing)"));
        assert_eq!(
            summary(&failed, 0),
            "switch on web1: reboot required after 10s: a\\u{1b}[2J reason (incomplete, 5 bytes of output could not be kept)"
        );
    }

    #[test]
    fn a_failed_build_is_told_first() {
        let failure = Failure {
            name: "hello-2.12".into(),
            drv: Some("/nix/store/x-hello-2.12.drv".into()),
            host: Some("b\u{1b}[2Jig".into()),
            cause: "builder failed with exit code 2".into(),
            log: (1..=30)
                .map(|n| format!("\u{1b}[31mline {n}\u{1b}[0m\u{1b}[2J\tend\n"))
                .collect(),
        };
        let lines = failure_lines(&failure);
        assert_eq!(
            lines[..3],
            [
                "hello-2.12: builder failed with exit code 2 (on b\\u{1b}[2Jig)",
                "/nix/store/x-hello-2.12.drv",
                "    line 6        end",
            ]
        );
        assert_eq!(lines.len(), 2 + MAX_FAILURE_LINES);
        assert_eq!(lines.last().unwrap(), "    line 30        end");
        let alone = Failure {
            drv: None,
            host: None,
            log: Vec::new(),
            ..failure
        };
        assert_eq!(
            failure_lines(&alone),
            ["hello-2.12: builder failed with exit code 2"]
        );
    }

    #[test]
    fn who_waits_is_told_until_when() {
        let host = "web1".parse().unwrap();
        let run = sample().id;
        assert_eq!(
            waiting(&host, &run, "2026-01-31T08:15:41.123Z"),
            format!(
                "web1 is offline or busy: the run waits until 2026-01-31 08:15 UTC; `nixfleet stop {run}` cancels it"
            )
        );
    }

    #[test]
    fn error_lines_are_known() {
        for (line, expected) in [
            ("error: builder failed", true),
            ("       error: attribute missing", true),
            ("foo.c:3: error: x", true),
            ("0 errors", false),
        ] {
            assert_eq!(is_error(line), expected, "{line}");
        }
    }
}
