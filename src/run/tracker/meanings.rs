//! What follows from each kind of line.

use crate::run::phase::Phase;
use crate::run::records::Record;
use crate::run::rules::{self, Meaning, Said};
use crate::run::tracker::counters::{Counters, Source};
use crate::run::tracker::error_block::ErrorBlock;
use crate::run::tracker::{Tracked, Tracker, cut};

impl Tracker {
    pub(super) fn mean(&mut self, said: Said, line: u64, out: &mut Vec<Tracked>) {
        let meaning = said.meaning;
        match meaning {
            Meaning::Error => {
                let text = &said.text;
                if text.ends_with("aborting activation") {
                    self.enter(Phase::Activating, line, out);
                }
                self.facts.interrupted |= text.ends_with("interrupted by the user");
                self.block = Some(ErrorBlock::new(line, text));
                return;
            }
            Meaning::Warning => return self.warn(line, said.text, out),
            _ if !self.rebuild => return,
            _ => {}
        }
        match meaning {
            Meaning::Error | Meaning::Warning => {}
            Meaning::Marker => {
                // Only the first one: a builder may print it too.
                if !std::mem::replace(&mut self.marker, true) {
                    self.counters = Counters::default();
                    self.provisional.clear();
                    self.builds_itself = false;
                    self.changed = true;
                }
            }
            Meaning::BuildPlan => self.counters.plan_builds(said.plan_size()),
            Meaning::FetchPlan => self
                .counters
                .plan_fetches(said.plan_size(), said.plan_bytes()),
            Meaning::BuildStart => self.build_start(said.name().unwrap_or_default(), line, out),
            Meaning::CopyStart => self.copy_start(said.name().unwrap_or_default(), line, out),
            Meaning::Record => self.record(&said.text, line, out),
            Meaning::Activating | Meaning::Switching => {
                self.facts.activated |= meaning == Meaning::Switching
                    || said.text.starts_with("activating the configuration");
                self.activate(meaning, line, out);
                let step = cut(said.text);
                self.facts.last_step = Some(step.clone());
                self.counters.activity = Some(step);
                self.changed = true;
            }
            Meaning::ScriptFailed => {
                self.activate(Meaning::Activating, line, out);
                self.facts
                    .script_failed
                    .get_or_insert_with(|| said.text.clone());
                self.error(line, said.text, Phase::Activating, out);
            }
            Meaning::ActivationError => {
                self.activate(Meaning::Activating, line, out);
                self.error(line, said.text, Phase::Activating, out);
            }
            Meaning::UnitFailed => {
                if self.is_activating()
                    && let Some(unit) = said.unit()
                {
                    self.unit_failed(line, unit, out);
                }
            }
            Meaning::UnitsFailed => {
                self.facts.units_failed = true;
                for unit in said.units() {
                    self.unit_failed(line, unit, out);
                }
                self.warn(line, said.text, out);
            }
            Meaning::SwitchErrors => {
                self.facts.switch_errors = true;
                self.warn(line, said.text, out);
            }
            Meaning::InitChanged => {
                self.activate(Meaning::Activating, line, out);
                self.facts.init_changed = true;
                self.warn(line, said.text, out);
            }
            Meaning::CommandFailed => {
                self.facts.command_status = said.exit_status();
                if said.text.contains("switch-to-configuration") {
                    self.facts.switch_status = said.exit_status();
                }
                self.builds_itself |= said.text.contains("config.system.build.nixos-rebuild");
                // It repeats what Nix said already.
                if self.facts.errors == 0 {
                    let phase = self.phase.unwrap_or(Phase::Evaluating);
                    self.error(line, said.text, phase, out);
                }
            }
            Meaning::Done => {
                self.facts.new_system = said.path().map(str::to_owned);
            }
        }
    }

    pub(super) fn record(&mut self, text: &str, line: u64, out: &mut Vec<Tracked>) {
        let Some(record) = text
            .find('{')
            .and_then(|from| self.records.take(&text[from..]))
        else {
            return;
        };
        self.counters.prefer(Source::Records);
        match record {
            Record::BuildStart(text) => self.build_start(rules::store_name(&text), line, out),
            Record::CopyStart(text) => self.copy_start(rules::store_name(&text), line, out),
            Record::Builds(numbers, first) => {
                if first {
                    self.counters.restart_builds();
                }
                self.counters.builds(Source::Records, numbers);
            }
            Record::Copies(numbers) => self.counters.copies(numbers),
            Record::Message(message) => {
                for part in message.lines() {
                    self.line(line, part.as_bytes(), out);
                }
                self.end_block(out);
            }
        }
        self.changed = true;
    }

    fn build_start(&mut self, name: &str, line: u64, out: &mut Vec<Tracked>) {
        self.builds_itself |= name.starts_with("nixos-rebuild");
        self.work(Phase::Building, line, out);
        self.counters.build_started(name);
        self.changed = true;
    }

    fn copy_start(&mut self, name: &str, line: u64, out: &mut Vec<Tracked>) {
        self.work(Phase::Fetching, line, out);
        self.counters.copy_started(name);
        self.changed = true;
    }
}
