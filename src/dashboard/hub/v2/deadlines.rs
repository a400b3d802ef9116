//! What an earlier agent's silence means, and how it is stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::follower::Follower;
use super::{LATE, Status};
use crate::base::clock::Millis;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::hub::Hub;
use crate::dashboard::hub::draft::Draft;
use crate::dashboard::store::runs::RunRow;
use crate::run::event::RunEvent;
use crate::run::id::{HostName, RunId};
use crate::run::phase::{Phase, RunState};
use crate::wire::api::HostStatus;
use crate::wire::to_agent::{RunStop, ToAgent};

/// How long an agent that does nothing may take to say how its command ended.
const IDLE: Duration = Duration::from_secs(15);
/// How long the words may take after a `command_complete`.
const WORDS: Duration = Duration::from_secs(5);
/// How long an agent may be offline before its run counts as lost.
const AWAY: Duration = Duration::from_secs(10 * 60);
/// After SIGTERM, SIGKILL comes no sooner.
const STOP: Duration = Duration::from_secs(10);

impl Hub {
    /// Ends runs whose `status` has come, once late lines had their time.
    pub(in crate::dashboard::hub) async fn end_heard(&mut self, draft: &mut Draft) {
        let ended = self.v2.hosts.iter_mut().filter_map(|(host, standing)| {
            let (_, status) = standing.ended.take_if(|(at, _)| at.elapsed() >= LATE)?;
            Some((host.clone(), status))
        });
        let ended: Vec<(HostName, Status)> = ended.collect();
        for (host, status) in ended {
            self.end_by(draft, &host, &status).await;
        }
    }

    async fn end_by(&mut self, draft: &mut Draft, host: &HostName, status: &Status) {
        let Some(run) = self.current(draft, host) else {
            return;
        };
        let by = self.standing(host).stop.take().map(|(by, ..)| by);
        let kind = self
            .follower(draft, host)
            .map(|follower| follower.kind.clone());
        let generation = Some(status.generation.clone()).filter(|text| !text.is_empty());
        self.finish_v2(draft, run, generation, |follower| {
            follower.outcome(status, by.as_deref())
        })
        .await;
        if status.status == "ok"
            && let Some(kind) = kind
        {
            self.expect_return(host, &kind);
        }
    }

    /// Looks at the deadlines of all that goes on there, and writes what could not be stored before.
    pub(in crate::dashboard::hub) async fn look_at_v2(&mut self, draft: &mut Draft) {
        let going_on: Vec<(RunId, HostName)> = self
            .runs
            .values()
            .filter(|track| track.is_busy() && self.is_v2(&track.row.host))
            .map(|track| (track.row.id, track.row.host.clone()))
            .collect();
        for (run, host) in going_on {
            self.look_at_one(draft, run, &host).await;
        }
        let waiting: Vec<RunId> = self
            .v2
            .followers
            .iter()
            .filter(|(_, follower)| follower.has_news())
            .map(|(run, _)| *run)
            .collect();
        for run in waiting {
            self.write_followed(draft, run).await;
        }
        // What has ended, here or elsewhere, needs nobody to follow it.
        let runs = &self.runs;
        let goes_on =
            |run: &RunId, follower: &mut Follower| follower.is_new() || runs.contains_key(run);
        self.v2.followers.retain(goes_on);
    }

    async fn look_at_one(&mut self, draft: &mut Draft, run: RunId, host: &HostName) {
        let offline =
            self.fleet.presence(host).map(|(status, _)| status) == Some(HostStatus::Offline);
        let peer = self.welcome_peer(host);
        let standing = self.standing(host);
        standing.offline = standing.offline.filter(|_| offline);
        let since = offline.then(|| *standing.offline.get_or_insert_with(Instant::now));
        if since.is_some_and(|since| since.elapsed() >= AWAY) {
            let why = |row: &RunRow| {
                why(
                    row,
                    "the host went away",
                    "it has been offline for 10 minutes",
                )
            };
            self.give_up(draft, host, run, why).await;
            return;
        }
        if let Some((_, exit_code)) = standing.complete.filter(|(at, _)| at.elapsed() >= WORDS) {
            let status = Status {
                exit_code,
                ..Status::default()
            };
            self.end_by(draft, host, &status).await;
        } else if standing.ended.is_none()
            && standing.idle.is_some_and(|since| since.elapsed() >= IDLE)
        {
            self.give_up(draft, host, run, |row| {
                why(row, "the agent is idle", "it never said how this ended")
            })
            .await;
        } else if let (Some(peer), Some((by, at, killed))) = (peer, &mut standing.stop)
            && !*killed
            && at.elapsed() >= STOP
        {
            *killed = true;
            let by = by.clone();
            let activating = self
                .runs
                .get(&run)
                .is_some_and(|track| is_activating(&track.row));
            if !activating {
                peer.send(signal(run, true, by));
            }
        }
    }

    /// Stops what an earlier agent runs: SIGTERM first, SIGKILL later; with `force`, or asked once more, at once. In the
    /// middle of an activation it is refused without `force`, and the run says so, as with every other agent.
    pub(in crate::dashboard::hub) async fn stop_v2(
        &mut self,
        draft: &mut Draft,
        peer: &Arc<Peer>,
        run: RunId,
        force: bool,
        by: &str,
    ) {
        let at: Millis = draft.now;
        let drafted = draft.runs.get(&run).map(|changed| &changed.track);
        let track = drafted.or_else(|| self.runs.get(&run));
        let refused = track.is_some_and(|track| is_activating(&track.row)) && !force;
        if let Some(follower) = self
            .follower(draft, &peer.host)
            .filter(|follower| follower.started)
        {
            follower.flush(at);
            follower.event(RunEvent::StopRequested {
                at,
                by: by.to_owned(),
                force,
                refused: refused.then(|| "the activation has begun: stopping it would leave the host half-way; stop with force to do it all the same".into()),
            });
        }
        self.write_followed(draft, run).await;
        if refused {
            return;
        }
        let stop = &mut self.standing(&peer.host).stop;
        let again = stop.is_some() && force;
        *stop = Some((by.to_owned(), Instant::now(), again));
        peer.send(signal(run, again, by.to_owned()));
    }
}

/// For an earlier agent, `force` is SIGKILL.
fn signal(run: RunId, force: bool, requested_by: String) -> ToAgent {
    ToAgent::RunStop(RunStop {
        run,
        force,
        requested_by,
    })
}

fn is_activating(row: &RunRow) -> bool {
    row.view.state == RunState::Running && row.view.phase().is_some_and(Phase::expects_disconnect)
}

/// What is known of a run whose end nobody told.
fn why(row: &RunRow, what: &str, silence: &str) -> String {
    let phase = row
        .view
        .phase()
        .map_or_else(String::new, |phase| format!(" in phase {}", phase.name()));
    format!(
        "{what}{phase}, and {silence}; {lines} lines are kept. An agent of protocol 2 cannot say it later: look at the host's generation before asking again",
        lines = row.view.lines
    )
}
