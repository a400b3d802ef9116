//! How a run ended, and what else is said about one beside its output.

use std::collections::VecDeque;

use super::{runs, text};
use crate::base::clock;
use crate::run::id::{HostName, RunId};
use crate::run::phase::RunState;
use crate::wire::api::Run;

pub fn is_error(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("error:") || line.starts_with("Error:") || line.contains(": error:")
}

/// Says them, on standard error.
pub fn conclude(run: &Run, prefix: &str, errors: &VecDeque<String>) {
    if !matches!(run.state, RunState::Succeeded) {
        for line in errors {
            eprintln!("{prefix}{line}");
        }
    }
    eprintln!("{prefix}{}", summary(run, clock::now()));
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
