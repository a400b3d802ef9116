//! The counters of one call of Nix.

use crate::run::event::{Builds, Fetches};
use crate::run::records::kind;

/// What a call of Nix builds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Target {
    /// Not known: it did not say what it evaluates.
    #[default]
    Unknown,
    /// The rebuild tool itself, which then executes what it built.
    Tool,
    /// The system, or what else was asked for.
    System,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) number: u64,
    pub(super) sender: u32,
    pub(super) target: Target,
    pub(super) counts: Builds,
    /// Ends that the counters tell and that no build is known to have had: done and failed.
    pub(super) ends: [u64; 2],
    /// When the newest of them was told.
    pub(super) ended_at: u64,
    /// The list of what will be built was printed: nothing is a better denominator.
    listed: bool,
    /// A build began: before, Nix expects whatever it has not found in a cache yet (src/libstore/build/worker.cc).
    seen_running: bool,
    /// Which of the counting activities it has.
    kinds: Vec<u64>,
    copies: Fetches,
    /// Expected and done, as unpacked bytes and as downloaded ones. They are two measures of the same.
    unpacked: [u64; 2],
    downloaded: [u64; 2],
}

impl Group {
    pub(super) fn new(
        number: u64,
        sender: u32,
        target: Target,
        listed: Option<u64>,
        kind: u64,
    ) -> Self {
        Self {
            number,
            sender,
            target,
            counts: Builds {
                planned: listed.unwrap_or_default(),
                ..Builds::default()
            },
            ends: [0; 2],
            ended_at: 0,
            listed: listed.is_some(),
            seen_running: false,
            kinds: vec![kind],
            copies: Fetches::default(),
            unpacked: [0; 2],
            downloaded: [0; 2],
        }
    }

    /// Takes an activity of that type into the group, if it has none yet.
    pub(super) fn joins(&mut self, kind: u64) -> bool {
        let new = !self.kinds.contains(&kind);
        if new {
            self.kinds.push(kind);
        }
        new
    }

    pub(super) fn count_builds(&mut self, [done, expected, running, failed]: [u64; 4], now: u64) {
        let counts = &mut self.counts;
        // When a build is over it is counted once more for a moment; when one begins, the number is right. After a failure
        // what can no longer be built is not expected any more, though it was to be built.
        if !self.listed && running > counts.running {
            counts.planned = if failed == 0 {
                expected
            } else {
                counts.planned.max(expected)
            };
            self.seen_running = true;
        }
        let ends = [
            done.saturating_sub(counts.done),
            failed.saturating_sub(counts.failed),
        ];
        if ends != [0; 2] {
            self.ended_at = now;
        }
        for (sum, end) in self.ends.iter_mut().zip(ends) {
            *sum = sum.saturating_add(end);
        }
        // What is done stays done, whatever a retry says.
        counts.done = counts.done.max(done);
        counts.failed = counts.failed.max(failed);
        counts.running = running;
        let known = counts
            .done
            .saturating_add(counts.failed)
            .saturating_add(running);
        counts.planned = counts.planned.max(known);
    }

    pub(super) fn count_copies(&mut self, [done, expected, _, _]: [u64; 4]) {
        self.copies.done = self.copies.done.max(done);
        self.copies.planned = self.copies.planned.max(expected).max(done);
    }

    pub(super) fn expect(&mut self, kind: u64, amount: u64) {
        match kind {
            kind::COPY_PATH => self.unpacked[0] = self.unpacked[0].max(amount),
            kind::FILE_TRANSFER => self.downloaded[0] = self.downloaded[0].max(amount),
            _ => {}
        }
    }

    /// A transfer of that type went on from `before` bytes to `after`; a retry may begin again.
    pub(super) fn transfer(&mut self, kind: u64, before: u64, after: u64) {
        let [_, done] = if kind == kind::COPY_PATH {
            &mut self.unpacked
        } else {
            &mut self.downloaded
        };
        *done = done.saturating_sub(before).saturating_add(after);
    }

    pub(super) fn finish(&mut self, success: bool) {
        let counts = &mut self.counts;
        counts.running = 0;
        let over = counts.done.saturating_add(counts.failed);
        if !success {
            counts.interrupted = counts.planned.saturating_sub(over);
        } else if counts.failed == 0 && counts.done > 0 {
            counts.done = counts.planned;
        }
        if success {
            // What was looked for in a cache and not found there was not fetched.
            self.copies.planned = self.copies.done;
        }
    }

    /// Whether there is a number of builds to show.
    fn expects(&self) -> bool {
        self.listed || self.seen_running || self.counts.done > 0 || self.counts.failed > 0
    }

    pub(super) fn add_to(&self, builds: &mut Builds, fetches: &mut Fetches) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        if self.expects() {
            add(&mut builds.planned, self.counts.planned);
            add(&mut builds.running, self.counts.running);
            add(&mut builds.done, self.counts.done);
            add(&mut builds.failed, self.counts.failed);
            add(&mut builds.interrupted, self.counts.interrupted);
        }
        add(&mut fetches.planned, self.copies.planned);
        add(&mut fetches.done, self.copies.done);
        let [expected, done] = if self.downloaded == [0; 2] {
            self.unpacked
        } else {
            self.downloaded
        };
        add(&mut fetches.bytes_done, done);
        add(&mut fetches.bytes_total, expected.max(done));
    }
}
