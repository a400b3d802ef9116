//! Lines and redraws of a run to phases, counters and notices.
//!
//! Phases only go forward: evaluating, fetching, building, activating, switching; some may be missing. Evaluating begins
//! with the run, for Nix prints nothing for it on a terminal. A list of what will be built is a plan, not a build: a dry
//! build stays in evaluating. nixos-rebuild first builds itself; until `building the system configuration...` its builds
//! are kept apart and count only if that line never comes (home-manager prints none).

use crate::run::bar;
use crate::run::event::{BuildTime, Failure, NoticeKind, Progress, cut};
use crate::run::kind::{RebuildTool, RunKind};
use crate::run::phase::Phase;
use crate::run::records;
use crate::run::rules;
use crate::run::work::Work;

mod counters;
mod error_block;
mod evidence;
mod facts;
mod meanings;
mod plan;
mod steps;

use counters::Counters;
use error_block::ErrorBlock;
pub use facts::Facts;
use plan::Plan;

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
/// Actions of the rebuild tools that activate nothing, whatever they print.
const INACTIVE: &[&str] = &["build", "dry-build", "dry-run", "dry-activate"];
/// How much of the last line is kept for the reason of a failure, in bytes.
const MAX_LAST_LINE: usize = 400;

/// Where records come from. Those of another place are not believed: builders can print anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// None was seen.
    Unknown,
    /// The output (`--log-format internal-json`).
    Output,
    /// A stream of their own (`json-log-path`).
    Side,
    /// The output has Nix's texts, so records in it are somebody else's.
    Refused,
}

/// Follows one run.
#[derive(Debug)]
pub struct Tracker {
    /// None: any of them (a recording).
    tool: Option<RebuildTool>,
    rebuild: bool,
    /// The action may activate something: then its lines begin a phase.
    activates: bool,
    phase: Option<Phase>,
    marker: bool,
    /// Phases before the marker, and whether the tool was seen to build itself.
    provisional: Vec<(Phase, u64)>,
    builds_itself: bool,
    counters: Counters,
    /// What Nix listed to be built.
    plan: Plan,
    /// What records told, and where they come from.
    work: Work,
    origin: Origin,
    /// Milliseconds since the epoch, as the caller says.
    now: u64,
    /// The line that is being written.
    line: u64,
    block: Option<ErrorBlock>,
    facts: Facts,
    notices: usize,
    last_line: Vec<u8>,
    /// The one before it.
    line_before: Vec<u8>,
    /// What the bar said when it was last read; the same once more says nothing new until a line has said something.
    bar_state: Vec<u8>,
    changed: bool,
}

