//! The line at the bottom of a terminal that says how far a run is.

use std::io::{self, IsTerminal as _, Write as _};

use super::text::{minute, plain};
use crate::run::event::{Progress, ProgressUnit};
use crate::wire::api::Run;

/// Back to the first column, erase the line.
const ERASE: &str = "\r\u{1b}[2K";
/// The longest line, in characters; the terminal cuts it at its own width.
const MAX_WIDTH: usize = 500;

/// The line, on standard error so that it never mixes with what is piped.
#[derive(Debug)]
pub struct ProgressLine {
    on: bool,
    text: String,
    shown: bool,
}

impl ProgressLine {
    /// Shows nothing where standard error is no terminal, or where `wanted` is false.
    pub fn new(wanted: bool) -> Self {
        Self {
            on: wanted && io::stderr().is_terminal(),
            text: String::new(),
            shown: false,
        }
    }

    /// Takes the newest state of the run and draws it.
    pub fn update(&mut self, run: &Run) {
        self.text = describe(run);
        self.draw();
    }

    /// Makes room for lines of output.
    pub fn hide(&mut self) {
        if self.shown {
            let mut out = io::stderr().lock();
            let _ = write!(out, "{ERASE}");
            let _ = out.flush();
            self.shown = false;
        }
    }

    /// Draws the line again.
    pub fn draw(&mut self) {
        if self.on && !self.text.is_empty() {
            let mut out = io::stderr().lock();
            // Without wrapping, a long line stays one line, which the next drawing can erase.
            let _ = write!(out, "{ERASE}\u{1b}[?7l{}\u{1b}[?7h", self.text);
            let _ = out.flush();
            self.shown = true;
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.hide();
    }
}

/// `building 3/10  building hello-2.12 (buildPhase)`.
pub fn describe(run: &Run) -> String {
    if run.state.is_terminal() {
        let state = run.state.name().replace('_', " ");
        return match run.bytes_pending {
            0 => state,
            pending => format!("{state}; incomplete, {pending} bytes missing"),
        };
    }
    if let Some(until) = &run.queued_until {
        return format!("waiting until {}", minute(until));
    }
    let mut text = run
        .phase
        .map_or_else(|| run.state.name(), |phase| phase.name())
        .to_owned();
    if let Some(progress) = &run.progress {
        if let Some(count) = count(progress) {
            text.push(' ');
            text.push_str(&count);
        }
        if let Some(activity) = &progress.activity {
            text.push_str("  ");
            text.push_str(&plain(activity));
        }
    }
    text.chars().take(MAX_WIDTH).collect()
}

/// `3/10`, or `12.5/80.0 MiB`; none while nothing is known.
pub fn count(progress: &Progress) -> Option<String> {
    if progress.done == 0 && progress.total == 0 {
        return None;
    }
    let number = |value: u64| match progress.unit {
        ProgressUnit::Bytes => format!("{:.1}", value as f64 / f64::from(1 << 20)),
        ProgressUnit::Builds | ProgressUnit::Paths | ProgressUnit::Tests => value.to_string(),
    };
    let unit = match progress.unit {
        ProgressUnit::Bytes => " MiB",
        ProgressUnit::Paths => " paths",
        ProgressUnit::Tests => " tests",
        ProgressUnit::Builds => "",
    };
    Some(if progress.total == 0 {
        format!("{}{unit}", number(progress.done))
    } else {
        format!("{}/{}{unit}", number(progress.done), number(progress.total))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::runs::sample;
    use crate::run::phase::Phase;

    #[track_caller]
    fn check(phase: Option<Phase>, done: u64, total: u64, unit: ProgressUnit, expected: &str) {
        let run = Run {
            phase,
            progress: Some(Progress {
                done,
                total,
                unit,
                activity: Some("building\u{1b}[2J x".into()),
                ..Progress::default()
            }),
            ..sample()
        };
        assert_eq!(
            describe(&run),
            format!("{expected}  building\\u{{1b}}[2J x")
        );
    }

    #[test]
    fn a_run_in_one_line() {
        check(None, 0, 0, ProgressUnit::Builds, "running");
        check(
            Some(Phase::Building),
            3,
            10,
            ProgressUnit::Builds,
            "building 3/10",
        );
        check(
            Some(Phase::Fetching),
            5 << 19,
            80 << 20,
            ProgressUnit::Bytes,
            "fetching 2.5/80.0 MiB",
        );
        check(
            Some(Phase::Fetching),
            3,
            0,
            ProgressUnit::Paths,
            "fetching 3 paths",
        );
    }
}
