//! Lines and redraws of a run to phases, counters and notices.
//!
//! Phases only go forward: evaluating, fetching, building, activating, switching; some may be missing. Evaluating begins
//! with the run, for Nix prints nothing for it on a terminal. A list of what will be built is a plan, not a build: a dry
//! build stays in evaluating. nixos-rebuild first builds itself; until `building the system configuration...` its builds
//! are kept apart and count only if that line never comes (home-manager prints none).

use crate::run::bar::{self, Bar};
use crate::run::event::{MAX_TEXT, NoticeKind, Progress};
use crate::run::kind::{RebuildTool, RunKind};
use crate::run::phase::Phase;
use crate::run::records::Records;
use crate::run::rules::{self, Meaning};

mod counters;
mod error_block;
mod facts;
mod meanings;

use counters::Counters;
use error_block::ErrorBlock;
pub use facts::Facts;

/// The most failed units that are remembered by name.
pub const MAX_FAILED_UNITS: usize = 50;

/// What a line or redraw tells. Times are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// A phase began at that line.
    Phase {
        /// Which one.
        phase: Phase,
        /// Its first line.
        line: u64,
    },
    /// Something a reader must not miss.
    Notice {
        /// What kind it is.
        kind: NoticeKind,
        /// The line it was found in.
        line: u64,
        /// In words.
        text: String,
    },
}

/// The most notices of one run that are told; further ones are only counted.
pub const MAX_NOTICES: usize = 1000;
/// How much of the last line is kept for the reason of a failure, in bytes.
const MAX_LAST_LINE: usize = 400;

/// Follows one run.
#[derive(Debug)]
pub struct Tracker {
    /// None: any of them (a recording).
    tool: Option<RebuildTool>,
    rebuild: bool,
    phase: Option<Phase>,
    marker: bool,
    /// Phases before the marker, and whether the tool was seen to build itself.
    provisional: Vec<(Phase, u64)>,
    builds_itself: bool,
    counters: Counters,
    records: Records,
    block: Option<ErrorBlock>,
    facts: Facts,
    notices: usize,
    last_line: Vec<u8>,
    changed: bool,
}

impl Tracker {
    /// For a run of that kind.
    pub fn new(kind: &RunKind) -> Self {
        match kind {
            RunKind::Rebuild { tool, .. } => Self::build(Some(*tool), true),
            RunKind::Plain => Self::build(None, false),
        }
    }

    /// For a rebuild by an unknown tool.
    pub fn for_recording() -> Self {
        Self::build(None, true)
    }

    fn build(tool: Option<RebuildTool>, rebuild: bool) -> Self {
        Self {
            tool,
            rebuild,
            phase: None,
            marker: tool == Some(RebuildTool::HomeManager),
            provisional: Vec::new(),
            builds_itself: false,
            counters: Counters::default(),
            records: Records::default(),
            block: None,
            facts: Facts::default(),
            notices: 0,
            last_line: Vec::new(),
            changed: false,
        }
    }

    /// The program starts.
    pub fn start(&mut self, out: &mut Vec<Tracked>) {
        let phase = if self.rebuild {
            Phase::Evaluating
        } else {
            Phase::Running
        };
        self.phase = Some(phase);
        out.push(Tracked::Phase { phase, line: 1 });
    }

    /// The current phase.
    pub fn phase(&self) -> Option<Phase> {
        self.phase
    }

    /// Whether the host is being changed now: stopping would leave it half-way.
    pub fn is_activating(&self) -> bool {
        self.phase.is_some_and(Phase::expects_disconnect)
    }

    /// What the texts said.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The start of the last line that was not empty.
    pub fn last_line(&self) -> String {
        rules::plain(&self.last_line).trim().to_owned()
    }

    /// Whether [`take_progress`](Self::take_progress) has something.
    pub fn has_progress(&self) -> bool {
        self.changed
    }

    /// The counters as they are.
    pub fn progress(&self) -> Progress {
        self.counters.progress()
    }

    /// The counters, if they changed since they were last taken.
    pub fn take_progress(&mut self) -> Option<Progress> {
        std::mem::take(&mut self.changed).then(|| self.counters.progress())
    }

    /// A line ended; `number` is its own.
    pub fn line(&mut self, number: u64, visible: &[u8], out: &mut Vec<Tracked>) {
        if !visible.is_empty() {
            self.last_line.clear();
            let kept = visible.len().min(MAX_LAST_LINE);
            self.last_line.extend_from_slice(&visible[..kept]);
        }
        if let Some(block) = &mut self.block {
            if block.take(visible) {
                return;
            }
            self.end_block(out);
        }
        if let Some(said) = rules::said(visible, self.tool) {
            self.mean(said, number, out);
        } else if self.rebuild
            && let Some(bar) = bar::parse(visible)
        {
            self.bar(bar, number, out);
        }
    }

