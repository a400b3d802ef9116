//! When runs will end: what their records teach, and what is said of them.

use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use super::draft::{Changed, Draft};
use super::track::Track;
use crate::base::clock::{self, Millis};
use crate::dashboard::eta::aged;
use crate::dashboard::history::Built;
use crate::dashboard::history::forecast::Forecast;
use crate::dashboard::history::usual::usual;
use crate::dashboard::live::Change;
use crate::dashboard::store::runs::RunRow;
use crate::run::phase::RunState;
use crate::wire::api::Eta;

/// The most runs that are foreseen at the same time; what a further one takes is not told.
const MAX_FORECASTS: usize = 4096;
/// A run is looked at no more often, unless its phase changes or nothing could be told.
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
    /// Looks up what the runs that have just begun usually take.
    pub(super) async fn begin_forecasts(&mut self, draft: &Draft) {
        for changed in draft.runs.values() {
            self.begin_forecast(&changed.track.row, draft.now).await;
        }
    }

    /// The same for one run, none of whose builds are in the history before `since`.
    pub(super) async fn begin_forecast(&mut self, row: &RunRow, since: Millis) {
        if row.shown().state != RunState::Running
            || self.forecasts.contains_key(&row.id)
            || self.forecasts.len() >= MAX_FORECASTS
        {
            return;
        }
        let runs = self.store.succeeded(&row.host, &row.command).await;
        let runs = runs.unwrap_or_else(|error| {
            tracing::warn!(run = %row.id, "earlier runs are not known to tell its end from: {error}");
            Vec::new()
        });
        let host = row.host.as_str();
        let forecast = Forecast::new(&self.history, host, since, usual(&runs), row.notes.percent);
        self.forecasts.insert(row.id, forecast);
    }

    /// What is said of a run's end from now on. `heard` is the time of its newest event, by its host's clock.
    pub(super) fn foresee(
        &mut self,
        track: &mut Track,
        built: &[Built],
        heard: Option<u64>,
        now: Millis,
    ) {
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
        forecast.built(built);
        if let Some(at) = heard {
            forecast.heard(at, now);
        }
        let recent = |said: &Said| {
            let same = said.n_phases == n_phases && said.eta.seconds.is_some();
            same && said.at.elapsed() < LOOK
        };
        if track.said.as_ref().is_some_and(recent) {
            return;
        }
        let eta = forecast.look(&self.history, &track.row.shown(), now);
        track.said = Some(Said {
            eta,
            at: Instant::now(),
            n_phases,
        });
        track.row.notes.percent = eta.percent;
    }

    /// Looks again at runs that have said nothing for a while, and tells what is not only the time that has passed.
    pub(super) fn look_again(&mut self) {
        let now = clock::now();
        let due = |track: &Track| Some(track.said?.at.elapsed() >= LOOK_AGAIN);
        let due = self.runs.values().filter(|track| due(track) == Some(true));
        let due: Vec<_> = due.map(|track| track.row.id).collect();
        for run in due {
            let Some(mut track) = self.runs.remove(&run) else {
                continue;
            };
            let before = track.said;
            self.foresee(&mut track, &[], None, now);
            if let (Some(before), Some(said)) = (before, track.said)
                && says_more(aged(before.eta, before.at.elapsed()), said.eta)
            {
                self.live.publish(track.tip(&self.fleet), Vec::new());
                self.live.changed(Change::Run(run, None));
                self.show_activity(&track);
            }
            self.runs.insert(run, track);
        }
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
}
