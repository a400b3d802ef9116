//! What rules need to know of the past: how the newest run of each command ended, when hosts went away, what is usual.

use std::collections::{HashMap, VecDeque};

use super::baseline::Baseline;
use super::metric::Metric;
use super::reading::Reading;
use super::settings::written::MAX_WITHIN;
use crate::base::clock::Millis;
use crate::run::id::{HostName, RunId};
use crate::run::phase::RunState;

/// The most departures of a host that are remembered.
const MAX_DEPARTURES: usize = 1000;
/// The most commands of a host whose last bad run is remembered.
const MAX_COMMANDS: usize = 100;
/// The longest reason that is told, in characters.
const MAX_REASON: usize = 300;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// Which run.
    pub run: RunId,
    /// How.
    pub state: RunState,
    /// Why, in words.
    pub reason: String,
}

impl RunEnd {
    /// How a run ended; the reason is cut to one line.
    pub fn new(run: RunId, state: RunState, reason: &str) -> Self {
        let line = reason.lines().next().unwrap_or_default();
        Self {
            run,
            state,
            reason: line.chars().take(MAX_REASON).collect(),
        }
    }

    /// Whether it did not do what it was to do.
    pub fn has_failed(&self) -> bool {
        matches!(
            self.state,
            RunState::Failed | RunState::TimedOut | RunState::Lost | RunState::RolledBack
        )
    }
}

/// The past of one host.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest run of each command that did not end well.
    pub runs: HashMap<String, RunEnd>,
    /// When it went away.
    pub departures: VecDeque<Millis>,
    /// Whether it was there last.
    is_away: bool,
    /// What is usual.
    pub baselines: HashMap<Metric, Baseline>,
}

/// The past of all hosts.
#[derive(Debug, Default)]
pub struct Memory {
    hosts: HashMap<HostName, Past>,
}

impl Memory {
    /// A host's past.
    pub fn of(&self, host: &HostName) -> Option<&Past> {
        self.hosts.get(host)
    }

    /// Takes the end of a run. One that was stopped says nothing of the command. A run that is older than the newest
    /// bad one, and ends later, does not count.
    pub fn ran(&mut self, host: &HostName, command: &str, end: RunEnd) {
        let runs = &mut self.hosts.entry(host.clone()).or_default().runs;
        if end.state == RunState::Stopped
            || runs.get(command).is_some_and(|known| known.run > end.run)
        {
            return;
        }
        if end.has_failed() || end.state == RunState::Degraded {
            if runs.len() < MAX_COMMANDS || runs.contains_key(command) {
                runs.insert(command.to_owned(), end);
            }
        } else {
            runs.remove(command);
        }
    }

    /// Takes a host's new status.
    pub fn became(&mut self, host: &HostName, status: &str, at: Millis) {
        let past = self.hosts.entry(host.clone()).or_default();
        let is_away = status != "online";
        if is_away && !past.is_away {
            past.departures.push_back(at);
        }
        past.is_away = is_away;
        let oldest = at.saturating_sub(MAX_WITHIN.as_millis() as Millis);
        while past.departures.len() > MAX_DEPARTURES
            || past.departures.front().is_some_and(|first| *first < oldest)
        {
            past.departures.pop_front();
        }
    }

    /// Takes what is stored of what is usual.
    pub fn know(&mut self, host: HostName, metric: Metric, baseline: Baseline) {
        let past = self.hosts.entry(host).or_default();
        past.baselines.insert(metric, baseline);
    }

    /// Takes the values of `metrics` that hosts say now.
    pub fn learn(&mut self, readings: &[Reading], metrics: &[Metric], now: Millis) {
        for reading in readings {
            let (Some(host), Some(beat)) = (&reading.host, reading.fresh()) else {
                continue;
            };
            for metric in metrics {
                let Some(value) = metric.of(beat) else {
                    continue;
                };
                if !self.hosts.contains_key(host) {
                    self.hosts.insert(host.clone(), Past::default());
                }
                if let Some(past) = self.hosts.get_mut(host) {
                    past.baselines.entry(*metric).or_default().take(now, value);
                }
            }
        }
    }

    /// What the store does not have of what is usual.
    pub fn unsaved(&mut self) -> Vec<(HostName, Metric, String)> {
        let mut found = Vec::new();
        for (host, past) in &mut self.hosts {
            for (metric, baseline) in &mut past.baselines {
                if std::mem::take(&mut baseline.unsaved) {
                    found.push((host.clone(), *metric, baseline.json()));
                }
            }
        }
        found
    }

    /// Forgets hosts that are no more.
    pub fn keep(&mut self, is_there: impl Fn(&HostName) -> bool) {
        self.hosts.retain(|host, _| is_there(host));
    }
}
