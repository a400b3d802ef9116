//! What follows from each kind of line.

use crate::run::event::cut;
use crate::run::phase::Phase;
use crate::run::rules::{Meaning, Said};
use crate::run::tracker::counters::Counters;
use crate::run::tracker::error_block::ErrorBlock;
use crate::run::tracker::{Origin, Tracked, Tracker};

impl Tracker {
    pub(super) fn mean(&mut self, said: Said, line: u64, out: &mut Vec<Tracked>) {
        let meaning = said.meaning;
        // While Nix builds, no line is the rebuild tool's, nor the activation's: a builder prints it.
        if self.work.is_building() && !matches!(meaning, Meaning::Error | Meaning::Warning) {
            return;
        }
        match meaning {
            Meaning::Error => {
                let text = &said.text;
                if text.ends_with("aborting activation") {
                    self.enter(Phase::Activating, line, out);
                }
                self.facts.interrupted |= text.ends_with("interrupted by the user");
                // The tool's words on the switch are its last ones: behind them nothing can fail, so they were a builder's.
                self.facts.forget_switch();
                self.block = Some(ErrorBlock::new(line, text));
                return;
            }
            // Of the setting that the supervisor adds: Nix before 2.30 does not know it, and a daemon does not take it from
            // everybody (src/libutil/config.cc, src/libstore/daemon.cc). Neither does harm.
            Meaning::Warning if said.text.contains("setting 'json-log-path'") => return,
            Meaning::Warning => return self.warn(line, said.text, out),
            Meaning::Prompt(question) => return self.asked(question.advice(), &said, line, out),
            Meaning::Git => return self.git(&said, line, out),
            _ if !self.rebuild => return,
            _ => {}
        }
        match meaning {
            // Records were taken before the text was looked at.
            Meaning::Error
            | Meaning::Warning
            | Meaning::Record
            | Meaning::Prompt(_)
            | Meaning::Git => {}
            Meaning::Marker => {
                // Only the first one: a builder may print it too.
                if !std::mem::replace(&mut self.marker, true) {
                    self.went_on();
                    self.work.marker();
                    self.counters = Counters::default();
                    self.provisional.clear();
                    self.builds_itself = false;
                    self.changed = true;
                }
            }
            Meaning::BuildPlan => {
                if self.origin == Origin::Output {
                    self.work.listed(0, said.plan_size());
                }
                self.counters.plan_builds(said.plan_size());
                self.plan.begin(said.plan_size(), line);
            }
            Meaning::PlanEntry => {
                let name = said.name().unwrap_or_default();
                if self.plan.entry(name, line) && !self.marker {
                    self.builds_itself |= name.starts_with("nixos-rebuild");
                }
            }
            Meaning::ToolBuild => self.builds_itself |= !self.marker,
            Meaning::FetchPlan => self
                .counters
                .plan_fetches(said.plan_size(), said.plan_bytes()),
            Meaning::BuildStart => self.build_start(&said, line, out),
            Meaning::CopyStart => self.copy_start(said.name().unwrap_or_default(), line, out),
            Meaning::Activity if self.is_activating() => {}
            Meaning::Activity => {
                self.counters.activity = Some(cut(said.text));
                self.changed = true;
            }
            Meaning::Activating | Meaning::Switching => {
                self.facts.activated |= meaning == Meaning::Switching
                    || said.text.starts_with("activating the configuration");
                self.activate(meaning, line, out);
                self.step(said.text);
            }
            // A builder prints such lines too.
            Meaning::Step | Meaning::StepError if !self.is_activating() => {}
            Meaning::Step => self.step(said.text),
            Meaning::ScriptFailed => {
                self.activate(Meaning::Activating, line, out);
                let text = self.with_why(said.text);
                self.facts.script_failed.get_or_insert_with(|| text.clone());
                self.error(line, text, Phase::Activating, out);
            }
            Meaning::ActivationError => {
                self.activate(Meaning::Activating, line, out);
                let text = self.with_why(said.text);
                self.error(line, text, Phase::Activating, out);
            }
            Meaning::StepError => self.step_error(line, said.told(), out),
            Meaning::Failed => {
                let phase = self.phase.unwrap_or(Phase::Evaluating);
                self.error(line, said.told().to_owned(), phase, out);
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
            Meaning::UserFailed => self.user_failed(said, line, out),
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
                // The last command that fails is the one that the tool ends for; one before it was a builder's text.
                let switch = said.text.contains("switch-to-configuration");
                self.facts.switch_status = said.exit_status().filter(|_| switch);
                self.builds_itself |= said.text.contains("config.system.build.nixos-rebuild");
                // It repeats what Nix said already.
                if self.facts.first_error.is_none() {
                    let phase = self.phase.unwrap_or(Phase::Evaluating);
                    self.error(line, said.text, phase, out);
                }
            }
            Meaning::Done => {
                self.facts.new_system = said.path().map(str::to_owned);
            }
        }
    }

    fn build_start(&mut self, said: &Said, line: u64, out: &mut Vec<Tracked>) {
        let name = said.name().unwrap_or_default();
        self.plain();
        self.builds_itself |= name.starts_with("nixos-rebuild");
        self.work(Phase::Building, line, out);
        let on = said
            .host()
            .map_or_else(String::new, |host| format!(" on {host}"));
        if self.plan.may_have(name) {
            self.counters.build_started(&format!("{name}{on}"));
        } else {
            // Built while Nix evaluates, or a Nix within a builder.
            self.counters.activity = Some(cut(format!("building {name}{on}")));
        }
        self.changed = true;
    }

    /// For a command that is no rebuild, git's words are its error. In a rebuild Nix's error follows, or nothing bad happened:
    /// nixos-rebuild asks git about what need not be a repository.
    fn git(&mut self, said: &Said, line: u64, out: &mut Vec<Tracked>) {
        let text = said.text.trim_start_matches("fatal:").trim().to_owned();
        if self.rebuild {
            self.facts.git = Some(cut(text));
        } else {
            self.error(line, text, Phase::Running, out);
        }
    }

    fn copy_start(&mut self, name: &str, line: u64, out: &mut Vec<Tracked>) {
        self.work(Phase::Fetching, line, out);
        self.counters.copy_started(name);
        self.changed = true;
    }
}