impl Tracker {
    /// For a run of that kind.
    pub fn new(kind: &RunKind) -> Self {
        match kind {
            RunKind::Rebuild { tool, action } => Self {
                activates: !INACTIVE.contains(&action.as_str()),
                ..Self::build(Some(*tool), true)
            },
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
            activates: true,
            phase: None,
            marker: tool == Some(RebuildTool::HomeManager),
            provisional: Vec::new(),
            builds_itself: false,
            counters: Counters::default(),
            plan: Plan::default(),
            work: Work::default(),
            origin: Origin::Unknown,
            now: 0,
            line: 1,
            block: None,
            facts: Facts::default(),
            notices: 0,
            last_line: Vec::new(),
            bar_state: Vec::new(),
            line_before: Vec::new(),
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

    /// What time it is, in milliseconds since the epoch: for rates and build times. A recording has none.
    pub fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// Whether [`take_progress`](Self::take_progress) has something.
    pub fn has_progress(&self) -> bool {
        self.changed
    }

    /// The counters as they are.
    pub fn progress(&self) -> Progress {
        if self.work.is_known() && !self.is_activating() {
            return counters::of_work(&self.work);
        }
        // Before the tool's own line it may be building itself; what falls later is not shown.
        let mut progress = self.counters.progress(self.marker || self.phase.is_none());
        if self.work.is_known() {
            let activity = progress.activity.take();
            progress = counters::of_work(&self.work);
            progress.activity = activity;
        }
        progress
    }

    /// The counters, if they changed since they were last taken.
    pub fn take_progress(&mut self) -> Option<Progress> {
        std::mem::take(&mut self.changed).then(|| self.progress())
    }

    /// Builds that are done since this was last asked, with how long they took.
    pub fn take_built(&mut self) -> Vec<BuildTime> {
        self.work.take_built()
    }

    /// How many of Nix's records were of a kind that is not known here: a newer Nix than this program.
    pub fn unknown_records(&self) -> u64 {
        self.work.unknown()
    }

    /// The build that failed, where one is known.
    pub fn failure(&self) -> Option<Failure> {
        // An activation only begins when all is built.
        let built = self.work.failure().filter(|_| !self.is_activating());
        let known = built.or(self.facts.failure.as_ref());
        known.cloned().map(|mut failure| {
            // What Nix printed of it is better than nothing.
            if let Some(told) = self.facts.failure.as_ref()
                && told.name == failure.name
            {
                if failure.log.is_empty() {
                    failure.log.clone_from(&told.log);
                }
                if failure.host.is_none() {
                    failure.host.clone_from(&told.host);
                }
            }
            failure
        })
    }

    /// A line ended; `number` is its own. Answers whether it says something to people: a record that only counts does not, and
    /// its bytes belong to the line that follows.
    pub fn line(&mut self, number: u64, visible: &[u8], out: &mut Vec<Tracked>) -> bool {
        self.line = number;
        if self.rebuild
            && let Some(json) = records::json(visible)
            && let Some(shown) = self.output_record(json, number, out)
        {
            return shown;
        }
        self.text(number, visible, out);
        true
    }

    fn text(&mut self, number: u64, visible: &[u8], out: &mut Vec<Tracked>) {
        self.keep_last(visible);
        if let Some(block) = &mut self.block {
            if block.take(visible) {
                return;
            }
            self.end_block(out);
        }
        if let Some(said) = rules::said(visible, self.tool) {
            self.bar_state.clear();
            self.mean(said, number, out);
        } else if self.rebuild
            && let Some(bar) = bar::parse(visible)
        {
            self.bar(&bar, number, out);
        }
    }

    fn keep_last(&mut self, visible: &[u8]) {
        if !visible.is_empty() {
            std::mem::swap(&mut self.last_line, &mut self.line_before);
            self.last_line.clear();
            let kept = visible.len().min(MAX_LAST_LINE);
            self.last_line.extend_from_slice(&visible[..kept]);
        }
    }

    /// One record of Nix's side channel (`json-log-path`), which stands beside the output. `sender` tells the streams of
    /// several processes apart; it is never 0.
    pub fn side_record(&mut self, sender: u32, json: &[u8], out: &mut Vec<Tracked>) {
        if let Some(record) = records::parse(json) {
            self.origin = Origin::Side;
            self.record(sender, record, self.line, out);
        }
    }

    /// The stream of that sender ended.
    pub fn side_gone(&mut self, sender: u32) {
        self.work.gone(sender);
        self.changed = true;
    }

    /// A part of the unfinished line `number` was drawn over.
    pub fn redraw(&mut self, number: u64, visible: &[u8], out: &mut Vec<Tracked>) {
        if !self.rebuild {
            return;
        }
        self.line = number;
        let state = bar::state(visible);
        if self.block.is_none() && !state.is_empty() && state == self.bar_state {
            self.changed |= !self.is_activating();
            return;
        }
        if let Some(bar) = bar::parse(visible) {
            if self.block.as_ref().is_some_and(ErrorBlock::has_text) {
                self.end_block(out);
            }
            self.bar(&bar, number, out);
            self.bar_state.extend_from_slice(state);
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
        self.changed |= self.counters.stop(success) || self.work.is_known();
        self.work.finish(success);
        // What was not known to be the system's is, now that no other line came.
        self.marker = true;
    }
}

#[cfg(test)]
mod tests;
