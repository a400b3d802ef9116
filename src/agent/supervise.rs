//! `nixfleet-agent supervise RUN_DIR`: one run, from its request to the end of its journal, in a process of its own.
//!
//! It knows no network and no agent: either of them may die or be replaced while the run goes on. One thread waits for
//! the terminal, for signals and for the next thing that is due; a second one writes the journal, a third makes it durable.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::agent::ground_truth;
use crate::agent::journal::{self, BackgroundWriter, JournalWriter, Limits, MIN_JOURNAL_MAX};
use crate::agent::launcher;
use crate::agent::pty::{Pty, ReadOutcome};
use crate::agent::run_dir::{RunDir, SupervisorRequest};
use crate::base::{VERSION, clock};
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::run::kind::RunKind;
use crate::run::summary::{Ended, Interference, outcome};
use crate::run::system::{GroundTruth, SystemState, acts_elsewhere};
use crate::run::tracker::Tracker;
use crate::run::work::MAX_LOGS;

mod environment;
mod output;
mod pace;
mod program;
mod requests;
mod side_channel;
mod signals;
mod stop;
mod unit;

use output::Output;
use pace::Pace;
use side_channel::SideChannel;
use signals::Signals;
use stop::{Cause, Ladder};
use unit::Unit;

/// How long output is still read after the program ended: children in the background keep the terminal open.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the end of the journal waits for a full disk.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(600);
/// The longest sleep, so that nothing that was forgotten waits for ever.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Supervises the run of that directory to its end. Returns the process's exit status: 0 when the journal has its end,
/// however the run ended.
///
/// # Errors
/// The directory is not a run's, another supervisor has it or had it, or the journal cannot be opened.
pub fn run(run_dir: &Path) -> anyhow::Result<i32> {
    let dir = RunDir::open(run_dir)?;
    let request = dir.request()?;
    // Before the lock: from then on the agent may signal.
    let signals = Signals::register().context("signals cannot be caught")?;
    let _lock = dir.lock()?;
    let path = dir.journal();
    if journal::last_seq(&path)? > Seq(0) {
        bail!(
            "{}: this run was started before; a run is executed at most once",
            dir.path().display()
        );
    }
    let writer = BackgroundWriter::start(JournalWriter::limited(
        &path,
        Limits::of(request.journal_max),
    )?)
    .context("the journal's thread does not start")?;
    let records = match request.kind {
        RunKind::Rebuild { .. } => SideChannel::open(dir.path()),
        RunKind::Plain => None,
    };
    let mut tracker = Tracker::new(&request.kind);
    tracker.limit_build_logs(logs_of(request.journal_max));
    let mut supervisor = Supervisor {
        records,
        pace: Pace::default(),
        unit: Unit::found(request.run),
        ended: false,
        output: Output::new(writer, tracker),
        dir,
        request,
        before: ground_truth::read(Path::new("/")),
        signals,
        ladder: None,
        timeout_at: None,
        looked: Instant::now(),
    };
    Ok(supervisor.run())
}

/// How many bytes of builds' logs a run may keep: less than usual where the journal is small, because the output is more.
fn logs_of(journal_max: u64) -> u64 {
    MAX_LOGS.min(journal_max.max(MIN_JOURNAL_MAX) / 16)
}

struct Supervisor {
    dir: RunDir,
    request: SupervisorRequest,
    /// The host's links before the program started.
    before: SystemState,
    signals: Signals,
    unit: Unit,
    /// The program has ended; its children may not have.
    ended: bool,
    output: Output,
    records: Option<SideChannel>,
    pace: Pace,
    ladder: Option<Ladder>,
    timeout_at: Option<Instant>,
    /// When it was last asked whether the program has ended.
    looked: Instant,
}

impl Supervisor {
    fn run(&mut self) -> i32 {
        self.output.event(RunEvent::Started {
            at: clock::now(),
            argv: self.request.argv.clone(),
            agent_version: VERSION.to_owned(),
            boot_id: self.before.boot_id.clone(),
            generation: self.before.current.clone(),
            system: Some(Box::new(self.before.clone())),
        });
        self.timeout_at = self
            .request
            .timeout_s
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        self.output.start();
        let ended =
            match program::spawn(&self.request, self.records.as_ref().map(SideChannel::path)) {
                Ok(mut pty) => self.follow(&mut pty),
                Err(why) => Ended::NotStarted(why),
            };
        self.finish(&ended)
    }

