//! Hosts that go away in the middle of an activation. That is expected, and has a deadline; only after it the run is lost.
//! A run of a host that goes away at another time goes on for all that anybody knows.

use super::Hub;
use super::draft::Draft;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::Change;
use crate::dashboard::liveness::ACTIVATION;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};
use crate::wire::api::{HostStatus, Run};

impl RunRow {
    /// Whether its host may disconnect now.
    fn is_activating(&self) -> bool {
        let view = self.shown();
        let expected = view.phase().is_some_and(Phase::expects_disconnect);
        expected && !view.state.is_terminal() && !self.is_waiting()
    }

    /// The run as the API shows it, with what its host's absence means for it.
    pub fn show(&self, fleet: &Fleet) -> Run {
        let mut run = Run::from(self);
        if self.is_activating()
            && let Some((HostStatus::Reconnecting, left)) = fleet.presence(&self.host)
        {
            run.reconnect_deadline_ms = left.map(|left| left.as_millis() as u64);
        }
        run
    }
}

impl Hub {
    /// Says which activations have lost their host, and ends those whose host has been away for too long. Should their
    /// journal come later, they live again.
    pub(super) async fn give_up_absent(&mut self, draft: &mut Draft) {
        let mut lost: Vec<RunId> = Vec::new();
        for track in self.runs.values_mut() {
            if track.is_pushed() || !(track.row.is_activating() || track.away) {
                continue;
            }
            let presence = self.fleet.presence(&track.row.host);
            let status = presence.map(|(status, _)| status);
            if track.row.is_activating() && status == Some(HostStatus::Offline) {
                // What an earlier agent cannot send later is lost at another time, in other words.
                if self.fleet.protocol(&track.row.host) != Some(2) {
                    lost.push(track.row.id);
                }
                continue;
            }
            let away = track.row.is_activating() && status == Some(HostStatus::Reconnecting);
            if away != track.away {
                track.away = away;
                self.live.publish(track.tip(&self.fleet), Vec::new());
                self.live.changed(Change::Run(track.row.id, None));
            }
        }
        for run in lost {
            self.conclude(draft, run, RunState::Lost, why_lost).await;
        }
    }
}

fn why_lost(row: &RunRow) -> String {
    let view = row.shown();
    let phase = view.phase().map_or("activating", Phase::name);
    format!(
        "{host} went away in phase {phase} and did not come back within {minutes} minutes; {lines} lines are kept, and how it \
         ended is not known. Look at the host's console: a configuration that breaks its network shows like this. When the \
         host comes back, the rest of this run comes with it",
        host = row.host,
        minutes = ACTIVATION.as_secs() / 60,
        lines = view.lines,
    )
}
