//! When runs will end: what their records teach, and what is said of them.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use super::draft::{Changed, Draft};
use super::earlier::Found;
use super::track::Track;
use crate::base::clock::Millis;
use crate::dashboard::eta::aged;
use crate::dashboard::history::Built;
use crate::dashboard::history::forecast::Forecast;
use crate::dashboard::store::runs::RunRow;
use crate::run::phase::RunState;
use crate::wire::api::Eta;

/// The most runs that are foreseen at the same time; what a further one takes is not told.
const MAX_FORECASTS: usize = 4096;
/// A run is looked at no more often, unless its phase changes: a run has at most 100 of those.
const LOOK: Duration = Duration::from_secs(1);
/// A run that says nothing is looked at again after so long: it may take longer than it was thought to.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Seconds that say nothing new when they are this near to what is being counted down.
const NEAR: u64 = 2;

/// What was last said of a run's end, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub eta: Eta,
    pub at: Instant,
    /// How many phases there were.
    n_phases: usize,
    /// Before a word of the host, which the first one ends.
    blind: bool,
}

impl Said {
    /// Whether it is too early to say something new.
    fn holds(self, n_phases: usize, blind: bool) -> bool {
        self.n_phases == n_phases && self.blind == blind && self.at.elapsed() < LOOK
    }
}

impl Draft {
    /// The builds that its records tell of.
    pub(super) fn built(&self) -> Vec<Built> {
        let built = self.runs.values().flat_map(|changed| &changed.built);
        built.cloned().collect()
    }
}

impl Changed {
    /// Takes builds that the record that comes next tells of, unless it was here before: all records are sent again
    /// after a doubt.
    pub(super) fn learn(&mut self, builds: &[crate::run::event::BuildTime]) {
        let row = &mut self.track.row;
        let seq = row.last_seq.next();
        if seq > row.notes.learnt {
            row.notes.learnt = seq;
            self.built.extend(Built::all(row.host.as_str(), builds));
        }
    }
}

impl Hub {
    /// What is said of the runs that a draft changes.
    pub(super) fn foresee_changed(&mut self, draft: &mut Draft) {
        for changed in draft.runs.values_mut() {
            let Changed {
                track,
                built,
                heard,
                ..
            } = changed;
            self.begin_forecast(&track.row, track.row.created_at);
            if let Some(forecast) = self.forecasts.get_mut(&track.row.id) {
                forecast.built(built);
                if let Some(at) = heard {
                    forecast.heard(*at, draft.now);
                }
            }
            self.foresee(track, draft.now);
        }
    }

    /// Begins to foresee a run that goes on, if it is not. None of its own builds are in the history before `since`.
    pub(super) fn begin_forecast(&mut self, row: &RunRow, since: Millis) {
        if row.shown().state != RunState::Running
            || self.forecasts.contains_key(&row.id)
            || self.forecasts.len() >= MAX_FORECASTS
        {
            return;
        }
        let forecast = Forecast::new(&self.history, row.host.as_str(), since, row.notes.percent);
        self.forecasts.insert(row.id, forecast);
        self.lookups.begin(&self.store, row);
    }

    /// What is said of a run's end from now on.
    pub(super) fn foresee(&mut self, track: &mut Track, now: Millis) {
        let view = track.row.shown();
        let (state, n_phases) = (view.state, view.phases.len());
        if state != RunState::Running {
            self.forecasts.remove(&track.row.id);
            track.said = None;
            return;
        }
        let Some(forecast) = self.forecasts.get_mut(&track.row.id) else {
            return;
        };
        let blind = !forecast.has_heard();
        if track.said.is_some_and(|said| said.holds(n_phases, blind)) {
            return;
        }
        let eta = forecast.look(&self.history, &view, now);
        drop(view);
        track.said = Some(Said {
            eta,
            at: Instant::now(),
            n_phases,
            blind,
        });
        track.row.notes.percent = eta.percent;
    }

    /// Takes what earlier runs took: more can be told at once.
    pub(super) fn looked_up(&mut self, draft: &mut Draft, first: Found) {
        for (run, usual) in std::iter::once(first).chain(self.lookups.done()) {
            if let Some(forecast) = self.forecasts.get_mut(&run) {
                forecast.learn(usual);
                if let Some(track) = self.runs.get(&run) {
                    self.change(draft, track.clone()).said = None;
                }
            }
        }
    }

    /// Looks again at runs that have said nothing for a while, and tells what is not only the time that has passed.
    pub(super) fn look_again(&mut self, draft: &mut Draft) {
        let due = |track: &&Track| {
            track
                .said
                .is_some_and(|said| said.at.elapsed() >= LOOK_AGAIN)
        };
        let due: Vec<Track> = self.runs.values().filter(due).cloned().collect();
        for mut track in due {
            let before = track.said;
            self.foresee(&mut track, draft.now);
            let (Some(before), Some(said)) = (before, track.said) else {
                continue;
            };
            if says_more(aged(before.eta, before.at.elapsed()), said.eta) {
                self.change(draft, track);
            } else if let Some(own) = self.runs.get_mut(&track.row.id) {
                own.said = Some(said);
            }
        }
    }

    /// A run in a draft, as it is there, or else as it is given.
    fn change<'a>(&self, draft: &'a mut Draft, track: Track) -> &'a mut Track {
        let watched = self.live.is_watched(track.row.id);
        let changed = draft.runs.entry(track.row.id);
        &mut changed.or_insert_with(|| Changed::of(track, watched)).track
    }

    /// Shows what a run's host is doing.
    pub(super) fn show_activity(&self, track: &Track) {
        if track.row.is_waiting() {
            return;
        }
        // What an agent does counts more than what somebody pushes.
        let hidden = track.is_pushed() && self.fleet.peer(&track.row.host).is_some();
        let activity = track.activity().filter(|_| !hidden);
        self.fleet
            .set_activity(&track.row.host, track.row.id, activity);
    }
}

fn says_more(before: Eta, now: Eta) -> bool {
    let near = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => one.abs_diff(other) <= NEAR.max(one / 10),
        (one, other) => one == other,
    };
    before.percent != now.percent
        || !near(before.seconds, now.seconds)
        || !near(before.seconds_most, now.seconds_most)
        || before.overdue != now.overdue
}
