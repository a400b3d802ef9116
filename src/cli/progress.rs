//! The line at the bottom of a terminal that says how far a run is.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::text::{minute, plain};
use crate::base::clock;
use crate::run::event::{Progress, ProgressUnit};
use crate::run::progress_line::{ERASE, Remaining, drawing, progress_line};
use crate::wire::api::{Eta, Run};

/// How often the line is drawn anew while nothing is told: times tick.
const TICK: Duration = Duration::from_secs(1);

/// The line, on standard error so that it never mixes with what is piped.
#[derive(Debug)]
pub struct ProgressLine {
    /// None where nothing is shown.
    drawn: Option<Arc<Mutex<Drawn>>>,
    /// Its end is the end of the thread that ticks.
    ticking: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// What is drawn.
#[derive(Debug, Default)]
struct Drawn {
    /// The run, and when it was told.
    run: Option<(Run, Instant)>,
    shown: bool,
}

impl ProgressLine {
    /// Shows nothing where standard error is no terminal, or where `wanted` is false.
    pub fn new(wanted: bool) -> Self {
        let drawn =
            (wanted && io::stderr().is_terminal()).then(|| Arc::new(Mutex::new(Drawn::default())));
        let ticking = drawn.as_ref().and_then(|drawn| ticking(Arc::clone(drawn)));
        Self { drawn, ticking }
    }

    /// Takes the newest state of the run and draws it.
    pub fn update(&mut self, run: &Run) {
        if let Some(mut drawn) = self.lock() {
            drawn.run = Some((run.clone(), Instant::now()));
            drawn.draw();
        }
    }

    /// Makes room for lines of output.
    pub fn hide(&mut self) {
        if let Some(mut drawn) = self.lock() {
            drawn.hide();
        }
    }

    /// Draws the line again.
    pub fn draw(&mut self) {
        if let Some(mut drawn) = self.lock() {
            drawn.draw();
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Drawn>> {
        let drawn = self.drawn.as_ref()?;
        Some(drawn.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.ticking.take() {
            drop(end);
            let _ = thread.join();
        }
        self.hide();
    }
}

/// Draws a line that is shown again and again; without a thread, it is drawn only when something is told.
fn ticking(drawn: Arc<Mutex<Drawn>>) -> Option<(mpsc::Sender<()>, JoinHandle<()>)> {
    let (end, ended) = mpsc::channel();
    let tick = move || {
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            let mut drawn = drawn.lock().unwrap_or_else(PoisonError::into_inner);
            if drawn.shown {
                drawn.draw();
            }
        }
    };
    let thread = std::thread::Builder::new().spawn(tick).ok()?;
    Some((end, thread))
}

impl Drawn {
    fn hide(&mut self) {
        if std::mem::take(&mut self.shown) {
            let mut out = io::stderr().lock();
            let _ = write!(out, "{ERASE}");
            let _ = out.flush();
        }
    }

    fn draw(&mut self) {
        if let Some((run, told)) = &self.run {
            let text = describe(run, told.elapsed(), clock::now());
            let mut out = io::stderr().lock();
            let _ = out.write_all(drawing(&text).as_bytes());
            let _ = out.flush();
            self.shown = true;
        }
    }
}

/// `building 3 of 10 · about 6 minutes · hello-2.12 buildPhase 4s`, so long after it was told.
pub fn describe(run: &Run, told: Duration, now: clock::Millis) -> String {
    if run.state.is_terminal() {
        let state = run.state.name().replace('_', " ");
        return match run.bytes_pending {
            0 => state,
            pending => format!("{state}; {pending} bytes of its output are still to come"),
        };
    }
    if let Some(until) = &run.queued_until {
        return format!("waiting until {}", minute(until));
    }
    let Some(phase) = run.phase else {
        return run.state.name().to_owned();
    };
    let left = run.eta.map(|eta| left(eta).after(told.as_secs()));
    let nothing = Progress::default();
    let progress = run.progress.as_ref().unwrap_or(&nothing);
    plain(&progress_line(phase, progress, now, left)).into_owned()
}

/// What is left of a run when that was told.
pub fn left(eta: Eta) -> Remaining {
    Remaining {
        seconds: eta.seconds,
        most: eta.seconds_most,
        overdue: eta.overdue,
    }
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
    use crate::run::event::RunningBuild;
    use crate::run::phase::{Phase, RunState};

    #[track_caller]
    fn check(told: u64, run: Run, expected: &str) {
        let run = Run {
            state: RunState::Running,
            ..run
        };
        let text = describe(&run, Duration::from_secs(told), 65_000);
        assert_eq!(text, expected);
    }

    #[test]
    fn a_run_in_one_line() {
        check(0, sample(), "running");
        let mut run = sample();
        run.phase = Some(Phase::Building);
        check(0, run.clone(), "building");
        run.progress = Some(Progress {
            done: 3,
            total: 10,
            activity: Some("building\u{1b}[2J \u{202e}x".into()),
            ..Progress::default()
        });
        check(
            0,
            run.clone(),
            "building 3 of 10 · building\u{fffd}[2J \\u{202e}x",
        );
        run.eta = Some(Eta {
            percent: 40,
            seconds: Some(360),
            ..Eta::default()
        });
        if let Some(progress) = &mut run.progress {
            progress.running = vec![RunningBuild {
                name: "hello-2.12".into(),
                host: None,
                phase: Some("buildPhase".into()),
                since: 0,
            }];
        }
        check(
            0,
            run.clone(),
            "building 3 of 10 · about 6 minutes · hello-2.12 buildPhase 1m 05s",
        );
        check(
            120,
            run.clone(),
            "building 3 of 10 · about 4 minutes · hello-2.12 buildPhase 1m 05s",
        );
        run.eta = Some(Eta {
            percent: 0,
            seconds: None,
            ..Eta::default()
        });
        run.progress = None;
        check(120, run.clone(), "building · calculating");
        run.eta = Some(Eta {
            percent: 97,
            seconds: Some(20),
            overdue: true,
            ..Eta::default()
        });
        check(120, run, "building · longer than usual");
    }

    #[test]
    fn a_run_that_waits_or_is_over() {
        let waiting = Run {
            queued_until: Some("2026-01-31T08:15:41.123Z".into()),
            ..sample()
        };
        check(0, waiting, "waiting until 2026-01-31 08:15 UTC");
        let over = Run {
            state: RunState::RebootRequired,
            bytes_pending: 5,
            ..sample()
        };
        assert_eq!(
            describe(&over, TICK, 0),
            "reboot required; 5 bytes of its output are still to come"
        );
    }

    #[test]
    fn counts_in_short() {
        for (done, total, unit, expected) in [
            (0, 0, ProgressUnit::Builds, None),
            (3, 10, ProgressUnit::Builds, Some("3/10")),
            (5 << 19, 80 << 20, ProgressUnit::Bytes, Some("2.5/80.0 MiB")),
            (3, 0, ProgressUnit::Paths, Some("3 paths")),
        ] {
            let progress = Progress {
                done,
                total,
                unit,
                ..Progress::default()
            };
            assert_eq!(count(&progress).as_deref(), expected);
        }
    }
}
