//! Records of Nix: which are believed, and what follows from them.

use crate::run::event::RunEvent;
use crate::run::phase::Phase;
use crate::run::records::{self, Record};
use crate::run::rules::{self, Meaning};
use crate::run::tracker::{Origin, Tracked, Tracker};
use crate::run::work::News;

impl Tracker {
    /// A record in the output. None if it is none, or is not believed: then it is a line like any other.
    pub(super) fn output_record(
        &mut self,
        json: &[u8],
        line: u64,
        out: &mut Vec<Tracked>,
    ) -> Option<bool> {
        if matches!(self.origin, Origin::Side | Origin::Refused) {
            return None;
        }
        let record = records::parse(json)?;
        if self.origin == Origin::Unknown {
            // Nix's first record begins something or is a message; a builder's is a phase.
            if !matches!(record, Record::Start(_) | Record::Message { .. }) {
                return None;
            }
            self.origin = Origin::Output;
        }
        let shown = !records::is_silent(&record);
        if let Record::Log { line, .. } = &record
            && !line.is_empty()
        {
            self.keep_last(line.as_bytes());
        }
        self.record(0, record, line, out);
        Some(shown)
    }

    /// Nix prints texts for people: records in the output are none of Nix's.
    pub(super) fn plain(&mut self) {
        if self.origin == Origin::Unknown {
            self.origin = Origin::Refused;
        }
    }

    pub(super) fn record(
        &mut self,
        sender: u32,
        record: Record<'_>,
        line: u64,
        out: &mut Vec<Tracked>,
    ) {
        match self.work.take(sender, record, self.now) {
            News::Building { sure } => self.work_of(Phase::Building, sure, line, out),
            News::Fetching { sure } => self.work_of(Phase::Fetching, sure, line, out),
            // Errors, warnings, notices and the plan (information); more is for debugging.
            News::Message(level, text) if level <= 3 => {
                if self.origin == Origin::Side {
                    self.side_message(sender, &text);
                } else {
                    for part in text.lines() {
                        self.text(line, part.as_bytes(), out);
                    }
                    self.end_block(out);
                }
            }
            News::Nothing | News::Message(..) => {}
        }
        self.changed = true;
    }

    /// The terminal has the message too, for people; here it is what it says of builds.
    fn side_message(&mut self, sender: u32, text: &str) {
        let text = rules::plain_lines(text);
        if let Some(failure) = rules::failure(&text)
            && failure.itself
            && let Some(drv) = &failure.drv
        {
            self.work.failed(drv, &failure.cause, self.now);
        } else if let Some(said) = rules::said(text.as_bytes(), self.tool)
            && said.meaning == Meaning::BuildPlan
        {
            self.work.listed(sender, said.plan_size());
        }
    }

    /// No more than that many bytes of builds' logs are kept of this run; see [`MAX_LOGS`](crate::run::work::MAX_LOGS).
    pub fn limit_build_logs(&mut self, bytes: u64) {
        self.work.logs().limit(bytes);
    }

    /// The next lines of a build's log that wait, as an event; none when none do.
    pub fn take_build_log(&mut self) -> Option<RunEvent> {
        let now = self.now;
        self.work.logs().take(now)
    }

    /// How many bytes of builds' logs wait, and whether anything does.
    pub fn build_logs_waiting(&mut self) -> (usize, bool) {
        let logs = self.work.logs();
        (logs.waiting(), logs.is_waiting())
    }

    fn work_of(&mut self, phase: Phase, sure: bool, line: u64, out: &mut Vec<Tracked>) {
        if sure {
            self.enter(phase, line, out);
        } else {
            self.work(phase, line, out);
        }
    }
}
