//! From one phase to the next, and what a reader must not miss on the way.

use crate::run::bar::{Activity, Bar};
use crate::run::event::{NoticeKind, cut};
use crate::run::phase::Phase;
use crate::run::rules::{self, Meaning, Said};
use crate::run::tracker::{MAX_FAILED_UNITS, MAX_NOTICES, Tracked, Tracker};

/// Errors of switch-to-configuration that only name what failed.
const BARE: &[&str] = &[
    "Failed to install bootloader",
    "Activation script snippet '",
    "Pre-switch check '",
];

impl Tracker {
    pub(super) fn bar(&mut self, bar: &Bar, line: u64, out: &mut Vec<Tracked>) {
        self.bar_state.clear();
        self.plain();
        self.builds_itself |= matches!(
            Activity::parse(&bar.activity),
            Some(Activity::Building { name, .. }) if name.starts_with("nixos-rebuild")
        );
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
    pub(super) fn work(&mut self, phase: Phase, line: u64, out: &mut Vec<Tracked>) {
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

    pub(super) fn activate(&mut self, meaning: Meaning, line: u64, out: &mut Vec<Tracked>) {
        if !self.activates {
            return;
        }
        self.promote(out);
        if !self.is_activating() {
            self.went_on();
            self.counters.complete();
            self.changed = true;
            self.enter(Phase::Activating, line, out);
        }
        if meaning == Meaning::Switching {
            self.enter(Phase::Switching, line, out);
        }
    }

    /// The tool goes on: what failed before was not fatal, and is not why it fails later.
    pub(super) fn went_on(&mut self) {
        self.facts.first_error = None;
        self.facts.failure = None;
        self.work.went_on();
        // Nor has anything been said of a switch that has not begun.
        self.facts.forget_switch();
    }

    /// What an activation does next.
    pub(super) fn step(&mut self, text: String) {
        let step = cut(text);
        self.facts.last_step = Some(step.clone());
        self.counters.activity = Some(step);
        self.changed = true;
    }

    /// An error of the activation that only says what failed: why, stood in the line before it.
    pub(super) fn with_why(&self, text: String) -> String {
        let before = rules::plain(&self.line_before);
        let before = before.trim();
        let bare = BARE.iter().any(|bare| text.starts_with(bare));
        if !bare || before.is_empty() || rules::said(&self.line_before, self.tool).is_some() {
            return text;
        }
        format!("{text}: {before}")
    }

    /// There was no marker: what came before was no re-execution.
    pub(super) fn promote(&mut self, out: &mut Vec<Tracked>) {
        for (phase, line) in std::mem::take(&mut self.provisional) {
            self.enter(phase, line, out);
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, line: u64, out: &mut Vec<Tracked>) {
        if phase.expects_disconnect() && !self.activates {
            return;
        }
        if self.rebuild && self.phase.is_none_or(|current| current < phase) {
            self.phase = Some(phase);
            out.push(Tracked::Phase { phase, line });
        }
    }

    pub(super) fn end_block(&mut self, out: &mut Vec<Tracked>) {
        if let Some(block) = self.block.take() {
            let phase = self.phase.unwrap_or(Phase::Running);
            if let Some(failure) = block.failure() {
                self.counters.build_failed();
                self.changed = true;
                if let Some(drv) = &failure.drv {
                    self.work.failed(drv, &failure.cause, self.now);
                }
                self.facts.failure.get_or_insert(failure);
            }
            let (line, mut text) = block.into_notice();
            if text.contains("program 'git' failed")
                && let Some(why) = self.facts.git.take()
            {
                text = format!("{text}: {why}");
            }
            self.error(line, text, phase, out);
        }
    }

    pub(super) fn error(&mut self, line: u64, text: String, phase: Phase, out: &mut Vec<Tracked>) {
        self.tell_error(line, cut(text), phase, false, out);
    }

    /// An error of a step, after which the activation may go on: what fails later is a better cause.
    pub(super) fn step_error(&mut self, line: u64, text: &str, out: &mut Vec<Tracked>) {
        let phase = self.phase.unwrap_or(Phase::Activating);
        self.tell_error(line, cut(text.to_owned()), phase, true, out);
    }

    fn tell_error(
        &mut self,
        line: u64,
        text: String,
        phase: Phase,
        of_step: bool,
        out: &mut Vec<Tracked>,
    ) {
        self.facts.errors += 1;
        let better = match &self.facts.first_error {
            None => true,
            Some(_) if of_step => false,
            Some((known, _)) => {
                self.facts.first_of_step
                    || (rules::is_consequence(known) && !rules::is_consequence(&text))
            }
        };
        if better {
            self.facts.first_error = Some((text.clone(), phase));
            self.facts.first_of_step = of_step;
        }
        self.notice(NoticeKind::Error, line, text, out);
    }

    pub(super) fn warn(&mut self, line: u64, text: String, out: &mut Vec<Tracked>) {
        self.facts.warnings += 1;
        self.notice(NoticeKind::Warning, line, cut(text), out);
    }

    pub(super) fn unit_failed(&mut self, line: u64, unit: &str, out: &mut Vec<Tracked>) {
        let known = self.facts.failed_units.iter().any(|known| known == unit);
        if !known && self.facts.failed_units.len() < MAX_FAILED_UNITS {
            self.facts.failed_units.push(unit.to_owned());
            self.notice(NoticeKind::FailedUnit, line, cut(unit.to_owned()), out);
        }
    }

    pub(super) fn user_failed(&mut self, said: Said, line: u64, out: &mut Vec<Tracked>) {
        let users = &mut self.facts.failed_users;
        if users.len() < MAX_FAILED_UNITS && !users.iter().any(|user| user == said.told()) {
            users.push(cut(said.told().to_owned()));
        }
        self.warn(line, said.text, out);
    }

    /// Something asks a question: told once for each that is different.
    pub(super) fn asked(&mut self, advice: &str, said: &Said, line: u64, out: &mut Vec<Tracked>) {
        let phase = self.phase.unwrap_or(Phase::Running);
        let known = self.facts.question.replace((advice.to_owned(), phase));
        if known.is_none_or(|(known, _)| known != advice) {
            let asked = said.text.trim();
            self.warn(line, format!("`{asked}`: {advice}"), out);
        }
    }

    pub(super) fn notice(
        &mut self,
        kind: NoticeKind,
        line: u64,
        text: String,
        out: &mut Vec<Tracked>,
    ) {
        self.notices += 1;
        if self.notices <= MAX_NOTICES {
            out.push(Tracked::Notice { kind, line, text });
        }
    }
}
