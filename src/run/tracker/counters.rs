//! The counters of builds and fetches, from whichever source is best.

use crate::run::bar::{Activity, Bar};
use crate::run::event::{Builds, Fetches, Progress, ProgressUnit};
use crate::run::tracker::cut;
use crate::run::work::Work;

/// Where counters come from; a better source silences the ones before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    #[default]
    Text,
    Bar,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) activity: Option<String>,
    source: Source,
    builds: Builds,
    fetches: Fetches,
    /// The list of what will be built was printed: nothing is a better denominator.
    listed: bool,
    /// Nix's expected number is done + running + remaining, and a build that ended counts twice until its goal is gone (Nix
    /// src/libstore/build/worker.cc, 2.18 to 2.36): 9/11 for 10 builds. So it jitters when nothing runs, and after each end.
    seen_running: bool,
    /// The state before the newest one in which something ran: done, running, expected.
    before: [u64; 3],
    newest: [u64; 3],
    /// `building '…'` lines.
    started: u64,
    /// The list of what will be fetched was printed.
    fetches_listed: bool,
}

impl Counters {
    /// A list of what will be built: another Nix process begins.
    pub(super) fn plan_builds(&mut self, count: u64) {
        self.builds = Builds {
            planned: count,
            ..Builds::default()
        };
        self.started = 0;
        self.listed = true;
    }

    pub(super) fn plan_fetches(&mut self, paths: u64, bytes: u64) {
        self.fetches_listed = true;
        self.fetches.planned = self.fetches.planned.max(paths);
        self.fetches.bytes_total = self.fetches.bytes_total.max(bytes);
    }

    pub(super) fn build_started(&mut self, name: &str) {
        self.activity = Some(cut(format!("building {name}")));
        if self.source == Source::Text {
            self.started += 1;
            // At most one of those that were started before is known to be over, but nothing better is printed. After a
            // failure Nix ends the others, unless it is told to keep going: of those nothing is known.
            let over = if self.builds.failed > 0 {
                self.builds.done
            } else {
                self.started - 1
            };
            let planned = self.builds.planned.max(self.started);
            self.builds(Source::Text, [over, planned, 1, self.builds.failed]);
        }
    }

    pub(super) fn build_failed(&mut self) {
        if self.source == Source::Text {
            self.builds.failed += 1;
            self.builds.running = 0;
        }
    }

    pub(super) fn copy_started(&mut self, name: &str) {
        self.activity = Some(cut(format!("copying {name}")));
        if self.source == Source::Text {
            self.fetches.done += 1;
            self.fetches.planned = self.fetches.planned.max(self.fetches.done);
        }
    }

    /// Builds: done, expected, running, failed.
    pub(super) fn builds(&mut self, source: Source, [done, expected, running, failed]: [u64; 4]) {
        if source < self.source {
            return;
        }
        self.source = source;
        let builds = &mut self.builds;
        if !self.listed {
            if running > 0 && !self.seen_running {
                self.seen_running = true;
                builds.planned = expected;
                self.newest = [done, running, expected];
            } else if running > 0 {
                if self.newest[..2] != [done, running] {
                    self.before = self.newest;
                }
                self.newest = [done, running, expected];
                // More than before only if two states that follow each other say so: what is double in one is gone in the next.
                builds.planned = builds.planned.max(expected.min(self.before[2]));
            } else if !self.seen_running {
                builds.planned = builds.planned.max(expected);
            }
        }
        builds.failed = builds.failed.max(failed);
        builds.done = builds.done.max(done);
        builds.running = running;
        builds.planned = builds.planned.max(
            builds
                .done
                .saturating_add(builds.failed)
                .saturating_add(running),
        );
    }

    /// Copies: done, expected, running, failed.
    pub(super) fn copies(&mut self, [done, expected, _, _]: [u64; 4]) {
        self.fetches.done = self.fetches.done.max(done);
        self.fetches.planned = self.fetches.planned.max(expected).max(done);
    }

    pub(super) fn bar(&mut self, bar: &Bar) {
        if self.source > Source::Bar {
            return;
        }
        if let Some(built) = bar.built {
            self.builds(
                Source::Bar,
                [built.done, built.expected, built.running, bar.failed],
            );
        }
        if let Some(copied) = bar.copied {
            self.copies([copied.done, copied.expected, copied.running, 0]);
        }
        if let Some((done, total)) = bar.downloaded {
            self.fetches.bytes_done = self.fetches.bytes_done.max(done);
            self.fetches.bytes_total = self.fetches.bytes_total.max(total).max(done);
        }
        if !bar.activity.is_empty() {
            self.activity = Some(cut(Activity::text(&bar.activity)));
        }
    }

    /// All went well: Nix's last state is often not drawn any more.
    pub(super) fn complete(&mut self) {
        if self.builds.failed == 0 && (self.builds.done > 0 || self.builds.running > 0) {
            self.builds.done = self.builds.planned;
        }
        self.builds.running = 0;
        if self.fetches.done > 0 {
            self.fetches.done = self.fetches.planned;
            self.fetches.bytes_done = self.fetches.bytes_total;
        } else if !self.fetches_listed {
            // What was looked for in a cache and not found there was not fetched.
            self.fetches.planned = 0;
        }
    }

    /// Nothing runs any more. Returns whether that is news.
    pub(super) fn stop(&mut self, success: bool) -> bool {
        let over = self.builds.done.saturating_add(self.builds.failed);
        if !success && self.builds.planned > over {
            self.builds.interrupted = self.builds.planned - over;
            self.builds.running = 0;
            self.activity = None;
            return true;
        }
        self.activity.take().is_some() | (std::mem::take(&mut self.builds.running) > 0)
    }

    /// `counted`: what is counted is the system's.
    pub(super) fn progress(&self, counted: bool) -> Progress {
        if !counted {
            return Progress {
                activity: self.activity.clone(),
                ..Progress::default()
            };
        }
        progress(self.builds, self.fetches, self.activity.clone())
    }
}

/// What records told.
pub(super) fn of_work(work: &Work) -> Progress {
    let (builds, fetches) = work.counters();
    let activity = work.activity().map(|activity| cut(activity.to_owned()));
    Progress {
        running: work.running(),
        ..progress(builds, fetches, activity)
    }
}

fn progress(counted: Builds, fetched: Fetches, activity: Option<String>) -> Progress {
    let (done, total, unit) = if counted.planned > 0 {
        (counted.done, counted.planned, ProgressUnit::Builds)
    } else if fetched.planned > 0 {
        (fetched.done, fetched.planned, ProgressUnit::Paths)
    } else if fetched.bytes_total > 0 {
        (fetched.bytes_done, fetched.bytes_total, ProgressUnit::Bytes)
    } else {
        (0, 0, ProgressUnit::Builds)
    };
    Progress {
        done,
        total,
        unit,
        activity,
        builds: (counted != Builds::default()).then_some(counted),
        fetches: (fetched != Fetches::default()).then_some(fetched),
        running: Vec::new(),
    }
}