    /// One record of Nix's side channel (`json-log-path`), which stands beside the output.
    pub fn side_record(&mut self, json: &str, out: &mut Vec<Tracked>) {
        self.record(json, 0, out);
    }

    /// A part of the unfinished line `number` was drawn over.
    pub fn redraw(&mut self, number: u64, visible: &[u8], out: &mut Vec<Tracked>) {
        if !self.rebuild {
            return;
        }
        if let Some(bar) = bar::parse(visible) {
            if self.block.as_ref().is_some_and(ErrorBlock::has_text) {
                self.end_block(out);
            }
            self.bar(bar, number, out);
        }
    }

    /// The output ended.
    pub fn finish(&mut self, success: bool, out: &mut Vec<Tracked>) {
        self.end_block(out);
        if !self.builds_itself {
            self.promote(out);
        }
        if success {
            self.counters.complete();
        }
        self.changed |= self.counters.stop();
    }

    fn bar(&mut self, bar: Bar, line: u64, out: &mut Vec<Tracked>) {
        self.builds_itself |= bar.activity.starts_with("building nixos-rebuild");
        // Downloads alone are flake inputs and questions to caches: a part of evaluating.
        let fetches = bar.copied.is_some_and(|copied| copied.expected > 0);
        if bar.built.is_some_and(|built| built.expected > 0) {
            self.work(Phase::Building, line, out);
        } else if fetches {
            self.work(Phase::Fetching, line, out);
        }
        if !self.is_activating() {
            self.counters.bar(bar);
            self.changed = true;
        }
    }

    /// Building and fetching: before the marker they are the tool's own business.
    fn work(&mut self, phase: Phase, line: u64, out: &mut Vec<Tracked>) {
        if self.marker {
            self.enter(phase, line, out);
        } else if self
            .provisional
            .last()
            .is_none_or(|(last, _)| phase > *last)
        {
            self.provisional.push((phase, line));
        }
    }

    fn activate(&mut self, meaning: Meaning, line: u64, out: &mut Vec<Tracked>) {
        self.promote(out);
        if !self.is_activating() {
            self.counters.complete();
            self.changed = true;
            self.enter(Phase::Activating, line, out);
        }
        if meaning == Meaning::Switching {
            self.enter(Phase::Switching, line, out);
        }
    }

    /// There was no marker: what came before was no re-execution.
    fn promote(&mut self, out: &mut Vec<Tracked>) {
        for (phase, line) in std::mem::take(&mut self.provisional) {
            self.enter(phase, line, out);
        }
    }

    fn enter(&mut self, phase: Phase, line: u64, out: &mut Vec<Tracked>) {
        if self.rebuild && self.phase.is_none_or(|current| current < phase) {
            self.phase = Some(phase);
            out.push(Tracked::Phase { phase, line });
        }
    }

    fn end_block(&mut self, out: &mut Vec<Tracked>) {
        if let Some(block) = self.block.take() {
            if block.is_failed_build() {
                self.counters.build_failed();
                self.changed = true;
            }
            let phase = self.phase.unwrap_or(Phase::Running);
            let (line, text) = block.into_notice();
            self.error(line, text, phase, out);
        }
    }

    fn error(&mut self, line: u64, text: String, phase: Phase, out: &mut Vec<Tracked>) {
        let text = cut(text);
        self.facts.errors += 1;
        self.facts
            .first_error
            .get_or_insert_with(|| (text.clone(), phase));
        self.notice(NoticeKind::Error, line, text, out);
    }

    fn warn(&mut self, line: u64, text: String, out: &mut Vec<Tracked>) {
        self.facts.warnings += 1;
        self.notice(NoticeKind::Warning, line, cut(text), out);
    }

    fn unit_failed(&mut self, line: u64, unit: &str, out: &mut Vec<Tracked>) {
        let known = self.facts.failed_units.iter().any(|known| known == unit);
        if !known && self.facts.failed_units.len() < MAX_FAILED_UNITS {
            self.facts.failed_units.push(unit.to_owned());
            self.notice(NoticeKind::FailedUnit, line, cut(unit.to_owned()), out);
        }
    }

    fn notice(&mut self, kind: NoticeKind, line: u64, text: String, out: &mut Vec<Tracked>) {
        self.notices += 1;
        if self.notices <= MAX_NOTICES {
            out.push(Tracked::Notice { kind, line, text });
        }
    }
}

/// At most [`MAX_TEXT`] characters.
pub(super) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