    /// Reads and waits until the program has ended and its output too.
    fn follow(&mut self, pty: &mut Pty) -> Ended {
        let mut status: Option<ExitStatus> = None;
        let mut drain_until: Option<Instant> = None;
        let mut open = true;
        self.take_stop(pty, false);
        loop {
            let now = Instant::now();
            // What is about to be written is to be all that there is.
            if self.pace.rests(now).is_none() || self.output.is_due(now) {
                open = self.look(pty, open);
            }
            self.output.tick();
            // A missed signal costs a second, not the end.
            let looked = self.looked.elapsed() >= MAX_SLEEP;
            let child = self.signals.child.swap(false, Ordering::Relaxed) || looked;
            if child && status.is_none() {
                match pty.try_wait() {
                    Ok(Some(ended)) => {
                        self.ended = true;
                        status = Some(ended);
                        drain_until = Some(Instant::now() + DRAIN);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::error!(%error, "the program cannot be waited for");
                        return Ended::Unknown;
                    }
                }
            }
            if child {
                self.looked = Instant::now();
                Unit::reap((!self.ended).then(|| pty.pid()));
            }
            if let Some(status) = status {
                let drained = drain_until.is_some_and(|until| Instant::now() >= until);
                if !open || drained {
                    if self.ladder.is_some() && open {
                        self.target(pty).kill();
                    } else if self.ladder.is_some() {
                        self.unit.end();
                    }
                    return program::ended(status);
                }
            }
            self.stops(pty);
            self.wait(pty, open, drain_until);
        }
    }

    /// Reads what there is. Returns false at the end of the terminal's output.
    fn look(&mut self, pty: &mut Pty, mut open: bool) -> bool {
        // Before the terminal: what Nix has counted comes before what is printed after it.
        let records = self.read_records();
        let mut terminal = 0;
        if open {
            (terminal, open) = self.read(pty);
        }
        self.pace.found(Instant::now(), terminal, records);
        open
    }

    /// Returns how many bytes there were.
    fn read_records(&mut self) -> usize {
        let output = &mut self.output;
        self.records.as_mut().map_or(0, |records| {
            records.read(|writer, record| output.record(writer, record))
        })
    }

    /// Reads what there is, at most about a chunk. Returns how much, and false at the end of the output.
    fn read(&mut self, pty: &mut Pty) -> (usize, bool) {
        // A terminal hands out a few KiB a read; what comes together is taken together.
        let space = self.output.space();
        let mut count = 0;
        let mut open = true;
        while count < space.len() {
            match pty.read(&mut space[count..]) {
                Ok(ReadOutcome::Bytes(n)) => count += n,
                Ok(ReadOutcome::Nothing) => break,
                Ok(ReadOutcome::End) => {
                    open = false;
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the terminal cannot be read any more");
                    open = false;
                    break;
                }
            }
        }
        if count > 0 {
            self.output.take(count);
        }
        (count, open)
    }

    /// Sleeps until there is output, a signal, or something is due.
    fn wait(&mut self, pty: &Pty, open: bool, drain_until: Option<Instant>) {
        let now = Instant::now();
        let rests = self.pace.rests(now);
        let due = [
            rests,
            self.output.due(),
            drain_until,
            self.timeout_at.filter(|_| self.ladder.is_none()),
            self.ladder.as_ref().and_then(Ladder::due),
        ];
        let sleep = due
            .into_iter()
            .flatten()
            .map(|due| due.saturating_duration_since(now))
            .min()
            .map_or(MAX_SLEEP, |sleep| sleep.min(MAX_SLEEP));
        // Rounded up: waking a little late beats spinning.
        let millis = u16::try_from(sleep.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        let mut fds = vec![PollFd::new(self.signals.wake.as_fd(), PollFlags::POLLIN)];
        if open && rests.is_none() {
            fds.push(PollFd::new(pty.fd(), PollFlags::POLLIN));
        }
        let records = self.records.iter().filter(|_| rests.is_none());
        fds.extend(
            records
                .flat_map(SideChannel::fds)
                .map(|fd| PollFd::new(fd, PollFlags::POLLIN)),
        );
        // EINTR and all else: the loop looks at everything anyway.
        let woken = poll(&mut fds, PollTimeout::from(millis));
        let signalled = woken.is_ok()
            && fds[0]
                .revents()
                .is_some_and(|events| events.contains(PollFlags::POLLIN));
        drop(fds);
        if signalled {
            self.signals.drain();
        }
    }

    fn finish(&mut self, ended: &Ended) -> i32 {
        self.read_records();
        self.output.finish(*ended == Ended::Exited(0));
        let mut interference = Interference::default();
        match self.ladder.as_ref().map(|ladder| &ladder.cause) {
            Some(Cause::Asked { by, .. }) => interference.stopped_by = Some(by.clone()),
            Some(Cause::TimedOut) => interference.timed_out_s = self.request.timeout_s,
            None => {}
        }
        let kind = Some(&self.request.kind);
        let after = ground_truth::read(Path::new("/"));
        let truth = GroundTruth {
            before: Some(&self.before),
            after: Some(&after),
            elsewhere: acts_elsewhere(&self.request.argv),
        };
        let outcome = outcome(kind, ended, &self.output.tracker, &interference, &truth);
        let (bytes, crc32c) = self.output.totals();
        let finished = RunEvent::Finished {
            at: clock::now(),
            outcome,
            lines: self.output.lines,
            bytes,
            crc32c,
            generation: after.current.clone(),
            system: Some(Box::new(after)),
        };
        self.output.event(finished);
        if let Some(root) = &self.request.gc_root {
            launcher::remove_gc_root(root);
        }
        if self.output.journal.finish(JOURNAL_PATIENCE) {
            return 0;
        }
        tracing::error!(
            journal = %self.dir.journal().display(),
            "the run is over, but its journal cannot be written; free some disk space"
        );
        1
    }
}

#[cfg(test)]
mod tests;
