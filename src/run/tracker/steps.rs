//! From one phase to the next, and what a reader must not miss on the way.

use crate::run::bar::{Activity, Bar};
use crate::run::event::NoticeKind;
use crate::run::phase::Phase;
use crate::run::rules::Meaning;
use crate::run::tracker::{MAX_FAILED_UNITS, MAX_NOTICES, Tracked, Tracker, cut};

impl Tracker {
    pub(super) fn bar(&mut self, bar: &Bar, line: u64, out: &mut Vec<Tracked>) {
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
    pub(super) fn promote(&mut self, out: &mut Vec<Tracked>) {
        for (phase, line) in std::mem::take(&mut self.provisional) {
            self.enter(phase, line, out);
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, line: u64, out: &mut Vec<Tracked>) {
        if self.rebuild && self.phase.is_none_or(|current| current < phase) {
            self.phase = Some(phase);
            out.push(Tracked::Phase { phase, line });
        }
    }

    pub(super) fn end_block(&mut self, out: &mut Vec<Tracked>) {
        if let Some(block) = self.block.take() {
            if block.is_failed_build() {
                self.counters.build_failed();
                self.changed = true;
            }
            let phase = self.phase.unwrap_or(Phase::Running);
            if let Some(failure) = block.failure() {
                self.work.failed(
                    failure.drv.as_deref().unwrap_or_default(),
                    &failure.cause,
                    self.now,
                );
                self.facts.failure.get_or_insert(failure);
            }
            let (line, text) = block.into_notice();
            self.error(line, text, phase, out);
        }
    }

    pub(super) fn error(&mut self, line: u64, text: String, phase: Phase, out: &mut Vec<Tracked>) {
        let text = cut(text);
        self.facts.errors += 1;
        self.facts
            .first_error
            .get_or_insert_with(|| (text.clone(), phase));
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
